//! Pictures inside the page.

use crate::report::svg::escaped;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An `img` with the picture in it.
pub(super) fn embedded(png: &[u8], alt: &str, size: (u32, u32)) -> String {
    format!(
        "<img alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\">",
        escaped(alt),
        size.0,
        size.1,
        STANDARD.encode(png)
    )
}
