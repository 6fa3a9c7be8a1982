//! Tables of accuracies and of scores: what is compiled in, what is read, and what is refused.

mod common;

use etnas::input::Dataset;
use etnas::measure::Measure;
use etnas::random::Stream;
use etnas::space::Cell;
use etnas::table::{test_column, Accuracies, ScoreTable, COLUMNS};
use etnas::Error;
use std::path::PathBuf;

fn cell(index: i64) -> Cell {
    Cell::from_index(index).unwrap()
}

/// A file with this content; the folder lives as long as the guard.
fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn compiled_in_are_all_cells_of_degree_7_and_three_landmarks() {
    let table = Accuracies::builtin();
    for dataset in Dataset::ALL {
        let known: Vec<Cell> = Cell::all().filter(|c| table.lookup(c, dataset).is_some()).collect();
        assert_eq!(known.len(), 75);
        assert_eq!(known.iter().filter(|c| c.degree() == 7).count(), 72);
        assert_eq!(table.rank(&cell(0), dataset), None);
    }
    assert_eq!(table.best(Dataset::Cifar10), Some((cell(6111), 94.3733)));
    assert_eq!(table.best(Dataset::Cifar100), Some((cell(9930), 73.5133)));
    assert_eq!(table.best(Dataset::ImageNet16), Some((cell(857), 47.3111)));
    assert_eq!(table.lookup(&cell(0), Dataset::ImageNet16), Some(26.6333));
    assert!(table.source().contains("75 cells"));
    let sentence = table.missing(&cell(1), Dataset::Cifar100);
    for part in ["cell 1 on CIFAR-100", "--table FILE", "ETNAS_TABLE", "cifar100_test200"] {
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn the_whole_space_agrees_with_what_is_compiled_in() {
    let Some(path) = common::shared("data/nb201_accuracy.csv") else { return };
    let (table, builtin) = (Accuracies::open(&path).unwrap(), Accuracies::builtin());
    assert!(table.source().contains("15625 cells"));
    for dataset in Dataset::ALL {
        let mut compared = 0;
        for cell in Cell::all() {
            assert!(table.lookup(&cell, dataset).is_some());
            if let Some(known) = builtin.lookup(&cell, dataset) {
                assert_eq!(table.lookup(&cell, dataset), Some(known));
                compared += 1;
            }
        }
        assert_eq!(compared, 75);
        // The best of the space are among those compiled in.
        assert_eq!(table.best(dataset), builtin.best(dataset));
        let (best, _) = table.best(dataset).unwrap();
        assert_eq!(table.rank(&best, dataset), Some((1, 15_625)));
    }
    assert!(table.column_names().eq(COLUMNS.iter().take(12).map(|c| c.name).chain([
        "train_time_epoch_50k_s",
        "params_m_cifar10",
        "flops_m_cifar10"
    ])));
    assert_eq!(table.column("train_time_epoch_50k_s").unwrap()[0], 14.4422);
    assert_eq!(table.column("cifar10_valid12").unwrap()[1], 82.834);
    assert_eq!(table.column("arch_index"), None);
}

#[test]
fn ranks_count_the_strictly_better() {
    let Some(path) = common::shared("data/nb201_accuracy.csv") else { return };
    let table = Accuracies::open(&path).unwrap();
    let accuracies = table.column(test_column(Dataset::Cifar10)).unwrap();
    let mut sorted = accuracies.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut ties = 0;
    for index in (0..15_625).step_by(61) {
        let first = sorted.iter().position(|v| *v == accuracies[index]).unwrap();
        ties += usize::from(sorted.get(first + 1) == Some(&accuracies[index]));
        assert_eq!(table.rank(&cell(index as i64), Dataset::Cifar10), Some((first + 1, 15_625)));
    }
    assert!(ties > 0);
}

#[test]
fn other_published_columns_are_read_too() {
    let Some(path) = common::shared("data/nb201_accuracy_mit_only.csv") else { return };
    let table = Accuracies::open(&path).unwrap();
    assert_eq!(table.lookup(&cell(6111), Dataset::Cifar10), Some(94.3733));
    assert_eq!(table.column("cifar10_valid200"), None);
}

#[test]
fn partial_tables_are_tables() {
    // A byte order mark, Windows line ends, blanks, columns in another order and foreign ones, missing values.
    let arch = cell(5).to_string();
    let text = format!(
        "\u{feff}comment, cifar100_test200 ,arch_str,cifar10_test200\r\n\"any, thing\",,{arch},91.5\r\nx,70.25,{},NaN\r\n",
        cell(6)
    );
    let (_folder, path) = file(text);
    let table = Accuracies::open(&path).unwrap();
    assert_eq!(table.lookup(&cell(5), Dataset::Cifar10), Some(91.5));
    assert_eq!(table.lookup(&cell(5), Dataset::Cifar100), None);
    assert_eq!(table.lookup(&cell(6), Dataset::Cifar10), None);
    assert_eq!(table.lookup(&cell(6), Dataset::Cifar100), Some(70.25));
    assert_eq!(table.lookup(&cell(5), Dataset::ImageNet16), None);
    assert_eq!(table.best(Dataset::Cifar10), Some((cell(5), 91.5)));
    assert_eq!(table.best(Dataset::ImageNet16), None);
    assert_eq!(table.rank(&cell(5), Dataset::Cifar10), None);
    assert_eq!(table.column("comment"), None);
    assert!(table.source().contains("2 cells"));
    let sentence = table.missing(&cell(7), Dataset::Cifar10);
    assert!(sentence.contains("is not in the table") && sentence.contains("table.csv"), "{sentence}");
}

#[test]
fn bad_tables_are_refused_with_file_line_and_column() {
    let (zero, one) = (cell(0).to_string(), cell(1).to_string());
    let head = "arch_index,arch_str,cifar10_test200\n";
    let cases = [
        (String::new(), "a header line with a column arch_index or arch_str"),
        ("a,b,c\n1,2,3\n".into(), "a header line with a column arch_index or arch_str"),
        ("a,b,c\n1,2,3\n".into(), "found the columns \"a, b, c\""),
        (head.into(), "a header line alone"),
        ("arch_index,naswot\n0,1\n".into(), "one of the columns cifar10_test200, cifar100_test200"),
        ("arch_index,cifar10_test200,cifar10_test200\n0,1,1\n".into(), "one column cifar10_test200, found two"),
        (format!("{head}0,{zero},abc\n"), "on line 2 in column cifar10_test200, found \"abc\""),
        (format!("{head}0,{zero},90\n1,{one},101\n"), "on line 3 in column cifar10_test200, found \"101\""),
        (format!("{head}0,{zero},-1\n"), "on line 2 in column cifar10_test200, found \"-1\""),
        (format!("{head}0,{zero},inf\n"), "found \"inf\""),
        (format!("{head}0,{one},90\n"), "which is cell 0, on line 2 in column arch_str"),
        (format!("{head}0,{zero},90\n0,{zero},91\n"), "cell 0 on lines 2 and 3"),
        (format!("{head}15625,{zero},90\n"), "a cell index from 0 to 15624 on line 2 in column arch_index"),
        (format!("{head}-1,{zero},90\n"), "found \"-1\""),
        (format!("{head},{zero},90\n"), "in column arch_index, found \"\""),
        (format!("{head}0,|none~0|,90\n"), "an architecture string of the topology search space on line 2"),
        (format!("{head}0,0,90\n"), "an architecture string of the topology search space on line 2"),
        (format!("{head}0,{zero}\n"), "3 fields on line 2, as in the header, found 2"),
    ];
    for (content, part) in cases {
        let (_folder, path) = file(&content);
        let error = Accuracies::open(&path).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(part), "{text}\ndoes not say {part:?} of\n{content}");
        assert!(text.contains("table.csv"), "{text}");
        assert_eq!(error.exit_code(), 2);
    }
    let (_folder, path) = file(b"arch_index,cifar10_test200\n0,\xff\xfe\n");
    let text = Accuracies::open(&path).unwrap_err().to_string();
    assert!(text.contains("text in UTF-8 on line 2"), "{text}");
    let mut stream = Stream::new(1, &[]);
    let noise: Vec<u8> = (0..5000).map(|_| stream.bits() as u8).collect();
    let (folder, path) = file(noise);
    assert!(Accuracies::open(&path).is_err());
    let (absent, folder) = (folder.path().join("absent.csv"), folder.path());
    let error = Accuracies::open(&absent).unwrap_err();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
    // A folder may be NATS-Bench's; this one is not.
    let error = Accuracies::open(folder).unwrap_err();
    assert!(error.to_string().contains("000000.pickle.pbz2") && error.exit_code() == 2, "{error}");
    for unreadable in [absent.as_path(), folder] {
        assert!(matches!(ScoreTable::open(unreadable, &[]), Err(Error::Unreadable { .. })));
    }
}

#[test]
fn score_tables_know_what_does_not_exist_from_what_is_not_known() {
    let (_folder, path) = file("arch_index,a,b\n3,-inf,2\n4,1e-6,\n");
    let table = ScoreTable::open(&path, &[(Measure::Naswot, "a"), (Measure::LogSynflow, "b")]).unwrap();
    assert_eq!(table.lookup(Measure::Naswot, &cell(3)).unwrap(), f64::NEG_INFINITY);
    assert_eq!(table.lookup(Measure::Naswot, &cell(4)).unwrap(), 1e-6);
    assert_eq!(table.lookup(Measure::LogSynflow, &cell(3)).unwrap(), 2.0);
    for unknown in [4, 5] {
        let text = table.lookup(Measure::LogSynflow, &cell(unknown)).unwrap_err().to_string();
        assert!(text.contains(&format!("a value of cell {unknown} in column b")), "{text}");
    }
    let text = ScoreTable::open(&path, &[(Measure::Naswot, "c")]).unwrap_err().to_string();
    assert!(text.contains("expected a column c, found the columns \"arch_index, a, b\""), "{text}");
    let (_folder, path) = file("arch_index,a\n3,inf\n");
    let text = ScoreTable::open(&path, &[(Measure::Naswot, "a")]).unwrap_err().to_string();
    assert!(text.contains("a finite number or -inf on line 2 in column a, found \"inf\""), "{text}");
}
