//! Small ONNX models, written by the tests that load them.

use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::overrides::{Overrides, Preprocess};
use dfrt_runtime::random;
use dfrt_runtime::reading::Output;
use prost::Message;
use rand::RngExt;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// The side of the models' input in pixels.
pub const RES: usize = 32;

/// `pixels` [N, 3, res, res] -> convolution, ReLU, mean, Gemm -> `logit` [N, 1].
/// Weights are drawn from `seed`; the logits of noise spread around 0.
pub fn tiny(seed: u64, metadata: Option<&Metadata>) -> ModelProto {
    let channels = 8;
    let mut random = random::stream(seed, &["fixture".into()]);
    let mut draw =
        |count: usize| -> Vec<f32> { (0..count).map(|_| random.random_range(-0.5..0.5)).collect() };
    let initializer = vec![
        tensor("kernel", &[channels, 3, 3, 3], draw(channels * 27)),
        tensor("offset", &[channels], draw(channels)),
        tensor("head", &[1, channels], draw(channels).iter().map(|value| 20.0 * value).collect()),
        tensor("bias", &[1], vec![0.0]),
    ];
    let node = vec![
        node(
            "Conv",
            &["pixels", "kernel", "offset"],
            "features",
            vec![
                integers("kernel_shape", &[3, 3]),
                integers("strides", &[2, 2]),
                integers("pads", &[1, 1, 1, 1]),
            ],
        ),
        node("Relu", &["features"], "active", vec![]),
        node("GlobalAveragePool", &["active"], "pooled", vec![]),
        node("Flatten", &["pooled"], "flat", vec![integer("axis", 1)]),
        node("Gemm", &["flat", "head", "bias"], "logit", vec![integer("transB", 1)]),
    ];
    let graph = GraphProto {
        node,
        name: "tiny".to_owned(),
        initializer,
        input: vec![value("pixels", &[None, Some(3), Some(RES), Some(RES)])],
        output: vec![value("logit", &[None, Some(1)])],
        ..GraphProto::default()
    };
    model(graph, metadata)
}

/// The overrides that [`tiny`] needs without metadata: pixels are not scaled.
#[allow(dead_code, reason = "not every test loads a file of another program")]
pub fn plainly() -> Overrides {
    Overrides { preprocess: Some(Preprocess::None), output: Some(Output::Logit), ..Overrides::default() }
}

/// A model of `graph`, opset 17.
pub fn model(graph: GraphProto, metadata: Option<&Metadata>) -> ModelProto {
    let pairs = metadata.map(Metadata::to_pairs).unwrap_or_default();
    let entry = |(key, value)| StringStringEntryProto { key, value };
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(graph),
        metadata_props: pairs.into_iter().map(entry).collect(),
        ..ModelProto::default()
    }
}

/// The bytes of an ONNX file.
pub fn bytes(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// A tensor of floats.
pub fn tensor(name: &str, dims: &[usize], values: Vec<f32>) -> TensorProto {
    assert_eq!(dims.iter().product::<usize>(), values.len());
    TensorProto {
        name: name.to_owned(),
        dims: dims.iter().map(|&size| size as i64).collect(),
        data_type: DataType::Float as i32,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// A node with one output; its name is `<operator>_1`.
pub fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: format!("{operator}_1"),
        op_type: operator.to_owned(),
        attribute,
        ..NodeProto::default()
    }
}

/// A float input or output; `None` is an unknown size.
pub fn value(name: &str, dims: &[Option<usize>]) -> ValueInfoProto {
    let dim = dims.iter().map(|size| Dimension {
        denotation: String::new(),
        value: Some(match size {
            Some(size) => dimension::Value::DimValue(*size as i64),
            None => dimension::Value::DimParam("N".to_owned()),
        }),
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            denotation: String::new(),
            value: Some(type_proto::Value::TensorType(tensor)),
        }),
        doc_string: String::new(),
    }
}

/// An attribute of integers.
pub fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}

/// An attribute of one integer.
pub fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: value,
        ..AttributeProto::default()
    }
}
