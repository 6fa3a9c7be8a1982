//! Tables imported from what others publish: every container gives the published values, and what is damaged or hostile is refused.

mod common;

use common::pickled::{benchmark, bzip2, cell_results, naslib, Py};
use etnas::backend::Watch;
use etnas::input::Dataset;
use etnas::space::{Cell, Encoding};
use etnas::table::{import, Accuracies, Imported, COLUMNS};
use etnas::{Error, Result};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const REAL: [i64; 3] = [0, 11, 284];
const CONTAINERS: [&str; 4] = [
    "data/nats_real/NATS-tss-v1_0-3ffb9-simple",
    "data/formats/NATS-tss-real3-singlefile.pickle.pbz2",
    "data/formats/NAS-Bench-201-v1_1-real3-legacy.pth",
    "data/formats/NAS-Bench-201-v1_1-real3-zip.pth",
];

fn cell(index: i64) -> Cell {
    Cell::from_index(index).unwrap()
}

fn read(path: &Path) -> Result<Imported> {
    import(path, &())
}

/// A file with this content; the folder lives as long as the guard.
fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// The error of a file with this content: one that names the file and is the user's to mend.
fn refused(content: &[u8]) -> String {
    let (_folder, path) = file("source", content);
    let error = read(&path).map(|i| panic!("read as {:?}", i.table.source())).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    let text = error.to_string();
    assert!(text.contains("source"), "{text}");
    text
}

/// The columns of the published table, each equal to its rounding.
fn agrees_with_the_published_table(table: &Accuracies, cells: &[i64]) {
    let Some(path) = common::shared("data/nb201_accuracy.csv") else { return };
    let published = Accuracies::open(&path).unwrap();
    for column in published.columns() {
        let values = table.column(&column.name).unwrap_or_else(|| panic!("{} is missing", column.name));
        // Four digits; the validation accuracies that the published table derives (2·valtest − test) have twice their error.
        let tolerance = if column.name.ends_with("valid200") { 1.6e-4 } else { 5.1e-5 };
        for &index in cells {
            let (ours, theirs) = (values[index as usize], column.values[index as usize]);
            assert!((ours - theirs).abs() < tolerance, "{} of cell {index}: {ours}, published {theirs}", column.name);
        }
    }
}

#[test]
fn every_container_gives_the_published_values() {
    let mut tables = Vec::new();
    for container in CONTAINERS {
        let Some(path) = common::shared(container) else { return };
        let Imported { table, notes } = read(&path).unwrap();
        assert_eq!(table.cells(), 3, "{container}");
        assert_eq!(notes, ["The source has 3 of the 15625 cells; the others are unknown."]);
        agrees_with_the_published_table(&table, &REAL);
        tables.push(table);
    }
    for table in &tables[1..] {
        for (ours, first) in table.columns().iter().zip(tables[0].columns()) {
            assert_eq!((&ours.name, &ours.seeds), (&first.name, &first.seeds));
            assert!(
                ours.values.iter().map(|v| v.to_bits()).eq(first.values.iter().map(|v| v.to_bits())),
                "{}",
                ours.name
            );
        }
    }
    let seeds = |name: &str| tables[0].columns().iter().find(|c| c.name == name).unwrap().seeds.clone();
    assert_eq!(seeds("cifar10_test200").into_iter().collect::<Vec<_>>(), [(3, 3)]);
    assert_eq!(seeds("cifar10_valid12").into_iter().collect::<Vec<_>>(), [(2, 3)]);
    assert!(seeds("params_m_cifar10").is_empty());
    // What the published table lacks is consistent with what it has.
    for table in &tables {
        for index in REAL.map(|i| i as usize) {
            let value = |name: &str| table.column(name).unwrap()[index];
            for dataset in ["cifar100", "imagenet16_120"] {
                let both = (value(&format!("{dataset}_valid200")) + value(&format!("{dataset}_test200"))) / 2.0;
                assert!((value(&format!("{dataset}_valtest200")) - both).abs() < 1e-4);
            }
            assert!((value("train_time_epoch_50k_s") / value("train_time_epoch_25k_s") - 2.0).abs() < 1e-9);
            assert!((value("params_m_cifar100") - value("params_m_cifar10") - 0.00585).abs() < 1e-9);
            assert!((value("flops_m_imagenet16_120") * 4.0 - value("flops_m_cifar10")).abs() < 0.1);
        }
    }
}

