//! The smallest Linf radius at which PGD (Madry et al. 2018) turns a picture over: bisection over the
//! radii of [`radii_255`], at each of which PGD starts from the picture itself with steps of a quarter of
//! the radius, in floats. The first step that crosses the threshold ends an attempt. The first radius
//! that is tried is that of first order; from there the search strides out, twice as far each time,
//! until it has a radius that holds and one that does not, and halves what lies between.
//!
//! The search takes it that a larger radius is no harder; where PGD fails at one that contains a
//! success, the radius found is still one at which it succeeds. Every picture goes its own way, so that
//! those that are done make room in the batch for others, and results depend on no other picture.

use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::report::explanation::radii_255;
use dfrt_runtime::sample::{Label, is_right};

/// The smallest radius of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reached {
    /// It is called wrongly as it is.
    Wrong,
    /// PGD succeeds at `found` and failed at `held`, the next smaller radius (0 for none), in 1/255.
    At {
        /// The radius.
        found: f64,
        /// The next smaller one.
        held: f64,
    },
    /// PGD succeeds at no radius.
    Beyond,
}

/// A picture whose radius is searched.
#[derive(Clone, Debug)]
pub struct Start {
    /// 3 x res x res values in \[0, 1\].
    pub values: Vec<f32>,
    /// Its class.
    pub label: Label,
}

/// Radii between the first two that are tried: 19 % apart.
const STRIDE: usize = 2;

/// A picture under search.
struct Search<'a> {
    place: usize,
    start: &'a Start,
    threshold: f32,
    steps: usize,
    radii: &'a [f64],
    /// The gradient at the picture, from which every attempt begins; empty before it is known.
    first: Vec<f32>,
    /// The radii from `low` up to, not including, `high` are open.
    low: usize,
    high: usize,
    /// The radius of the attempt, and how far the next one lies while one end is not known.
    tried: usize,
    stride: usize,
    /// Where the attempt stands, and the steps that it has taken.
    here: Vec<f32>,
    taken: usize,
}

impl<'a> Search<'a> {
    fn new(place: usize, start: &'a Start, threshold: f32, steps: usize, radii: &'a [f64]) -> Self {
        Self {
            place,
            start,
            threshold,
            steps,
            radii,
            first: Vec::new(),
            low: 0,
            high: radii.len(),
            tried: 0,
            stride: STRIDE,
            here: start.values.clone(),
            taken: 0,
        }
    }

    /// Takes in the logit and its gradient at `here`; gives the result once it is known.
    fn take(&mut self, logit: f32, gradient: &[f32]) -> Option<Reached> {
        let right = is_right(logit, self.start.label, self.threshold);
        if self.first.is_empty() {
            if !right {
                return Some(Reached::Wrong);
            }
            if gradient.iter().all(|&slope| slope == 0.0) {
                return Some(Reached::Beyond);
            }
            let first_order = self.first_order_255(logit, gradient);
            self.first = gradient.to_vec();
            let tried = self.radii.partition_point(|&radius| radius < first_order);
            self.attempt(tried.min(self.radii.len() - 1));
            return None;
        }
        if right && self.taken < self.steps && gradient.iter().any(|&slope| slope != 0.0) {
            self.step(gradient);
            return None;
        }
        if right {
            self.low = self.tried + 1;
        } else {
            self.high = self.tried;
        }
        if self.low < self.high {
            let next = self.next();
            self.attempt(next);
            return None;
        }
        Some(match self.radii.get(self.high) {
            Some(&found) => {
                Reached::At { found, held: self.high.checked_sub(1).map_or(0.0, |below| self.radii[below]) }
            }
            None => Reached::Beyond,
        })
    }

    fn first_order_255(&self, logit: f32, gradient: &[f32]) -> f64 {
        let margin = f64::from(self.start.label.sign() * (logit - self.threshold));
        255.0 * margin / gradient.iter().map(|slope| f64::from(slope.abs())).sum::<f64>()
    }

    /// The next radius to try.
    fn next(&mut self) -> usize {
        let (none_held, none_turned) = (self.low == 0, self.high == self.radii.len());
        if !none_held && !none_turned {
            return (self.low + self.high) / 2;
        }
        let stride = self.stride;
        self.stride *= 2;
        match none_turned {
            true => (self.tried + stride).min(self.radii.len() - 1),
            false => self.tried.saturating_sub(stride),
        }
    }

