//! What a graph does last: whether its output is a logit or a probability by the operators
//! that make it, and where the logit stands before a closing sigmoid or softmax.

use super::graph::{MOVERS, Wires, integer};
use std::collections::HashSet;
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
/// Operators that calculate with numbers: probabilities that went in are behind them.
const CALCULATE: [&str; 10] = ["Add", "Sub", "Mul", "Div", "Mean", "Sum", "ReduceMean", "Min", "Max", "Neg"];
/// Operators whose numbers have no bounds.
const LINEAR: [&str; 11] = [
    "Gemm",
    "MatMul",
    "Conv",
    "ConvTranspose",
    "Einsum",
    "MatMulInteger",
    "ConvInteger",
    "QLinearMatMul",
    "QLinearConv",
    "QGemm",
    "FusedMatMul",
];
/// Operators that decide: what comes out is a label.
const DECIDE: [&str; 9] =
    ["ArgMax", "ArgMin", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Round", "Sign"];
/// Operators that end in \[0, 1\].
const BOUNDED: [&str; 4] = ["Sigmoid", "Softmax", "HardSigmoid", "QLinearSigmoid"];

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
    /// None of these: the operator named may do anything.
    Unknown(String),
}

/// What the operators before `output` say.
pub(super) fn says(wires: &Wires<'_>, output: &str) -> Says {
    of_value(wires, output, 64).unwrap_or_else(|| Says::Unknown("an input".to_owned()))
}

/// None for a constant.
fn of_value(wires: &Wires<'_>, value: &str, depth: usize) -> Option<Says> {
    if value.is_empty() || wires.tensor(value).is_some() {
        return None;
    }
    let node = wires.maker(value)?;
    let operator = node.op_type.as_str();
    let named = || operator.to_owned();
    if depth == 0 {
        return Some(Says::Unknown(named()));
    }
    let inputs = || node.input.iter().filter_map(|name| of_value(wires, name, depth - 1)).collect::<Vec<_>>();
    match operator {
        _ if BOUNDED.contains(&operator) => Some(Says::Probability(named())),
        "LogSoftmax" => Some(Says::LogProbability(named())),
        _ if DECIDE.contains(&operator) => Some(Says::Label(named())),
        "Constant" | "ConstantOfShape" => None,
        // Its scale and zero point are numbers of the whole batch, as constants for one picture.
        "DynamicQuantizeLinear" if node.output.first().is_some_and(|first| first != value) => None,
        "DynamicQuantizeLinear" => of_value(wires, node.input.first()?, depth - 1),
        _ if LINEAR.contains(&operator) => Some(Says::Logit(named())),
        "GlobalAveragePool" => of_value(wires, node.input.first()?, depth - 1),
        _ if MOVERS.contains(&operator) => of_value(wires, node.input.first()?, depth - 1),
        // One logit of several is no decision: it says nothing of the others.
        "Gather" | "GatherElements" | "GatherND" | "Slice" | "Split"
            if wide(wires, node.input.first()?, depth - 1) =>
        {
            Some(Says::Unknown(named()))
        }
        _ if PICK.contains(&operator) || CALCULATE.contains(&operator) => combined(operator, inputs()),
        _ => Some(Says::Unknown(named())),
    }
}

/// Whether `value` are the numbers of a linear layer that gives several.
fn wide(wires: &Wires<'_>, value: &str, depth: usize) -> bool {
    let Some(node) = wires.maker(value).filter(|_| depth > 0) else { return false };
    let operator = node.op_type.as_str();
    let dims = |place: usize| Some(wires.constant(node.input.get(place)?)?.dims);
    let count = match operator {
        "Gemm" => {
            let turned = integer(node, "transB") == Some(1);
            dims(1).and_then(|dims| dims.get(usize::from(!turned)).copied())
        }
        "MatMul" => dims(1).and_then(|dims| dims.last().copied()),
        "Conv" => dims(1).and_then(|dims| dims.first().copied()),
        "Add" | "Mul" | "Sub" | "Div" => {
            return node.input.iter().any(|name| wide(wires, name, depth - 1));
        }
        _ if MOVERS.contains(&operator) || operator == "Transpose" => {
            return node.input.first().is_some_and(|name| wide(wires, name, depth - 1));
        }
        _ => None,
    };
    count.is_some_and(|count| count > 1)
}

fn combined(operator: &str, inputs: Vec<Says>) -> Option<Says> {
    let (probable, others): (Vec<_>, Vec<_>) =
        inputs.iter().partition(|says| matches!(says, Says::Probability(_)));
    // A gate is a probability times something else.
    let gated = !others.is_empty() && ["Mul", "Div"].contains(&operator);
    if let Some(&found) = probable.first() {
        return Some(if gated { Says::Unknown(operator.to_owned()) } else { found.clone() });
    }
    if let Some(label) = inputs.iter().find(|says| matches!(says, Says::Label(_))) {
        return Some(label.clone());
    }
    let logarithm = inputs.iter().find(|says| matches!(says, Says::LogProbability(_)));
    if let Some(logarithm) = logarithm {
        let picked = PICK.contains(&operator);
        return Some(if picked { logarithm.clone() } else { Says::Unknown(operator.to_owned()) });
    }
    if let Some(unknown) = inputs.iter().find(|says| matches!(says, Says::Unknown(_))) {
        return Some(match operator {
            "Div" | "Mul" | "Sub" | "Add" => Says::Unknown(operator.to_owned()),
            _ => unknown.clone(),
        });
    }
    // A quotient or product of two computed values is not linear any more.
    let bends = inputs.len() > 1 && ["Mul", "Div", "Min", "Max"].contains(&operator);
    match inputs.into_iter().next() {
        Some(_) if bends => Some(Says::Unknown(operator.to_owned())),
        // A clipped logit has bounds.
        Some(_) if operator == "Clip" => Some(Says::Unknown(operator.to_owned())),
        other => other,
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
