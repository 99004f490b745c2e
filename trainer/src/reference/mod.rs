//! A simple version of every op, in f64 and plain loops. Kernels are compared with these; these are
//! tested against central differences and small cases worked by hand. Nothing here is fast, and
//! nothing uses a GPU.
//!
//! Tensors are flat slices in row-major order, channels last:
//!
//! | letter | counts |
//! | --- | --- |
//! | N | images of a batch |
//! | H, W | rows and columns of an op's input |
//! | OH, OW | rows and columns of a convolution's output |
//! | C, CI, CO | channels, channels in, channels out |
//! | S | positions of one image: S = H * W |
//! | M | positions of a batch: M = N * H * W |
//!
//! Beside `x`, `y`, … a leading `d` names the gradient of the loss with respect
//! to that tensor: `dy` is dL/dy. Every function panics when a slice does not have
//! the length that its shape says.

pub mod activation;
pub mod adversarial;
pub mod arms;
pub mod batch_norm;
pub mod convolution;
pub mod cross_entropy;
pub mod depthwise;
#[cfg(test)]
pub(crate) mod differences;
pub mod divergence;
pub mod drop_path;
pub mod dropout;
pub mod feature_statistics;
pub mod gradient_regularization;
pub mod input_slope;
pub mod linear;
pub mod mask;
pub mod moments;
pub mod network;
pub mod optimizer;
pub mod perturbation;
pub mod pixels;
pub mod pointwise;
pub mod pool;
pub mod residual;
pub mod sharpness;
pub mod squeeze_excite;
pub mod statistic_noise;
pub mod window;
