//! Square (Andriushchenko, Croce, Flammarion and Hein, ECCV 2020): a random
//! search over square windows that asks for logits alone.
//!
//! Linf candidates are whole bytes: with a whole epsilon every candidate of the
//! published rule, clip(x ± eps), lies on the grid of an 8-bit picture, so that
//! saving one as PNG loses nothing. L2 candidates do not; there a success is asked
//! again as the 8-bit pictures that may stand for it, and the search goes on where
//! rounding undoes them all.
//!
//! Unlike two published codes, windows may also touch the last row and column.

use super::query::{Draws, Handle, Logits, Query, Stop};
use super::schedule::{Pace, Schedule};
use super::{Attack, Proposal, Target, planes};
use crate::detector::oracle::OracleError;
use crate::threat::{Norm, Threat};
use image::RgbImage;
use rand::RngExt;
use serde_json::{Map, Value, json};

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquareSettings {
    /// Queries a picture; hard.
    pub queries: u64,
    /// The share of pixels that the first windows cover.
    pub p: f64,
    /// Whether the schedule is stretched to the budget.
    pub pace: Pace,
    /// Names the draws.
    pub seed: u64,
}

impl Default for SquareSettings {
    /// AutoAttack's: p = 0.8, 5000 queries, unscaled.
    fn default() -> Self {
        Self { queries: 5000, p: 0.8, pace: Pace::Unscaled, seed: 0 }
    }
}

/// The attack.
pub struct Square {
    settings: SquareSettings,
}

impl Square {
    /// The attack.
    pub fn new(settings: SquareSettings) -> Self {
        Self { settings }
    }

    fn attack(&self, query: &Query<'_>, threat: Threat) -> Result<Proposal, OracleError> {
        let handle = query.by_logits(threat, self.settings.queries);
        let target = query.target();
        let random = handle.draws(self.settings.seed, &["square".into(), target.id.into(), 0.into()]);
        let idle = handle.idle();
        let mut search = Search { settings: self.settings, query: handle, target, random };
        let found = match threat.norm {
            // With no radius there is nothing to try, with no budget nobody to ask.
            _ if idle => Ok(planes(&target.picture)),
            Norm::Linf => search.linf().map(|found| planes(&found)),
            Norm::L2 => search.l2(),
        };
        match found {
            Ok(values) => Ok(Proposal { values, ..Proposal::default() }),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Over) => unreachable!("the search looks at its budget before it asks"),
        }
    }
}

impl Attack for Square {
    fn name(&self) -> &str {
        "square"
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        let settings = self.settings;
        let pairs = [
            ("queries", json!(settings.queries)),
            ("p", json!(settings.p)),
            ("schedule", json!(settings.pace)),
            ("seed", json!(settings.seed)),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        queries.iter().map(|query| self.attack(query, threat)).collect()
    }
}

/// One picture's random search.
struct Search<'a> {
    settings: SquareSettings,
    query: Handle<'a, Logits>,
    target: &'a Target,
    random: Draws<'a>,
}

/// What the model said to a candidate.
struct Answer {
    margin: f32,
    crossed: bool,
}

