//! A detector of another program at its smallest: a picture's mean brightness times a factor.

use prost::Message;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, type_proto,
};

/// Its ONNX file, which shows no normalisation: `pixels` \[N, 3, res, res\] -> `score` \[N, 1\].
pub fn model(factor: f32, res: usize) -> Vec<u8> {
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: operator.to_owned(),
        name: output.to_owned(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        ..NodeProto::default()
    };
    let tensor = |name: &str, dims: &[i64], values: &[f32]| TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: values.to_vec(),
        ..TensorProto::default()
    };
    let kernel_shape = AttributeProto {
        name: "kernel_shape".to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: vec![1, 1],
        ..AttributeProto::default()
    };
    let graph = GraphProto {
        name: "bright".to_owned(),
        node: vec![
            NodeProto { attribute: vec![kernel_shape], ..node("Conv", &["pixels", "thirds"], "grey") },
            // Nothing is below 0 here; without a bend the file would be no network.
            node("Relu", &["grey"], "bent"),
            node("GlobalAveragePool", &["bent"], "mean"),
            node("Flatten", &["mean"], "flat"),
            node("MatMul", &["flat", "factor"], "score"),
        ],
        initializer: vec![
            tensor("thirds", &[1, 3, 1, 1], &[1.0 / 3.0; 3]),
            tensor("factor", &[1, 1], &[factor]),
        ],
        input: vec![value("pixels", &[None, Some(3), Some(res), Some(res)])],
        output: vec![value("score", &[None, Some(1)])],
        ..GraphProto::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        graph: Some(graph),
        ..ModelProto::default()
    };
    model.encode_to_vec()
}

fn value(name: &str, sizes: &[Option<usize>]) -> ValueInfoProto {
    let size = |size: &Option<usize>| match size {
        Some(size) => dimension::Value::DimValue(*size as i64),
        None => dimension::Value::DimParam("N".to_owned()),
    };
    let dim = sizes.iter().map(|it| Dimension { value: Some(size(it)), ..Dimension::default() }).collect();
    let tensor =
        type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
