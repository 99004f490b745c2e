//! `dfrt import`, weights for other programs, and training that starts from weights.

use crate::dfrt;
use crate::workshop::{RES, bytes, faces, folder, gpu, json, model, plain, training};
use dfrt_trainer::model::arch::{EFFICIENTNET_LITE0, EFFICIENTNET_TINY};
use dfrt_trainer::model::files::weights_file;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::names::Scheme;
use dfrt_trainer::model::weights::Weights;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("import/an_export_comes_back_as_the_same_file", an_export_comes_back_as_the_same_file),
        plain("import/weights_for_other_programs_come_back", weights_for_other_programs_come_back),
        plain("import/conventions_of_a_family", conventions_of_a_family),
        plain("import/bad_options", bad_options),
        plain("import/files_that_do_not_fit", files_that_do_not_fit),
        gpu("import/training_starts_from_a_classifier", training_starts_from_a_classifier),
    ]
}

/// A classifier of ten classes as timm would save it.
fn classifier() -> PathBuf {
    let graph = Graph::with_outputs(&EFFICIENTNET_TINY, RES, 10).unwrap();
    let path = folder().join("classifier.safetensors");
    let none = BTreeMap::new();
    weights_file::save_in(&path, &graph, Scheme::Timm, &Weights::initial(&graph, 3), &BTreeMap::new(), &none)
        .unwrap();
    path
}

fn imported(file: &Path, more: &[&str]) -> PathBuf {
    let out = folder().join("run");
    let mut arguments = vec!["import".into(), file.into(), "--out".into(), out.clone().into_os_string()];
    arguments.extend(more.iter().map(Into::into));
    crate::workshop::run(&arguments).done();
    out
}

fn an_export_comes_back_as_the_same_file() {
    let run = imported(model(), &["--arch", "efficientnet-tiny"]);
    assert_eq!(bytes(run.join("model.onnx")), bytes(model()));
    for batch in [&[][..], &["--batch", "3"]] {
        let (first, second) = (run.join("first.onnx"), run.join("second.onnx"));
        let export = |run: &Path, out: &Path| {
            let mut arguments =
                vec!["export".into(), run.into(), "--out".into(), out.into(), "--force".into()];
            arguments.extend(batch.iter().map(Into::into));
            crate::workshop::run(&arguments).done();
        };
        export(&run, &first);
        export(&imported(&first, &[]), &second);
        assert_eq!(bytes(&first), bytes(&second));
    }
}

fn weights_for_other_programs_come_back() {
    let run = imported(model(), &[]);
    let whole = json(run.join("summary.json"));
    for scheme in Scheme::ALL {
        let file = folder().join("weights.safetensors");
        let told = dfrt!["export", &run, "--out", &file, "--names", scheme.name()].done();
        assert!(told.contains(&format!("{scheme}'s names")), "{told}");
        let again = imported(&file, &["--res", "32"]);
        let summary = json(again.join("summary.json"));
        assert_eq!(summary["names"], scheme.name());
        assert_eq!(summary["found"], summary["entries"]);
        for key in ["weights_sha256", "threshold", "arch"] {
            assert_eq!(summary[key], whole[key], "{key}");
        }
        let evaluated = |model: &Path| {
            dfrt!["eval", "--model", model, "--data", faces(), "--json"].json()["metrics"].clone()
        };
        assert_eq!(evaluated(&again), evaluated(&run));
    }
}

fn conventions_of_a_family() {
    let run = imported(&classifier(), &["--res", "32", "--family", "tf", "--bn-eps", "0.002"]);
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("padding = \"same\"") && config.contains("bn-eps = 0.002"), "{config}");
    let evaluated = |run: &Path| dfrt!["eval", "--model", run, "--data", faces(), "--json"].json();
    let plain = imported(&classifier(), &["--res", "32"]);
    assert_ne!(evaluated(&run)["metrics"], evaluated(&plain)["metrics"]);
    // What it says of itself holds when it comes back.
    let again = imported(&run.join("model.onnx"), &[]);
    assert_eq!(bytes(again.join("model.onnx")), bytes(run.join("model.onnx")));
    let weights = imported(&run.join("best.safetensors"), &["--res", "32"]);
    assert_eq!(evaluated(&weights)["metrics"], evaluated(&run)["metrics"]);
}