impl Search<'_> {
    fn res(&self) -> usize {
        self.target.picture.width() as usize
    }

    fn ask(&mut self, values: Vec<f32>) -> Result<Answer, Stop> {
        let logit = self.query.logits(values)?[0];
        Ok(Answer { margin: self.query.margin(logit), crossed: self.query.crosses(logit) })
    }

    fn exhausted(&self) -> bool {
        self.query.left() == 0
    }

    fn schedule(&self) -> Schedule {
        let SquareSettings { queries: budget, p, pace, .. } = self.settings;
        Schedule { p, pace, budget }
    }

    fn sign(&mut self) -> f32 {
        if self.random.random::<bool>() { 1.0 } else { -1.0 }
    }

    /// The corner of a window of `side`, anywhere in the picture.
    fn corner(&mut self, side: usize) -> (usize, usize) {
        let free = self.res() - side;
        (self.random.random_range(0..=free), self.random.random_range(0..=free))
    }

    fn linf(&mut self) -> Result<RgbImage, Stop> {
        let mut best = self.stripes();
        let mut answer = self.ask(planes(&best))?;
        while !answer.crossed && !self.exhausted() {
            let side = self.schedule().side(self.query.spent(), self.res());
            let corner = self.corner(side);
            let candidate = self.recoloured(&best, corner, side);
            let next = self.ask(planes(&candidate))?;
            if self.query.kept(next.margin < answer.margin) {
                (best, answer) = (candidate, next);
            }
        }
        Ok(best)
    }

    /// The start: a vertical stripe of ±eps for every column and channel.
    fn stripes(&mut self) -> RgbImage {
        let mut picture = self.target.picture.clone();
        let ups: Vec<bool> = (0..3 * self.res()).map(|_| self.random.random()).collect();
        for (x, _, pixel) in picture.enumerate_pixels_mut() {
            for channel in 0..3 {
                let up = ups[channel * self.res() + x as usize];
                pixel[channel] = self.moved(pixel[channel], up);
            }
        }
        self.query.step(|| json!({ "stripes": ups }));
        picture
    }

    /// `best` with one ±eps a channel in the window, drawn again while it would
    /// change nothing. With a radius above 0 one of the two signs always does.
    fn recoloured(&mut self, best: &RgbImage, corner: (usize, usize), side: usize) -> RgbImage {
        loop {
            let up: [bool; 3] = self.random.random();
            let mut candidate = best.clone();
            let mut changed = false;
            for y in corner.0..corner.0 + side {
                for x in corner.1..corner.1 + side {
                    let (x, y) = (x as u32, y as u32);
                    let clean = self.target.picture.get_pixel(x, y);
                    let pixel = candidate.get_pixel_mut(x, y);
                    for channel in 0..3 {
                        let byte = self.moved(clean[channel], up[channel]);
                        changed |= pixel[channel] != byte;
                        pixel[channel] = byte;
                    }
                }
            }
            if changed {
                self.query.step(|| json!({ "row": corner.0, "column": corner.1, "side": side, "up": up }));
                return candidate;
            }
        }
    }

    /// clip(clean ± eps) on bytes.
    fn moved(&self, clean: u8, up: bool) -> u8 {
        let eps = self.query.threat.levels();
        if up { clean.saturating_add(eps) } else { clean.saturating_sub(eps) }
    }

    fn l2(&mut self) -> Result<Vec<f32>, Stop> {
        let clean = planes(&self.target.picture);
        let mut best = self.tiles(&clean);
        let mut answer = self.ask(best.clone())?;
        if answer.crossed
            && let Some(survivor) = self.survivor(&best)?
        {
            return Ok(survivor);
        }
        while !self.exhausted() {
            let side = self.schedule().odd_side(self.query.spent(), self.res());
            let candidate = self.moved_budget(&clean, &best, side);
            let next = self.ask(candidate.clone())?;
            if self.query.kept(next.margin < answer.margin) {
                if next.crossed
                    && let Some(survivor) = self.survivor(&candidate)?
                {
                    return Ok(survivor);
                }
                (best, answer) = (candidate, next);
            }
        }
        Ok(best)
    }

    /// The first 8-bit picture that stands for `values` and crosses too; costs a query
    /// each. The judge has the last word where no query is left.
    fn survivor(&mut self, values: &[f32]) -> Result<Option<Vec<f32>>, Stop> {
        let (threat, clean) = (self.query.threat, &self.target.picture);
        let plain = threat.round(clean, values);
        if let Some(stand) = self.stands(&plain)? {
            return Ok(Some(stand));
        }
        for other in threat.other_roundings(clean, values, &plain) {
            if let Some(stand) = self.stands(&other)? {
                return Ok(Some(stand));
            }
        }
        Ok(None)
    }

    /// The values of `picture` where a query is left and it crosses.
    fn stands(&mut self, picture: &RgbImage) -> Result<Option<Vec<f32>>, Stop> {
        if self.exhausted() {
            return Ok(None);
        }
        let values = planes(picture);
        let crossed = self.ask(values.clone())?.crossed;
        Ok(crossed.then_some(values))
    }

    /// The start: five by five tiles, each a pseudo-Gaussian with a sign a channel.
    fn tiles(&mut self, clean: &[f32]) -> Vec<f32> {
        let res = self.res();
        let side = (res / 5).max(1);
        let count = res / side;
        let first = (res - side * count) / 2;
        let mut delta = vec![0.0; clean.len()];
        for row in 0..count {
            for column in 0..count {
                let (y, x) = (first + row * side, first + column * side);
                let shape = self.two_hills(side);
                for channel in 0..3 {
                    let sign = f64::from(self.sign());
                    let places = window(res, channel, (y, x), side);
                    places.zip(&shape).for_each(|(at, value)| delta[at] = sign * value);
                }
            }
        }
        self.stretched(clean, &delta)
    }

    /// One step: what the windows W1 and W2 hold of the radius, and what is not
    /// used, goes into W1, whose new direction mixes the old one with fresh hills;
    /// W2 is emptied (algorithm 3 of the paper).
    fn moved_budget(&mut self, clean: &[f32], best: &[f32], side: usize) -> Vec<f32> {
        let res = self.res();
        let mut delta: Vec<f64> =
            best.iter().zip(clean).map(|(&value, &centre)| f64::from(value - centre)).collect();
        let (into, from) = (self.corner(side), self.corner(side));
        self.query.step(|| json!({ "into": into, "from": from, "side": side }));
        let eps = f64::from(self.query.threat.eps());
        let unused = (eps * eps - squares(&delta)).max(0.0);
        let hills = self.two_hills(side);
        let mut fresh = Vec::with_capacity(3 * side * side);
        for channel in 0..3 {
            let old: Vec<f64> = window(res, channel, into, side).map(|at| delta[at]).collect();
            let both = squares(&old) + outside(res, channel, from, into, side, &delta);
            let (sign, length) = (f64::from(self.sign()), squares(&old).sqrt() + 1e-10);
            let mixed: Vec<f64> =
                hills.iter().zip(&old).map(|(hill, old)| sign * hill + old / length).collect();
            let scale = (unused / 3.0 + both).sqrt() / squares(&mixed).sqrt().max(1e-10);
            fresh.extend(mixed.iter().map(|value| value * scale));
        }
        let mut fresh = fresh.into_iter();
        for channel in 0..3 {
            window(res, channel, from, side).for_each(|at| delta[at] = 0.0);
        }
        for channel in 0..3 {
            let places = window(res, channel, into, side);
            places.zip(fresh.by_ref()).for_each(|(at, value)| delta[at] = value);
        }
        self.stretched(clean, &delta)
    }

    /// clean + delta stretched to the radius, within \[0, 1\].
    fn stretched(&self, clean: &[f32], delta: &[f64]) -> Vec<f32> {
        let scale = f64::from(self.query.threat.eps()) / squares(delta).sqrt().max(1e-10);
        let moved = clean.iter().zip(delta);
        moved.map(|(&value, &change)| (f64::from(value) + change * scale).clamp(0.0, 1.0) as f32).collect()
    }

    /// Two halves of a square of `side`, one hill up and one down, of length 1;
    /// which way it is cut is drawn. Row-major.
    fn two_hills(&mut self, side: usize) -> Vec<f64> {
        let turned = self.random.random::<bool>();
        let half = side / 2;
        let (up, down) = (hill(half, side), hill(side - half, side));
        let mut shape: Vec<f64> = up.into_iter().chain(down.into_iter().map(|value| -value)).collect();
        let length = squares(&shape).sqrt();
        shape.iter_mut().for_each(|value| *value /= length);
        if !turned {
            return shape;
        }
        (0..side * side).map(|at| shape[at % side * side + at / side]).collect()
    }
}

