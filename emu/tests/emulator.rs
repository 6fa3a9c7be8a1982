//! The emulator by small kernels of its own.

use etnas_emulator::{Argument, Build, Card, Memory, Order, Statistics};

#[test]
fn threads_exchange_numbers() {
    let blocks = 5;
    let from: Vec<f32> = (0..256 * blocks).map(|i| i as f32).collect();
    for build in [Build::Plain, Build::Checked] {
        for order in [Order::Forward, Order::Reverse, Order::Random(7)] {
            let card = Card::new(90, build, order);
            let source = card.upload(&from);
            let target = card.poisoned::<f32>(from.len());
            let arguments = [Argument::new(source.address()), Argument::new(target.address())];
            let statistics = card.launch("test_exchange", [blocks, 1, 1], [256, 1, 1], 1024, &arguments).unwrap();
            assert_eq!((statistics.blocks, statistics.threads, statistics.barriers), (5, 5 * 256, 5));
            for (i, number) in card.download(&target).into_iter().enumerate() {
                let reversed = i / 256 * 256 + 255 - i % 256;
                assert_eq!(number, from[reversed] + 496.0 + 16.0, "{build:?} {order:?} {i}");
            }
        }
    }
}

const ORDERS: [Order; 4] = [Order::Forward, Order::Reverse, Order::Random(1), Order::Random(2)];

/// Runs a kernel of `mistakes.cu` on a card.
fn run(card: &Card, kernel: &str, from: &Memory<f32>, to: &Memory<f32>, blocks: u32) -> Result<Statistics, String> {
    let arguments = [Argument::new(from.address()), Argument::new(to.address())];
    card.launch(kernel, [blocks, 1, 1], [64, 1, 1], 256, &arguments)
}

fn launch_mistake(card: &Card, kernel: &str) -> Result<Vec<f32>, String> {
    let from = card.upload(&(0..256).map(|i| i as f32).collect::<Vec<_>>());
    let to = card.poisoned::<f32>(128);
    if kernel.contains("blocks_apart") {
        run(card, "test_blocks_apart_start", &from, &to, 1)?;
    }
    run(card, kernel, &from, &to, 2).map(|_| card.download(&to))
}

/// "mistakes.cu:LINE" of the line that ends with a mark.
fn line_of(mark: &str) -> String {
    let source = include_str!("../test_kernels/mistakes.cu");
    let is_marked = |line: &str| line.split("HERE ").nth(1).is_some_and(|rest| rest.split(' ').next() == Some(mark));
    let line = source.lines().position(is_marked).unwrap_or_else(|| panic!("no line is marked {mark}"));
    format!("mistakes.cu:{}", line + 1)
}

/// The wrong twin is reported as this kind at the marked line, in every order, on every card that can make the mistake.
fn finds(name: &str, kinds: &[&str], capabilities: &[u32]) {
    let line = line_of(name);
    for order in ORDERS {
        for &capability in capabilities {
            let card = Card::new(capability, Build::Checked, order);
            let report = launch_mistake(&card, &format!("test_{name}_wrong")).expect_err(name);
            let found = kinds.iter().any(|kind| report.lines().any(|l| l.starts_with(kind) && l.contains(&line)));
            assert!(found, "{name} at {capability}, {order:?}: no {kinds:?} at {line} in\n{report}");
        }
    }
}

/// The right twin has no findings in any order, and the plain build computes the same.
fn passes(name: &str) {
    let kernel = format!("test_{name}_right");
    let mut expected: Option<Vec<f32>> = None;
    for build in [Build::Plain, Build::Checked] {
        for order in ORDERS {
            for capability in [75, 80, 90] {
                let result = launch_mistake(&Card::new(capability, build, order), &kernel);
                let numbers = result.unwrap_or_else(|report| panic!("{name}, {build:?}, {order:?}:\n{report}"));
                let same = expected
                    .get_or_insert_with(|| numbers.clone())
                    .iter()
                    .zip(&numbers)
                    .all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{name}, {build:?}, {order:?}, {capability}");
            }
        }
    }
}

