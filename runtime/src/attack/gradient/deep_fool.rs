//! DeepFool (Moosavi-Dezfooli, Fawzi and Frossard, "DeepFool: a simple and accurate
//! method to fool deep neural networks", CVPR 2016) for one logit.

use super::channel::{Channel, Evaluated};
use super::geometry::{between, boxed, distance, length, moved, steepest, sum_of_sizes};
use super::lockstep::{Lockstep, Walk};
use super::survivor::survive_rounding;
use crate::attack::query::Query;
use crate::attack::{Attack, Goal, Proposal};
use crate::detector::oracle::{AttackLoss, OracleError};
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeepFoolSettings {
    /// Steps at most.
    pub steps: usize,
    /// How much farther than the linearised boundary a point is asked and proposed.
    pub overshoot: f64,
    /// What it is after.
    pub goal: Goal,
}

impl Default for DeepFoolSettings {
    /// The paper's: 50 steps, overshoot 0.02.
    fn default() -> Self {
        Self { steps: 50, overshoot: 0.02, goal: Goal::Inside }
    }
}

/// The attack. Each step is the closed form of the shortest way to the linearised
/// boundary in the threat's norm, without the box (p = 2, and the paper's section 3
/// for p = infinity); the first point that crosses is the end.
///
/// Unlike the published code, points stay in the box: what the bounds 0 and 1 take from a step,
/// the next ones make up for. Its 1e-4 that is added to every step is left out.
pub struct DeepFool<'a> {
    lockstep: Lockstep<'a>,
    settings: DeepFoolSettings,
}

impl<'a> DeepFool<'a> {
    /// Attacks the network behind `lockstep`.
    pub fn new(lockstep: Lockstep<'a>, settings: DeepFoolSettings) -> Self {
        Self { lockstep, settings }
    }
}

/// The shortest step from `reached` to the boundary as linearised at `evaluated`; none
/// where there is none.
fn step(channel: &Channel<'_>, reached: &[f32], evaluated: &Evaluated) -> Option<Vec<f32>> {
    let norm = channel.threat.norm;
    // The length of the gradient in the dual norm: the margin lost by a step of 1.
    let slope = match norm {
        Norm::Linf => sum_of_sizes(&evaluated.gradient),
        Norm::L2 => length(norm, &evaluated.gradient),
    };
    // Measured at the point evaluated, the overshoot would pass for progress: where a bound
    // shortens every step, the points would come to rest before the boundary.
    let reach = (channel.margin(evaluated) + climbed(reached, evaluated)) / slope;
    // The gradient is that of the loss, so it leads over the threshold.
    let direction = steepest(norm, &evaluated.gradient);
    reach.is_finite().then(|| direction.iter().map(|&value| (reach * f64::from(value)) as f32).collect())
}

/// How much higher the linearised loss is at the point evaluated than at `reached`.
fn climbed(reached: &[f32], evaluated: &Evaluated) -> f64 {
    let places = evaluated.values.iter().zip(reached).zip(&evaluated.gradient);
    places.map(|((evaluated, reached), slope)| f64::from(evaluated - reached) * f64::from(*slope)).sum()
}

impl Walk for DeepFool<'_> {
    async fn walk(&self, channel: &Channel<'_>) -> Vec<f32> {
        if channel.threat.eps_255 <= 0.0 {
            return channel.clean.clone();
        }
        let mut reached = channel.clean.clone();
        let mut here = channel.evaluate(reached.clone(), AttackLoss::Margin).await;
        for _ in 0..self.settings.steps {
            if channel.crossed(&here) {
                break;
            }
            let Some(step) = step(channel, &reached, &here) else { break };
            reached = boxed(moved(&reached, 1.0, &step));
            let beyond = between(&channel.clean, &reached, 1.0 + self.settings.overshoot);
            here = channel.evaluate(beyond, AttackLoss::Margin).await;
        }
        if !channel.crossed(&here) {
            return channel.clipped(here.values);
        }
        if self.settings.goal == Goal::Nearest {
            channel.record_distance(distance(channel.threat.norm, &channel.clean, &here.values));
        }
        survive_rounding(channel, here.values).await
    }
}

impl Attack for DeepFool<'_> {
    fn name(&self) -> &str {
        "deepfool"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let DeepFoolSettings { steps, overshoot, goal } = self.settings;
        let pairs = [("steps", json!(steps)), ("overshoot", json!(overshoot)), ("goal", json!(goal))];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn batch(&self) -> usize {
        self.lockstep.batch
    }

    fn measures(&self, threat: Threat) -> Option<Norm> {
        self.settings.goal.measures(threat)
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        self.lockstep.attack(queries, threat, self)
    }
}
