//! Adversarial pictures of a training step: a uniform start in the Linf ball, and steps along the
//! gradient's sign ([`super::perturbation::linf`]).

use super::mask::pcg4d;

/// The number that keeps the draws apart from those of masks.
const START: u32 = u32::MAX;

/// Clean images [N, P, 3] and one key per image -> a uniform point of the ball of radius `eps`, cut to
/// \[0, 1\].
pub fn start(clean: &[f64], keys: &[u64], eps: f64) -> Vec<f64> {
    let values = clean.len() / keys.len();
    let offset = |(at, clean): (usize, &f64)| {
        let (image, value) = (at / values, at % values);
        let key = keys[image];
        let bits = pcg4d([key as u32, (key >> 32) as u32, START, (value / 3) as u32])[value % 3];
        let offset = f64::from(bits >> 8) / f64::from(1 << 23) - 1.0;
        (clean + eps * offset).clamp(0.0, 1.0)
    };
    clean.iter().enumerate().map(offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_fill_the_ball() {
        let clean = vec![0.5; 3 * 2000];
        let moved = start(&clean, &[7, 8], 0.25);
        assert!(moved.iter().all(|value| (value - 0.5).abs() <= 0.25));
        let mean = moved.iter().sum::<f64>() / 6000.0;
        let variance = moved.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 6000.0;
        // Of a uniform number: eps^2 / 3.
        assert!((mean - 0.5).abs() < 0.01 && (variance - 0.0625 / 3.0).abs() < 1e-3, "{mean} {variance}");
        assert_ne!(moved[..3000], moved[3000..]);
        assert_eq!(start(&clean, &[7, 8], 0.0), clean);
        assert_eq!(
            start(&[0.0, 1.0, 0.5], &[7], 0.1).iter().filter(|value| !(0.0..=1.0).contains(*value)).count(),
            0
        );
    }
}
