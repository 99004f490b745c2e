//! The network as an ONNX file (opset 17): pixels in, logit out, normalisation
//! inside, weights with torchvision's names. Batch-norms are not folded into the convolutions, so
//! that the file holds the weights as they were trained.

use super::super::arch::Activation;
use super::super::conventions::Conventions;
use super::super::graph::{Graph, Node, Op, ValueId, Window};
use super::super::names;
use super::super::weights::Weights;
use dfrt_runtime::detector::metadata::{BN_EPS, Metadata, PADDING};
use prost::Message;
use std::collections::BTreeMap;
use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};

/// The ONNX operator set that is written.
pub const OPSET: i64 = 17;
/// The input: [N, 3, res, res], f32 in \[0, 1\], red, green, blue.
pub const INPUT: &str = "pixels";
/// The output: [N, 1], positive for fake (a classifier's [N, outputs]).
pub const OUTPUT: &str = "logit";
/// Initialiser [1, 3, 1, 1]: what is subtracted from the pixels.
pub const MEAN: &str = "normalise.mean";
/// Initialiser [1, 3, 1, 1]: what divides them after that.
pub const STD: &str = "normalise.std";

/// The version of the ONNX file format that came with opset 17.
const IR_VERSION: i64 = 8;

/// The bytes of the ONNX file of `graph` with `weights`, for inference: without dropout and
/// drop-path. `metadata` becomes `metadata_props`; `batch` is the fixed N,
/// or none for any N (the symbol "N"). Equal arguments give equal bytes.
pub fn export(
    graph: &Graph,
    weights: &Weights,
    metadata: &BTreeMap<String, String>,
    batch: Option<usize>,
) -> Vec<u8> {
    let mut writer = Writer::new(graph, weights);
    graph.nodes.iter().for_each(|node| writer.node(node));
    let batch = match batch {
        Some(batch) => dimension::Value::DimValue(batch as i64),
        None => dimension::Value::DimParam("N".to_owned()),
    };
    let property = |(key, value): (&String, &String)| pb::StringStringEntryProto {
        key: key.clone(),
        value: value.clone(),
    };
    let model = pb::ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: "dfrt".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(pb::GraphProto {
            name: graph.architecture.name.to_owned(),
            node: writer.nodes,
            initializer: writer.initializers,
            input: vec![value_info(INPUT, batch.clone(), &[3, graph.res, graph.res])],
            output: vec![value_info(OUTPUT, batch, &[graph.outputs()])],
            ..Default::default()
        }),
        metadata_props: metadata.iter().map(property).collect(),
        ..Default::default()
    };
    model.encode_to_vec()
}

/// `metadata` with the conventions of `graph`, which a reader needs to build the graph.
pub fn described(graph: &Graph, mut metadata: Metadata) -> Metadata {
    let architecture = &graph.architecture;
    metadata.mean = architecture.mean;
    metadata.std = architecture.std;
    metadata.notes.insert(PADDING.to_owned(), architecture.padding.to_string());
    metadata.notes.insert(BN_EPS.to_owned(), architecture.bn_eps.to_string());
    metadata
}

/// The conventions in the metadata of a file that dfrt wrote.
pub fn conventions(metadata: &Metadata) -> Conventions {
    let note = |key: &str| metadata.notes.get(key);
    Conventions {
        padding: note(PADDING).and_then(|text| text.parse().ok()),
        bn_eps: note(BN_EPS).and_then(|text| text.parse().ok()),
        mean: Some(metadata.mean),
        std: Some(metadata.std),
    }
}

/// Collects the nodes and initialisers of the file.
struct Writer<'a> {
    graph: &'a Graph,
    /// ONNX names of the values written so far.
    names: BTreeMap<ValueId, String>,
    nodes: Vec<pb::NodeProto>,
    initializers: Vec<pb::TensorProto>,
}

