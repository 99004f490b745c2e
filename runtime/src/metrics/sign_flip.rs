//! The exact sign-flip test for paired decisions: under the hypothesis that the two arms are
//! exchangeable within every group, each group's sum of differences is equally likely to have the
//! other sign (Fisher 1935, The Design of Experiments, chapter 3). For single pictures and one
//! seed this is McNemar's exact test (1947; its binomial form).

use super::binomial::upper_tail;

/// The two-sided p for `sums`, one for each group: the share of all assignments of signs whose
/// total is at least as far from zero as the observed one. 1 where every sum is zero.
///
/// Where all sums have one absolute value the total is binomial (see `binomial.rs`). Otherwise
/// the distribution of the total is computed group by group, in time proportional to the groups
/// times the sum of their sizes.
pub(super) fn sign_flip(sums: &[i64]) -> f64 {
    let sizes: Vec<usize> =
        sums.iter().map(|sum| sum.unsigned_abs() as usize).filter(|&size| size > 0).collect();
    let found = sums.iter().sum::<i64>().unsigned_abs() as usize;
    if found == 0 {
        return 1.0;
    }
    if let Some(&size) = sizes.first()
        && sizes.iter().all(|&other| other == size)
    {
        let (groups, ahead) = (sizes.len(), found / size);
        return (2.0 * upper_tail(((groups + ahead) / 2) as u64, groups as u64, 0.5)).min(1.0);
    }
    let range: usize = sizes.iter().sum();
    // The probability of every total from -range to range; only every second one can occur.
    let mut chances = vec![0.0; 2 * range + 1];
    let mut next = chances.clone();
    chances[range] = 1.0;
    let mut reach = 0;
    for size in sizes {
        next[range - reach - size..=range + reach + size].fill(0.0);
        for place in range - reach..=range + reach {
            let half = 0.5 * chances[place];
            next[place - size] += half;
            next[place + size] += half;
        }
        reach += size;
        std::mem::swap(&mut chances, &mut next);
    }
    let above: f64 = chances[range + found..].iter().sum();
    (2.0 * above).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use proptest::prelude::*;
    use rand::RngExt;

    /// Sums of `gained` pictures that one arm alone has right, `lost` that the other has.
    fn mcnemar(seeds_gained: usize, lost: usize) -> f64 {
        sign_flip(&[vec![1; seeds_gained], vec![-1; lost], vec![0; 3]].concat())
    }

    #[test]
    fn mcnemar_by_hand() {
        // 1 against 5: 2 (C(6,0) + C(6,1)) / 64 = 14 / 64.
        assert!((mcnemar(1, 5) - 14.0 / 64.0).abs() < 1e-12);
        assert!((mcnemar(5, 1) - 14.0 / 64.0).abs() < 1e-12);
        assert!((mcnemar(0, 5) - 2.0 / 32.0).abs() < 1e-12);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(4, 4), 1.0);
        // Twice the tail of 2,750 tosses, by whole numbers.
        assert!((mcnemar(1650, 1100) / 8.281_691_106_204e-26 - 1.0).abs() < 1e-8);
        // The usual table of the sign test: the most of the rarer sign that p < 0.05 allows.
        for (n, rarer) in [(6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (17, 4), (20, 5), (25, 7), (30, 9)] {
            assert!(mcnemar(rarer, n - rarer) < 0.05, "{rarer} of {n}");
            assert!(mcnemar(rarer + 1, n - rarer - 1) >= 0.05, "{} of {n}", rarer + 1);
        }
    }

    #[test]
    fn a_hundred_thousand_pictures_take_no_time() {
        let start = std::time::Instant::now();
        assert!((mcnemar(50_500, 49_500) / 1.582_359_878_852e-3 - 1.0).abs() < 1e-8);
        assert!(start.elapsed().as_secs_f64() < 2.0);
    }

    #[test]
    fn groups_are_not_split() {
        // However many pictures of a person differ, four people show nothing: 2 / 2^4.
        assert!((sign_flip(&[30, 25, 40, 10]) - 0.125).abs() < 1e-12);
        // Of the sixteen flips of 3, 2, 1, -1 (total 5), totals of 5 and 7 occur thrice: 5 as
        // 3+2+1-1 and 3+2-1+1, 7 once.
        assert!((sign_flip(&[3, 2, 1, -1]) - 2.0 * 3.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_differ_is_called_different_one_time_in_twenty_at_most() {
        let mut random = random::stream(5, &["sign flip".into()]);
        let (mut called, trials) = (0, 2000);
        for _ in 0..trials {
            // People of one to nine pictures that differ together.
            let sums: Vec<i64> = (0..30)
                .map(|_| random.random_range(1..10) * [-1, 0, 0, 1][random.random_range(0..4)])
                .collect();
            called += usize::from(sign_flip(&sums) < 0.05);
        }
        // Three standard deviations of a binomial of 2,000 and 1/20 are 29.
        assert!((40..=130).contains(&called), "{called} of {trials}");
    }

    proptest! {
        #[test]
        fn every_flip_is_counted(sums in prop::collection::vec(-4_i64..5, 0..10)) {
            let found = sums.iter().sum::<i64>().abs();
            let flips = 1_u32 << sums.len();
            let total = |flip: u32| -> i64 {
                let signed = |(place, sum): (usize, &i64)| if flip >> place & 1 == 1 { -sum } else { *sum };
                sums.iter().enumerate().map(signed).sum()
            };
            let far = (0..flips).filter(|&flip| total(flip).abs() >= found).count();
            let slow = far as f64 / f64::from(flips);
            prop_assert!((sign_flip(&sums) - slow).abs() < 1e-9, "{} {}", sign_flip(&sums), slow);
        }
    }
}
