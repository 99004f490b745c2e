//! The only modules that use wgpu: devices, kernels, recordings and the engine that runs them.

pub mod device;
pub mod engine;
pub mod kernel;
pub mod memory;
pub mod recording;
pub mod shader;
pub mod timestamps;
