//! The ROC curve on clean pictures.

use super::{Key, Plot, chart, colour, drawn, headed, line, scores, short};
use crate::metrics::ranking::{auc, roc};
use crate::report::{Extras, ReportError};
use crate::results::study::Report;
use plotters::prelude::*;

pub(super) fn plot(report: &Report, extras: &Extras) -> Result<Option<Plot>, ReportError> {
    let mut keys = Vec::new();
    let mut curves: Vec<(RGBColor, Vec<(f64, f64)>)> = Vec::new();
    for (place, name) in report.names().into_iter().enumerate() {
        let mut areas = Vec::new();
        for index in report.seeds_of(name) {
            let (logits, labels) = scores(extras, index);
            let Some(area) = auc(&logits, &labels) else { continue };
            areas.push(area);
            let points = roc(&logits, &labels);
            let points = points.iter().map(|at| (at.false_positive_rate, at.true_positive_rate));
            curves.push((colour(place), points.collect()));
        }
        if !areas.is_empty() {
            let mean = areas.iter().sum::<f64>() / areas.len() as f64;
            keys.push(Key::new(format!("{name}, AUC {mean:.3}"), colour(place)));
        }
    }
    if curves.is_empty() {
        return Ok(None);
    }
    let title = "ROC on clean pictures";
    let caption = "One line a seed; the dashed diagonal is guessing. AUC is the mean over seeds.";
    let width = (keys.iter().map(|key| key.text.chars().count() as u32 * 13 + 90).sum::<u32>()).max(900);
    let plot = drawn("roc.png", title, caption, (width, 900), |area| {
        let below = headed(area, title, &keys)?;
        let axes = ("false-positive rate", "true-positive rate");
        let chart = chart(&below, 0.0..1.0, 0.0..1.0, axes, (&short, &short))?;
        for dash in (0..50).step_by(2) {
            let (from, to) = (f64::from(dash) / 50.0, f64::from(dash + 1) / 50.0);
            chart.plotting_area().draw(&line(vec![(from, from), (to, to)], RGBColor(150, 150, 150), 2))?;
        }
        for (colour, points) in curves {
            chart.plotting_area().draw(&line(points, colour, 3))?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}