impl<'a> Writer<'a> {
    fn new(graph: &'a Graph, weights: &Weights) -> Self {
        let mut writer = Self {
            graph,
            names: BTreeMap::from([(graph.input, INPUT.to_owned())]),
            nodes: Vec::new(),
            initializers: Vec::new(),
        };
        writer.initializer(MEAN, &[1, 3, 1, 1], &graph.architecture.mean);
        writer.initializer(STD, &[1, 3, 1, 1], &graph.architecture.std);
        if graph.nodes.iter().any(|node| activation_of(node) == Some(Activation::Relu6)) {
            writer.initializer(ZERO, &[], &[0.0]);
            writer.initializer(SIX, &[], &[6.0]);
        }
        for entry in names::state(graph) {
            if let Some(values) = weights.values(entry.content) {
                writer.initializer(&entry.name, &entry.shape, values);
            }
        }
        writer
    }

    fn node(&mut self, node: &Node) {
        let x = self.names[&node.inputs[0]].clone();
        let name = if node.output == self.graph.logit { OUTPUT } else { node.name.as_str() };
        match node.op {
            Op::Normalise => self.normalise(name, x),
            Op::Convolution(window) => self.convolution(name, x, node, Some(window), 1),
            Op::Depthwise(window) => {
                let groups = self.graph.extent(node.output).c;
                self.convolution(name, x, node, Some(window), groups);
            }
            Op::Pointwise => self.convolution(name, x, node, None, 1),
            Op::BatchNorm(activation) => self.batch_norm(name, x, node, activation),
            Op::GlobalAveragePool => self.simple("GlobalAveragePool", &[&x], name),
            Op::Linear => self.linear(name, x, node),
            Op::Activation(activation) => self.activation(activation, &x, name),
            Op::Scale => {
                let gate = self.names[&node.inputs[1]].clone();
                self.simple("Mul", &[&x, &gate], name);
            }
            Op::Residual { .. } => {
                let branch = self.names[&node.inputs[1]].clone();
                self.simple("Add", &[&x, &branch], name);
            }
            Op::Dropout { .. } => {
                self.names.insert(node.output, x);
                return;
            }
        }
        self.names.insert(node.output, name.to_owned());
    }

    fn normalise(&mut self, name: &str, x: String) {
        let centred = format!("{name}/centred");
        self.simple("Sub", &[&x, MEAN], &centred);
        self.simple("Div", &[&centred, STD], name);
    }

    /// A convolution with the parameters of `node`; without a window, a 1x1 one.
    fn convolution(&mut self, name: &str, x: String, node: &Node, window: Option<Window>, groups: usize) {
        let (kernel, stride, pads) = match window {
            Some(w) => (w.kernel, w.stride, [w.pad_top, w.pad_left, w.pad_bottom, w.pad_right]),
            None => (1, 1, [0; 4]),
        };
        let attributes = vec![
            ints("dilations", &[1, 1]),
            int("group", groups as i64),
            ints("kernel_shape", &[kernel; 2]),
            ints("pads", &pads),
            ints("strides", &[stride; 2]),
        ];
        self.push("Conv", self.with_params(x, node), name, attributes);
    }

    fn batch_norm(&mut self, name: &str, x: String, node: &Node, activation: Activation) {
        let statistics = node.statistics.expect("a batch-norm has running statistics");
        let running = &self.graph.statistics[statistics].name;
        let mut inputs = self.with_params(x, node);
        inputs.push(format!("{running}.running_mean"));
        inputs.push(format!("{running}.running_var"));
        let normed = match activation {
            Activation::Identity => name.to_owned(),
            _ => format!("{name}/norm"),
        };
        let epsilon = float("epsilon", self.graph.architecture.bn_eps);
        self.push("BatchNormalization", inputs, &normed, vec![epsilon]);
        if activation != Activation::Identity {
            self.activation(activation, &normed, name);
        }
    }

