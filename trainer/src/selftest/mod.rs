//! Checks of this machine: they compare the GPU with the f64 references, and an exported file with the
//! GPU. `dfrt selftest` and the tests run them.

mod attacks;
mod deployment;
mod fixture;
mod network;
mod regularization;
mod weights;

use crate::gpu::device::GpuError;
use crate::gpu::engine::Engine;
use std::sync::Arc;

/// What is wrong, on one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl From<String> for Fault {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<GpuError> for Fault {
    fn from(error: GpuError) -> Self {
        Self(error.to_string())
    }
}

impl From<dfrt_runtime::detector::oracle::OracleError> for Fault {
    fn from(error: dfrt_runtime::detector::oracle::OracleError) -> Self {
        Self(error.to_string())
    }
}

/// The largest relative error found, or a fault.
pub type Finding = Result<f64, Fault>;

type Work = Box<dyn Fn(&Arc<Engine>) -> Finding + Send + Sync>;

/// A check of the device.
pub struct Check {
    /// "subject/case".
    pub name: String,
    work: Work,
}

impl Check {
    fn new(name: String, work: impl Fn(&Arc<Engine>) -> Finding + Send + Sync + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }

    /// Runs the check on the device of `engine`.
    ///
    /// # Errors
    /// What is wrong, or a device that fails.
    pub fn run(&self, engine: &Arc<Engine>) -> Finding {
        (self.work)(engine)
    }
}

/// All checks. Together they run every kernel.
pub fn checks() -> Vec<Check> {
    [network::checks(), regularization::checks(), weights::checks(), attacks::checks(), deployment::checks()]
        .into_iter()
        .flatten()
        .collect()
}