    /// Begins the attempt at the radius of that index.
    fn attempt(&mut self, tried: usize) {
        self.here.clone_from(&self.start.values);
        (self.tried, self.taken) = (tried, 0);
        let first = std::mem::take(&mut self.first);
        self.step(&first);
        self.first = first;
    }

    /// A step along the sign of the gradient that lowers the margin, back into the ball and \[0, 1\].
    fn step(&mut self, gradient: &[f32]) {
        let radius = (self.radii[self.tried] / 255.0) as f32;
        let size = -self.start.label.sign() * radius / 4.0;
        for ((here, &clean), &slope) in self.here.iter_mut().zip(&self.start.values).zip(gradient) {
            // Not f32::signum, which gives zero a sign.
            let sign = if slope > 0.0 {
                1.0
            } else if slope < 0.0 {
                -1.0
            } else {
                0.0
            };
            let moved = *here + size * sign;
            *here = moved.clamp((clean - radius).max(0.0), (clean + radius).min(1.0));
        }
        self.taken += 1;
    }
}

/// How the search goes.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Side of the pictures.
    pub res: usize,
    /// Pictures that are evaluated together.
    pub batch: usize,
    /// Steps at each radius.
    pub steps: usize,
    /// Logit above which a picture is called fake.
    pub threshold: f32,
}

