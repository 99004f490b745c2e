//! The networks: tables of architectures, their expansion into a graph, their weights and their
//! files. Nothing here uses a GPU.

pub mod arch;
pub mod conventions;
pub mod files;
pub mod folding;
pub mod graph;
pub mod import;
pub mod initial;
pub mod layout;
pub mod names;
pub mod weights;
