//! From a point that crosses in floats to one whose 8-bit picture does.

use super::channel::Channel;
use super::geometry::between;
use crate::attack::Goal;

/// How often the overshoot is doubled at most. A fragile detector's boundary may lie a
/// hundredth of a level away, where every rounding leads back to the picture itself; the
/// ball ends the doubling long before this does.
const TRIES: i32 = 16;

/// What to propose of `nearest`, a point that crosses: where rounding undoes it, its
/// change is made longer by 2 %, 4 %, 8 % … until an 8-bit picture crosses or the way
/// ends at the ball. Published attacks stop at the float; a float that no file can hold
/// is no success here.
pub(super) async fn survive_rounding(channel: &Channel<'_>, nearest: Vec<f32>) -> Vec<f32> {
    if !channel.inside(&nearest) {
        return channel.clipped(nearest);
    }
    let mut overshoot = 0.0;
    for attempt in 0..=TRIES {
        let longer = between(&channel.clean, &nearest, 1.0 + overshoot);
        let at_the_end = !channel.inside(&longer);
        if let Some(survivor) = channel.survivor(&channel.clipped(longer)).await {
            return survivor;
        }
        if at_the_end {
            break;
        }
        overshoot = 0.02 * f64::from(1 << attempt);
    }
    channel.clipped(nearest)
}

/// The nearest point so far that crosses, and the 8-bit picture to be proposed.
#[derive(Default)]
pub(super) struct Nearest {
    found: Option<(f64, Vec<f32>)>,
    survivor: Option<Vec<f32>>,
}

impl Nearest {
    /// Looks for an 8-bit picture of `values`, a point that crosses, where they lie within
    /// the ball and none is known. With [`Goal::Inside`] gives it: the search is over.
    pub async fn try_rounding(
        &mut self,
        channel: &Channel<'_>,
        values: &[f32],
        goal: Goal,
    ) -> Option<Vec<f32>> {
        if self.survivor.is_none() && channel.inside(values) {
            self.survivor = channel.survivor(values).await;
            if self.survivor.is_some() {
                channel.record_success();
            }
        }
        self.survivor.clone().filter(|_| goal == Goal::Inside)
    }

    /// What to propose at the end of the search, whose shortest distance goes on record
    /// with [`Goal::Nearest`]; none where nothing crossed.
    pub async fn proposal(self, channel: &Channel<'_>, goal: Goal) -> Option<Vec<f32>> {
        let (distance, values) = self.found?;
        if goal == Goal::Nearest {
            channel.record_distance(distance);
        }
        match self.survivor {
            Some(survivor) => Some(survivor),
            None => Some(survive_rounding(channel, values).await),
        }
    }

    /// Keeps `values` at `distance` where nothing nearer is known.
    pub fn offer(&mut self, distance: f64, values: &[f32]) {
        if distance < self.distance() {
            self.found = Some((distance, values.to_vec()));
        }
    }

    /// Infinite where nothing was found.
    pub fn distance(&self) -> f64 {
        self.found.as_ref().map_or(f64::INFINITY, |found| found.0)
    }

    /// The point.
    pub fn values(&self) -> Option<&[f32]> {
        self.found.as_ref().map(|found| found.1.as_slice())
    }
}
