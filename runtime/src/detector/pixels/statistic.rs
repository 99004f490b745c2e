//! Numbers of a whole picture, and pixels relative to them. A picture less a level of itself
//! (its mean, its darkest or brightest value) and divided by a width of itself (a deviation,
//! the distance from the darkest to the brightest) is the same at every scale and offset.

use super::state::{State, Statistic};

/// Reductions that move with a picture's brightness.
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

/// What an operator makes of statistics, and maybe of a constant, which stands first or not.
/// A width keeps being one under roots and small constants, as deviations are computed.
pub(super) fn calculated(operator: &str, of: &[Statistic], constant_first: bool) -> Statistic {
    match (operator, of) {
        ("Sub", [Statistic::Level, Statistic::Level]) => Statistic::Width,
        ("Sqrt" | "Pow" | "Add" | "Max" | "Clip" | "Mul", [Statistic::Width]) => Statistic::Width,
        ("Div", [Statistic::Width]) if !constant_first => Statistic::Width,
        ("Div", [Statistic::Width]) | ("Reciprocal", [Statistic::Width]) => Statistic::Inverse,
        _ => Statistic::Other,
    }
}

/// Pixels less a level of their picture, or divided by a width of it; none of anything else.
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
