//! Histograms of the logits of clean pictures, one for each class.

use super::{Area, Drawn, INK, Key, Plot, STRIP, as_percent, chart, drawn, headed, line, scores, short};
use crate::report::{Extras, ReportError};
use crate::results::study::Report;
use crate::sample::Label;
use plotters::prelude::*;

const REAL: RGBColor = RGBColor(86, 180, 233);
const FAKE: RGBColor = RGBColor(230, 159, 0);
/// Bins of a histogram.
const BINS: usize = 40;

pub(super) fn plot(report: &Report, extras: &Extras) -> Result<Option<Plot>, ReportError> {
    let firsts = report.names().into_iter().map(|name| report.seeds_of(name)[0]);
    let arms: Vec<usize> = firsts.filter(|&index| !extras.arms[index].scores.is_empty()).collect();
    if arms.is_empty() {
        return Ok(None);
    }
    let title = "Logits of clean pictures";
    let caption = "Share of each class a bin, first seed of every arm; above the dashed threshold a picture is \
        called fake.";
    let height = STRIP as u32 + 380 * arms.len() as u32;
    let plot = drawn("scores.png", title, caption, (1100, height), |area| {
        let keys = [Key::new("real", REAL), Key::new("fake", FAKE)];
        let threshold = Key { text: "threshold".to_owned(), colour: INK, dashed: true };
        let [real, fake] = keys;
        let below = headed(area, title, &[real, fake, threshold])?;
        for (panel, &index) in below.split_evenly((arms.len(), 1)).iter().zip(&arms) {
            let arm = &report.arms[index];
            let (logits, labels) = scores(extras, index);
            let name = format!("{}: share of class", arm.name);
            histogram(panel, &name, &logits, &labels, arm.eval.threshold)?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

fn histogram(area: &Area<'_>, name: &str, logits: &[f32], labels: &[Label], threshold: f64) -> Drawn {
    let finite = || logits.iter().map(|&logit| f64::from(logit)).filter(|logit| logit.is_finite());
    let low = finite().fold(threshold, f64::min);
    let high = finite().fold(threshold, f64::max);
    let width = ((high - low) / BINS as f64).max(1e-3);
    let shares = |class: Label| {
        let mut shares = [0.0; BINS];
        let of_class = || logits.iter().zip(labels).filter(|(z, label)| **label == class && z.is_finite());
        let n = of_class().count().max(1) as f64;
        for (&logit, _) in of_class() {
            let bin = ((f64::from(logit) - low) / width) as usize;
            shares[bin.min(BINS - 1)] += 1.0 / n;
        }
        shares
    };
    let (real, fake) = (shares(Label::Real), shares(Label::Fake));
    let top = real.iter().chain(&fake).copied().fold(0.0, f64::max).max(0.01) * 1.08;
    let ends = low..low + width * BINS as f64;
    let chart = chart(area, ends, 0.0..top, ("logit", name), (&short, &as_percent))?;
    let plane = chart.plotting_area();
    for (shares, colour) in [(real, REAL), (fake, FAKE)] {
        for (bin, share) in shares.into_iter().enumerate().filter(|(_, share)| *share > 0.0) {
            let left = low + width * bin as f64;
            let corners = [(left, 0.0), (left + width, share)];
            plane.draw(&Rectangle::new(corners, colour.mix(0.55).filled()))?;
            plane.draw(&Rectangle::new(corners, colour.stroke_width(1)))?;
        }
    }
    for dash in (0..20).step_by(2) {
        let (from, to) = (top * f64::from(dash) / 20.0, top * f64::from(dash + 1) / 20.0);
        plane.draw(&line(vec![(threshold, from), (threshold, to)], INK, 3))?;
    }
    Ok(())
}
