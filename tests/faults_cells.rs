//! Faults of scorers that concern cells: a string that is accepted and then cannot be scored, an index of another order, `~k` misread.
//! What the space itself is stands in tests/space.rs.

use etnas::engine::{Device, Engine, Options};
use etnas::input::{Dataset, Source};
use etnas::measure::Measure;
use etnas::report::{converted, ConvertFormat, Notation};
use etnas::space::{Cell, Encoding, SPACE_SIZE};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The names of the operations as NATS-Bench writes them, by the op ids of `ops`.
const OPS: [&str; 5] = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"];

/// The string of a cell, put together here from its six op ids in string order.
fn string_of(ids: [usize; 6]) -> String {
    let [a, b, c, d, e, f] = ids.map(|id| OPS[id]);
    format!("|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|")
}

fn engine() -> Engine {
    let options = Options {
        dataset: Dataset::ImageNet16,
        data: Source::Noise,
        batch: 2,
        device: Device::Cpu,
        ..Options::default()
    };
    Engine::new(options).unwrap()
}

/// A text that looks like a cell in some encoding; about half of them are one.
fn text() -> impl Strategy<Value = (String, Encoding)> {
    let name = prop_oneof![12 => proptest::sample::select(&OPS[..]), 1 => Just("nor_conv_3x2"), 1 => Just("")];
    let input = prop_oneof![20 => Just(0_i32), 1 => Just(1), 1 => Just(-1)];
    let arch = (proptest::array::uniform6(name), proptest::array::uniform6(input), any::<bool>()).prop_map(
        |(names, shifts, blank)| {
            let edge = |i: usize, from: i32| format!("{}~{}|", names[i], from + shifts[i]);
            let nodes = [edge(0, 0), edge(1, 0) + &edge(2, 1), edge(3, 0) + &edge(4, 1) + &edge(5, 2)];
            let text = nodes.map(|node| format!("|{node}")).join("+");
            (if blank { format!(" {text}\n") } else { text }, Encoding::Arch)
        },
    );
    let index = (-3_i64..15_640).prop_map(|index| (index.to_string(), Encoding::Arch));
    let ids = (proptest::array::uniform6(0_u8..6), 0_usize..4, any::<bool>()).prop_map(|(ids, form, naslib)| {
        let list = |separator: &str| ids.map(|id| id.to_string()).join(separator);
        let text = [list(","), format!("({})", list(", ")), format!("[{}]", list(" ")), format!("({},)", list(","))]
            [form]
            .clone();
        (text, if naslib { Encoding::Naslib } else { Encoding::Ops })
    });
    prop_oneof![arch, index, ids]
}

#[test]
fn a_text_that_parses_can_be_scored() {
    let engine = engine();
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(|measure| *measure != Measure::Utopian).collect();
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) });
    let parsed = std::cell::Cell::new(0);
    let ran = runner.run(&text(), |(text, encoding)| {
        let Ok(cell) = Cell::parse(&text, encoding) else { return Ok(()) };
        parsed.set(parsed.get() + 1);
        let records = engine
            .records(&[cell], &measures, &())
            .map_err(|error| TestCaseError::fail(format!("{text:?}: {error}")))?;
        prop_assert_eq!(records.len(), 1);
        prop_assert_eq!(records[0].cell, cell);
        for measure in &measures {
            let value = records[0].score(*measure).and_then(|score| score.value);
            // What need not exist: the others always do.
            let may_lack = [Measure::Naswot, Measure::LossSlope].contains(measure);
            prop_assert!(value.map_or(may_lack, f64::is_finite), "{:?} of {:?} is {:?}", measure, text, value);
        }
        Ok(())
    });
    ran.unwrap();
    assert!(parsed.get() >= 8, "{} of 64 texts parsed", parsed.get());
}

