//! The pictures of an explanation: of every shown picture the original, and by model the adversarial
//! picture, the amplified difference, the regions that decided before and after the attack (Grad-CAM)
//! and the input gradient; and a sheet with all of them.

use crate::report::ReportError;
use crate::report::examples::{amplification, largest_change, perturbation};
use crate::report::extras::ExamplePair;
use crate::report::plots::{TEXT, drawn, png_of, put, text};
use crate::results::explanation::images::{self as names, PARTS};
use crate::sample::Label;
use image::{Rgb, RgbImage};
use plotters::prelude::*;

/// A map over a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Its side.
    pub side: usize,
    /// side x side values in \[0, 1\].
    pub values: Vec<f32>,
}

impl Heat {
    /// A map of values of any size, none of them negative, divided by the quantile `q` of them (1: the
    /// largest) and cut at 1. Values that are all zero, or no number, become zero.
    pub fn of(side: usize, values: &[f32], q: f64) -> Self {
        assert_eq!(values.len(), side * side, "a map is square");
        let mut sorted: Vec<f32> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        let place = (q * sorted.len().saturating_sub(1) as f64).round() as usize;
        let scale = sorted.get(place).copied().filter(|scale| *scale > 0.0).or(sorted.last().copied());
        let scale = scale.filter(|scale| *scale > 0.0);
        let one = |value: &f32| match scale {
            Some(scale) if value.is_finite() => (value / scale).clamp(0.0, 1.0),
            _ => 0.0,
        };
        Self { side, values: values.iter().map(one).collect() }
    }

    /// The value at (x, y) of a picture of side `res`, between the centres of the map's cells linear.
    fn at(&self, x: usize, y: usize, res: usize) -> f32 {
        let place = |at: usize| {
            let centre = (at as f32 + 0.5) * self.side as f32 / res as f32 - 0.5;
            let centre = centre.clamp(0.0, (self.side - 1) as f32);
            let low = (centre.floor() as usize).min(self.side.saturating_sub(2));
            (low, (low + 1).min(self.side - 1), centre - low as f32)
        };
        let ((left, right, x), (top, bottom, y)) = (place(x), place(y));
        let value = |row: usize, column: usize| self.values[row * self.side + column];
        let row = |row: usize| value(row, left) * (1.0 - x) + value(row, right) * x;
        row(top) * (1.0 - y) + row(bottom) * y
    }

    /// The map in colours, black to white through red and yellow.
    pub fn picture(&self, res: usize) -> RgbImage {
        RgbImage::from_fn(res as u32, res as u32, |x, y| Rgb(colour(self.at(x as usize, y as usize, res))))
    }

    /// The map in colours over the grey `picture`: half of each.
    pub fn over(&self, picture: &RgbImage) -> RgbImage {
        let res = picture.width() as usize;
        RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
            let heat = colour(self.at(x as usize, y as usize, res));
            let Rgb([red, green, blue]) = *picture.get_pixel(x, y);
            // Rec. 601 luma.
            let grey = (299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue)) / 1000;
            Rgb(heat.map(|value| ((u32::from(value) + grey) / 2) as u8))
        })
    }
}

/// Black, red, yellow, white at 0, 1/3, 2/3, 1, linear between: its lightness rises all the way.
fn colour(value: f32) -> [u8; 3] {
    let channel = |start: f32| (255.0 * (3.0 * value - start).clamp(0.0, 1.0)) as u8;
    [channel(0.0), channel(1.0), channel(2.0)]
}

/// A shown picture under one model.
#[derive(Clone, Debug)]
pub struct View {
    /// The picture's id.
    pub id: u64,
    /// Its class, where it is known.
    pub label: Option<Label>,
    /// The model, as it is called in file names and on the sheet: "gr", or "gr-2" for the second of an arm.
    pub model: String,
    /// Logit before and after the attack.
    pub logits: [f64; 2],
    /// The model's threshold.
    pub threshold: f64,
    /// The picture.
    pub clean: RgbImage,
    /// The picture after the attack.
    pub adversarial: RgbImage,
    /// Where the decision was made before the attack.
    pub cam_clean: Heat,
    /// Where it was made after it.
    pub cam_adversarial: Heat,
    /// The size of the input gradient, the largest of the three channels.
    pub gradient: Heat,
}