#[test]
fn the_constructed_folder_gives_the_published_values() {
    let Some(path) = common::shared("data/formats/NATS-tss-constructed-simple") else { return };
    let table = read(&path).unwrap().table;
    agrees_with_the_published_table(&table, &[857, 6111, 9930, 11472, 15624]);
}

#[test]
fn one_file_of_the_folder_is_a_table_of_a_cell() {
    let Some(path) = common::shared("data/nats_real/NATS-tss-v1_0-3ffb9-simple/000011.pickle.pbz2") else { return };
    let table = read(&path).unwrap().table;
    assert_eq!(table.cells(), 1);
    agrees_with_the_published_table(&table, &[11]);
    let list = path.with_file_name("meta.pickle.pbz2");
    assert!(read(&list).unwrap_err().to_string().contains("a list of cells without results"));
}

#[test]
fn naslibs_scores_go_to_columns_of_their_own() {
    let Some(path) = common::shared("data/formats/zc_nasbench201_constructed_head_layout.json") else { return };
    let Imported { table, .. } = read(&path).unwrap();
    let Some(published) = common::shared("data/nb201_accuracy.csv") else { return };
    let published = Accuracies::open(&published).unwrap();
    for (ours, theirs) in [
        ("cifar10_naslib_val200_seed", "cifar10_valid200"),
        ("cifar100_naslib_val200_seed", "cifar100_valid200"),
        ("imagenet16_120_naslib_val200_seed", "imagenet16_120_valid200"),
    ] {
        // The example was made of these values, so that a wrong order of ops or edges shows.
        let known: Vec<usize> = (0..15_625).filter(|&i| !table.column(ours).unwrap()[i].is_nan()).collect();
        assert_eq!(known, [857, 6111, 9930, 11472, 15624]);
        for i in known {
            assert_eq!(table.column(ours).unwrap()[i], published.column(theirs).unwrap()[i], "{ours} of cell {i}");
        }
    }
    assert!(Dataset::ALL.iter().all(|d| table.lookup(&cell(9930), *d).is_none() && table.best(*d).is_none()));

    let Some(path) = common::shared("data/naslib/zc_nasbench201_partial.json") else { return };
    let table = read(&path).unwrap().table;
    for (ours, theirs) in [
        ("cifar10_naslib_val200_seed", "cifar10_valid200"),
        ("cifar100_naslib_val200_seed", "cifar100_test200"),
        ("imagenet16_120_naslib_val200_seed", "imagenet16_120_test200"),
    ] {
        let pairs = table.column(ours).unwrap().iter().zip(published.column(theirs).unwrap());
        let mut differences: Vec<f64> = pairs.filter(|(v, _)| !v.is_nan()).map(|(v, p)| (v - p).abs()).collect();
        assert_eq!(differences.len(), 491);
        differences.sort_by(f64::total_cmp);
        // Seeds differ by some tenths, cells by tens.
        assert!(differences[245] < 0.6, "{ours}: median difference {}", differences[245]);
    }
}

#[test]
fn naslibs_trainings_give_the_last_epoch_and_the_costs() {
    let Some(path) = common::shared("data/formats/nb201_cifar_full_training_constructed_naslib_layout.pickle") else {
        return;
    };
    let table = read(&path).unwrap().table;
    let value = |name: &str, i: usize| table.column(name).unwrap()[i];
    // Read with Python.
    assert_eq!(value("cifar10_naslib_val200_seed", 11), 87.74800000488281);
    assert_eq!(value("cifar100_naslib_val200_seed", 11), 67.71999993896485);
    assert_eq!(value("imagenet16_120_naslib_val200_seed", 11), 29.36666665649414);
    assert_eq!(value("train_time_epoch_25k_s_seed", 0), 7.221092998981476);
    assert_eq!(value("flops_m_imagenet16_120", 284), 2.93644);
    assert_eq!(
        (table.cells(), table.column("cifar10_valid200"), table.column("train_time_epoch_25k_s")),
        (3, None, None)
    );
}

