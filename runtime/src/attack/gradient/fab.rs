//! FAB (Croce and Hein, "Minimally distorted adversarial examples with a fast
//! adaptive boundary attack", ICML 2020, algorithm 1) for one logit: two classes
//! have one boundary, so that one hyperplane stands for it.

use super::channel::{Channel, Evaluated};
use super::geometry::{between, boxed, distance, length, moved, random_step};
use super::hyperplane::step_onto;
use super::lockstep::{Lockstep, Walk};
use super::survivor::Nearest;
use crate::attack::query::Query;
use crate::attack::{Attack, Goal, Proposal};
use crate::detector::oracle::{AttackLoss, OracleError};
use crate::random;
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FabSettings {
    /// Steps of a start.
    pub steps: usize,
    /// Starts: the picture itself, then random points.
    pub restarts: usize,
    /// How far beyond the linearised boundary a step goes.
    pub eta: f64,
    /// How much of its change a point that has crossed keeps.
    pub beta: f64,
    /// How much of a step may start from the picture instead of from the point.
    pub alpha_max: f64,
    /// Steps of the last search, on the way from the picture to the nearest point.
    pub final_steps: usize,
    /// What it is after.
    pub goal: Goal,
    /// Of the random starts.
    pub seed: u64,
}

impl Default for FabSettings {
    /// The paper's and AutoAttack's: 100 steps, 5 starts, eta 1.05, beta 0.9,
    /// alpha_max 0.1, 3 last steps.
    fn default() -> Self {
        Self {
            steps: 100,
            restarts: 5,
            eta: 1.05,
            beta: 0.9,
            alpha_max: 0.1,
            final_steps: 3,
            goal: Goal::Inside,
            seed: 0,
        }
    }
}

/// The attack, in the threat's norm. A point costs one query, one that crosses a
/// second one (the gradient after it was pulled back), and until one is known one that
/// crosses within the ball further ones, of its 8-bit pictures.
pub struct Fab<'a> {
    lockstep: Lockstep<'a>,
    settings: FabSettings,
}

/// What the starts of one picture have found.
struct Search<'w> {
    channel: &'w Channel<'w>,
    settings: FabSettings,
    nearest: Nearest,
    /// Where the latest start stood last.
    last: Vec<f32>,
}

impl<'a> Fab<'a> {
    /// Attacks the network behind `lockstep`.
    pub fn new(lockstep: Lockstep<'a>, settings: FabSettings) -> Self {
        Self { lockstep, settings }
    }
}