/// The pseudo-Gaussian of the paper: concentric rectangles around the middle of
/// `rows` x `columns`, the k-th adding 1 / k^2, of length 1. Row-major.
fn hill(rows: usize, columns: usize) -> Vec<f64> {
    if rows * columns == 0 {
        return Vec::new();
    }
    let middle = ((rows / 2) as i64, (columns / 2) as i64);
    let steps = (rows / 2 + 1).max(columns / 2 + 1) as i64;
    let height = |at: usize| {
        let row = (at / columns) as i64 - middle.0;
        let column = (at % columns) as i64 - middle.1;
        let ring = row.abs().max(column.abs());
        (ring..steps).map(|k| 1.0 / ((k + 1) * (k + 1)) as f64).sum()
    };
    let mut hill: Vec<f64> = (0..rows * columns).map(height).collect();
    let length = squares(&hill).sqrt();
    hill.iter_mut().for_each(|value| *value /= length);
    hill
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

/// The places of a window in one plane of a 3 x res x res tensor, row by row.
fn window(res: usize, channel: usize, corner: (usize, usize), side: usize) -> impl Iterator<Item = usize> {
    (0..side * side).map(move |at| {
        let (y, x) = (corner.0 + at / side, corner.1 + at % side);
        (channel * res + y) * res + x
    })
}

/// The squares of `delta` in the window at `from` that the one at `into` leaves out.
fn outside(
    res: usize,
    channel: usize,
    from: (usize, usize),
    into: (usize, usize),
    side: usize,
    delta: &[f64],
) -> f64 {
    let inside = |at: usize| {
        let (y, x) = (at / res % res, at % res);
        (into.0..into.0 + side).contains(&y) && (into.1..into.1 + side).contains(&x)
    };
    window(res, channel, from, side).filter(|&at| !inside(at)).map(|at| delta[at] * delta[at]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::batch::Batch;
    use crate::detector::oracle::Oracle;
    use crate::sample::Label;
    use std::sync::Mutex;

    const RES: usize = 12;

    /// Keeps every picture it is asked, and calls all of them fake; later ones
    /// ever less so, so that every candidate is accepted.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<Vec<f32>>>);

    impl Oracle for Recorder {
        fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
            let mut asked = self.0.lock().unwrap();
            asked.push(batch.values.clone());
            Ok(vec![1e6 - asked.len() as f32])
        }
        fn res(&self) -> usize {
            RES
        }
    }

    fn target(id: u64) -> Target {
        let byte = |at: usize| (at * 37 % 256) as u8;
        let bytes = (0..3 * RES * RES).map(byte).collect();
        let picture = RgbImage::from_raw(RES as u32, RES as u32, bytes).unwrap();
        Target { id, label: Label::Fake, picture }
    }

    fn asked(threat: Threat, p: f64, queries: u64) -> Vec<Vec<f32>> {
        let oracle = Recorder::default();
        let settings = SquareSettings { queries, p, ..SquareSettings::default() };
        let target = target(0);
        let query = Query::new(&target, &oracle, 0.0);
        Square::new(settings).propose(std::slice::from_ref(&query), threat).unwrap();
        assert_eq!(query.spent(), queries);
        drop(query);
        oracle.0.into_inner().unwrap()
    }

    fn linf(eps: f64) -> Threat {
        Threat::new(Norm::Linf, eps).unwrap()
    }

    /// Which rows and columns differ between two tensors.
    fn changed(a: &[f32], b: &[f32]) -> Vec<(usize, usize)> {
        let places = (0..a.len()).filter(|&at| a[at] != b[at]);
        places.map(|at| (at / RES % RES, at % RES)).collect()
    }

    #[test]
    fn the_start_is_vertical_stripes_and_every_candidate_is_clean_plus_or_minus_epsilon() {
        let clean = target(0).picture;
        let planes = planes(&clean);
        let all = asked(linf(8.0), 0.3, 60);
        for values in &all {
            for (&value, &centre) in values.iter().zip(&planes) {
                let levels = (value * 255.0).round() - (centre * 255.0).round();
                let clipped = value == 0.0 || value == 1.0;
                assert!(levels.abs() == 8.0 || clipped && levels.abs() < 8.0, "{levels}");
            }
        }
        for channel in 0..3 {
            for x in 0..RES {
                let column = (0..RES).map(|y| (channel * RES + y) * RES + x);
                let inner = column.filter(|&at| (0.1..0.9).contains(&planes[at]));
                let mut ups: Vec<bool> = inner.map(|at| all[0][at] > planes[at]).collect();
                ups.dedup();
                assert_eq!(ups.len(), 1, "one sign a column and channel");
            }
        }
    }

    #[test]
    fn a_step_recolours_one_window_with_one_sign_a_channel_and_always_changes_something() {
        let all = asked(linf(8.0), 0.3, 400);
        let plane = RES * RES;
        let (mut lowest, mut rightmost) = (0, 0);
        for (step, pair) in all.windows(2).enumerate() {
            let places = changed(&pair[0], &pair[1]);
            assert!(!places.is_empty(), "step {step}");
            let side = Schedule { p: 0.3, pace: Pace::Unscaled, budget: 400 }.side(step as u64 + 1, RES);
            let rows = places.iter().map(|place| place.0);
            let columns = places.iter().map(|place| place.1);
            assert!(rows.clone().max().unwrap() - rows.clone().min().unwrap() < side);
            assert!(columns.clone().max().unwrap() - columns.clone().min().unwrap() < side);
            lowest = lowest.max(rows.max().unwrap());
            rightmost = rightmost.max(columns.max().unwrap());
            for channel in 0..3 {
                let at = channel * plane..(channel + 1) * plane;
                let moved = at.filter(|&at| pair[0][at] != pair[1][at]);
                let mut ups: Vec<bool> = moved.map(|at| pair[1][at] > pair[0][at]).collect();
                ups.dedup();
                assert!(ups.len() <= 1, "one sign in channel {channel}");
            }
        }
        assert_eq!((lowest, rightmost), (RES - 1, RES - 1), "the last row and column are reached");
    }

    #[test]
    fn l2_candidates_use_the_radius_and_empty_a_window() {
        let threat = Threat::new(Norm::L2, 100.0).unwrap();
        let grey = Target {
            picture: RgbImage::from_pixel(RES as u32, RES as u32, image::Rgb([128; 3])),
            ..target(0)
        };
        let oracle = Recorder::default();
        let settings = SquareSettings { queries: 200, p: 0.1, ..SquareSettings::default() };
        Square::new(settings).propose(&[Query::new(&grey, &oracle, 0.0)], threat).unwrap();
        let clean = planes(&grey.picture);
        let all = oracle.0.into_inner().unwrap();
        for values in &all {
            let delta: Vec<f64> = values.iter().zip(&clean).map(|(a, b)| f64::from(a - b)).collect();
            assert!((squares(&delta).sqrt() * 255.0 - 100.0).abs() < 0.01);
        }
        let untouched = |values: &[f32]| changed(values, &clean).len();
        let fewest = all.iter().map(|values| untouched(values)).min().unwrap();
        assert!(fewest < untouched(&all[0]) / 2, "the radius gathers in windows");
    }

    #[test]
    fn hills_have_length_one_and_peak_in_the_middle() {
        // Rings of 3 x 3 around the middle: 1 + 1/4 there, 1/4 around.
        let hill = hill(3, 3);
        assert!((hill[4] / hill[0] - 5.0).abs() < 1e-12);
        assert!((squares(&hill) - 1.0).abs() < 1e-12);
        for (rows, columns) in [(1, 3), (2, 5), (7, 4)] {
            assert!((squares(&super::hill(rows, columns)) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn without_radius_or_budget_the_picture_is_proposed_as_it_is() {
        let oracle = Recorder::default();
        for (eps, queries) in [(0.0, 10), (8.0, 0)] {
            let settings = SquareSettings { queries, ..SquareSettings::default() };
            let target = target(0);
            let query = Query::new(&target, &oracle, 0.0);
            let proposals = Square::new(settings).propose(std::slice::from_ref(&query), linf(eps));
            assert_eq!(query.spent(), 0);
            assert_eq!(proposals.unwrap()[0].values, planes(&target.picture));
        }
    }
}
