//! What a foreign file's graph tells about how to read it, where the user does not
//! say: its first operator on the pixels, its last one before the output, and the
//! program that wrote it. Each guess is a line that names the option that changes it.

use super::reading::{Asked, Layout, Output, Range, Reading};
use super::signature::Signature;
use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

/// ImageNet's channel means and deviations, pixels in \[0, 1\]: what PyTorch's model
/// zoos train with.
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);

/// Operators that move or relabel numbers, and so are looked through.
const MOVERS: [&str; 9] =
    ["Identity", "Transpose", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Resize", "Dropout"];

/// The reading that `asked` and the graph give, and a line for each guess. The layout
/// is settled with the shape, in `signature`; `outputs` are the numbers a picture.
pub(super) fn settle(
    proto: &ModelProto,
    signature: &Signature,
    outputs: usize,
    asked: &Asked,
) -> (Reading, Vec<String>) {
    let empty = GraphProto::default();
    let graph = proto.graph.as_ref().unwrap_or(&empty);
    let mut guesses = Vec::new();
    if asked.layout.is_none() {
        let (layout, shape) = (signature.layout, &signature.declared);
        guesses.push(format!("layout {layout}, from its input's shape {shape} (--layout changes it)"));
    }
    let pixels = pixels(proto, graph, signature, asked, &mut guesses);
    let output = asked.output.unwrap_or_else(|| {
        let (output, why) = last(graph);
        guesses.push(format!("output {output}: {why} (--output changes it)"));
        output
    });
    let fake_index = asked.fake_index.unwrap_or_else(|| {
        let meaning = if outputs == 2 {
            "of its two outputs the second is taken to say fake"
        } else {
            "a high output is taken to say fake"
        };
        guesses.push(format!("fake-index 1: {meaning} (--fake-index changes it)"));
        1
    });
    let Pixels { range, mean, std } = pixels;
    let reading = Reading { layout: signature.layout, range, mean, std, output, outputs, fake_index };
    (reading, guesses)
}

/// What goes into the graph.
struct Pixels {
    range: Range,
    mean: [f32; 3],
    std: [f32; 3],
}

fn pixels(
    proto: &ModelProto,
    graph: &GraphProto,
    signature: &Signature,
    asked: &Asked,
    guesses: &mut Vec<String>,
) -> Pixels {
    let (found, why) = match (asked.mean, asked.std, asked.range) {
        (None, None, None | Some(Range::Unit)) => first(proto, graph, signature),
        (None, None, Some(range)) => {
            (Pixels { range, mean: [0.0; 3], std: [1.0; 3] }, format!("pixels in {range} need no more"))
        }
        (mean, std, _) => beside(mean, std),
    };
    if asked.range.is_none() {
        guesses.push(format!("pixels in {}: {why} (--range changes it)", found.range));
    }
    if asked.mean.is_none() || asked.std.is_none() {
        let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
        let (mean, std) = (list(found.mean), list(found.std));
        guesses.push(format!("mean {mean} and std {std}: {why} (--mean and --std change them)"));
    }
    Pixels { range: asked.range.unwrap_or(found.range), ..found }
}

/// What the user's mean and deviation imply.
fn beside(mean: Option<[f32; 3]>, std: Option<[f32; 3]>) -> (Pixels, String) {
    let (mean, std) = (mean.unwrap_or([0.0; 3]), std.unwrap_or([1.0; 3]));
    let large = mean.iter().any(|value| value.abs() > 1.5) || std.iter().any(|&value| value > 8.0);
    let range = if large { Range::Bytes } else { Range::Unit };
    (Pixels { range, mean, std }, "from the size of what --mean or --std says".to_owned())
}

/// What the first operator on the pixels implies.
fn first(proto: &ModelProto, graph: &GraphProto, signature: &Signature) -> (Pixels, String) {
    let as_they_are = |range| Pixels { range, mean: [0.0; 3], std: [1.0; 3] };
    let Some(node) = first_node(graph, &signature.input) else {
        return (as_they_are(Range::Unit), "no operator takes the pixels alone".to_owned());
    };
    let operator = &node.op_type;
    if let Some(range) = normalising(graph, node) {
        return (as_they_are(range), format!("its first operator, {operator}, normalises inside the graph"));
    }
    let producer = proto.producer_name.to_lowercase();
    if signature.layout == Layout::Nchw && producer.contains("pytorch") {
        let (mean, std) = IMAGENET;
        let why = format!(
            "ImageNet's, as PyTorch wrote it, its first operator is {operator} and timm's models take these"
        );
        return (Pixels { range: Range::Unit, mean, std }, why);
    }
    (
        as_they_are(Range::Unit),
        format!("its first operator is {operator}, which says nothing of another scale"),
    )
}

/// The first node that computes with `input`.
fn first_node<'a>(graph: &'a GraphProto, input: &'a str) -> Option<&'a NodeProto> {
    let mut value = input;
    // A graph has no loops, but a damaged file may have.
    for _ in 0..=graph.node.len() {
        let mut takers = graph.node.iter().filter(|node| node.input.iter().any(|name| name == value));
        let node = takers.find(|node| node.op_type != "Shape")?;
        if !MOVERS.contains(&node.op_type.as_str()) {
            return Some(node);
        }
        value = node.output.first()?;
    }
    None
}

/// The range of the pixels that `node` normalises, if it does.
fn normalising(graph: &GraphProto, node: &NodeProto) -> Option<Range> {
    let constants = Constants::of(graph);
    let places: &[usize] = if node.op_type == "BatchNormalization" { &[3] } else { &[0, 1] };
    let named = places.iter().filter_map(|&place| node.input.get(place));
    let numbers = named.filter_map(|name| constants.numbers(name)).next();
    let largest = numbers.as_ref().map(|all| all.iter().fold(0.0, |most: f32, value| most.max(value.abs())));
    let (Some(numbers), Some(largest)) = (numbers, largest) else {
        // Something that is computed: it may be anything, but it is inside.
        let normalises = ["Sub", "Div", "BatchNormalization"].contains(&node.op_type.as_str());
        return normalises.then_some(Range::Unit);
    };
    let bytes = match node.op_type.as_str() {
        "Add" if numbers.iter().all(|&value| value == 1.0) => return Some(Range::Signed),
        "Sub" if numbers.iter().all(|&value| value == -1.0) => return Some(Range::Signed),
        "Sub" | "Add" | "BatchNormalization" => largest > 1.5,
        "Mul" => largest < 0.05,
        "Div" => numbers.iter().all(|&value| value > 16.0),
        _ => return None,
    };
    Some(if bytes { Range::Bytes } else { Range::Unit })
}

/// What the last operator before the output says.
fn last(graph: &GraphProto) -> (Output, String) {
    let Some(operator) = last_operator(graph) else {
        return (Output::Logit, "its last operator is unknown".to_owned());
    };
    let output = match operator {
        "Sigmoid" | "Softmax" | "HardSigmoid" => Output::Probability,
        _ => Output::Logit,
    };
    (output, format!("its last operator is {operator}"))
}

fn last_operator(graph: &GraphProto) -> Option<&str> {
    let made: HashMap<&str, &NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node)))
        .collect();
    let mut value = graph.output.first()?.name.as_str();
    for _ in 0..=graph.node.len() {
        let node = made.get(value)?;
        if !MOVERS.contains(&node.op_type.as_str()) {
            return Some(&node.op_type);
        }
        value = node.input.first()?;
    }
    None
}

