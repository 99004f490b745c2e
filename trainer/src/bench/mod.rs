//! How fast a device trains: step times, time to the first step, memory, the time of
//! every kernel, and the ceilings that it is held against. Needs no data set: the
//! pictures are drawn noise. The CPU bench of a deployed model is the runtime's.

pub mod ceilings;
pub mod loading;
pub mod products;
pub mod profile;
pub mod step;
pub mod subject;
pub mod traffic;

use crate::arms::{Method, UnknownMethod};
use crate::gpu::device::GpuError;
use crate::train::settings::BadSettings;

/// Why nothing could be measured; each text ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A count of 0.
    #[error("{0} is 0; ask for at least 1")]
    Zero(&'static str),
    /// What was timed computed nothing of use.
    #[error(
        "the loss or its gradient is not a finite number after {steps} steps; run `dfrt selftest` on this device"
    )]
    NotFinite {
        /// Steps until then.
        steps: usize,
    },
}

/// A method's name is unknown.
#[derive(Debug, thiserror::Error)]
#[error("method `{0}` is unknown; choose baseline, gr or input-gradient")]
pub struct UnknownWork(pub String);

/// What is timed.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// A training step: pictures to the device, gradients as the method makes them,
    /// the weights moved.
    Training(Method),
    /// The gradient of the loss with respect to pixels that are on the device already,
    /// as an attack's step needs it.
    InputGradient,
}

/// The name of [`Work::InputGradient`].
const INPUT_GRADIENT: &str = "input-gradient";

impl Work {
    /// The work of that name, methods with their default settings.
    pub fn named(name: &str) -> Result<Self, UnknownWork> {
        if name == INPUT_GRADIENT {
            return Ok(Self::InputGradient);
        }
        Method::named(name).map(Self::Training).map_err(|UnknownMethod(name)| UnknownWork(name))
    }

    /// Its name at the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Training(method) => method.name(),
            Self::InputGradient => INPUT_GRADIENT,
        }
    }
}

impl std::str::FromStr for Work {
    type Err = UnknownWork;

    fn from_str(name: &str) -> Result<Self, UnknownWork> {
        Self::named(name)
    }
}

/// Bytes of a MB.
const MB: f64 = (1 << 20) as f64;

/// What is measured and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Architecture.
    pub arch: String,
    /// Side of the input in pixels.
    pub res: usize,
    /// Pictures a step.
    pub batch: usize,
    /// What is timed.
    pub work: Work,
    /// Timed steps; none for as many as fill about 5 s, at least 5.
    pub steps: Option<usize>,
    /// Whether every kernel is timed, too.
    pub profile: bool,
}
