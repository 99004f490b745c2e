//! Files of other programs at the command line: what they prove is used and recorded, what
//! they leave open is asked for, what is said is obeyed, and `dfrt verify` reads a file as
//! the attack did.

use crate::dfrt;
use crate::workshop::{RES, Ran, ended, faces, folder, json, model, plain, program};
use dfrt_trainer::model::arch::EFFICIENTNET_TINY;
use dfrt_trainer::model::files::onnx;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::weights::Weights;
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("any_model/what_is_proved_is_recorded", what_is_proved_is_recorded),
        plain("any_model/what_is_said_is_obeyed", what_is_said_is_obeyed),
        plain("any_model/what_is_open_is_asked_in_one_line", what_is_open_is_asked_in_one_line),
        plain("any_model/inspect_shows_what_is_known_and_asked", inspect_shows_what_is_known_and_asked),
        plain("any_model/the_class_of_fakes", the_class_of_fakes),
        plain("any_model/one_class_alone_needs_the_fake_one_named", one_class_alone_needs_the_fake_one_named),
        plain("any_model/verify_reads_as_the_attack_did", verify_reads_as_the_attack_did),
        plain("any_model/the_bench_reads_it_too", the_bench_reads_it_too),
        plain("any_model/a_file_of_ours_says_itself", a_file_of_ours_says_itself),
        plain("any_model/options_that_cannot_be", options_that_cannot_be),
    ]
}

/// A network with drawn weights and no word about itself, of one or two logits.
fn foreign(outputs: usize) -> PathBuf {
    let graph = Graph::with_outputs(&EFFICIENTNET_TINY, RES, outputs).unwrap();
    let mut weights = Weights::initial(&graph, 7);
    // Drawn weights shrink what they see to almost nothing: this last layer tells pictures
    // apart by more than what verify tolerates.
    weights.params.iter_mut().rev().take(2).flatten().for_each(|value| *value *= 5e7);
    let path = folder().join("foreign.onnx");
    std::fs::write(&path, onnx::export(&graph, &weights, &BTreeMap::new(), None)).unwrap();
    path
}

/// The arguments of a reading in which nothing is left to guess.
const WHOLE: [&str; 12] = [
    "--layout",
    "nchw",
    "--range",
    "0-1",
    "--mean",
    "0,0,0",
    "--std",
    "1,1,1",
    "--output",
    "logit",
    "--fake-index",
    "1",
];

fn with(command: &str, model: &Path, more: &[&str]) -> Ran {
    let mut dfrt = program();
    dfrt.args(command.split(' ')).arg("--model").arg(model).args(more);
    ended(dfrt)
}

fn eval(model: &Path, out: &Path, more: &[&str]) -> Ran {
    let mut dfrt = program();
    dfrt.args(["eval", "--json", "--model"]).arg(model).arg("--data").arg(faces()).arg("--out").arg(out);
    dfrt.args(more);
    ended(dfrt)
}

fn logits(out: &Path) -> Vec<f32> {
    let table = std::fs::read_to_string(out.with_file_name("scores.csv")).unwrap();
    table.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
}

fn what_is_proved_is_recorded() {
    let ran = eval(&foreign(2), &folder().join("eval.json"), &[]);
    let notes: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("note: ")).collect();
    let [class, threshold] = notes[..] else { panic!("{ran:?}") };
    assert!(class.contains("foreign.onnx: fake-index 1"), "{class}");
    assert!(threshold.contains("names no threshold"), "{threshold}");
    let reading = &ran.json()["model"]["reading"];
    let expected = serde_json::json!({
        "layout": "nchw", "channels": "rgb", "range": "0-1", "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0],
        "output": "logit", "outputs": 2, "fake_index": 1,
    });
    assert_eq!(*reading, expected);
}

