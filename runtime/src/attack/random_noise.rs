//! The sanity floor: plain random noise within the ball. An attack that does
//! not beat it is broken, or the model hides from it.

use super::query::{Query, Stop};
use super::{Attack, Proposal, planes};
use crate::detector::oracle::OracleError;
use crate::threat::{Norm, Threat};
use image::RgbImage;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

/// Noise drawn a number of times, the best draw kept.
pub struct RandomNoise {
    queries: u64,
    seed: u64,
}

impl RandomNoise {
    /// `queries` draws a picture, even ones of ±eps, odd ones uniform over the ball.
    pub fn new(queries: u64, seed: u64) -> Self {
        Self { queries, seed }
    }

    fn attack(&self, query: &Query<'_>, threat: Threat) -> Result<Proposal, OracleError> {
        let (mut handle, target) = (query.by_logits(threat, self.queries), query.target());
        let mut best = (f32::INFINITY, target.picture.clone());
        // Without a radius there is the picture itself, which the judge knows.
        let draws = if handle.idle() { 0 } else { self.queries };
        for draw in 0..draws {
            let key = ["random-noise".into(), target.id.into(), draw.into()];
            let mut random = handle.draws(self.seed, &key);
            let picture = noisy(&target.picture, threat, draw % 2 == 0, &mut random);
            let logit = match handle.logits(planes(&picture)) {
                Ok(logits) => logits[0],
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Over) => break,
            };
            let margin = handle.margin(logit);
            if handle.kept(margin < best.0) {
                best = (margin, picture);
            }
            if handle.crosses(logit) {
                break;
            }
        }
        Ok(Proposal { values: planes(&best.1), ..Proposal::default() })
    }
}

/// A picture of whole bytes on the edge of the ball (`signs`) or within it.
/// Linf: every value moves by ±eps, or by any whole number up to eps. L2: as far as
/// the radius goes in a random direction of signs, or of uniform numbers; where it is
/// no whole level a value, in some values by one level more.
fn noisy(clean: &RgbImage, threat: Threat, signs: bool, random: &mut impl Rng) -> RgbImage {
    let mut unit = || match signs {
        true if random.random() => 1.0,
        true => -1.0,
        false => random.random_range(-1.0..=1.0f64),
    };
    let mut units: Vec<f64> = (0..clean.as_raw().len()).map(|_| unit()).collect();
    let reach = match threat.norm {
        // Half a level more, so that the outermost levels are as likely as the rest.
        Norm::Linf if signs => threat.eps_255,
        Norm::Linf => threat.eps_255 + 0.499,
        Norm::L2 => {
            // Which of equal values get the odd level is the draw's to say.
            let drawn = |unit: &mut f64| *unit *= 1.0 + 1e-6 * random.random::<f64>();
            units.iter_mut().filter(|_| signs).for_each(drawn);
            return threat.farthest_along(clean, &units);
        }
    };
    let moved = planes(clean).into_iter().zip(units);
    let values: Vec<f32> = moved.map(|(value, unit)| value + (unit * reach / 255.0) as f32).collect();
    threat.round(clean, &values)
}

impl Attack for RandomNoise {
    fn name(&self) -> &str {
        "random-noise"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let pairs = [("queries", json!(self.queries)), ("seed", json!(self.seed))];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        queries.iter().map(|query| self.attack(query, threat)).collect()
    }
}
