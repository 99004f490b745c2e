//! `--threshold`, and what is measured on pictures of one class alone.

use crate::dfrt;
use crate::workshop::{Ran, bytes, ended, faces, folder, json, model, plain, program};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("thresholds/a_logit_or_a_probability_is_obeyed", a_logit_or_a_probability_is_obeyed),
        plain("thresholds/the_best_one_on_validation_pictures", the_best_one_on_validation_pictures),
        plain("thresholds/attacks_and_corruptions_take_it_too", attacks_and_corruptions_take_it_too),
        plain("thresholds/options_that_cannot_be", options_that_cannot_be),
        plain("thresholds/one_class_alone_is_measured", one_class_alone_is_measured),
    ]
}

fn eval(more: &[&str]) -> Ran {
    let mut command = program();
    command.args(["eval", "--json", "--model"]).arg(model()).args(more);
    ended(command)
}

/// The labels and logits of the pictures of a split.
fn scores(split: &str) -> Vec<(String, f64)> {
    let out = folder().join("eval.json");
    dfrt!["eval", "--model", model(), "--split", split, "--out", &out].done();
    let text = String::from_utf8(bytes(out.with_file_name("scores.csv"))).unwrap();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[2].to_owned(), f64::from(fields[6].parse::<f32>().unwrap()))
    };
    text.lines().skip(1).map(line).collect()
}

fn accuracy(threshold: f64) -> f64 {
    let scores = scores("test");
    let right = scores.iter().filter(|(label, logit)| (*logit > threshold) == (label == "fake")).count();
    right as f64 / scores.len() as f64
}

fn a_logit_or_a_probability_is_obeyed() {
    let own = eval(&[]).json();
    assert_eq!(own["threshold_from"]["source"], "model");
    let mut logits: Vec<f64> = scores("test").into_iter().map(|(_, logit)| logit).collect();
    logits.sort_by(f64::total_cmp);
    let between = 0.5 * (logits[2] + logits[3]);
    for threshold in [between, -50.0, 50.0] {
        let text = threshold.to_string();
        let found = eval(&["--threshold", &text]).json();
        assert_eq!(found["threshold"].as_f64(), Some(threshold));
        assert_eq!(found["threshold_from"], serde_json::json!({ "source": "given", "as": text }));
        let value = found["metrics"]["accuracy"]["value"].as_f64().unwrap();
        assert!((value - accuracy(threshold)).abs() < 1e-9, "{value} at {threshold}");
        assert_eq!(found["metrics"]["auc"], own["metrics"]["auc"]);
    }
    let half = eval(&["--threshold", "p:0.75"]).json();
    assert!((half["threshold"].as_f64().unwrap() - 3f64.ln()).abs() < 1e-12, "{half}");
}

fn the_best_one_on_validation_pictures() {
    let faces = format!("auto:{}", faces().display());
    let ran = eval(&["--threshold", &faces]);
    assert!(ran.err.contains("chosen on") && ran.err.contains("(val: 4 real, 4 fake)"), "{ran:?}");
    let found = ran.json();
    let from = &found["threshold_from"];
    assert_eq!((from["source"].as_str(), from["split"].as_str()), (Some("validation"), Some("val")));
    // It is the best there: no cut between two logits of the validation pictures does better.
    let there = scores("val");
    let share = |label: &str, threshold: f64| {
        let of: Vec<f64> = there.iter().filter(|(of, _)| of == label).map(|(_, logit)| *logit).collect();
        of.iter().filter(|logit| (**logit > threshold) == (label == "fake")).count() as f64 / of.len() as f64
    };
    let balanced = |threshold| 0.5 * (share("real", threshold) + share("fake", threshold));
    let best = from["balanced_accuracy"].as_f64().unwrap();
    assert!((balanced(found["threshold"].as_f64().unwrap()) - best).abs() < 1e-12);
    let mut cuts: Vec<f64> = there.iter().map(|(_, logit)| *logit).collect();
    cuts.sort_by(f64::total_cmp);
    assert!(cuts.windows(2).all(|pair| balanced(0.5 * (pair[0] + pair[1])) <= best + 1e-12));
    // One picture has a class, too, and that is enough to be measured.
    let one = eval(&["--limit", "1"]).json();
    assert_eq!(one["data"]["n_real"].as_u64().unwrap() + one["data"]["n_fake"].as_u64().unwrap(), 1);
    // Nothing is chosen on what is measured.
    eval(&["--split", "val", "--threshold", &faces]).failed(1, &["is among the pictures to be measured"]);
}

