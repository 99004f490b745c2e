//! Minimum detectable differences: the smallest true difference that the given pictures or groups
//! show with a power of 80 % at the two-sided 5 % level. It says what 'no effect shown' rules
//! out. Exact for usual numbers of pictures; a normal approximation for larger ones.

use super::binomial::{ln_choose, upper_tail};
use super::{LEVEL, Z};

/// The required power.
const POWER: f64 = 0.8;
/// The quantile of the normal distribution at [`POWER`].
const Z_POWER: f64 = 0.841_621_233_572_914_2;
/// Up to this expected number of discordant pictures the power is computed exactly; above it, the
/// normal approximation is within a few hundredths.
const EXACT: f64 = 400.0;

/// For a share of the same pictures, by McNemar's exact test: the difference d that the test
/// detects, with the right sign, with [`POWER`]. The share psi of discordant pictures is
/// `discordant`, or d where that is larger, as a difference of d needs that many. `n` is the
/// number of independent pictures, rounded down. `None` where not even a difference of 1 could be
/// shown.
pub(super) fn detectable_share(discordant: f64, n: f64) -> Option<f64> {
    let asked = connor(discordant, n);
    let expected = n * discordant.max(asked.unwrap_or(1.0));
    if expected > EXACT { asked } else { McNemar::new(discordant, n as u64).detectable() }
}

/// [`detectable_share`] in the normal approximation: the d that solves
///
/// n = (z_0.975 sqrt(psi) + z_0.8 sqrt(psi - d^2))^2 / d^2
///
/// (Connor 1987, Sample size for testing differences in proportions for the paired-sample
/// design, Biometrics 43, 207-211).
fn connor(discordant: f64, n: f64) -> Option<f64> {
    let needed = |d: f64| {
        let psi = discordant.max(d);
        (Z * psi.sqrt() + Z_POWER * (psi - d * d).max(0.0).sqrt()).powi(2) / (d * d)
    };
    // The required number of pictures falls as the difference grows.
    (needed(1.0) <= n).then(|| least(1.0, |d| needed(d) <= n))
}

/// The smallest d up to `high` at which `enough` holds, as it does at `high` and above d.
fn least(mut high: f64, mut enough: impl FnMut(f64) -> bool) -> f64 {
    let mut low = 0.0;
    for _ in 0..50 {
        let middle = 0.5 * (low + high);
        if enough(middle) { high = middle } else { low = middle }
    }
    high
}

/// McNemar's exact test on `n` pictures.
struct McNemar {
    discordant: f64,
    n: u64,
    /// For 0, 1, 2, … discordant pictures: how many of them must favour one arm for p below
    /// [`LEVEL`]; larger than their number where p cannot be that low.
    critical: Vec<u64>,
}

impl McNemar {
    fn new(discordant: f64, n: u64) -> Self {
        Self { discordant, n, critical: vec![1] }
    }

    fn detectable(mut self) -> Option<f64> {
        // Doubled until it suffices: the power of a large difference is a sum over many
        // discordant pictures.
        let mut high = self.discordant.max(1.0 / self.n.max(1) as f64).min(1.0);
        while self.power(high) < POWER {
            if high == 1.0 {
                return None;
            }
            high = (2.0 * high).min(1.0);
        }
        Some(least(high, |d| self.power(d) >= POWER))
    }

    /// The power at a true difference of `d`.
    fn power(&mut self, d: f64) -> f64 {
        let psi = self.discordant.max(d);
        let seeds_gained = 0.5 * (psi + d) / psi;
        let mut sum = 0.0;
        for count in 0..=self.n {
            let chance = match psi < 1.0 {
                true => (ln_choose(self.n, count)
                    + count as f64 * psi.ln()
                    + (self.n - count) as f64 * (-psi).ln_1p())
                .exp(),
                false => f64::from(u8::from(count == self.n)),
            };
            let rare = chance < 1e-15;
            if rare && count as f64 > self.n as f64 * psi {
                break;
            }
            if !rare {
                sum += chance * upper_tail(self.critical(count), count, seeds_gained);
            }
        }
        sum
    }

