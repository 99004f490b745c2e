//! An attack at several radii: accuracy against epsilon, success against queries.

use super::queries::{Spent, staircases};
use super::{INK, Key, Plot, as_percent, chart, colour, drawn, headed, line, short};
use crate::report::ReportError;
use crate::results::attack::SampleResult;
use crate::results::attack::sweep::Sweep;
use crate::threat::Norm;
use plotters::prelude::*;

/// The plots of `sweep`; `samples` are the results of its points.
///
/// # Errors
/// A plot cannot be drawn.
pub fn draw(sweep: &Sweep, samples: &[Vec<SampleResult>]) -> Result<Vec<Plot>, ReportError> {
    let mut plots = vec![accuracy(sweep)?];
    let spent = sweep.points.iter().zip(samples).map(|(point, samples)| {
        let mut spent = Spent::default();
        spent.add(samples, point.threshold as f32);
        (point.threat().radius(), spent)
    });
    let title = format!("Success against queries: {} {}", sweep.method, sweep.norm);
    let caption = "Share of the rightly classified pictures turned over within so many queries.";
    plots.extend(staircases(("queries.png", &title, caption), &spent.collect::<Vec<_>>())?);
    Ok(plots)
}

fn accuracy(sweep: &Sweep) -> Result<Plot, ReportError> {
    let title = format!("Accuracy against epsilon: {} {}", sweep.method, sweep.norm);
    let caption = "Robust accuracy over all pictures at each radius, with its 95 % Wilson interval; at 0 the \
        clean accuracy. A hollow dot is unreliable: a check of the attack failed.";
    let first = &sweep.points[0];
    let clean = (0.0, first.intervals.clean_accuracy, false);
    let (unit, axis) = match sweep.norm {
        Norm::Linf => (1.0, "epsilon in 1/255"),
        Norm::L2 => (255.0, "epsilon, pixels in [0, 1]"),
    };
    let attacked = sweep
        .points
        .iter()
        .map(|point| (point.eps_255 / unit, point.intervals.robust_accuracy, point.unreliable));
    let points: Vec<_> = std::iter::once(clean).chain(attacked).collect();
    let right = points.last().map_or(1.0, |point| point.0).max(f64::MIN_POSITIVE);
    drawn("accuracy.png", &title, caption, (1100, 720), |area| {
        let keys = [Key::new("robust accuracy", colour(0)), Key::new("95 % interval", INK)];
        let below = headed(area, &title, &keys)?;
        let axes = (axis, "accuracy");
        let chart = chart(&below, 0.0..right * 1.03, 0.0..1.0, axes, (&short, &as_percent))?;
        let plane = chart.plotting_area();
        plane.draw(&line(points.iter().map(|(eps, it, _)| (*eps, it.value)).collect(), colour(0), 4))?;
        let cap = right * 0.008;
        for &(eps, accuracy, doubtful) in &points {
            plane.draw(&line(vec![(eps, accuracy.low), (eps, accuracy.high)], INK, 2))?;
            for end in [accuracy.low, accuracy.high] {
                plane.draw(&line(vec![(eps - cap, end), (eps + cap, end)], INK, 2))?;
            }
            let inside = if doubtful { WHITE.filled() } else { colour(0).filled() };
            plane.draw(&Circle::new((eps, accuracy.value), 7, inside))?;
            plane.draw(&Circle::new((eps, accuracy.value), 7, colour(0).stroke_width(3)))?;
        }
        Ok(())
    })
}
