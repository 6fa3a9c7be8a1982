//! Seen elsewhere: a table says one accuracy of a cell and a paper another, by `cifar10` against `cifar10-valid`, validation against
//! test images, 12 epochs against 200. Here every column and every line says which it is.

use super::{etnas, stdout};
use etnas::table::COLUMNS;
use serde_json::Value;
use std::fs;

#[test]
fn every_column_of_accuracies_names_data_set_images_and_epochs() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command-line.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    let numbers: Vec<String> = (1..=names.len()).map(|i| i.to_string()).collect();
    fs::write(&path, format!("arch_index,{}\n9930,{}\n", names.join(","), numbers.join(","))).unwrap();
    let told = stdout(&["table", "info", "--table", path.to_str().unwrap(), "--format", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let columns = told["columns"].as_array().unwrap();
    assert_eq!(columns.len(), COLUMNS.len());
    let mut accuracies = 0;
    for column in columns {
        let text = |key: &str| column[key].as_str().unwrap();
        let (name, meaning) = (text("name"), text("meaning"));
        assert!(meaning.len() > 10 && column["unit"].is_string(), "{column}");
        if text("unit") != "%" {
            continue;
        }
        accuracies += 1;
        let any = |words: &[&str]| words.iter().filter(|word| meaning.contains(*word)).count();
        assert_eq!(any(&["CIFAR-10,", "CIFAR-100,", "ImageNet16-120,"]), 1, "{column}");
        assert!(any(&["validation", "test images"]) >= 1, "{column}");
        assert_eq!(any(&[" 12 epochs", " 200 epochs"]), 1, "{column}");
        assert!(name.contains("valid") || name.contains("test") || name.contains("_val200"), "{column}");
        assert!(name.contains("12") || name.contains("200"), "{column}");
        // CIFAR-10 was trained twice: on all training images, and on half of them.
        if name.starts_with("cifar10_") && !name.contains("naslib") {
            assert_eq!(any(&["on half of the training images", "on all training images"]), 1, "{column}");
            let half = name.contains("half") || name.contains("valid");
            assert_eq!(meaning.contains("on half"), half, "{column}");
        }
        let kind = ["cifar100_", "cifar10_", "imagenet16_120_"].iter().find_map(|prefix| name.strip_prefix(prefix));
        assert!(page.contains(kind.unwrap()), "docs/command-line.md does not name {name}");
    }
    assert_eq!(accuracies, 21);
}

#[test]
fn every_accuracy_that_is_shown_says_images_and_epochs() {
    let tiny = ["--dataset", "imagenet16-120", "--batch", "2"];
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    super::commands::scored(folder);
    let run = |arguments: &[&str]| {
        let output = etnas(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let search = ["search", "--population", "3", "--sample", "2", "--cycles", "4", "--quiet"];
    let scored = [&["score", "9930", "--measures", "degree"], &tiny[..]].concat();
    let one = [&search[..], &tiny].concat();
    let several = [&search[..], &tiny, &["--runs", "2"]].concat();
    for arguments in [&scored[..], &one, &several, &["explain", "9930"]] {
        let text = run(arguments);
        assert!(text.contains("mean test accuracy after 200 epochs; "), "{arguments:?}: {text}");
    }
    let ranked = run(&["rank", "a.jsonl"]);
    assert!(ranked.contains("ImageNet16-120 test %: ImageNet16-120, test images, 200 epochs"), "{ranked}");
    let correlated = run(&["correlate", "a.jsonl", "--bootstrap", "0"]);
    assert!(correlated.contains("ImageNet16-120, test accuracy after 200 epochs"), "{correlated}");
    run(&["plot", "scatter", "a.jsonl", "--x", "naswot", "--quiet", "-o", "a.svg"]);
    let picture = fs::read_to_string(folder.join("a.svg")).unwrap();
    assert!(picture.contains("Test accuracy on ImageNet16-120 after 200 epochs (%)"), "{picture}");

    // For machines: the keys say `test`, the metadata the rest.
    let unit = "percent, mean test accuracy after 200 epochs";
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&run(&[arguments, &["--format", "json"]].concat())).unwrap()
    };
    assert_eq!(json(&one)["meta"]["accuracies"]["unit"], unit);
    let explained = json(&["explain", "9930"]);
    assert_eq!(explained["accuracy_unit"], unit);
    assert_eq!(explained["test_accuracy"]["cifar10"], 94.3633);
}

/// Accuracies of CIFAR-10 trained on half of the images do not pass for those of the whole.
#[test]
fn cifar10_is_not_cifar10_valid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.csv");
    fs::write(
        &path,
        "arch_index,cifar10_half_test200,cifar10_valid200,cifar100_test200\n9930,90.5,89.5,70\n1462,91.5,88.5,71\n",
    )
    .unwrap();
    let table = path.to_str().unwrap();
    let shown = stdout(&["explain", "9930", "--table", table, "--format", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["test_accuracy"]["cifar10"], Value::Null);
    assert_eq!(shown["test_accuracy"]["cifar100"], 70.0);
    let told = stdout(&["table", "show", "9930", "--table", table]);
    assert!(told.contains("on half of the training images"), "{told}");
}
