//! The success of a minimal-distance attack against the radius, from one run.

use super::{Key, Plot, as_percent, chart, colour, drawn, headed, line, short};
use crate::report::ReportError;
use crate::results::attack::AttackReport;
use crate::results::attack::distances::{CurvePoint, MinimalDistance};
use crate::results::study::attack_key;
use crate::threat::Norm;

/// The plot of the distances in `report`; `None` where it has none.
///
/// # Errors
/// The plot cannot be drawn.
pub fn draw(report: &AttackReport) -> Result<Option<Plot>, ReportError> {
    let Some(found) = report.minimal_distance.as_ref().filter(|found| found.n_found > 0) else {
        return Ok(None);
    };
    let title = format!("Accuracy within a radius: {}, {} distance", report.method, found.norm);
    let caption = format!(
        "Pictures that {} does not turn over within each radius, over all pictures, and those it does, over the \
        rightly classified ones; distances in floats.",
        attack_key(report)
    );
    let (unit, axis) = match found.norm {
        Norm::Linf => (255.0, "radius in 1/255"),
        Norm::L2 => (1.0, "radius, pixels in [0, 1]"),
    };
    let end = unit * found.curve.last().map_or(1.0, |point| point.eps);
    let plot = drawn("distance.png", &title, &caption, (1100, 720), |area| {
        let keys = [Key::new("robust accuracy", colour(0)), Key::new("attack success rate", colour(1))];
        let below = headed(area, &title, &keys)?;
        let chart =
            chart(&below, 0.0..end.max(f64::MIN_POSITIVE), 0.0..1.0, (axis, "share"), (&short, &as_percent))?;
        let curves =
            [steps(found, unit, |at| at.robust_accuracy), steps(found, unit, |at| at.attack_success_rate)];
        for (place, curve) in curves.into_iter().enumerate() {
            chart.plotting_area().draw(&line(curve, colour(place), 4))?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

/// The curve of `share` as a step function of the radius times `unit`.
fn steps(found: &MinimalDistance, unit: f64, share: impl Fn(&CurvePoint) -> f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for point in &found.curve {
        let at = unit * point.eps;
        points.extend(points.last().map(|&(_, before)| (at, before)));
        points.push((at, share(point)));
    }
    points
}