    fn critical(&mut self, count: u64) -> u64 {
        for count in self.critical.len() as u64..=count {
            let mut one = self.critical[self.critical.len() - 1];
            while one <= count && 2.0 * upper_tail(one, count, 0.5) >= LEVEL {
                one += 1;
            }
            self.critical.push(one);
        }
        self.critical[count as usize]
    }
}

/// For any metric whose difference has the standard error `error`: (z_0.975 + z_0.8) times it
/// (Bloom 1995, Minimum detectable effects, Evaluation Review 19, 547-556).
pub(super) fn detectable_mean(error: f64) -> f64 {
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
        assert!((connor(0.4, n).unwrap() - 0.2).abs() < 1e-5);
        assert!((detectable_mean(1.0) - 2.801_585).abs() < 1e-5);
        assert_eq!(detectable_share(0.0, 5.9), None, "five pictures show nothing");
        // Six pictures must all be one arm's: d^6 = 0.8.
        assert!((detectable_share(0.0, 6.0).unwrap() - 0.8_f64.powf(1.0 / 6.0)).abs() < 1e-9);
        // At least six of 500: a Poisson count of 7.9 is that in four cases of five.
        let none = detectable_share(0.0, 500.0).unwrap();
        assert!((none * 500.0 - 7.9).abs() < 0.05, "{none}");
    }

    /// The chance that a difference of `d` is called one, over every number of pictures that
    /// the one arm alone has right, and the other.
    fn slow(n: u64, discordant: f64, d: f64) -> f64 {
        let choose =
            |n: u64, k: u64| (0..k).fold(1_u128, |all, i| all * u128::from(n - i) / u128::from(i + 1));
        let psi = discordant.max(d);
        let mut power = 0.0;
        for seeds_gained in 0..=n {
            for lost in 0..=n - seeds_gained {
                let all = seeds_gained + lost;
                let tail: u128 = (seeds_gained..=all).map(|k| choose(all, k)).sum();
                // p = 2 tail / 2^all below 1 / 20.
                if 40 * tail < 1 << all {
                    let ways = (choose(n, all) * choose(all, seeds_gained)) as f64;
                    let alone =
                        (0.5 * (psi + d)).powi(seeds_gained as i32) * (0.5 * (psi - d)).powi(lost as i32);
                    power += ways * alone * (1.0 - psi).powi((n - all) as i32);
                }
            }
        }
        power
    }

    #[test]
    fn of_few_pictures_it_is_that_of_every_outcome() {
        for n in 6..=30 {
            for discordant in [0.0, 0.15, 0.4, 0.8, 1.0] {
                let enough = |d: f64| slow(n, discordant, d) >= 0.8;
                match detectable_share(discordant, n as f64) {
                    Some(d) => {
                        assert!((slow(n, discordant, d) - 0.8).abs() < 1e-7, "{n}, {discordant}: {d}");
                        assert!(enough(d + 1e-6) && !enough(d - 1e-6), "{n}, {discordant}: {d}");
                    }
                    None => assert!(!enough(1.0), "{n}, {discordant}"),
                }
            }
        }
    }

    #[test]
    fn where_the_approximation_begins_it_is_near() {
        for (discordant, n) in [(0.2, 1990.0), (0.5, 798.0)] {
            let exact = detectable_share(discordant, n).unwrap();
            let about = connor(discordant, n).unwrap();
            assert!((exact / about - 1.0).abs() < 0.05, "{exact} {about}");
        }
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
            // Three standard deviations of a binomial of 1,000 and 0.8 are 0.038.
            assert!((0.76..=0.84).contains(&power), "{n} pictures, {discordant} discordant: {power}");
        }
    }
}
