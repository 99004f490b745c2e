//! What a graph does last: whether its output is a logit or a probability by the operators
//! that make it, and where the logit stands before a closing sigmoid or softmax.

use super::graph::{MOVERS, Wires, integer};
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::NodeProto;

/// Operators that pick, join or move numbers and keep what they are.
const PICK: [&str; 10] = [
    "Gather",
    "GatherElements",
    "GatherND",
    "Slice",
    "Split",
    "Concat",
    "Transpose",
    "Clip",
    "QuantizeLinear",
    "DequantizeLinear",
];
/// Those of them that leave numbers out.
const LEAVE_OUT: [&str; 5] = ["Gather", "GatherElements", "GatherND", "Slice", "Split"];
/// Operators that calculate with numbers: probabilities that went in are behind them.
const CALCULATE: [&str; 10] = ["Add", "Sub", "Mul", "Div", "Mean", "Sum", "ReduceMean", "Min", "Max", "Neg"];
/// Operators whose numbers have no bounds.
const LINEAR: [&str; 9] = [
    "Gemm",
    "MatMul",
    "Conv",
    "ConvTranspose",
    "Einsum",
    "MatMulInteger",
    "ConvInteger",
    "QLinearMatMul",
    "QLinearConv",
];
/// Operators that decide: what comes out is a label.
const DECIDE: [&str; 12] = [
    "ArgMax",
    "ArgMin",
    "Hardmax",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Equal",
    "Round",
    "Floor",
    "Ceil",
    "Sign",
];
/// Operators that give the largest or smallest of several numbers. Of classes it is the
/// confidence in whichever wins, and not the probability of one.
const EXTREME: [&str; 3] = ["ReduceMax", "ReduceMin", "TopK"];
/// Operators that end in \[0, 1\].
const BOUNDED: [&str; 3] = ["Sigmoid", "Softmax", "HardSigmoid"];

/// What the operators say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// Numbers without bounds, of the operator named.
    Logit(String),
    /// Numbers behind the sigmoid or softmax named.
    Probability(String),
    /// Logarithms of probabilities, of the operator named.
    LogProbability(String),
    /// Decisions of the operator named, and no scores.
    Label(String),
    /// None of these: the operator named may do anything, and its numbers can tell.
    Unknown(String),
    /// What stands there is no logit and no probability of one class, whatever its numbers.
    Open(String),
}

/// What the operators before `output` say.
pub(super) fn says(wires: &Wires<'_>, output: &str) -> Says {
    let mut back = Back { wires, known: HashMap::new() };
    back.of_value(output, 64).unwrap_or_else(|| Says::Unknown("an input".to_owned()))
}

/// The way back from the output.
struct Back<'a> {
    wires: &'a Wires<'a>,
    /// What was found of a value, which several nodes may take.
    known: HashMap<&'a str, Option<Says>>,
}

impl<'a> Back<'a> {
    /// None for a constant.
    fn of_value(&mut self, value: &str, depth: usize) -> Option<Says> {
        if value.is_empty() || self.wires.tensor(value).is_some() {
            return None;
        }
        if let Some(found) = self.known.get(value) {
            return found.clone();
        }
        let node = self.wires.maker(value)?;
        let found = if depth == 0 {
            Some(Says::Unknown(node.op_type.clone()))
        } else {
            self.of_node(node, value, depth - 1)
        };
        let name = node.output.iter().find(|name| *name == value)?;
        self.known.insert(name, found.clone());
        found
    }

    fn of_node(&mut self, node: &'a NodeProto, value: &str, depth: usize) -> Option<Says> {
        let operator = node.op_type.as_str();
        let named = || operator.to_owned();
        let first = node.input.first().map_or("", String::as_str);
        match operator {
            _ if BOUNDED.contains(&operator) => Some(Says::Probability(named())),
            "LogSoftmax" => Some(Says::LogProbability(named())),
            _ if DECIDE.contains(&operator) => Some(Says::Label(named())),
            _ if EXTREME.contains(&operator) => Some(Says::Open(format!(
                "{operator}, which gives the largest or smallest of several numbers"
            ))),
            "Constant" | "ConstantOfShape" => None,
            // Its scale and zero point are numbers of the whole batch, as constants for one picture.
            "DynamicQuantizeLinear" if node.output.first().is_some_and(|first| first != value) => None,
            "DynamicQuantizeLinear" | "GlobalAveragePool" => self.of_value(first, depth),
            _ if LINEAR.contains(&operator) => Some(match bounded_before(self.wires, node) {
                Some(bounded) => {
                    Says::Open(format!("{operator}, which mixes the numbers behind a {bounded}"))
                }
                None => Says::Logit(named()),
            }),
            _ if MOVERS.contains(&operator) => self.of_value(first, depth),
            _ if PICK.contains(&operator) || CALCULATE.contains(&operator) => {
                let inputs = node.input.iter().filter_map(|name| self.of_value(name, depth)).collect();
                let found = combined(self.wires, node, inputs);
                // One logit of several is no decision: it says nothing of the others.
                let alone = LEAVE_OUT.contains(&operator)
                    && matches!(found, Some(Says::Logit(_)))
                    && !is_single(self.wires, first, depth);
                if alone {
                    return Some(Says::Open(format!(
                        "{operator}, which takes some of a linear layer's numbers"
                    )));
                }
                found
            }
            _ => Some(Says::Unknown(named())),
        }
    }
}

