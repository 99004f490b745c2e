//! The smallest true difference that so many pictures, or groups, had four chances in five
//! (power 80 %) to show at the two-sided 5 % level: what 'no effect shown' rules out, and
//! what it does not.

use super::Z;

/// The 80 % quantile of the normal distribution.
const Z_POWER: f64 = 0.841_621_233_572_914_2;

/// Of a share on the same pictures, by McNemar's test: the difference d that solves
///
/// n = (z_0.975 sqrt(psi) + z_0.8 sqrt(psi - d^2))^2 / d^2
///
/// (Connor 1987, Sample size for testing differences in proportions for the paired-sample
/// design, Biometrics 43, 207-211), where psi is the share of `discordant` pictures, or d
/// where that is larger: every difference makes as many pictures discordant. `n` are the
/// independent pictures. `None` where not even a difference of 1 could be shown.
pub fn detectable_share(discordant: f64, n: f64) -> Option<f64> {
    let needed = |d: f64| {
        let psi = discordant.max(d);
        (Z * psi.sqrt() + Z_POWER * (psi - d * d).max(0.0).sqrt()).powi(2) / (d * d)
    };
    if needed(1.0) > n {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    // The number of pictures falls as the difference grows.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if needed(middle) > n { low = middle } else { high = middle }
    }
    Some(high)
}

/// Of any figure whose difference has the standard `error`: (z_0.975 + z_0.8) of it (Bloom
/// 1995, Minimum detectable effects, Evaluation Review 19, 547-556).
pub fn detectable_mean(error: f64) -> f64 {
    (Z + Z_POWER) * error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::sign_flip::sign_flip;
    use crate::random;
    use rand::RngExt;

    #[test]
    fn by_hand() {
        // psi = 0.4, d = 0.2: (1.96 * 0.63246 + 0.84162 * 0.6)^2 / 0.04 = 76.09 pictures.
        let n = (1.959_964 * 0.4_f64.sqrt() + 0.841_621 * 0.36_f64.sqrt()).powi(2) / 0.04;
        assert!((n - 76.0).abs() < 1.0, "{n}");
        assert!((detectable_share(0.4, n).unwrap() - 0.2).abs() < 1e-5);
        assert!((detectable_mean(1.0) - 2.801_585).abs() < 1e-5);
        assert_eq!(detectable_share(0.0, 3.0), None, "three pictures show nothing");
        // The rule of three, so to speak, for differences: about 7 / n.
        let none = detectable_share(0.0, 500.0).unwrap();
        assert!(none > 6.0 / 500.0 && none < 8.0 / 500.0, "{none}");
    }

    #[test]
    fn the_test_finds_such_a_difference_four_times_in_five() {
        let mut random = random::stream(8, &["power".into()]);
        for (n, discordant) in [(50, 0.0), (200, 0.1), (400, 0.3), (1000, 0.02)] {
            let d = detectable_share(discordant, f64::from(n)).unwrap();
            let psi = discordant.max(d);
            let gain = (psi + d) / 2.0;
            let trials = 1000;
            let shown = (0..trials).filter(|_| {
                let picture = |draw: f64| {
                    if draw < gain {
                        1
                    } else if draw < psi {
                        -1
                    } else {
                        0
                    }
                };
                let sums: Vec<i64> = (0..n).map(|_| picture(random.random())).collect();
                sign_flip(&sums) < 0.05
            });
            let power = shown.count() as f64 / f64::from(trials);
            // The exact test is a little more careful than the formula.
            assert!((0.68..=0.88).contains(&power), "{n} pictures, {discordant} discordant: {power}");
        }
    }
}
