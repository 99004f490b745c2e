//! One step of FGSM and PGD on pixels in [0, 1]: along the gradient of the loss, then projected on
//! the ball around the clean image and on [0, 1].

/// Images x [N, D], where D counts the values of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Images {
    /// N: images.
    pub n: usize,
    /// D: values of one image.
    pub values: usize,
}

/// The length of a step and the radius of the ball, in units of pixels in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Length of this step.
    pub step: f64,
    /// Radius of the ball around the clean image.
    pub epsilon: f64,
}

/// x, clean x0, gradient g, of one length -> x' = x + step * sign(g), clamped to
/// [x0 - epsilon, x0 + epsilon] and [0, 1]. The sign of zero is zero. One step from
/// x = x0 with step = epsilon is FGSM.
pub fn linf(by: &Step, x: &[f64], clean: &[f64], gradient: &[f64]) -> Vec<f64> {
    let count = x.len();
    assert_eq!((clean.len(), gradient.len()), (count, count));
    let mut moved = vec![0.0; count];
    for i in 0..count {
        let (low, high) = (clean[i] - by.epsilon, clean[i] + by.epsilon);
        moved[i] = (x[i] + by.step * sign(gradient[i])).clamp(low, high).clamp(0.0, 1.0);
    }
    moved
}

/// x, clean x0, gradient g [N, D] -> x' = x + step * g / ||g||, every image by its
/// own norm (one whose gradient is zero stays), projected on the ball of radius
/// epsilon around x0, then clamped to [0, 1], which does not increase the distance from x0.
pub fn l2(shape: &Images, by: &Step, x: &[f64], clean: &[f64], gradient: &[f64]) -> Vec<f64> {
    let &Images { n, values } = shape;
    assert_eq!(x.len(), n * values, "x is [N, D]");
    assert_eq!(clean.len(), n * values, "x0 is [N, D]");
    assert_eq!(gradient.len(), n * values, "g is [N, D]");
    let mut moved = Vec::with_capacity(n * values);
    for image in 0..n {
        let own = image * values..(image + 1) * values;
        let (x, clean, gradient) = (&x[own.clone()], &clean[own.clone()], &gradient[own]);
        let length = norm(gradient);
        let factor = if length > 0.0 { by.step / length } else { 0.0 };
        let offset: Vec<f64> = (0..values).map(|i| x[i] + factor * gradient[i] - clean[i]).collect();
        let distance = norm(&offset);
        let shrink = if distance > by.epsilon { by.epsilon / distance } else { 1.0 };
        moved.extend((0..values).map(|i| (clean[i] + shrink * offset[i]).clamp(0.0, 1.0)));
    }
    moved
}

/// -1, 0 or 1; unlike [`f64::signum`] the sign of zero is zero.
fn sign(value: f64) -> f64 {
    if value > 0.0 {
        1.0
    } else if value < 0.0 {
        -1.0
    } else {
        0.0
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, dot, values};
    use super::*;

    /// Up, down, still (for both zeros), and held by 1 and by 0.
    #[test]
    fn one_signed_step_by_hand() {
        let clean = [0.5, 0.5, 0.5, 0.5, 0.98, 0.01];
        let gradient = [7.0, -1e-9, 0.0, -0.0, 1.0, -1.0];
        let by = Step { step: 0.125, epsilon: 0.125 };
        let moved = linf(&by, &clean, &clean, &gradient);
        assert_close(&moved, &[0.625, 0.375, 0.5, 0.5, 1.0, 0.0]);
    }

    #[test]
    fn many_signed_steps_stay_on_the_ball() {
        let by = Step { step: 0.05, epsilon: 0.125 };
        let (clean, gradient) = ([0.5, 0.5], [1.0, -2.0]);
        let mut x = clean.to_vec();
        for expected in [0.05, 0.1, 0.125, 0.125] {
            x = linf(&by, &x, &clean, &gradient);
            assert_close(&x, &[0.5 + expected, 0.5 - expected]);
        }
    }

    /// The gradient (3, 4) has length 5; the second image's gradient is zero.
    #[test]
    fn one_normalised_step_by_hand() {
        let shape = Images { n: 2, values: 2 };
        let by = Step { step: 0.1, epsilon: 1.0 };
        let clean = [0.5; 4];
        let moved = l2(&shape, &by, &clean, &clean, &[3.0, 4.0, 0.0, 0.0]);
        assert_close(&moved, &[0.56, 0.58, 0.5, 0.5]);
    }

    /// From 0.3 to the right, a step of 0.4 upwards: the distance 0.5 is halved.
    #[test]
    fn a_normalised_step_is_projected_on_the_ball() {
        let shape = Images { n: 1, values: 2 };
        let by = Step { step: 0.4, epsilon: 0.25 };
        let moved = l2(&shape, &by, &[0.8, 0.5], &[0.5, 0.5], &[0.0, 9.0]);
        assert_close(&moved, &[0.65, 0.7]);
        let outside = l2(&shape, &by, &[0.8, 0.5], &[0.5, 0.5], &[0.0, 0.0]);
        assert_close(&outside, &[0.75, 0.5]);
    }

    #[test]
    fn both_balls_and_the_pixel_range_hold_everywhere() {
        let (n, size) = (3, 7);
        let unit = |name: &str| -> Vec<f64> {
            let values = values(name, n * size);
            values.iter().map(|v| 0.5 + 0.5 * v).collect()
        };
        let (clean, gradient) = (unit("clean"), values("gradient", n * size));
        let by = Step { step: 0.3, epsilon: 0.2 };
        let signed = linf(&by, &unit("x"), &clean, &gradient);
        let shape = Images { n, values: size };
        let normalised = l2(&shape, &by, &unit("x"), &clean, &gradient);
        for (signed, clean) in signed.iter().zip(&clean) {
            assert!((signed - clean).abs() <= by.epsilon + 1e-15);
        }
        for (moved, clean) in normalised.chunks(size).zip(clean.chunks(size)) {
            let offset: Vec<f64> = moved.iter().zip(clean).map(|(m, c)| m - c).collect();
            assert!(dot(&offset, &offset).sqrt() <= by.epsilon + 1e-15);
        }
        for pixel in signed.iter().chain(&normalised) {
            assert!((0.0..=1.0).contains(pixel));
        }
    }
}
