//! From the light of a scene to an 8-bit photograph.

use super::light::Colour;
use super::shot::Camera;
use image::RgbImage;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// The photograph of a scene of `size` x `size` pixels in linear RGB.
pub(super) fn expose(
    mut scene: Vec<Colour>,
    size: u32,
    camera: &Camera,
    random: &mut ChaCha8Rng,
) -> RgbImage {
    blur(&mut scene, size as usize, camera.blur * size as f32);
    let noise = grain(size as usize, random);
    let middle = 0.5 * size as f32;
    RgbImage::from_fn(size, size, |x, y| {
        let at = (y * size + x) as usize;
        let (dx, dy) = ((x as f32 + 0.5) / middle - 1.0, (y as f32 + 0.5) / middle - 1.0);
        let dim = 1.0 - 0.5 * camera.vignette * (dx * dx + dy * dy);
        image::Rgb(std::array::from_fn(|c| {
            let signal = tone(scene[at][c] * camera.gain[c] * dim, camera.contrast);
            let spread = camera.read_noise + camera.shot_noise * signal.max(0.0).sqrt();
            ((signal + spread * noise[at][c]) * 255.0 + 0.5) as u8
        }))
    })
}

/// Display value in [0, 1] of linear light: sRGB's curve, a shoulder instead of
/// clipping, and an S-curve of the given strength.
fn tone(light: f32, contrast: f32) -> f32 {
    let light = light.max(0.0);
    let rolled = if light > 0.6 { 0.6 + 0.4 * (1.0 - (-(light - 0.6) / 0.4).exp()) } else { light };
    let encoded = if rolled <= 0.003_130_8 { 12.92 * rolled } else { 1.055 * rolled.powf(1.0 / 2.4) - 0.055 };
    let curve = encoded * encoded * (3.0 - 2.0 * encoded);
    encoded + contrast * (curve - encoded)
}

/// Noise of unit deviation, partly shared between neighbours and channels, as a
/// camera's interpolation of its colour mosaic leaves it.
fn grain(size: usize, random: &mut ChaCha8Rng) -> Vec<Colour> {
    let white: Vec<Colour> = (0..size * size)
        .map(|_| {
            let shared = normal(random);
            std::array::from_fn(|_| 0.75 * shared + 0.66 * normal(random))
        })
        .collect();
    let at = |x: usize, y: usize| white[(y % size) * size + x % size];
    let mut noise = Vec::with_capacity(white.len());
    for y in 0..size {
        for x in 0..size {
            let (here, right, below) = (at(x, y), at(x + 1, y), at(x, y + 1));
            noise.push(std::array::from_fn(|c| 0.85 * here[c] + 0.37 * (right[c] + below[c])));
        }
    }
    noise
}

/// Close to a standard normal: the sum of eight uniform values of a byte each.
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let bytes = random.random::<u64>().to_le_bytes();
    let sum: f32 = bytes.iter().map(|&byte| f32::from(byte)).sum();
    // Eight uniform bytes: mean 8 * 127.5, variance 8 * (256^2 - 1) / 12.
    (sum - 1020.0) / 209.02
}

/// Gaussian blur of standard deviation `sigma` pixels; the border is repeated.
fn blur(scene: &mut Vec<Colour>, size: usize, sigma: f32) {
    let reach = (2.5 * sigma).ceil() as usize;
    if reach == 0 {
        return;
    }
    let weight = |i: usize| (-0.5 * ((i as f32 - reach as f32) / sigma).powi(2)).exp();
    let weights: Vec<f32> = (0..=2 * reach).map(weight).collect();
    let total: f32 = weights.iter().sum();
    // Blurring a row while turning it into a column, twice, blurs both ways.
    for _ in 0..2 {
        let mut turned = vec![[0.0; 3]; scene.len()];
        let mut padded = Vec::with_capacity(size + 2 * reach);
        for (y, row) in scene.chunks_exact(size).enumerate() {
            padded.clear();
            padded.extend(std::iter::repeat_n(row[0], reach));
            padded.extend_from_slice(row);
            padded.extend(std::iter::repeat_n(row[size - 1], reach));
            for (x, window) in padded.windows(weights.len()).enumerate() {
                let mut sum = [0.0_f32; 3];
                for (weight, value) in weights.iter().zip(window) {
                    (0..3).for_each(|c| sum[c] += weight * value[c]);
                }
                turned[x * size + y] = sum.map(|value| value / total);
            }
        }
        *scene = turned;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_unit_deviation() {
        let noise = grain(64, &mut crate::random::stream(0, &["noise".into()]));
        let values: Vec<f32> = noise.iter().flatten().copied().collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.05 && (variance.sqrt() - 1.0).abs() < 0.06, "{mean} {variance}");
    }

    #[test]
    fn blur_keeps_the_light() {
        let mut scene = vec![[0.0; 3]; 81];
        scene[40] = [1.0, 2.0, 3.0];
        blur(&mut scene, 9, 0.9);
        let sum: f32 = scene.iter().map(|value| value[2]).sum();
        assert!((sum - 3.0).abs() < 1e-4 && scene[40][0] < 0.5 && scene[41][0] > 0.05);
    }

    #[test]
    fn tones_rise_and_stay_in_range() {
        let tones: Vec<f32> = (0..200).map(|i| tone(i as f32 * 0.05, 0.3)).collect();
        assert!(tones.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(tones[0] == 0.0 && tones[199] <= 1.0001);
    }
}
