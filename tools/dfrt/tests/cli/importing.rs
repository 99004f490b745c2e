//! `dfrt import`, weights for other programs, and training that starts from weights.

use crate::dfrt;
use crate::workshop::{RES, bytes, faces, folder, gpu, json, model, plain, training};
use dfrt_trainer::model::arch::{EFFICIENTNET_B4, EFFICIENTNET_LITE0, EFFICIENTNET_TINY};
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
        plain("import/two_logits_become_one", two_logits_become_one),
        plain("import/a_head_without_a_bias_is_told", a_head_without_a_bias_is_told),
        plain("import/a_fresh_head_is_asked_for", a_fresh_head_is_asked_for),
        plain("import/what_is_no_weight_is_refused", what_is_no_weight_is_refused),
        plain("import/bad_options", bad_options),
        plain("import/files_that_do_not_fit", files_that_do_not_fit),
        gpu("import/training_starts_from_a_classifier", training_starts_from_a_classifier),
        gpu("import/b4_is_attacked_with_gradients", b4_is_attacked_with_gradients),
    ]
}

/// A classifier of ten classes as timm would save it.
fn classifier() -> PathBuf {
    of_classes(10, |_| {})
}

/// The same of some classes, changed.
fn of_classes(outputs: usize, change: impl Fn(&mut Weights)) -> PathBuf {
    let graph = Graph::with_outputs(&EFFICIENTNET_TINY, RES, outputs).unwrap();
    let path = folder().join("classifier.safetensors");
    let none = BTreeMap::new();
    let mut weights = Weights::initial(&graph, 3);
    change(&mut weights);
    weights_file::save_in(&path, &graph, Scheme::Timm, &weights, &BTreeMap::new(), &none).unwrap();
    path
}

fn evaluated(run: &Path) -> serde_json::Value {
    dfrt!["eval", "--model", run, "--data", faces(), "--json"].json()["metrics"].clone()
}

fn two_logits_become_one() {
    let file = of_classes(2, |_| {});
    let run = imported(&file, &["--res", "32"]);
    let summary = json(run.join("summary.json"));
    assert_eq!(summary["head"]["merged"]["fake_index"], 1);
    assert_eq!((&summary["head_name"], &summary["found"]), (&"classifier".into(), &summary["entries"]));
    let other = imported(&file, &["--res", "32", "--fake-index", "0", "--head", "classifier"]);
    let auc = |run: &Path| evaluated(run)["auc"]["value"].as_f64().unwrap();
    assert!((auc(&run) + auc(&other) - 1.0).abs() < 1e-9, "the other class, the other order");
}

fn a_head_without_a_bias_is_told() {
    let file = of_classes(1, |_| {});
    let mut content = bytes(&file);
    // The bias becomes a lone number of another name, which the logit may depend on.
    let name = b"classifier.bias";
    let at = content.windows(name.len()).position(|window| window == name).unwrap();
    content[at..at + name.len()].copy_from_slice(b"temperature.all");
    std::fs::write(&file, content).unwrap();
    let out = folder().join("run");
    dfrt!["import", &file, "--out", &out].failed(1, &["`temperature.all` [1]", "--leave-out"]);
    let ran = dfrt!["import", &file, "--out", &out, "--leave-out", "temperature"];
    assert!(ran.err.contains("last layer classifier; that layer has no bias: 0 is used"), "{}", ran.err);
    ran.done();
}

fn a_fresh_head_is_asked_for() {
    let out = folder().join("run");
    let asked = ["classifier.safetensors", "its last layer `classifier` has 10 outputs", "--new-head"];
    dfrt!["import", classifier(), "--out", &out].failed(1, &asked);
    let train = training(faces(), &out, &["--init", classifier().to_str().unwrap()]);
    crate::workshop::run(&train).failed(1, &asked);
    assert!(!out.exists());
    let run = imported(&classifier(), &["--new-head", "--res", "32"]);
    assert_eq!(json(run.join("summary.json"))["head"]["replaced"]["outputs"], 10);
}

