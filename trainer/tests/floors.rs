//! The floors of the house: who may name what. Reads the sources as text.

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
        }
    }
    found
}

/// The lines of code that hold `word`; comments may speak of anything.
fn lines_with<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.filter(|line| line.contains(word)).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_runtime_knows_no_gpu() {
    let files = sources(&root().join("runtime/src"));
    assert!(files.len() > 30, "the sources are where they should be");
    for (path, text) in files {
        for word in ["wgpu", "dfrt_trainer", "naga"] {
            assert!(lines_with(&text, word).is_empty(), "{} names {word}", path.display());
        }
    }
}

#[test]
fn only_the_gpu_folder_calls_wgpu() {
    let trainer = root().join("trainer/src");
    for (path, text) in sources(&trainer) {
        if !path.starts_with(trainer.join("gpu")) {
            assert!(lines_with(&text, "wgpu").is_empty(), "{} calls wgpu", path.display());
        }
    }
}

#[test]
fn no_import_runs_up() {
    // Each folder may use those before it.
    let floors = ["gpu", "model", "ops", "plan", "attack", "arms", "train", "selftest"];
    let trainer = root().join("trainer/src");
    for (height, floor) in floors.iter().enumerate() {
        for (path, text) in sources(&trainer.join(floor)) {
            for above in &floors[height + 1..] {
                let found = lines_with(&text, &format!("crate::{above}::"));
                assert!(found.is_empty(), "{} imports {above}: {found:?}", path.display());
            }
        }
    }
}
