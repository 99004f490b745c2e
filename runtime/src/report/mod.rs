//! The object of a study's report.json; its renderings stand beside it.
//!
//! [`compare`] makes its comparisons from the arms' per-picture results;
//! [`extras`] reads those from beside report.json; [`page`] says in sentences and
//! tables what a reader is to see, and [`markdown`] and [`html`] set that;
//! [`plots`] and [`examples`] draw; [`tables`] are the same figures as CSV;
//! [`folder`] writes it all and renders it again. [`sweep`] and [`grid`] show a single
//! attack, at several radii and in pictures, [`corrupted`] a detector on worse pictures.

pub mod compare;
pub mod corrupted;
pub mod examples;
pub mod extras;
pub mod folder;
pub mod grid;
pub mod html;
pub mod markdown;
mod numbers;
pub mod page;
pub mod plots;
pub mod sweep;
pub mod tables;

use crate::results::ResultError;
pub use extras::Extras;
pub use folder::{Written, render, write};
pub use numbers::p_value;
pub use page::could_have_shown;

/// Why a report cannot be made; the text names the place and the way out.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read, written or understood.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// Two arms have no pictures in common, or an attack's are not among the scored ones.
    #[error("{place}: {reason}; evaluate and attack every arm on the same data, split and limit")]
    Unaligned {
        /// The arms or the attack.
        place: String,
        /// What does not fit.
        reason: String,
    },
    /// A picture could not be drawn or encoded.
    #[error("{name}: cannot be drawn: {reason}; please report this with the report.json")]
    Drawing {
        /// The plot or picture.
        name: String,
        /// What the drawing code said.
        reason: String,
    },
}
