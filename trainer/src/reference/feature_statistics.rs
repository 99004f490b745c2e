//! Gradient regularization's own ops (Guan et al., IEEE TIFS 2024): the mean and the
//! deviation of every channel of every image, the loss's gradient with respect to
//! them, and their perturbation at a tap.
//!
//! With fhat = (f - mu) / sigma the perturbed features are
//! f' = fhat * (sigma + dsigma) + (mu + dmu) = f + dmu + dsigma * fhat.

use super::moments;

/// Added to the variance under the root: sigma = sqrt(var + EPS), var divided by S.
pub const EPS: f64 = 1e-5;

/// A tap: features f [N, S, C].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// N: images.
    pub n: usize,
    /// S: positions of one image.
    pub s: usize,
    /// C: channels.
    pub c: usize,
}

/// Whether a perturbation and its gradient are shared over the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// One value per channel, \[C\], for all images of a batch.
    Batch,
    /// One value per channel and image, [N, C].
    Image,
}

impl Sharing {
    /// D: the perturbations of a batch of N = `n` images.
    pub fn deltas(self, n: usize) -> usize {
        match self {
            Self::Batch => 1,
            Self::Image => n,
        }
    }
}

/// Whether the backward pass differentiates mu and sigma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// mu and sigma are functions of f.
    Through,
    /// mu and sigma are constants.
    Detached,
}

/// The gradients over which the norm is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// One norm over all taps.
    Joint,
    /// One norm for every tap.
    PerTap,
}

/// A number for each mean and each deviation of a tap: the statistics themselves
/// ([N, C]), or gradients and perturbations (\[C\] or [N, C], by [`Sharing`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Of mu.
    pub mean: Vec<f64>,
    /// Of sigma.
    pub deviation: Vec<f64>,
}

impl Tap {
    fn len(&self) -> usize {
        self.n * self.s * self.c
    }

    /// The number of means, and of deviations, that a gradient or perturbation has.
    pub fn shared_len(&self, sharing: Sharing) -> usize {
        sharing.deltas(self.n) * self.c
    }

    /// The index of the value for an image and channel in a gradient or perturbation.
    fn shared_index(&self, sharing: Sharing, image: usize, channel: usize) -> usize {
        match sharing {
            Sharing::Batch => channel,
            Sharing::Image => image * self.c + channel,
        }
    }

    /// Calls `visit` with (image, channel, index into [N, S, C]) for every feature.
    fn for_each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        for image in 0..self.n {
            for at in 0..self.s {
                for channel in 0..self.c {
                    visit(image, channel, (image * self.s + at) * self.c + channel);
                }
            }
        }
    }
}

/// f [N, S, C] -> mu and sigma, [N, C].
pub fn statistics(tap: &Tap, f: &[f64]) -> Statistics {
    assert_eq!(f.len(), tap.len(), "f is [N, S, C]");
    let by_image: Vec<_> = f.chunks(tap.s * tap.c).map(|f| moments::forward(f, tap.c)).collect();
    let mean = by_image.iter().flat_map(|moments| moments.mean.clone()).collect();
    let deviation = by_image.iter().flat_map(|moments| &moments.var).map(|var| (var + EPS).sqrt()).collect();
    Statistics { mean, deviation }
}

/// f [N, S, C] and its statistics [N, C] -> fhat [N, S, C].
pub fn normalised(tap: &Tap, f: &[f64], of: &Statistics) -> Vec<f64> {
    assert_eq!(f.len(), tap.len(), "f is [N, S, C]");
    let mut fhat = vec![0.0; tap.len()];
    tap.for_each(|image, channel, at| {
        let nc = image * tap.c + channel;
        fhat[at] = (f[at] - of.mean[nc]) / of.deviation[nc];
    });
    fhat
}

/// f [N, S, C], delta by `sharing` -> f' [N, S, C] = f + dmu + dsigma * fhat.
pub fn perturb(tap: &Tap, f: &[f64], delta: &Statistics, sharing: Sharing) -> Vec<f64> {
    perturb_with(tap, f, &statistics(tap, f), delta, sharing)
}

/// Computes [`perturb`] with given statistics of f.
pub fn perturb_with(tap: &Tap, f: &[f64], of: &Statistics, delta: &Statistics, sharing: Sharing) -> Vec<f64> {
    check_shared(tap, delta, sharing);
    let fhat = normalised(tap, f, of);
    let mut perturbed = vec![0.0; tap.len()];
    tap.for_each(|image, channel, at| {
        let shared = tap.shared_index(sharing, image, channel);
        perturbed[at] = f[at] + delta.mean[shared] + delta.deviation[shared] * fhat[at];
    });
    perturbed
}

