//! The network as ONNX.

use super::run::run;
use crate::common::measures::{batch, cells, fresh};
use crate::common::network::shifted;
use etnas::engine::Inputs;
use etnas::engine::{Device, Engine, Options};
use etnas::export::onnx::{Graph, Model, IR_VERSION, OPSET};
use etnas::export::{self, Origin, Pass};
use etnas::input::{Batch, Dataset, RegressionTask};
use etnas::random::{Seeds, Stream};
use etnas::reference::Tensor;
use etnas::space::{Cell, Op, Skeleton};
use etnas::weights::Weights;
use std::collections::HashSet;
use std::sync::Arc;

/// The model of a network, as read from its file, and what must come out of it.
fn exported(cell: &Cell, weights: &Arc<Weights>, images: &Batch) -> (Model, Tensor) {
    let engine = Engine::new(Options { device: Device::Cpu, batch: 1, ..Options::default() }).unwrap();
    let task = RegressionTask::draw(images.clone(), &Seeds::new(0));
    let (weights, slope_weights) = (weights.clone(), weights.clone());
    let inputs = Inputs { batch: images, weights, slope_weights, task: &task };
    let pass = Pass::of(cell, &inputs).unwrap();
    let bytes = export::network(cell, &inputs, &pass, &Origin::new(&engine, Some(cell))).unwrap();
    let model = Model::read(&bytes).unwrap();
    assert!(model.bytes() == bytes);
    (model, pass.logits)
}

fn tensor(images: &Batch) -> Tensor {
    Tensor::from_f32([images.count, 3, images.height, images.width], &images.pixels)
}

fn graph(model: &Model) -> &Graph {
    model.graph.as_ref().unwrap()
}

#[test]
fn the_model_gives_the_logits_of_train_mode() {
    let mut stream = Stream::new(fresh(), &[]);
    for (per_stage, size) in [(1, (16, 16)), (2, (8, 12))] {
        let skeleton = Skeleton { channels: 8, cells_per_stage: per_stage, classes: 5, height: size.0, width: size.1 };
        for cell in cells(6, &mut stream) {
            // Weights that shift what a convolution makes of zeros.
            let weights = shifted(&cell, skeleton, &mut stream);
            let images = batch(4, size, &mut stream);
            let (model, logits) = exported(&cell, &weights, &images);
            let given = run(&model, tensor(&images));
            assert_eq!(given.shape, logits.shape);
            let largest = logits.values.iter().fold(0.0f64, |most, v| most.max(v.abs()));
            // The f32 mean of a map that is constant, as behind a shifted zero, is off by 6e-8 of it: 2e-5 when divided by √eps.
            for (given, logit) in given.values.iter().zip(&logits.values) {
                assert!((given - logit).abs() < 1e-4 * largest, "{cell}: {given} is not {logit}");
            }
            // Statistics are constants: an image has the same logits alone.
            let second = Batch {
                count: 1,
                pixels: images.pixels[3 * size.0 * size.1..][..3 * size.0 * size.1].to_vec(),
                ..images
            };
            let alone = run(&model, tensor(&second));
            for (alone, given) in alone.values.iter().zip(&given.values[5..10]) {
                assert!((alone - given).abs() < 1e-12 * largest, "{cell}");
            }
        }
    }
}

#[test]
fn the_graph_is_the_whole_network() {
    let mut stream = Stream::new(fresh(), &[]);
    let skeleton = Skeleton { channels: 4, cells_per_stage: 2, classes: 3, height: 8, width: 8 };
    for cell in cells(10, &mut stream) {
        let weights = shifted(&cell, skeleton, &mut stream);
        let (model, _) = exported(&cell, &weights, &batch(2, (8, 8), &mut stream));
        assert_eq!((model.ir_version, model.opset_import[0].version), (Some(IR_VERSION), Some(OPSET)));
        let property = |key: &str| model.metadata_props.iter().find(|p| p.key.as_deref() == Some(key)).unwrap();
        assert_eq!(property("arch").value, Some(cell.to_string()));
        assert_eq!(property("index").value, Some(cell.index().to_string()));
        let count =
            |operator: &str| graph(&model).node.iter().filter(|n| n.op_type.as_deref() == Some(operator)).count();
        let edges = |wanted: &dyn Fn(&Op) -> bool| 6 * cell.ops().iter().filter(|op| wanted(op)).count();
        let convolutions = edges(&|op| op.kernel().is_some());
        assert_eq!(count("Conv"), 1 + convolutions + 6, "{cell}");
        assert_eq!(count("BatchNormalization"), 1 + convolutions + 4 + 1, "{cell}");
        assert_eq!(count("Relu"), convolutions + 4 + 1, "{cell}");
        assert_eq!(count("AveragePool"), edges(&|op| *op == Op::AvgPool3x3) + 2, "{cell}");
        let into = |node: usize| [0..1, 1..3, 3..6][node].clone().filter(|e| cell.ops()[*e] != Op::None).count();
        let nodes = |wanted: &dyn Fn(usize) -> bool| 6 * (0..3).filter(|node| wanted(into(*node))).count();
        assert_eq!(count("Mul"), nodes(&|terms| terms == 0), "{cell}");
        assert_eq!(count("Sum"), nodes(&|terms| terms > 1), "{cell}");
        for (operator, expected) in [("Add", 2), ("GlobalAveragePool", 1), ("Flatten", 1), ("Gemm", 1)] {
            assert_eq!(count(operator), expected, "{cell}");
        }
        // Nothing is read before it is there, and every constant is read.
        let constants: HashSet<&str> = graph(&model).initializer.iter().filter_map(|t| t.name.as_deref()).collect();
        let (mut known, mut read) = (constants.clone(), HashSet::new());
        known.insert("images");
        for node in &graph(&model).node {
            for input in &node.input {
                assert!(known.contains(input.as_str()), "{cell}: {input}");
                read.insert(input.as_str());
            }
            known.insert(&node.output[0]);
        }
        assert!(constants.is_subset(&read), "{cell}: {:?}", constants.difference(&read));
        let dimensions = |value: &etnas::export::onnx::ValueInfo| {
            let shape = value.r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
            shape.dim.into_iter().map(|d| d.dim_value.map_or_else(|| d.dim_param.unwrap(), |v| v.to_string())).collect()
        };
        let [input, output]: [Vec<String>; 2] = [&graph(&model).input[0], &graph(&model).output[0]].map(dimensions);
        assert_eq!((input.join(" "), output.join(" ")), ("N 3 8 8".to_string(), "N 3".to_string()));
    }
}

#[test]
fn bytes_that_are_no_model_are_refused() {
    let error = Model::read(b"\xff\xff\xff").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().starts_with("An ONNX model: expected "), "{error}");
}

#[test]
fn a_pass_of_another_cell_is_no_panic() {
    let engine =
        Engine::new(Options { device: Device::Cpu, batch: 2, dataset: Dataset::ImageNet16, ..Options::default() })
            .unwrap();
    let [plain, convolved]: [Cell; 2] = ["0", "9930"].map(|cell| cell.parse().unwrap());
    let inputs = engine.inputs(&plain).unwrap();
    let plain: Cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|".parse().unwrap();
    let pass = Pass::of(&plain, &inputs).unwrap();
    assert!(export::network(&convolved, &inputs, &pass, &Origin::new(&engine, None)).is_err());
}
