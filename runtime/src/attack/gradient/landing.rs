//! From a point that crosses in floats to one whose 8-bit picture does.

use super::Goal;
use super::geometry::between;
use super::line::Line;

/// How often the overshoot is doubled at most. A fragile detector's boundary may lie a
/// hundredth of a level away, where every rounding leads back to the picture itself; the
/// ball ends the doubling long before this does.
const TRIES: i32 = 16;

/// What to propose of `nearest`, a point that crosses. [`Goal::Inside`]: where
/// rounding undoes it, its change is made longer by 2 %, 4 %, 8 % … until the 8-bit
/// picture crosses or the way ends at the ball. Published attacks stop at the
/// float; a float that no file can hold is no success here.
pub(super) async fn landed(line: &Line<'_>, nearest: Vec<f32>, goal: Goal) -> Vec<f32> {
    if goal == Goal::Nearest || !line.inside(&nearest) {
        return line.clipped(nearest);
    }
    let mut overshoot = 0.0;
    for attempt in 0..=TRIES {
        let longer = between(&line.clean, &nearest, 1.0 + overshoot);
        let at_the_end = !line.inside(&longer);
        let longer = line.clipped(longer);
        if line.survives(&longer).await {
            return longer;
        }
        if at_the_end {
            break;
        }
        overshoot = 0.02 * f64::from(1 << attempt);
    }
    line.clipped(nearest)
}

/// The nearest point so far that crosses.
#[derive(Default)]
pub(super) struct Nearest {
    found: Option<(f64, Vec<f32>)>,
}

impl Nearest {
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
    pub fn values(self) -> Option<Vec<f32>> {
        self.found.map(|found| found.1)
    }
}
