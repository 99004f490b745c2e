//! Look-ups in an ONNX graph: which node makes a value, and the numbers of constants.

use half::f16;
use std::collections::HashMap;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

/// Operators that reshape or convert numbers and keep their order.
pub(super) const MOVERS: [&str; 8] =
    ["Identity", "Cast", "CastLike", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Dropout"];

/// A constant of a graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    /// Sizes, outermost first.
    pub dims: Vec<usize>,
    /// Numbers, in row-major order.
    pub numbers: Vec<f64>,
}

/// A graph with its values indexed by name.
pub(super) struct Wires<'a> {
    /// The graph.
    pub graph: &'a GraphProto,
    makers: HashMap<&'a str, &'a NodeProto>,
    tensors: HashMap<&'a str, &'a TensorProto>,
}

impl<'a> Wires<'a> {
    /// Indexes `graph`.
    pub fn of(graph: &'a GraphProto) -> Self {
        let outputs = |node: &'a NodeProto| node.output.iter().map(move |name| (name.as_str(), node));
        let tensors = graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor));
        Self { graph, makers: graph.node.iter().flat_map(outputs).collect(), tensors: tensors.collect() }
    }

    /// The node that makes `value`.
    pub fn maker(&self, value: &str) -> Option<&'a NodeProto> {
        self.makers.get(value).copied()
    }

    /// Whether a node has this operator.
    pub fn has(&self, operator: &str) -> bool {
        self.graph.node.iter().any(|node| node.op_type == operator)
    }

    /// The nodes in topological order; some converters append theirs at the end of the file.
    pub fn ordered(&self) -> Vec<&'a NodeProto> {
        let mut places = HashMap::new();
        for (place, node) in self.graph.node.iter().enumerate() {
            places.extend(node.output.iter().map(|name| (name.as_str(), place)));
        }
        let (mut done, mut order) = (vec![false; self.graph.node.len()], Vec::new());
        for start in 0..self.graph.node.len() {
            // A node stays on the stack until its inputs are done. A loop, which only a damaged
            // file has, ends where a node is met again.
            let mut waiting = vec![(start, false)];
            while let Some((place, made)) = waiting.pop() {
                if made {
                    order.push(&self.graph.node[place]);
                } else if !std::mem::replace(&mut done[place], true) {
                    waiting.push((place, true));
                    let needed = self.graph.node[place].input.iter();
                    let needed = needed.filter_map(|name| places.get(name.as_str()).copied());
                    waiting.extend(needed.filter(|&other| !done[other]).map(|other| (other, false)));
                }
            }
        }
        order
    }

    /// The tensor that `value` is, as an initialiser or of a `Constant` node.
    pub fn tensor(&self, value: &str) -> Option<&'a TensorProto> {
        self.tensors.get(value).copied().or_else(|| {
            let node = self.maker(value).filter(|node| node.op_type == "Constant")?;
            attribute(node, "value")?.t.as_ref()
        })
    }

    /// The numbers of the constant `value`, also through reshapes and dequantisation; `None`
    /// where it is computed.
    pub fn constant(&self, value: &str) -> Option<Constant> {
        self.constant_within(value, 16)
    }

    fn constant_within(&self, value: &str, depth: usize) -> Option<Constant> {
        if let Some(tensor) = self.tensor(value) {
            return read(tensor);
        }
        let node = self.maker(value).filter(|_| depth > 0)?;
        let input = |place: usize| self.constant_within(node.input.get(place)?, depth - 1);
        match node.op_type.as_str() {
            "Constant" => of_attributes(node),
            "DequantizeLinear" => dequantised(input(0)?, &input(1)?, input(2)),
            operator if MOVERS.contains(&operator) || operator == "Expand" => input(0),
            _ => None,
        }
    }

    /// The integers of the constant `value`.
    pub fn integers(&self, value: &str) -> Option<Vec<i64>> {
        // As floats they are exact far beyond any axis; the largest ones mean "to the end".
        self.constant(value).map(|found| found.numbers.iter().map(|&number| number as i64).collect())
    }
}

/// The attribute `name` of `node`.
pub(super) fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

/// The integer attribute `name` of `node`.
pub(super) fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    attribute(node, name).map(|attribute| attribute.i)
}

