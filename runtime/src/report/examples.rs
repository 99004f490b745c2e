//! Example pictures of each attack: original, adversarial, and the perturbation, amplified around
//! grey.

use super::extras::{AttackExtras, ExamplePair};
use super::plots::png_of;
use super::{Extras, ReportError};
use crate::results::attack::{SampleResult, attacked};
use crate::results::study::Report;
use image::{Rgb, RgbImage};

/// The example pictures of one attack.
#[derive(Clone, Debug)]
pub struct Gallery {
    /// The attack ("square linf 8/255").
    pub attack: String,
    /// The number of arms in it.
    pub arms: usize,
    /// The factor by which perturbations are amplified.
    pub amplification: u32,
    /// One row for each picture and arm; rows of the same picture are adjacent.
    pub rows: Vec<GalleryRow>,
}

/// One picture of one arm.
#[derive(Clone, Debug)]
pub struct GalleryRow {
    /// The arm's name.
    pub arm: String,
    /// The attack's result.
    pub sample: SampleResult,
    /// Whether it was classified correctly before the attack.
    pub was_right: bool,
    /// The original picture, as PNG.
    pub clean: Vec<u8>,
    /// The adversarial picture, as PNG.
    pub adversarial: Vec<u8>,
    /// 128 + amplification * (adversarial - original), as PNG.
    pub perturbation: Vec<u8>,
    /// The pictures' width and height.
    pub size: (u32, u32),
}

/// The galleries of all attacks that have example pictures.
pub fn galleries(report: &Report, extras: &Extras) -> Result<Vec<Gallery>, ReportError> {
    let mut galleries = Vec::new();
    for key in report.attack_keys() {
        let attacked: Vec<(&str, f32, &AttackExtras)> = report
            .names()
            .into_iter()
            .filter_map(|name| {
                let index = report.seeds_of(name)[0];
                let place = report.arms[index].attack_place(&key)?;
                let threshold = report.arms[index].attacks[place].threshold as f32;
                Some((name, threshold, &extras.arms[index].attacks[place]))
            })
            .collect();
        let pairs = attacked.iter().flat_map(|(_, _, extras)| &extras.examples);
        let amplification = pairs.map(largest_change).max().map(amplification);
        let Some(amplification) = amplification else { continue };
        let arms = attacked.iter().filter(|(_, _, extras)| !extras.examples.is_empty()).count();
        let mut rows = Vec::new();
        for (name, threshold, extras) in attacked {
            for pair in &extras.examples {
                rows.extend(row((name, threshold), extras, pair, amplification)?);
            }
        }
        let mut order: Vec<u64> = Vec::new();
        for row in &rows {
            if !order.contains(&row.sample.id) {
                order.push(row.sample.id);
            }
        }
        rows.sort_by_key(|row| order.iter().position(|id| *id == row.sample.id));
        galleries.push(Gallery { attack: key, arms, amplification, rows });
    }
    Ok(galleries)
}

fn row(
    (arm, threshold): (&str, f32),
    extras: &AttackExtras,
    pair: &ExamplePair,
    amplification: u32,
) -> Result<Option<GalleryRow>, ReportError> {
    let Some(sample) = extras.samples.iter().find(|sample| sample.id == pair.id) else { return Ok(None) };
    let encode = |picture: &RgbImage| {
        png_of(picture)
            .map_err(|reason| ReportError::Drawing { name: format!("picture {}", pair.id), reason })
    };
    Ok(Some(GalleryRow {
        arm: arm.to_owned(),
        sample: sample.clone(),
        was_right: attacked(sample, threshold),
        clean: encode(&pair.clean)?,
        adversarial: encode(&pair.adversarial)?,
        perturbation: encode(&perturbation(pair, amplification))?,
        size: pair.clean.dimensions(),
    }))
}

pub(super) fn largest_change(pair: &ExamplePair) -> u8 {
    let values = pair.clean.as_raw().iter().zip(pair.adversarial.as_raw());
    values.map(|(before, after)| before.abs_diff(*after)).max().unwrap_or(0)
}

/// The largest factor at which the largest change fits around grey.
pub(super) fn amplification(largest: u8) -> u32 {
    (127 / u32::from(largest.max(1))).max(1)
}

pub(super) fn perturbation(pair: &ExamplePair, amplification: u32) -> RgbImage {
    let (width, height) = pair.clean.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let (before, after) = (pair.clean.get_pixel(x, y), pair.adversarial.get_pixel(x, y));
        let shown = |channel: usize| {
            let change = i32::from(after[channel]) - i32::from(before[channel]);
            (128 + change * amplification as i32).clamp(0, 255) as u8
        };
        Rgb([shown(0), shown(1), shown(2)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perturbation_is_centred_on_grey_and_amplified() {
        let clean = RgbImage::from_raw(1, 1, vec![10, 100, 250]).unwrap();
        let adversarial = RgbImage::from_raw(1, 1, vec![18, 92, 250]).unwrap();
        let pair = ExamplePair { id: 0, clean, adversarial };
        assert_eq!(largest_change(&pair), 8);
        assert_eq!(amplification(8), 15);
        assert_eq!(perturbation(&pair, 15).as_raw(), &[128 + 120, 128 - 120, 128]);
        assert_eq!(amplification(0), 127);
        assert_eq!(amplification(255), 1);
        assert_eq!(perturbation(&pair, 127).as_raw(), &[255, 0, 128]);
    }
}
