//! Attacks that need the network on a device: its gradients, and the steps that stay there.

pub mod device;
pub mod gpu_oracle;
pub mod pgd;
