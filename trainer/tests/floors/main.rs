//! Who may use whom. Each file and folder at the root of a crate has a place, its floor, and
//! imports only those before it in the crate's list below; no files of a crate import each other
//! in a circle. The runtime names no GPU, and the trainer's folder `gpu` alone names wgpu.

mod graph;
mod imports;

use imports::Crate;
use std::fmt::Display;
use std::path::Path;

/// A crate of the workspace: its name, its root, and its floors from the lowest up.
struct Member {
    name: &'static str,
    root: &'static str,
    floors: &'static [&'static str],
}

const RUNTIME: Member = Member {
    name: "dfrt_runtime",
    root: "runtime/src/lib.rs",
    floors: &[
        "names",
        "random",
        "storage",
        "differing",
        "sample",
        "threat",
        "reading",
        "metrics",
        "data",
        "results",
        "faces",
        "forgery",
        "audit",
        "detector",
        "attack",
        "report",
    ],
};

const TRAINER: Member = Member {
    name: "dfrt_trainer",
    root: "trainer/src/lib.rs",
    floors: &[
        "gpu",
        "model",
        "ops",
        "plan",
        "reference",
        "evaluator",
        "attack",
        "arms",
        "train",
        "explain",
        "bench",
        "study",
        "selftest",
    ],
};

const COMMAND: Member = Member {
    name: "dfrt",
    root: "tools/dfrt/src/main.rs",
    floors: &[
        "quiet",
        "failure",
        "output",
        "progress",
        "paths",
        "lock",
        "network",
        "model",
        "threshold",
        "conventions",
        "dataset",
        "training",
        "command",
    ],
};

impl Member {
    fn read(&self) -> Crate {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(self.root);
        Crate::of(self.name, &root, &|path| std::fs::read_to_string(path).ok())
    }
}

/// Fails with every fault that `of` finds in a crate.
fn assert_none<Fault: Display>(of: impl Fn(&Member, &Crate) -> Vec<Fault>) {
    let mut faults = Vec::new();
    for member in [RUNTIME, TRAINER, COMMAND] {
        let found = of(&member, &member.read());
        faults.extend(found.into_iter().map(|fault| format!("{}: {fault}", member.name)));
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_sources_are_where_they_should_be() {
    for (member, least) in [(RUNTIME, 400), (TRAINER, 300), (COMMAND, 100)] {
        let count = member.read().imports().len();
        assert!(count > least, "{}: {count} imports", member.name);
    }
}

#[test]
fn the_runtime_names_no_gpu() {
    for (file, name) in RUNTIME.read().first_names() {
        let foreign = ["wgpu", "naga", "dfrt_trainer"].iter().any(|other| name.starts_with(other));
        assert!(!foreign, "{file} names {name}");
    }
}

#[test]
fn only_the_gpu_folder_names_wgpu() {
    for member in [TRAINER, COMMAND] {
        for (file, name) in member.read().first_names() {
            let named = name.starts_with("wgpu") && !(member.name == TRAINER.name && file.starts_with("gpu"));
            assert!(!named, "{}: {file} names {name}", member.name);
        }
    }
}

#[test]
fn every_file_and_folder_is_on_a_floor() {
    assert_none(|member, read| {
        let tops = read.tops();
        let unlisted = tops.iter().filter(|top| !member.floors.contains(top));
        let unlisted = unlisted.map(|top| format!("{top} is in no list; add it before all that use it"));
        let gone = member.floors.iter().filter(|floor| !tops.contains(*floor));
        unlisted
            .chain(gone.map(|floor| format!("{floor} is in the list, but there is no such file or folder")))
            .collect()
    });
}

#[test]
fn no_import_runs_up() {
    assert_none(|member, read| {
        let imports = read.imports();
        graph::upward(&imports, member.floors).into_iter().map(ToString::to_string).collect()
    });
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_none(|_, read| {
        let imports = read.imports();
        let told = |circle: Vec<&imports::Import>| {
            let lines: Vec<String> = circle.iter().map(|import| format!("\n    {import}")).collect();
            format!("a circle{}", lines.concat())
        };
        graph::circles(&imports).into_iter().map(told).collect()
    });
}
