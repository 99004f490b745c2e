//! Training and validation loss.

use super::{Area, Drawn, Key, Plot, chart, colour, drawn, headed, line, short};
use crate::report::{Extras, ReportError};
use crate::results::study::Report;
use plotters::prelude::*;

/// The most points of a curve; longer ones are averaged.
const POINTS: usize = 120;

pub(super) fn plot(report: &Report, extras: &Extras) -> Result<Option<Plot>, ReportError> {
    let names = report.names();
    let (mut by_step, mut by_epoch) = (Vec::new(), Vec::new());
    for (place, name) in names.iter().enumerate() {
        for index in report.seeds_of(name) {
            let training = &extras.arms[index].training;
            by_step.push((colour(place), averaged(&training.steps)));
            let losses = training.epochs.iter().map(|&(epoch, loss)| (epoch as f64, loss));
            by_epoch.push((colour(place), losses.collect()));
        }
    }
    let panels = [("step", "training loss", by_step), ("epoch", "validation loss", by_epoch)];
    let panels: Vec<_> = panels
        .into_iter()
        .filter(|(_, _, curves)| curves.iter().any(|(_, points)| points.len() > 1))
        .collect();
    if panels.is_empty() {
        return Ok(None);
    }
    let title = "Training";
    let caption = "One line a seed. Training loss is averaged over neighbouring steps.";
    let plot = drawn("training.png", title, caption, (1400, 680), |area| {
        let keys = names.iter().enumerate().map(|(place, name)| Key::new(*name, colour(place)));
        let below = headed(area, title, &keys.collect::<Vec<_>>())?;
        for (panel, (x, y, curves)) in below.split_evenly((1, panels.len())).iter().zip(panels) {
            curve_panel(panel, (x, y), curves)?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

fn curve_panel(area: &Area<'_>, axes: (&str, &str), curves: Vec<(RGBColor, Vec<(f64, f64)>)>) -> Drawn {
    let all = || curves.iter().flat_map(|(_, points)| points);
    let left = all().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let right = all().map(|point| point.0).fold(f64::NEG_INFINITY, f64::max);
    let top = all().map(|point| point.1).fold(0.0, f64::max).max(1e-3);
    let chart =
        chart(area, left..right.max(left + 1.0), 0.0..top * 1.05, axes, (&|x| format!("{x:.0}"), &short))?;
    for (colour, points) in curves {
        chart.plotting_area().draw(&line(points, colour, 3))?;
    }
    Ok(())
}

/// Losses by step, averaged over neighbouring steps down to [`POINTS`].
fn averaged(steps: &[(usize, f64)]) -> Vec<(f64, f64)> {
    let size = steps.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(usize, f64)]| {
        let n = part.len() as f64;
        let step = part.iter().map(|(step, _)| *step as f64).sum::<f64>() / n;
        (step, part.iter().map(|(_, loss)| loss).sum::<f64>() / n)
    };
    steps.chunks(size).map(mean).collect()
}
