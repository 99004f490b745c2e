//! A picture of an attack's results: original, adversarial and amplified perturbation, a row for
//! each.

use super::ReportError;
use super::examples::{amplification, largest_change, perturbation};
use super::extras::ExamplePair;
use super::plots::{TEXT, drawn, put, text};
use crate::results::ResultError;
use crate::results::attack::folder::{AttackFolder, Side};
use crate::results::attack::{AttackReport, SampleResult};
use crate::results::study::attack_key;
use crate::sample::Label;
use plotters::prelude::*;

/// The most pictures in it, half of each class.
const ROWS: usize = 8;
/// Every picture is enlarged by an integer factor to at least this side, in pixels.
const SIDE: u32 = 160;
const GAP: i32 = 12;
const HEAD: i32 = 84;
/// Width of the text next to a row, in pixels.
const WORDS: u32 = 330;

/// The grid of the attack in `files` as PNG; `None` where it attacked no picture.
///
/// # Errors
/// Its files cannot be read, or the grid cannot be drawn.
pub fn grid(
    files: &AttackFolder,
    report: &AttackReport,
    samples: &[SampleResult],
) -> Result<Option<Vec<u8>>, ReportError> {
    let rows = chosen(samples);
    let pairs: Result<Vec<_>, ResultError> = rows.iter().map(|sample| pair(files, sample)).collect();
    let pairs = pairs.map_err(|error| failed(error.to_string()))?;
    let Some(first) = pairs.first() else { return Ok(None) };
    let factor = SIDE.div_ceil(first.clean.width().max(1));
    let side = (first.clean.width() * factor) as i32;
    let amplification = amplification(pairs.iter().map(largest_change).max().unwrap_or(0));
    let size =
        (4 * GAP as u32 + 3 * side as u32 + WORDS, HEAD as u32 + (side + GAP) as u32 * pairs.len() as u32);
    let plot = drawn("grid.png", "", "", size, |area| {
        area.draw(&Text::new(attack_key(report), (GAP, 14), text(TEXT + 4)))?;
        let columns =
            ["original".to_owned(), "adversarial".to_owned(), format!("difference x {amplification}")];
        for (column, words) in columns.into_iter().enumerate() {
            area.draw(&Text::new(words, (GAP + column as i32 * (side + GAP), HEAD - 32), text(TEXT - 3)))?;
        }
        for (row, (pair, sample)) in pairs.iter().zip(&rows).enumerate() {
            let top = HEAD + row as i32 * (side + GAP);
            let difference = perturbation(pair, amplification);
            for (column, picture) in [&pair.clean, &pair.adversarial, &difference].into_iter().enumerate() {
                put(area, picture, factor, (GAP + column as i32 * (side + GAP), top))?;
            }
            for (place, words) in words(sample).into_iter().enumerate() {
                let at = (2 * GAP + 3 * (side + GAP), top + 6 + 30 * place as i32);
                area.draw(&Text::new(words, at, text(TEXT - 3)))?;
            }
        }
        Ok(())
    })?;
    Ok(Some(plot.png))
}

fn failed(reason: String) -> ReportError {
    ReportError::Drawing { name: "grid.png".to_owned(), reason }
}

/// The attacked pictures: successes first, fakes and reals alternating.
fn chosen(samples: &[SampleResult]) -> Vec<&SampleResult> {
    let mut chosen: Vec<&SampleResult> = Vec::new();
    let of = |label: Label, success: bool| {
        let attacked = samples.iter().filter(|sample| !sample.attack.is_empty());
        attacked.filter(move |sample| sample.label == label && sample.success == success)
    };
    let by_class = |label| of(label, true).chain(of(label, false));
    let (mut fakes, mut reals) = (by_class(Label::Fake), by_class(Label::Real));
    loop {
        let next: Vec<_> = [fakes.next(), reals.next()].into_iter().flatten().collect();
        if next.is_empty() || chosen.len() >= ROWS {
            chosen.truncate(ROWS);
            return chosen;
        }
        chosen.extend(next);
    }
}

fn pair(files: &AttackFolder, sample: &SampleResult) -> Result<ExamplePair, ResultError> {
    let picture = |side| files.picture(side, sample.id).map(|(picture, _)| picture);
    Ok(ExamplePair { id: sample.id, clean: picture(Side::Clean)?, adversarial: picture(Side::Adversarial)? })
}

fn words(sample: &SampleResult) -> Vec<String> {
    let verdict = match (sample.success, sample.label) {
        (true, Label::Fake) => "fake, now called real",
        (true, Label::Real) => "real, now called fake",
        (false, Label::Fake) => "fake, still called so",
        (false, Label::Real) => "real, still called so",
    };
    vec![
        format!("{}: {verdict}", sample.id),
        format!("logit {:.2} to {:.2}", sample.clean_logit, sample.adv_logit),
        format!("{} queries, by {}", sample.queries_until_turned(), sample.attack),
        format!("Linf {}/255, L2 {:.2}", sample.linf_255, sample.l2),
    ]
}
