//! A graph in the making: each operation gives one value, which bears its name.

use super::messages::{
    Attribute, Dimension, Entry, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type, ValueInfo,
};
use super::{IR_VERSION, OPSET};

/// The number of f32 among ONNX' element types.
const FLOAT: i32 = 1;

/// Nodes and constants so far.
#[derive(Default)]
pub struct Builder {
    graph: Graph,
}

impl Builder {
    /// Adds an operation; gives the name of its value, which is its own.
    pub fn node(&mut self, operator: &str, name: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        self.graph.node.push(Node {
            input: inputs.iter().map(|input| input.to_string()).collect(),
            output: vec![name.to_string()],
            name: Some(name.to_string()),
            op_type: Some(operator.to_string()),
            attribute: attributes,
        });
        name.to_string()
    }

    /// Adds a constant tensor of f32, unless it is there.
    pub fn constant(&mut self, name: &str, shape: &[usize], values: impl IntoIterator<Item = f32>) {
        if self.graph.initializer.iter().any(|tensor| tensor.name.as_deref() == Some(name)) {
            return;
        }
        self.graph.initializer.push(Tensor {
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: Some(FLOAT),
            name: Some(name.to_string()),
            raw_data: Some(values.into_iter().flat_map(f32::to_le_bytes).collect()),
        });
    }

    /// Says what is fed: f32 `[N, sizes…]` with any N.
    pub fn input(&mut self, name: &str, sizes: &[usize]) {
        self.graph.input.push(value(name, sizes));
    }

    /// Says what comes out: f32 `[N, sizes…]`.
    pub fn output(&mut self, name: &str, sizes: &[usize]) {
        self.graph.output.push(value(name, sizes));
    }

    /// The model of the graph so far; `metadata` are keys and values.
    pub fn model(mut self, name: &str, metadata: &[(&str, String)]) -> Model {
        self.graph.name = Some(name.to_string());
        let entry = |(key, value): &(&str, String)| Entry { key: Some(key.to_string()), value: Some(value.clone()) };
        Model {
            ir_version: Some(IR_VERSION),
            producer_name: Some("etnas-fast".to_string()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_string()),
            graph: Some(self.graph),
            opset_import: vec![OperatorSet { domain: Some(String::new()), version: Some(OPSET) }],
            metadata_props: metadata.iter().map(entry).collect(),
        }
    }
}

impl Attribute {
    /// A setting that is a number.
    pub fn float(name: &str, value: f32) -> Attribute {
        Attribute { name: Some(name.to_string()), f: Some(value), r#type: Some(1), ..Attribute::default() }
    }

    /// A setting that is a whole number.
    pub fn int(name: &str, value: usize) -> Attribute {
        Attribute { name: Some(name.to_string()), i: Some(value as i64), r#type: Some(2), ..Attribute::default() }
    }

    /// A setting that is a list of whole numbers.
    pub fn ints(name: &str, values: &[usize]) -> Attribute {
        let ints = values.iter().map(|&value| value as i64).collect();
        Attribute { name: Some(name.to_string()), ints, r#type: Some(7), ..Attribute::default() }
    }
}

fn value(name: &str, sizes: &[usize]) -> ValueInfo {
    let any = Dimension { dim_param: Some("N".to_string()), dim_value: None };
    let fixed = sizes.iter().map(|&size| Dimension { dim_value: Some(size as i64), dim_param: None });
    let dim = std::iter::once(any).chain(fixed).collect();
    let tensor_type = TensorType { elem_type: Some(FLOAT), shape: Some(Shape { dim }) };
    ValueInfo { name: Some(name.to_string()), r#type: Some(Type { tensor_type: Some(tensor_type) }) }
}
