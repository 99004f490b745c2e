//! Decodes JPEGs, each with a decoder that gives libjpeg's pixels: the fast one (zune-jpeg) for
//! what cameras, programs and web sites write, the thorough one (jpeg-decoder) for the rest of
//! the standard. What neither decodes as libjpeg does is refused by its markers.
//!
//! Found by decoding 1,600 files of `cjpeg`, Pillow and ImageMagick with both and with
//! libjpeg-turbo 2.1:
//! - zune-jpeg 0.5.15 gives wrong pixels without an error for sequential files of several scans
//!   (its issues 419, 448, 449) and where luminance is not the finest channel; takes a file with
//!   both JFIF's and Adobe's marker, or with one of them and channels named R, G, B, for RGB
//!   where libjpeg does not; fails for sampling factors of 3.
//! - jpeg-decoder 0.3.2 reads a wrong number of blocks in a scan of a single channel sampled
//!   twice where another is sampled four times; takes the channels 1, 2, 3 for YCbCr whatever
//!   Adobe's marker says, so the colours are passed to it here.
//! - Neither supports arithmetic coding, other than 8 bits, sampling ratios that are no integers,
//!   or a height that is given after the first scan.

use image::RgbImage;
use image::metadata::Orientation;
use jpeg_decoder::{ColorTransform, PixelFormat};
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const TRUNCATED: &str = "the JPEG is truncated: its end is missing";
/// The components' names of an RGB file without JFIF's or Adobe's marker.
const RGB: [u8; 3] = *b"RGB";
/// Those of the two wide-gamut colour spaces of IJG's libjpeg 9.
const WIDE: [[u8; 3]; 2] = [[1, 0x22, 0x23], *b"rgb"];

/// What the markers of a JPEG say about its decoding.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    bytes: &'a [u8],
    frame: Frame,
    /// Channels in each scan.
    scans: Vec<Vec<u8>>,
    jfif: bool,
    /// The colour transform in Adobe's marker.
    adobe: Option<u8>,
    exif: Option<&'a [u8]>,
}

#[derive(Debug)]
struct Frame {
    progressive: bool,
    width: u16,
    height: u16,
    channels: Vec<Channel>,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    name: u8,
    /// Sampling factors, across and down.
    factors: [u8; 2],
}

