//! Numbers computed over a whole picture, and pixels relative to them. A picture minus its own
//! level (its mean, minimum or maximum) and divided by its own width (a deviation, or maximum
//! minus minimum) is the same at every scale and offset.

use super::state::{State, Statistic};

/// Reductions that shift with a picture's brightness.
const LEVELS: [&str; 5] = ["ReduceMean", "ReduceMax", "ReduceMin", "GlobalAveragePool", "GlobalMaxPool"];

/// What a reduction over the plane makes of `state`.
pub(super) fn reduced(operator: &str, state: &State) -> Statistic {
    match state {
        State::Pixels { .. } if LEVELS.contains(&operator) => Statistic::Level,
        State::Relative { centred: true, scaled: false } | State::Other { relative: true, .. } => {
            Statistic::Width
        }
        _ => Statistic::Other,
    }
}

/// What an operator makes of statistics, and perhaps of a constant, which is its first operand or
/// not. A width remains one under roots and small constants, as deviations are computed.
pub(super) fn calculated(operator: &str, of: &[Statistic], constant_first: bool) -> Statistic {
    match (operator, of) {
        ("Sub", [Statistic::Level, Statistic::Level]) => Statistic::Width,
        ("Sqrt" | "Pow" | "Add" | "Max" | "Clip" | "Mul", [Statistic::Width]) => Statistic::Width,
        ("Div", [Statistic::Width]) if !constant_first => Statistic::Width,
        ("Div", [Statistic::Width]) | ("Reciprocal", [Statistic::Width]) => Statistic::Inverse,
        _ => Statistic::Other,
    }
}

/// Pixels minus a level of their picture, or divided by a width of it; `None` for anything else.
pub(super) fn relative(operator: &str, one: &State, two: &State) -> Option<State> {
    let known = |state: &State| match state {
        State::Pixels { .. } => Some((false, false)),
        State::Relative { centred, scaled } => Some((*centred, *scaled)),
        _ => None,
    };
    let ((centred, scaled), statistic, pixels_first) = match (known(one), known(two)) {
        (Some(found), None) => (found, two.statistic()?, true),
        (None, Some(found)) => (found, one.statistic()?, false),
        _ => return None,
    };
    match (operator, statistic) {
        ("Sub", Statistic::Level) if !scaled => Some(State::Relative { centred: true, scaled }),
        ("Div", Statistic::Width) if pixels_first => Some(State::Relative { centred, scaled: true }),
        ("Mul", Statistic::Inverse) => Some(State::Relative { centred, scaled: true }),
        _ => None,
    }
}
