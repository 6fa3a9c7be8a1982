//! Runs an ONNX model of these networks in f64, operator by operator, by nothing but what the file says.

use etnas::export::onnx::{Model, Node, Tensor as Constant};
use etnas::reference::conv::Conv;
use etnas::reference::Tensor;
use std::collections::HashMap;

/// The outputs of the model for these images.
pub fn run(model: &Model, images: Tensor) -> Tensor {
    let graph = model.graph.as_ref().unwrap();
    let constants: HashMap<&str, Vec<f64>> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_deref().unwrap(), numbers(tensor))).collect();
    let shapes: HashMap<&str, &[i64]> =
        graph.initializer.iter().map(|tensor| (tensor.name.as_deref().unwrap(), &tensor.dims[..])).collect();
    let mut values: HashMap<&str, Tensor> = HashMap::new();
    values.insert(graph.input[0].name.as_deref().unwrap(), images);
    for node in &graph.node {
        let of = |i: usize| &values[node.input[i].as_str()];
        let constant = |i: usize| &constants[node.input[i].as_str()];
        let x = of(0);
        let y = match node.op_type.as_deref().unwrap() {
            "Conv" => {
                let shape = shapes[node.input[1].as_str()];
                let [outputs, inputs, side] = [0, 1, 2].map(|i| shape[i] as usize);
                assert_eq!(ints(node, "kernel_shape"), [side, side]);
                assert_eq!(ints(node, "pads"), [side / 2; 4]);
                let conv = Conv { outputs, inputs, side, stride: ints(node, "strides")[0] };
                conv.forward(x, constant(1))
            }
            "BatchNormalization" => {
                let epsilon = f64::from(attribute(node, "epsilon").f.unwrap());
                let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(constant);
                let pixels = x.shape[2] * x.shape[3];
                let mut y = x.clone();
                for (i, v) in y.values.iter_mut().enumerate() {
                    let c = i / pixels % x.shape[1];
                    *v = gamma[c] * (*v - mean[c]) / (variance[c] + epsilon).sqrt() + beta[c];
                }
                y
            }
            "Relu" => x.map(|v| v.max(0.0)),
            "AveragePool" => average(node, x),
            "GlobalAveragePool" => {
                let pixels = x.shape[2] * x.shape[3];
                let means = x.values.chunks_exact(pixels).map(|map| map.iter().sum::<f64>() / pixels as f64);
                Tensor { shape: [x.shape[0], x.shape[1], 1, 1], values: means.collect() }
            }
            "Flatten" => x.clone(),
            "Gemm" => {
                assert_eq!(attribute(node, "transB").i, Some(1));
                let (weight, bias, inputs) = (constant(1), constant(2), x.shape[1]);
                let row = |x: &[f64]| {
                    let dot = |w: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
                    weight.chunks_exact(inputs).zip(bias).map(|(w, b)| dot(w) + b).collect::<Vec<_>>()
                };
                let values = x.values.chunks_exact(inputs).flat_map(row).collect();
                Tensor { shape: [x.shape[0], bias.len(), 1, 1], values }
            }
            "Sum" | "Add" => {
                let mut y = x.clone();
                (1..node.input.len()).for_each(|i| y.add(of(i)));
                y
            }
            "Mul" => {
                assert!(shapes[node.input[1].as_str()].is_empty());
                let factor = constant(1)[0];
                x.map(|v| v * factor)
            }
            other => panic!("{other} is not expected"),
        };
        assert!(values.insert(&node.output[0], y).is_none(), "{} is given twice", node.output[0]);
    }
    values.remove(graph.output[0].name.as_deref().unwrap()).unwrap()
}

fn numbers(tensor: &Constant) -> Vec<f64> {
    assert_eq!(tensor.data_type, Some(1));
    let bytes = tensor.raw_data.as_ref().unwrap();
    assert_eq!(bytes.len() as i64, 4 * tensor.dims.iter().product::<i64>());
    bytes.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
}

fn attribute<'a>(node: &'a Node, name: &str) -> &'a etnas::export::onnx::Attribute {
    let named = |a: &&etnas::export::onnx::Attribute| a.name.as_deref() == Some(name);
    node.attribute.iter().find(named).unwrap_or_else(|| panic!("{:?} lacks {name}", node.name))
}

fn ints(node: &Node, name: &str) -> Vec<usize> {
    attribute(node, name).ints.iter().map(|&i| i as usize).collect()
}

/// The average over the pixels of a window that are inside the image.
fn average(node: &Node, x: &Tensor) -> Tensor {
    assert_eq!(attribute(node, "count_include_pad").i, Some(0));
    let (side, step, pad) = (ints(node, "kernel_shape")[0], ints(node, "strides")[0], ints(node, "pads")[0]);
    let [n, c, h, w] = x.shape;
    let size = |length: usize| (length + 2 * pad - side) / step + 1;
    let mut y = Tensor::zeros([n, c, size(h), size(w)]);
    let (rows, columns) = (y.shape[2], y.shape[3]);
    for (to, from) in y.values.chunks_exact_mut(rows * columns).zip(x.values.chunks_exact(h * w)) {
        for (at, v) in to.iter_mut().enumerate() {
            let inside = |first: usize, length: usize| first.saturating_sub(pad)..(first + side - pad).min(length);
            let (ys, xs) = (inside(at / columns * step, h), inside(at % columns * step, w));
            let sum: f64 = ys.clone().flat_map(|y| from[y * w..][xs.clone()].iter()).sum();
            *v = sum / (ys.len() * xs.len()) as f64;
        }
    }
    y
}
