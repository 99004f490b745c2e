//! From videos to face crops: frames out of ffmpeg, the face followed through them, a
//! square around it, pictures and a manifest. Which videos there are is the layouts' work.

mod colour;
mod crop;
mod cut;
mod extract;
mod ffmpeg;
mod journal;
mod sampling;
mod track;

pub use crate::data::crops::{JOURNAL, MANIFEST};
pub use colour::Untagged;
pub use crop::square;
pub use extract::{Extract, ExtractError, Extracted, FileFormat, Frames, Progress, SUMMARY, extract};
pub use ffmpeg::{Ffmpeg, VideoError};
pub use journal::forget;
pub use sampling::{Frame, Sampled};
pub use track::HOLD;
