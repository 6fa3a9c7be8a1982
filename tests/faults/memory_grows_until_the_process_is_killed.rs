//! Seen elsewhere: a sweep takes more memory with every cell and is killed near the 6,000th.
#![cfg(target_os = "linux")]

use super::common::sweeps::{process, reached};
use super::rows;
use etnas::space::{Cell, Skeleton};
use std::fs;
use std::process::Child;
use std::time::Duration;

/// The most that was resident so far, in bytes.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

/// What may be taken between the 500th and the last cell: some 5 kB a cell, a hundredth of the maps of one.
const SLACK: u64 = 8 << 20;

#[test]
fn the_peak_after_2000_cells_is_that_after_500() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    // The dearest cells first: what the working memory of any cell takes is taken early.
    let mut cells: Vec<Cell> = Cell::all().step_by(8).chain(Cell::all().skip(1).step_by(300)).take(2000).collect();
    assert_eq!(cells.len(), 2000);
    cells.sort_by_key(|cell| std::cmp::Reverse(Skeleton::benchmark(120, 16).macs(cell)));
    let list: String = cells.iter().map(|cell| format!("{}\n", cell.index())).collect();
    fs::write(folder.path().join("list"), list).unwrap();
    let arguments = ["score", "-", "--dataset", "imagenet16-120", "--batch", "2", "--measures", "naswot,log-synflow"];
    let mut command = process(&[&arguments[..], &["--quiet", "--format", "jsonl", "-o", "a"]].concat(), folder.path());
    let mut child = command.stdin(fs::File::open(folder.path().join("list")).unwrap()).spawn().unwrap();
    // A record has at most 220 bytes.
    assert!(reached(&mut child, &path, 500 * 220));
    let early = peak(&child).unwrap();
    let mut last = early;
    while child.try_wait().unwrap().is_none() {
        // The kernel's figure is of several counters, and may read a little lower than before.
        last = last.max(peak(&child).unwrap_or(last));
        std::thread::sleep(Duration::from_millis(1));
    }
    let records = rows(&fs::read_to_string(&path).unwrap());
    assert_eq!(records.len(), 2000);
    println!("{} MB after 500 cells, {} MB after 2,000", early >> 20, last >> 20);
    assert!(last - early < SLACK, "{early} bytes after 500 cells, {last} after 2,000");
}
