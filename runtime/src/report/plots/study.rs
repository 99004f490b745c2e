//! The plots of a study.

use super::{Plot, accuracy, queries, radius, roc, scores, training};
use crate::report::{Extras, ReportError};
use crate::results::study::Report;

/// Every plot for which the report and its extras have data, in reading order.
pub fn draw(report: &Report, extras: &Extras) -> Result<Vec<Plot>, ReportError> {
    let mut plots = radius::plots(report)?;
    plots.extend(accuracy::plot(report)?);
    plots.extend(roc::plot(report, extras)?);
    plots.extend(scores::plot(report, extras)?);
    for key in report.attack_keys() {
        plots.extend(queries::plot(report, extras, &key)?);
    }
    plots.extend(training::plot(report, extras)?);
    Ok(plots)
}
