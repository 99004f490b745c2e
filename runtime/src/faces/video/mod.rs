//! From videos to face crops: decodes frames with ffmpeg, follows the face through them, and
//! writes crops and a manifest. The layouts list the videos.

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
pub use journal::remove as remove_crops_and_journal;
pub use sampling::{Frame, Sampled};
pub use track::HOLD;