impl View {
    /// What the model calls a picture of that logit.
    pub fn called(&self, logit: f64) -> Label {
        Label::decided(logit as f32, self.threshold as f32)
    }
}

/// A picture's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name without a folder.
    pub name: String,
    /// The PNG.
    pub png: Vec<u8>,
}

/// The files of `views`: `ID-original.png`, for each model `ID-MODEL-{adversarial, difference, cam,
/// cam-adversarial, gradient}.png`, and `ID-sheet.png`. Differences of one picture are amplified alike.
///
/// # Errors
/// A picture that cannot be drawn or encoded.
pub fn files(views: &[View]) -> Result<Vec<File>, ReportError> {
    let mut ids: Vec<u64> = views.iter().map(|view| view.id).collect();
    ids.dedup();
    ids.sort_unstable();
    ids.dedup();
    let mut files = Vec::new();
    for id in ids {
        let of: Vec<&View> = views.iter().filter(|view| view.id == id).collect();
        files.extend(files_of(&of)?);
    }
    Ok(files)
}

fn files_of(views: &[&View]) -> Result<Vec<File>, ReportError> {
    let (id, clean) = (views[0].id, &views[0].clean);
    let (factor, rows) = rows(views);
    let file = |name: String, picture: &RgbImage| {
        let png = png_of(picture).map_err(|reason| ReportError::Drawing { name: name.clone(), reason })?;
        Ok::<_, ReportError>(File { name, png })
    };
    let mut files = vec![file(names::original(id), clean)?];
    for (view, pictures) in &rows {
        for (name, picture) in PARTS.iter().zip(pictures) {
            files.push(file(names::part(id, &view.model, name), picture)?);
        }
    }
    let name = format!("{id}-sheet.png");
    files.push(File { png: drawn_sheet(&name, clean, factor, &rows)?, name });
    Ok(files)
}

/// The sheet of `views` of one picture as PNG.
///
/// # Errors
/// It cannot be drawn.
///
/// # Panics
/// There is no view.
pub fn sheet(views: &[View]) -> Result<Vec<u8>, ReportError> {
    let views: Vec<&View> = views.iter().collect();
    let (factor, rows) = rows(&views);
    drawn_sheet("sheet.png", &views[0].clean, factor, &rows)
}

type Row<'a> = (&'a View, [RgbImage; 5]);

/// How much differences are amplified, and the [`PARTS`] of each view of one picture.
fn rows<'a>(views: &[&'a View]) -> (u32, Vec<Row<'a>>) {
    let pairs: Vec<ExamplePair> = views.iter().map(|view| pair(view)).collect();
    let factor = amplification(pairs.iter().map(largest_change).max().unwrap_or(0));
    let row = |(view, pair): (&&'a View, &ExamplePair)| {
        let parts = [
            view.adversarial.clone(),
            perturbation(pair, factor),
            view.cam_clean.over(&view.clean),
            view.cam_adversarial.over(&view.adversarial),
            view.gradient.picture(view.clean.width() as usize),
        ];
        (*view, parts)
    };
    (factor, views.iter().zip(&pairs).map(row).collect())
}

fn pair(view: &View) -> ExamplePair {
    ExamplePair { id: view.id, clean: view.clean.clone(), adversarial: view.adversarial.clone() }
}

/// Every picture is enlarged by a whole factor to at least this side, in pixels.
const SIDE: u32 = 160;
const GAP: i32 = 12;
const HEAD: i32 = 60;
/// Width of the words at the end of a row, in pixels.
const WORDS: u32 = 330;

