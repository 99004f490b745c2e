//! Changes to a graph before tract gets it: 16-bit floats become 32-bit, one output is chosen, a
//! final sigmoid or softmax is removed, and batch-norms over constants are computed.

use super::graph::{Wires, attribute, integer, read};
use half::{bf16, f16};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};

const FLOAT: i32 = DataType::Float as i32;
const HALVES: [i32; 2] = [DataType::Float16 as i32, DataType::Bfloat16 as i32];

/// Makes every 16-bit float of `proto` a 32-bit one, in weights and arithmetic. Returns whether
/// there were any.
pub(super) fn widen(proto: &mut ModelProto) -> bool {
    proto.graph.as_mut().is_some_and(widen_graph)
}

fn widen_graph(graph: &mut GraphProto) -> bool {
    let mut any = false;
    for tensor in &mut graph.initializer {
        any |= widen_tensor(tensor);
    }
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        any |= widen_type(info);
    }
    for attribute in graph.node.iter_mut().flat_map(|node| {
        let casts = ["Cast", "EyeLike", "RandomNormal", "RandomUniform"].contains(&node.op_type.as_str());
        node.attribute.iter_mut().map(move |attribute| (casts, attribute))
    }) {
        let (casts, attribute) = attribute;
        if casts
            && ["to", "dtype"].contains(&attribute.name.as_str())
            && HALVES.contains(&(attribute.i as i32))
        {
            attribute.i = i64::from(FLOAT);
            any = true;
        }
        if let Some(tensor) = attribute.t.as_mut() {
            any |= widen_tensor(tensor);
        }
        if let Some(inner) = attribute.g.as_mut() {
            any |= widen_graph(inner);
        }
    }
    any
}

fn widen_type(info: &mut ValueInfoProto) -> bool {
    let Some(Type::TensorType(tensor)) = info.r#type.as_mut().and_then(|it| it.value.as_mut()) else {
        return false;
    };
    let half = HALVES.contains(&tensor.elem_type);
    if half {
        tensor.elem_type = FLOAT;
    }
    half
}

fn widen_tensor(tensor: &mut TensorProto) -> bool {
    let wide: fn(u16) -> f32 = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float16) => |bits| f16::from_bits(bits).to_f32(),
        Ok(DataType::Bfloat16) => |bits| bf16::from_bits(bits).to_f32(),
        _ => return false,
    };
    let raw = tensor.raw_data.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let bits = raw.chain(tensor.int32_data.iter().map(|&bits| bits as u16));
    tensor.raw_data = bits.flat_map(|bits| wide(bits).to_le_bytes()).collect();
    tensor.int32_data.clear();
    tensor.data_type = FLOAT;
    true
}

/// Removes all outputs except `name`; `false` where there is no such output.
pub(super) fn choose_output(graph: &mut GraphProto, name: &str) -> bool {
    let there = graph.output.iter().any(|output| output.name == name);
    if there {
        graph.output.retain(|output| output.name == name);
    }
    there
}

/// Makes `value` the graph's output, whatever its shape.
pub(super) fn end_at(graph: &mut GraphProto, value: &str) {
    let output = ValueInfoProto { name: value.to_owned(), ..ValueInfoProto::default() };
    graph.output = vec![output];
}

/// Computes batch-norms in training mode whose input is a constant, as networks with standardised
/// weights (NFNet) have for their kernels. Any other means that the network was exported in
/// training mode.
///
/// # Errors
/// The name of a batch-norm in training mode whose input depends on the pictures.
pub(super) fn settle_batch_norms(graph: &mut GraphProto) -> Result<(), String> {
    let mut settled: Vec<(usize, TensorProto)> = Vec::new();
    let wires = Wires::of(graph);
    for (place, node) in graph.node.iter().enumerate() {
        let training = integer(node, "training_mode") == Some(1)
            || (node.op_type == "BatchNormalization"
                && node.output.iter().filter(|name| !name.is_empty()).count() > 1);
        if node.op_type != "BatchNormalization" || !training {
            continue;
        }
        let made = standardised(&wires, node);
        let named = || {
            if node.name.is_empty() {
                node.output.first().cloned().unwrap_or_default()
            } else {
                node.name.clone()
            }
        };
        settled.push((place, made.ok_or_else(named)?));
    }
    for (place, tensor) in settled.into_iter().rev() {
        graph.node.remove(place);
        graph.initializer.push(tensor);
    }
    Ok(())
}

/// The constant that a batch-norm in training mode makes of a constant \[N, C, ...\].
fn standardised(wires: &Wires<'_>, node: &NodeProto) -> Option<TensorProto> {
    let at = |place: usize| {
        let name = node.input.get(place)?;
        shaped(wires, name)
    };
    let (input, scale, shift) = (at(0)?, at(1)?.1, at(2)?.1);
    let (dims, numbers) = input;
    let [images, channels, rest @ ..] = &dims[..] else { return None };
    let area: usize = rest.iter().product();
    if scale.len() != *channels || shift.len() != *channels || images * area == 0 {
        return None;
    }
    let epsilon = attribute(node, "epsilon").map_or(1e-5, |found| f64::from(found.f));
    let mut made = vec![0.0f32; numbers.len()];
    for channel in 0..*channels {
        let places = (0..*images).flat_map(|image| (0..area).map(move |at| (image, at)));
        let places: Vec<usize> = places.map(|(image, at)| (image * channels + channel) * area + at).collect();
        let count = places.len() as f64;
        let mean = places.iter().map(|&place| numbers[place]).sum::<f64>() / count;
        let variance = places.iter().map(|&place| (numbers[place] - mean).powi(2)).sum::<f64>() / count;
        let factor = scale[channel] / (variance + epsilon).sqrt();
        for place in places {
            made[place] = ((numbers[place] - mean) * factor + shift[channel]) as f32;
        }
    }
    Some(TensorProto {
        name: node.output.first()?.clone(),
        dims: dims.iter().map(|&size| size as i64).collect(),
        data_type: FLOAT,
        raw_data: made.into_iter().flat_map(f32::to_le_bytes).collect(),
        ..TensorProto::default()
    })
}

/// A constant and its shape after the reshapes that lead to it.
fn shaped(wires: &Wires<'_>, name: &str) -> Option<(Vec<usize>, Vec<f64>)> {
    if let Some(tensor) = wires.tensor(name) {
        let found = read(tensor)?;
        return Some((found.dims, found.numbers));
    }
    let node = wires.maker(name)?;
    let (dims, numbers) = shaped(wires, node.input.first()?)?;
    match node.op_type.as_str() {
        "Identity" => Some((dims, numbers)),
        "Mul" => {
            let by = wires.constant(node.input.get(1)?)?;
            let one = <[f64; 1]>::try_from(by.numbers).ok()?[0];
            Some((dims, numbers.into_iter().map(|number| number * one).collect()))
        }
        "Reshape" => {
            let requested = wires.integers(node.input.get(1)?)?;
            let mut sizes = Vec::new();
            for (place, &size) in requested.iter().enumerate() {
                sizes.push(match size {
                    0 => *dims.get(place)?,
                    -1 => 0,
                    size => usize::try_from(size).ok()?,
                });
            }
            let known: usize = sizes.iter().filter(|&&size| size > 0).product();
            let open = numbers.len() / known.max(1);
            let sizes: Vec<usize> =
                sizes.into_iter().map(|size| if size == 0 { open } else { size }).collect();
            (sizes.iter().product::<usize>() == numbers.len()).then_some((sizes, numbers))
        }
        _ => None,
    }
}
