//! A detector as a deployed file: the tract session, the oracle that attacks may
//! ask, clean evaluation and the CPU bench.

mod answer;
pub mod asked;
pub mod bench;
mod beside;
pub mod corrupted;
pub mod evaluate;
pub mod external;
mod file;
mod graph;
pub mod inspect;
pub mod metadata;
pub mod model;
pub mod oracle;
mod pixels;
mod probe;
mod rewrite;
pub mod session;
pub mod settle;
pub mod signature;
pub mod threshold;
mod tract;
mod weights;