fn what_is_no_weight_is_refused() {
    let out = folder().join("run");
    let nan = of_classes(1, |weights| weights.params[4][0] = f32::NAN);
    dfrt!["import", &nan, "--out", &out].failed(1, &["NaN or infinity at 1 of its", "earlier checkpoint"]);
    let negative = of_classes(1, |weights| weights.running[0].var[3] = -1.0);
    dfrt!["import", &negative, "--out", &out].failed(1, &["`bn1.running_var` holds a negative variance"]);
    let pointer = folder().join("weights.pth");
    std::fs::write(&pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n").unwrap();
    dfrt!["import", &pointer, "--out", &out].failed(1, &["weights.pth", "Git LFS pointer", "git lfs pull"]);
    assert!(!out.exists());
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
        assert_eq!(evaluated(&again), evaluated(&run));
    }
}

fn conventions_of_a_family() {
    let file = of_classes(1, |_| {});
    let run = imported(&file, &["--res", "32", "--family", "tf", "--bn-eps", "0.002"]);
    let config = std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert!(config.contains("padding = \"same\"") && config.contains("bn-eps = 0.002"), "{config}");
    let plain = imported(&file, &["--res", "32"]);
    assert_ne!(evaluated(&run), evaluated(&plain));
    // What it says of itself holds when it comes back.
    let again = imported(&run.join("model.onnx"), &[]);
    assert_eq!(bytes(again.join("model.onnx")), bytes(run.join("model.onnx")));
    let weights = imported(&run.join("best.safetensors"), &["--res", "32"]);
    assert_eq!(evaluated(&weights), evaluated(&run));
}

fn bad_options() {
    let out = folder().join("run");
    let file = of_classes(1, |_| {});
    dfrt!["import", &file, "--out", &out, "--new-head", "--head", "fc"].failed(2, &["--new-head", "--head"]);
    dfrt!["import", &file, "--out", &out, "--fake-index", "2"].failed(2, &["--fake-index 2", "0 or 1"]);
    dfrt!["import", &file, "--out", &out, "--head", "fc"].failed(1, &["`fc`", "`classifier`"]);
    dfrt!["import", &file, "--out", &out, "--key", "model"].failed(1, &["no keys", "--prefix"]);
    dfrt!["import", &file, "--out", &out, "--prefix", "net."].failed(1, &["no network there", "no prefix"]);
    crate::workshop::run(&training(faces(), &out, &["--head", "fc"])).failed(2, &["--init"]);
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
    let more = ["--epochs", "1", "--init", file.to_str().unwrap(), "--new-head", "--family", "timm-ra4"];
    let ran = crate::workshop::run(&training(faces(), &out, &more));
    assert!(ran.err.contains("its last layer of 10 outputs is replaced by a new one of 1"), "{ran:?}");
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

/// Imported under timm's names, exported, and attacked by steps along its gradient.
fn b4_is_attacked_with_gradients() {
    let graph = Graph::new(EFFICIENTNET_B4, RES).unwrap();
    let file = folder().join("b4.safetensors");
    let none = BTreeMap::new();
    weights_file::save_in(&file, &graph, Scheme::Timm, &Weights::initial(&graph, 3), &BTreeMap::new(), &none)
        .unwrap();
    let run = imported(&file, &["--res", "32", "--data", faces().to_str().unwrap()]);
    assert_eq!(json(run.join("summary.json"))["arch"], "efficientnet-b4");
    let exported = folder().join("b4.onnx");
    dfrt!["export", &run, "--out", &exported].done();
    let out = folder().join("attack");
    dfrt![
        "attack", "--model", &exported, "--method", "pgd", "--eps", "8", "--steps", "2", "--limit", "2",
        "--out", &out
    ]
    .done();
    let result = json(out.join("attack.json"));
    assert_eq!(result["method"], "pgd", "{result}");
}