/// A row for each model: original, adversarial, difference, Grad-CAM before and after, input gradient.
fn drawn_sheet(
    name: &str,
    clean: &RgbImage,
    amplified: u32,
    rows: &[Row<'_>],
) -> Result<Vec<u8>, ReportError> {
    let factor = SIDE.div_ceil(clean.width().max(1));
    let side = (clean.width() * factor) as i32;
    let size =
        (7 * GAP as u32 + 6 * side as u32 + WORDS, HEAD as u32 + (side + GAP) as u32 * rows.len() as u32);
    let difference = format!("difference x {amplified}");
    let heads = ["original", "adversarial", &difference, "Grad-CAM", "after attack", "gradient"];
    let plot = drawn(name, "", "", size, |area| {
        let x = |column: usize| GAP + column as i32 * (side + GAP);
        for (column, words) in heads.into_iter().enumerate() {
            area.draw(&Text::new(words.to_owned(), (x(column), HEAD - 34), text(TEXT - 5)))?;
        }
        for (row, (view, pictures)) in rows.iter().enumerate() {
            let top = HEAD + row as i32 * (side + GAP);
            for (column, picture) in std::iter::once(clean).chain(pictures).enumerate() {
                put(area, picture, factor, (x(column), top))?;
            }
            for (place, words) in words(view).into_iter().enumerate() {
                area.draw(&Text::new(words, (x(6), top + 6 + 30 * place as i32), text(TEXT - 3)))?;
            }
        }
        Ok(())
    })?;
    Ok(plot.png)
}

fn words(view: &View) -> [String; 3] {
    let [before, after] = view.logits;
    let what = view.label.map_or_else(String::new, |label| format!(": {label} {}", view.id));
    [
        format!("{}{what}", view.model),
        format!("called {}, then {}", view.called(before), view.called(after)),
        format!("logit {before:.2} to {after:.2}").replace('-', "−"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_scaled_and_linear_between_centres() {
        let heat = Heat::of(2, &[0.0, 4.0, 0.0, 4.0], 1.0);
        assert_eq!(heat.values, [0.0, 1.0, 0.0, 1.0]);
        let row: Vec<f32> = (0..4).map(|x| heat.at(x, 0, 4)).collect();
        assert_eq!(row, [0.0, 0.25, 0.75, 1.0]);
        // The upper half is cut by a median as scale.
        assert_eq!(Heat::of(2, &[1.0, 2.0, 2.0, 8.0], 0.5).values, [0.5, 1.0, 1.0, 1.0]);
        assert_eq!(Heat::of(1, &[0.0], 1.0).values, [0.0]);
        assert_eq!(Heat::of(2, &[f32::NAN, 2.0, 0.0, 0.0], 1.0).values, [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(Heat::of(1, &[3.0], 1.0).at(5, 0, 8), 1.0, "one cell is the same everywhere");
    }

    #[test]
    fn colours_get_lighter() {
        let lightness = |value: f32| colour(value).map(u32::from).iter().sum::<u32>();
        assert_eq!((colour(0.0), colour(1.0)), ([0, 0, 0], [255, 255, 255]));
        assert!((0..100).all(|at| lightness(at as f32 / 100.0) < lightness((at + 1) as f32 / 100.0)));
    }

    #[test]
    fn every_view_has_its_files() {
        let picture = |value| RgbImage::from_pixel(8, 8, Rgb([value, 100, 100]));
        let view = |id, model: &str| View {
            id,
            label: Some(Label::Fake),
            model: model.to_owned(),
            logits: [1.0, -1.0],
            threshold: 0.0,
            clean: picture(100),
            adversarial: picture(102),
            cam_clean: Heat::of(2, &[0.0, 1.0, 2.0, 3.0], 1.0),
            cam_adversarial: Heat::of(2, &[3.0, 1.0, 2.0, 0.0], 1.0),
            gradient: Heat::of(8, &[1.0; 64], 0.99),
        };
        let files = files(&[view(3, "gr"), view(1, "gr"), view(3, "baseline")]).unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names.len(), 1 + 5 + 1 + 1 + 10 + 1);
        assert_eq!((names[0], names[6], names[7]), ("1-original.png", "1-sheet.png", "3-original.png"));
        assert!(names.contains(&"3-baseline-cam-adversarial.png") && names.contains(&"1-gr-difference.png"));
        let difference = files.iter().find(|file| file.name == "1-gr-difference.png").unwrap();
        let shown = image::load_from_memory(&difference.png).unwrap().into_rgb8();
        // 2 levels, amplified 63 times around grey.
        assert_eq!(shown.get_pixel(0, 0).0, [254, 128, 128]);
    }
}
