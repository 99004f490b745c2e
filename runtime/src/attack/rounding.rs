//! From an attack's floats to the 8-bit picture that stands for them.
//!
//! In Linf a value rounds by itself. In L2 the radius is shared by all values: within a
//! small one (0.07 at 64 px is a seventh of a level a value) plain rounding undoes every
//! change, although a few values moved by a whole level would lead as far. So there the
//! levels that the radius allows are given to the values where they gain most for their
//! length: a change from k to k + 1 levels costs 2k + 1 of the squared radius, and gains
//! in proportion to what the attack wanted of that value.

use crate::threat::{Distance, Norm, Threat};
use image::RgbImage;

impl Threat {
    /// The 8-bit picture within the ball that stands for `values`
    /// (3 x res x res, meant in \[0, 1\]; a value that is no number means no change).
    ///
    /// Linf clamps each rounded byte. L2 shortens the change to the radius,
    /// rounds, and where rounding made it longer shortens it until it is within.
    pub fn round(&self, clean: &RgbImage, values: &[f32]) -> RgbImage {
        let changes = changes_255(clean, values);
        match self.norm {
            Norm::Linf => {
                let eps = f64::from(self.levels());
                scaled(clean, &changes, |change| change.round().clamp(-eps, eps))
            }
            Norm::L2 => self.round_l2(clean, &changes),
        }
    }

    /// What else may stand for `values` where `plain`, their [`Threat::round`], does not do
    /// what they did: in L2 the pictures that go farthest their way within the radius, and
    /// within their own length. None in Linf. Each is made when it is asked for.
    pub fn other_roundings<'a>(
        &self,
        clean: &'a RgbImage,
        values: &[f32],
        plain: &'a RgbImage,
    ) -> impl Iterator<Item = RgbImage> + use<'a> {
        let changes = match self.norm {
            Norm::Linf => Vec::new(),
            Norm::L2 => changes_255(clean, values),
        };
        let own = length(&changes);
        let radii = match self.norm {
            Norm::Linf => [None, None],
            Norm::L2 => [Some(self.eps_255), Some(own).filter(|own| *own < self.eps_255)],
        };
        let mut before = None;
        radii.into_iter().flatten().filter_map(move |radius| {
            let other = farthest(clean, &changes, radius);
            let new = other != *plain && before.as_ref() != Some(&other);
            new.then(|| before.insert(other).clone())
        })
    }

    /// The picture that goes farthest along `direction` (in the order of the picture's
    /// bytes) within an L2 ball: its distance is the radius, up to one level of one value.
    pub fn farthest_along(&self, clean: &RgbImage, direction: &[f64]) -> RgbImage {
        farthest(clean, direction, self.eps_255)
    }

    fn round_l2(&self, clean: &RgbImage, changes: &[f64]) -> RgbImage {
        let length = length(changes);
        let at = |scale: f64| scaled(clean, changes, |change| (scale * change).round());
        let within = |picture: &RgbImage| self.contains(Distance::between(clean, picture));
        let mut whole = if length > self.eps_255 { self.eps_255 / length } else { 1.0 };
        let picture = at(whole);
        if within(&picture) {
            return picture;
        }
        // Every rounded change grows with the scale, so the longest picture
        // within the ball is found by halving.
        let mut inside = (0.0, clean.clone());
        for _ in 0..24 {
            let middle = 0.5 * (inside.0 + whole);
            let picture = at(middle);
            if within(&picture) {
                inside = (middle, picture);
            } else {
                whole = middle;
            }
        }
        inside.1
    }
}

