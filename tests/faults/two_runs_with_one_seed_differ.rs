//! Seen elsewhere: two runs with one seed give two results, by atomics, worker threads, or what was computed before.
//!
//! Single kernels and backends are held to the same by tests/cpu.rs, tests/synflow.rs and tests/cuda.rs.

use super::{etnas, rows, small, stdout, told, with_cards};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

const CELLS: [&str; 6] = ["9930", "5", "1462", "10", "81", "1651"];
const QUICK: &str = "naswot,log-synflow,synflow,degree,params,macs";

fn scored(cells: &[&str], measures: &str, more: &[&str]) -> String {
    let fixed = ["--dataset", "imagenet16-120", "--batch", "3", "--repeats", "2", "--format", "jsonl", "--measures"];
    stdout(&[&["score"], cells, &fixed, &[measures], more].concat())
}

/// Keeps every processor busy while the work runs.
fn under_load<T>(work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut sum = 0.0f64;
                while !done.load(Ordering::Relaxed) {
                    sum = std::hint::black_box(sum * 0.5 + 1.0);
                }
            });
        }
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}

#[test]
fn runs_threads_chunks_and_load_change_no_byte() {
    // LossSlope takes long, and utopian runs all of its cells at once.
    let long = [("1", "2"), ("2", "1"), ("3", "100")];
    let matrix = ["1", "2", "3", "7"].map(|threads| ["2", "5", "100"].map(|chunk| (threads, chunk)));
    for (cells, measures, ways) in
        [(&CELLS[..], QUICK, matrix.as_flattened()), (&CELLS[..3], "naswot,loss-slope,utopian", &long)]
    {
        let first = scored(cells, measures, &["--threads", "1", "--chunk", "1"]);
        assert_eq!(rows(&first).len(), cells.len());
        assert_eq!(scored(cells, measures, &["--threads", "1", "--chunk", "1"]), first, "again");
        for (threads, chunk) in ways {
            let again = scored(cells, measures, &["--threads", threads, "--chunk", chunk]);
            assert_eq!(again, first, "{threads} threads, chunks of {chunk}");
        }
        assert_eq!(under_load(|| scored(cells, measures, &["--threads", "3"])), first, "on a busy machine");
        assert_ne!(scored(cells, measures, &["--weight-seed", "5"]), first);
    }
}

#[test]
fn order_company_and_resume_change_no_byte() {
    let measures = QUICK;
    let together = scored(&CELLS, measures, &[]);
    let reversed: Vec<&str> = CELLS.iter().rev().copied().collect();
    let backwards = scored(&reversed, measures, &[]);
    assert!(backwards.lines().rev().eq(together.lines()), "{backwards}{together}");
    let alone: String = CELLS.iter().map(|cell| scored(&[cell], measures, &[])).collect();
    assert_eq!(alone, together);
    let twice = scored(&[&CELLS[..], &CELLS[..2]].concat(), measures, &[]);
    assert!(twice.starts_with(&together) && together.starts_with(&twice[together.len()..]), "{twice}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let file = ["--quiet", "--resume", "-o", path.to_str().unwrap()];
    for begun in 0..CELLS.len() {
        assert_eq!(scored(&CELLS, measures, &file), "");
        assert_eq!(fs::read_to_string(&path).unwrap(), together, "resumed after {begun}");
        let kept: String = together.lines().take(begun + 1).map(|line| format!("{line}\n")).collect();
        fs::write(&path, kept).unwrap();
    }
}

#[test]
fn searches_are_the_same_again_on_any_threads_and_on_a_busy_machine() {
    for method in ["et-nas", "free-rea"] {
        let budget: &[&str] = if method == "et-nas" { &["--cycles", "8"] } else { &["--evaluations", "12"] };
        let run = |threads| {
            let tiny = ["--dataset", "imagenet16-120", "--batch", "2", "--population", "4", "--sample", "2"];
            let arguments = ["search", "--method", method, "--runs", "2", "--format", "jsonl", "--quiet"];
            stdout(&[&arguments[..], &tiny, budget, &["--threads", threads]].concat())
        };
        let first = run("1");
        assert_eq!(rows(&first).len(), 2);
        for threads in ["1", "2", "5"] {
            assert_eq!(run(threads), first, "{method}, {threads} threads");
        }
        assert_eq!(under_load(|| run("3")), first, "{method}");
    }
}

#[test]
fn emulated_cuda_runs_and_chunks_change_no_byte() {
    let cells = ["10", "2384", "5"];
    let run = |cells: &[&'static str], chunk: &'static str| {
        let more = ["--device", "cuda", "--chunk", chunk];
        let (code, text, errors) = told(with_cards("80", &small(cells, "naswot,log-synflow", "jsonl", &more)));
        assert_eq!((code, errors.as_str()), (Some(0), ""));
        text
    };
    let first = run(&cells, "3");
    assert_eq!(rows(&first).len(), 3);
    assert_eq!(run(&cells, "3"), first);
    assert_eq!(run(&cells, "1"), first);
    assert_eq!(cells.map(|cell| run(&[cell], "1")).concat(), first);
}

/// What only decides how fast results come is not taken for part of a score.
#[test]
fn metadata_are_those_of_the_score() {
    let arguments = ["score", "5", "--measures", "log-synflow", "--batch", "2", "--format", "json"];
    let run = |more: &[&str]| stdout(&[&arguments[..], more].concat());
    assert_eq!(run(&["--threads", "1", "--chunk", "1"]), run(&["--threads", "3"]));
    let elsewhere = etnas(&arguments).current_dir(std::env::temp_dir()).env("RAYON_NUM_THREADS", "5").output().unwrap();
    assert_eq!(String::from_utf8(elsewhere.stdout).unwrap(), run(&[]));
}
