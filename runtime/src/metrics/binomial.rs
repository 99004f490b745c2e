//! The binomial distribution, summed term by term from logarithms, so that it neither overflows
//! nor underflows for any number of trials.

/// ln C(n, k).
pub(super) fn ln_choose(n: u64, k: u64) -> f64 {
    let fewer = k.min(n - k);
    (1..=fewer).map(|i| ((n - fewer + i) as f64 / i as f64).ln()).sum()
}

/// The probability of at least `k` successes in `n` trials with success probability `p`.
pub(super) fn upper_tail(k: u64, n: u64, p: f64) -> f64 {
    match () {
        () if k == 0 => return 1.0,
        () if k > n || p <= 0.0 => return 0.0,
        () if p >= 1.0 => return 1.0,
        () => {}
    }
    if (k as f64) < n as f64 * p {
        // The smaller tail is summed, which loses no digits.
        return 1.0 - upper_tail(n - k + 1, n, 1.0 - p);
    }
    let first = ln_choose(n, k) + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p();
    let odds = p / (1.0 - p);
    let (mut term, mut sum) = (1.0, 0.0);
    for successes in k..=n {
        sum += term;
        term *= odds * (n - successes) as f64 / (successes + 1) as f64;
        if term < 1e-18 * sum {
            break;
        }
    }
    (first.exp() * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By whole numbers; up to 120 trials of a fair coin.
    fn slow(k: u64, n: u64) -> f64 {
        let mut row = vec![1_u128];
        for _ in 0..n {
            let inner = row.windows(2).map(|two| two[0] + two[1]);
            row = std::iter::once(1).chain(inner).chain([1]).collect();
        }
        let above: u128 = row[k as usize..].iter().sum();
        above as f64 / (1_u128 << n) as f64
    }

    #[test]
    fn tails_of_a_fair_coin_are_those_of_the_tables() {
        // Tables of the cumulative binomial distribution at p = 0.5, four places.
        for (k, n, table) in [
            (9, 10, 0.0107),
            (8, 10, 0.0547),
            (12, 15, 0.0176),
            (15, 20, 0.0207),
            (14, 20, 0.0577),
            (18, 25, 0.0216),
            (20, 30, 0.0494),
        ] {
            assert!((upper_tail(k, n, 0.5) - table).abs() < 6e-5, "{k} of {n}: {}", upper_tail(k, n, 0.5));
        }
    }

    #[test]
    fn every_tail_agrees_with_integer_arithmetic() {
        for n in [1, 2, 7, 30, 64, 120] {
            for k in 0..=n {
                let (fast, slow) = (upper_tail(k, n, 0.5), slow(k, n));
                assert!((fast / slow - 1.0).abs() < 1e-11, "{k} of {n}: {fast} is not {slow}");
            }
        }
        // 0.3: 10 * 0.3^3 * 0.7^2 + 5 * 0.3^4 * 0.7 + 0.3^5.
        assert!((upper_tail(3, 5, 0.3) - 0.16308).abs() < 1e-12);
        assert_eq!((upper_tail(0, 5, 0.3), upper_tail(6, 5, 0.3)), (1.0, 0.0));
    }

    #[test]
    fn many_trials_neither_overflow_nor_vanish() {
        // By whole numbers of any length: sum(comb(n, i) for i in range(k, n + 1)) / 2**n in Python.
        for (k, n, exact) in [
            (532, 1000, 2.314_559_868_025e-2),
            (600, 1000, 1.364_232_078_033e-10),
            (1650, 2750, 4.140_845_553_102e-26),
            (5100, 10_000, 2.329_276_385_247e-2),
            (50_500, 100_000, 7.911_799_394_258e-4),
        ] {
            let found = upper_tail(k, n, 0.5);
            assert!((found / exact - 1.0).abs() < 1e-8, "{k} of {n}: {found} is not {exact}");
        }
    }
}
