//! Small valid files of every kind, made here: what mutations begin with.

#[path = "../common/cifar.rs"]
mod cifar;
#[path = "../common/network.rs"]
#[allow(dead_code)]
mod network;
#[path = "../common/pickled.rs"]
#[allow(dead_code)]
mod pickled;

use super::bodies::{valid_metadata, MEASURES, SWEEP_CELLS, WEIGHTS_CELL};
use cifar::{binary, py2_batch, py3_batch};
use etnas::engine::{Record, Score, Status};
use etnas::report::{Columns, Format};
use etnas::space::{Cell, Skeleton};
use etnas::table::import;
use etnas::weights::{Init, Weights};
use pickled::{benchmark, bzip2, cell_results, naslib, Py};
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use std::io::Write;

/// The valid files for the body of a name, at least one.
pub fn of(name: &str) -> Vec<Vec<u8>> {
    match name {
        "cells" => cells(),
        "pickle" => pickles(),
        "torch" => vec![torch_legacy(), torch_zip()],
        "tables" => tables(),
        "cifar" => vec![
            binary(&images(2, 3072), &[3]),
            binary(&images(2, 3072), &[7, 55]),
            py2_batch(&images(2, 3072), &[("labels", &[3, 9])]),
            py3_batch(&images(2, 3072), "labels", &[0, 9]),
            py2_batch(&images(2, 3072), &[("fine_labels", &[3, 99]), ("coarse_labels", &[1, 19])]),
        ],
        "imagenet16" => vec![
            py2_batch(&images(2, 768), &[("labels", &[1, 120])]),
            py3_batch(&images(2, 768), "labels", &[120, 1000]),
        ],
        "batch" => vec![
            tensors(&[("images", vec![2, 3, 4, 8], Dtype::F32)]),
            tensors(&[("images", vec![1, 3, 4, 4], Dtype::F16)]),
        ],
        "weights" => vec![weights()],
        "scores" => scores(),
        "metadata" => vec![valid_metadata().into_bytes()],
        "resume" => [Format::Jsonl, Format::Csv].map(|format| records(format).into_bytes()).to_vec(),
        "trajectory" => trajectories(),
        other => panic!("no valid files of {other}"),
    }
}

/// Words that files of any kind may hold, for mutations.
pub const WORDS: [&str; 21] = [
    "|nor_conv_3x3~0|",
    "~3|",
    "15625",
    "-1",
    "index",
    "arch",
    "1e999",
    "nan",
    "-inf",
    "null",
    "\u{feff}",
    "\n",
    "\"",
    ",",
    "{}",
    "[[[[[[[[",
    "data",
    "labels",
    "images",
    "__metadata__",
    "64:64:32:16:8",
];

fn cell(index: i64) -> Cell {
    Cell::from_index(index).expect("a cell")
}

fn cells() -> Vec<Vec<u8>> {
    let arch = cell(9930).to_string();
    [&arch, "9930", " 15624\n", "3,0,1,0,0,4", "(2, 1, 3, 0, 4, 2)", "[0 1 2 3 4 0]"]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
}

/// Values that are never zero throughout, and no pattern.
fn noise(count: usize) -> Vec<u8> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 1).collect()
}

fn pickles() -> Vec<Vec<u8>> {
    let mixed = Py::Dict(vec![
        (Py::str("labels"), Py::List(vec![Py::Int(3), Py::None, Py::Float(-0.5)])),
        (Py::Int(7), Py::Dict(vec![(Py::str("a"), Py::Tuple(vec![Py::Int(-1), Py::str("b")]))])),
        (Py::str("c"), Py::Dict(vec![])),
    ]);
    let old = b"(dp0\nS'a'\np1\n(lp2\nI01\naL12L\naF1.5\naVx\\u00e9\np3\nasS'b'\np4\nccollections\nOrderedDict\np5\n((lp6\n(lp7\nS'k'\naI5\naatp8\nRp9\ns.";
    let scalar = b"\x80\x02}q\x00U\x01vcnumpy.core.multiarray\nscalar\nq\x01cnumpy\ndtype\nq\x02U\x02f8q\x03K\x00K\x01\x87q\x04Rq\x05(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x06bU\x08\x00\x00\x00\x00\x00\x00\xf8?\x86q\x07Rq\x08s.";
    vec![
        mixed.pickle(),
        old.to_vec(),
        scalar.to_vec(),
        py2_batch(&images(2, 12), &[("labels", &[1, 300])]),
        py3_batch(&images(1, 12), "x", &[2]),
    ]
}

fn results() -> Vec<u8> {
    benchmark(vec![Py::Str(cell(0).to_string())], vec![(Py::Int(5), cell_results(5, 50.0))])
}

fn torch_legacy() -> Vec<u8> {
    let magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.";
    let (version, system, keys) =
        (Py::Int(1001), Py::Dict(vec![(Py::str("little_endian"), Py::Int(1))]), Py::List(vec![]));
    [magic.to_vec(), version.pickle(), system.pickle(), torch_results(), keys.pickle()].concat()
}

/// NAS-Bench-201's names of the schedules.
fn torch_results() -> Vec<u8> {
    let mut of_cell = cell_results(5, 50.0);
    let state = of_cell.at("200").clone();
    of_cell.remove("200");
    of_cell.set("full", state);
    benchmark(vec![Py::Str(cell(0).to_string())], vec![(Py::Int(5), of_cell)])
}

