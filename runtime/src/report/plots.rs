//! The plots of a report as PNG, drawn into memory: ROC, accuracy clean and under
//! attack, training losses, success against queries, score histograms. Arms keep
//! their colour from plot to plot.

use super::compare::was_right;
use super::extras::AttackExtras;
use super::{Arm, Extras, Report, ReportError, attack_key};
use crate::attack::result::AttackReport;
use crate::data::manifest::Label;
use crate::metrics::Estimate;
use crate::metrics::ranking::{auc, roc};
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io::Cursor;
use std::ops::Range;
use std::sync::Once;

/// A plot, ready to be written.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Its file's name without a folder: "roc.png".
    pub file: String,
    /// Its heading.
    pub title: String,
    /// What it shows.
    pub caption: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The encoded picture.
    pub png: Vec<u8>,
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Format<'a> = &'a dyn Fn(&f64) -> String;
type Drawn = Result<(), Failure>;

/// Colours that people with any colour vision tell apart (Okabe and Ito).
const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);
const REAL: RGBColor = RGBColor(86, 180, 233);
const FAKE: RGBColor = RGBColor(230, 159, 0);
const TITLE: i32 = 30;
const TEXT: i32 = 23;
/// Height of the strip with title and legend above a chart.
const STRIP: i32 = 104;
/// Points that a training curve is averaged down to.
const CURVE_POINTS: usize = 120;
/// Bins of a score histogram.
const SCORE_BINS: usize = 40;

/// Every plot that the report and its extras allow, in reading order.
pub fn draw(report: &Report, extras: &Extras) -> Result<Vec<Plot>, ReportError> {
    let mut plots = Vec::new();
    plots.extend(accuracy_plot(report)?);
    plots.extend(roc_plot(report, extras)?);
    plots.extend(score_plot(report, extras)?);
    for key in report.attack_keys() {
        plots.extend(query_plot(report, extras, &key)?);
    }
    plots.extend(training_plot(report, extras)?);
    Ok(plots)
}

/// Draws a picture of `size` and encodes it.
fn plot(
    file: &str,
    title: &str,
    caption: &str,
    size: (u32, u32),
    fill: impl FnOnce(&Area<'_>) -> Drawn,
) -> Result<Plot, ReportError> {
    register_font();
    let failed = |reason: String| ReportError::Drawing { name: file.to_owned(), reason };
    let mut pixels = vec![255; size.0 as usize * size.1 as usize * 3];
    {
        let area = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
        area.fill(&WHITE).map_err(|error| failed(error.to_string()))?;
        fill(&area).map_err(|error| failed(error.to_string()))?;
        area.present().map_err(|error| failed(error.to_string()))?;
    }
    let picture = RgbImage::from_raw(size.0, size.1, pixels).expect("three bytes a pixel");
    let png = png_of(&picture).map_err(failed)?;
    let (file, title, caption) = (file.to_owned(), title.to_owned(), caption.to_owned());
    Ok(Plot { file, title, caption, size, png })
}

/// `picture` as PNG.
pub(super) fn png_of(picture: &RgbImage) -> Result<Vec<u8>, String> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(png.into_inner())
}

fn register_font() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        let registered = plotters::style::register_font("sans-serif", FontStyle::Normal, font);
        assert!(registered.is_ok(), "the embedded font is a valid one");
    });
}

fn text(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&INK)
}

fn centred(size: i32) -> TextStyle<'static> {
    text(size).pos(Pos::new(HPos::Center, VPos::Top))
}

fn colour(place: usize) -> RGBColor {
    PALETTE[place % PALETTE.len()]
}

/// A legend's entry.
struct Key {
    text: String,
    colour: RGBColor,
    dashed: bool,
}

impl Key {
    fn new(text: impl Into<String>, colour: RGBColor) -> Self {
        Self { text: text.into(), colour, dashed: false }
    }
}

/// Writes title and legend at the top of `area` and returns what is left below.
fn headed<'a>(area: &Area<'a>, title: &str, keys: &[Key]) -> Result<Area<'a>, Failure> {
    let (strip, below) = area.split_vertically(STRIP);
    strip.draw(&Text::new(title.to_owned(), (24, 18), text(TITLE)))?;
    let mut x = 26;
    for key in keys {
        let y = 74;
        match key.dashed {
            false => strip.draw(&Rectangle::new([(x, y - 4), (x + 30, y + 4)], key.colour.filled()))?,
            true => {
                for dash in [0, 12, 24] {
                    let part = [(x + dash, y - 2), (x + dash + 7, y + 2)];
                    strip.draw(&Rectangle::new(part, key.colour.filled()))?;
                }
            }
        }
        strip.draw(&Text::new(key.text.clone(), (x + 40, y - 6), text(TEXT)))?;
        let width = strip.estimate_text_size(&key.text, &text(TEXT))?.0;
        x += 40 + width as i32 + 34;
    }
    Ok(below)
}

