//! Copies rustface's model, which lies in its package but is no part of its library, to
//! where the library can take it in.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "rustface";
const MODEL: &str = "seeta_fd_frontal_v1.0.bin";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    // Another version of the package may have another model.
    println!("cargo::rerun-if-changed=../Cargo.lock");
    let from = package_folder().join("model").join(MODEL);
    let to = Path::new(&variable("OUT_DIR")).join(MODEL);
    std::fs::copy(&from, &to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name}: {error}"))
}

/// Where cargo has put the package: its registry, or a vendored copy.
fn package_folder() -> PathBuf {
    let manifest = Path::new(&variable("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    // Without the filter cargo would fetch what only other systems need.
    let output = Command::new(variable("CARGO"))
        .args(["metadata", "--format-version", "1", "--filter-platform", &variable("TARGET")])
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let package = packages.iter().find(|package| package["name"] == PACKAGE).expect("it is a dependency");
    let manifest = package["manifest_path"].as_str().expect("a path");
    Path::new(manifest).parent().expect("a file in a folder").to_owned()
}
