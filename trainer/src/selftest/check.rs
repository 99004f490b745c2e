//! A check of the device, and what it finds.

use crate::gpu::device::GpuError;
use crate::gpu::engine::Engine;
use dfrt_runtime::detector::oracle::OracleError;
use std::sync::Arc;

/// What is wrong, in a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub(super) String);

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

impl From<OracleError> for Fault {
    fn from(error: OracleError) -> Self {
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
    pub(super) fn new(name: String, work: impl Fn(&Arc<Engine>) -> Finding + Send + Sync + 'static) -> Self {
        Self { name, work: Box::new(work) }
    }

    /// Runs the check on the engine's device.
    pub fn run(&self, engine: &Arc<Engine>) -> Finding {
        (self.work)(engine)
    }
}
