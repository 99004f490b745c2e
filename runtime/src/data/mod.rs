//! From files to batches: manifests and the layouts that they are read from, decoding and
//! resizing of pictures, corruptions.

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
pub mod resize;
pub mod selection;
pub(crate) mod table;
