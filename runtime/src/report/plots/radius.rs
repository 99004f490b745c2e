//! Accuracy against the radius of the attacks, a line an arm, and robust against clean accuracy, a
//! point an arm: as SVG and as PNG, with their numbers.

use super::{Drawing, Drawn, Key, Plot, as_percent, chart, colour, drawn, headed, line};
use crate::report::ReportError;
use crate::report::numbers::{percent, percent_interval};
use crate::report::page::{Cell, Column, Mark, Table};
use crate::report::robustness::{Curves, Line, Point, curves};
use crate::report::svg::{Canvas, Svg};
use crate::results::study::Report;
use plotters::prelude::*;

/// Of lines that are no measurement.
const FAINT: RGBColor = RGBColor(130, 130, 130);
const SIZE: (u32, u32) = (1100, 760);

/// For every norm the accuracies against its radius; then, of the first norm, robust against clean
/// accuracy.
pub(super) fn plots(report: &Report) -> Result<Vec<Plot>, ReportError> {
    let names = report.names();
    let all = curves(report);
    let mut plots = Vec::new();
    for curves in &all {
        plots.push(against_radius(curves, &names)?);
    }
    if let Some(curves) = all.first() {
        plots.extend(against_clean(curves, &names)?);
    }
    Ok(plots)
}

/// The place of an arm in the palette.
fn place(names: &[&str], line: &Line) -> usize {
    names.iter().position(|name| *name == line.arm).unwrap_or(0)
}

fn keys(curves: &Curves, names: &[&str]) -> Vec<Key> {
    curves.lines.iter().map(|line| Key::new(line.arm.clone(), colour(place(names, line)))).collect()
}

fn words(point: &Point) -> String {
    let value = point.value;
    let doubt = if point.unreliable { ", unreliable" } else { "" };
    format!("{} [{:.1}, {:.1}]{doubt}", percent(value.value), 100.0 * value.low, 100.0 * value.high)
}

fn percent_ticks() -> Vec<(f64, String)> {
    [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| (share, format!("{:.0} %", 100.0 * share))).to_vec()
}

fn against_radius(curves: &Curves, names: &[&str]) -> Result<Plot, ReportError> {
    let title = format!("Accuracy against the radius of the attack ({})", curves.norm);
    let caption = format!(
        "Share of pictures that are right before and after the attack: at each radius the worst case over the attacks of \
         that norm, at 0 the clean pictures. Bands: 95 % intervals. Dotted: calling every picture alike ({}). A hollow \
         marker is unreliable: a check of an attack failed.",
        percent(curves.guess)
    );
    let file = format!("radius-{}.png", curves.norm);
    let picture = drawn(&file, &title, &caption, SIZE, |area| {
        let below = headed(area, &title, &keys(curves, names))?;
        let most = curves.radii().last().copied().unwrap_or(1.0);
        let format = |eps: &f64| curves.radius_alone(*eps);
        let x = (format!("{} radius", curves.norm), 0.0..1.03 * most);
        let mut chart = chart(&below, x.1, 0.0..1.0, (&x.0, "accuracy"), (&format, &as_percent))?;
        let guess = vec![(0.0, curves.guess), (1.03 * most, curves.guess)];
        chart.plotting_area().draw(&line(guess, FAINT, 1))?;
        curves.lines.iter().try_for_each(|one| draw_line(&mut chart, one, colour(place(names, one))))
    })?;
    let drawing = Drawing { svg: radius_svg(curves, names, &title), numbers: radius_table(curves) };
    Ok(Plot { drawing: Some(drawing), ..picture })
}

fn draw_line(chart: &mut super::Chart<'_, '_>, one: &Line, colour: RGBColor) -> Drawn {
    let at = |of: fn(&Point) -> f64| one.points.iter().map(move |point| (point.eps_255, of(point)));
    let area = chart.plotting_area();
    let band: Vec<(f64, f64)> =
        at(|point| point.value.low).chain(at(|point| point.value.high).rev()).collect();
    area.draw(&Polygon::new(band, colour.mix(0.15).filled()))?;
    area.draw(&line(at(|point| point.value.value).collect(), colour, 4))?;
    for point in &one.points {
        let style = if point.unreliable { colour.stroke_width(3) } else { colour.filled() };
        area.draw(&Circle::new((point.eps_255, point.value.value), 7, style))?;
    }
    Ok(())
}