/// The whole changes whose product with `direction` is greatest of those no longer than
/// `radius_255`, added to `clean`. Taking levels by gain per cost gives every value its
/// share of the direction, rounded, at the one scale that fills the radius; what is left
/// then buys single levels, again by gain per cost.
fn farthest(clean: &RgbImage, direction: &[f64], radius_255: f64) -> RgbImage {
    let budget = radius_255 * radius_255;
    let room = |byte: u8, way: f64| f64::from(if way > 0.0 { 255 - byte } else { byte });
    let gains: Vec<f64> = direction.iter().map(|way| if way.is_finite() { way.abs() } else { 0.0 }).collect();
    let rooms: Vec<f64> = clean.as_raw().iter().zip(direction).map(|(&byte, &way)| room(byte, way)).collect();
    let level = |scale: f64, at: usize| (scale * gains[at]).round().min(rooms[at]);
    let cost = |scale: f64| (0..gains.len()).map(|at| level(scale, at).powi(2)).sum::<f64>();
    let largest = gains.iter().copied().fold(0.0, f64::max);
    let mut levels = vec![0.0; gains.len()];
    if largest > 0.0 {
        // At the first scale nothing moves; at the second one value alone is too long.
        let (mut low, mut high) = (0.0, (radius_255 + 1.0) / largest);
        // Values that reach 0 or 255 may leave room for longer scales; beyond this every
        // value with a gain worth its level has reached it.
        while cost(high) <= budget && high * largest < 1e9 {
            (low, high) = (high, 2.0 * high);
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            let left = budget - cost(middle);
            if left >= 0.0 {
                low = middle;
            } else {
                high = middle;
            }
            // Costs are whole numbers: nothing more can be bought.
            if (0.0..1.0).contains(&left) {
                break;
            }
        }
        (0..levels.len()).for_each(|at| levels[at] = level(low, at));
    }
    spend(&mut levels, &gains, &rooms, budget);
    let mut picture = clean.clone();
    for ((byte, level), way) in picture.iter_mut().zip(levels).zip(direction) {
        *byte = (f64::from(*byte) + level.copysign(*way)) as u8;
    }
    picture
}

/// Buys single levels, the largest gain for its cost first, with what of the squared
/// radius `budget` the `levels` leave.
fn spend(levels: &mut [f64], gains: &[f64], rooms: &[f64], budget: f64) {
    let mut left = budget - levels.iter().map(|level| level * level).sum::<f64>();
    let price = |level: f64| 2.0 * level + 1.0;
    let mut open: Vec<usize> = (0..levels.len())
        .filter(|&at| gains[at] > 0.0 && levels[at] < rooms[at] && price(levels[at]) <= left)
        .collect();
    let worth: Vec<f64> = gains.iter().zip(&*levels).map(|(gain, &level)| gain / price(level)).collect();
    // Equal ones in an order that leaves no corner of the picture before another.
    let spread = |at: usize| (at as u32).wrapping_mul(2_654_435_761);
    let order = |&a: &usize, &b: &usize| worth[b].total_cmp(&worth[a]).then(spread(a).cmp(&spread(b)));
    // The best are looked for, not all put in order: mostly a few use up what is left.
    let (mut rest, mut best) = (&mut open[..], left.max(1.0) as usize);
    while left >= 1.0 && !rest.is_empty() {
        if best < rest.len() {
            rest.select_nth_unstable_by(best, order);
        }
        let (next, later) = rest.split_at_mut(best.min(rest.len()));
        next.sort_unstable_by(order);
        for &mut at in next {
            let price = price(levels[at]);
            if price <= left {
                levels[at] += 1.0;
                left -= price;
            }
        }
        (rest, best) = (later, 2 * best);
    }
}

fn length(changes: &[f64]) -> f64 {
    changes.iter().map(|change| change * change).sum::<f64>().sqrt()
}

/// The changes of `values` (planes) against `clean` (interleaved), in 1/255 and
/// in the order of `clean`'s bytes, after clamping to \[0, 255\].
fn changes_255(clean: &RgbImage, values: &[f32]) -> Vec<f64> {
    let bytes = clean.as_raw();
    assert_eq!(bytes.len(), values.len(), "a proposal has the picture's size");
    let plane = bytes.len() / 3;
    let change = |(index, &byte): (usize, &u8)| {
        let value = f64::from(values[index % 3 * plane + index / 3]) * 255.0;
        let value = if value.is_nan() { f64::from(byte) } else { value.clamp(0.0, 255.0) };
        value - f64::from(byte)
    };
    bytes.iter().enumerate().map(change).collect()
}

