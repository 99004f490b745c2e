//! APGD (Croce and Hein, "Reliable evaluation of adversarial robustness with an
//! ensemble of diverse parameter-free attacks", ICML 2020, algorithm 1), with the
//! cross-entropy or the margin as its loss.
//!
//! The published second loss, DLR, needs three classes; the margin stands for it.

use super::channel::{Channel, Evaluated};
use super::geometry::{between, moved, random_step, steepest};
use super::lockstep::{Lockstep, Walk};
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal};
use crate::detector::oracle::{AttackLoss, OracleError};
use crate::random;
use crate::threat::Threat;
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApgdSettings {
    /// What is raised. [`AttackLoss::CrossEntropy`] is taken at its word: where its
    /// gradient has vanished the attack stands still, and the count says so.
    pub loss: AttackLoss,
    /// Steps of a start.
    pub steps: usize,
    /// Starts; further ones only for pictures that the earlier ones left.
    pub restarts: usize,
    /// The share of steps between two checkpoints that must rise.
    pub rho: f64,
    /// The share of a step that is new; the rest is the step before.
    pub momentum: f64,
    /// Whether a picture is done once its 8-bit picture crosses. Without, every
    /// step is taken and the highest loss proposed: for a transfer.
    pub stop_early: bool,
    /// Of the random starts.
    pub seed: u64,
}

impl ApgdSettings {
    /// AutoAttack's: 100 steps, one start, rho and momentum 0.75.
    pub fn new(loss: AttackLoss) -> Self {
        Self { loss, steps: 100, restarts: 1, rho: 0.75, momentum: 0.75, stop_early: true, seed: 0 }
    }
}

/// The attack. Two departures from AutoAttack's code: the loss at the start takes
/// part in counting the rises before the first checkpoint, as in the paper, and
/// what stops a picture is its 8-bit picture, at the price of one more query each
/// time that the float crosses.
pub struct Apgd<'a> {
    lockstep: Lockstep<'a>,
    settings: ApgdSettings,
}

/// Where a start came to.
enum Climb {
    /// An 8-bit picture that crosses.
    Done(Vec<f32>),
    /// The highest loss. For one logit that is the point that has crossed farthest,
    /// so that none that crosses needs to be kept beside it.
    Peak(Evaluated),
}

impl<'a> Apgd<'a> {
    /// Attacks the network behind `lockstep`.
    pub fn new(lockstep: Lockstep<'a>, settings: ApgdSettings) -> Self {
        Self { lockstep, settings }
    }

    /// A point on the edge of the ball.
    fn first_point(&self, channel: &Channel<'_>, restart: usize) -> Vec<f32> {
        let key = [self.name().into(), channel.target.id.into(), (restart as u64).into()];
        let mut random = random::stream(self.settings.seed, &key);
        let step = random_step(channel.threat.norm, channel.clean.len(), &mut random);
        channel.clipped(moved(&channel.clean, f64::from(channel.threat.eps()), &step))
    }

    /// The 8-bit picture of `evaluated` that ends the attack.
    async fn done(&self, channel: &Channel<'_>, evaluated: &Evaluated) -> Option<Vec<f32>> {
        match self.settings.stop_early && channel.crossed_by(evaluated, self.settings.loss) {
            true => channel.survivor(&evaluated.values).await,
            false => None,
        }
    }

    async fn climb(&self, channel: &Channel<'_>, restart: usize) -> Climb {
        let ApgdSettings { loss, steps, rho, .. } = self.settings;
        let mut here = channel.evaluate(self.first_point(channel, restart), loss).await;
        if let Some(survivor) = self.done(channel, &here).await {
            return Climb::Done(survivor);
        }
        let mut before = here.values.clone();
        let mut peak = here.clone();
        let mut checkpoints = Checkpoints::new(steps, here.loss);
        let mut step = 2.0 * f64::from(channel.threat.eps());
        for index in 0..steps {
            let next = self.next_point(channel, &here, &before, step, index == 0);
            let next = channel.evaluate(next, loss).await;
            if let Some(survivor) = self.done(channel, &next).await {
                return Climb::Done(survivor);
            }
            let rose = next.loss > here.loss;
            before = std::mem::replace(&mut here, next).values;
            if here.loss > peak.loss {
                peak = here.clone();
            }
            if checkpoints.halves(rho, rose, peak.loss) {
                step /= 2.0;
                here = peak.clone();
            }
        }
        Climb::Peak(peak)
    }