/// The smallest radius of each picture. `evaluate` gives logits and their gradients with respect to the
/// pixels; `progress` is called with the number of pictures done.
///
/// # Errors
/// Those of `evaluate`.
pub fn search<E>(
    starts: &[Start],
    plan: Plan,
    evaluate: impl Fn(&Batch) -> Result<(Vec<f32>, Batch), E>,
    progress: impl Fn(usize),
) -> Result<Vec<Reached>, E> {
    let radii = radii_255();
    let mut found = vec![None; starts.len()];
    let mut waiting = starts.iter().enumerate();
    let mut running: Vec<Search<'_>> = Vec::new();
    loop {
        let free = plan.batch.max(1) - running.len();
        let next = waiting.by_ref().take(free);
        running
            .extend(next.map(|(place, start)| Search::new(place, start, plan.threshold, plan.steps, &radii)));
        if running.is_empty() {
            break;
        }
        let values = running.iter().flat_map(|search| &search.here).copied().collect();
        let (logits, gradients) = evaluate(&Batch { res: plan.res, values })?;
        let mut index = 0;
        running.retain_mut(|search| {
            let reached = search.take(logits[index], gradients.picture(index));
            index += 1;
            found[search.place] = reached;
            reached.is_none()
        });
        progress(found.iter().flatten().count());
    }
    Ok(found.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::report::explanation::LARGEST_RADIUS_255;
    use std::convert::Infallible;

    const RES: usize = 4;
    const PLAN: Plan = Plan { res: RES, batch: 3, steps: 20, threshold: 0.5 };

    /// z = sum w x, whose smallest Linf radius is margin / ||w||_1 while no pixel meets 0 or 1.
    fn weights() -> Vec<f32> {
        (0..3 * RES * RES).map(|at| ((at * 7 % 11) as f32 - 5.0) / 4.0).collect()
    }

    fn linear(batch: &Batch) -> Result<(Vec<f32>, Batch), Infallible> {
        let weights = weights();
        let logit = |at| batch.picture(at).iter().zip(&weights).map(|(x, w)| x * w).sum();
        let logits = (0..batch.len()).map(logit).collect();
        Ok((logits, Batch { res: RES, values: weights.repeat(batch.len()) }))
    }

    /// A picture of middle grey moved along the weights so that its margin is `margin`.
    fn start(label: Label, margin: f64) -> Start {
        let weights = weights();
        let base: f32 = weights.iter().map(|w| 0.5 * w).sum();
        let squares: f32 = weights.iter().map(|w| w * w).sum();
        let wanted = PLAN.threshold + label.sign() * margin as f32;
        let along = (wanted - base) / squares;
        Start { values: weights.iter().map(|w| 0.5 + along * w).collect(), label }
    }

    #[test]
    fn a_linear_model_turns_at_its_first_order_radius() {
        let length: f64 = weights().iter().map(|w| f64::from(w.abs())).sum();
        let of_radius = |radius: f64| radius / 255.0 * length;
        let wanted = [
            (Label::Fake, 0.3),
            (Label::Real, 2.2),
            (Label::Fake, 7.1),
            (Label::Real, 0.02),
            (Label::Fake, 11.9),
        ];
        let starts: Vec<Start> =
            wanted.iter().map(|&(label, radius)| start(label, of_radius(radius))).collect();
        let found = search(&starts, PLAN, linear, |_| ()).unwrap();
        for ((_, radius), found) in wanted.iter().zip(&found) {
            let Reached::At { found, held } = *found else { panic!("{radius}: {found:?}") };
            assert!(held < radius * 1.001 && found > radius * 0.999, "{radius}: {held} to {found}");
            assert!(held == 0.0 || (found / held - 1.0905).abs() < 1e-3, "neighbours: {held} {found}");
        }
        let alone = search(&starts[2..3], Plan { batch: 1, ..PLAN }, linear, |_| ()).unwrap();
        assert_eq!(alone[0], found[2], "other pictures change nothing");
    }

    #[test]
    fn a_radius_far_from_that_of_first_order_is_found_as_well() {
        // A model whose margin does not fall as its gradient says: it turns at `at` times the radius of
        // first order.
        for at in [0.05, 0.4, 0.9, 1.1, 3.0, 20.0] {
            let wall = |batch: &Batch| {
                let logit = |picture: &[f32]| {
                    let change = f64::from(picture[0] - 0.5).abs() * 255.0;
                    // Margin 1, slope 255 for each pixel of 1: first order says 1 level.
                    if change < at { 1.0 } else { -1.0 }
                };
                let logits = (0..batch.len()).map(|it| PLAN.threshold + logit(batch.picture(it)));
                let mut slopes = [0.0; 3 * RES * RES];
                slopes[0] = 255.0;
                Ok::<_, Infallible>((
                    logits.collect(),
                    Batch { res: RES, values: slopes.repeat(batch.len()) },
                ))
            };
            let start = Start { values: vec![0.5; 3 * RES * RES], label: Label::Fake };
            let found = search(&[start], PLAN, wall, |_| ()).unwrap();
            if at > LARGEST_RADIUS_255 {
                assert_eq!(found, [Reached::Beyond]);
                continue;
            }
            let Reached::At { found, held } = found[0] else { panic!("{at}: {found:?}") };
            assert!(held < at * 1.001 && found > at * 0.999, "{at}: {held} to {found}");
        }
    }

    #[test]
    fn wrong_and_unreachable_pictures_are_told_apart() {
        let length: f64 = weights().iter().map(|w| f64::from(w.abs())).sum();
        let beyond = 1.2 * LARGEST_RADIUS_255 / 255.0 * length;
        let starts = [start(Label::Fake, -0.1), start(Label::Real, beyond)];
        let found = search(&starts, PLAN, linear, |_| ()).unwrap();
        assert_eq!(found, [Reached::Wrong, Reached::Beyond]);
        // A gradient of zero leads nowhere, and is not followed for thousands of steps.
        let flat = |batch: &Batch| {
            let values = vec![0.0; batch.values.len()];
            Ok::<_, Infallible>((vec![1.0; batch.len()], Batch { res: RES, values }))
        };
        assert_eq!(search(&[start(Label::Fake, 0.5)], PLAN, flat, |_| ()).unwrap(), [Reached::Beyond]);
        assert!(search(&[], PLAN, linear, |_| ()).unwrap().is_empty());
    }

    #[test]
    fn too_few_steps_do_not_reach_the_ball_s_edge() {
        let length: f64 = weights().iter().map(|w| f64::from(w.abs())).sum();
        let starts = [start(Label::Fake, 1.0 / 255.0 * length)];
        let two = search(&starts, Plan { steps: 2, ..PLAN }, linear, |_| ()).unwrap();
        // Two steps of a quarter go half the way.
        let Reached::At { found, held } = two[0] else { panic!("{two:?}") };
        assert!(held < 2.001 && found > 1.999, "{held} to {found}");
    }
}