fn radius_svg(curves: &Curves, names: &[&str], title: &str) -> Svg {
    let radii = curves.radii();
    let most = radii.last().copied().unwrap_or(1.0);
    let labels = curves.lines.iter().map(|line| line.arm.as_str());
    let mut canvas = Canvas::new(0.0..most, 0.0..1.0, labels);
    let ticks: Vec<(f64, String)> =
        std::iter::once(0.0).chain(radii).map(|radius| (radius, curves.radius_alone(radius))).collect();
    canvas.axes((&format!("{} radius", curves.norm), &ticks), ("accuracy", &percent_ticks()));
    canvas.level(curves.guess, &format!("guessing {:.0} %", 100.0 * curves.guess));
    for line in &curves.lines {
        let band = line.points.iter().map(|point| (point.eps_255, point.value.low, point.value.high));
        canvas.band(place(names, line), &band.collect::<Vec<_>>());
    }
    for line in &curves.lines {
        let arm = place(names, line);
        let points: Vec<(f64, f64)> =
            line.points.iter().map(|point| (point.eps_255, point.value.value)).collect();
        canvas.line(arm, &points);
        for point in &line.points {
            let told = format!("{}, {}: {}", line.arm, curves.radius_alone(point.eps_255), words(point));
            canvas.marker(arm, (point.eps_255, point.value.value), point.unreliable, &told);
        }
    }
    let ends: Vec<(usize, &str, f64, f64)> = curves
        .lines
        .iter()
        .filter_map(|line| {
            let last = line.points.last()?;
            Some((place(names, line), line.arm.as_str(), last.eps_255, last.value.value))
        })
        .collect();
    canvas.labels(&ends);
    canvas.finish(&format!("radius-{}", curves.norm), title, &description(curves))
}

/// What the figure shows, in words.
fn description(curves: &Curves) -> String {
    let line = |line: &Line| {
        let point = |point: &Point| format!("{} {}", curves.radius_alone(point.eps_255), words(point));
        format!("{}: {}", line.arm, line.points.iter().map(point).collect::<Vec<_>>().join(", "))
    };
    curves.lines.iter().map(line).collect::<Vec<_>>().join(". ")
}

fn cell(point: Option<&Point>) -> Cell {
    let Some(point) = point else { return Cell::plain("–") };
    let mark = if point.unreliable { Mark::Unreliable } else { Mark::Plain };
    Cell { text: percent(point.value.value), detail: Some(percent_interval(point.value)), mark }
}

fn radius_table(curves: &Curves) -> Table {
    let mut columns = vec![Column::words("Radius"), Column::words("Attacks")];
    columns.extend(curves.lines.iter().map(|line| Column::numbers(line.arm.clone())));
    let row = |radius: f64| {
        let at = |line: &Line| line.at(radius).cloned();
        let methods = curves.lines.iter().find_map(|line| Some(at(line)?.methods));
        let methods = methods.filter(|methods| !methods.is_empty());
        let mut row = vec![
            Cell::plain(curves.radius_alone(radius)),
            Cell::plain(methods.map_or_else(|| "none".to_owned(), |methods| methods.join(", "))),
        ];
        row.extend(curves.lines.iter().map(|line| cell(at(line).as_ref())));
        row
    };
    Table {
        name: format!("radius-{}-numbers", curves.norm),
        title: format!("Accuracy against radius ({}): the numbers", curves.norm),
        note: "Mean over the seeds with its 95 % interval; of several attacks, right after every one. Marked where a \
            check of an attack failed."
            .to_owned(),
        columns,
        rows: std::iter::once(0.0).chain(curves.radii()).map(row).collect(),
        folded: true,
    }
}