/// The colour space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colours {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl<'a> Layout<'a> {
    /// Reads the markers of `bytes` up to the end of the image.
    ///
    /// # Errors
    /// The file ends before that, or is of a kind that neither decoder supports; in words.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let (mut jfif, mut adobe, mut exif) = (false, None, None);
        let (mut frame, mut scans) = (None, Vec::new());
        let mut at = 2;
        loop {
            let marker = next_marker(bytes, &mut at).ok_or(TRUNCATED)?;
            match marker {
                0xd9 => break,
                0x01 | 0xd0..=0xd8 => continue,
                _ => {}
            }
            let length = bytes.get(at..at + 2).ok_or(TRUNCATED)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            if length < 2 {
                return Err("a JPEG segment has no length".into());
            }
            let segment = bytes.get(at + 2..at + length).ok_or(TRUNCATED)?;
            match marker {
                0xda => scans.push(scanned(segment)?),
                0xdc => return Err(LINES.into()),
                0xc4 | 0xc8 | 0xcc => {}
                0xc0..=0xcf if frame.is_some() => return Err("a JPEG of several frames".into()),
                0xc0..=0xcf => frame = Some(Frame::read(marker, segment)?),
                0xe0 => jfif |= segment.len() >= 14 && segment.starts_with(b"JFIF\0"),
                0xe1 if exif.is_none() => exif = segment.strip_prefix(b"Exif\0\0"),
                0xee if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied().or(adobe),
                _ => {}
            }
            at += length;
        }
        let frame = frame.ok_or("the JPEG holds no picture")?;
        if scans.is_empty() {
            return Err("the JPEG holds no picture".into());
        }
        let layout = Self { bytes, frame, scans, jfif, adobe, exif };
        layout.colours()?;
        layout.check_sampling()?;
        Ok(layout)
    }

    /// Width and height in pixels, before the orientation is applied.
    pub fn dimensions(&self) -> (u32, u32) {
        (self.frame.width.into(), self.frame.height.into())
    }

    /// The orientation in its EXIF block.
    pub fn orientation(&self) -> Orientation {
        self.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
    }

    /// Its pixels, before the orientation is applied.
    ///
    /// # Errors
    /// The data are damaged; in words.
    pub fn decode(&self) -> Result<RgbImage, String> {
        let colours = self.colours()?;
        if self.is_usual() && self.fast_colours() == colours { self.fast() } else { self.thorough(colours) }
    }

    /// The colour space by libjpeg's rules: for three channels JFIF's marker, then Adobe's, then
    /// the channels' names.
    fn colours(&self) -> Result<Colours, String> {
        let names: Vec<u8> = self.frame.channels.iter().map(|channel| channel.name).collect();
        if WIDE.iter().any(|wide| names == wide) {
            return Err("a JPEG with colours of a wider gamut (libjpeg 9's bg-ycc or bg-rgb)".into());
        }
        match (names.len(), self.adobe) {
            (1, _) => Ok(Colours::Grey),
            (3, _) if self.jfif => Ok(Colours::YCbCr),
            (3, Some(transform)) => Ok(if transform == 0 { Colours::Rgb } else { Colours::YCbCr }),
            (3, None) => Ok(if names == RGB { Colours::Rgb } else { Colours::YCbCr }),
            (4, Some(0)) => Ok(Colours::Cmyk),
            (4, Some(2)) => Ok(Colours::Ycck),
            (4, Some(other)) => {
                Err(format!("a JPEG of four channels with Adobe's unknown transform {other}"))
            }
            (4, None) => Err("a CMYK JPEG without Adobe's marker, whose colours are ambiguous".into()),
            (count, _) => Err(format!("a JPEG of {count} channels")),
        }
    }

    /// The colour space that the fast decoder assumes.
    fn fast_colours(&self) -> Colours {
        let names = self.frame.channels.iter().map(|channel| channel.name);
        match (self.frame.channels.len(), self.adobe) {
            (1, _) => Colours::Grey,
            (3, Some(0)) => Colours::Rgb,
            (3, _) if names.eq(RGB) => Colours::Rgb,
            (3, _) => Colours::YCbCr,
            (_, Some(2)) => Colours::Ycck,
            _ => Colours::Cmyk,
        }
    }

    /// Checks that sampling factors are 1 to 4 with integer ratios, and that there is no scan
    /// that the thorough decoder misreads.
    fn check_sampling(&self) -> Result<(), String> {
        let Frame { channels, .. } = &self.frame;
        let most = self.finest();
        for (channel, &Channel { name, factors }) in channels.iter().enumerate() {
            let alone = channels.len() > 1 && self.scans.iter().any(|scan| scan == &[name]);
            for (factor, most) in factors.into_iter().zip(most) {
                if !(1..=4).contains(&factor) {
                    return Err(format!("a JPEG whose channel {} is sampled {factor} times", channel + 1));
                }
                if most % factor != 0 {
                    return Err(format!("a JPEG with a sampling ratio of {most} to {factor}"));
                }
                if alone && factor == 2 && most == 4 {
                    return Err(
                        "a JPEG with a channel of half the finest sampling in a scan of its own".into()
                    );
                }
            }
        }
        Ok(())
    }

    fn finest(&self) -> [u8; 2] {
        [0, 1].map(|axis| self.frame.channels.iter().map(|channel| channel.factors[axis]).max().unwrap_or(1))
    }

    /// Whether the fast decoder is correct for it: one scan unless it is progressive, and grey,
    /// or luminance at least as fine as two equal chrominances, or inks with equal sampling.
    fn is_usual(&self) -> bool {
        let Frame { progressive, channels, .. } = &self.frame;
        let one_scan = self.scans.len() == 1 && self.scans[0].len() == channels.len();
        let first = channels[0].factors;
        let rest = |factors: [u8; 2]| channels[1..].iter().all(|channel| channel.factors == factors);
        let sampling = match channels.len() {
            4 => rest(first),
            _ => rest([1, 1]) && first.iter().all(|factor| matches!(factor, 1 | 2 | 4)),
        };
        (*progressive || one_scan) && sampling
    }

    fn fast(&self) -> Result<RgbImage, String> {
        let lenient = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(usize::MAX)
            .set_max_height(usize::MAX)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(self.bytes), lenient);
        // Bytes between segments are allowed; an error in the pixel data is an error.
        decoder.decode_headers().map_err(|error| format!("{error:?}"))?;
        decoder.set_options(lenient.set_strict_mode(true));
        self.picture(decoder.decode().map_err(|error| format!("{error:?}"))?)
    }

    fn thorough(&self, colours: Colours) -> Result<RgbImage, String> {
        let mut decoder = jpeg_decoder::Decoder::new(self.bytes);
        decoder.set_color_transform(match colours {
            Colours::Grey => ColorTransform::Grayscale,
            Colours::Rgb => ColorTransform::RGB,
            Colours::YCbCr => ColorTransform::YCbCr,
            Colours::Cmyk => ColorTransform::CMYK,
            Colours::Ycck => ColorTransform::YCCK,
        });
        let pixels = decoder.decode().map_err(|error| error.to_string())?;
        match decoder.info().map(|info| info.pixel_format) {
            Some(PixelFormat::RGB24) => self.picture(pixels),
            Some(PixelFormat::L8) => self.picture(pixels.into_iter().flat_map(|grey| [grey; 3]).collect()),
            Some(PixelFormat::CMYK32) => self.picture(pixels.chunks_exact(4).flat_map(printed).collect()),
            _ => Err("a JPEG of an unknown kind of pixels".into()),
        }
    }

    fn picture(&self, rgb: Vec<u8>) -> Result<RgbImage, String> {
        let (width, height) = self.dimensions();
        RgbImage::from_raw(width, height, rgb).ok_or_else(|| "its decoder gave another size".into())
    }
}

