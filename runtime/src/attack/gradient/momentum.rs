//! MI-FGSM (Dong, Liao, Pang, Su, Zhu, Hu and Li, "Boosting adversarial attacks
//! with momentum", CVPR 2018).

use super::channel::Channel;
use super::geometry::{moved, steepest, sum_of_sizes};
use super::lockstep::{Lockstep, Walk};
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal};
use crate::detector::oracle::{AttackLoss, OracleError};
use crate::threat::Threat;
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumSettings {
    /// Steps of eps / steps each.
    pub steps: usize,
    /// How much of the gathered gradient a step keeps.
    pub decay: f64,
}

impl Default for MomentumSettings {
    /// The paper's: 10 steps, decay 1.
    fn default() -> Self {
        Self { steps: 10, decay: 1.0 }
    }
}

/// The attack. From the picture itself, each step adds the gradient divided by its
/// L1 length to the gathered one, and follows that one's signs (Linf) or direction
/// (L2); the last point is proposed.
///
/// The gradient is the margin's: for one logit it is a positive multiple of the
/// cross-entropy's, which vanishes in f32 on a confident logit. Dividing by the
/// length makes the two the same wherever both are there.
pub struct Momentum<'a> {
    lockstep: Lockstep<'a>,
    settings: MomentumSettings,
}

impl<'a> Momentum<'a> {
    /// Attacks the network behind `lockstep`.
    pub fn new(lockstep: Lockstep<'a>, settings: MomentumSettings) -> Self {
        Self { lockstep, settings }
    }
}

impl Walk for Momentum<'_> {
    async fn walk(&self, channel: &Channel<'_>) -> Vec<f32> {
        let mut values = channel.clean.clone();
        if channel.threat.eps_255 <= 0.0 {
            return values;
        }
        let step = channel.threat.eps_255 / 255.0 / self.settings.steps as f64;
        let mut gathered = vec![0.0; values.len()];
        for _ in 0..self.settings.steps {
            let evaluated = channel.evaluate(values, AttackLoss::Margin).await;
            let size = sum_of_sizes(&evaluated.gradient).max(f64::MIN_POSITIVE);
            for (gathered, &value) in gathered.iter_mut().zip(&evaluated.gradient) {
                *gathered = (self.settings.decay * f64::from(*gathered) + f64::from(value) / size) as f32;
            }
            values =
                channel.clipped(moved(&evaluated.values, step, &steepest(channel.threat.norm, &gathered)));
        }
        values
    }
}

impl Attack for Momentum<'_> {
    fn name(&self) -> &str {
        "mi-fgsm"
    }

    fn parameters(&self, threat: Threat) -> Map<String, Value> {
        let MomentumSettings { steps, decay } = self.settings;
        let pairs = [
            ("steps", json!(steps)),
            ("step_255", json!(threat.eps_255 / steps.max(1) as f64)),
            ("decay", json!(decay)),
            ("loss", json!("margin")),
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
