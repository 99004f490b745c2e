//! Accuracy and AUC against the level of corruptions, and a picture at each level.

use super::{INK, Key, Plot, TEXT, as_percent, chart, colour, drawn, headed, line, put, short, text};
use crate::data::corruption::Corruption;
use crate::metrics::{Estimate, Metrics};
use crate::report::ReportError;
use crate::results::corruption::{Corrupted, Level};
use image::RgbImage;
use plotters::prelude::*;

const GAP: i32 = 10;
const HEAD: i32 = 60;
/// Width of the text next to a row, in pixels.
const WORDS: i32 = 190;
/// Every picture is enlarged by an integer factor to at least this side, in pixels.
const SIDE: u32 = 112;

/// The plots of accuracy and AUC, where these are defined.
///
/// # Errors
/// A plot cannot be drawn.
pub fn draw(corrupted: &Corrupted) -> Result<Vec<Plot>, ReportError> {
    let of = |metrics: &Metrics| metrics.accuracy;
    let caption = "Share of pictures classified rightly at each level; level 0 is the clean pictures.";
    let accuracy =
        against_level(corrupted, ("accuracy.png", "Accuracy on corrupted pictures", caption), "accuracy", of);
    let caption = "Level 0 is the clean pictures.";
    let auc = against_level(corrupted, ("auc.png", "AUC on corrupted pictures", caption), "AUC", |metrics| {
        metrics.auc
    });
    Ok([accuracy?, auc?].into_iter().flatten().collect())
}

fn against_level(
    corrupted: &Corrupted,
    (file, title, caption): (&str, &str, &str),
    axis: &str,
    of: fn(&Metrics) -> Option<Estimate>,
) -> Result<Option<Plot>, ReportError> {
    let Some(clean) = of(&corrupted.clean) else { return Ok(None) };
    let curve = |levels: &[Level]| {
        let worse = levels.iter().filter_map(|level| Some((level.level as f64, of(&level.metrics)?.value)));
        std::iter::once((0.0, clean.value)).chain(worse).collect::<Vec<_>>()
    };
    let kinds = || corrupted.corruptions.iter().enumerate();
    let plot = drawn(file, title, caption, (1240, 760), |area| {
        let keys: Vec<Key> = kinds().map(|(place, kind)| Key::new(kind.name.name(), colour(place))).collect();
        let below = headed(area, title, &keys)?;
        let top = Corruption::LEVELS as f64;
        let chart = chart(&below, 0.0..top * 1.02, 0.0..1.0, ("level", axis), (&short, &as_percent))?;
        for (place, kind) in kinds() {
            let points = curve(&kind.levels);
            chart.plotting_area().draw(&line(points.clone(), colour(place), 3))?;
            for point in points {
                chart.plotting_area().draw(&Circle::new(point, 5, colour(place).filled()))?;
            }
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

/// A plot of `picture` at every level of the corruptions `kinds`.
///
/// # Errors
/// The plot cannot be drawn.
pub fn levels(picture: &RgbImage, kinds: &[Corruption], seed: u64) -> Result<Plot, ReportError> {
    let factor = SIDE.div_ceil(picture.width().max(1));
    let side = (picture.width() * factor) as i32;
    let columns = 1 + Corruption::LEVELS as i32;
    let size = (WORDS + GAP + columns * (side + GAP), HEAD + kinds.len() as i32 * (side + GAP));
    let (title, caption) = ("A picture at every level", "Left as it is, then levels 1 to 5.");
    drawn("levels.png", title, caption, (size.0 as u32, size.1 as u32), |area| {
        for column in 0..columns {
            let words = if column == 0 { "clean".to_owned() } else { format!("level {column}") };
            area.draw(&Text::new(words, (WORDS + GAP + column * (side + GAP), 24), text(TEXT - 3)))?;
        }
        for (row, kind) in kinds.iter().enumerate() {
            let top = HEAD + row as i32 * (side + GAP);
            area.draw(&Text::new(kind.name(), (GAP, top + side / 2 - 10), text(TEXT - 3).color(&INK)))?;
            for column in 0..columns {
                let shown = match column {
                    0 => picture.clone(),
                    level => kind.apply(picture, level as usize, (seed, 0)),
                };
                put(area, &shown, factor, (WORDS + GAP + column * (side + GAP), top))?;
            }
        }
        Ok(())
    })
}
