//! An attack whose gradients are compared with differences of the logits they are of.

use crate::attack::gates;
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal, Target, planes};
use crate::data::batch::Batch;
use crate::detector::oracle::{AttackLoss, GradientOracle, OracleError};
use crate::results::attack::Gate;
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value};

/// How far the two points lie from the picture, values in \[0, 1\]: so that the logits'
/// difference is far above the rounding of 32-bit floats and the loss nearly straight.
const STEP: f32 = 2e-4;
/// The relative difference that is allowed: curvature takes a few hundredths, a wrong
/// gradient is off by about 1.
const TOLERANCE: f64 = 0.2;

/// An attack and the gradients that it follows.
pub struct Checked<'a> {
    attack: Box<dyn Attack + 'a>,
    oracle: &'a dyn GradientOracle,
}

impl<'a> Checked<'a> {
    /// `attack` follows the gradients of `oracle`.
    pub fn new(attack: Box<dyn Attack + 'a>, oracle: &'a dyn GradientOracle) -> Self {
        Self { attack, oracle }
    }
}

impl Attack for Checked<'_> {
    fn name(&self) -> &str {
        self.attack.name()
    }

    fn parameters(&self, threat: Threat) -> Map<String, Value> {
        self.attack.parameters(threat)
    }

    fn norms(&self) -> &'static [Norm] {
        self.attack.norms()
    }

    fn batch(&self) -> usize {
        self.attack.batch()
    }

    fn measures(&self, threat: Threat) -> Option<Norm> {
        self.attack.measures(threat)
    }

    fn checks(&self, targets: &[Target], threat: Threat) -> Result<Vec<Gate>, OracleError> {
        let mut gates = self.attack.checks(targets, threat)?;
        gates.extend(finite_differences(self.oracle, targets)?);
        Ok(gates)
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        self.attack.propose(queries, threat)
    }
}

/// The rise of the margin along the signs of its gradient, by the gradient and by the
/// logits on both sides. None where no gradient says anything: that is another gate's.
fn finite_differences(oracle: &dyn GradientOracle, targets: &[Target]) -> Result<Option<Gate>, OracleError> {
    let mut worst: Option<f64> = None;
    for target in targets {
        let values = planes(&target.picture);
        let batch = |values: Vec<f32>| Batch { res: oracle.res(), values };
        let (_, gradient) =
            oracle.loss_gradient(&batch(values.clone()), &[target.label], AttackLoss::Margin)?;
        let slope: f64 = gradient.values.iter().map(|value| f64::from(value.abs())).sum();
        if !slope.is_finite() || slope <= 0.0 {
            continue;
        }
        let moved = |step: f32| {
            let moved = values.iter().zip(&gradient.values).map(|(value, slope)| {
                // Not f32::signum, which gives zero a sign.
                let sign = if *slope == 0.0 { 0.0 } else { slope.signum() };
                value + step * sign
            });
            oracle.logits(&batch(moved.collect()))
        };
        let (up, down) = (moved(STEP)?[0], moved(-STEP)?[0]);
        // The loss is the margin's negative: -label * logit.
        let rise = -f64::from(target.label.sign()) * (f64::from(up) - f64::from(down));
        let error = (rise / (2.0 * f64::from(STEP)) / slope - 1.0).abs();
        let error = if error.is_nan() { f64::from(f32::MAX) } else { error };
        worst = Some(worst.map_or(error, |worst| worst.max(error)));
    }
    Ok(worst.map(|error| gates::finite_difference(error, TOLERANCE)))
}
