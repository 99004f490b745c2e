//! The arms of a study: methods of training. Arms differ in how a step computes the gradient of the
//! weights, and in nothing else: initial weights, order, augmentation and masks are the same.
//!
//! An arm is a file that implements [`Arm`], and a variant of [`Method`].

pub mod adversarial_training;
mod adversary;
mod arm;
mod bad;
pub mod baseline;
pub mod gradient_regularization;
pub mod input_gradient;
pub mod inputs;
mod method;
pub mod sharpness;
mod spec;
pub mod statistic_noise;
pub mod step;
mod taps;
mod time;
pub mod trades;

pub use adversary::Adversary;
pub use arm::Arm;
pub use bad::BadArm;
pub use method::Method;
pub use spec::{BadSpec, NAMES};
pub use time::{Scalars, Time};
