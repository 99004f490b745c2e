//! Pictures and videos, by their files' names.

use std::ffi::OsStr;
use std::path::Path;

/// What a data set consists of, or what of it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Pictures, frames of videos among them: what a detector sees.
    Pictures,
    /// Videos, from which faces are extracted.
    Videos,
}

impl Media {
    /// Endings of their files' names, in lower case.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pictures => &["jpg", "jpeg", "jpe", "jfif", "png", "bmp", "webp", "gif", "tif", "tiff"],
            Self::Videos => &[
                "mp4", "avi", "mov", "mkv", "webm", "m4v", "wmv", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp",
                "flv", "ogv",
            ],
        }
    }

    /// Whether the file's name ends as theirs do, in any case.
    pub fn holds(self, path: &Path) -> bool {
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        self.extensions().iter().any(|known| extension.eq_ignore_ascii_case(known))
    }

    /// One of them in words.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Pictures => "picture",
            Self::Videos => "video",
        }
    }
}
