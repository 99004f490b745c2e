//! The projection onto a hyperplane inside the box \[0, 1\] (Croce and Hein,
//! "Minimally distorted adversarial examples with a fast adaptive boundary
//! attack", ICML 2020, section 2).

use super::geometry::sign;
use crate::threat::Norm;

/// The shortest step from `from` that stays in the box and along which
/// <normal, step> = `offset`; where the box does not reach so far, the step to the
/// corner that comes nearest. A normal of 0 gives no step.
///
/// A value moves by min(l * b, room) towards `offset`, with b = 1 (Linf) or |normal|
/// (L2) and the one l for which the sum fits. That sum is concave and piecewise
/// linear in l, so Newton's method from 0 comes to the exact l in finitely many
/// steps, without sorting.
pub(super) fn step_onto(norm: Norm, from: &[f32], normal: &[f32], offset: f64) -> Vec<f32> {
    let towards = |normal: f32| f64::from(sign(normal)) * if offset < 0.0 { -1.0 } else { 1.0 };
    let room = |from: f32, towards: f64| {
        let from = f64::from(from);
        if towards > 0.0 { (1.0 - from).max(0.0) } else { from.max(0.0) }
    };
    let pace = |normal: f32| match norm {
        Norm::Linf => 1.0,
        Norm::L2 => f64::from(normal.abs()),
    };
    let mut reach = 0.0;
    let mut stopped_before = None;
    loop {
        let (mut gained, mut slope, mut stopped) = (0.0, 0.0, 0);
        for (&from, &normal) in from.iter().zip(normal) {
            let (size, pace, room) = (f64::from(normal.abs()), pace(normal), room(from, towards(normal)));
            if reach * pace >= room {
                gained += size * room;
                stopped += 1;
            } else {
                slope += size * pace;
            }
        }
        if stopped_before == Some(stopped) {
            break;
        }
        stopped_before = Some(stopped);
        // Every value that counts has reached 0 or 1: the corner.
        reach = if slope > 0.0 { (offset.abs() - gained).max(0.0) / slope } else { f64::MAX };
    }
    let step = |(&from, &normal): (&f32, &f32)| {
        let towards = towards(normal);
        (towards * (reach * pace(normal)).min(room(from, towards))) as f32
    };
    from.iter().zip(normal).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::gradient::geometry::length;
    use proptest::prelude::*;

    fn along(normal: &[f32], step: &[f32]) -> f64 {
        normal.iter().zip(step).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
    }

    #[test]
    fn without_walls_it_is_the_closed_form() {
        let (from, normal) = ([0.5; 3], [3.0, -4.0, 0.0]);
        let linf = step_onto(Norm::Linf, &from, &normal, -0.7);
        assert!(linf.iter().zip([-0.1, 0.1, 0.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{linf:?}");
        let l2 = step_onto(Norm::L2, &from, &normal, 0.5);
        assert!(l2.iter().zip([0.06, -0.08, 0.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{l2:?}");
    }

    #[test]
    fn what_a_wall_takes_the_others_give() {
        // The first value may rise by 0.1 only, the second must give the rest.
        let step = step_onto(Norm::Linf, &[0.9, 0.2], &[1.0, 1.0], 0.5);
        assert!((step[0] - 0.1).abs() < 1e-6 && (step[1] - 0.4).abs() < 1e-6, "{step:?}");
    }

    #[test]
    fn out_of_reach_is_the_corner_and_no_normal_no_step() {
        for norm in [Norm::Linf, Norm::L2] {
            assert_eq!(step_onto(norm, &[0.25, 0.5, 0.5], &[1.0, -1.0, 0.0], 9.0), [0.75, -0.5, 0.0]);
            assert_eq!(step_onto(norm, &[0.25, 0.5], &[0.0, 0.0], 9.0), [0.0, 0.0]);
            assert_eq!(step_onto(norm, &[0.25, 0.5], &[1.0, 2.0], 0.0), [0.0, 0.0]);
        }
    }

    proptest! {
        #[test]
        fn it_lands_on_the_plane_and_no_other_step_there_is_shorter(
            pixels in prop::collection::vec((0.0f32..=1.0, -2.0f32..2.0, 0.0f32..=1.0), 2..20),
            l2 in any::<bool>(),
        ) {
            let norm = if l2 { Norm::L2 } else { Norm::Linf };
            let from: Vec<f32> = pixels.iter().map(|pixel| pixel.0).collect();
            let normal: Vec<f32> = pixels.iter().map(|pixel| pixel.1).collect();
            // Another point of the box lies on the plane, so the plane is within reach.
            let other: Vec<f32> = pixels.iter().map(|pixel| pixel.2 - pixel.0).collect();
            let offset = along(&normal, &other);
            let step = step_onto(norm, &from, &normal, offset);
            prop_assert!((along(&normal, &step) - offset).abs() < 1e-5);
            prop_assert!(length(norm, &step) <= length(norm, &other) + 1e-5);
            let stays = |(from, step): (&f32, &f32)| (-1e-6..=1.0 + 1e-6).contains(&(from + step));
            prop_assert!(from.iter().zip(&step).all(stays));
        }
    }
}
