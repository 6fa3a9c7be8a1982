//! `plot`: files whole or not at all, of a known form, the same for the same data.

use super::{etnas, names, stdout};
use std::fs;
use std::path::Path;

const SCORES: &str = "index,naswot,log_synflow,loss_slope,mine\n9930,1626,3.1e6,0.4,1\n1462,1654,3.7e6,0.35,2\n0,1466,2.2e5,0.1,3\n81,,3e6,0.3,4\n";

/// A folder with the file of scores, and its path.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    fs::write(&path, SCORES).unwrap();
    let path = path.to_str().unwrap().to_string();
    (folder, path)
}

fn at(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_string()
}

/// What a command that is refused says.
fn refused(arguments: &[&str]) -> String {
    let output = etnas(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_picture_goes_to_all_its_files_and_nothing_else_is_said() {
    let (folder, scores) = folder();
    let (svg, png) = (at(folder.path(), "a.svg"), at(folder.path(), "a.PNG"));
    let arguments = ["plot", "scatter", &scores, "--x", "naswot", "-o", &svg, "-o", &png, "--size", "400x300"];
    assert_eq!(stdout(&arguments), "");
    assert_eq!(names(folder.path()), ["a.PNG", "a.svg", "scores.csv"]);
    let first = (fs::read(&svg).unwrap(), fs::read(&png).unwrap());
    let text = String::from_utf8(first.0.clone()).unwrap();
    // Accuracies of these four are compiled in.
    for part in
        ["Test accuracy on CIFAR-10 against naswot", "n = 4,", "1 cell without naswot is not shown", "width=\"400\""]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(text.matches("<circle").count(), 3);
    assert_eq!(&first.1[..8], b"\x89PNG\r\n\x1a\n");
    // Width 800, height 600: two pixels a unit.
    assert_eq!(&first.1[16..24], [0, 0, 3, 32, 0, 0, 2, 88]);
    stdout(&arguments);
    assert!(first == (fs::read(&svg).unwrap(), fs::read(&png).unwrap()));
}

#[test]
fn an_unknown_form_or_size_is_refused_before_any_file_is_made() {
    let (folder, scores) = folder();
    let (svg, pdf, bare) = (at(folder.path(), "a.svg"), at(folder.path(), "a.pdf"), at(folder.path(), "a"));
    let plot = ["plot", "scatter", &scores, "--x", "naswot", "-o", &svg];
    let with = |more: &[&str]| refused(&[plot.as_slice(), more].concat());
    assert!(with(&["-o", &pdf]).contains("expected a file that ends in .svg or .png, found .pdf."));
    assert!(with(&["-o", &bare]).contains(".svg or .png"));
    assert!(with(&["-o", &svg]).contains("twice"));
    assert!(with(&["--size", "100x100"]).contains("320x240"));
    assert!(with(&["--size", "big"]).contains("720x500"));
    assert!(with(&["--scale", "9"]).contains("from 1 to 4"));
    for range in ["5:1", "1", "nan:", "a:b"] {
        assert!(with(&["--x-range", range]).contains("0:1.5"), "{range}");
    }
    assert_eq!(names(folder.path()), ["scores.csv"]);
}

#[test]
fn one_file_that_cannot_be_written_leaves_none() {
    let (folder, scores) = folder();
    let (svg, nowhere) = (at(folder.path(), "a.svg"), at(folder.path(), "no/b.png"));
    let said = refused(&["plot", "scatter", &scores, "--x", "naswot", "-o", &svg, "-o", &nowhere]);
    assert!(said.starts_with("error: Cannot write "), "{said}");
    assert_eq!(names(folder.path()), ["scores.csv"]);
}

#[test]
fn columns_are_found_or_the_nearest_is_named() {
    let (folder, scores) = folder();
    let svg = at(folder.path(), "a.svg");
    let said = refused(&["plot", "scatter", &scores, "--x", "nawsot", "-o", &svg]);
    assert!(said.contains("Did you mean naswot?"), "{said}");
    let said = refused(&["plot", "scatter", &scores, "-o", &svg]);
    assert!(said.contains("naswot, log_synflow, loss_slope, mine") && said.contains("--x NAME"), "{said}");
    let said = refused(&["plot", "scatter", &scores, "--x", "mine", "--y", "cifar10_tset200", "-o", &svg]);
    assert!(said.contains("Did you mean cifar10_test200?"), "{said}");
    let said = refused(&["plot", "scatter", &scores, "--x", "naswot", "--color", "denisty", "-o", &svg]);
    assert!(said.contains("Did you mean density?"), "{said}");
    stdout(&[
        "plot", "scatter", &scores, "--x", "mine", "--lower", "mine", "--y", "params", "--color", "rank", "-o", &svg,
    ]);
    let text = fs::read_to_string(&svg).unwrap();
    assert!(text.contains("mine (smaller is better)") && text.contains("Trainable parameters"), "{text}");
}

#[test]
fn fig_2_of_score_files() {
    let (folder, scores) = folder();
    let svg = at(folder.path(), "fig2.svg");
    stdout(&["plot", "utopian", &scores, "--dataset", "imagenet16-120", "--title", "Fig. <2>", "-o", &svg]);
    let text = fs::read_to_string(&svg).unwrap();
    for part in [
        "Fig. &lt;2&gt;",
        "(a) LossSlope",
        "(b) Utopian distance",
        "Test accuracy on ImageNet16-120 after 200 epochs (%)",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(text.matches("<circle").count(), 8);
    let lone = at(folder.path(), "lone.csv");
    fs::write(&lone, "index,naswot\n5,1\n").unwrap();
    let said = refused(&["plot", "utopian", &lone, "-o", &svg]);
    assert!(said.contains("naswot, log_synflow and loss_slope"), "{said}");
}

#[test]
fn trajectories_and_losses() {
    let folder = tempfile::tempdir().unwrap();
    let (file, svg) = (at(folder.path(), "t.csv"), at(folder.path(), "t.svg"));
    let rows = "method,run,evaluations,seconds,test_accuracy\nrea,0,1,0.1,80\nrea,0,7,0.9,90\nrea,1,1,0.1,85\n";
    fs::write(&file, rows).unwrap();
    stdout(&["plot", "trajectory", &file, "--x", "seconds", "--log-x", "-o", &svg]);
    let text = fs::read_to_string(&svg).unwrap();
    for part in ["rea, 2 runs", "Time (s)", "Test accuracy of the best cell so far (%)", "first to third quartile"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let said = refused(&["plot", "trajectory", &file, "--x", "simulated-seconds", "-o", &svg]);
    assert!(said.contains("simulated_seconds in line 2"), "{said}");

    let losses = ["plot", "losses", "5", "9930", "--dataset", "imagenet16-120", "--batch", "2", "-o", &svg];
    stdout(&losses);
    let text = fs::read_to_string(&svg).unwrap();
    assert!(text.contains("cell 9930: 0.") && text.contains("SGD step"), "{text}");
    assert_eq!(text.matches("<circle").count(), 20);
    stdout(&losses);
    assert_eq!(fs::read_to_string(&svg).unwrap(), text);
}
