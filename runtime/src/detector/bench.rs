//! CPU latency.
