//! Differentiable models whose best attack, or a bound on it, is known, and all
//! white-box attacks to try on them.

use dfrt_runtime::attack::gradient::apgd::{Apgd, ApgdSettings};
use dfrt_runtime::attack::gradient::carlini_wagner::{CarliniWagner, CarliniWagnerSettings};
use dfrt_runtime::attack::gradient::deep_fool::{DeepFool, DeepFoolSettings};
use dfrt_runtime::attack::gradient::fab::{Fab, FabSettings};
use dfrt_runtime::attack::gradient::lockstep::Lockstep;
use dfrt_runtime::attack::gradient::momentum::{Momentum, MomentumSettings};
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::{Attack, Goal, Proposal, Target};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle, Oracle, OracleError};
use dfrt_runtime::sample::Label;
use dfrt_runtime::sample::is_right;
use dfrt_runtime::threat::{Distance, Norm, Threat};
use image::RgbImage;
use std::sync::Mutex;

/// The side of most pictures.
pub const RES: usize = 8;

/// A function of the pixels and its gradient.
pub trait Model: Sync {
    fn logit(&self, values: &[f32]) -> f64;
    fn slope(&self, values: &[f32]) -> Vec<f64>;
}

/// A model as an oracle that keeps the size of every batch it was asked.
pub struct Planted<M> {
    pub model: M,
    pub res: usize,
    pub asked: Mutex<Vec<usize>>,
}

impl<M> Planted<M> {
    pub fn new(model: M) -> Self {
        Self { model, res: RES, asked: Mutex::default() }
    }
}

impl<M: Model> Oracle for Planted<M> {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        self.asked.lock().unwrap().push(batch.len());
        Ok((0..batch.len()).map(|index| self.model.logit(batch.picture(index)) as f32).collect())
    }

    fn res(&self) -> usize {
        self.res
    }
}

impl<M: Model> GradientOracle for Planted<M> {
    /// The cross-entropy's gradient as a network in f32 has it: sigmoid - target,
    /// which is exactly 0 on a confident logit.
    fn loss_gradient(
        &self,
        batch: &Batch,
        labels: &[Label],
        loss: AttackLoss,
    ) -> Result<(Vec<f32>, Batch), OracleError> {
        let logits = self.logits(batch)?;
        let mut losses = Vec::new();
        let mut gradient = Batch::new(batch.res);
        for (index, (&logit, &label)) in logits.iter().zip(labels).enumerate() {
            let (value, factor) = match loss {
                AttackLoss::Margin => (-label.sign() * logit, -label.sign()),
                AttackLoss::CrossEntropy => {
                    let away = -label.sign() * logit;
                    let value = away.max(0.0) + (-away.abs()).exp().ln_1p();
                    (value, 1.0 / (1.0 + (-logit).exp()) - label.target())
                }
            };
            losses.push(value);
            let slope = self.model.slope(batch.picture(index));
            gradient.values.extend(slope.iter().map(|&value| factor * value as f32));
        }
        Ok((losses, gradient))
    }
}

/// A number in [-1, 1) that looks random.
pub fn noise(place: usize) -> f64 {
    let bits = (place as u32 + 1).wrapping_mul(2_654_435_761) ^ 0x9E37_79B9;
    f64::from(bits.wrapping_mul(2_246_822_519) >> 8) / f64::from(1 << 23) - 1.0
}

/// z = <weights, x> + bias.
pub struct Linear {
    pub weights: Vec<f64>,
    pub bias: f64,
}

impl Linear {
    /// Weights from noise, times `scale`; on `target` the margin is `margin`.
    pub fn with_margin(target: &Target, scale: f64, margin: f64) -> Self {
        let len = target.picture.as_raw().len();
        let weights = (0..len).map(|place| scale * noise(place)).collect();
        let mut model = Self { weights, bias: 0.0 };
        model.bias = f64::from(target.label.sign()) * margin - model.logit(&planes(target));
        model
    }

    /// The same with the shortest way over the threshold `distance` long, in 1/255
    /// and as long as no bound is met.
    pub fn at_distance(target: &Target, norm: Norm, distance: f64) -> Self {
        let model = Self::with_margin(target, 1.0, 0.0);
        let margin = distance / 255.0 * dual(norm, &model.weights);
        Self::with_margin(target, 1.0, margin)
    }
}

/// The length of a gradient that a step of length 1 makes the most of.
pub fn dual(norm: Norm, weights: &[f64]) -> f64 {
    match norm {
        Norm::Linf => weights.iter().map(|weight| weight.abs()).sum(),
        Norm::L2 => weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt(),
    }
}

impl Model for Linear {
    fn logit(&self, values: &[f32]) -> f64 {
        self.weights.iter().zip(values).map(|(weight, &value)| weight * f64::from(value)).sum::<f64>()
            + self.bias
    }

    fn slope(&self, _values: &[f32]) -> Vec<f64> {
        self.weights.clone()
    }
}

/// z = bias + sum over units of height * tanh(<weights, x - 1/2>), of four units.
pub struct Curved {
    pub bias: f64,
    pub units: Vec<(f64, Vec<f64>)>,
}

