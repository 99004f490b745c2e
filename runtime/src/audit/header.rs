//! Reads the header of a picture's file: format, coding, channels, metadata. Pixels are not
//! decoded.

use super::exif;
use super::jpeg::{self, JpegHeader};
use super::metadata::Metadata;
use std::path::Path;

/// The most chunks of a PNG or WebP that are read; metadata after them are missed.
const MAX_CHUNKS: usize = 1 << 16;

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// BMP.
    Bmp,
    /// WebP.
    Webp,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
}

impl Format {
    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Bmp => "bmp",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Tiff => "tiff",
        }
    }

    /// The format of the file's extension; `None` for an unknown one.
    pub fn promised(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "jpe" | "jfif" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "bmp" => Some(Self::Bmp),
            "webp" => Some(Self::Webp),
            "gif" => Some(Self::Gif),
            "tif" | "tiff" => Some(Self::Tiff),
            _ => None,
        }
    }
}

/// The colour model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Channels {
    /// One brightness.
    Grey,
    /// Red, green and blue.
    #[default]
    Rgb,
    /// An index into a list of colours.
    Palette,
    /// Four inks.
    Cmyk,
}

impl Channels {
    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Rgb => "rgb",
            Self::Palette => "palette",
            Self::Cmyk => "cmyk",
        }
    }
}

impl Channels {
    /// How many numbers a pixel has, without alpha.
    fn count(self) -> usize {
        match self {
            Self::Grey | Self::Palette => 1,
            Self::Rgb => 3,
            Self::Cmyk => 4,
        }
    }
}

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format by content, not by name.
    pub format: Format,
    /// "baseline", "progressive", "lossless", "lossy", …
    pub coding: &'static str,
    /// The colour model.
    pub channels: Channels,
    /// Bits a channel.
    pub bits: u8,
    /// Whether pixels may be transparent.
    pub alpha: bool,
    /// Which metadata it carries.
    pub metadata: Metadata,
    /// More about a JPEG.
    pub jpeg: Option<JpegHeader>,
}

impl Header {
    fn new(format: Format, coding: &'static str) -> Self {
        let (channels, metadata) = (Channels::Rgb, Metadata::default());
        Self { format, coding, channels, bits: 8, alpha: false, metadata, jpeg: None }
    }

    /// "rgb 8 bit", "grey 16 bit with alpha".
    pub fn colours(&self) -> String {
        let alpha = if self.alpha { " with alpha" } else { "" };
        format!("{} {} bit{alpha}", self.channels.name(), self.bits)
    }
}

/// Reads the header of the file `bytes`; `None` for any other format. Never panics, whatever the
/// bytes.
pub fn read(bytes: &[u8]) -> Option<Header> {
    if let Some(jpeg) = jpeg::read(bytes) {
        return Some(of_jpeg(jpeg));
    }
    if let Some(chunks) = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        return Some(of_png(chunks));
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Some(of_webp(&bytes[12..]));
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Some(of_gif(bytes));
    }
    if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") {
        return Some(of_tiff(bytes));
    }
    bytes.starts_with(b"BM").then(|| of_bmp(bytes))
}

fn of_jpeg(jpeg: JpegHeader) -> Header {
    let channels = match jpeg.channels {
        1 => Channels::Grey,
        4 => Channels::Cmyk,
        _ => Channels::Rgb,
    };
    let coding = if jpeg.progressive { "progressive" } else { "baseline" };
    let (bits, metadata) = (jpeg.bits, jpeg.metadata);
    Header { channels, bits, metadata, jpeg: Some(jpeg), ..Header::new(Format::Jpeg, coding) }
}

fn of_png(mut rest: &[u8]) -> Header {
    let mut header = Header::new(Format::Png, "lossless");
    for _ in 0..MAX_CHUNKS {
        // Length, name, data, four bytes of checksum.
        let Some((length, kind)) = rest.get(..4).zip(rest.get(4..8)) else { break };
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let Some(data) = length.checked_add(8).and_then(|end| rest.get(8..end)) else { break };
        match kind {
            b"IHDR" => of_png_start(&mut header, data),
            b"tRNS" => header.alpha = true,
            b"iCCP" => header.metadata.profile = true,
            b"gAMA" | b"cHRM" | b"sRGB" => header.metadata.gamma = true,
            b"pHYs" => header.metadata.density = true,
            b"iTXt" if data.starts_with(b"XML:com.adobe.xmp") => header.metadata.xmp = true,
            b"tEXt" | b"zTXt" | b"iTXt" => header.metadata.text = true,
            b"eXIf" => {
                header.metadata.exif = true;
                header.metadata.camera |= exif::names_camera(data);
            }
            b"IDAT" | b"PLTE" => {}
            b"IEND" => break,
            _ => header.metadata.other = true,
        }
        let Some(after) = rest.get(length + 12..) else { break };
        rest = after;
    }
    header
}

/// Width, height, bits, colour type, compression, filter, interlacing.
fn of_png_start(header: &mut Header, data: &[u8]) {
    let Some(&[bits, colours, _, _, interlaced]) = data.get(8..13) else { return };
    header.bits = bits;
    (header.channels, header.alpha) = match colours {
        0 => (Channels::Grey, false),
        3 => (Channels::Palette, false),
        4 => (Channels::Grey, true),
        6 => (Channels::Rgb, true),
        _ => (Channels::Rgb, false),
    };
    if header.channels == Channels::Palette {
        // The bits are those of the index; the colours have 8.
        header.bits = 8;
    }
    if interlaced != 0 {
        header.coding = "interlaced";
    }
}

