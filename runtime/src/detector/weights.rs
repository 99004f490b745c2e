//! Weights that no trained detector has. tract's ReLU turns NaN into 0, so the output of a
//! damaged file looks valid: such a file is refused before it runs.

use super::graph::{self, Wires};
use super::signature::SignatureError;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, TensorProto};

/// Operators whose constants are weights; elsewhere an infinity may be intended, as a bound or in
/// a mask.
const WEIGHTED: [&str; 6] = ["Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "Mul"];

/// Checks every weight of `graph`, in 32-bit floats.
///
/// # Errors
/// NaN anywhere, an infinity among weights, a batch-norm's variance below 0.
pub(super) fn check(graph: &GraphProto) -> Result<(), SignatureError> {
    let wires = Wires::of(graph);
    for tensor in &graph.initializer {
        refuse(tensor, f32::is_nan, "NaN")?;
    }
    for node in &graph.node {
        for tensor in node.attribute.iter().filter_map(|attribute| attribute.t.as_ref()) {
            refuse(tensor, f32::is_nan, "NaN")?;
        }
        if WEIGHTED.contains(&node.op_type.as_str()) {
            for tensor in node.input.iter().filter_map(|name| wires.tensor(name)) {
                refuse(tensor, f32::is_infinite, "infinite numbers")?;
            }
        }
        if node.op_type == "BatchNormalization" {
            let variance = node.input.get(4).and_then(|name| Some((name, wires.constant(name)?)));
            let negative = variance.filter(|(_, found)| found.numbers.iter().any(|&number| number < 0.0));
            if let Some((name, _)) = negative {
                let reason = "is a batch-norm's running variance and holds numbers below 0".to_owned();
                return Err(SignatureError::Weights { name: name.clone(), reason });
            }
        }
    }
    Ok(())
}

fn refuse(tensor: &TensorProto, is: fn(f32) -> bool, what: &str) -> Result<(), SignatureError> {
    let count = if tensor.data_type == DataType::Float as i32 {
        // A plain loop: every weight of the network is read here.
        let raw = tensor.raw_data.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
        raw.map(f32::from_le_bytes)
            .chain(tensor.float_data.iter().copied())
            .filter(|&number| is(number))
            .count()
    } else if tensor.data_type == DataType::Double as i32 {
        let numbers = graph::read(tensor).map(|found| found.numbers).unwrap_or_default();
        numbers.into_iter().filter(|&number| is(number as f32)).count()
    } else {
        0
    };
    if count == 0 {
        return Ok(());
    }
    let reason = format!("holds {what} ({count} of its numbers)");
    Err(SignatureError::Weights { name: tensor.name.clone(), reason })
}