#[test]
fn the_size_search_space_is_refused_by_name() {
    for name in ["", "/meta.pickle.pbz2", "/000011.pickle.pbz2"] {
        let Some(path) = common::shared(&format!("data/nats_real/NATS-sss-v1_0-50262-simple{name}")) else { return };
        let error = read(&path).unwrap_err();
        assert!(error.to_string().contains("size search space (NATS-sss)"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    let single = benchmark(vec![Py::str("8:8:8:8:8")], vec![]);
    assert!(refused(&bzip2(&single)).contains("size search space (NATS-sss)"));
    assert!(refused(&single).contains("size search space (NATS-sss)"));
}

#[test]
fn imported_tables_are_read_back_to_the_last_bit() {
    let cells = vec![(Py::Int(5), cell_results(5, 50.0)), (Py::Int(9930), cell_results(9930, 60.0))];
    let (folder, path) = file("made.pickle.pbz2", &bzip2(&benchmark(vec![], cells)));
    let table = read(&path).unwrap().table;
    let compact = folder.path().join("made.safetensors");
    let bytes = table.compact(&path).unwrap();
    assert_eq!(bytes, table.compact(&path).unwrap(), "the same table gives the same bytes");
    std::fs::write(&compact, &bytes).unwrap();
    let back = Accuracies::open(&compact).unwrap();
    assert!(back.source().ends_with("made.safetensors, 2 cells of made.pickle.pbz2"), "{}", back.source());
    assert_eq!((back.kind(), back.columns().len()), (table.kind(), table.columns().len()));
    for (ours, theirs) in back.columns().iter().zip(table.columns()) {
        assert_eq!((&ours.name, &ours.meaning, &ours.seeds), (&theirs.name, &theirs.meaning, &theirs.seeds));
        assert!(ours.values.iter().zip(&theirs.values).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    // Made by hand: seeds 777 and 888 with 50 and 51 %, three epochs of 1, 2 and 3 s.
    assert_eq!(back.lookup(&cell(5), Dataset::Cifar10), Some(50.5));
    assert_eq!(back.column("train_time_epoch_50k_s").unwrap()[5], 2.0);
    assert_eq!(back.lookup(&cell(6), Dataset::Cifar10), None);
    assert_eq!(back.rank(&cell(5), Dataset::Cifar10), None, "a rank needs the whole space");
    // A compact file is a source as well.
    assert_eq!(read(&compact).unwrap().table.compact(&path).unwrap(), bytes);

    // Any damage is refused by name.
    for end in [0, 7, 8, 9, 500, bytes.len() / 2, bytes.len() - 1] {
        let (_folder, path) = file("cut", &bytes[..end]);
        let text = Accuracies::open(&path).unwrap_err().to_string();
        assert!(text.contains("cut"), "{text}");
    }
    let changed = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut changed = bytes.clone();
        changed[at..at + to.len()].copy_from_slice(to.as_bytes());
        let (_folder, path) = file("changed", &changed);
        Accuracies::open(&path).unwrap_err().to_string()
    };
    assert!(changed("etnas_table", "other_table").contains("another safetensors file"));
    assert!(changed("\\\"format\\\":1", "\\\"format\\\":7").contains("format 7"));
    assert!(changed("{\"dtype\":\"F64\"", "{\"dtype\":\"I64\"").contains("of f64"));
    let mut outside = bytes.clone();
    let end = outside.len();
    outside[end - 8..].copy_from_slice(&(-1.0f64).to_le_bytes());
    let (_folder, path) = file("outside", &outside);
    assert!(Accuracies::open(&path).unwrap_err().to_string().contains("-1 for cell 15624"));
}

/// Wants an end after so many cells.
struct Impatient(AtomicUsize, usize);

impl Watch for Impatient {
    fn advance(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= self.1
    }
}

#[test]
fn an_import_ends_when_it_is_told_to() {
    let cells: Vec<(Py, Py)> = (0..9).map(|i| (Py::Int(i), cell_results(i, 50.0))).collect();
    let (_folder, path) = file("source", &benchmark(vec![], cells));
    let watch = Impatient(AtomicUsize::new(0), 4);
    assert!(matches!(import(&path, &watch), Err(Error::Interrupted)));
    assert_eq!(watch.0.load(Ordering::SeqCst), 4);
    let patient = Impatient(AtomicUsize::new(0), 10);
    assert_eq!(import(&path, &patient).unwrap().table.cells(), 9);
}

#[test]
fn sources_are_not_read_in_passing() {
    let single = bzip2(&benchmark(vec![], vec![(Py::Int(5), cell_results(5, 50.0))]));
    let (folder, path) = file("000005.pickle.pbz2", &single);
    for path in [path.as_path(), folder.path()] {
        let text = Accuracies::open(path).unwrap_err().to_string();
        assert!(text.contains("Import it once: etnas-fast table import"), "{text}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let of = |cells: Vec<(Py, Py)>| refused(&benchmark(vec![], cells));
    assert!(of(vec![(Py::Int(6), cell_results(5, 50.0))]).contains("the index 5 beside"));
    assert!(of(vec![(Py::Int(5), cell_results(5, 50.0)), (Py::Int(5), cell_results(5, 50.0))]).contains("cell 5 twice"));
    assert!(of(vec![(Py::Int(5), cell_results(5, 100.0))]).contains("100.5 for cell 5"));
    assert!(of(vec![(Py::Int(5), cell_results(5, f64::NAN))]).contains("NaN for cell 5"));
    assert!(of(vec![(Py::Int(5), Py::Dict(vec![]))]).contains("one of the keys 12, 200, less, full"));
    assert!(of(vec![(Py::Int(5), Py::None)]).contains("found None"));
    assert!(of(vec![]).contains("a list of cells without results"));
    let order = vec![Py::str(&cell(1).to_string()), Py::str(&cell(0).to_string())];
    assert!(refused(&benchmark(order, vec![])).contains("in the order of NATS-Bench"));
    // A seed that is listed and has no result, and a schedule of other length.
    let mut missing = cell_results(5, 50.0);
    missing.at("200").at("dataset_seed").set("cifar10", Py::List(vec![Py::Int(777), Py::Int(999)]));
    assert!(of(vec![(Py::Int(5), missing)]).contains("a result of seed 999"));
    // Trained for 90 epochs.
    let mut other = cell_results(5, 50.0);
    let state = std::mem::replace(other.at("200"), Py::None);
    assert!(of(vec![(Py::Int(5), Py::Dict(vec![(Py::str("90"), state)]))]).contains("\"90\""));
    let other = Py::Dict(vec![(Py::str("weights"), Py::Int(1))]);
    assert!(refused(&other.pickle()).contains("the key \"weights\""));
    assert!(refused(&Py::List(vec![]).pickle()).contains("the results of a cell at least, found none"));
    assert!(refused(&[&benchmark(vec![], vec![(Py::Int(5), cell_results(5, 50.0))])[..], b"x"].concat())
        .contains("more bytes"));
    assert!(refused(&naslib(5, 199)).contains("200 numbers under eval_acc1es"));
    assert!(refused(b"{\"cifar10\": {\"(1, 2)\": {\"val_accuracy\": 1}}}").contains("NASLib's tuples"));
    assert!(refused(b"{\"cifar10\": {\"(1, 2, 0, 0, 0, 0)\": {\"val_accuracy\": \"x\"}}}").contains("scores in JSON"));
    assert!(refused(b"{\"cifar10\": {}, \"cifar1").contains("scores in JSON"));
    assert!(refused(b"{\"index\": 1, \"naswot\": 2}").contains("results of a cell at least"));
}

#[test]
fn a_mean_over_some_of_the_seeds_is_no_mean() {
    let mut lacking = cell_results(5, 50.0);
    lacking.at("200").at("all_results").at_seed("cifar100", 888).at("eval_acc1es").remove("x-test@199");
    let (_folder, path) = file("source", &benchmark(vec![], vec![(Py::Int(5), lacking)]));
    let Imported { table, notes } = read(&path).unwrap();
    assert_eq!(table.column("cifar100_test200"), None);
    assert_eq!(table.column("cifar100_valid200").unwrap()[5], 50.5);
    assert!(notes.iter().any(|note| note == "Unknown of 1 cells: cifar100_test200, which a seed lacks."), "{notes:?}");
}

#[test]
fn costs_that_differ_are_those_of_seed_888() {
    let mut results = cell_results(5, 50.0);
    results.at("200").at("all_results").at_seed("cifar10", 777).set("params", Py::Float(0.5));
    let (_folder, path) = file("source", &benchmark(vec![], vec![(Py::Int(5), results)]));
    assert_eq!(read(&path).unwrap().table.column("params_m_cifar10").unwrap()[5], 0.25);
}

#[test]
fn hostile_pickles_are_refused_by_name() {
    let wrapped = |pickle: &[u8]| [refused(pickle), refused(&bzip2(pickle))];
    for text in wrapped(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.") {
        assert!(text.contains("the global os.system") && text.contains("nothing is run"), "{text}");
    }
    for text in wrapped(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.") {
        assert!(text.contains("the global builtins.eval"), "{text}");
    }
    // A billion laughs, deeper than anything that is meant.
    let start = b"\x80\x02}(X\x0a\0\0\0meta_archs](]q\0".as_slice();
    let laughs = [start, &b"h\0h\0\x86q\0".repeat(100_000), b"eu."].concat();
    assert!(wrapped(&laughs).iter().all(|text| text.contains("nested at most 64 deep")));
    let endless = [b"\x80\x02".as_slice(), &b"N".repeat(5_000_000)].concat();
    assert!(wrapped(&endless).iter().all(|text| text.contains("fewer opcodes")));
    // Bombs: 4 GB of zeros in a text, and 200 MB of numbers in 200 bytes or so.
    let text = [b"\x80\x02}(X\xff\xff\xff\xff".as_slice(), &vec![0; 20_000_000]].concat();
    assert!(wrapped(&text).iter().all(|text| text.contains("16 MiB or more")));
    let bomb = bzip2(&[b"\x80\x02](".as_slice(), &vec![b'N'; 200_000_000]].concat());
    assert!(bomb.len() < 1000, "{}", bomb.len());
    assert!(refused(&bomb).contains("fewer opcodes"));
    // The same as a file of the folder, which is unpacked whole: within its bound.
    let (folder, _) = file("000005.pickle.pbz2", &bomb);
    let text = read(folder.path()).unwrap_err().to_string();
    assert!(text.contains("at most 67108864 bytes, unpacked"), "{text}");
    assert!(refused(b"PK\x03\x04 and no archive").contains("a ZIP archive"));
    assert!(refused(b"BZh9 and no stream").contains("unpacked") || refused(b"BZh9 and no stream").contains("read on"));
}

#[test]
fn cut_files_are_refused_wherever_they_are_cut() {
    for container in &CONTAINERS[1..] {
        let Some(path) = common::shared(container) else { return };
        let bytes = std::fs::read(&path).unwrap();
        let some = (1..8).map(|i| bytes.len() * i / 8).chain([1, 16, 200, bytes.len() - 1]);
        for end in some {
            refused(&bytes[..end]);
        }
    }
    let small = benchmark(vec![], vec![(Py::Int(5), cell_results(5, 50.0))]);
    let packed = bzip2(&small);
    (4..packed.len()).step_by(5).for_each(|end| drop(refused(&packed[..end])));
    (2..small.len()).step_by(31).for_each(|end| drop(refused(&small[..end])));
}

#[test]
fn the_four_encodings_of_naslibs_example_are_one_cell() {
    // NASLib's best cell: ops skip, none, 3×3, 1×1, avg and edges 0→1, 0→2, 0→3, 1→2, 1→3, 2→3.
    let parsed = Cell::parse("(2, 2, 0, 2, 2, 2)", Encoding::Naslib).unwrap();
    assert_eq!((parsed, parsed.op_ids()), (cell(9930), [3, 3, 3, 1, 3, 3]));
}

#[test]
fn columns_are_told_in_words() {
    let (folder, path) = file("t.csv", b"arch_index,cifar10_test200,cifar10_naslib_val200_seed\n7,50,51\n");
    let table = Accuracies::open(&path).unwrap();
    assert_eq!(table.columns()[0].meaning, "CIFAR-10, test images, 200 epochs on all training images");
    assert_eq!(table.lookup(&cell(7), Dataset::Cifar10), Some(50.0));
    assert!(COLUMNS.iter().all(|column| !column.meaning.is_empty()));
    // A single seed's value is no test accuracy, and no other column is taken for one.
    let path = folder.path().join("only.csv");
    std::fs::write(&path, "arch_index,cifar10_naslib_val200_seed\n7,51\n").unwrap();
    assert!(Accuracies::open(&path).unwrap_err().to_string().contains("one of the columns cifar10_test200"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn flipped_bits_never_panic_and_never_pass_for_another_cell(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
        packed in any::<bool>(),
    ) {
        let mut bytes = benchmark(vec![], vec![(Py::Int(5), cell_results(5, 50.0))]);
        if packed {
            bytes = bzip2(&bytes);
        }
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        let (_folder, path) = file("source", &bytes);
        if let Ok(Imported { table, .. }) = read(&path) {
            // A number in it may have changed, not whose it is.
            let known: Vec<usize> = (0..15_625).filter(|&i| table.columns().iter().any(|c| !c.values[i].is_nan())).collect();
            prop_assert_eq!(known, [5]);
        }
    }
}