    /// One step with momentum, projected before and after the mixing.
    fn next_point(
        &self,
        channel: &Channel<'_>,
        here: &Evaluated,
        before: &[f32],
        step: f64,
        first: bool,
    ) -> Vec<f32> {
        let direction = steepest(channel.threat.norm, &here.gradient);
        let plain = channel.clipped(moved(&here.values, step, &direction));
        if first {
            return plain;
        }
        let share = self.settings.momentum;
        let mut mixed = between(&here.values, &plain, share);
        for ((mixed, &here), &before) in mixed.iter_mut().zip(&here.values).zip(before) {
            *mixed += (1.0 - share) as f32 * (here - before);
        }
        channel.clipped(mixed)
    }
}

/// When the step is halved: at checkpoints whose distance falls from 22 % of the
/// steps by 3 % each to 6 %.
struct Checkpoints {
    window: usize,
    shrink: usize,
    least: usize,
    since: usize,
    rises: usize,
    halved: bool,
    best: f32,
}

impl Checkpoints {
    /// `steps` in all, from a point with the loss `start`.
    fn new(steps: usize, start: f32) -> Self {
        let share = |percent: usize| (percent * steps / 100).max(1);
        // As though halved before: the first checkpoint compares the rises alone.
        let (halved, since, rises) = (true, 0, 0);
        Self { window: share(22), shrink: share(3), least: share(6), since, rises, halved, best: start }
    }

    /// Takes in a step, and says whether the next ones shall be half as long: too
    /// few rises since the last checkpoint, or neither a halving nor a new best.
    fn halves(&mut self, rho: f64, rose: bool, best: f32) -> bool {
        self.since += 1;
        self.rises += usize::from(rose);
        if self.since < self.window {
            return false;
        }
        let restless = self.rises as f64 <= rho * self.window as f64;
        let stuck = !self.halved && self.best >= best;
        self.halved = restless || stuck;
        self.best = best;
        self.window = self.window.saturating_sub(self.shrink).max(self.least);
        (self.since, self.rises) = (0, 0);
        self.halved
    }
}

impl Walk for Apgd<'_> {
    async fn walk(&self, channel: &Channel<'_>) -> Vec<f32> {
        if channel.threat.eps_255 <= 0.0 {
            return channel.clean.clone();
        }
        let mut best: Option<Evaluated> = None;
        for restart in 0..self.settings.restarts.max(1) {
            match self.climb(channel, restart).await {
                Climb::Done(values) => return values,
                Climb::Peak(peak) if best.as_ref().is_none_or(|best| peak.loss > best.loss) => {
                    best = Some(peak)
                }
                Climb::Peak(_) => {}
            }
        }
        best.map_or_else(|| channel.clean.clone(), |best| best.values)
    }
}

impl Attack for Apgd<'_> {
    fn name(&self) -> &str {
        match self.settings.loss {
            AttackLoss::CrossEntropy => "apgd-ce",
            AttackLoss::Margin => "apgd-margin",
        }
    }

    fn parameters(&self, threat: Threat) -> Map<String, Value> {
        let settings = self.settings;
        let loss = match settings.loss {
            AttackLoss::CrossEntropy => "cross-entropy",
            AttackLoss::Margin => "margin",
        };
        let pairs = [
            ("loss", json!(loss)),
            ("steps", json!(settings.steps)),
            ("restarts", json!(settings.restarts)),
            ("step_255", json!(2.0 * threat.eps_255)),
            ("rho", json!(settings.rho)),
            ("momentum", json!(settings.momentum)),
            ("stop_early", json!(settings.stop_early)),
            ("seed", json!(settings.seed)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn batch(&self) -> usize {
        self.lockstep.batch
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        self.lockstep.attack(queries, threat, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps after which the step is checked, of 1000 that always rise.
    fn checkpoints(steps: usize) -> Vec<usize> {
        let mut checkpoints = Checkpoints::new(steps, 0.0);
        let at_one = |&step: &usize| {
            checkpoints.halves(0.75, true, step as f32);
            checkpoints.since == 0
        };
        (1..=steps).filter(at_one).collect()
    }

    #[test]
    fn checkpoints_are_the_papers() {
        assert_eq!(checkpoints(100), [22, 41, 57, 70, 80, 87, 93, 99]);
        assert_eq!(checkpoints(3), [1, 2, 3]);
    }

    #[test]
    fn a_step_is_halved_for_few_rises_or_for_no_gain_since_a_checkpoint_that_did_not() {
        let mut few = Checkpoints::new(100, 0.0);
        let halved: Vec<_> = (0..41).filter(|step| few.halves(0.75, step % 2 == 0, *step as f32)).collect();
        assert_eq!(halved, [21, 40]);
        // All steps rise, and none beats the best of the first checkpoint.
        let mut stuck = Checkpoints::new(100, 0.0);
        let halved: Vec<_> = (0..70).filter(|_| stuck.halves(0.75, true, 1.0)).collect();
        assert_eq!(halved, [40, 69], "not the first, and not the one after a halving");
    }
}