    /// The gates of squeeze-excite are [N, C, 1, 1] and go through 1x1 convolutions,
    /// as in torch; the logit is a matrix product.
    fn linear(&mut self, name: &str, x: String, node: &Node) {
        let weight = &self.graph.params[node.params[0].0];
        if weight.shape.len() == 4 {
            return self.convolution(name, x, node, None, 1);
        }
        let flat = format!("{}/flat", node.name);
        self.push("Flatten", vec![x], &flat, vec![int("axis", 1)]);
        let attributes = vec![float("alpha", 1.0), float("beta", 1.0), int("transB", 1)];
        self.push("Gemm", self.with_params(flat, node), name, attributes);
    }

    fn activation(&mut self, activation: Activation, x: &str, name: &str) {
        match activation {
            Activation::Identity => self.simple("Identity", &[x], name),
            Activation::Silu => {
                let gate = format!("{name}/sigmoid");
                self.simple("Sigmoid", &[x], &gate);
                self.simple("Mul", &[x, &gate], name);
            }
            Activation::Relu6 => self.simple("Clip", &[x, ZERO, SIX], name),
            Activation::Sigmoid => self.simple("Sigmoid", &[x], name),
        }
    }

    fn with_params(&self, x: String, node: &Node) -> Vec<String> {
        let params = node.params.iter().map(|id| self.graph.params[id.0].name.clone());
        std::iter::once(x).chain(params).collect()
    }

    fn simple(&mut self, op: &str, inputs: &[&str], output: &str) {
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        self.push(op, inputs, output, vec![]);
    }

    /// Adds a node, named after its only output.
    fn push(&mut self, op: &str, input: Vec<String>, output: &str, attribute: Vec<pb::AttributeProto>) {
        self.nodes.push(pb::NodeProto {
            name: output.to_owned(),
            op_type: op.to_owned(),
            input,
            output: vec![output.to_owned()],
            attribute,
            ..Default::default()
        });
    }

    fn initializer(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}: weights of this graph");
        self.initializers.push(pb::TensorProto {
            name: name.to_owned(),
            dims: shape.iter().map(|&size| size as i64).collect(),
            data_type: DataType::Float as i32,
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Default::default()
        });
    }
}

/// Initialisers []: the bounds of ReLU6.
const ZERO: &str = "relu6.low";
const SIX: &str = "relu6.high";

fn activation_of(node: &Node) -> Option<Activation> {
    match node.op {
        Op::BatchNorm(activation) | Op::Activation(activation) => Some(activation),
        _ => None,
    }
}

fn int(name: &str, value: i64) -> pb::AttributeProto {
    pb::AttributeProto { i: value, ..attribute(name, AttributeType::Int) }
}

fn ints(name: &str, values: &[usize]) -> pb::AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    pb::AttributeProto { ints, ..attribute(name, AttributeType::Ints) }
}

fn float(name: &str, value: f32) -> pb::AttributeProto {
    pb::AttributeProto { f: value, ..attribute(name, AttributeType::Float) }
}

