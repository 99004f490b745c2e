//! CW-L2 (Carlini and Wagner, "Towards evaluating the robustness of neural
//! networks", IEEE S&P 2017, section VI.A) for one logit.

use super::channel::{Channel, Evaluated};
use super::geometry::distance;
use super::lockstep::{Lockstep, Walk};
use super::survivor::Nearest;
use crate::attack::query::Query;
use crate::attack::{Attack, Goal, Proposal};
use crate::detector::oracle::{AttackLoss, OracleError};
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CarliniWagnerSettings {
    /// Steps of Adam for one weight c, at most.
    pub steps: usize,
    /// Adam's learning rate.
    pub rate: f64,
    /// The weight c of the margin that is tried first.
    pub first_weight: f64,
    /// Weights tried.
    pub searches: usize,
    /// How far beyond the threshold the logit shall go.
    pub confidence: f64,
    /// What it is after.
    pub goal: Goal,
}

impl Default for CarliniWagnerSettings {
    /// The published code's, but for 1,000 steps a weight instead of up to 10,000:
    /// rate 0.01, 9 weights from 0.001, confidence 0.
    fn default() -> Self {
        Self { steps: 1000, rate: 0.01, first_weight: 1e-3, searches: 9, confidence: 0.0, goal: Goal::Inside }
    }
}

/// The attack. It lowers |x' - x|^2 + c * max(margin, -confidence) over the w of
/// x' = (tanh(w) + 1) / 2 by Adam, and searches the smallest c that crosses: times
/// 10 until one does, then by halving. What is lowered is the L2 length, whatever
/// the norm of the threat. As published, a descent ends where a tenth of its steps
/// has not lowered the sum by 0.01 %.
pub struct CarliniWagner<'a> {
    lockstep: Lockstep<'a>,
    settings: CarliniWagnerSettings,
}

/// The share of [-1, 1] that the change of variables uses, so that 0 and 1 have a w.
const REACH: f64 = 0.999_999;

impl<'a> CarliniWagner<'a> {
    /// Attacks the network behind `lockstep`.
    pub fn new(lockstep: Lockstep<'a>, settings: CarliniWagnerSettings) -> Self {
        Self { lockstep, settings }
    }

    /// A descent with the weight `weight`: whether any point crossed, or the 8-bit
    /// picture that ends the attack.
    async fn descend(
        &self,
        channel: &Channel<'_>,
        weight: f64,
        nearest: &mut Nearest,
    ) -> Result<bool, Vec<f32>> {
        let settings = self.settings;
        let mut descent = Descent::new(&channel.clean, settings.rate);
        let mut crossed = false;
        let mut lowest_before = f64::INFINITY;
        for step in 0..settings.steps {
            let evaluated = channel.evaluate(descent.values(), AttackLoss::Margin).await;
            if !channel.margin(&evaluated).is_finite() {
                break;
            }
            let far = distance(Norm::L2, &channel.clean, &evaluated.values);
            if channel.crossed(&evaluated) && channel.margin(&evaluated) <= -settings.confidence {
                crossed = true;
                let nearer = far < nearest.distance();
                nearest.offer(far, &evaluated.values);
                if nearer
                    && let Some(done) = nearest.try_rounding(channel, &evaluated.values, settings.goal).await
                {
                    return Err(done);
                }
            }
            let sum = far * far + weight * channel.margin(&evaluated).max(-settings.confidence);
            if step % (settings.steps / 10).max(1) == 0 {
                if sum > 0.9999 * lowest_before {
                    break;
                }
                lowest_before = sum;
            }
            let weight = if channel.margin(&evaluated) > -settings.confidence { weight } else { 0.0 };
            descent.step(&channel.clean, &evaluated, weight);
        }
        Ok(crossed)
    }
}

/// The variables w and what Adam remembers of them.
struct Descent {
    rate: f64,
    w: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    /// The decays of both moments to the power of the steps taken.
    decayed: (f64, f64),
}

impl Descent {
    const DECAYS: (f64, f64) = (0.9, 0.999);

    fn new(clean: &[f32], rate: f64) -> Self {
        let w = clean.iter().map(|&value| ((2.0 * f64::from(value) - 1.0) * REACH).atanh()).collect();
        let zeros = vec![0.0; clean.len()];
        Self { rate, w, first: zeros.clone(), second: zeros, decayed: (1.0, 1.0) }
    }

    fn values(&self) -> Vec<f32> {
        self.w.iter().map(|w| (0.5 * (w.tanh() + 1.0)) as f32).collect()
    }

    /// One step of Adam on the squared distance less `weight` times the loss there.
    fn step(&mut self, clean: &[f32], evaluated: &Evaluated, weight: f64) {
        let (keep_first, keep_second) = Self::DECAYS;
        self.decayed = (self.decayed.0 * keep_first, self.decayed.1 * keep_second);
        for (index, w) in self.w.iter_mut().enumerate() {
            let tanh = w.tanh();
            let change = 0.5 * (tanh + 1.0) - f64::from(clean[index]);
            let slope = 2.0 * change - weight * f64::from(evaluated.gradient[index]);
            let slope = slope * 0.5 * (1.0 - tanh * tanh);
            let (first, second) = (&mut self.first[index], &mut self.second[index]);
            *first = keep_first * *first + (1.0 - keep_first) * slope;
            *second = keep_second * *second + (1.0 - keep_second) * slope * slope;
            let (mean, square) = (*first / (1.0 - self.decayed.0), *second / (1.0 - self.decayed.1));
            *w -= self.rate * mean / (square.sqrt() + 1e-8);
        }
    }
}

impl Walk for CarliniWagner<'_> {
    async fn walk(&self, channel: &Channel<'_>) -> Vec<f32> {
        if channel.threat.eps_255 <= 0.0 {
            return channel.clean.clone();
        }
        let mut nearest = Nearest::default();
        let (mut low, mut high, mut weight) = (0.0, f64::INFINITY, self.settings.first_weight);
        for _ in 0..self.settings.searches {
            match self.descend(channel, weight, &mut nearest).await {
                Err(done) => return done,
                Ok(true) => high = weight,
                Ok(false) => low = weight,
            }
            weight = if high.is_finite() { 0.5 * (low + high) } else { 10.0 * weight };
        }
        nearest.proposal(channel, self.settings.goal).await.unwrap_or_else(|| channel.clean.clone())
    }
}

impl Attack for CarliniWagner<'_> {
    fn name(&self) -> &str {
        "cw"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let settings = self.settings;
        let pairs = [
            ("minimises", json!(Norm::L2)),
            ("steps", json!(settings.steps)),
            ("rate", json!(settings.rate)),
            ("first_weight", json!(settings.first_weight)),
            ("searches", json!(settings.searches)),
            ("confidence", json!(settings.confidence)),
            ("goal", json!(settings.goal)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn batch(&self) -> usize {
        self.lockstep.batch
    }

    fn measures(&self, threat: Threat) -> Option<Norm> {
        self.settings.goal.measures(threat).map(|_| Norm::L2)
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        self.lockstep.attack(queries, threat, self)
    }
}
