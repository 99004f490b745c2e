//! NES (Ilyas, Engstrom, Athalye and Lin, "Black-box adversarial attacks with
//! limited queries and information", ICML 2018): projected steps along a gradient
//! that is estimated from antithetic Gaussian points.
//!
//! As published: sigma 0.001, 50 points a step, one more query for each iterate,
//! sign steps for Linf. Otherwise: no momentum and no decay of the step, whose
//! length is a share of the radius (the paper's 0.01 at its 0.05), so that small
//! radii are not overshot; the L2 step follows the normalised estimate; points
//! are kept within \[0, 1\]; the margin stands for the cross-entropy.

use super::estimate::{Estimate, length, sign};
use super::{Search, Stop, propose};
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal, record};
use crate::detector::oracle::OracleError;
use crate::random::normal;
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NesSettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// Standard deviation of the points around the iterate, pixels in \[0, 1\].
    pub sigma: f64,
    /// Points a step, half of them opposite the other half.
    pub samples: u64,
    /// Length of a step as a share of the radius.
    pub step: f64,
    /// Names the draws.
    pub seed: u64,
}

impl Default for NesSettings {
    /// The paper's sigma, points and relative step, and Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000, sigma: 0.001, samples: 50, step: 0.2, seed: 0 }
    }
}

/// The attack.
pub struct Nes {
    settings: NesSettings,
}

impl Nes {
    /// The attack.
    pub fn new(settings: NesSettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let NesSettings { sigma, samples, step, seed, .. } = self.settings;
        let mut random = search.query.draws(seed, &["nes".into(), search.id().into(), 0.into()]);
        let estimate = Estimate { reach: sigma, samples };
        let step = step * f64::from(search.query.threat.eps());
        let mut current = search.clean().to_vec();
        loop {
            let gradient = estimate.at(search, &current, &mut random, normal)?;
            let length = length(&gradient);
            for (value, slope) in current.iter_mut().zip(gradient) {
                let way = match search.query.threat.norm {
                    Norm::Linf => sign(slope),
                    Norm::L2 => slope / length,
                };
                *value -= (step * way) as f32;
            }
            search.clip(&mut current);
            search.offer(&current)?;
        }
    }
}

impl Attack for Nes {
    fn name(&self) -> &str {
        "nes"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let NesSettings { queries, sigma, samples, step, seed } = self.settings;
        record([
            ("queries", json!(queries)),
            ("sigma", json!(sigma)),
            ("samples", json!(samples)),
            ("step", json!(step)),
            ("seed", json!(seed)),
        ])
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        propose(queries, threat, self.settings.queries, |search| self.search(search))
    }
}