/// Robust accuracy at the smallest common radius against clean accuracy.
fn against_clean(curves: &Curves, names: &[&str]) -> Result<Option<Plot>, ReportError> {
    let Some(&radius) = curves.common_radii().first() else { return Ok(None) };
    let both = |line: &'_ Line| Some((line.at(0.0)?.clone(), line.at(radius)?.clone()));
    let points: Vec<(&Line, Point, Point)> = curves
        .lines
        .iter()
        .filter_map(|line| both(line).map(|(clean, robust)| (line, clean, robust)))
        .collect();
    if points.is_empty() {
        return Ok(None);
    }
    let at = curves.radius(radius);
    let title = format!("Robust accuracy at {at} against clean accuracy");
    let caption =
        "An arm at the upper right is both accurate and robust. Lines: 95 % intervals. Dotted: no accuracy \
        lost to the attack."
            .to_owned();
    let least = points.iter().map(|(_, clean, _)| clean.value.low).fold(1.0, f64::min);
    // Whole twentieths, at least a quarter wide.
    let start = ((20.0 * least).floor() / 20.0).clamp(0.0, 0.75);
    let picture = drawn("clean-robust.png", &title, &caption, SIZE, |area| {
        let below = headed(area, &title, &keys(curves, names))?;
        let axes = ("accuracy on clean pictures", "robust accuracy");
        let chart = chart(&below, start..1.0, 0.0..1.0, axes, (&as_percent, &as_percent))?;
        let area = chart.plotting_area();
        area.draw(&line(vec![(start, start), (1.0, 1.0)], FAINT, 1))?;
        for (one, clean, robust) in &points {
            let colour = colour(place(names, one));
            let (x, y) = (clean.value, robust.value);
            area.draw(&line(vec![(x.low, y.value), (x.high, y.value)], colour, 3))?;
            area.draw(&line(vec![(x.value, y.low), (x.value, y.high)], colour, 3))?;
            let style = if robust.unreliable { colour.stroke_width(3) } else { colour.filled() };
            area.draw(&Circle::new((x.value, y.value), 9, style))?;
        }
        Ok(())
    })?;
    let mut canvas = Canvas::new(start..1.0, 0.0..1.0, points.iter().map(|(line, _, _)| line.arm.as_str()));
    let ticks: Vec<(f64, String)> = (0..=20)
        .map(|step| f64::from(step) / 20.0)
        .filter(|share| *share >= start - 1e-9)
        .map(|share| (share, format!("{:.0} %", 100.0 * share)))
        .collect();
    canvas.axes(
        ("accuracy on clean pictures", &ticks),
        (&format!("robust accuracy at {at}"), &percent_ticks()),
    );
    canvas.diagonal();
    for (line, clean, robust) in &points {
        let (arm, x, y) = (place(names, line), clean.value, robust.value);
        canvas.whisker(arm, (x.low, y.value), (x.high, y.value));
        canvas.whisker(arm, (x.value, y.low), (x.value, y.high));
        let told = format!("{}: clean {}, robust {}", line.arm, words(clean), words(robust));
        canvas.marker(arm, (x.value, y.value), robust.unreliable, &told);
    }
    let labels: Vec<(usize, &str, f64, f64)> = points
        .iter()
        .map(|(line, clean, robust)| {
            (place(names, line), line.arm.as_str(), clean.value.value, robust.value.value)
        })
        .collect();
    canvas.labels(&labels);
    let told = |(line, clean, robust): &(&Line, Point, Point)| {
        format!("{}: clean {}, robust {}", line.arm, words(clean), words(robust))
    };
    let description = points.iter().map(told).collect::<Vec<_>>().join(". ");
    let rows = points.iter().map(|(line, clean, robust)| {
        vec![Cell::plain(line.arm.clone()), cell(Some(clean)), cell(Some(robust))]
    });
    let numbers = Table {
        name: "clean-robust-numbers".to_owned(),
        title: format!("Clean and robust accuracy at {at}: the numbers"),
        note: "Mean over the seeds with its 95 % interval.".to_owned(),
        columns: vec![
            Column::words("Arm"),
            Column::numbers("Clean accuracy"),
            Column::numbers("Robust accuracy"),
        ],
        rows: rows.collect(),
        folded: true,
    };
    let drawing = Drawing { svg: canvas.finish("clean-robust", &title, &description), numbers };
    Ok(Some(Plot { drawing: Some(drawing), ..picture }))
}
