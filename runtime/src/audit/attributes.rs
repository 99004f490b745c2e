//! Attributes of a picture that are independent of its content: encoding, size, metadata,
//! statistics.

use super::association::Values;
use super::finding::Check;
use super::inspection::Inspection;
use super::jpeg::JpegHeader;
use super::metadata::Metadata;
use super::statistics::Texture;
use std::borrow::Cow;
use std::collections::HashMap;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// NaN where the picture has none.
    Number(f32),
    Name(Cow<'static, str>),
}

/// One attribute.
pub(super) struct Attribute {
    /// Its name in audit.json.
    pub name: &'static str,
    /// [`Check::Size`], [`Check::Encoder`], [`Check::Metadata`], [`Check::Frame`] or
    /// [`Check::Pixels`].
    pub check: Check,
    value: fn(&Inspection) -> Value,
}

const fn attribute(check: Check, name: &'static str, value: fn(&Inspection) -> Value) -> Attribute {
    Attribute { name, check, value }
}

/// All attributes.
pub(super) const ATTRIBUTES: [Attribute; 28] = [
    attribute(Check::Size, "size", |of| Value::Name(format!("{}x{}", of.width, of.height).into())),
    attribute(Check::Size, "area", |of| Value::Number(area(of))),
    attribute(Check::Size, "aspect", |of| Value::Number(of.width as f32 / of.height as f32)),
    attribute(Check::Encoder, "format", |of| known(of, |header| header.format.name().into())),
    attribute(Check::Encoder, "coding", |of| known(of, |header| header.coding.into())),
    attribute(Check::Encoder, "jpeg_quality", |of| {
        Value::Number(jpeg(of).and_then(|jpeg| jpeg.quality).map_or(f32::NAN, f32::from))
    }),
    attribute(Check::Encoder, "jpeg_tables", |of| {
        Value::Name(jpeg(of).map_or("none".into(), |jpeg| format!("{:016x}", jpeg.tables).into()))
    }),
    attribute(Check::Encoder, "chroma_subsampling", |of| {
        Value::Name(jpeg(of).map_or("none".into(), |jpeg| jpeg.subsampling_name().into()))
    }),
    attribute(Check::Encoder, "colours", |of| known(of, |header| header.colours().into())),
    attribute(Check::Metadata, "exif", |of| carried(of, |metadata| metadata.exif)),
    attribute(Check::Metadata, "camera", |of| carried(of, |metadata| metadata.camera)),
    attribute(Check::Metadata, "colour_profile", |of| carried(of, |metadata| metadata.profile)),
    attribute(Check::Metadata, "metadata", |of| known(of, |header| header.metadata.names().into())),
    attribute(Check::Pixels, "bytes_per_pixel", |of| Value::Number(of.bytes as f32 / area(of))),
    attribute(Check::Pixels, "brightness", |of| Value::Number(of.statistics.whole.brightness)),
    attribute(Check::Pixels, "contrast", |of| Value::Number(of.statistics.whole.contrast)),
    attribute(Check::Pixels, "saturation", |of| Value::Number(of.statistics.whole.saturation)),
    attribute(Check::Pixels, "warmth", |of| Value::Number(of.statistics.whole.warmth)),
    attribute(Check::Pixels, "sharpness", |of| Value::Number(of.statistics.whole.sharpness)),
    attribute(Check::Pixels, "blockiness", |of| Value::Number(of.statistics.whole.blockiness)),
    attribute(Check::Frame, "frame_brightness", |of| framed(of, |frame| frame.brightness)),
    attribute(Check::Frame, "frame_contrast", |of| framed(of, |frame| frame.contrast)),
    attribute(Check::Frame, "frame_saturation", |of| framed(of, |frame| frame.saturation)),
    attribute(Check::Frame, "frame_warmth", |of| framed(of, |frame| frame.warmth)),
    attribute(Check::Frame, "frame_sharpness", |of| framed(of, |frame| frame.sharpness)),
    attribute(Check::Frame, "frame_blockiness", |of| framed(of, |frame| frame.blockiness)),
    attribute(Check::Frame, "edge_step", |of| Value::Number(of.statistics.edge_step)),
    attribute(Check::Frame, "border", |of| Value::Number(of.statistics.plain_border)),
];

fn area(of: &Inspection) -> f32 {
    of.width as f32 * of.height as f32
}

fn jpeg(of: &Inspection) -> Option<JpegHeader> {
    of.header?.jpeg
}

fn known(of: &Inspection, name: fn(&super::header::Header) -> Cow<'static, str>) -> Value {
    Value::Name(of.header.as_ref().map_or("other".into(), name))
}

fn carried(of: &Inspection, what: fn(&Metadata) -> bool) -> Value {
    let there = of.header.is_some_and(|header| what(&header.metadata));
    Value::Name(if there { "yes" } else { "no" }.into())
}

fn framed(of: &Inspection, what: fn(&Texture) -> f32) -> Value {
    Value::Number(of.statistics.frame.as_ref().map_or(f32::NAN, what))
}

/// An attribute of all pictures.
pub(super) struct Column {
    /// One value a picture.
    pub values: Values,
    /// The names by their numbers; empty for an attribute of numbers.
    pub names: Vec<String>,
}

impl Column {
    /// Whether all pictures have the same value.
    pub fn is_constant(&self) -> bool {
        match &self.values {
            Values::Names(names) => names.windows(2).all(|pair| pair[0] == pair[1]),
            Values::Numbers(numbers) => numbers.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()),
        }
    }
}

impl Attribute {
    /// The attribute's value for each picture.
    pub fn of<'a>(&self, inspections: impl Iterator<Item = &'a Inspection>) -> Column {
        let mut numbers: HashMap<Cow<'static, str>, u32> = HashMap::new();
        let (mut plain, mut named) = (Vec::new(), Vec::new());
        for inspection in inspections {
            match (self.value)(inspection) {
                Value::Number(number) => plain.push(number),
                Value::Name(name) => {
                    let next = numbers.len() as u32;
                    named.push(*numbers.entry(name).or_insert(next));
                }
            }
        }
        if numbers.is_empty() {
            return Column { values: Values::Numbers(plain), names: Vec::new() };
        }
        let mut names = vec![String::new(); numbers.len()];
        numbers.into_iter().for_each(|(name, number)| names[number as usize] = name.into_owned());
        Column { values: Values::Names(named), names }
    }
}