/// f [N, S, C], df' [N, S, C] -> the loss's gradient with respect to dmu and dsigma:
/// the sums of df' and of df' * fhat over space, and over the batch where shared.
pub fn gradients(tap: &Tap, f: &[f64], dperturbed: &[f64], sharing: Sharing) -> Statistics {
    assert_eq!(dperturbed.len(), tap.len(), "df' is [N, S, C]");
    let fhat = normalised(tap, f, &statistics(tap, f));
    let len = tap.shared_len(sharing);
    let (mut mean, mut deviation) = (vec![0.0; len], vec![0.0; len]);
    tap.for_each(|image, channel, at| {
        let shared = tap.shared_index(sharing, image, channel);
        mean[shared] += dperturbed[at];
        deviation[shared] += dperturbed[at] * fhat[at];
    });
    Statistics { mean, deviation }
}

/// The gradients of all taps, [D, C] each -> perturbations of length `radius` along
/// them: radius * g / ||g||. There is one norm for each of the D perturbations
/// ([`Sharing::deltas`]), so that that of an image does not depend on its batch; it is over means
/// and deviations together. A zero gradient gives a zero perturbation.
pub fn scaled_to(radius: f64, gradients: &[Statistics], norm: Norm, deltas: usize) -> Vec<Statistics> {
    let squared: Vec<Vec<f64>> = gradients.iter().map(|gradient| squared_norms(gradient, deltas)).collect();
    let joint = |delta: usize| squared.iter().map(|of_tap| of_tap[delta]).sum::<f64>();
    let factor = |tap: usize, delta: usize| {
        let squared = match norm {
            Norm::Joint => joint(delta),
            Norm::PerTap => squared[tap][delta],
        };
        if squared > 0.0 { radius / squared.sqrt() } else { 0.0 }
    };
    let scaled = |tap: usize, values: &[f64]| {
        let c = values.len() / deltas;
        values.iter().enumerate().map(|(at, g)| factor(tap, at / c) * g).collect()
    };
    gradients
        .iter()
        .enumerate()
        .map(|(tap, gradient)| Statistics {
            mean: scaled(tap, &gradient.mean),
            deviation: scaled(tap, &gradient.deviation),
        })
        .collect()
}

/// f, df' [N, S, C], delta by `sharing` -> df [N, S, C].
///
/// Detached: df = df' * (1 + dsigma / sigma). Through mu and sigma:
/// df = df' + dsigma / sigma * (df' - mean(df') - fhat * mean(df' * fhat)), the means
/// over space; the added part is an instance norm's backward pass times dsigma.
pub fn backward(
    tap: &Tap,
    f: &[f64],
    dperturbed: &[f64],
    delta: &Statistics,
    sharing: Sharing,
    flow: Flow,
) -> Vec<f64> {
    check_shared(tap, delta, sharing);
    let of = statistics(tap, f);
    let fhat = normalised(tap, f, &of);
    let sums = gradients(tap, f, dperturbed, Sharing::Image);
    let s = tap.s as f64;
    let mut df = vec![0.0; tap.len()];
    tap.for_each(|image, channel, at| {
        let nc = image * tap.c + channel;
        let relative = delta.deviation[tap.shared_index(sharing, image, channel)] / of.deviation[nc];
        let through = match flow {
            Flow::Through => sums.mean[nc] / s + fhat[at] * sums.deviation[nc] / s,
            Flow::Detached => 0.0,
        };
        df[at] = dperturbed[at] + relative * (dperturbed[at] - through);
    });
    df
}

/// One sum of squares for each perturbation, \[D\].
fn squared_norms(gradient: &Statistics, deltas: usize) -> Vec<f64> {
    let Statistics { mean, deviation } = gradient;
    assert!(mean.len() == deviation.len() && mean.len().is_multiple_of(deltas), "gradients are [D, C]");
    let c = mean.len() / deltas;
    let squares = |values: &[f64]| values.iter().map(|g| g * g).sum::<f64>();
    mean.chunks(c).zip(deviation.chunks(c)).map(|(m, d)| squares(m) + squares(d)).collect()
}

