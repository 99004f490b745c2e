//! How a video's YCbCr becomes RGB: by the tags of its stream, by one rule where these are
//! missing, and an error where ffmpeg would convert wrongly.

use crate::names::named;
use serde::Serialize;
use std::collections::HashMap;

/// The colour matrix for a video whose stream does not name one. The pixels do not show it; a
/// wrong one shifts saturated colours by up to about 20 levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Untagged {
    /// BT.601 for every size, as ffmpeg and OpenCV read and write untagged videos: a video that
    /// either of them made from pictures gives the same colours back.
    #[default]
    Bt601,
    /// BT.709 for every size.
    Bt709,
    /// BT.709 from a width of 1280 pixels or a height of 577 on, else BT.601, as the player mpv
    /// does.
    Size,
}

named!(Untagged, "colour matrix", [Bt601 = "bt601", Bt709 = "bt709", Size = "size"]);

/// The colour tags of a video stream, in ffprobe's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Colours {
    pixels: String,
    matrix: String,
    transfer: String,
    /// Width in pixels, before rotation.
    width: u32,
    height: u32,
}

/// The entries that ffprobe has to print.
pub(super) const ENTRIES: &str = "pix_fmt,color_space,color_transfer,width,height";

/// Parts of the names of pixel formats that hold no YCbCr.
const NO_MATRIX: [&str; 7] = ["rgb", "bgr", "gbr", "gray", "ya", "mono", "pal"];

impl Colours {
    /// Reads the tags in a line of ffprobe's output.
    pub fn read(&mut self, fields: &HashMap<&str, &str>) {
        let words = [
            (&mut self.pixels, "pix_fmt"),
            (&mut self.matrix, "color_space"),
            (&mut self.transfer, "color_transfer"),
        ];
        for (word, name) in words {
            if let Some(said) = fields.get(name) {
                *word = (*said).to_owned();
            }
        }
        for (side, name) in [(&mut self.width, "width"), (&mut self.height, "height")] {
            *side = fields.get(name).and_then(|said| said.parse().ok()).unwrap_or(*side);
        }
    }

    /// Whether the stream is YCbCr and names no matrix.
    pub fn is_untagged(&self) -> bool {
        let open = ["", "unknown", "unspecified", "reserved", "N/A"].contains(&self.matrix.as_str());
        open && self.is_ycbcr()
    }

    fn is_ycbcr(&self) -> bool {
        !NO_MATRIX.iter().any(|part| self.pixels.contains(part))
    }

    /// The matrix to convert it with, by its name in ffmpeg's filter `scale`; `None` where there
    /// is no YCbCr.
    ///
    /// # Errors
    /// The video is HDR, or its matrix is not supported by the filter; in words.
    pub fn matrix(&self, untagged: Untagged) -> Result<Option<&'static str>, String> {
        let hdr = match self.transfer.as_str() {
            "smpte2084" => Some("PQ"),
            "arib-std-b67" => Some("HLG"),
            _ => None,
        };
        if let Some(name) = hdr {
            return Err(format!(
                "its light is HDR ({name}), which crops of 8 bits cannot hold; tone-map all such films alike \
                 first, as by ffmpeg's filters zscale and tonemap"
            ));
        }
        if self.is_untagged() {
            let large = self.width >= 1280 || self.height > 576;
            let bt709 = untagged == Untagged::Bt709 || untagged == Untagged::Size && large;
            return Ok(Some(if bt709 { "bt709" } else { "bt601" }));
        }
        if !self.is_ycbcr() {
            return Ok(None);
        }
        match self.matrix.as_str() {
            "bt709" => Ok(Some("bt709")),
            "bt470bg" | "smpte170m" => Ok(Some("bt601")),
            "fcc" => Ok(Some("fcc")),
            "smpte240m" => Ok(Some("smpte240m")),
            "bt2020nc" => Ok(Some("bt2020")),
            other => Err(format!(
                "its colours are stored as {other}, which ffmpeg does not convert; convert the film to BT.709 first"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(line: &str) -> Colours {
        let mut colours = Colours::default();
        colours.read(&line.split('|').filter_map(|field| field.split_once('=')).collect());
        colours
    }

    #[test]
    fn tags_are_followed() {
        for (tag, matrix) in [
            ("bt709", "bt709"),
            ("bt470bg", "bt601"),
            ("smpte170m", "bt601"),
            ("fcc", "fcc"),
            ("smpte240m", "smpte240m"),
            ("bt2020nc", "bt2020"),
        ] {
            let video = colours(&format!("width=1280|height=720|pix_fmt=yuv420p|color_space={tag}"));
            for untagged in [Untagged::Bt601, Untagged::Bt709, Untagged::Size] {
                assert_eq!(video.matrix(untagged), Ok(Some(matrix)), "{tag}");
            }
            assert!(!video.is_untagged());
        }
        for tag in ["ycgco", "bt2020c", "ictcp"] {
            let error = colours(&format!("pix_fmt=yuv420p10le|color_space={tag}")).matrix(Untagged::Bt601);
            assert!(error.unwrap_err().contains(tag));
        }
    }

    #[test]
    fn untagged_videos_follow_the_rule() {
        let of = |size: [u32; 2], untagged| {
            let [width, height] = size;
            let line = format!("width={width}|height={height}|pix_fmt=yuv420p|color_space=unknown");
            assert!(colours(&line).is_untagged());
            colours(&line).matrix(untagged).unwrap().unwrap()
        };
        for size in [[320, 240], [720, 576], [1280, 720]] {
            assert_eq!(of(size, Untagged::Bt601), "bt601");
            assert_eq!(of(size, Untagged::Bt709), "bt709");
        }
        let by_size = [[320, 240], [720, 576], [1024, 576], [1024, 578], [1280, 534], [720, 1280]];
        let by_size = by_size.map(|size| of(size, Untagged::Size));
        assert_eq!(by_size, ["bt601", "bt601", "bt601", "bt709", "bt709", "bt709"]);
    }

    #[test]
    fn without_ycbcr_there_is_no_matrix() {
        for pixels in ["rgb24", "bgr0", "gbrp10le", "gray", "gray10le", "ya8", "pal8", "monow"] {
            for matrix in ["unknown", "gbr"] {
                let video = colours(&format!("pix_fmt={pixels}|color_space={matrix}"));
                assert_eq!(
                    (video.matrix(Untagged::Size), video.is_untagged()),
                    (Ok(None), false),
                    "{pixels}"
                );
            }
        }
        assert!(colours("pix_fmt=yuva420p|color_space=unknown").is_untagged());
    }

    #[test]
    fn light_beyond_8_bits_is_refused() {
        for (transfer, name) in [("smpte2084", "PQ"), ("arib-std-b67", "HLG")] {
            let line = format!("pix_fmt=yuv420p10le|color_space=bt2020nc|color_transfer={transfer}");
            let error = colours(&line).matrix(Untagged::Bt601).unwrap_err();
            assert!(error.contains(name) && error.contains("tone-map"), "{error}");
        }
    }
}
