//! Training of deepfake detectors in WGSL: kernels and their references, plans,
//! gradient regularization, checkpoints and ONNX export.

pub mod reference;
