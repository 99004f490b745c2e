//! Student's t distribution with any positive number of degrees of freedom, from the incomplete
//! beta function.

use statrs::function::beta::beta_reg;
use statrs::function::gamma::ln_gamma;

/// The probability that |t| with `freedom` degrees of freedom is at least |`t`|: the two-sided p.
pub(super) fn two_sided(t: f64, freedom: f64) -> f64 {
    if t == 0.0 {
        return 1.0;
    }
    if t.is_infinite() {
        return 0.0;
    }
    beta_reg(0.5 * freedom, 0.5, freedom / (freedom + t * t))
}

/// The t that |t| with `freedom` degrees of freedom reaches with probability `p`, above 0 and
/// below 1: that of intervals of confidence 1 - p. By Newton's method on the logarithms of p and t,
/// between which the curve is concave and nearly straight in the tail.
pub(super) fn critical(p: f64, freedom: f64) -> f64 {
    let factor =
        ln_gamma(0.5 * freedom + 0.5) - ln_gamma(0.5 * freedom) - 0.5 * (freedom * std::f64::consts::PI).ln();
    let (mut low, mut high): (f64, f64) = (-40.0, 700.0);
    let mut at = 2.0_f64.ln();
    for _ in 0..200 {
        let t = at.exp();
        let found = two_sided(t, freedom);
        if found > p {
            low = at
        } else {
            high = at
        }
        let density = (factor - 0.5 * (freedom + 1.0) * (t * t / freedom).ln_1p()).exp();
        let next = at + found * (found / p).ln() / (2.0 * density * t);
        // Out of what is known to hold it, or where p is too small for a number: halved.
        let next = if next > low && next < high { next } else { 0.5 * (low + high) };
        if (next - at).abs() < 1e-13 {
            return next.exp();
        }
        at = next;
    }
    at.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// t, degrees of freedom, and 2 * scipy.stats.t.sf(t, freedom) of SciPy 1.17.
    const SCIPY: [(f64, f64, f64); 9] = [
        (0.5, 1.5, 0.680_567_110_669_94),
        (2.0, 2.0, 0.183_503_419_072_273_97),
        (4.302_652_729_911_275, 2.0, 0.049_999_999_996_516_63),
        (1.0, 3.7, 0.378_141_399_760_452_47),
        (2.5, 9.0, 0.033_861_827_682_985_735),
        (12.0, 4.2, 2.084_266_606_846_853_5e-4),
        (7.7, 21.8, 1.176_711_531_677_654_8e-7),
        (2.2, 150.5, 0.029_331_601_010_834_516),
        (6.0, 1000.0, 2.755_369_173_377_475_2e-9),
    ];

    #[test]
    fn it_is_scipys() {
        for (t, freedom, p) in SCIPY {
            let found = two_sided(t, freedom);
            assert!((found / p - 1.0).abs() < 1e-9, "{t}, {freedom}: {found} is not {p}");
            assert!((critical(p, freedom) / t - 1.0).abs() < 1e-8, "{t}, {freedom}");
        }
    }

    #[test]
    fn by_hand() {
        // One degree of freedom is Cauchy's distribution: 1 - 2 atan(t) / pi.
        for t in [0.1, 1.0, 12.706_204_736] {
            let cauchy = 1.0 - 2.0 * f64::atan(t) / std::f64::consts::PI;
            assert!((two_sided(t, 1.0) - cauchy).abs() < 1e-12);
        }
        // Two degrees: 1 - t / sqrt(2 + t^2).
        assert!((two_sided(3.0, 2.0) - (1.0 - 3.0 / 11.0_f64.sqrt())).abs() < 1e-12);
        assert_eq!((two_sided(0.0, 3.0), two_sided(f64::INFINITY, 3.0)), (1.0, 0.0));
        assert_eq!(two_sided(-2.0, 5.0), two_sided(2.0, 5.0));
        // With many it is the normal distribution.
        assert!((critical(0.05, 1e6) - 1.959_964).abs() < 1e-5);
    }
}
