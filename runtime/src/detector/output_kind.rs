//! What a graph computes last: whether its operators show that the output is a logit or a
//! probability, and which value is the logit before a final sigmoid or softmax.

use super::graph::{MOVERS, Wires, integer};
use std::collections::{HashMap, HashSet};
use tract_onnx::pb::NodeProto;

/// Operators that select, join or reorder numbers without changing them.
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
/// Of [`PICK`], those that drop some of the numbers.
const LEAVE_OUT: [&str; 5] = ["Gather", "GatherElements", "GatherND", "Slice", "Split"];
/// Operators of arithmetic.
const CALCULATE: [&str; 10] = ["Add", "Sub", "Mul", "Div", "Mean", "Sum", "ReduceMean", "Min", "Max", "Neg"];
/// Operators whose output is unbounded.
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
/// Operators that decide: their output is a label.
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
/// Operators that give the largest or smallest of several numbers. Over classes this is the
/// confidence in the winner, not the probability of one class.
const EXTREME: [&str; 3] = ["ReduceMax", "ReduceMin", "TopK"];
/// Operators whose output is in \[0, 1\].
const BOUNDED: [&str; 3] = ["Sigmoid", "Softmax", "HardSigmoid"];

/// The kind of an output, by its operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum OutputKind {
    /// Unbounded numbers; the operator that makes them.
    Logit(String),
    /// Probabilities; the sigmoid or softmax that makes them.
    Probability(String),
    /// Logarithms of probabilities; the operator that makes them.
    LogProbability(String),
    /// Decisions, no scores; the operator that makes them.
    Label(String),
    /// None of these: the operator can give anything, and only its numbers show what.
    Unknown(String),
    /// Neither a logit nor the probability of one class, whatever the numbers are; what it is.
    NoScore(String),
}

/// The kind of `output`, by the operators before it.
pub(super) fn kind(wires: &Wires<'_>, output: &str) -> OutputKind {
    let mut back = Backward { wires, known: HashMap::new() };
    back.of_value(output, 64).unwrap_or_else(|| OutputKind::Unknown("an input".to_owned()))
}

/// The search from the output back to the operators that decide its kind.
struct Backward<'a> {
    wires: &'a Wires<'a>,
    /// The kinds found so far, by value: several nodes may read one.
    known: HashMap<&'a str, Option<OutputKind>>,
}

impl<'a> Backward<'a> {
    /// `None` for a constant.
    fn of_value(&mut self, value: &str, depth: usize) -> Option<OutputKind> {
        if value.is_empty() || self.wires.tensor(value).is_some() {
            return None;
        }
        if let Some(found) = self.known.get(value) {
            return found.clone();
        }
        let node = self.wires.maker(value)?;
        let found = if depth == 0 {
            Some(OutputKind::Unknown(node.op_type.clone()))
        } else {
            self.of_node(node, value, depth - 1)
        };
        let name = node.output.iter().find(|name| *name == value)?;
        self.known.insert(name, found.clone());
        found
    }

    fn of_node(&mut self, node: &'a NodeProto, value: &str, depth: usize) -> Option<OutputKind> {
        let operator = node.op_type.as_str();
        let named = || operator.to_owned();
        let first = node.input.first().map_or("", String::as_str);
        match operator {
            _ if BOUNDED.contains(&operator) => Some(OutputKind::Probability(named())),
            "LogSoftmax" => Some(OutputKind::LogProbability(named())),
            _ if DECIDE.contains(&operator) => Some(OutputKind::Label(named())),
            _ if EXTREME.contains(&operator) => Some(OutputKind::NoScore(format!(
                "{operator}, which gives the largest or smallest of several numbers"
            ))),
            "Constant" | "ConstantOfShape" => None,
            // Its scale and zero point are computed over the whole batch; for one picture they
            // act as constants.
            "DynamicQuantizeLinear" if node.output.first().is_some_and(|first| first != value) => None,
            "DynamicQuantizeLinear" | "GlobalAveragePool" => self.of_value(first, depth),
            _ if LINEAR.contains(&operator) => Some(match bounded_before(self.wires, node) {
                Some(bounded) => {
                    OutputKind::NoScore(format!("{operator}, which mixes the numbers behind a {bounded}"))
                }
                None => OutputKind::Logit(named()),
            }),
            _ if MOVERS.contains(&operator) => self.of_value(first, depth),
            _ if PICK.contains(&operator) || CALCULATE.contains(&operator) => {
                let inputs = node.input.iter().filter_map(|name| self.of_value(name, depth)).collect();
                let found = combined(self.wires, node, inputs);
                // One logit of several does not decide: the others are not known.
                let alone = LEAVE_OUT.contains(&operator)
                    && matches!(found, Some(OutputKind::Logit(_)))
                    && !is_single(self.wires, first, depth);
                if alone {
                    return Some(OutputKind::NoScore(format!(
                        "{operator}, which takes some of a linear layer's numbers"
                    )));
                }
                found
            }
            _ => Some(OutputKind::Unknown(named())),
        }
    }
}

