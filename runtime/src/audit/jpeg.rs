//! Reads what a JPEG's header shows about its encoder: quantisation tables, chroma subsampling,
//! segments of metadata. No pixel is decoded.

use super::exif;
use super::metadata::Metadata;
use std::sync::LazyLock;

/// The most segments that are read before the first scan; no encoder writes more.
const MAX_SEGMENTS: usize = 4096;

/// The luminance table of the standard (ITU-T T.81, table K.1) in zigzag order, as in a file.
const LUMINANCE: [u16; 64] = [
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40,
    58, 51, 61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103,
    104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
];

/// The header of a JPEG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JpegHeader {
    /// 1 to 100 on libjpeg's scale: the quality whose luminance table is nearest to the file's.
    /// An estimate where the encoder has its own tables; `None` without tables.
    pub quality: Option<u8>,
    /// A hash of all quantisation tables.
    pub tables: u64,
    /// The sampling factors of luminance and of chrominance, horizontally and vertically,
    /// in lowest terms: `[(2, 1), (2, 1)]` is 4:2:0. `None` where there is no chrominance.
    pub subsampling: Option<[(u8, u8); 2]>,
    /// Whether it is progressive, else baseline or extended.
    pub progressive: bool,
    /// Channels: 1 grey, 3 colour, 4 inks.
    pub channels: u8,
    /// Bits a sample.
    pub bits: u8,
    /// The segments of metadata.
    pub metadata: Metadata,
}

impl JpegHeader {
    /// "4:2:0" and the like.
    pub fn subsampling_name(&self) -> String {
        match self.subsampling {
            None => "none".to_owned(),
            Some([(1, 1), (1, 1)]) => "4:4:4".to_owned(),
            Some([(2, 1), (1, 1)]) => "4:2:2".to_owned(),
            Some([(2, 1), (2, 1)]) => "4:2:0".to_owned(),
            Some([(1, 1), (2, 1)]) => "4:4:0".to_owned(),
            Some([(4, 1), (1, 1)]) => "4:1:1".to_owned(),
            Some([(across, 1), (down, 1)]) => format!("{across}x{down}"),
            // Chrominance is finer, or coarser by a ratio that is no integer.
            Some([across, down]) => format!("{}:{} x {}:{}", across.0, across.1, down.0, down.1),
        }
    }
}

/// The header of the JPEG `bytes`; `None` where they do not begin as one. A truncated or damaged
/// file gives what comes before the damage. Never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Option<JpegHeader> {
    let mut rest = bytes.strip_prefix(&[0xff, 0xd8])?;
    let mut header = JpegHeader::default();
    let mut tables = Tables::default();
    let mut luminance = 0;
    for _ in 0..MAX_SEGMENTS {
        let Some((marker, segment, after)) = next(rest) else { break };
        rest = after;
        match marker {
            0xda | 0xd9 => break,
            0xdb => tables.add(segment),
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => luminance = header.frame(marker, segment).unwrap_or(luminance),
            0xe0..=0xef | 0xfe => header.note(marker, segment),
            _ => {}
        }
    }
    header.quality = tables.of[luminance].as_ref().map(quality);
    header.tables = tables.number();
    Some(header)
}

/// A marker, the bytes of its segment, and what follows them.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == 0xff)?;
    let at = at + bytes[at..].iter().position(|&byte| byte != 0xff)?;
    let (marker, rest) = (bytes[at], &bytes[at + 1..]);
    if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd9) {
        return Some((marker, &[], rest));
    }
    let length = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
    Some((marker, rest.get(2..length)?, rest.get(length..)?))
}

impl JpegHeader {
    /// Reads a frame header; returns the index of the first channel's table.
    fn frame(&mut self, marker: u8, segment: &[u8]) -> Option<usize> {
        let channels = *segment.get(5)?;
        // Three bytes a channel: its name, its sampling factors, its table.
        let first = segment.get(6..9)?;
        (self.bits, self.channels) = (segment[0], channels);
        self.progressive = matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
        if let (3 | 4, Some(second)) = (channels, segment.get(9..12)) {
            let factors = |byte: u8| (byte >> 4, byte & 15);
            let (fine, coarse) = (factors(first[1]), factors(second[1]));
            self.subsampling = lowest(fine.0, coarse.0).zip(lowest(fine.1, coarse.1)).map(<[_; 2]>::from);
        }
        (first[2] < 4).then_some(usize::from(first[2]))
    }