fn what_is_said_is_obeyed() {
    let foreign = foreign(1);
    let [found, said, other] = [(); 3].map(|()| folder().join("eval.json"));
    eval(&foreign, &found, &[]).done();
    let ran = eval(&foreign, &said, &WHOLE);
    assert!(!ran.err.contains("changes"), "{ran:?}");
    ran.done();
    assert_eq!(logits(&found), logits(&said));
    let more = ["--range", "-1-1", "--mean", "-0.5, 0, 0.5", "--std", "0.5,0.6,0.7", "--channels", "bgr"];
    let evaluation = eval(&foreign, &other, &more).json();
    assert_eq!(evaluation["model"]["reading"]["range"], "-1-1");
    assert_eq!(evaluation["model"]["reading"]["channels"], "bgr");
    assert_eq!(evaluation["model"]["reading"]["mean"], serde_json::json!([-0.5, 0.0, 0.5]));
    assert_ne!(logits(&found), logits(&other));
}

/// The mean brightness times a factor, with nothing before it that would tell a range.
fn brightness(factor: f32) -> PathBuf {
    let path = folder().join("bright.onnx");
    std::fs::write(&path, crate::bright::model(factor, RES)).unwrap();
    path
}

fn what_is_open_is_asked_in_one_line() {
    let out = folder().join("eval.json");
    let (bare, weak) = (brightness(20.0), brightness(0.5));
    let way = ["--preprocess", "none"];
    eval(&weak, &out, &way).failed(1, &["look like probabilities", "--output logit", "--output probability"]);
    eval(&weak, &out, &[&way[..], &["--mean", "0,0,0"]].concat())
        .failed(1, &["--preprocess none already sets --mean"]);
    eval(&weak, &out, &["--preprocess", "keras"]).failed(2, &["imagenet, half, none, caffe"]);
    assert!(!out.exists());
    eval(&bare, &out, &[])
        .failed(1, &["bright.onnx", "--preprocess imagenet", "--mean and --std", "dfrt inspect"]);
    with("bench model", &bare, &["--runs", "2", "--json"]).json();
    eval(&bare, &out, &["--preprocess", "half", "--output", "logit"]).done();
    assert!(out.exists());
}

fn inspect_shows_what_is_known_and_asked() {
    let bare = brightness(20.0);
    let found = dfrt!["inspect", &bare, "--json"].json();
    assert_eq!(found["own"], false);
    assert_eq!(found["questions"][0]["part"], "pixels");
    assert_eq!(found["options"], serde_json::json!(["--preprocess imagenet"]));
    let ran = dfrt!["inspect", &bare];
    for words in ["proved", "assumed", "unknown", "--preprocess caffe", "dfrt eval --model", "nchw"] {
        assert!(ran.out.contains(words), "{words}: {ran:?}");
    }
    ran.done();
    let found = dfrt!["inspect", &bare, "--preprocess", "none", "--json"].json();
    assert_eq!(found["questions"], serde_json::json!([]));
    let own = dfrt!["inspect", model()];
    assert!(own.out.contains("exported by dfrt") && own.out.contains("threshold"), "{own:?}");
    own.done();
}

fn the_class_of_fakes() {
    for outputs in [1, 2] {
        let foreign = foreign(outputs);
        let [first, second] = ["0", "1"].map(|index| {
            let out = folder().join("eval.json");
            eval(&foreign, &out, &["--fake-index", index]).done();
            logits(&out)
        });
        let turned: Vec<f32> = first.iter().map(|logit| -logit).collect();
        assert_eq!(second, turned);
        assert!(second.iter().any(|&logit| logit != 0.0));
    }
}

/// Labels of both classes would show an order that is wrong; those of one do not.
fn one_class_alone_needs_the_fake_one_named() {
    for outputs in [1, 2] {
        let foreign = foreign(outputs);
        let attack = |more: &[&str]| {
            let mut attack = program();
            attack.args([
                "attack",
                "--method",
                "random-noise",
                "--queries",
                "3",
                "--only",
                "fake",
                "--model",
            ]);
            attack
                .arg(&foreign)
                .arg("--data")
                .arg(faces())
                .arg("--out")
                .arg(folder().join("attack"))
                .args(more);
            ended(attack)
        };
        attack(&[]).failed(1, &["foreign.onnx", "taken to say fake", "--fake-index 0"]);
        attack(&["--fake-index", "1"]).done();
    }
}