fn of_webp(mut rest: &[u8]) -> Header {
    let mut header = Header::new(Format::Webp, "lossy");
    for _ in 0..MAX_CHUNKS {
        let Some((kind, length)) = rest.get(..4).zip(rest.get(4..8)) else { break };
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
        let whole = length.checked_add(8).and_then(|end| rest.get(8..end));
        // A truncated chunk is still recognised by its first bytes.
        let data = whole.unwrap_or_else(|| rest.get(8..).unwrap_or_default());
        match kind {
            b"VP8 " => header.coding = "lossy",
            b"VP8L" => {
                header.coding = "lossless";
                // A signature, 14 bits of width, 14 of height, then whether there is alpha.
                header.alpha |= data.get(4).is_some_and(|byte| byte & 0x10 != 0);
            }
            b"VP8X" => header.alpha |= data.first().is_some_and(|flags| flags & 0x10 != 0),
            b"ALPH" => header.alpha = true,
            b"ICCP" => header.metadata.profile = true,
            b"XMP " => header.metadata.xmp = true,
            b"EXIF" => {
                header.metadata.exif = true;
                header.metadata.camera |= exif::names_camera(data);
            }
            _ => header.metadata.other = true,
        }
        // Chunks begin at even places.
        let Some(after) = length.checked_add(8 + length % 2).and_then(|end| rest.get(end..)) else { break };
        rest = after;
    }
    header
}

fn of_bmp(bytes: &[u8]) -> Header {
    let mut header = Header::new(Format::Bmp, "lossless");
    // Bits a pixel are after 14 bytes of the file's and 14 of the picture's header.
    if let Some(&[low, _]) = bytes.get(28..30) {
        header.alpha = low == 32;
        if low <= 8 {
            header.channels = Channels::Palette;
        }
    }
    header
}

/// Reads what comes before the first picture: a comment, and whether that picture may be
/// transparent.
fn of_gif(bytes: &[u8]) -> Header {
    let mut header = Header { channels: Channels::Palette, ..Header::new(Format::Gif, "lossless") };
    // Six bytes of signature, seven of the screen's, perhaps a palette of 2^(n+1) colours.
    let Some(&screen) = bytes.get(10) else { return header };
    let palette = if screen & 0x80 != 0 { 3 << ((screen & 7) + 1) } else { 0 };
    let mut rest = bytes.get(13 + palette..).unwrap_or_default();
    for _ in 0..MAX_CHUNKS {
        // Extensions: their kind, then blocks with their lengths, up to an empty one.
        let Some((&[0x21, kind], mut blocks)) = rest.split_first_chunk() else { break };
        match (kind, blocks.get(1)) {
            (0xf9, Some(flags)) => header.alpha = flags & 1 != 0,
            (0xfe, _) => header.metadata.text = true,
            _ => {}
        }
        while let Some((&length, data)) = blocks.split_first() {
            blocks = data.get(usize::from(length)..).unwrap_or_default();
            if length == 0 {
                break;
            }
        }
        rest = blocks;
    }
    header
}

/// Tags of the first directory, ascending: 258 bits a sample, 259 compression, 262 what
/// samples are, 277 how many a pixel has, 338 what further samples are, 271 and 272 the camera, 34665 EXIF, 700 XMP, 33723 IPTC,
/// 34675 profile, 282 density, 270 and 305 text.
fn of_tiff(bytes: &[u8]) -> Header {
    let mut header = Header::new(Format::Tiff, "lossless");
    let big = bytes[0] == b'M';
    let short = |at: usize| -> Option<u16> {
        let two = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    };
    let long = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some((if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }) as usize)
    };
    let Some((start, count)) = long(4).and_then(|start| Some((start, short(start)?))) else { return header };
    for entry in (0..usize::from(count)).map(|entry| start + 2 + 12 * entry) {
        let (Some(tag), Some(number), Some(value)) = (short(entry), long(entry + 4), short(entry + 8)) else {
            break;
        };
        let metadata = &mut header.metadata;
        match tag {
            258 => {
                // Several values are stored elsewhere; the first is enough.
                let first = if number > 2 { long(entry + 8).and_then(short) } else { Some(value) };
                header.bits = first.and_then(|bits| u8::try_from(bits).ok()).unwrap_or(header.bits);
            }
            259 if matches!(value, 6 | 7) => header.coding = "lossy",
            262 => {
                header.channels = match value {
                    0 | 1 => Channels::Grey,
                    3 => Channels::Palette,
                    5 => Channels::Cmyk,
                    _ => Channels::Rgb,
                };
            }
            277 => header.alpha = usize::from(value) > header.channels.count(),
            338 => header.alpha = true,
            271 | 272 => metadata.camera = true,
            34_665 => metadata.exif = true,
            700 => metadata.xmp = true,
            33_723 => metadata.iptc = true,
            34_675 => metadata.profile = true,
            282 => metadata.density = true,
            270 | 305 => metadata.text = true,
            _ => {}
        }
    }
    header
}

#[cfg(test)]
mod tests;
