//! How large Square's windows are at each step (Andriushchenko et al. 2020,
//! section 3 and appendix; AutoAttack's unscaled variant).

use crate::names::named;
use crate::threat::Norm;
use serde::{Deserialize, Serialize};

/// The steps, of 10,000, after which the share of changed pixels halves.
const HALVINGS: [u64; 9] = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

/// Whether the halvings are stretched to the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// As published: stretched from 10,000 steps to the budget.
    Scaled,
    /// As in AutoAttack: at those steps whatever the budget.
    Unscaled,
}

/// How square's windows begin and shrink, by the names of the usual ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// AutoAttack's, at its query numbers whatever the budget.
    Autoattack,
    /// AutoAttack's windows stretched to the budget, which its code offers, too.
    Rescaled,
    /// The paper's.
    Published,
}

named!(Windows, "schedule", [Autoattack = "autoattack", Rescaled = "rescaled", Published = "published"]);

impl Windows {
    /// The share of pixels at the start in balls of `norm`, and how it falls.
    pub(super) fn start(self, norm: Norm) -> (f64, Pace) {
        match (self, norm) {
            (Self::Autoattack, _) => (0.8, Pace::Unscaled),
            (Self::Rescaled, _) => (0.8, Pace::Scaled),
            (Self::Published, Norm::Linf) => (0.05, Pace::Scaled),
            (Self::Published, Norm::L2) => (0.1, Pace::Scaled),
        }
    }
}

/// The share p of pixels that a window covers, falling over the steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The share at the start, in (0, 1].
    pub p: f64,
    /// How it falls.
    pub pace: Pace,
    /// The query budget.
    pub budget: u64,
}

impl Schedule {
    /// The share after `spent` queries; the first one asked for the start, so
    /// that the published step number is `spent - 1` and AutoAttack's `spent`.
    pub fn share(&self, spent: u64) -> f64 {
        let step = match self.pace {
            Pace::Scaled => spent.saturating_sub(1) * 10_000 / self.budget.max(1),
            Pace::Unscaled => spent,
        };
        let halvings = HALVINGS.iter().filter(|&&end| step > end).count();
        self.p / f64::from(1u32 << halvings)
    }

    /// The side in pixels of an Linf window in a picture of side `res`:
    /// round(sqrt(p * res * res)), within \[1, res - 1\].
    pub fn side(&self, spent: u64, res: usize) -> usize {
        self.rounded(spent, res).clamp(1, (res - 1).max(1))
    }

    /// The side of an L2 window: at least 3 and odd, as published, and smaller
    /// than the picture where that has more than 3 pixels a side.
    pub fn odd_side(&self, spent: u64, res: usize) -> usize {
        let side = self.rounded(spent, res).max(3);
        let odd = side + 1 - side % 2;
        let most = (res - 1).max(1);
        odd.min(most - (1 - most % 2)).max(1)
    }

    fn rounded(&self, spent: u64, res: usize) -> usize {
        (self.share(spent) * (res * res) as f64).sqrt().round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sides(schedule: Schedule, res: usize) -> Vec<usize> {
        let mut sides: Vec<_> = (1..=schedule.budget).map(|spent| schedule.side(spent, res)).collect();
        sides.dedup();
        sides
    }

    #[test]
    fn windows_have_the_published_sides() {
        let autoattack = Schedule { p: 0.8, pace: Pace::Unscaled, budget: 5000 };
        assert_eq!(sides(autoattack, 224), [200, 142, 100, 71, 50, 35, 25, 18]);
        let original = Schedule { p: 0.05, pace: Pace::Scaled, budget: 10_000 };
        assert_eq!(sides(original, 224), [50, 35, 25, 18, 13, 9, 6, 4, 3, 2]);
    }

    #[test]
    fn a_scaled_schedule_halves_at_the_same_share_of_any_budget() {
        let small = Schedule { p: 0.8, pace: Pace::Scaled, budget: 1000 };
        let large = Schedule { budget: 10_000, ..small };
        for spent in 1..=1000 {
            assert_eq!(small.share(spent), large.share((spent - 1) * 10 + 1));
        }
        assert_eq!(large.share(11), 0.8, "step 10 is the last before the first halving");
        assert_eq!(large.share(12), 0.4);
    }

    #[test]
    fn windows_fit_every_picture() {
        let schedule = Schedule { p: 1.0, pace: Pace::Unscaled, budget: 10 };
        for res in 1..40 {
            let (side, odd) = (schedule.side(1, res), schedule.odd_side(1, res));
            assert!((1..=(res - 1).max(1)).contains(&side), "{res}: {side}");
            assert!((1..=(res - 1).max(1)).contains(&odd) && odd % 2 == 1, "{res}: {odd}");
        }
        assert_eq!(Schedule { p: 1e-9, ..schedule }.odd_side(1, 224), 3);
    }
}
