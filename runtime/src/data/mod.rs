//! From files on a disk to batches: manifests and the layouts they are read
//! from, decoded and resized pictures, the drawn demo set and its forgeries.

pub mod audit;
pub mod batch;
pub mod corruption;
pub mod face;
pub mod forge;
pub mod layouts;
pub mod manifest;
mod noise;
pub mod picture;
pub mod portrait;
mod sample;
mod summary;
pub mod synth;
mod table;
