//! A detector as a deployed file: the tract session, the oracle that attacks may
//! ask, clean evaluation and the CPU bench.

pub mod bench;
pub mod corrupted;
pub mod evaluate;
pub mod external;
mod guess;
pub mod metadata;
pub mod oracle;
pub mod reading;
pub mod session;
pub mod signature;
pub mod threshold;
