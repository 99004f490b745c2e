//! The attacks that ask for logits or labels alone.

use super::method::Method;
use super::plan::Plan;
use anyhow::Result;
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::decision::boundary::{Boundary, BoundarySettings};
use dfrt_runtime::attack::decision::hop_skip_jump::{HopSkipJump, HopSkipJumpSettings};
use dfrt_runtime::attack::decision::rays::{Rays, RaysSettings};
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::score::nes::{Nes, NesSettings};
use dfrt_runtime::attack::score::sign_hunter::{SignHunter, SignHunterSettings};
use dfrt_runtime::attack::score::simba::{Basis, Simba, SimbaSettings};
use dfrt_runtime::attack::score::spsa::{Spsa, SpsaSettings};
use dfrt_runtime::attack::square::Square;
use dfrt_runtime::detector::oracle::{Decisions, Oracle};

/// The queries of random noise, where nothing else is said.
const NOISE: u64 = 100;

/// What a black-box attack may ask: for logits, or for labels alone.
pub struct BlackBox<'a> {
    logits: &'a dyn Oracle,
    labels: Decisions<'a, dyn Oracle + 'a>,
    threshold: f32,
}

impl<'a> BlackBox<'a> {
    /// The model behind `oracle`, whose logit above `threshold` says fake.
    pub fn new(oracle: &'a dyn Oracle, threshold: f64) -> Self {
        let threshold = threshold as f32;
        Self { logits: oracle, labels: Decisions::new(oracle, threshold), threshold }
    }

    /// The attack that `plan` names.
    ///
    /// # Errors
    /// A ball that its search does not know.
    pub fn attack(&self, plan: &Plan) -> Result<Box<dyn Attack + '_>> {
        let Plan { threat, seed, goal, .. } = *plan;
        let (oracle, labels, threshold) = (self.logits, &self.labels, self.threshold);
        let queries = plan.queries.unwrap_or(5000);
        let simba = |basis| {
            let settings = SimbaSettings { queries, basis, seed, ..SimbaSettings::default() };
            Box::new(Simba::new(oracle, threat, threshold, settings))
        };
        Ok(match plan.method {
            Method::Square => Box::new(Square::new(oracle, threat, threshold, plan.square())),
            Method::Simba => simba(Basis::Pixel),
            Method::SimbaDct => simba(Basis::Dct),
            Method::Nes => {
                let settings = NesSettings { queries, seed, ..NesSettings::default() };
                Box::new(Nes::new(oracle, threat, threshold, settings))
            }
            Method::Spsa => {
                let settings = SpsaSettings { queries, seed, ..SpsaSettings::default() };
                Box::new(Spsa::new(oracle, threat, threshold, settings))
            }
            Method::SignHunter => {
                Box::new(SignHunter::new(oracle, threat, threshold, SignHunterSettings { queries })?)
            }
            Method::Rays => {
                let settings = RaysSettings { queries, goal, ..RaysSettings::default() };
                Box::new(Rays::new(labels, threat, settings)?)
            }
            Method::HopSkipJump => {
                let settings = HopSkipJumpSettings { queries, seed, goal, ..HopSkipJumpSettings::default() };
                Box::new(HopSkipJump::new(labels, threat, settings))
            }
            Method::Boundary => {
                let settings = BoundarySettings { queries, seed, goal, ..BoundarySettings::default() };
                Box::new(Boundary::new(labels, threat, settings)?)
            }
            _ => {
                let queries = plan.queries.unwrap_or(NOISE);
                Box::new(RandomNoise::new(oracle, threat, threshold, queries, seed))
            }
        })
    }
}