/// NATS-Bench numbers its cells by a shuffled list, which cannot be computed: the list as its meta file has it, a string a line, is pinned by
/// its SHA-256, and a few cells that are often quoted by name.
#[test]
fn indices_are_those_of_nats_bench() {
    let list: String = (0..SPACE_SIZE).map(|i| format!("{}\n", Cell::from_index(i as i64).unwrap())).collect();
    let hash: String = Sha256::digest(list.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, "b24e2a8b6802be1326de041d81d564998ca8aa923055352f3a95c30d59ce7048");
    for (index, ids) in [
        (0, [4, 2, 1, 2, 1, 1]),
        (6111, [3, 3, 3, 1, 3, 2]),
        (9930, [3, 3, 3, 1, 3, 3]),
        (11_472, [3, 0, 3, 1, 0, 1]),
        (15_624, [2, 0, 2, 0, 2, 2]),
    ] {
        let cell: Cell = string_of(ids).parse().unwrap();
        assert_eq!(cell.index(), index, "{cell}");
    }
}

/// `~k` is the node that the edge comes from, and NASLib numbers the edges by source: both written out here, for every cell.
#[test]
fn every_encoding_of_every_cell_names_the_same_edges() {
    // NASLib: skip, none, 3x3, 1x1, average; edges 0→1, 0→2, 0→3, 1→2, 1→3, 2→3.
    let naslib_op = |id: usize| [1, 0, 3, 2, 4][id];
    let mut seen = vec![false; SPACE_SIZE];
    for code in 0..SPACE_SIZE {
        let ids: [usize; 6] = std::array::from_fn(|edge| code / 5_usize.pow(edge as u32) % 5);
        let cell: Cell = string_of(ids).parse().unwrap();
        assert!(!std::mem::replace(&mut seen[cell.index()], true), "two cells have the index {}", cell.index());
        let [e01, e02, e12, e03, e13, e23] = ids.map(naslib_op);
        let naslib = format!("({e01}, {e02}, {e03}, {e12}, {e13}, {e23})");
        let written = |notation| converted(&[cell], &[notation], ConvertFormat::Plain).unwrap().trim_end().to_string();
        assert_eq!(written(Notation::Arch), string_of(ids));
        assert_eq!(written(Notation::Naslib), naslib);
        assert_eq!(written(Notation::Ops), ids.map(|id| id.to_string()).join(","));
        assert_eq!(Cell::parse(&naslib, Encoding::Naslib).unwrap(), cell);
        assert_eq!(Cell::parse(&written(Notation::Ops), Encoding::Ops).unwrap(), cell);
        assert_eq!(written(Notation::Index).parse::<Cell>().unwrap(), cell);
        assert_eq!(Cell::from_index(cell.index() as i64).unwrap(), cell);
        // No other `~k` is taken for it.
        let other = string_of(ids).replacen("~0|+|", "~1|+|", 1);
        assert!(other.parse::<Cell>().is_err(), "{other}");
    }
    assert!(seen.into_iter().all(|seen| seen));
}

