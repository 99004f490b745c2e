//! From files on a disk to batches: manifests and the layouts they are read
//! from, decoded and resized pictures, corruptions.

pub mod batch;
pub mod corruption;
pub mod crops;
mod division;
mod folders;
pub mod grouping;
pub mod layouts;
pub mod listing;
pub mod manifest;
mod media;
pub(crate) mod naming;
pub mod pack;
mod parts;
pub mod picture;
mod place;
pub mod selection;
pub(crate) mod table;
