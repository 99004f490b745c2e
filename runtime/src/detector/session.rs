//! tract sessions.
