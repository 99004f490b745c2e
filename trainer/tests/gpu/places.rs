//! Where the tests find their files and leave theirs: in the repository that they were built in or,
//! where the binary was carried to another machine, in the one that `DFRT_TESTS_ROOT` names.

use std::path::{Path, PathBuf};

fn root() -> Option<PathBuf> {
    std::env::var_os("DFRT_TESTS_ROOT").map(PathBuf::from)
}

/// The repository.
pub fn repository() -> PathBuf {
    root().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
}

/// What the comparisons with PyTorch leave behind.
pub fn goldens() -> PathBuf {
    let of_build = || PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    root().map_or_else(of_build, |root| root.join("target/tmp")).join("goldens")
}
