//! The profile of accesses, on a kernel whose sectors and wavefronts can be counted by hand.

use etnas_emulator::profile::{self, Row};
use etnas_emulator::{Argument, Build, Card, Order};

/// Requests, parts and the least number of parts of the rows at a marked line.
fn counts(rows: &[Row], mark: &str, access: &str) -> (u64, u64, u64) {
    let source = include_str!("../test_kernels/accesses.cu");
    let number = source.lines().position(|line| line.trim_end().ends_with(&format!("HERE {mark}"))).expect(mark) + 1;
    let line = format!("accesses.cu:{number}");
    let at = rows.iter().filter(|row| row.line == line && row.access == access);
    at.fold((0, 0, 0), |sum, row| (sum.0 + row.requests, sum.1 + row.parts, sum.2 + row.least))
}

#[test]
fn sectors_and_wavefronts_are_counted() {
    let mut tables = Vec::new();
    for order in [Order::Forward, Order::Reverse, Order::Random(5)] {
        let card = Card::new(80, Build::Checked, order);
        let from = card.upload(&[1.0f32; 128]);
        let to = card.poisoned::<f32>(96);
        profile::start().unwrap();
        let arguments = [Argument::new(from.address()), Argument::new(to.address())];
        card.launch("test_accesses", [1, 1, 1], [32, 1, 1], 0, &arguments).unwrap();
        let profile = profile::read().unwrap();
        let count = |mark, access| counts(&profile.rows, mark, access);
        assert_eq!(count("side_by_side", "load"), (1, 4, 4));
        assert_eq!(count("every_second", "load"), (1, 8, 4));
        assert_eq!(count("the_same", "load"), (1, 1, 1));
        assert_eq!(count("by_four", "load"), (1, 16, 16));
        assert_eq!(count("one_bank", "store"), (1, 32, 1));
        assert_eq!(count("all_banks", "store"), (1, 1, 1));
        assert_eq!(count("rows", "load"), (3, 96, 3));
        assert_eq!(count("rows", "store"), (3, 12, 12));
        assert_eq!(profile.sectors("test_accesses", 80), (41, 37));
        let total = &profile.totals[0];
        assert_eq!((total.launches, total.read, total.written), (1, 512, 384));
        tables.push(profile.table());
    }
    assert!(tables.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(tables[0].contains("accesses.cu"), "{}", tables[0]);
}
