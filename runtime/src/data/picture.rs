//! The one way from a picture's file to what a detector sees.

use image::RgbImage;
use std::path::{Path, PathBuf};

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file cannot be opened or is no picture that can be decoded.
    #[error("{}: not a readable picture: {reason}; re-export it as PNG or JPEG, or remove it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
}

/// Decodes `path`, takes the central square and resizes it to `res` x `res`
/// 8-bit RGB. This is the one preprocessing of training, evaluation, attacks
/// and the bench.
pub fn load(path: &Path, res: usize) -> Result<RgbImage, PictureError> {
    let _ = (path, res);
    todo!()
}