fn verify_reads_as_the_attack_did() {
    let (foreign, another) = (foreign(2), foreign(1));
    let out = folder().join("attack");
    let mut attack = program();
    attack.args(["attack", "--method", "random-noise", "--queries", "5", "--model"]).arg(&foreign);
    attack.arg("--data").arg(faces()).arg("--out").arg(&out);
    attack.args(["--fake-index", "0", "--range", "-1-1", "--std", "0.5,0.6,0.7"]);
    ended(attack).done();
    let path = out.join("attack.json");
    let mut report = json(&path);
    assert_eq!(report["model"]["reading"]["fake_index"], 0);
    assert!(report["n_clean_correct"].as_u64().unwrap() > 0, "something was attacked: {report}");
    let ran = dfrt!["verify", &out];
    assert!(!ran.err.contains("changes"), "all is recorded: {ran:?}");
    ran.done();
    dfrt!["verify", &out, "--model", &foreign, "--json"].json();
    let changed = foreign.with_file_name("changed.onnx");
    std::fs::copy(another, &changed).unwrap();
    dfrt!["verify", &out, "--model", &changed]
        .failed(1, &["changed.onnx", "not the model that was attacked"]);
    report["model"]["reading"]["range"] = "0-1".into();
    std::fs::write(&path, report.to_string()).unwrap();
    let ran = dfrt!["verify", &out];
    assert_eq!(ran.code, Some(1), "another reading gives other logits: {ran:?}");
    assert!(ran.err.contains("the model says"), "{ran:?}");
}

fn the_bench_reads_it_too() {
    let runs = ["--runs", "2", "--json"];
    let ran = with("bench model", &foreign(2), &runs);
    assert_eq!(ran.json()["reading"]["outputs"], 2);
    let ran = with("bench model", &foreign(1), &[&runs[..], &WHOLE, &["--res", "32"]].concat());
    assert!(!ran.err.contains("changes"), "{ran:?}");
    assert_eq!(ran.json()["reading"]["range"], "0-1");
    with("bench model", &foreign(1), &["--res", "64"]).failed(1, &["foreign.onnx", "32 px, not 64 px"]);
}

fn a_file_of_ours_says_itself() {
    let ran = eval(model(), &folder().join("eval.json"), &[]);
    assert!(!ran.err.contains("note:"), "{ran:?}");
    assert!(ran.json()["model"].get("reading").is_none());
    for pair in WHOLE.chunks(2) {
        let words = ["drawn.onnx", "exported by dfrt", pair[0]];
        eval(model(), &folder().join("eval.json"), pair).failed(1, &words);
        with("bench model", model(), pair).failed(1, &words);
    }
    eval(model(), &folder().join("eval.json"), &["--res", "32"]).done();
}

fn options_that_cannot_be() {
    let foreign = foreign(1);
    let eval = |option: &str, value: &str| with("eval", &foreign, &[option, value]);
    eval("--layout", "hwc").failed(2, &["hwc", "nchw, nhwc", "`dfrt eval --help`"]);
    eval("--range", "0-2").failed(2, &["0-2", "0-1, 0-255, -1-1"]);
    eval("--output", "score").failed(2, &["score", "logit, probability"]);
    eval("--mean", "0.5,0.5").failed(2, &["--mean 0.5,0.5", "three numbers"]);
    eval("--std", "0,1,1").failed(1, &["foreign.onnx", "--std"]);
    eval("--fake-index", "2").failed(1, &["foreign.onnx", "--fake-index 0 to 1"]);
    eval("--output-name", "score").failed(1, &["foreign.onnx", "no output \"score\""]);
    eval("--layout", "nhwc").failed(1, &["foreign.onnx", "[?, 3, 32, 32], not nhwc"]);
    with("attack", &foreign, &["--method", "square", "--layout", "nhwc"]).failed(1, &["not nhwc"]);
}
