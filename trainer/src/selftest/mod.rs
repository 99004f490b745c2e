//! Checks of this machine: they compare the GPU with the f64 references, and an exported file with the
//! GPU. `dfrt selftest` and the tests run them.

mod arms;
mod attacks;
mod check;
mod deployment;
mod explanation;
mod fixture;
mod kinks;
mod network;
mod regularization;
mod weights;

pub use check::{Check, Fault, Finding};

/// All checks. Together they run every kernel.
pub fn checks() -> Vec<Check> {
    [
        network::checks(),
        regularization::checks(),
        arms::checks(),
        weights::checks(),
        attacks::checks(),
        deployment::checks(),
        explanation::checks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