/// The sigmoid or softmax whose numbers the linear layer `node` takes as they are.
fn bounded_before<'a>(wires: &Wires<'a>, node: &'a NodeProto) -> Option<&'a str> {
    let mut value = node.input.first()?;
    for _ in 0..=wires.graph.node.len() {
        let node = wires.maker(value)?;
        let operator = node.op_type.as_str();
        if BOUNDED.contains(&operator) {
            return Some(operator);
        }
        if !MOVERS.contains(&operator) && !PICK.contains(&operator) {
            return None;
        }
        value = node.input.first()?;
    }
    None
}

/// Whether `value` is known to be the one number of a linear layer.
fn is_single(wires: &Wires<'_>, value: &str, depth: usize) -> bool {
    let Some(node) = wires.maker(value).filter(|_| depth > 0) else { return false };
    let operator = node.op_type.as_str();
    let dims = |place: usize| {
        let weights = wires.constant(node.input.get(place)?);
        weights.map(|found| found.dims)
    };
    let count = match operator {
        "Gemm" => {
            let turned = integer(node, "transB") == Some(1);
            dims(1).and_then(|dims| dims.get(usize::from(!turned)).copied())
        }
        "MatMul" | "MatMulInteger" => dims(1).and_then(|dims| dims.last().copied()),
        "QLinearMatMul" => dims(3).and_then(|dims| dims.last().copied()),
        "Conv" | "ConvInteger" => dims(1).and_then(|dims| dims.first().copied()),
        "QLinearConv" => dims(3).and_then(|dims| dims.first().copied()),
        _ if MOVERS.contains(&operator) || PICK.contains(&operator) || CALCULATE.contains(&operator) => {
            let mut computed = node.input.iter().filter(|name| is_computed(wires, name));
            return operator != "Concat" && computed.all(|name| is_single(wires, name, depth - 1));
        }
        "GlobalAveragePool" | "DynamicQuantizeLinear" => {
            return node.input.first().is_some_and(|name| is_single(wires, name, depth - 1));
        }
        _ => None,
    };
    count == Some(1)
}

/// Whether `value` is no constant; the scale that dynamic quantisation finds counts as one.
fn is_computed(wires: &Wires<'_>, value: &str) -> bool {
    let scale = wires.maker(value).is_some_and(|node| {
        node.op_type == "DynamicQuantizeLinear" && node.output.first().is_some_and(|first| first != value)
    });
    !scale && wires.constant(value).is_none()
}

/// What `node` makes of what its computed `inputs` say.
fn combined(wires: &Wires<'_>, node: &NodeProto, inputs: Vec<Says>) -> Option<Says> {
    let operator = node.op_type.as_str();
    let unknown = || Some(Says::Unknown(operator.to_owned()));
    let open = |what: &str| Some(Says::Open(format!("{operator}, which gives {what}")));
    let calculates = CALCULATE.contains(&operator);
    let (first, several) = (inputs.first()?, inputs.len() > 1);
    if let Some(found) = inputs.iter().find(|says| matches!(says, Says::Open(_))) {
        return Some(found.clone());
    }
    if several && ["Min", "Max"].contains(&operator) {
        return open("the largest or smallest of several numbers");
    }
    let same = inputs.iter().all(|says| std::mem::discriminant(says) == std::mem::discriminant(first));
    if !same {
        return unknown();
    }
    match first {
        Says::Probability(_) if several && operator == "Sub" => open("the difference of two probabilities"),
        Says::Probability(_) if grows(wires, node) => open("a multiple of a probability"),
        Says::Probability(_) => Some(first.clone()),
        Says::Label(_) | Says::LogProbability(_) if calculates => unknown(),
        Says::Unknown(_) if calculates => unknown(),
        // A quotient or product of two computed values is not linear any more, and a clipped
        // logit has bounds.
        Says::Logit(_) if several && ["Mul", "Div"].contains(&operator) => unknown(),
        Says::Logit(_) if ["Clip", "Min", "Max"].contains(&operator) => unknown(),
        _ => Some(first.clone()),
    }
}

/// Whether `node` multiplies by a constant that is beyond 1.
fn grows(wires: &Wires<'_>, node: &NodeProto) -> bool {
    let constant = |place: usize| node.input.get(place).and_then(|name| wires.constant(name));
    let beyond = |number: f64| number.abs() > 1.001;
    match node.op_type.as_str() {
        "Mul" => [0, 1].into_iter().filter_map(constant).flat_map(|it| it.numbers).any(beyond),
        "Div" => constant(1).is_some_and(|it| it.numbers.iter().any(|&number| beyond(1.0 / number))),
        _ => false,
    }
}

