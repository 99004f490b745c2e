//! Pictures and videos, by file extension.

use std::ffi::OsStr;
use std::path::Path;

/// Pictures or videos.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures, including frames of videos.
    Pictures,
    /// Videos, from which faces are extracted.
    Videos,
}

impl Media {
    /// The file extensions, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pictures => &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff"],
            Self::Videos => &[
                "mp4", "avi", "mov", "mkv", "webm", "m4v", "wmv", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp",
                "flv", "ogv",
            ],
        }
    }

    /// Whether the file has one of these extensions, in any letter case.
    pub fn holds(self, path: &Path) -> bool {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        self.extensions().iter().any(|known| extension.eq_ignore_ascii_case(known))
    }

    /// "picture" or "video".
    pub fn noun(self) -> &'static str {
        match self {
            Self::Pictures => "picture",
            Self::Videos => "video",
        }
    }
}
