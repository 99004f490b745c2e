//! What a value of the graph is, in terms of the pixels.

use super::channels::Channel;

/// What a number of a whole picture does when the picture is scaled and shifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statistic {
    /// It is scaled and shifted likewise.
    Level,
    /// It is scaled likewise and does not see the shift.
    Width,
    /// One divided by a width.
    Inverse,
    /// Anything else.
    Other,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Pixels, with their channels on `axis` (none where they are in single planes).
    Pixels { axis: Option<usize>, channels: Vec<Channel>, statistics: Option<([f64; 3], [f64; 3])> },
    /// Numbers of a whole picture.
    Statistic(Statistic),
    /// Pixels less a level of their picture (`centred`), divided by a width of it (`scaled`).
    Relative { centred: bool, scaled: bool },
    /// Anything else that was made of the pixels, by the operator that made it; `relative`
    /// where brightness had been taken off before.
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