/// A list that newer operator sets take as the input `place` and older ones as the
/// attribute `name`.
pub(super) fn list(wires: &Wires<'_>, node: &NodeProto, place: usize, name: &str) -> Option<Vec<i64>> {
    match node.input.get(place).filter(|value| !value.is_empty()) {
        Some(value) => wires.integers(value),
        None => attribute(node, name).map(|attribute| attribute.ints.clone()),
    }
}

fn of_attributes(node: &NodeProto) -> Option<Constant> {
    let one = |number: f64| Constant { dims: Vec::new(), numbers: vec![number] };
    let many = |numbers: Vec<f64>| Constant { dims: vec![numbers.len()], numbers };
    node.attribute.iter().find_map(|attribute| match attribute.name.as_str() {
        "value_float" => Some(one(f64::from(attribute.f))),
        "value_int" => Some(one(attribute.i as f64)),
        "value_floats" => Some(many(attribute.floats.iter().map(|&number| f64::from(number)).collect())),
        "value_ints" => Some(many(attribute.ints.iter().map(|&number| number as f64).collect())),
        _ => None,
    })
}

/// `(q - zero) * scale`, with one scale and zero for all, or one for each index of the first
/// axis.
fn dequantised(quantised: Constant, scale: &Constant, zero: Option<Constant>) -> Option<Constant> {
    let zeros = zero.map_or_else(|| vec![0.0; scale.numbers.len()], |zero| zero.numbers);
    if scale.numbers.is_empty() || scale.numbers.len() != zeros.len() {
        return None;
    }
    let run = quantised.numbers.len().div_ceil(scale.numbers.len()).max(1);
    let at = |place: usize| (place / run).min(scale.numbers.len() - 1);
    let numbers = quantised.numbers.iter().enumerate();
    let numbers = numbers.map(|(place, number)| (number - zeros[at(place)]) * scale.numbers[at(place)]);
    Some(Constant { dims: quantised.dims, numbers: numbers.collect() })
}

/// The numbers of `tensor`; `None` for an element type without numbers, or where bytes are
/// missing.
pub(super) fn read(tensor: &TensorProto) -> Option<Constant> {
    let dims = tensor.dims.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>()?;
    let count = dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
    let raw = &tensor.raw_data;
    let wide = |bytes: usize, number: fn(&[u8]) -> f64| raw.chunks_exact(bytes).map(number).collect();
    let int32_data_numbers = || tensor.int32_data.iter().map(|&number| f64::from(number)).collect::<Vec<_>>();
    let kind = DataType::try_from(tensor.data_type).ok()?;
    let numbers: Vec<f64> = match kind {
        DataType::Float if raw.is_empty() => tensor.float_data.iter().map(|&one| f64::from(one)).collect(),
        DataType::Float => wide(4, |four| f64::from(f32::from_le_bytes(four.try_into().unwrap_or_default()))),
        DataType::Double if raw.is_empty() => tensor.double_data.clone(),
        DataType::Double => wide(8, |eight| f64::from_le_bytes(eight.try_into().unwrap_or_default())),
        DataType::Int64 if raw.is_empty() => tensor.int64_data.iter().map(|&one| one as f64).collect(),
        DataType::Int64 => wide(8, |eight| i64::from_le_bytes(eight.try_into().unwrap_or_default()) as f64),
        DataType::Float16 if raw.is_empty() => {
            tensor.int32_data.iter().map(|&bits| f64::from(f16::from_bits(bits as u16))).collect()
        }
        DataType::Float16 => {
            wide(2, |two| f64::from(f16::from_bits(u16::from_le_bytes(two.try_into().unwrap_or_default()))))
        }
        DataType::Int32 | DataType::Uint8 | DataType::Int8 | DataType::Bool if raw.is_empty() => {
            int32_data_numbers()
        }
        DataType::Int32 => wide(4, |four| f64::from(i32::from_le_bytes(four.try_into().unwrap_or_default()))),
        DataType::Uint8 | DataType::Bool => wide(1, |one| f64::from(one[0])),
        DataType::Int8 => wide(1, |one| f64::from(one[0] as i8)),
        _ => return None,
    };
    (numbers.len() == count).then_some(Constant { dims, numbers })
}