impl Search<'_> {
    /// The picture, or a random point at half the radius or half the way to the
    /// nearest point, whichever is less.
    fn first_point(&self, restart: usize) -> Vec<f32> {
        let channel = self.channel;
        if restart == 0 {
            return channel.clean.clone();
        }
        let key = ["fab".into(), channel.target.id.into(), (restart as u64).into()];
        let mut random = random::stream(self.settings.seed, &key);
        let step = random_step(channel.threat.norm, channel.clean.len(), &mut random);
        let radius = 0.5 * self.nearest.distance().min(f64::from(channel.threat.eps()));
        boxed(moved(&channel.clean, radius, &step))
    }

    /// One start; with [`Goal::Inside`] ends at the first 8-bit picture that crosses.
    async fn start(&mut self, restart: usize) -> Option<Vec<f32>> {
        let (channel, settings) = (self.channel, self.settings);
        let mut here = channel.evaluate(self.first_point(restart), AttackLoss::Margin).await;
        for left in (0..=settings.steps).rev() {
            if channel.crossed(&here) {
                self.nearest.offer(distance(channel.threat.norm, &channel.clean, &here.values), &here.values);
                if let Some(done) = self.nearest.try_rounding(channel, &here.values, settings.goal).await {
                    return Some(done);
                }
                if left > 0 {
                    let pulled = between(&channel.clean, &here.values, settings.beta);
                    here = channel.evaluate(pulled, AttackLoss::Margin).await;
                }
            }
            let Some(next) = self.next_point(&here).filter(|_| left > 0) else { break };
            here = channel.evaluate(next, AttackLoss::Margin).await;
        }
        self.last = here.values;
        None
    }

    /// A step over the linearised boundary, a little biased to the picture; none
    /// where the gradient is zero.
    fn next_point(&self, here: &Evaluated) -> Option<Vec<f32>> {
        let (channel, norm) = (self.channel, self.channel.threat.norm);
        let margin = channel.margin(here);
        if !margin.is_finite() || here.gradient.iter().all(|&value| value == 0.0) {
            return None;
        }
        // The gradient of the loss is that of the margin, negated: along a step the
        // margin falls by <gradient, step>.
        let normal = &here.gradient;
        let moved_on = channel.clean.iter().zip(&here.values).zip(normal);
        let along: f64 = moved_on.map(|((a, b), n)| (f64::from(*a) - f64::from(*b)) * f64::from(*n)).sum();
        let from_here = step_onto(norm, &here.values, normal, margin);
        let from_clean = step_onto(norm, &channel.clean, normal, margin - along);
        let lengths = (length(norm, &from_here), length(norm, &from_clean));
        let alpha = (lengths.0 / (lengths.0 + lengths.1).max(1e-12)).min(self.settings.alpha_max);
        let on = moved(&here.values, self.settings.eta, &from_here);
        let anew = moved(&channel.clean, self.settings.eta, &from_clean);
        // The mixture is taken before the box.
        let mixed = on.iter().zip(&anew).map(|(&on, &anew)| {
            ((1.0 - alpha) * f64::from(on) + alpha * f64::from(anew)).clamp(0.0, 1.0) as f32
        });
        Some(mixed.collect())
    }

    /// Draws the nearest point nearer on the straight way from the picture: each
    /// time a little beyond where the margin would be 0 if it were linear between the last point
    /// that did not cross and the last that did.
    async fn draw_near(&mut self, clean_margin: f64) {
        let channel = self.channel;
        let Some(values) = self.nearest.values() else { return };
        let mut high = channel.evaluate(values.to_vec(), AttackLoss::Margin).await;
        let (mut low, mut low_margin) = (channel.clean.clone(), clean_margin);
        for _ in 0..self.settings.final_steps {
            let share = low_margin / (low_margin - channel.margin(&high));
            if !(share > 0.0 && share < 1.0) {
                break;
            }
            // A little beyond, or rounding would keep every point of a linear model short.
            let share = share + 0.01 * (1.0 - share);
            let evaluated = channel.evaluate(between(&low, &high.values, share), AttackLoss::Margin).await;
            if channel.crossed(&evaluated) {
                high = evaluated;
            } else if evaluated.loss.is_finite() {
                low_margin = channel.margin(&evaluated);
                low = evaluated.values;
            } else {
                break;
            }
        }
        self.nearest.offer(distance(channel.threat.norm, &channel.clean, &high.values), &high.values);
    }
}

impl Walk for Fab<'_> {
    async fn walk(&self, channel: &Channel<'_>) -> Vec<f32> {
        if channel.threat.eps_255 <= 0.0 {
            return channel.clean.clone();
        }
        let (nearest, last) = (Nearest::default(), channel.clean.clone());
        let mut search = Search { channel, settings: self.settings, nearest, last };
        for restart in 0..self.settings.restarts.max(1) {
            if let Some(done) = search.start(restart).await {
                return done;
            }
        }
        if search.nearest.distance().is_finite() {
            let clean = channel.evaluate(channel.clean.clone(), AttackLoss::Margin).await;
            search.draw_near(channel.margin(&clean)).await;
        }
        let Search { nearest, last, .. } = search;
        nearest.proposal(channel, self.settings.goal).await.unwrap_or_else(|| channel.clipped(last))
    }
}

impl Attack for Fab<'_> {
    fn name(&self) -> &str {
        "fab"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let settings = self.settings;
        let pairs = [
            ("steps", json!(settings.steps)),
            ("restarts", json!(settings.restarts)),
            ("eta", json!(settings.eta)),
            ("beta", json!(settings.beta)),
            ("alpha_max", json!(settings.alpha_max)),
            ("final_steps", json!(settings.final_steps)),
            ("goal", json!(settings.goal)),
            ("seed", json!(settings.seed)),
        ];
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