/// An empty chart with axes, grid and descriptions.
fn chart<'a, 'b>(
    area: &'a Area<'b>,
    x: Range<f64>,
    y: Range<f64>,
    descriptions: (&str, &str),
    formats: (Format<'_>, Format<'_>),
) -> Result<Chart<'a, 'b>, Failure> {
    let mut chart = ChartBuilder::on(area)
        .margin_right(36)
        .margin_left(12)
        .margin_bottom(14)
        .margin_top(8)
        .x_label_area_size(70)
        .y_label_area_size(104)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(text(TEXT))
        .axis_desc_style(text(TEXT))
        .x_labels(8)
        .y_labels(8)
        .x_desc(descriptions.0)
        .y_desc(descriptions.1)
        .x_label_formatter(formats.0)
        .y_label_formatter(formats.1)
        .draw()?;
    Ok(chart)
}

fn as_percent(value: &f64) -> String {
    format!("{:.0} %", 100.0 * value)
}

fn short(value: &f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A line through `points`.
fn line(points: Vec<(f64, f64)>, colour: RGBColor, width: u32) -> PathElement<(f64, f64)> {
    PathElement::new(points, colour.stroke_width(width))
}

// Accuracy, clean and under every attack -----------------------------------

/// A bar: the mean over an arm's seeds, the mean ends of their intervals, and
/// every seed's own value.
struct Bar {
    category: usize,
    arm: usize,
    mean: Estimate,
    seeds: Vec<f64>,
}

fn bars(report: &Report) -> Vec<Bar> {
    let keys = report.attack_keys();
    let mut bars = Vec::new();
    for category in 0..=keys.len() {
        for (arm, name) in report.names().into_iter().enumerate() {
            let of = |index: usize| match category {
                0 => report.arms[index].eval.metrics.accuracy,
                _ => {
                    let arm = &report.arms[index];
                    let place = arm.attack_place(&keys[category - 1])?;
                    Some(arm.attacks[place].intervals.robust_accuracy)
                }
            };
            let estimates: Vec<Estimate> = report.seeds_of(name).into_iter().filter_map(of).collect();
            if estimates.is_empty() {
                continue;
            }
            let mean =
                |part: fn(&Estimate) -> f64| estimates.iter().map(part).sum::<f64>() / estimates.len() as f64;
            let mean = Estimate { value: mean(|e| e.value), low: mean(|e| e.low), high: mean(|e| e.high) };
            let seeds = estimates.iter().map(|estimate| estimate.value).collect();
            bars.push(Bar { category, arm, mean, seeds });
        }
    }
    bars
}

fn accuracy_plot(report: &Report) -> Result<Option<Plot>, ReportError> {
    let bars = bars(report);
    if bars.is_empty() {
        return Ok(None);
    }
    let keys = report.attack_keys();
    let categories = keys.len() + 1;
    let names = report.names();
    let width = (220 * categories as u32 + 200).clamp(900, 2400);
    let (title, caption) = (
        "Accuracy on clean pictures and under attack",
        "Whiskers: 95 % intervals (of several seeds: the mean of their ends; the dots are the seeds). \
        A hollow bar is unreliable: a check of the attack failed.",
    );
    let plot = plot("accuracy.png", title, caption, (width, 720), |area| {
        let entries: Vec<Key> =
            names.iter().enumerate().map(|(place, name)| Key::new(*name, colour(place))).collect();
        let below = headed(area, title, &entries)?;
        let top = -0.5..categories as f64 - 0.5;
        let mut chart = chart(&below, top, 0.0..1.0, ("", "accuracy"), (&|_| String::new(), &as_percent))?;
        for bar in &bars {
            draw_bar(&mut chart, bar, names.len(), is_doubtful(report, &keys, bar))?;
        }
        for category in 0..categories {
            let at = chart.backend_coord(&(category as f64, 0.0));
            let (first, second) = category_words(&keys, category);
            let root = area.strip_coord_spec();
            root.draw(&Text::new(first, (at.0, at.1 + 12), centred(TEXT)))?;
            root.draw(&Text::new(second, (at.0, at.1 + 40), centred(TEXT)))?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

/// The two lines below a category: an attack's method, and its norm and radius.
fn category_words(keys: &[String], category: usize) -> (String, String) {
    match category {
        0 => ("clean".to_owned(), String::new()),
        _ => {
            let (method, rest) = keys[category - 1].split_once(' ').expect("a key has three words");
            (method.to_owned(), rest.to_owned())
        }
    }
}

fn is_doubtful(report: &Report, keys: &[String], bar: &Bar) -> bool {
    let name = report.names()[bar.arm];
    let attacks = report.seeds_of(name).into_iter().flat_map(|index| &report.arms[index].attacks);
    bar.category > 0
        && attacks.into_iter().any(|one| one.unreliable && attack_key(one) == keys[bar.category - 1])
}

fn draw_bar(chart: &mut Chart<'_, '_>, bar: &Bar, arms: usize, doubtful: bool) -> Drawn {
    let width = 0.8 / arms as f64;
    let centre = bar.category as f64 - 0.4 + width * (bar.arm as f64 + 0.5);
    let (left, right) = (centre - 0.44 * width, centre + 0.44 * width);
    let colour = colour(bar.arm);
    let style = if doubtful { colour.stroke_width(3) } else { colour.mix(0.85).filled() };
    let area = chart.plotting_area();
    area.draw(&Rectangle::new([(left, 0.0), (right, bar.mean.value)], style))?;
    let cap = 0.16 * width;
    area.draw(&line(vec![(centre, bar.mean.low), (centre, bar.mean.high)], INK, 3))?;
    for end in [bar.mean.low, bar.mean.high] {
        area.draw(&line(vec![(centre - cap, end), (centre + cap, end)], INK, 3))?;
    }
    if bar.seeds.len() > 1 {
        for (place, &value) in bar.seeds.iter().enumerate() {
            let step = (place as f64 + 0.5) / bar.seeds.len() as f64 - 0.5;
            let at = (centre + 0.6 * width * step, value);
            area.draw(&Circle::new(at, 6, WHITE.filled()))?;
            area.draw(&Circle::new(at, 6, INK.stroke_width(2)))?;
        }
    }
    Ok(())
}

// ROC ------------------------------------------------------------------------

fn roc_plot(report: &Report, extras: &Extras) -> Result<Option<Plot>, ReportError> {
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
    let plot = plot("roc.png", title, caption, (width, 900), |area| {
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

fn scores(extras: &Extras, index: usize) -> (Vec<f32>, Vec<Label>) {
    extras.arms[index].scores.iter().map(|line| (line.logit, line.label)).unzip()
}

// Success against queries ------------------------------------------------------

/// Queries spent on the turned pictures, rising, and how many could be turned,
/// over the seeds of one arm.
struct Spent {
    queries: Vec<u64>,
    of: usize,
}

fn spent<'a>(attacks: impl Iterator<Item = (&'a AttackReport, &'a AttackExtras)>) -> Spent {
    let (mut queries, mut of) = (Vec::new(), 0);
    for (attack, extras) in attacks {
        let threshold = attack.threshold as f32;
        of += extras.samples.iter().filter(|sample| was_right(sample, threshold)).count();
        queries.extend(extras.samples.iter().filter(|sample| sample.success).map(|sample| sample.queries));
    }
    queries.sort_unstable();
    Spent { queries, of }
}

/// Drawn for attacks whose cost differs from picture to picture: those that
/// search until a picture turns.
fn query_plot(report: &Report, extras: &Extras, key: &str) -> Result<Option<Plot>, ReportError> {
    let of_arm = |name: &str| {
        let attacked = report.seeds_of(name).into_iter().filter_map(|index| {
            let arm: &Arm = &report.arms[index];
            let place = arm.attack_place(key)?;
            Some((&arm.attacks[place], &extras.arms[index].attacks[place]))
        });
        spent(attacked)
    };
    let arms: Vec<(&str, Spent)> = report.names().into_iter().map(|name| (name, of_arm(name))).collect();
    let mut costs: Vec<u64> = arms.iter().flat_map(|(_, spent)| &spent.queries).copied().collect();
    costs.sort_unstable();
    costs.dedup();
    if costs.len() < 3 {
        return Ok(None);
    }
    let samples = extras.arms.iter().zip(&report.arms).filter_map(|(extras, arm)| {
        extras.attacks.get(arm.attack_place(key)?)?.samples.iter().map(|sample| sample.queries).max()
    });
    let end = samples.max().unwrap_or(1).max(1) as f64;
    let file = format!("queries-{}.png", key.replace("/255", "").replace(' ', "-"));
    let title = format!("Success against queries: {key}");
    let caption = "Share of the rightly classified pictures turned over within so many queries, all seeds \
        together.";
    let plot = plot(&file, &title, caption, (1100, 720), |area| {
        let keys = arms.iter().enumerate().filter(|(_, (_, spent))| spent.of > 0);
        let keys: Vec<Key> = keys.map(|(place, (name, _))| Key::new(*name, colour(place))).collect();
        let below = headed(area, &title, &keys)?;
        let axes = ("queries", "success rate");
        let chart = chart(&below, 0.0..end, 0.0..1.0, axes, (&|x| format!("{x:.0}"), &as_percent))?;
        for (place, (_, spent)) in arms.iter().enumerate().filter(|(_, (_, spent))| spent.of > 0) {
            chart.plotting_area().draw(&line(steps(spent, end), colour(place), 4))?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

/// The staircase of turned shares from 0 to `end` queries.
fn steps(spent: &Spent, end: f64) -> Vec<(f64, f64)> {
    let mut points = vec![(0.0, 0.0)];
    for (turned, &queries) in spent.queries.iter().enumerate() {
        points.push((queries as f64, turned as f64 / spent.of as f64));
        points.push((queries as f64, (turned + 1) as f64 / spent.of as f64));
    }
    points.push((end, spent.queries.len() as f64 / spent.of as f64));
    points
}

// Scores -----------------------------------------------------------------------

fn score_plot(report: &Report, extras: &Extras) -> Result<Option<Plot>, ReportError> {
    let firsts = report.names().into_iter().map(|name| report.seeds_of(name)[0]);
    let arms: Vec<usize> = firsts.filter(|&index| !extras.arms[index].scores.is_empty()).collect();
    if arms.is_empty() {
        return Ok(None);
    }
    let title = "Logits of clean pictures";
    let caption = "Share of each class a bin, first seed of every arm; above the dashed threshold a picture is \
        called fake.";
    let height = STRIP as u32 + 380 * arms.len() as u32;
    let plot = plot("scores.png", title, caption, (1100, height), |area| {
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
    let width = ((high - low) / SCORE_BINS as f64).max(1e-3);
    let shares = |class: Label| {
        let mut shares = [0.0; SCORE_BINS];
        let of_class = || logits.iter().zip(labels).filter(|(z, label)| **label == class && z.is_finite());
        let n = of_class().count().max(1) as f64;
        for (&logit, _) in of_class() {
            let bin = ((f64::from(logit) - low) / width) as usize;
            shares[bin.min(SCORE_BINS - 1)] += 1.0 / n;
        }
        shares
    };
    let (real, fake) = (shares(Label::Real), shares(Label::Fake));
    let top = real.iter().chain(&fake).copied().fold(0.0, f64::max).max(0.01) * 1.08;
    let ends = low..low + width * SCORE_BINS as f64;
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

// Training ---------------------------------------------------------------------

fn training_plot(report: &Report, extras: &Extras) -> Result<Option<Plot>, ReportError> {
    let names = report.names();
    let (mut by_step, mut by_epoch) = (Vec::new(), Vec::new());
    for (place, name) in names.iter().enumerate() {
        for index in report.seeds_of(name) {
            let training = &extras.arms[index].training;
            by_step.push((colour(place), averaged(&training.steps)));
            let losses = training.epochs.iter().filter_map(|one| Some((one.epoch as f64, one.val_loss?)));
            by_epoch.push((colour(place), losses.filter(|(_, loss)| loss.is_finite()).collect()));
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
    let plot = plot("training.png", title, caption, (1400, 680), |area| {
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

/// Losses by step, averaged over neighbouring steps down to [`CURVE_POINTS`].
fn averaged(steps: &[(u64, f64)]) -> Vec<(f64, f64)> {
    let finite: Vec<(u64, f64)> = steps.iter().copied().filter(|(_, loss)| loss.is_finite()).collect();
    let size = finite.len().div_ceil(CURVE_POINTS).max(1);
    let mean = |part: &[(u64, f64)]| {
        let n = part.len() as f64;
        let step = part.iter().map(|(step, _)| *step as f64).sum::<f64>() / n;
        (step, part.iter().map(|(_, loss)| loss).sum::<f64>() / n)
    };
    finite.chunks(size).map(mean).collect()
}
