//! From files on a disk to batches: manifests and the layouts they are read
//! from, decoded and resized pictures, the drawn demo set and its forgeries.

pub mod audit;
pub mod batch;
pub mod corruption;
mod division;
pub mod face;
pub mod face_detector;
mod folders;
pub mod forge;
pub mod forged;
pub mod grouping;
pub mod landmarks;
pub mod layouts;
pub mod listing;
pub mod manifest;
pub(crate) mod naming;
mod noise;
pub mod pack;
mod parts;
pub mod photographs;
pub mod picture;
mod place;
pub mod portrait;
mod sample;
pub mod selection;
mod summary;
pub mod synth;
mod table;
pub mod video;
