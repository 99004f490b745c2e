//! Accuracy on clean pictures and under every attack, as bars.

use super::{Chart, Drawn, INK, Key, Plot, TEXT, as_percent, centred, chart, colour, drawn, headed, line};
use crate::metrics::Estimate;
use crate::report::ReportError;
use crate::results::study::{Report, attack_key};
use plotters::prelude::*;

/// A bar: the mean over an arm's seeds, the means of their interval ends, and every seed's value.
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

pub(super) fn plot(report: &Report) -> Result<Option<Plot>, ReportError> {
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
    let plot = drawn("accuracy.png", title, caption, (width, 720), |area| {
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
