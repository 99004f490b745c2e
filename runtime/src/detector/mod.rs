//! A detector as a deployed file: the tract session, the oracle that attacks query, evaluation on
//! clean pictures, and the CPU bench.

pub mod bench;
pub mod corrupted;
pub mod evaluate;
pub mod external;
mod file;
mod graph;
pub mod inspect;
pub mod metadata;
pub mod model;
pub mod oracle;
mod output_kind;
pub mod overrides;
mod pixels;
mod probe;
mod rewrite;
pub mod session;
pub mod settle;
mod sidecar;
pub mod signature;
pub mod threshold;
mod tract;
mod weights;
