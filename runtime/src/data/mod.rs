//! From files to batches: manifests and the layouts that they are read from, decoding and
//! resizing of pictures, corruptions.

pub mod batch;
pub mod corruption;
mod division;
mod folders;
pub mod grouping;
pub mod layouts;
pub mod listing;
pub mod manifest;
pub(crate) mod naming;
pub mod pack;
mod parts;
pub mod picture;
mod place;
pub mod selection;
mod summary;
pub(crate) mod table;