fn attacks_and_corruptions_take_it_too() {
    let attack = |threshold: &str| {
        let out = folder().join("attack");
        let args = ["--method", "random-noise", "--queries", "2", "--threshold", threshold, "--json"];
        let mut command = program();
        command.args(["attack", "--model"]).arg(model()).arg("--out").arg(&out).args(args);
        let report = ended(command).json();
        dfrt!["verify", &out].done();
        report
    };
    let all_fake = attack("-50");
    assert_eq!(
        (&all_fake["threshold"], &all_fake["threshold_from"]["source"]),
        (&(-50.0).into(), &"given".into())
    );
    assert_eq!(all_fake["n_clean_correct"], all_fake["data"]["n_fake"]);
    let auto = attack(&format!("auto:{}", faces().display()));
    assert_eq!(auto["threshold_from"]["source"], "validation");
    let out = folder().join("corrupt");
    let corrupt =
        dfrt!["corrupt", "--model", model(), "--only", "jpeg", "--threshold", "50", "--out", &out, "--json"]
            .json();
    assert_eq!(corrupt["clean"]["accuracy"]["value"], 0.5);
    assert_eq!(json(out.join("corrupt.json"))["threshold_from"]["as"], "50");
    let across = dfrt![
        "eval",
        "--model",
        model(),
        "--data",
        faces(),
        "--data",
        faces(),
        "--threshold",
        "50",
        "--json"
    ]
    .json();
    assert_eq!((&across["threshold"], &across["threshold_from"]["source"]), (&50.0.into(), &"given".into()));
}

fn options_that_cannot_be() {
    for wrong in ["high", "p:2", "auto:", "nan"] {
        eval(&["--threshold", wrong]).failed(2, &["--threshold", "p:0.6", "auto:val.csv"]);
    }
    eval(&["--threshold", "auto:/no/such.csv"]).failed(1, &["/no/such.csv", "no such file"]);
    let bare = folder().join("test.csv");
    let text = String::from_utf8({
        dfrt!["data", "index", faces(), "--out", &bare].done();
        bytes(&bare)
    })
    .unwrap();
    std::fs::write(&bare, text.replace(",val,", ",train,")).unwrap();
    eval(&["--threshold", &format!("auto:{}", bare.display())])
        .failed(1, &["has no val split", "--split val"]);
    let one = one_class("fake");
    eval(&["--threshold", &format!("auto:{}", one.display())])
        .failed(1, &["--threshold auto:", "all 6 pictures are fake"]);
}

/// The test pictures of one class, as a manifest.
fn one_class(label: &str) -> PathBuf {
    let out = folder().join(format!("{label}.csv"));
    let pictures: &Path = &faces().join("test").join(label);
    dfrt!["data", "index", pictures, "--label", label, "--out", &out].done();
    out
}

fn one_class_alone_is_measured() {
    let scores = scores("test");
    for (label, rate, other) in [
        ("fake", "true_positive_rate", "true_negative_rate"),
        ("real", "true_negative_rate", "true_positive_rate"),
    ] {
        let data = one_class(label);
        let data = data.to_str().unwrap();
        let found = eval(&["--data", data]).json();
        let threshold = found["threshold"].as_f64().unwrap();
        let of: Vec<f64> = scores.iter().filter(|(of, _)| of == label).map(|(_, logit)| *logit).collect();
        let right = of.iter().filter(|logit| (**logit > threshold) == (label == "fake")).count();
        let share = right as f64 / of.len() as f64;
        assert_eq!(found["metrics"]["accuracy"]["value"].as_f64(), Some(share));
        assert_eq!(found["rates"][rate], found["metrics"]["accuracy"]);
        assert!(found["rates"][other].is_null());
        for name in ["auc", "balanced_accuracy", "average_precision", "eer", "tpr_at_fpr_1"] {
            assert!(found["metrics"][name].is_null(), "{name}");
        }
        assert!(found["metrics"]["log_loss"]["value"].is_f64());
        assert!(found["undefined"].as_str().unwrap().starts_with(&format!("all pictures are {label}")));
        let words = dfrt!["eval", "--model", model(), "--data", data].done();
        assert!(words.contains("are undefined") && !words.contains("  undefined"), "{words}");
        let out = folder().join("corrupt");
        let ran = dfrt!["corrupt", "--model", model(), "--only", "jpeg", "--data", data, "--out", &out];
        let words = ran.done();
        assert!(words.contains("jpeg: accuracy") && words.contains("are undefined"), "{words}");
        let corrupt = json(out.join("corrupt.json"));
        assert!(corrupt["corruptions"][0]["levels"][0]["metrics"]["auc"].is_null());
        // Training still needs both.
        dfrt!["train", "--data", data, "--arch", "efficientnet-tiny", "--out", folder().join("run")]
            .failed(1, &[]);
    }
}
