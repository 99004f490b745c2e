//! The sanity floor: plain random noise within the ball. An attack that does
//! not beat it is broken, or the model hides from it.

use super::ledger::Counted;
use super::tape;
use super::threat::{Norm, Threat};
use super::{Attack, Proposal, Target, is_right, margin, planes};
use crate::data::batch::Batch;
use crate::detector::oracle::{Oracle, OracleError};
use image::RgbImage;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// Noise drawn a number of times, the best draw kept.
pub struct RandomNoise<'a> {
    oracle: Counted<'a, dyn Oracle + 'a>,
    threat: Threat,
    threshold: f32,
    queries: u64,
    seed: u64,
}

impl<'a> RandomNoise<'a> {
    /// Attacks `oracle`, whose logit above `threshold` says fake, within `threat`:
    /// `queries` draws a picture, even ones of ±eps, odd ones uniform over the ball.
    pub fn new(oracle: &'a dyn Oracle, threat: Threat, threshold: f32, queries: u64, seed: u64) -> Self {
        let oracle = Counted::new(oracle, Some(queries));
        Self { oracle, threat, threshold, queries, seed }
    }

    fn attack(&self, target: &Target) -> Result<Proposal, OracleError> {
        let mut best = (f32::INFINITY, target.picture.clone());
        let mut queries = 0;
        // Without a radius there is the picture itself, which the judge knows.
        let draws = if self.threat.eps_255 > 0.0 { self.queries } else { 0 };
        for draw in 0..draws {
            let key = ["random-noise".into(), target.id.into(), draw.into()];
            let mut random = tape::draws(self.seed, &key);
            let picture = self.noisy(&target.picture, draw % 2 == 0, &mut random);
            let batch = Batch::of(self.oracle.res(), [&picture]);
            let logit = self.oracle.logits(&batch)?[0];
            queries += 1;
            let margin = margin(logit, target.label, self.threshold);
            if tape::kept(margin < best.0) {
                best = (margin, picture);
            }
            if logit.is_finite() && !is_right(logit, target.label, self.threshold) {
                break;
            }
        }
        Ok(Proposal { values: planes(&best.1), queries, ..Proposal::default() })
    }

    /// A picture of whole bytes on the edge of the ball (`signs`) or within it.
    /// Linf: every value moves by ±eps, or by any whole number up to eps. L2: as far as
    /// the radius goes in a random direction of signs, or of uniform numbers; where it is
    /// no whole level a value, in some values by one level more.
    fn noisy(&self, clean: &RgbImage, signs: bool, random: &mut impl Rng) -> RgbImage {
        let mut unit = || match signs {
            true if random.random() => 1.0,
            true => -1.0,
            false => random.random_range(-1.0..=1.0f64),
        };
        let mut units: Vec<f64> = (0..clean.as_raw().len()).map(|_| unit()).collect();
        let reach = match self.threat.norm {
            // Half a level more, so that the outermost levels are as likely as the rest.
            Norm::Linf if signs => self.threat.eps_255,
            Norm::Linf => self.threat.eps_255 + 0.499,
            Norm::L2 => {
                // Which of equal values get the odd level is the draw's to say.
                let drawn = |unit: &mut f64| *unit *= 1.0 + 1e-6 * random.random::<f64>();
                units.iter_mut().filter(|_| signs).for_each(drawn);
                return self.threat.farthest_along(clean, &units);
            }
        };
        let moved = planes(clean).into_iter().zip(units);
        let values: Vec<f32> = moved.map(|(value, unit)| value + (unit * reach / 255.0) as f32).collect();
        self.threat.round(clean, &values)
    }
}

impl Attack for RandomNoise<'_> {
    fn name(&self) -> &str {
        "random-noise"
    }

    fn parameters(&self) -> Map<String, Value> {
        let pairs = [("queries", json!(self.queries)), ("seed", json!(self.seed))];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn propose(&self, targets: &[Target]) -> Result<Vec<Proposal>, OracleError> {
        targets.iter().map(|target| self.attack(target)).collect()
    }
}