/// `clean` plus whole changes, kept within 0 to 255.
fn scaled(clean: &RgbImage, changes: &[f64], whole: impl Fn(f64) -> f64) -> RgbImage {
    let mut picture = clean.clone();
    for (byte, &change) in picture.iter_mut().zip(changes) {
        *byte = (f64::from(*byte) + whole(change)).clamp(0.0, 255.0) as u8;
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::batch::Batch;
    use proptest::prelude::*;

    fn picture(bytes: Vec<u8>) -> RgbImage {
        let side = ((bytes.len() / 3) as f64).sqrt() as u32;
        RgbImage::from_raw(side, side, bytes).unwrap()
    }

    /// How far a value is to move, from 0 to 1, that looks random.
    fn change(at: usize) -> f64 {
        f64::from((at as u32 + 1).wrapping_mul(2_654_435_761) >> 16) / 65536.0 + 1e-3
    }

    #[test]
    fn rounding_keeps_what_lies_on_the_grid() {
        let clean = picture((0..=255u8).flat_map(|level| [level; 3]).collect());
        let other = picture(clean.as_raw().iter().map(|byte| byte.saturating_add(8)).collect());
        let threat = Threat::new(Norm::Linf, 8.0).unwrap();
        assert_eq!(threat.round(&clean, &Batch::of(16, [&other]).values), other);
        let length = Distance::between(&clean, &other).l2() * 255.0;
        let threat = Threat::new(Norm::L2, length.ceil()).unwrap();
        assert_eq!(threat.round(&clean, &Batch::of(16, [&other]).values), other);
    }

    #[test]
    fn values_that_are_no_numbers_change_nothing() {
        let clean = picture(vec![7; 12]);
        let threat = Threat::new(Norm::Linf, 8.0).unwrap();
        assert_eq!(threat.round(&clean, &[f32::NAN; 12]), clean);
        assert_eq!(threat.excess_255(&[0.0], &[f32::NAN]), f64::INFINITY);
    }

    #[test]
    fn a_change_of_half_a_level_everywhere_cannot_double_by_rounding() {
        let clean = picture(vec![100; 3 * 64]);
        let threat = Threat::new(Norm::L2, 0.6 * (3.0f64 * 64.0).sqrt()).unwrap();
        let values = vec![100.6 / 255.0; 3 * 64];
        let rounded = threat.round(&clean, &values);
        assert!(threat.contains(Distance::between(&clean, &rounded)));
    }

    #[test]
    fn a_small_radius_is_spent_where_it_gains_most() {
        // A tenth of a level a value in the mean: plain rounding keeps nothing of it.
        let clean = picture(vec![100; 3 * 1024]);
        let threat = Threat::new(Norm::L2, 6.0).unwrap();
        let direction: Vec<f64> = (0..3 * 1024).map(change).collect();
        let scale = 6.0 / length(&direction);
        let plane = 1024;
        let values: Vec<f32> = (0..3 * plane)
            .map(|at| ((100.0 + scale * direction[at % plane * 3 + at / plane]) / 255.0) as f32)
            .collect();
        assert_eq!(threat.round(&clean, &values), clean);
        let others: Vec<_> = threat.other_roundings(&clean, &values, &clean).collect();
        let distance = Distance::between(&clean, &others[0]);
        assert_eq!((distance.linf_255, distance.squares_255), (1, 36), "the whole radius, in single levels");
        let mut order: Vec<usize> = (0..direction.len()).collect();
        order.sort_by(|&a, &b| direction[b].total_cmp(&direction[a]));
        for (place, at) in order.into_iter().enumerate() {
            let expected = if place < 36 { 101 } else { 100 };
            assert_eq!(others[0].as_raw()[at], expected, "place {place}");
        }
    }

    #[test]
    fn no_other_picture_of_a_few_values_goes_farther() {
        // Every picture of three values within a radius of 3 levels, tried.
        let clean = picture(vec![100; 3]);
        let threat = Threat::new(Norm::L2, 3.0).unwrap();
        for direction in [[1.0, 1.0, 1.0], [3.0, -1.0, 0.2], [0.0, 5.0, -4.0], [1e-3, 2e-3, -9e-3]] {
            let gain = |changes: [i32; 3]| {
                changes.iter().zip(direction).map(|(&change, way)| f64::from(change) * way).sum::<f64>()
            };
            let range = || -3..=3;
            let all = range().flat_map(|a| range().flat_map(move |b| range().map(move |c| [a, b, c])));
            let inside = all.filter(|changes| changes.iter().map(|change| change * change).sum::<i32>() <= 9);
            let best = inside.map(gain).fold(0.0, f64::max);
            let found = threat.farthest_along(&clean, &direction);
            let found = gain([0, 1, 2].map(|at| i32::from(found.as_raw()[at]) - 100));
            // What is left of the radius may buy no whole level.
            assert!(found >= 0.8 * best, "{direction:?}: {found} of {best}");
        }
    }

    #[test]
    fn the_radius_goes_to_values_that_have_not_reached_0_or_255() {
        let clean = picture(vec![255, 100, 0]);
        let threat = Threat::new(Norm::L2, 4.0).unwrap();
        let found = threat.farthest_along(&clean, &[5.0, 1.0, -5.0]);
        assert_eq!(found.as_raw(), &[255, 104, 0]);
        assert_eq!(threat.farthest_along(&clean, &[0.0, 0.0, 0.0]), clean);
        assert_eq!(threat.farthest_along(&clean, &[f64::NAN, 0.0, 0.0]), clean);
    }

    #[test]
    fn single_levels_are_bought_in_the_order_of_their_worth() {
        // All levels and budgets against a list in order.
        let gains: Vec<f64> = (0..200).map(change).collect();
        let before: Vec<f64> = (0..200).map(|at| f64::from(at % 4)).collect();
        let rooms: Vec<f64> = (0..200).map(|at| if at % 11 == 0 { 1.0 } else { 9.0 }).collect();
        let spent = before.iter().map(|level| level * level).sum::<f64>();
        for left in [0.0, 1.0, 2.5, 6.0, 7.0, 40.0, 300.0, 5000.0] {
            let mut found = before.clone();
            spend(&mut found, &gains, &rooms, spent + left);
            let price = |at: usize| 2.0 * before[at] + 1.0;
            let mut order: Vec<usize> = (0..200).collect();
            order.sort_by(|&a, &b| (gains[b] / price(b)).total_cmp(&(gains[a] / price(a))));
            let (mut expected, mut rest) = (before.clone(), left);
            for at in order {
                if before[at] < rooms[at] && price(at) <= rest {
                    expected[at] += 1.0;
                    rest -= price(at);
                }
            }
            assert_eq!(found, expected, "{left}");
        }
    }

    #[test]
    fn equal_gains_are_spread_over_the_picture() {
        let clean = picture(vec![100; 3 * 256]);
        let threat = Threat::new(Norm::L2, 8.0).unwrap();
        let found = threat.farthest_along(&clean, &[1.0; 3 * 256]);
        let moved: Vec<usize> = (0..3 * 256).filter(|&at| found.as_raw()[at] != 100).collect();
        assert_eq!(moved.len(), 64);
        let halves = moved.iter().filter(|&&at| at < 3 * 128).count();
        assert!((16..=48).contains(&halves), "{halves} of 64 in the upper half");
    }

    proptest! {
        #[test]
        fn l2_uses_the_radius_up_to_the_grid(
            values in prop::collection::vec(0.0f32..1.0, 3 * 64),
            eps in 100u32..300,
        ) {
            let clean = picture(vec![128; 3 * 64]);
            let threat = Threat::new(Norm::L2, f64::from(eps)).unwrap();
            prop_assume!(length(&changes_255(&clean, &values)) > f64::from(eps));
            let distance = Distance::between(&clean, &threat.round(&clean, &values));
            let used = distance.l2() * 255.0;
            prop_assert!(used > f64::from(eps) - 0.5 * (3.0 * 64.0f64).sqrt());
        }

        #[test]
        fn other_roundings_lie_within_the_ball_and_reach_its_edge(
            bytes in prop::collection::vec(20u8..236, 3 * 64),
            values in prop::collection::vec(0.0f32..1.0, 3 * 64),
            eps in 1u32..20,
        ) {
            let clean = picture(bytes);
            let threat = Threat::new(Norm::L2, f64::from(eps)).unwrap();
            let plain = threat.round(&clean, &values);
            for other in threat.other_roundings(&clean, &values, &plain) {
                prop_assert!(threat.contains(Distance::between(&clean, &other)));
            }
            let along = changes_255(&clean, &values);
            let farthest = Distance::between(&clean, &threat.farthest_along(&clean, &along));
            prop_assert!(threat.contains(farthest));
            prop_assert!(farthest.squares_255 as f64 > f64::from(eps * eps) - 2.0 * f64::from(farthest.linf_255) - 1.0);
        }
    }
}