/// The sigmoid or softmax whose output the linear layer `node` reads unchanged.
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

/// Whether `value` is known to be the single output of a linear layer.
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

/// Whether `value` is computed from the input; the scale of dynamic quantisation counts as a
/// constant.
fn is_computed(wires: &Wires<'_>, value: &str) -> bool {
    let scale = wires.maker(value).is_some_and(|node| {
        node.op_type == "DynamicQuantizeLinear" && node.output.first().is_some_and(|first| first != value)
    });
    !scale && wires.constant(value).is_none()
}

/// The kind of what `node` makes of its computed `inputs`.
fn combined(wires: &Wires<'_>, node: &NodeProto, inputs: Vec<OutputKind>) -> Option<OutputKind> {
    let operator = node.op_type.as_str();
    let unknown = || Some(OutputKind::Unknown(operator.to_owned()));
    let open = |what: &str| Some(OutputKind::NoScore(format!("{operator}, which gives {what}")));
    let calculates = CALCULATE.contains(&operator);
    let (first, several) = (inputs.first()?, inputs.len() > 1);
    if let Some(found) = inputs.iter().find(|kind| matches!(kind, OutputKind::NoScore(_))) {
        return Some(found.clone());
    }
    if several && ["Min", "Max"].contains(&operator) {
        return open("the largest or smallest of several numbers");
    }
    let same = inputs.iter().all(|kind| std::mem::discriminant(kind) == std::mem::discriminant(first));
    if !same {
        return unknown();
    }
    match first {
        OutputKind::Probability(_) if several && operator == "Sub" => {
            open("the difference of two probabilities")
        }
        OutputKind::Probability(_) if grows(wires, node) => open("a multiple of a probability"),
        OutputKind::Probability(_) => Some(first.clone()),
        OutputKind::Label(_) | OutputKind::LogProbability(_) if calculates => unknown(),
        OutputKind::Unknown(_) if calculates => unknown(),
        // A quotient or product of two computed values is not linear any more, and a clipped
        // logit has bounds.
        OutputKind::Logit(_) if several && ["Mul", "Div"].contains(&operator) => unknown(),
        OutputKind::Logit(_) if ["Clip", "Min", "Max"].contains(&operator) => unknown(),
        _ => Some(first.clone()),
    }
}

/// Whether `node` multiplies by a constant above 1.
fn grows(wires: &Wires<'_>, node: &NodeProto) -> bool {
    let constant = |place: usize| node.input.get(place).and_then(|name| wires.constant(name));
    let beyond = |number: f64| number.abs() > 1.001;
    match node.op_type.as_str() {
        "Mul" => [0, 1].into_iter().filter_map(constant).flat_map(|it| it.numbers).any(beyond),
        "Div" => constant(1).is_some_and(|it| it.numbers.iter().any(|&number| beyond(1.0 / number))),
        _ => false,
    }
}

/// Whether everything between the pixels and `output`, except a final sigmoid or softmax, is
/// linear, as in the models of tests; a network is not.
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

/// A final sigmoid or softmax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closing {
    /// The operator.
    pub operator: String,
    /// The value that it reads: the logits.
    pub before: String,
}

/// The final sigmoid or softmax over classes, after which numbers are only moved up to `output`;
/// `opset` is the file's operator set, which gives the default axis of a softmax.
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

/// Whether a softmax runs over the second or the last axis; for \[N, K\] these are the same.
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
        assert_eq!(kind(&Wires::of(&graph), "50"), OutputKind::Probability("Sigmoid".to_owned()));
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
        let found = |operator: &str, dims: &[i64]| kind(&Wires::of(&graph(operator, dims)), "picked");
        assert_eq!(found("MatMulInteger", &[8, 1]), OutputKind::Logit("MatMulInteger".to_owned()));
        assert!(matches!(found("MatMulInteger", &[8, 2]), OutputKind::NoScore(_)));
        assert_eq!(found("ConvInteger", &[1, 8, 1, 1]), OutputKind::Logit("ConvInteger".to_owned()));
        assert!(matches!(found("ConvInteger", &[2, 8, 1, 1]), OutputKind::NoScore(_)));
    }
}
