//! paired
