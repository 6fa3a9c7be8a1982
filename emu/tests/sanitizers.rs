//! That a build with EMULATOR_SANITIZE=address,undefined reports what a kernel does wrong: a sanitizer that finds nothing proves nothing.
//! A report ends its process, so that each mistake is made in a child. `tests/extended/sanitizers.sh` runs this.

use std::process::Command;

use etnas_emulator::{Argument, Build, Card, Order};

const MISTAKE: &str = "SANITIZERS_MISTAKE";

/// Whether a child that makes a mistake ends well, and what it says.
fn child(mistake: &str) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "make_the_mistake", "--ignored", "--nocapture"])
        .env(MISTAKE, mistake)
        .output()
        .unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
#[ignore = "needs a build with EMULATOR_SANITIZE=address,undefined"]
fn mistakes_are_reported() {
    assert_eq!(env!("EMULATOR_SANITIZE"), "address,undefined");
    for (mistake, kind) in [
        ("inside_global_wrong", "use-after-poison"),
        ("inside_static_shared_wrong", "index 64 out of bounds"),
        ("inside_dynamic_shared_wrong", "use-after-poison"),
        ("after_release", "heap-use-after-free"),
    ] {
        let (well, report) = child(mistake);
        let at = report.lines().any(|line| line.contains(".cu:"));
        assert!(!well && report.contains(kind) && at, "{mistake}: no {kind} in a kernel's line in\n{report}");
    }
    for right in ["inside_global_right", "inside_static_shared_right", "inside_dynamic_shared_right"] {
        let (well, report) = child(right);
        assert!(well && !report.contains("Sanitizer"), "{right}:\n{report}");
    }
}

#[test]
#[ignore = "the child of the test above"]
fn make_the_mistake() {
    let mistake = std::env::var(MISTAKE).unwrap();
    let card = Card::new(80, Build::Plain, Order::Forward);
    let from = card.upload(&(0..256).map(|i| i as f32).collect::<Vec<_>>());
    let to = card.poisoned::<f32>(128);
    let arguments = [Argument::new(from.address()), Argument::new(to.address())];
    let kernel = if mistake == "after_release" {
        drop(from);
        "test_inside_global_right".into()
    } else {
        format!("test_{mistake}")
    };
    card.launch(&kernel, [2, 1, 1], [64, 1, 1], 256, &arguments).unwrap();
}
