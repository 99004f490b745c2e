//! Data sets as they lie on a disk, each read into a [`Manifest`].
use super::manifest::Manifest;