/// The stdout of a command that succeeds.
fn answer(arguments: &[&str]) -> String {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("etnas-fast");
    command.env_remove("ETNAS_TABLE").env_remove("TORCH_HOME").env("CUDA_VISIBLE_DEVICES", "");
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Objects with an index in a JSON value, and whether the cell's string stands in the same object.
fn check_objects(value: &Value, arguments: &[&str], found: &mut usize) {
    match value {
        Value::Object(map) => {
            let index =
                map.iter().find(|(key, value)| key.ends_with("index") && value.is_i64()).map(|(_, value)| value);
            if let Some(index) = index.and_then(Value::as_i64) {
                let arch = Cell::from_index(index).unwrap().to_string();
                let beside = map.values().any(|value| value.as_str() == Some(&arch));
                assert!(beside, "{arguments:?}: index {index} stands without its string in {value}");
                *found += 1;
            }
            map.values().for_each(|value| check_objects(value, arguments, found));
        }
        Value::Array(list) => list.iter().for_each(|value| check_objects(value, arguments, found)),
        _ => {}
    }
}

#[test]
fn the_string_stands_beside_every_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let scores = ["score", "5", "9930", "--measures=log-synflow,params", "--batch=2", "--format=jsonl"];
    for (name, seed) in [("a.jsonl", "1"), ("b.jsonl", "2")] {
        answer(&[&scores[..], &["--seed", seed, "-q", "-o", &path(name)]].concat());
    }
    std::fs::write(path("t.csv"), "arch_index,cifar10_test200\n5,91.25\n9930,94.36\n").unwrap();
    let trajectory = path("trajectory.jsonl");
    let (a, b, t) = (path("a.jsonl"), path("b.jsonl"), path("t.csv"));
    let search = ["search", "--method=random-naswot", "--evaluations=3", "--batch=2", "--dataset=imagenet16-120", "-q"];
    answer(&[&search[..], &["--trajectory", &trajectory]].concat());
    let commands: [Vec<&str>; 10] = [
        vec!["score", "5", "9930", "--measures=degree", "--batch=2", "-q"],
        vec!["rank", &a, "--by=params", "-q"],
        vec!["table", "show", "5", "9930", "--table", &t],
        vec!["convert", "5", "9930"],
        vec!["convert", "5", "9930", "--to=index"],
        search.to_vec(),
        vec!["correlate", "--compare", &a, &b, "-q"],
        vec!["explain", "9930"],
        vec!["explain", "5"],
        vec![
            "bench",
            "--measures=log-synflow",
            "--cells=2",
            "--repeats=1",
            "--batch=2",
            "--dataset=imagenet16-120",
            "-q",
        ],
    ];
    for command in &commands {
        let mut formats = 0;
        for format in ["table", "csv", "json", "jsonl"] {
            let refused = match command[0] {
                "explain" | "bench" => ["csv", "jsonl"].contains(&format),
                command => command == "convert" && format == "json",
            };
            if refused {
                continue;
            }
            formats += 1;
            let arguments = [&command[..], &["--format", format]].concat();
            let text = answer(&arguments);
            match format {
                "json" => {
                    let mut found = 0;
                    check_objects(&serde_json::from_str(&text).unwrap(), &arguments, &mut found);
                    // Lists of cells: the strings are a list beside that of the indices.
                    let report: Value = serde_json::from_str(&text).unwrap();
                    for (indices, archs) in [("cells", "archs"), ("class", "class_archs")] {
                        let [indices, archs] = [indices, archs].map(|key| report[key].as_array().into_iter().flatten());
                        for (index, arch) in indices.zip(archs) {
                            assert_eq!(Cell::from_index(index.as_i64().unwrap()).unwrap().to_string(), *arch);
                            found += 1;
                        }
                    }
                    assert!(found > 0, "{arguments:?} has no index: {text}");
                }
                "jsonl" => {
                    let mut found = 0;
                    text.lines()
                        .for_each(|line| check_objects(&serde_json::from_str(line).unwrap(), &arguments, &mut found));
                    assert!(found > 0, "{arguments:?} has no index: {text}");
                }
                "csv" => {
                    let mut reader = csv::Reader::from_reader(text.as_bytes());
                    let header = reader.headers().unwrap().clone();
                    let at = header.iter().position(|name| name.ends_with("index")).expect("a column of indices");
                    for row in reader.records() {
                        let row = row.unwrap();
                        let Ok(index) = row[at].parse::<i64>() else { continue };
                        let arch = Cell::from_index(index).unwrap().to_string();
                        assert!(
                            row.iter().any(|field| field == arch),
                            "{arguments:?}: index {index} without its string: {row:?}"
                        );
                    }
                }
                // Text for people: where a cell is asked for by its index, the string is told too.
                _ => {
                    let cells = [5, 9930].map(|index| Cell::from_index(index).unwrap());
                    let asked =
                        |cell: &Cell| command.contains(&cell.index().to_string().as_str()) || command[0] == "rank";
                    for cell in cells.iter().filter(|cell| asked(cell)) {
                        assert!(text.contains(&cell.to_string()), "{arguments:?} lacks {cell}: {text}");
                    }
                }
            }
        }
        assert!(formats >= 2);
    }
    for line in std::fs::read_to_string(&trajectory).unwrap().lines() {
        check_objects(&serde_json::from_str(line).unwrap(), &["trajectory"], &mut 0);
    }
}