fn attribute(name: &str, kind: AttributeType) -> pb::AttributeProto {
    pb::AttributeProto { name: name.to_owned(), r#type: kind as i32, ..Default::default() }
}

/// An f32 value of shape [batch, `rest`].
fn value_info(name: &str, batch: dimension::Value, rest: &[usize]) -> pb::ValueInfoProto {
    let fixed = |&size: &usize| dimension::Value::DimValue(size as i64);
    let dimension = |value| Dimension { value: Some(value), ..Default::default() };
    let dim = std::iter::once(batch).chain(rest.iter().map(fixed)).map(dimension).collect();
    let tensor = pb::type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(pb::TensorShapeProto { dim }),
    };
    pb::ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(pb::TypeProto {
            value: Some(pb::type_proto::Value::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_LITE0, EFFICIENTNET_TINY, SMALL_ARCHITECTURES};
    use std::collections::BTreeSet;

    fn exported(architecture: &'static crate::model::arch::Architecture, batch: Option<usize>) -> Vec<u8> {
        let graph = Graph::new(architecture, 64).unwrap();
        let metadata = BTreeMap::from([
            ("dfrt.res".to_owned(), "64".to_owned()),
            ("dfrt.arch".to_owned(), architecture.name.to_owned()),
        ]);
        export(&graph, &Weights::initial(&graph, 0), &metadata, batch)
    }

    fn decoded(architecture: &'static crate::model::arch::Architecture) -> pb::ModelProto {
        pb::ModelProto::decode(exported(architecture, None).as_slice()).unwrap()
    }

    #[test]
    fn every_value_is_made_once_and_before_it_is_read() {
        for architecture in SMALL_ARCHITECTURES {
            let graph = decoded(architecture).graph.unwrap();
            let names = graph.initializer.iter().map(|tensor| tensor.name.as_str());
            let mut known: BTreeSet<&str> = names.chain([INPUT]).collect();
            assert_eq!(known.len(), graph.initializer.len() + 1);
            let mut read = BTreeSet::new();
            for node in &graph.node {
                for input in &node.input {
                    assert!(known.contains(input.as_str()), "{} reads {input}", node.name);
                    read.insert(input.as_str());
                }
                assert!(known.insert(&node.output[0]), "{} is made twice", node.output[0]);
            }
            let unread: Vec<_> = known.difference(&read).collect();
            assert_eq!(unread, [&OUTPUT], "{}", architecture.name);
        }
    }

    #[test]
    fn the_weights_have_torchvisions_names_and_shapes() {
        for architecture in SMALL_ARCHITECTURES {
            let graph = Graph::new(architecture, 64).unwrap();
            let weights = Weights::initial(&graph, 0).to_tensors(&graph);
            let file = decoded(architecture).graph.unwrap();
            for (name, tensor) in weights {
                let found = file.initializer.iter().find(|found| found.name == name).unwrap();
                let shape: Vec<i64> = tensor.shape.iter().map(|&size| size as i64).collect();
                assert_eq!(found.dims, shape, "{name}");
                let bytes: Vec<u8> = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
                assert_eq!(found.raw_data, bytes, "{name}");
            }
        }
    }

    #[test]
    fn the_file_says_what_it_is() {
        let model = decoded(&EFFICIENTNET_TINY);
        assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
        assert_eq!(model.producer_name, "dfrt");
        let properties: Vec<(&str, &str)> =
            model.metadata_props.iter().map(|pair| (pair.key.as_str(), pair.value.as_str())).collect();
        assert_eq!(properties, [("dfrt.arch", "efficientnet-tiny"), ("dfrt.res", "64")]);
        let graph = model.graph.unwrap();
        let mean = graph.initializer.iter().find(|tensor| tensor.name == MEAN).unwrap();
        assert_eq!(mean.raw_data[..4], 0.485_f32.to_le_bytes());
    }

    #[test]
    fn only_the_ops_of_the_architecture_are_there() {
        let ops = |architecture| {
            let nodes = decoded(architecture).graph.unwrap().node;
            nodes.into_iter().map(|node| node.op_type).collect::<BTreeSet<String>>()
        };
        let common =
            ["Add", "BatchNormalization", "Conv", "Div", "Flatten", "Gemm", "GlobalAveragePool", "Sub"];
        let with = |more: &[&str]| common.iter().chain(more).map(|&op| op.to_owned()).collect();
        assert_eq!(ops(&EFFICIENTNET_TINY), with(&["Mul", "Sigmoid"]));
        assert_eq!(ops(&EFFICIENTNET_LITE0), with(&["Clip"]));
    }

    #[test]
    fn equal_networks_give_equal_files() {
        assert_eq!(exported(&EFFICIENTNET_TINY, None), exported(&EFFICIENTNET_TINY, None));
        assert_ne!(exported(&EFFICIENTNET_TINY, None), exported(&EFFICIENTNET_TINY, Some(1)));
    }
}
