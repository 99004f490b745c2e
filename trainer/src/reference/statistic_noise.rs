//! Random perturbations of a tap's statistics: DSU (Li et al. 2022) and MixStyle (Zhou et al. 2021).

use super::feature_statistics::{EPS, Statistics};

/// Statistics [N, C] of a tap and draws of the same shape -> draws * the deviation over the batch of
/// each channel's mean and of its deviation (unbiased).
pub fn uncertain(of: &Statistics, draws: &Statistics, n: usize) -> Statistics {
    let noise = |of: &[f64], draws: &[f64]| {
        let c = of.len() / n;
        let deviation = |channel: usize| {
            let values = || of.iter().skip(channel).step_by(c);
            let mean = values().sum::<f64>() / n as f64;
            let squares = values().map(|value| (value - mean).powi(2)).sum::<f64>();
            (squares / (n.max(2) - 1) as f64 + EPS).sqrt()
        };
        draws.iter().enumerate().map(|(at, draw)| draw * deviation(at % c)).collect()
    };
    Statistics { mean: noise(&of.mean, &draws.mean), deviation: noise(&of.deviation, &draws.deviation) }
}

/// Statistics [N, C] of a tap, and for each picture a partner and its share -> share * (the partner's
/// statistics - the picture's own).
pub fn mixed(of: &Statistics, partners: &[(usize, f64)]) -> Statistics {
    let toward = |of: &[f64]| {
        let c = of.len() / partners.len();
        let one = |at: usize| {
            let (partner, share) = partners[at / c];
            share * (of[partner * c + at % c] - of[at])
        };
        (0..of.len()).map(one).collect()
    };
    Statistics { mean: toward(&of.mean), deviation: toward(&of.deviation) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pictures_by_hand() {
        let of = Statistics { mean: vec![1.0, 5.0, 3.0, 5.0], deviation: vec![2.0, 2.0, 2.0, 4.0] };
        let draws = Statistics { mean: vec![1.0, 1.0, -1.0, 0.0], deviation: vec![0.0, 2.0, 0.0, 1.0] };
        let noise = uncertain(&of, &draws, 2);
        let (two, none) = ((2.0 + EPS).sqrt(), EPS.sqrt());
        assert_eq!(noise.mean, [two, none, -two, 0.0]);
        assert_eq!(noise.deviation, [0.0, 2.0 * two, 0.0, two]);
        let mixed = mixed(&of, &[(1, 0.5), (1, 1.0)]);
        assert_eq!((mixed.mean, mixed.deviation), (vec![1.0, 0.0, 0.0, 0.0], vec![0.0, 1.0, 0.0, 0.0]));
    }
}
