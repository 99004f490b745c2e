//! `dfrt study`, `dfrt report` on what it leaves, and `dfrt selftest`.

use crate::dfrt;
use crate::workshop::{Ran, bytes, copied, faces, folder, gpu, json, plain, run};
use libtest_mimic::Trial;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub fn trials() -> Vec<Trial> {
    vec![
        gpu("study/ends_in_a_report_of_both_arms", ends_in_a_report_of_both_arms),
        gpu("study/the_published_models_can_be_attacked", the_published_models_can_be_attacked),
        gpu("study/an_interrupted_study_goes_on", an_interrupted_study_goes_on),
        gpu("study/an_earlier_study_stays", an_earlier_study_stays),
        gpu("report/renders_the_same_again", renders_the_same_again),
        plain("study/settings_that_cannot_be_used", settings_that_cannot_be_used),
        gpu("selftest/planted_attacks_are_found", planted_attacks_are_found),
    ]
}

const SMALL: [&str; 18] = [
    "--arch",
    "efficientnet-tiny",
    "--res",
    "32",
    "--epochs",
    "1",
    "--batch",
    "8",
    "--seeds",
    "0",
    "--attacks",
    "fgsm,square",
    "--queries",
    "20",
    "--attack-limit",
    "6",
    "--eps",
    "8",
];

fn study(out: &Path, more: &[&str]) -> Ran {
    let mut arguments: Vec<OsString> = vec!["study".into(), "--data".into(), faces().into(), "--out".into()];
    arguments.push(out.into());
    arguments.extend(SMALL.iter().chain(more).map(OsString::from));
    run(&arguments)
}

/// Where the trainings of [`finished`] left their event files.
pub fn events() -> PathBuf {
    finished().with_file_name("events")
}

/// A study of one seed, run once.
pub fn finished() -> &'static Path {
    static STUDY: LazyLock<PathBuf> = LazyLock::new(|| {
        let out = folder().join("study");
        let events = out.with_file_name("events");
        let table = study(&out, &["--tensorboard", events.to_str().unwrap()]).done();
        for words in ["baseline", "gr against baseline", "square linf 8/255", "report.html"] {
            assert!(table.contains(words), "{words} is not in {table}");
        }
        out
    });
    &STUDY
}

fn ends_in_a_report_of_both_arms() {
    let report = json(finished().join("report.json"));
    let arms = report["arms"].as_array().unwrap();
    let names: Vec<_> = arms.iter().map(|arm| arm["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["baseline", "gr"]);
    for arm in arms {
        assert!(arm["eval"]["metrics"]["auc"]["value"].is_number(), "{arm}");
        let attacks: Vec<_> = arm["attacks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|attack| attack["method"].as_str().unwrap())
            .collect();
        assert_eq!(attacks, ["fgsm", "square"]);
    }
    let metrics: Vec<_> =
        report["comparisons"].as_array().unwrap().iter().map(|one| one["metric"].as_str().unwrap()).collect();
    assert!(
        metrics.contains(&"auc") && metrics.contains(&"robust_accuracy[square linf 8/255]"),
        "{metrics:?}"
    );
    for name in ["report.html", "report.md", "study.toml", "baseline.onnx", "gr.onnx"] {
        assert!(!bytes(finished().join(name)).is_empty(), "{name}");
    }
}

fn the_published_models_can_be_attacked() {
    let out = folder().join("attack");
    let model = finished().join("gr.onnx");
    dfrt!["attack", "--model", &model, "--method", "pgd", "--steps", "2", "--limit", "4", "--out", &out]
        .done();
    dfrt!["verify", &out].done();
    let attack = finished().join("gr-seed0/attacks/square-linf-8");
    dfrt!["verify", &attack].done();
}

fn an_interrupted_study_goes_on() {
    let part = copied(finished());
    let whole = json(part.join("report.json"));
    for name in [
        "report.json",
        "gr-seed0/eval.json",
        "gr-seed0/summary.json",
        "gr-seed0/attacks/square-linf-8/attack.json",
    ] {
        std::fs::remove_file(part.join(name)).unwrap();
    }
    let report = study(&part, &["--resume", "--json"]).json();
    assert_eq!(report["comparisons"], whole["comparisons"]);
    study(&part, &["--resume", "--lr", "0.1"])
        .failed(1, &["study.toml", "other settings: lr was 0.0005 and is 0.1;"]);
}

fn an_earlier_study_stays() {
    let out = copied(finished());
    let before = bytes(out.join("report.json"));
    study(&out, &[]).failed(1, &["exists already", "--resume", "--force"]);
    let bad = dfrt!["study", "--data", folder().join("absent"), "--out", &out, "--force"];
    bad.failed(1, &["absent"]);
    assert_eq!(bytes(out.join("report.json")), before);
}

fn renders_the_same_again() {
    let out = copied(finished());
    let page = bytes(out.join("report.html"));
    std::fs::remove_file(out.join("report.html")).unwrap();
    assert!(dfrt!["report", &out].done().contains("report.html"));
    assert!(bytes(out.join("report.html")) == page);
    assert_eq!(dfrt!["report", &out, "--json"].json(), json(out.join("report.json")));
}

fn settings_that_cannot_be_used() {
    let out = folder().join("study");
    let study = |option: &str, value: &str| dfrt!["study", "--data", faces(), "--out", &out, option, value];
    study("--res", "0").failed(2, &["resolution 0"]);
    for option in ["--steps", "--restarts", "--queries", "--attack-limit", "--batch"] {
        study(option, "0").failed(2, &[&format!("{option} 0"), "1 or more"]);
    }
    study("--attacks", "magic").failed(2, &["magic"]);
    study("--arms", "magic").failed(2, &["magic"]);
    study("--eps", "some").failed(2, &["some"]);
    dfrt!["study", "--out", &out].failed(2, &["--data"]);
    assert!(!out.exists());
}

fn planted_attacks_are_found() {
    let checks = dfrt!["selftest", "--only", "planted", "--json"];
    let checks = checks.json();
    assert!(!checks.as_array().unwrap().is_empty());
    assert!(checks.as_array().unwrap().iter().all(|check| check["passed"] == true), "{checks}");
    assert_eq!(dfrt!["selftest", "--only", "no such check"].code, Some(2));
}
