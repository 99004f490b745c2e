//! A small plain model, and variants of it with other operators before and after it.

use crate::detector_fixture::{RES, bytes, integer, integers, node, plainly, tensor, tiny, value};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::random;
use dfrt_runtime::reading::{Layout, Output, Range, Reading};
use rand::RngExt;
use std::path::{Path, PathBuf};
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};

pub const SEED: u64 = 21;
pub const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
pub const NONE: ([f32; 3], [f32; 3]) = ([0.0; 3], [1.0; 3]);

pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn model(&self, model: &ModelProto) -> PathBuf {
        let path = self.0.path().join("foreign.onnx");
        std::fs::write(&path, bytes(model)).unwrap();
        path
    }
}

pub fn noise(pictures: usize) -> Batch {
    let mut random = random::stream(6, &["noise".into()]);
    let mut values = Vec::new();
    for picture in 0..pictures {
        // Of different brightness, so that their logits differ.
        let scale = 0.2 + 0.8 * picture as f32 / pictures as f32;
        values.extend((0..3 * RES * RES).map(|_| scale * random.random::<f32>()));
    }
    Batch { res: RES, values }
}

pub fn logits(path: &Path, overrides: &Overrides) -> Vec<f32> {
    let oracle = TractOracle::new(Detector::load_as(path, 2, overrides).unwrap());
    oracle.logits(&noise(5)).unwrap()
}

/// A small plain model whose logits are within a few units of 0.
pub fn plain() -> ModelProto {
    let mut plain = tiny(SEED, None);
    let graph = plain.graph.as_mut().unwrap();
    graph.initializer[2] = tensor("head", &[1, 8], (0..8).map(|place| (place as f32 - 3.5) * 0.8).collect());
    plain
}

pub fn plain_logits() -> Vec<f32> {
    let folder = Folder::new();
    let logits = logits(&folder.model(&plain()), &plainly());
    assert!(logits.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 1e-2), "{logits:?}");
    assert!(logits.iter().all(|logit| logit.abs() < 6.0), "{logits:?}");
    logits
}

/// The graph of [`plain`] with other operators before and after it.
pub struct Disguise {
    pub nodes: Vec<NodeProto>,
    pub tensors: Vec<TensorProto>,
    pub value: String,
}

impl Disguise {
    pub fn new(value: &str) -> Self {
        Self { nodes: Vec::new(), tensors: Vec::new(), value: value.to_owned() }
    }

    /// Appends a node of `operator` to the value.
    pub fn then(&mut self, operator: &str, more: &[&str], attributes: Vec<tract_onnx::pb::AttributeProto>) {
        let output = format!("{}.{operator}", self.value);
        let inputs: Vec<&str> = std::iter::once(self.value.as_str()).chain(more.iter().copied()).collect();
        let made = node(operator, &inputs, &output, attributes);
        self.nodes.push(NodeProto { name: output.clone(), ..made });
        self.value = output;
    }

    /// Appends a node with a constant of three channels, or of one number.
    pub fn with(&mut self, operator: &str, numbers: &[f32]) {
        let name = format!("{}.{operator}.by", self.value);
        self.tensors.push(tensor(&name, &[1, numbers.len(), 1, 1], numbers.to_vec()));
        self.then(operator, &[&name], vec![]);
    }

    pub fn reshape(&mut self, shape: &[i64]) {
        let name = format!("{}.shape", self.value);
        self.tensors.push(shape_tensor(&name, shape));
        self.then("Reshape", &[&name], vec![]);
    }
}

