//! What the networks are: tables, their expansion into a graph, their weights
//! and their ONNX form. Nothing here knows a GPU.

pub mod arch;
pub mod files;
pub mod graph;
pub mod initial;
pub mod layout;
pub mod names;
pub mod onnx;
pub mod onnx_import;

pub mod weights;
pub mod weights_file;