const ALL: [u32; 3] = [75, 80, 90];

macro_rules! mistakes {
    ($($test:ident: $name:literal is $kinds:expr, on $capabilities:expr;)*) => {
        $(
            #[test]
            fn $test() {
                finds($name, &$kinds, &$capabilities);
                passes($name);
            }
        )*
    };
}

mistakes! {
    missing_barrier_before_use: "barrier_before_use" is ["race (read after write)", "race (write after read)"], on ALL;
    missing_barrier_after_use: "barrier_after_use" is ["race (write after read)", "race (read after write)"], on ALL;
    outside_of_global_memory: "inside_global" is ["out of bounds"], on ALL;
    outside_of_static_shared_memory: "inside_static_shared" is ["out of bounds"], on ALL;
    outside_of_dynamic_shared_memory: "inside_dynamic_shared" is ["out of bounds"], on ALL;
    uninitialised_shared_memory: "shared_written" is ["uninitialised read"], on ALL;
    uninitialised_global_memory: "global_written" is ["uninitialised read"], on ALL;
    race_between_blocks: "blocks_apart" is ["race (write after write)"], on ALL;
    copies_wait_a_group_short: "copies_waited" is ["early read"], on [80, 90];
    copy_into_what_is_read: "copies_begun" is ["race (write after read)", "race (read after write)"], on ALL;
    divergent_barrier: "same_barrier" is ["divergent barrier"], on ALL;
    lanes_stay_away: "all_lanes" is ["deadlock"], on ALL;
    mask_without_the_caller: "mask_names_caller" is ["wrong mask"], on ALL;
    mask_without_the_source: "mask_names_source" is ["wrong mask"], on ALL;
    misaligned_vector: "aligned" is ["misaligned access"], on ALL;
    half_a_warp_synced: "warp_synced" is ["race (read after write)", "race (write after read)"], on ALL;
}

#[test]
fn traps_fail_the_launch() {
    let line = include_str!("../test_kernels/stand_in.cu").lines().position(|line| line.contains("HERE nowhere"));
    let place = format!("stand_in.cu:{}", line.unwrap() + 1);
    for build in [Build::Plain, Build::Checked] {
        let card = Card::new(80, build, Order::Forward);
        let (from, to) = (card.upload(&[1.0f32; 32]), card.poisoned::<f32>(32));
        for _ in 0..2 {
            let report = run(&card, "test_nowhere", &from, &to, 3).unwrap_err();
            assert!(report.starts_with("invalid launch"), "{report}");
            let arguments = [Argument::new(from.address()), Argument::new(to.address())];
            let report = card.launch("test_nowhere", [3, 1, 1], [32, 1, 1], 0, &arguments).unwrap_err();
            assert!(report.starts_with("out of bounds") && report.contains(&place), "{report}");
            let overflow = card.launch("test_overflow", [3, 1, 1], [32, 1, 1], 0, &arguments);
            // A sanitizer's stacks are larger.
            if build == Build::Checked || env!("EMULATOR_SANITIZE").is_empty() {
                let report = overflow.unwrap_err();
                assert!(report.starts_with("out of bounds"), "{report}");
            }
        }
        // The card goes on.
        run(&card, "test_shared_written_right", &card.upload(&[1.0f32; 256]), &card.poisoned(128), 2).unwrap();
    }
}

#[test]
fn blocks_of_a_long_launch_are_all_run_once() {
    for order in ORDERS {
        let card = Card::new(90, Build::Plain, order);
        let count = card.upload(&[5u32]);
        let statistics =
            card.launch("test_count", [2000, 1, 1], [256, 1, 1], 0, &[Argument::new(count.address())]).unwrap();
        assert_eq!((statistics.blocks, statistics.threads), (2000, 2000 * 256));
        assert_eq!(card.download(&count), [5 + 256 * 3000]);
    }
}
