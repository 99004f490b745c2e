//! Why nothing can be explained.

use crate::gpu::device::GpuError;
use dfrt_runtime::detector::oracle::OracleError;
use dfrt_runtime::report::ReportError;
use dfrt_runtime::threat::ThreatError;

/// Why nothing can be explained. Every message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No model.
    #[error("no model is given; name one or more")]
    NoModel,
    /// A name that is no part of a file's name.
    #[error("the arm {0:?} cannot be part of a file's name; use letters, digits, '-', '_', '+' and '.'")]
    Name(String),
    /// Models of several resolutions.
    #[error(
        "{first} takes {res} px and {other} {other_res}: gradients at two resolutions cannot be compared; give models of one"
    )]
    Resolutions {
        /// The first model.
        first: String,
        /// Its resolution.
        res: usize,
        /// The other model.
        other: String,
        /// Its resolution.
        other_res: usize,
    },
    /// Taps that a network does not have.
    #[error("{model}: has no taps {taps:?}; name one or more of 0 to {last}, each once")]
    Taps {
        /// The model.
        model: String,
        /// The taps asked for.
        taps: Vec<usize>,
        /// The last one.
        last: usize,
    },
    /// Lengths that are no lengths.
    #[error("the lengths {0:?} cannot be used; give one or more numbers above 0")]
    Lengths(Vec<f64>),
    /// Counts of zero.
    #[error("{0} is 0; give 1 or more")]
    Zero(&'static str),
    /// No picture.
    #[error("{data}: none of the {n} pictures can be read, the first: {first}")]
    Unreadable {
        /// The data set.
        data: String,
        /// Pictures tried.
        n: usize,
        /// What was wrong with the first.
        first: String,
    },
    /// No picture was chosen.
    #[error("{0}: no picture is chosen; name another split or data set")]
    Empty(String),
    /// A logit that is not finite.
    #[error(
        "{model}: gives no finite number on picture {id}; its weights are wrong (`dfrt inspect {model}`)"
    )]
    NotFinite {
        /// The model.
        model: String,
        /// The picture.
        id: u64,
    },
    /// The radius of the attack.
    #[error(transparent)]
    Threat(#[from] ThreatError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The device, in an attack.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The summary or a picture.
    #[error(transparent)]
    Report(#[from] ReportError),
}