    /// Reads an application segment or a comment.
    fn note(&mut self, marker: u8, segment: &[u8]) {
        let metadata = &mut self.metadata;
        match marker {
            0xe0 if segment.starts_with(b"JFIF\0") => metadata.jfif = true,
            0xe1 if segment.starts_with(b"Exif\0\0") => {
                metadata.exif = true;
                metadata.camera |= exif::names_camera(segment);
            }
            0xe1 if segment.starts_with(b"http://ns.adobe.com/x") => metadata.xmp = true,
            0xe2 if segment.starts_with(b"ICC_PROFILE\0") => metadata.profile = true,
            0xed => metadata.iptc = true,
            0xee if segment.starts_with(b"Adobe") => metadata.adobe = true,
            0xfe => metadata.text = true,
            _ => metadata.other = true,
        }
    }
}

/// A ratio in lowest terms; `None` where a factor is 0.
fn lowest(over: u8, under: u8) -> Option<(u8, u8)> {
    let divisor = (1..=over.min(under))
        .rev()
        .find(|&divisor| over.is_multiple_of(divisor) && under.is_multiple_of(divisor))?;
    Some((over / divisor, under / divisor))
}

/// Quantisation tables in zigzag order.
#[derive(Default)]
struct Tables {
    of: [Option<[u16; 64]>; 4],
}

impl Tables {
    /// Reads a segment, which may hold several tables.
    fn add(&mut self, mut segment: &[u8]) {
        while let Some((&kind, rest)) = segment.split_first() {
            let wide = kind >> 4 != 0;
            let bytes = if wide { 128 } else { 64 };
            let (Some(values), true) = (rest.get(..bytes), kind & 15 < 4) else { return };
            let mut table = [0; 64];
            for (place, value) in table.iter_mut().enumerate() {
                *value = match wide {
                    true => u16::from_be_bytes([values[2 * place], values[2 * place + 1]]),
                    false => u16::from(values[place]),
                };
            }
            self.of[usize::from(kind & 15)] = Some(table);
            segment = &rest[bytes..];
        }
    }

    /// FNV-1a over all tables.
    fn number(&self) -> u64 {
        let values = self.of.iter().enumerate().filter_map(|(place, table)| Some((place, (*table)?)));
        let words = values.flat_map(|(place, table)| [place as u16].into_iter().chain(table));
        words.fold(0xcbf2_9ce4_8422_2325, |number, word| {
            (number ^ u64::from(word)).wrapping_mul(0x100_0000_01b3)
        })
    }
}

/// The quality at which libjpeg's scaling of [`LUMINANCE`] is nearest to `table`, by the
/// sum of absolute differences; among equally near ones the highest.
fn quality(table: &[u16; 64]) -> u8 {
    static SCALED: LazyLock<Vec<[u16; 64]>> = LazyLock::new(|| {
        (1..=100).map(|quality| LUMINANCE.map(|standard| scaled(standard, quality))).collect()
    });
    let distance = |quality: u8| -> u32 {
        let pairs = table.iter().zip(&SCALED[usize::from(quality) - 1]);
        pairs.map(|(value, scaled)| u32::from(value.abs_diff(*scaled))).sum()
    };
    (1..=100).rev().min_by_key(|&quality| distance(quality)).expect("there are a hundred")
}

/// A value of the standard's table at a quality from 1 to 100, as libjpeg's
/// `jpeg_quality_scaling` and `jpeg_add_quant_table` make it for baseline files.
fn scaled(standard: u16, quality: u8) -> u16 {
    let quality = u32::from(quality);
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    ((u32::from(standard) * percent + 50) / 100).clamp(1, 255) as u16
}

#[cfg(test)]
mod tests;
