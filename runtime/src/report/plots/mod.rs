//! The plots of a report as PNG, drawn in memory: one file for each plot, and here their common
//! parts. An arm has the same colour in every plot.

mod accuracy;
pub mod corrupted;
pub mod distances;
mod queries;
mod radius;
mod roc;
mod scores;
mod study;
pub mod sweep;
mod training;

pub use study::draw;

use super::page::Table;
use super::svg::Svg;
use super::{Extras, ReportError};
use crate::sample::Label;
use image::{ImageFormat, RgbImage};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::io::Cursor;
use std::ops::Range;
use std::sync::Once;

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Its file's name without a folder: "roc.png".
    pub file: String,
    /// The heading.
    pub title: String,
    /// A description of the plot.
    pub caption: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// The encoded picture.
    pub png: Vec<u8>,
    /// The same as SVG with its numbers, of the plots that a report opens with.
    pub drawing: Option<Drawing>,
}

impl Plot {
    /// The SVG file's name: "radius-linf.svg".
    pub fn svg_file(&self) -> String {
        self.file.replace(".png", ".svg")
    }
}

/// A plot as SVG, and its numbers.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// The drawing.
    pub svg: Svg,
    /// The numbers it shows.
    pub numbers: Table,
}

type Area<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Format<'a> = &'a dyn Fn(&f64) -> String;
type Drawn = Result<(), Failure>;

/// A palette that is safe for colour-blind readers (Okabe and Ito).
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
const TITLE: i32 = 30;
pub(super) const TEXT: i32 = 23;
/// Height of the strip with title and legend above a chart.
const STRIP: i32 = 104;

/// Draws a picture of `size` and encodes it.
pub(super) fn drawn(
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
    Ok(Plot { file, title, caption, size, png, drawing: None })
}

/// Draws `picture` at `at`, enlarged by `factor`.
pub(super) fn put(area: &Area<'_>, picture: &RgbImage, factor: u32, at: (i32, i32)) -> Drawn {
    let enlarged = RgbImage::from_fn(picture.width() * factor, picture.height() * factor, |x, y| {
        *picture.get_pixel(x / factor, y / factor)
    });
    let size = (enlarged.width(), enlarged.height());
    let element = BitMapElement::with_owned_buffer(at, size, enlarged.into_raw());
    area.draw(&element.ok_or("a picture of another size")?)?;
    Ok(())
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

pub(super) fn text(size: i32) -> TextStyle<'static> {
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

/// Draws title and legend at the top of `area` and returns the rest of it.
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

/// An empty chart with axes, grid and labels.
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

/// The logits and labels of an arm's clean pictures.
fn scores(extras: &Extras, index: usize) -> (Vec<f32>, Vec<Label>) {
    extras.arms[index].scores.iter().map(|line| (line.logit, line.sample.label)).unzip()
}
