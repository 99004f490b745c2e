//! Models that are none: a clear line, exit 1, earlier files untouched.

use crate::dfrt;
use crate::workshop::{RES, Ran, bytes, faces, folder, gpu, model, plain, trained};
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_trainer::model::arch::{EFFICIENTNET_LITE0, EFFICIENTNET_TINY};
use dfrt_trainer::model::files::onnx;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::weights::Weights;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("bad_model/files_that_are_no_model", files_that_are_no_model),
        plain("bad_model/a_model_of_another_program", a_model_of_another_program),
        plain("bad_model/a_model_without_its_data", a_model_without_its_data),
        gpu("bad_model/gradients_of_another_programs_model", gradients_of_another_programs_model),
        gpu("bad_model/a_changed_export_has_no_gradients", a_changed_export_has_no_gradients),
        gpu("bad_model/a_run_of_another_architecture", a_run_of_another_architecture),
    ]
}

/// Every command that takes a model, with the model at `path`.
fn every_command(path: &Path) -> Vec<Ran> {
    let out = folder().join("out");
    let mut all = vec![
        dfrt!["eval", "--model", path, "--data", faces(), "--out", &out],
        dfrt!["bench", "model", "--model", path, "--out", &out],
    ];
    for method in ["square", "random-noise", "fgsm", "pgd"] {
        all.push(dfrt!["attack", "--model", path, "--data", faces(), "--method", method, "--out", &out]);
    }
    assert!(!out.exists(), "nothing is written");
    all
}

fn files_that_are_no_model() {
    let folder = folder();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let whole = bytes(model());
    let pictures = bytes(faces().join("split.csv"));
    for (path, words) in [
        (file("empty.onnx", b""), "the file is empty"),
        (file("cut.onnx", &whole[..whole.len() / 2]), "cut short"),
        (file("text.onnx", b"this is no model\n"), "no ONNX model"),
        (file("table.onnx", &pictures), "no ONNX model"),
        (folder.join("absent.onnx"), "no such file or folder"),
        (folder.clone(), "no finished RUN"),
    ] {
        let name = path.file_name().unwrap().to_str().unwrap();
        for ran in every_command(&path) {
            ran.failed(1, &[name, words]);
        }
    }
}

/// A network of ours without a word about itself: any other program's ONNX file.
fn foreign() -> PathBuf {
    let graph = Graph::new(&EFFICIENTNET_TINY, RES).unwrap();
    let weights = Weights::initial(&graph, 1);
    let path = folder().join("foreign.onnx");
    std::fs::write(&path, onnx::export(&graph, &weights, &BTreeMap::new(), None)).unwrap();
    path
}

fn a_model_of_another_program() {
    let foreign = foreign();
    dfrt!["eval", "--model", &foreign, "--output", "logit"].failed(1, &["names no data set", "--data"]);
    // Drawn weights say next to nothing, so its logits all lie in [0, 1].
    dfrt!["eval", "--model", &foreign, "--data", faces()]
        .failed(1, &["look like probabilities", "--output logit"]);
    let logit = ["--output", "logit"];
    let evaluation =
        dfrt!["eval", "--model", &foreign, "--data", faces(), "--json", logit[0], logit[1]].json();
    assert_eq!(
        (evaluation["model"]["arch"].as_str(), evaluation["threshold"].as_f64()),
        (Some("unknown"), Some(0.0))
    );
    let out = folder().join("attack");
    let ran = dfrt![
        "attack",
        "--model",
        &foreign,
        "--method",
        "square",
        "--queries",
        "5",
        "--data",
        faces(),
        "--out",
        &out,
        logit[0],
        logit[1]
    ];
    assert!(ran.err.contains("names no threshold"), "{ran:?}");
    ran.done();
    dfrt!["verify", &out].done();
}

fn gradients_of_another_programs_model() {
    let out = folder().join("attack");
    for method in ["fgsm", "pgd"] {
        let foreign = foreign();
        dfrt![
            "attack",
            "--model",
            foreign,
            "--method",
            method,
            "--data",
            faces(),
            "--out",
            &out,
            "--output",
            "logit"
        ]
        .failed(1, &["foreign.onnx", "not exported by dfrt", "suite-black"]);
    }
    assert!(!out.exists());
}

fn a_changed_export_has_no_gradients() {
    let mut changed = bytes(model());
    let weights = Weights::initial(&Graph::new(&EFFICIENTNET_TINY, RES).unwrap(), 7);
    let first: Vec<u8> = weights.params[0].iter().take(8).flat_map(|value| value.to_le_bytes()).collect();
    let place = changed.windows(first.len()).position(|window| window == first).unwrap();
    changed[place] ^= 1;
    let path = folder().join("changed.onnx");
    std::fs::write(&path, changed).unwrap();
    let out = folder().join("attack");
    dfrt!["attack", "--model", &path, "--method", "pgd", "--out", &out]
        .failed(1, &["changed.onnx", "its weights were changed"]);
    assert!(!out.exists());
}

fn a_model_without_its_data() {
    let graph = Graph::new(&EFFICIENTNET_TINY, RES).unwrap();
    let mut metadata = Metadata::new(EFFICIENTNET_TINY.name, RES, 0.0);
    metadata.data_path = Some(folder().join("gone").to_string_lossy().into_owned());
    let pairs = metadata.to_pairs().into_iter().collect();
    let path = folder().join("model.onnx");
    std::fs::write(&path, onnx::export(&graph, &Weights::initial(&graph, 1), &pairs, None)).unwrap();
    dfrt!["eval", "--model", &path].failed(1, &["gone", "--data"]);
    metadata.data_path = Some(faces().to_string_lossy().into_owned());
    metadata.data_sha256 = Some("of another set".to_owned());
    let pairs = metadata.to_pairs().into_iter().collect();
    std::fs::write(&path, onnx::export(&graph, &Weights::initial(&graph, 1), &pairs, None)).unwrap();
    let ran = dfrt!["eval", "--model", &path];
    assert!(ran.err.contains("has changed since the model was trained"), "{ran:?}");
    ran.done();
}

fn a_run_of_another_architecture() {
    let run = crate::workshop::copied(trained());
    let graph = Graph::new(&EFFICIENTNET_LITE0, RES).unwrap();
    let other = folder().join("other.safetensors");
    let none = BTreeMap::new();
    dfrt_trainer::model::files::weights_file::save(
        &other,
        &graph,
        &Weights::initial(&graph, 0),
        &BTreeMap::new(),
        &none,
    )
    .unwrap();
    std::fs::copy(&other, run.join("best.safetensors")).unwrap();
    let words = ["best.safetensors", "the file holds efficientnet-lite0, not efficientnet-tiny"];
    dfrt!["export", &run, "--out", folder().join("model.onnx")].failed(1, &words);
    dfrt!["attack", "--model", &run, "--method", "pgd", "--out", folder().join("attack")].failed(1, &words);
}
