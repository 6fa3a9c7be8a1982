//! Weights, images and LossSlope's task as safetensors.

use crate::common::measures::{cells, fresh};
use etnas::engine::{Device, Engine, Options, Record};
use etnas::export::{self, Origin};
use etnas::input::{Dataset, Source};
use etnas::measure::Measure;
use etnas::random::{Seeds, Stream};
use etnas::reference::parameters::{self, Form};
use etnas::space::{Block, Cell};
use etnas::tensor_file::TensorFile;
use etnas::weights::{Init, WeightSource, Weights, HEAD_CHANNELS};
use std::collections::BTreeSet;
use std::path::PathBuf;

const NAMES: &str = "weights.safetensors";

fn options(seed: u64) -> Options {
    Options {
        dataset: Dataset::ImageNet16,
        batch: 3,
        seeds: Seeds::new(seed),
        device: Device::Cpu,
        classes: Some(7),
        ..Options::default()
    }
}

/// These bytes in a file; the folder lives as long as the guard.
fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAMES);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Values and deviations of a record to the last bit.
fn bits(record: &Record) -> Vec<(Measure, Option<u64>)> {
    record.scores.iter().map(|(measure, score)| (*measure, score.value.map(f64::to_bits))).collect()
}

fn weights_of(engine: &Engine, cell: &Cell) -> Vec<u8> {
    export::weights(cell, &engine.inputs(cell).unwrap(), &Origin::new(engine, Some(cell))).unwrap()
}

#[test]
fn exported_weights_give_the_same_bits_of_every_measure() {
    let mut stream = Stream::new(fresh(), &[]);
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(|m| *m != Measure::Utopian).collect();
    for init in [Init::Uniform, Init::KaimingFanOut] {
        let options = Options { init, ..options(stream.bits() >> 40) };
        let engine = Engine::new(options.clone()).unwrap();
        let asked = |m: &Measure| init == Init::Uniform || *m != Measure::LossSlope;
        // LossSlope has weights of its own where the two inits differ.
        let measures: Vec<Measure> = measures.iter().copied().filter(asked).collect();
        for cell in cells(2, &mut stream) {
            let (_folder, path) = file(&weights_of(&engine, &cell));
            let again = Engine::new(Options { weights: Some(WeightSource::File(path)), ..options.clone() }).unwrap();
            assert_eq!(again.network(), engine.network());
            let [drawn, read] = [&engine, &again].map(|e| bits(&e.records(&[cell], &measures, &()).unwrap()[0]));
            assert_eq!(drawn, read, "{cell}");
            // And a file read is written as it was.
            let tensors =
                |bytes: &[u8]| bytes[8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize..].to_vec();
            assert!(tensors(&weights_of(&again, &cell)) == tensors(&weights_of(&engine, &cell)), "{cell}");
        }
    }
}

#[test]
fn the_names_are_those_of_the_state_dict() {
    let mut stream = Stream::new(fresh(), &[]);
    let engine = Engine::new(options(5)).unwrap();
    for cell in cells(3, &mut stream) {
        let bytes = weights_of(&engine, &cell);
        let (_folder, path) = file(&bytes);
        let names: BTreeSet<String> = TensorFile::open(&path).unwrap().names().unwrap().into_iter().collect();
        let mut expected = BTreeSet::from(["classifier.weight", "classifier.bias", "stem.0.weight"].map(String::from));
        let mut norm = |of: String| {
            let parts = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
            expected.extend(parts.map(|part| format!("{of}.{part}")));
        };
        norm("stem.1".to_string());
        norm("lastact.0".to_string());
        let mut convolutions = Vec::new();
        for (block, kind) in engine.network().blocks().enumerate() {
            match kind {
                Block::Cell { .. } => convolutions.extend(
                    (0..6).filter(|e| cell.ops()[*e].kernel().is_some()).map(|e| format!("cells.{block}.layers.{e}")),
                ),
                Block::Reduction { .. } => {
                    convolutions.extend(["conv_a", "conv_b"].map(|conv| format!("cells.{block}.{conv}")));
                }
            }
        }
        convolutions.iter().for_each(|conv| norm(format!("{conv}.op.2")));
        expected.extend(convolutions.iter().map(|conv| format!("{conv}.op.1.weight")));
        expected.extend([5, 11].map(|block| format!("cells.{block}.downsample.1.weight")));
        assert_eq!(names, expected, "{cell}");
        let trained: u64 = names
            .iter()
            .filter(|name| name.ends_with(".weight") || name.ends_with(".bias"))
            .map(|name| TensorFile::open(&path).unwrap().require(name).unwrap().values.len() as u64)
            .sum();
        assert_eq!(trained, engine.network().params(&cell), "{cell}");
    }
}

