//! Benchmarks of a device: step times, time to the first step, memory, the time of every kernel, and
//! the ceilings that kernels are compared with. They need no data set: the pictures are noise. The
//! benchmark of a deployed model on the CPU is in the runtime.

pub mod ceilings;
pub mod loading;
pub mod products;
pub mod profile;
pub mod step;
pub mod subject;
pub mod traffic;

use crate::arms::{BadSpec, Method, NAMES};
use crate::gpu::device::GpuError;

/// Why a measurement failed. Every message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A count of 0.
    #[error("{0} is 0; ask for at least 1")]
    Zero(&'static str),
    /// A value that the timed steps computed is NaN or infinite.
    #[error(
        "the loss or its gradient is not a finite number after {steps} steps; run `dfrt selftest` on this device"
    )]
    NotFinite {
        /// Number of steps until then.
        steps: usize,
    },
}

/// A method that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadWork {
    /// An unknown name.
    #[error("method `{0}` is unknown; choose one of {all}, {INPUT_GRADIENT}", all = NAMES.join(", "))]
    Unknown(String),
    /// Settings that the method does not have.
    #[error(transparent)]
    Spec(BadSpec),
}

/// What is timed.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A training step: upload of the pictures, gradients of the method, update of the weights.
    Training(Method),
    /// The gradient of the loss with respect to pixels that are on the device already, as in a step of
    /// an attack.
    InputGradient,
}

/// The name of [`Work::InputGradient`].
const INPUT_GRADIENT: &str = "input-gradient";

impl Work {
    /// Its name at the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Training(method) => method.name(),
            Self::InputGradient => INPUT_GRADIENT,
        }
    }
}

impl std::str::FromStr for Work {
    type Err = BadWork;

    fn from_str(text: &str) -> Result<Self, BadWork> {
        if text == INPUT_GRADIENT {
            return Ok(Self::InputGradient);
        }
        text.parse().map(Self::Training).map_err(|error| match error {
            BadSpec::Unknown(name) => BadWork::Unknown(name),
            error => BadWork::Spec(error),
        })
    }
}

/// Bytes of a MB.
const MB: f64 = (1 << 20) as f64;

/// What to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Architecture.
    pub arch: String,
    /// Side of the input in pixels.
    pub res: usize,
    /// Pictures per step.
    pub batch: usize,
    /// What is timed.
    pub work: Work,
    /// Number of timed steps; none for as many as take about 5 s, at least 5.
    pub steps: Option<usize>,
    /// Whether to time every kernel, too.
    pub profile: bool,
}
