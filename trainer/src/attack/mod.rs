//! Attacks on a network on a device: an oracle of its gradients, and steps that run there.

pub mod device;
pub mod gpu_oracle;
pub mod pgd;
