//! Forgeries made from photographs.