fn bad_options() {
    let out = folder().join("run");
    let file = classifier();
    dfrt!["import", &file, "--out", &out, "--family", "keras"].failed(2, &["keras", "torchvision", "tf-ap"]);
    dfrt!["import", &file, "--out", &out, "--padding", "odd"].failed(2, &["odd", "symmetric or same"]);
    dfrt!["import", &file, "--out", &out, "--mean", "0.5,0.5"].failed(2, &["0.5,0.5", "three numbers"]);
    dfrt!["import", &file, "--out", &out, "--bn-eps", "0"].failed(2, &["bn-eps = 0"]);
    dfrt!["import", &file, "--out", &out, "--std", "58.4,57.1,57.4"].failed(2, &["58.4", "[0, 1]"]);
    dfrt!["import", &file, "--out", &out, "--threshold", "NaN"].failed(2, &["--threshold"]);
    dfrt!["import", &file, "--out", &out, "--res", "100"].failed(2, &["resolution 100"]);
    assert!(!out.exists());
    let run = imported(model(), &[]);
    dfrt!["import", model(), "--out", &run].failed(1, &["--force"]);
    dfrt!["import", model(), "--out", &run, "--force"].done();
    dfrt!["export", &run, "--out", folder().join("x.pth")].failed(2, &["x.pth", "safetensors"]);
    dfrt!["export", &run, "--out", folder().join("x.onnx"), "--names", "timm"].failed(2, &["--names"]);
    dfrt!["export", &run, "--out", folder().join("x.safetensors"), "--names", "keras"].failed(2, &["keras"]);
    dfrt!["export", &run, "--out", folder().join("x.safetensors"), "--batch", "2"].failed(2, &["--batch"]);
}

fn files_that_do_not_fit() {
    let out = folder().join("run");
    let fits = ["classifier.safetensors", "the file fits --arch efficientnet-tiny"];
    dfrt!["import", classifier(), "--arch", "efficientnet-b0", "--out", &out].failed(1, &fits);
    let lite = Graph::new(&EFFICIENTNET_LITE0, RES).unwrap();
    let path = folder().join("lite.safetensors");
    let none = BTreeMap::new();
    weights_file::save(&path, &lite, &Weights::initial(&lite, 0), &BTreeMap::new(), &none).unwrap();
    let whole = bytes(&path);
    for cut in [0, 7, 100, whole.len() / 2] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        dfrt!["import", &path, "--out", &out].failed(1, &["lite.safetensors"]);
    }
    dfrt!["import", folder(), "--out", &out].failed(1, &["best.safetensors", "give a RUN"]);
    dfrt!["import", folder().join("absent.pth"), "--out", &out].failed(1, &["absent.pth"]);
    assert!(!out.exists());
}

fn training_starts_from_a_classifier() {
    let out = folder().join("run");
    let file = classifier();
    let more = ["--epochs", "1", "--init", file.to_str().unwrap(), "--family", "timm-ra4"];
    let ran = crate::workshop::run(&training(faces(), &out, &more));
    assert!(ran.err.contains("its last layer of 10 outputs is replaced by a fresh one of 1"), "{ran:?}");
    assert!(ran.err.contains("under timm's names"), "{ran:?}");
    ran.done();
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(config.contains("mean = [0.5, 0.5, 0.5]"), "{config}");
    // From the RUN itself: nothing is replaced.
    let on = folder().join("on");
    let ran =
        crate::workshop::run(&training(faces(), &on, &["--epochs", "1", "--init", out.to_str().unwrap()]));
    assert!(!ran.err.contains("replaced"), "{ran:?}");
    ran.done();
    assert!(std::fs::read_to_string(on.join("config.toml")).unwrap().contains("mean = [0.5, 0.5, 0.5]"));
}
