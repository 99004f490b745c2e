//! Makes a study's report and its renderings.
//!
//! [`compare`] makes the comparisons from the arms' per-picture results and [`verdict`] says them in
//! words; [`figures`] has every arm's figures over its seeds; [`robustness`] puts those under attack in
//! order of their radius, [`cost`] has what the training took; [`extras`] reads the results from the
//! files next to report.json; [`page`] is the content in sentences and tables, and
//! [`markdown`] and [`html`] render it; [`plots`] and [`examples`] draw, the first plots
//! also as [`svg`]; [`tables`] has the
//! metrics as CSV and [`latex`] for a paper; [`merge`] makes the report of
//! the results that a study's folder holds, and [`folder`] writes it and renders it again. [`sweep`] and [`grid`] show
//! a single attack, at several radii and in pictures; [`corrupted`] shows a detector on corrupted
//! pictures; [`explanation`] says why detectors are as robust as they are.

pub mod compare;
pub mod corrupted;
pub mod cost;
mod escape;
pub mod examples;
pub mod explanation;
pub mod extras;
pub mod figures;
pub mod folder;
pub mod grid;
pub mod html;
pub mod latex;
pub mod markdown;
pub mod merge;
mod numbers;
pub mod page;
pub mod plots;
pub mod robustness;
pub mod svg;
pub mod sweep;
pub mod tables;
pub mod verdict;

use crate::results::ResultError;
pub use extras::Extras;
pub use folder::{Written, render, write};
pub use numbers::p_value;
pub use page::could_have_shown;

/// Why a report cannot be made; the text says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be read, written or parsed.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// Two arms have no pictures in common, or an attack's are not among the scored ones.
    #[error("{place}: {reason}; evaluate and attack every arm on the same data, split and limit")]
    Unaligned {
        /// The arms or the attack.
        place: String,
        /// What does not match.
        reason: String,
    },
    /// A picture could not be drawn or encoded.
    #[error("{name}: cannot be drawn: {reason}; please report this with the report.json")]
    Drawing {
        /// The plot or picture.
        name: String,
        /// The drawing library's message.
        reason: String,
    },
}
