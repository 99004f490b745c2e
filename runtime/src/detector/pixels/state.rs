//! The states of a value of the graph, in terms of the pixels.

use super::channels::Channel;

/// How a number of a whole picture changes when the picture is scaled and shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// It is scaled and shifted in the same way.
    Level,
    /// It is scaled in the same way; the shift does not change it.
    Width,
    /// One divided by a width.
    Inverse,
    /// Anything else.
    Other,
}

/// The state of a value.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Pixels with their channels on `axis`; `None` for single planes.
    Pixels { axis: Option<usize>, channels: Vec<Channel>, statistics: Option<([f64; 3], [f64; 3])> },
    /// A number computed over a whole picture.
    Statistic(Statistic),
    /// Pixels minus a level of their picture (`centred`), divided by a width of it (`scaled`).
    Relative { centred: bool, scaled: bool },
    /// Anything else made of the pixels, by the operator that made it; `relative` where the
    /// brightness was subtracted before.
    Other { operator: String, relative: bool },
}

impl State {
    pub fn statistic(&self) -> Option<Statistic> {
        match self {
            Self::Statistic(statistic) => Some(*statistic),
            _ => None,
        }
    }
}
