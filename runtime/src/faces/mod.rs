//! Faces: where they are in a picture, what finds them, and their way out of films.

pub mod detector;
pub mod face;
pub(crate) mod hull;
pub mod landmarks;
pub mod video;