/// Whether everything between the pixels and `output`, but for a closing sigmoid or softmax,
/// is linear: a plane in the space of pixels, as planted models are, and no network.
pub(super) fn is_linear(wires: &Wires<'_>, output: &str) -> bool {
    const PLANE: [&str; 9] = [
        "Transpose",
        "Concat",
        "Slice",
        "Gather",
        "Pad",
        "AveragePool",
        "GlobalAveragePool",
        "ReduceMean",
        "ReduceSum",
    ];
    let start = closing(wires, output, 13).map_or_else(|| output.to_owned(), |closing| closing.before);
    let (mut waiting, mut seen) = (vec![start], HashSet::new());
    while let Some(value) = waiting.pop() {
        let Some(node) = wires.maker(&value) else { continue };
        if wires.constant(&value).is_some() || !seen.insert(value) {
            continue;
        }
        let operator = node.op_type.as_str();
        let computed =
            node.input.iter().filter(|name| wires.maker(name).is_some_and(|it| it.op_type != "Constant"));
        let sums = ["Add", "Sub", "Neg", "Sum"].contains(&operator);
        let scales = ["Mul", "Div", "Gemm", "MatMul", "Conv", "BatchNormalization"].contains(&operator)
            && computed.clone().count() <= 1;
        if !(sums || scales || PLANE.contains(&operator) || MOVERS.contains(&operator)) {
            return false;
        }
        waiting.extend(computed.cloned());
    }
    true
}

/// A closing sigmoid or softmax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    /// The operator.
    pub operator: String,
    /// The value before it: the logits.
    pub before: String,
}

/// The sigmoid or softmax over classes behind which `output` only moves numbers; `opset` is
/// the file's operator set, which settles the axis of a softmax that names none.
pub(super) fn closing(wires: &Wires<'_>, output: &str, opset: i64) -> Option<Closing> {
    let mut value = output;
    for _ in 0..=wires.graph.node.len() {
        let node = wires.maker(value)?;
        let operator = node.op_type.as_str();
        if operator == "Sigmoid" || (operator == "Softmax" && over_classes(node, opset)) {
            let before = node.input.first()?.clone();
            return Some(Closing { operator: operator.to_owned(), before });
        }
        if !MOVERS.contains(&operator) {
            return None;
        }
        value = node.input.first()?;
    }
    None
}

/// Whether a softmax runs over the second axis, or the last, which is the same for \[N, K\].
fn over_classes(node: &NodeProto, opset: i64) -> bool {
    let axis = integer(node, "axis").unwrap_or(if opset < 13 { 1 } else { -1 });
    axis == 1 || axis == -1
}

#[cfg(test)]
mod tests {
    use super::*;
    use tract_onnx::pb::GraphProto;

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            op_type: operator.to_owned(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            ..NodeProto::default()
        }
    }

    #[test]
    fn a_value_that_many_take_is_looked_at_once() {
        let mut nodes = vec![node("Sigmoid", &["pixels"], "0")];
        for place in 1..=50 {
            let before = (place - 1).to_string();
            nodes.push(node("Add", &[&before, &before], &place.to_string()));
        }
        let graph = GraphProto { node: nodes, ..GraphProto::default() };
        // One by one these are 2^50 ways.
        assert_eq!(says(&Wires::of(&graph), "50"), Says::Probability("Sigmoid".to_owned()));
    }

    #[test]
    fn a_single_number_is_known_by_its_weights() {
        let tensor = |name: &str, dims: &[i64]| tract_onnx::pb::TensorProto {
            name: name.to_owned(),
            dims: dims.to_vec(),
            data_type: 1,
            float_data: vec![0.5; dims.iter().product::<i64>() as usize],
            ..Default::default()
        };
        let graph = |operator: &str, dims: &[i64]| GraphProto {
            node: vec![
                node("DynamicQuantizeLinear", &["pixels"], "bytes"),
                node(operator, &["bytes", "weights"], "whole"),
                node("Cast", &["whole"], "cast"),
                node("Mul", &["cast", "scale"], "scaled"),
                node("Slice", &["scaled"], "picked"),
            ],
            initializer: vec![tensor("weights", dims), tensor("scale", &[])],
            ..GraphProto::default()
        };
        let found = |operator: &str, dims: &[i64]| says(&Wires::of(&graph(operator, dims)), "picked");
        assert_eq!(found("MatMulInteger", &[8, 1]), Says::Logit("MatMulInteger".to_owned()));
        assert!(matches!(found("MatMulInteger", &[8, 2]), Says::Open(_)));
        assert_eq!(found("ConvInteger", &[1, 8, 1, 1]), Says::Logit("ConvInteger".to_owned()));
        assert!(matches!(found("ConvInteger", &[2, 8, 1, 1]), Says::Open(_)));
    }
}