const LINES: &str = "a JPEG whose height is given after its first scan (DNL)";

impl Frame {
    /// Reads a frame header.
    fn read(marker: u8, segment: &[u8]) -> Result<Self, String> {
        let kind = match marker {
            0xc0..=0xc2 => None,
            0xc9 | 0xca => Some("with arithmetic coding"),
            0xc3 | 0xcb => Some("without loss"),
            _ => Some("of the hierarchical kind"),
        };
        if let Some(kind) = kind {
            return Err(format!("a JPEG {kind}"));
        }
        let &[bits, top, low, left, right, count, ..] = segment else { return Err(TRUNCATED.into()) };
        if bits != 8 {
            return Err(format!("a JPEG of {bits} bits a sample"));
        }
        let (height, width) = (u16::from_be_bytes([top, low]), u16::from_be_bytes([left, right]));
        if width == 0 {
            return Err("it has no pixels".into());
        }
        if height == 0 {
            return Err(LINES.into());
        }
        let channels = segment[6..].chunks_exact(3).take(count.into());
        let channels: Vec<Channel> = channels
            .map(|three| Channel { name: three[0], factors: [three[1] >> 4, three[1] & 15] })
            .collect();
        if channels.is_empty() || channels.len() != usize::from(count) {
            return Err("a JPEG whose frame lists no channels".into());
        }
        Ok(Self { progressive: marker == 0xc2, width, height, channels })
    }
}

/// The names of the channels in a scan.
fn scanned(segment: &[u8]) -> Result<Vec<u8>, String> {
    let (&count, rest) = segment.split_first().ok_or(TRUNCATED)?;
    let names: Vec<u8> = rest.chunks_exact(2).take(count.into()).map(|two| two[0]).collect();
    if names.is_empty() || names.len() != usize::from(count) {
        return Err("a JPEG whose scan lists no channels".into());
    }
    Ok(names)
}

/// Four inks on white paper, without a profile.
fn printed(inks: &[u8]) -> [u8; 3] {
    let left = |ink: u8| u32::from(255 - ink);
    [0, 1, 2].map(|ink| ((left(inks[ink]) * left(inks[3]) + 127) / 255) as u8)
}

/// The code of the next marker at or after `at`, skipping entropy-coded data; `at` is set to its
/// end.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*at..)?;
        *at += rest.iter().position(|&byte| byte == 0xff)? + 1;
        match *bytes.get(*at)? {
            0x00 => *at += 1,
            0xff => {}
            marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod golden_tests;
