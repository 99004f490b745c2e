//! What a search for the shortest change over the threshold says of all radii at once: the
//! distribution of the distances it found, and the success rate as the radius grows.

use super::sample::{SampleResult, attacked};
use crate::threat::{Norm, Threat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Steps of the curve at most; with more pictures every n-th is kept.
const STEPS: usize = 200;
/// The radii of the curve beside its steps, as shares of the one attacked.
const SHARES: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// The distances that a minimal-distance attack found, over the pictures classified
/// rightly before. They are lengths in floats, with pixels in \[0, 1\], whatever the
/// radius; a picture that nothing turned over counts as farther than any that was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MinimalDistance {
    /// The norm that the distances are of, which need not be the threat model's: CW
    /// lowers the L2 length in any.
    pub norm: Norm,
    /// Pictures classified rightly before.
    pub n: usize,
    /// Of these turned over at some distance.
    pub n_found: usize,
    /// The distance within which a quarter of the n are turned over; none where fewer are.
    pub p25: Option<f64>,
    /// The distance within which half are; none where fewer are.
    pub median: Option<f64>,
    /// The distance within which three quarters are; none where fewer are.
    pub p75: Option<f64>,
    /// The distance within which nine tenths are; none where fewer are.
    pub p90: Option<f64>,
    /// The success rate within growing radii.
    pub curve: Vec<CurvePoint>,
}

/// What an attack reaches within a radius.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurvePoint {
    /// The radius, pixels in \[0, 1\].
    pub eps: f64,
    /// The radius in 1/255.
    pub eps_255: f64,
    /// Turned over within it, over the pictures classified rightly before.
    pub attack_success_rate: f64,
    /// Rightly classified before and not turned over within it, over all pictures.
    pub robust_accuracy: f64,
}

impl MinimalDistance {
    /// Of `samples`, decided at `threshold`, whose distances are of `norm`; `threat` is what
    /// they were attacked within.
    pub fn of<'a>(
        samples: impl IntoIterator<Item = &'a SampleResult>,
        threshold: f32,
        norm: Norm,
        threat: Threat,
    ) -> Self {
        let (mut all, mut n, mut found) = (0_usize, 0_usize, Vec::new());
        for sample in samples {
            all += 1;
            if attacked(sample, threshold) {
                n += 1;
                found.extend(sample.distance);
            }
        }
        found.sort_by(f64::total_cmp);
        let quantile = |q: f64| {
            let place = q * n.saturating_sub(1) as f64;
            // On the line between two pictures, both of which must have a distance.
            let (low, high) = (found.get(place.floor() as usize)?, found.get(place.ceil() as usize)?);
            Some(low + (high - low) * place.fract())
        };
        let mut radii: Vec<f64> = found.iter().copied().step_by(found.len().div_ceil(STEPS).max(1)).collect();
        radii.extend(found.last());
        if norm == threat.norm {
            radii.extend(SHARES.map(|share| share * threat.plain()));
        }
        radii.push(0.0);
        radii.sort_by(f64::total_cmp);
        radii.dedup();
        let point = |eps: f64| {
            let within = found.partition_point(|&distance| distance <= eps);
            CurvePoint {
                eps,
                eps_255: eps * 255.0,
                attack_success_rate: within as f64 / n.max(1) as f64,
                robust_accuracy: (n - within) as f64 / all.max(1) as f64,
            }
        };
        Self {
            norm,
            n,
            n_found: found.len(),
            p25: quantile(0.25),
            median: quantile(0.5),
            p75: quantile(0.75),
            p90: quantile(0.9),
            curve: radii.into_iter().map(point).collect(),
        }
    }

    /// The curve at `eps` times 1/4, 1/2, 1, 2 and 4, by the last step within each.
    pub fn around(&self, eps: f64) -> Vec<CurvePoint> {
        let at = |share: f64| {
            let radius = share * eps;
            let reached = self.curve.iter().rev().find(|point| point.eps <= radius * (1.0 + 1e-12));
            reached.map(|point| CurvePoint { eps: radius, eps_255: radius * 255.0, ..*point })
        };
        SHARES.into_iter().filter_map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Label;

    /// A fake of logit 1, or one that was called real before.
    fn sample(id: u64, right: bool, distance: Option<f64>) -> SampleResult {
        SampleResult {
            id,
            label: Label::Fake,
            clean_logit: if right { 1.0 } else { -1.0 },
            adv_logit: 1.0,
            success: false,
            queries: 1,
            linf_255: 0,
            l2: 0.0,
            seconds: 0.0,
            path: String::new(),
            clean_sha256: String::new(),
            adv_sha256: String::new(),
            attack: "cw".to_owned(),
            distance,
            queries_to_success: None,
        }
    }

    fn of(distances: &[Option<f64>], wrong: usize) -> MinimalDistance {
        let right = distances.iter().enumerate().map(|(id, distance)| sample(id as u64, true, *distance));
        let wrong = (0..wrong).map(|id| sample(100 + id as u64, false, None));
        let samples: Vec<_> = right.chain(wrong).collect();
        MinimalDistance::of(&samples, 0.0, Norm::L2, Threat::l2(1.0).unwrap())
    }

    #[test]
    fn quantiles_count_what_was_not_turned_over_as_farther_than_the_rest() {
        let all = of(&[4.0, 1.0, 3.0, 2.0, 5.0].map(Some), 0);
        assert_eq!((all.n, all.n_found), (5, 5));
        assert_eq!((all.p25, all.median, all.p75), (Some(2.0), Some(3.0), Some(4.0)));
        assert!((all.p90.unwrap() - 4.6).abs() < 1e-12);
        let some = of(&[Some(1.0), None, Some(3.0), Some(2.0), None], 0);
        assert_eq!((some.n_found, some.p25, some.median), (3, Some(2.0), Some(3.0)));
        assert_eq!((some.p75, some.p90), (None, None));
        let none = of(&[None, None], 1);
        assert_eq!((none.n, none.n_found, none.median), (2, 0, None));
        let empty = of(&[], 1);
        assert_eq!((empty.n, empty.median), (0, None));
    }

    #[test]
    fn the_curve_counts_over_both_denominators() {
        let found = of(&[Some(0.5), Some(0.8), Some(3.0), None], 1);
        let at = |eps: f64| *found.curve.iter().find(|point| point.eps == eps).unwrap();
        assert_eq!((at(0.0).attack_success_rate, at(0.0).robust_accuracy), (0.0, 0.8));
        assert_eq!((at(0.5).attack_success_rate, at(0.5).robust_accuracy), (0.25, 0.6));
        assert_eq!((at(1.0).attack_success_rate, at(1.0).eps_255), (0.5, 255.0));
        assert_eq!(at(3.0).robust_accuracy, 0.2);
        assert!(found.curve.windows(2).all(|pair| {
            pair[0].eps < pair[1].eps && pair[0].attack_success_rate <= pair[1].attack_success_rate
        }));
        let around: Vec<f64> = found.around(1.0).iter().map(|point| point.attack_success_rate).collect();
        assert_eq!(around, [0.0, 0.25, 0.5, 0.5, 0.75]);
    }

    #[test]
    fn many_pictures_make_no_long_curve() {
        let distances: Vec<_> = (0..5000).map(|place| Some(f64::from(place) / 1000.0)).collect();
        let found = of(&distances, 0);
        assert!(found.curve.len() <= STEPS + SHARES.len() + 2, "{}", found.curve.len());
        assert_eq!(found.curve.last().unwrap().attack_success_rate, 1.0);
    }
}
