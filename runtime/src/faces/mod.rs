//! Faces: their place in a picture, their detection, and their extraction from videos.

pub mod detector;
pub mod face;
pub(crate) mod hull;
pub mod landmarks;
pub mod video;