fn check_shared(tap: &Tap, delta: &Statistics, sharing: Sharing) {
    let len = tap.shared_len(sharing);
    assert_eq!(delta.mean.len(), len, "dmu is [C] or [N, C]");
    assert_eq!(delta.deviation.len(), len, "dsigma is [C] or [N, C]");
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    const TAPS: [Tap; 4] = [
        Tap { n: 1, s: 9, c: 1 },
        Tap { n: 3, s: 5, c: 4 },
        Tap { n: 1, s: 4, c: 3 },
        Tap { n: 2, s: 1, c: 2 },
    ];

    fn delta(tap: &Tap, sharing: Sharing) -> Statistics {
        let len = tap.shared_len(sharing);
        Statistics { mean: values("dmu", len), deviation: values("dsigma", len) }
    }

    #[test]
    fn every_image_has_its_own_statistics() {
        let tap = Tap { n: 2, s: 2, c: 1 };
        let got = statistics(&tap, &[1.0, 3.0, 10.0, 10.0]);
        assert_close(&got.mean, &[2.0, 10.0]);
        assert_close(&got.deviation, &[1.00001_f64.sqrt(), 1e-5_f64.sqrt()]);
    }

    /// The perturbation changes the mean of the features by dmu and their deviation by dsigma, up to
    /// the epsilon in sigma.
    #[test]
    fn perturbing_moves_mean_and_deviation() {
        let tap = Tap { n: 2, s: 50, c: 3 };
        let f: Vec<f64> = values("f", 300).iter().map(|f| 40.0 * f).collect();
        let before = statistics(&tap, &f);
        for sharing in [Sharing::Batch, Sharing::Image] {
            let delta = delta(&tap, sharing);
            let after = statistics(&tap, &perturb(&tap, &f, &delta, sharing));
            for (image, channel) in [(0, 0), (0, 2), (1, 1)] {
                let nc = image * 3 + channel;
                let at = tap.shared_index(sharing, image, channel);
                let moved = after.mean[nc] - before.mean[nc];
                assert!((moved - delta.mean[at]).abs() < 1e-9);
                let moved = after.deviation[nc] - before.deviation[nc];
                assert!((moved - delta.deviation[at]).abs() < 1e-6);
            }
        }
    }

    /// Every pair of features is 2 apart, so that fhat is -k and k, k nearly 1.
    #[test]
    fn sharing_by_hand() {
        let tap = Tap { n: 2, s: 2, c: 2 };
        let f = [1.0, 10.0, 3.0, 12.0, 5.0, 8.0, 3.0, 6.0];
        let dy = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 5.0, 50.0];
        let k = 1.0 / 1.00001_f64.sqrt();

        let batch = gradients(&tap, &f, &dy, Sharing::Batch);
        assert_close(&batch.mean, &[11.0, 110.0]);
        assert_close(&batch.deviation, &[-k, -10.0 * k]);
        let image = gradients(&tap, &f, &dy, Sharing::Image);
        assert_close(&image.mean, &[3.0, 30.0, 8.0, 80.0]);
        assert_close(&image.deviation, &[k, 10.0 * k, -2.0 * k, -20.0 * k]);

        let delta = Statistics { mean: vec![100.0, 200.0], deviation: vec![0.0, 5.0] };
        let up = 5.0 * k;
        assert_close(
            &perturb(&tap, &f, &delta, Sharing::Batch),
            &[[101.0, 210.0 - up, 103.0, 212.0 + up], [105.0, 208.0 + up, 103.0, 206.0 - up]].concat(),
        );
    }

    #[test]
    fn no_perturbation_changes_nothing() {
        let tap = TAPS[1];
        let f = values("f", tap.len());
        let none = Statistics { mean: vec![0.0; 4], deviation: vec![0.0; 4] };
        assert_eq!(perturb(&tap, &f, &none, Sharing::Batch), f);
    }

    /// The gradient with respect to the perturbation, taken where there is none.
    #[test]
    fn statistic_gradients_are_those_of_perturbing() {
        for tap in TAPS {
            for sharing in [Sharing::Batch, Sharing::Image] {
                let (f, dy) = (values("f", tap.len()), values("dy", tap.len()));
                let got = gradients(&tap, &f, &dy, sharing);
                let none = vec![0.0; tap.shared_len(sharing)];
                let loss = |mean: &[f64], deviation: &[f64]| {
                    let (mean, deviation) = (mean.to_vec(), deviation.to_vec());
                    let delta = Statistics { mean, deviation };
                    dot(&perturb(&tap, &f, &delta, sharing), &dy)
                };
                let name = format!("{tap:?}, {sharing:?}");
                assert_gradient(&name, &none, &got.mean, |m| loss(m, &none));
                assert_gradient(&name, &none, &got.deviation, |d| loss(&none, d));
            }
        }
    }

    #[test]
    fn feature_gradients_are_those_of_perturbing() {
        for tap in TAPS {
            for sharing in [Sharing::Batch, Sharing::Image] {
                let (f, dy) = (values("f", tap.len()), values("dy", tap.len()));
                let (of, delta) = (statistics(&tap, &f), delta(&tap, sharing));
                let name = format!("{tap:?}, {sharing:?}");
                let df = backward(&tap, &f, &dy, &delta, sharing, Flow::Through);
                assert_gradient(&name, &f, &df, |f| dot(&perturb(&tap, f, &delta, sharing), &dy));
                let df = backward(&tap, &f, &dy, &delta, sharing, Flow::Detached);
                assert_gradient(&name, &f, &df, |f| dot(&perturb_with(&tap, f, &of, &delta, sharing), &dy));
            }
        }
    }

    fn two_taps() -> [Statistics; 2] {
        [
            Statistics { mean: vec![3.0, 0.0], deviation: vec![0.0, 4.0] },
            Statistics { mean: vec![12.0], deviation: vec![0.0] },
        ]
    }

    /// ||(3, 4)|| = 5 and ||(3, 4, 12)|| = 13.
    #[test]
    fn the_norm_is_over_all_taps_or_over_each() {
        let joint = scaled_to(0.13, &two_taps(), Norm::Joint, 1);
        assert_close(&joint[0].mean, &[0.03, 0.0]);
        assert_close(&joint[0].deviation, &[0.0, 0.04]);
        assert_close(&joint[1].mean, &[0.12]);
        let each = scaled_to(0.5, &two_taps(), Norm::PerTap, 1);
        assert_close(&each[0].mean, &[0.3, 0.0]);
        assert_close(&each[0].deviation, &[0.0, 0.4]);
        assert_close(&each[1].mean, &[0.5]);
    }

    /// The same numbers belong to two images: (3, 0) and (0, 4) are one's gradients at
    /// the first tap, (12, 0) at the second, and the other has (5, 0) at the second only.
    #[test]
    fn every_image_has_a_norm_of_its_own() {
        let taps = [
            Statistics { mean: vec![3.0, 0.0, 0.0, 0.0], deviation: vec![0.0, 4.0, 0.0, 0.0] },
            Statistics { mean: vec![12.0, 5.0], deviation: vec![0.0, 0.0] },
        ];
        let joint = scaled_to(0.13, &taps, Norm::Joint, 2);
        assert_close(&joint[0].mean, &[0.03, 0.0, 0.0, 0.0]);
        assert_close(&joint[0].deviation, &[0.0, 0.04, 0.0, 0.0]);
        assert_close(&joint[1].mean, &[0.12, 0.13]);
        let each = scaled_to(0.5, &taps, Norm::PerTap, 2);
        assert_close(&each[0].mean, &[0.3, 0.0, 0.0, 0.0]);
        assert_close(&each[0].deviation, &[0.0, 0.4, 0.0, 0.0]);
        assert_close(&each[1].mean, &[0.5, 0.5]);
    }

    /// An image's perturbation is the same alone as in a batch.
    #[test]
    fn an_images_perturbation_does_not_depend_on_its_batch() {
        let (s, c) = (5, 3);
        let (f, dy) = (values("f", 2 * s * c), values("dy", 2 * s * c));
        let scaled = |n: usize, own: std::ops::Range<usize>| {
            let tap = Tap { n, s, c };
            let gradient = gradients(&tap, &f[own.clone()], &dy[own], Sharing::Image);
            scaled_to(0.1, &[gradient], Norm::Joint, Sharing::Image.deltas(n)).remove(0)
        };
        let (both, alone) = (scaled(2, 0..2 * s * c), scaled(1, s * c..2 * s * c));
        assert_eq!(both.mean[c..], alone.mean);
        assert_eq!(both.deviation[c..], alone.deviation);
        assert_close(
            &[(dot(&alone.mean, &alone.mean) + dot(&alone.deviation, &alone.deviation)).sqrt()],
            &[0.1],
        );
    }

    #[test]
    fn a_zero_gradient_gives_no_perturbation() {
        let zero = Statistics { mean: vec![0.0; 2], deviation: vec![0.0; 2] };
        let [tap, _] = two_taps();
        let alone = std::slice::from_ref(&zero);
        assert_eq!(scaled_to(0.1, alone, Norm::Joint, 1), alone);
        let each = scaled_to(5.0, &[zero.clone(), tap.clone()], Norm::PerTap, 1);
        assert_eq!(each, [zero, tap]);
    }
}
