//! Learning rate and the arm's scalars by step.

use super::settings::Settings;
use crate::arms::{Scalars, Time};
use crate::ops::optimizer::Optimizer;
use crate::ops::step::Step;
use std::f64::consts::PI;

/// The schedule of a run.
#[derive(Clone, Debug)]
pub struct Schedule<'a> {
    settings: &'a Settings,
    steps_an_epoch: usize,
}

impl<'a> Schedule<'a> {
    /// The schedule of `settings` with `steps_an_epoch` steps per epoch.
    pub fn new(settings: &'a Settings, steps_an_epoch: usize) -> Self {
        Self { settings, steps_an_epoch }
    }

    /// Learning rate of step `step` (from 0): a linear rise over the warm-up, then
    /// half a cosine down to the final share (Loshchilov & Hutter 2017).
    pub fn learning_rate(&self, step: usize) -> f32 {
        let settings = self.settings;
        let total = (settings.total_epochs() * self.steps_an_epoch) as f64;
        let warmup = (f64::from(settings.warmup_epochs) * self.steps_an_epoch as f64).min(total);
        let done = step as f64;
        if done < warmup {
            return settings.lr * ((done + 1.0) / warmup.max(1.0)).min(1.0) as f32;
        }
        let progress = ((done - warmup) / (total - warmup).max(1.0)).min(1.0);
        let last = f64::from(settings.final_lr);
        let share = last + (1.0 - last) * 0.5 * (1.0 + (PI * progress).cos());
        settings.lr * share as f32
    }

    /// The scalars of step `step`, whose loss is written to `slot` of the history.
    pub fn step(&self, step: usize, slot: usize) -> Step {
        let (bias1, bias2) = match self.settings.optimizer {
            Optimizer::Sgd { .. } => (1.0, 1.0),
            Optimizer::Adamw { beta1, beta2, .. } => {
                let time = (step + 1) as f64;
                let bias = |beta: f32| (1.0 - f64::from(beta).powf(time)) as f32;
                (bias(beta1), bias(beta2))
            }
        };
        let (steps_an_epoch, epochs) = (self.steps_an_epoch, self.settings.total_epochs());
        let at = Time { step, steps_an_epoch, epochs };
        let Scalars { radius, alpha, eps } = self.settings.method.arm().scalars(at);
        let learning_rate = self.learning_rate(step);
        Step { learning_rate, bias1, bias2, radius, alpha, eps, slot: slot as u32, ..Step::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_the_final_share() {
        let settings =
            Settings { epochs: 10, warmup_epochs: 1.0, lr: 1.0, final_lr: 0.1, ..Settings::default() };
        let schedule = Schedule::new(&settings, 20);
        let rates: Vec<f32> = (0..200).map(|step| schedule.learning_rate(step)).collect();
        assert_eq!(rates[0], 0.05);
        assert_eq!(rates[19], 1.0);
        assert!(rates[..20].is_sorted() && rates[20..].iter().rev().is_sorted());
        assert!((rates[199] - 0.1).abs() < 1e-3);
    }
}
