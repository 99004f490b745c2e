//! The power of a perturbation by radial frequency: the squared size of its two-dimensional Fourier
//! transform, averaged over directions and channels.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

/// Bands of equal width, from 0 to the corner of the plane of frequencies.
pub const BANDS: usize = 16;

/// Cycles a pixel at the corner: sqrt(2) / 2.
const CORNER: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// Cycles a pixel from which a frequency counts as high: half of the highest along an axis. Of white
/// noise 80.4 % of the power lie above.
pub const HIGH: f64 = 0.25;

/// The middle of each band in cycles a pixel.
pub fn frequencies() -> [f64; BANDS] {
    std::array::from_fn(|band| (band as f64 + 0.5) * CORNER / BANDS as f64)
}

/// The spectrum of a perturbation.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    /// Mean power of the frequencies of each band, relative to that of all frequencies: 1 everywhere
    /// for white noise. 0 in a band without frequencies, as pictures below 23 px have.
    pub bands: Vec<f64>,
    /// The share of the power at [`HIGH`] and above.
    pub high: f64,
}

/// The spectrum of a perturbation, 3 x res x res; `None` where it is zero everywhere.
pub fn of(perturbation: &[f32], res: usize) -> Option<Spectrum> {
    assert_eq!(perturbation.len(), 3 * res * res, "a perturbation is [3, H, W]");
    let (mut sums, mut counts, mut high, mut all) = ([0.0; BANDS], [0_usize; BANDS], 0.0, 0.0);
    for channel in perturbation.chunks(res * res) {
        for (at, power) in powers(channel, res).into_iter().enumerate() {
            let frequency = cycles(at / res, res).hypot(cycles(at % res, res));
            let band = ((frequency / CORNER * BANDS as f64) as usize).min(BANDS - 1);
            sums[band] += power;
            counts[band] += 1;
            all += power;
            if frequency >= HIGH {
                high += power;
            }
        }
    }
    if all == 0.0 {
        return None;
    }
    let mean = all / perturbation.len() as f64;
    let band = |(sum, count): (&f64, &usize)| if *count > 0 { sum / *count as f64 / mean } else { 0.0 };
    Some(Spectrum { bands: sums.iter().zip(&counts).map(band).collect(), high: high / all })
}

/// Cycles a pixel of a row or column of the transform: from -1/2 to 1/2.
fn cycles(at: usize, res: usize) -> f64 {
    let signed = if 2 * at > res { at as f64 - res as f64 } else { at as f64 };
    signed / res as f64
}

/// |F|^2 of one channel, row by row.
fn powers(channel: &[f32], res: usize) -> Vec<f64> {
    let mut values: Vec<Complex<f64>> =
        channel.iter().map(|&value| Complex::new(f64::from(value), 0.0)).collect();
    let transform = FftPlanner::new().plan_fft_forward(res);
    // Rows, then, turned over, columns; the power does not mind which way round it ends.
    for _ in 0..2 {
        transform.process(&mut values);
        values = (0..res * res).map(|at| values[at % res * res + at / res]).collect();
    }
    values.iter().map(Complex::norm_sqr).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::random;

    /// The same values in three channels.
    fn grey(res: usize, of: impl Fn(usize, usize) -> f64) -> Vec<f32> {
        let channel: Vec<f32> = (0..res * res).map(|at| of(at % res, at / res) as f32).collect();
        channel.repeat(3)
    }

    #[test]
    fn a_cosine_has_its_power_at_its_frequency() {
        // 3 and 4 cycles over 32 pixels: 5/32 cycles a pixel, in band 5/32 / 0.7071 * 16 = 3.5.
        let turn = std::f64::consts::TAU / 32.0;
        let wave = grey(32, |x, y| (turn * (3 * x + 4 * y) as f64).cos());
        let found = of(&wave, 32).unwrap();
        let all: f64 = found.bands.iter().sum();
        assert!((found.bands[3] / all - 1.0).abs() < 1e-9 && found.high < 1e-9, "{found:?}");
        // Two of the frequencies of band 3 hold everything; all frequencies have 1 in the mean.
        let in_band = (0..32 * 32).filter(|at| {
            let frequency = cycles(at / 32, 32).hypot(cycles(at % 32, 32));
            (frequency / CORNER * 16.0) as usize == 3
        });
        assert!((found.bands[3] - 1024.0 / in_band.count() as f64).abs() < 1e-6, "{found:?}");
        let fast = grey(32, |x, y| (turn * (12 * x + 9 * y) as f64).cos());
        let found = of(&fast, 32).unwrap();
        assert!((found.high - 1.0).abs() < 1e-9 && found.bands[10] > 1.0, "{found:?}");
    }

    #[test]
    fn white_noise_is_flat_and_a_chessboard_is_the_corner() {
        let mut random = random::stream(0, &["noise".into()]);
        let noise: Vec<f32> = (0..3 * 64 * 64).map(|_| random::normal(&mut random)).collect();
        let found = of(&noise, 64).unwrap();
        assert!(found.bands[2..14].iter().all(|power| (power - 1.0).abs() < 0.2), "{found:?}");
        assert!((found.high - 0.804).abs() < 0.02, "{found:?}");
        let chess = of(&grey(32, |x, y| 1.0 - 2.0 * ((x + y) % 2) as f64), 32).unwrap();
        assert!(chess.bands[15] > 1.0 && chess.bands[..15].iter().all(|power| *power < 1e-9), "{chess:?}");
        assert_eq!(of(&[0.0; 3 * 32 * 32], 32), None);
    }

    #[test]
    fn sides_that_are_no_powers_of_two_keep_all_power() {
        let values: Vec<f32> = (0..3 * 30 * 30).map(|at| ((at * 37 % 101) as f32) / 101.0 - 0.5).collect();
        // Parseval: the squared transform sums to the number of values times the squares.
        let power: f64 = values.chunks(900).flat_map(|channel| powers(channel, 30)).sum();
        let squares: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((power / (900.0 * squares) - 1.0).abs() < 1e-9);
        assert!(of(&values, 30).is_some());
    }
}