impl Curved {
    /// On `target` the margin is `margin`.
    pub fn with_margin(target: &Target, margin: f64) -> Self {
        let len = target.picture.as_raw().len();
        let unit = |unit: usize| {
            let weights = (0..len).map(|place| 0.4 * noise(1000 * (unit + 1) + place)).collect();
            ([1.0, -0.8, 0.6, 0.5][unit], weights)
        };
        let mut model = Self { bias: 0.0, units: (0..4).map(unit).collect() };
        model.bias = f64::from(target.label.sign()) * margin - model.logit(&planes(target));
        model
    }

    /// No step of length 1 in `norm` changes the logit by more.
    pub fn steepness(&self, norm: Norm) -> f64 {
        self.units.iter().map(|(height, weights)| height.abs() * dual(norm, weights)).sum()
    }
}

fn excitation(weights: &[f64], values: &[f32]) -> f64 {
    weights.iter().zip(values).map(|(weight, &value)| weight * (f64::from(value) - 0.5)).sum()
}

impl Model for Curved {
    fn logit(&self, values: &[f32]) -> f64 {
        let units = self.units.iter();
        self.bias + units.map(|(height, weights)| height * excitation(weights, values).tanh()).sum::<f64>()
    }

    fn slope(&self, values: &[f32]) -> Vec<f64> {
        let mut slope = vec![0.0; values.len()];
        for (height, weights) in &self.units {
            let steep = height * (1.0 - excitation(weights, values).tanh().powi(2));
            slope.iter_mut().zip(weights).for_each(|(slope, weight)| *slope += steep * weight);
        }
        slope
    }
}

/// The same logit and slope everywhere.
pub struct Constant {
    pub logit: f64,
    pub slope: f64,
}

impl Model for Constant {
    fn logit(&self, _values: &[f32]) -> f64 {
        self.logit
    }

    fn slope(&self, values: &[f32]) -> Vec<f64> {
        vec![self.slope; values.len()]
    }
}

/// A picture of middling levels, `res` x `res`, different for every id.
pub fn target_of(res: usize, id: u64, label: Label) -> Target {
    let byte = |place: usize| (96.0 + 64.0 * (0.5 * noise(place + 7919 * id as usize) + 0.5)) as u8;
    let bytes = (0..3 * res * res).map(byte).collect();
    Target { id, label, picture: RgbImage::from_raw(res as u32, res as u32, bytes).unwrap() }
}

pub fn target(id: u64, label: Label) -> Target {
    target_of(RES, id, label)
}

pub fn planes(target: &Target) -> Vec<f32> {
    Batch::of(target.picture.width() as usize, [&target.picture]).values
}

pub fn threat(norm: Norm, eps_255: f64) -> Threat {
    Threat::new(norm, eps_255).unwrap()
}

/// Every attack with its published settings, at threshold 0.
pub fn attacks(oracle: &dyn GradientOracle, batch: usize, goal: Goal) -> Vec<Box<dyn Attack + '_>> {
    let lockstep = || Lockstep::new(oracle, 0.0, batch);
    vec![
        Box::new(Momentum::new(lockstep(), MomentumSettings::default())),
        Box::new(Apgd::new(lockstep(), ApgdSettings::new(AttackLoss::CrossEntropy))),
        Box::new(Apgd::new(lockstep(), ApgdSettings::new(AttackLoss::Margin))),
        Box::new(Fab::new(lockstep(), FabSettings { goal, ..FabSettings::default() })),
        Box::new(CarliniWagner::new(lockstep(), CarliniWagnerSettings { goal, ..Default::default() })),
        Box::new(DeepFool::new(lockstep(), DeepFoolSettings { goal, ..DeepFoolSettings::default() })),
    ]
}

/// The model of the judge, which an attack with a device of its own leaves alone.
struct Absent;

impl Oracle for Absent {
    fn logits(&self, _: &Batch) -> Result<Vec<f32>, OracleError> {
        Err(OracleError("the judge's model was asked".to_owned()))
    }

    fn res(&self) -> usize {
        RES
    }
}

/// What an attack proposes within `threat`.
pub fn proposed(attack: &dyn Attack, targets: &[Target], threat: Threat) -> Vec<Proposal> {
    let queries: Vec<_> = targets.iter().map(|target| Query::new(target, &Absent, 0.0)).collect();
    let proposals = attack.propose(&queries, threat).unwrap();
    assert_eq!(proposals.len(), targets.len());
    proposals
}

/// Whether the 8-bit picture of a proposal crosses threshold 0; a proposal
/// outside of the ball or the box fails the test.
pub fn succeeds(oracle: &dyn Oracle, threat: Threat, target: &Target, proposal: &Proposal) -> bool {
    let excess = threat.excess_255(&planes(target), &proposal.values);
    assert!(excess < 0.01, "{excess}/255 outside");
    let picture = threat.round(&target.picture, &proposal.values);
    assert!(threat.contains(Distance::between(&target.picture, &picture)));
    let logit = oracle.logits(&Batch::of(oracle.res(), [&picture])).unwrap()[0];
    logit.is_finite() && !is_right(logit, target.label, 0.0)
}