fn torch_zip() -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("archive/data.pkl", torch_results()), ("archive/version", b"3\n".to_vec())] {
        archive.start_file(name, stored).expect("a file in memory");
        archive.write_all(&bytes).expect("a file in memory");
    }
    archive.finish().expect("a file in memory").into_inner()
}

fn tables() -> Vec<Vec<u8>> {
    let csv = format!(
        "arch_index,arch_str,cifar10_test200,naswot,remark\n5,{},91.25,-3.5,x\n9930,{},,1e3,y\n",
        cell(5),
        cell(9930)
    );
    let json = r#"{"cifar10": {"(4, 3, 3, 3, 2, 3)": {"synflow": {"score": 1.5, "time": 2}, "val_accuracy": 81.5}}, "x": [1]}"#;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("t.csv");
    std::fs::write(&path, &csv).expect("a temporary file");
    let compact = import(&path, &()).and_then(|imported| imported.table.compact(&path)).expect("a table");
    let gzip = packed(csv.as_bytes());
    vec![
        csv.into_bytes(),
        json.as_bytes().to_vec(),
        gzip,
        results(),
        bzip2(&results()),
        cell_results(5, 50.0).pickle(),
        naslib(9930, 200),
        compact,
    ]
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

/// So many images of `bytes` bytes.
fn images(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    noise(count * bytes).chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// A safetensors file with finite values.
fn tensors(list: &[(&str, Vec<usize>, Dtype)]) -> Vec<u8> {
    let data: Vec<(&str, Vec<usize>, Dtype, Vec<u8>)> = list
        .iter()
        .map(|(name, shape, dtype)| {
            let count: usize = shape.iter().product();
            let wide = |i: usize| (i as f32 * 0.37).sin();
            let data = match dtype {
                Dtype::F16 => (0..count).flat_map(|i| half::f16::from_f32(wide(i)).to_le_bytes()).collect(),
                _ => (0..count).flat_map(|i| wide(i).to_le_bytes()).collect(),
            };
            (*name, shape.clone(), *dtype, data)
        })
        .collect();
    let views = data
        .iter()
        .map(|(name, shape, dtype, data)| (*name, TensorView::new(*dtype, shape.clone(), data).expect("a tensor")));
    safetensors::serialize(views, None).expect("a file in memory")
}

/// The weights of the smallest network: one channel, a cell a stage.
fn weights() -> Vec<u8> {
    let skeleton = Skeleton { channels: 1, cells_per_stage: 1, classes: 2, height: 8, width: 8 };
    let weights = Weights::generated(skeleton, Init::Uniform, 1).expect("a network");
    let slots = network::slots(&cell(WEIGHTS_CELL), &skeleton).into_iter();
    let tensors: Vec<_> = slots.map(|slot| network::named(slot, &skeleton, weights.tensor(slot).to_vec())).collect();
    network::file(&tensors)
}

fn scores() -> Vec<Vec<u8>> {
    let jsonl = records(Format::Jsonl);
    let json =
        format!("{{\"meta\": {{\"version\": \"1\"}}, \"records\": [{}]}}", jsonl.trim_end().replace("}\n", "},"));
    let foreign = format!("arch_str,my_proxy,remark,low\n{},-3.25,good,-inf\n", cell(7));
    let gzip = packed(jsonl.as_bytes());
    vec![jsonl.into_bytes(), json.into_bytes(), records(Format::Csv).into_bytes(), foreign.into_bytes(), gzip]
}

/// The whole file of the bodies' sweep.
pub fn records(format: Format) -> String {
    let columns = Columns::new(&MEASURES, 1);
    let mut text = String::new();
    if format == Format::Csv {
        text.push_str(&format!("{}\n", columns.keys().join(",")));
    }
    for (i, index) in SWEEP_CELLS.into_iter().enumerate() {
        let scores = MEASURES.map(|measure| (measure, Score { value: Some(i as f64 + 2.0), std: None })).to_vec();
        let record =
            Record { cell: cell(index), dataset: etnas::input::Dataset::ImageNet16, status: Status::Ok, scores };
        let object = columns.object(&record);
        match format {
            Format::Csv => {
                let fields = object.as_object().expect("a record").values().map(|v| v.to_string().replace('"', ""));
                text.push_str(&format!("{}\n", fields.collect::<Vec<_>>().join(",")));
            }
            _ => text.push_str(&format!("{object}\n")),
        }
    }
    text
}

fn trajectories() -> Vec<Vec<u8>> {
    let csv = "method,dataset,run,evaluations,seconds,simulated_seconds,criterion,score,index,arch,test_accuracy\n\
               rea,cifar10,0,1,0.5,10.5,valid_accuracy,81.5,5,x,91.25\nrea,cifar10,0,7,0.75,20.5,valid_accuracy,82.5,9930,y,94.36\n\
               rea,cifar10,1,3,0.5,,valid_accuracy,80.5,6,z,\n";
    let jsonl = "{\"method\":\"local\",\"run\":0,\"evaluations\":4,\"test_accuracy\":93.5}\n{\"method\":\"rea\",\"run\":0,\"evaluations\":5,\"test_accuracy\":null}\n";
    vec![csv.as_bytes().to_vec(), jsonl.as_bytes().to_vec()]
}
