//! Checks of this machine: what the GPU computes against the f64 references, and
//! what a deployed file gives against the GPU. `dfrt selftest` and the tests run them.

mod attacks;
mod check;
mod deployment;
mod network;
mod regularization;
mod scene;
mod weights;

pub use check::{Check, Fault, Finding};

/// All checks. Together they run every kernel.
pub fn checks() -> Vec<Check> {
    [network::checks(), regularization::checks(), weights::checks(), attacks::checks(), deployment::checks()]
        .into_iter()
        .flatten()
        .collect()
}