#[test]
fn the_file_says_what_it_is_of_and_equal_exports_are_equal() {
    let engine = Engine::new(options(11)).unwrap();
    let cell: Cell = "9930".parse().unwrap();
    let bytes = weights_of(&engine, &cell);
    assert!(bytes == weights_of(&Engine::new(options(11)).unwrap(), &cell));
    assert!(bytes != weights_of(&Engine::new(options(12)).unwrap(), &cell));
    let header = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1;
    let json: serde_json::Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["json"]).unwrap();
    assert_eq!((json["index"].as_u64(), json["arch"].as_str()), (Some(9930), Some(cell.to_string().as_str())));
    assert_eq!(json["dataset"], "imagenet16-120");
    assert_eq!(json["seeds"]["master"], 11);
    assert_eq!((&json["init"], &json["slope_init"]), (&"uniform".into(), &"uniform".into()));
    assert_eq!(json["network"], serde_json::json!({"channels": 16, "cells_per_stage": 5, "classes": 7}));
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn exported_images_are_the_batch() {
    let seed = fresh() >> 40;
    let engine = Engine::new(options(seed)).unwrap();
    let cell: Cell = "1462".parse().unwrap();
    let bytes = export::images(&engine.inputs(&cell).unwrap(), &Origin::new(&engine, None)).unwrap();
    let (_folder, path) = file(&bytes);
    let again = Engine::new(Options { data: Source::Path(path), ..options(seed) }).unwrap();
    assert_eq!(again.configuration().images.sha256, engine.configuration().images.sha256);
    let [first, second] = [&engine, &again].map(|e| bits(&e.records(&[cell], &[Measure::Naswot], &()).unwrap()[0]));
    assert_eq!(first, second);
}

#[test]
fn an_exported_task_is_all_that_loss_slope_starts_from() {
    let mut stream = Stream::new(fresh(), &[]);
    let options = Options { slope_init: Init::Xavier, ..options(stream.bits() >> 40) };
    let engine = Engine::new(options).unwrap();
    for cell in cells(1, &mut stream) {
        let inputs = engine.inputs(&cell).unwrap();
        let (_folder, path) = file(&export::task(&cell, &inputs, &Origin::new(&engine, Some(&cell))).unwrap());
        let file = TensorFile::open(&path).unwrap();
        let tensor = |name: &str| file.require(name).unwrap();
        let task = inputs.task;
        let (count, height, width) = (task.images.count, task.images.height, task.images.width);
        assert_eq!((count, height, width), (3, 32, 32));
        let images = tensor("slope.input");
        assert_eq!((images.shape, images.values), (vec![count, 3, height, width], task.images.pixels.clone()));
        let noise = tensor("slope.noise");
        assert_eq!((noise.shape, noise.values), (vec![10, count, 3, height, width], task.noise.concat()));
        for (stage, expected) in task.targets.iter().enumerate() {
            let target = tensor(&format!("slope.target.{stage}"));
            assert_eq!(target.shape, [count, HEAD_CHANNELS[stage], 8, 8]);
            assert_eq!(&target.values, expected);
        }
        // As the golden files are read.
        let read = Weights::from_safetensors(&file, "net.", &cell, (height, width)).unwrap();
        let [read, drawn] = [&read, &*inputs.slope_weights].map(|w| parameters::initial(&cell, w, Form::Heads));
        assert_eq!(read, drawn, "{cell}");
        let parameters: BTreeSet<String> =
            file.names().unwrap().into_iter().filter(|n| n.starts_with("net.") || n.starts_with("heads.")).collect();
        let named = |name: &String| if name.starts_with("heads.") { name.clone() } else { format!("net.{name}") };
        assert_eq!(parameters, drawn.keys().map(named).collect());
    }
}

#[test]
fn losses_are_those_of_plain_f64() {
    let mut stream = Stream::new(fresh(), &[]);
    let engine = Engine::new(Options { batch: 1, ..options(stream.bits() >> 40) }).unwrap();
    let cell: Cell = "|avg_pool_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|".parse().unwrap();
    let inputs = engine.inputs(&cell).unwrap();
    let bytes = export::losses(&cell, &inputs, &Origin::new(&engine, Some(&cell)), &()).unwrap();
    let written = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let losses: Vec<f64> = written
        .tensor("losses")
        .unwrap()
        .data()
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().unwrap()))
        .collect();
    assert_eq!(losses, etnas::reference::train(&cell, &inputs.slope_weights, inputs.task).unwrap().losses);
    let fast = engine.losses(&[cell], &()).unwrap().remove(0);
    assert!((losses[0] - fast[0]).abs() < 1e-5 * losses[0], "{} is not {}", losses[0], fast[0]);
}