/// The tensors that a graph holds, as initialisers or `Constant` nodes.
struct Constants<'a> {
    tensors: HashMap<&'a str, &'a TensorProto>,
    /// Value -> the value it only moves.
    moved: HashMap<&'a str, &'a str>,
}

impl<'a> Constants<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let held = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
        let mut tensors: HashMap<_, _> = held.collect();
        let mut moved = HashMap::new();
        for node in &graph.node {
            let Some(output) = node.output.first() else { continue };
            if node.op_type == "Constant" {
                let tensor = node.attribute.iter().find_map(|attribute| attribute.t.as_ref());
                tensors.extend(tensor.map(|tensor| (output.as_str(), tensor)));
            } else if MOVERS.contains(&node.op_type.as_str()) {
                moved.extend(node.input.first().map(|input| (output.as_str(), input.as_str())));
            }
        }
        Self { tensors, moved }
    }

    /// The floats of the constant `name`; none where it is computed or of another type.
    fn numbers(&self, mut name: &'a str) -> Option<Vec<f32>> {
        for _ in 0..=self.moved.len() {
            if let Some(tensor) = self.tensors.get(name) {
                return floats(tensor);
            }
            name = self.moved.get(name)?;
        }
        None
    }
}

fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type != DataType::Float as i32 {
        return None;
    }
    let raw =
        tensor.raw_data.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let numbers: Vec<f32> = raw.chain(tensor.float_data.iter().copied()).collect();
    (!numbers.is_empty()).then_some(numbers)
}
