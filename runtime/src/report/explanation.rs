//! Why detectors are as robust as they are: the figures of [`Measured`] models summarised by arm and
//! compared ([`summarise`]), the explanation in sentences ([`sentences()`]), explain.md
//! ([`markdown`]), and pictures ([`images`]).

mod classes;
pub mod images;
mod numbers;
#[cfg(test)]
mod planted;
mod radii;
mod sentences;
mod summary;
mod text;

pub use crate::results::explanation::one_model::Basis;
pub use radii::{LARGEST_RADIUS_255, radii_255};
pub use sentences::sentences;
pub use summary::summarise;
pub use text::markdown;
pub(super) use text::{NOTE, figures};

#[cfg(doc)]
use crate::results::explanation::Measured;
