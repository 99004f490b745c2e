//! Measures why a detector is as robust as it is: gradients of its logit with respect to pixels and to
//! the statistics of shallow features, the radius at which PGD turns a picture over beside that of
//! first order, the loss under shifted statistics and around a picture, the perturbation's spectrum,
//! and the pictures that show them. [`dfrt_runtime::results::explanation`] has the figures,
//! [`dfrt_runtime::report::explanation`] their summary in sentences.

mod error;
mod explained;
mod measure;
mod options;
pub mod pictures;
pub mod probe;
pub mod radius;
pub mod spectrum;
mod subject;
pub mod surface;

pub use error::ExplainError;
pub use explained::{Explained, ExplainedOne, check, check_name, explain, explain_one};
pub use measure::{measure, show};
pub use options::{LIMIT, Options, SHIFT};
pub use subject::{Picture, Progress, Subject, load};