pub fn shape_tensor(name: &str, shape: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![shape.len() as i64],
        data_type: tract_onnx::pb::tensor_proto::DataType::Int64 as i32,
        raw_data: shape.iter().flat_map(|size| size.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// Operators that undo the scaling of `reading`.
pub fn front(reading: &Reading) -> Disguise {
    let mut front = Disguise::new("input");
    if reading.layout == Layout::Nhwc {
        front.then("Transpose", &[], vec![integers("perm", &[0, 3, 1, 2])]);
    }
    front.with("Mul", &reading.std);
    front.with("Add", &reading.mean);
    match reading.range {
        Range::Unit => {}
        Range::Bytes => front.with("Div", &[255.0]),
        Range::Signed => {
            front.with("Sub", &[-1.0]);
            front.with("Div", &[2.0]);
        }
    }
    front
}

/// Operators that turn the logit into the output of `reading`, in `shape`.
pub fn end(reading: &Reading, shape: &[i64]) -> Disguise {
    let mut end = Disguise::new("logit");
    let sign = if reading.fake_index == 1 { 1.0 } else { -1.0 };
    match (reading.outputs, reading.output) {
        (1, Output::Logit) => end.with("Mul", &[sign]),
        (1, Output::Probability) => {
            end.with("Mul", &[sign]);
            end.reshape(&[-1, 1]);
            end.then("Sigmoid", &[], vec![]);
        }
        (_, output) => {
            // Two numbers, the second larger by the logit.
            end.tensors.push(tensor("halves", &[1, 2], vec![-0.25 * sign, 0.75 * sign]));
            end.then("MatMul", &["halves"], vec![]);
            if output == Output::Probability {
                end.then("Softmax", &[], vec![integer("axis", -1)]);
            }
        }
    }
    end.reshape(shape);
    end
}

/// A variant of [`plain`] that is read by `reading`.
pub fn disguised(reading: &Reading, shape: &[i64], open: bool) -> ModelProto {
    let mut model = plain();
    let graph = model.graph.as_mut().unwrap();
    let (mut front, end) = (front(reading), end(reading, shape));
    front.nodes.push(node("Identity", &[&front.value], "pixels", vec![]));
    graph.node.splice(0..0, front.nodes);
    graph.node.extend(end.nodes);
    graph.initializer.extend(front.tensors.into_iter().chain(end.tensors));
    let (batch, side) = if open { (None, None) } else { (Some(2), Some(RES)) };
    graph.input[0] = match reading.layout {
        Layout::Nchw => value("input", &[batch, Some(3), side, side]),
        Layout::Nhwc => value("input", &[batch, side, side, Some(3)]),
    };
    graph.output[0] = value(&end.value, &vec![None; shape.len()]);
    model
}

/// The variants of an output: its kind, its shape, which class is fake.
pub const ENDS: [(Output, usize, &[i64], usize); 11] = [
    (Output::Logit, 1, &[-1], 1),
    (Output::Logit, 1, &[-1, 1], 0),
    (Output::Logit, 1, &[-1, 1, 1, 1], 1),
    (Output::Logit, 2, &[-1, 2], 1),
    (Output::Logit, 2, &[-1, 2], 0),
    (Output::Logit, 2, &[-1, 2, 1, 1], 1),
    (Output::Probability, 1, &[-1], 1),
    (Output::Probability, 1, &[-1, 1], 0),
    (Output::Probability, 2, &[-1, 2], 1),
    (Output::Probability, 2, &[-1, 2], 0),
    (Output::Probability, 2, &[-1, 2, 1, 1], 0),
];

/// [`plain`] after `front`, whose pixels are in `layout`.
pub fn behind(mut front: Disguise, layout: Layout, producer: &str) -> ModelProto {
    let mut model = plain();
    model.producer_name = producer.to_owned();
    let graph = model.graph.as_mut().unwrap();
    front.nodes.push(node("Identity", &[&front.value], "pixels", vec![]));
    graph.node.splice(0..0, front.nodes);
    graph.initializer.extend(front.tensors);
    graph.input[0] = match layout {
        Layout::Nchw => value("input", &[None, Some(3), Some(RES), Some(RES)]),
        Layout::Nhwc => value("input", &[None, Some(RES), Some(RES), Some(3)]),
    };
    model
}

/// [`plain`] with other nodes after its logit.
pub fn ended(end: Disguise, shape: &[Option<usize>]) -> ModelProto {
    let mut model = plain();
    let graph = model.graph.as_mut().unwrap();
    graph.node.extend(end.nodes);
    graph.initializer.extend(end.tensors);
    graph.output[0] = value(&end.value, shape);
    model
}

/// The error of loading `model`.
pub fn refusal(model: &ModelProto, overrides: &Overrides) -> String {
    let folder = Folder::new();
    refusal_at(&folder.model(model), overrides)
}

/// The error of loading the file at `path`.
pub fn refusal_at(path: &Path, overrides: &Overrides) -> String {
    let text = Detector::load_as(path, 1, overrides).unwrap_err().to_string();
    assert!(text.contains("foreign.onnx") && !text.contains('\n'), "{text}");
    text
}
