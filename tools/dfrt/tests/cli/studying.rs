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
        gpu("study/it_grows_and_keeps_what_is_done", it_grows_and_keeps_what_is_done),
        gpu("study/jobs_one_by_one_are_merged", jobs_one_by_one_are_merged),
        gpu("study/it_says_why", it_says_why),
        gpu("study/results_of_another_model_are_missing", results_of_another_model_are_missing),
        gpu("study/other_pictures_are_noticed", other_pictures_are_noticed),
        gpu("report/renders_the_same_again", renders_the_same_again),
        plain("study/settings_that_cannot_be_used", settings_that_cannot_be_used),
        gpu("selftest/planted_attacks_are_found", planted_attacks_are_found),
    ]
}

const SMALL: [&str; 20] = [
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
    "--explain",
    "2",
    "--eps",
    "8",
];

fn study(out: &Path, more: &[&str]) -> Ran {
    study_of(faces(), out, more)
}

fn study_of(data: &Path, out: &Path, more: &[&str]) -> Ran {
    let mut arguments: Vec<OsString> =
        ["study".into(), "--data".into(), data.into(), "--out".into()].to_vec();
    arguments.push(out.into());
    // What `more` names replaces what is usual.
    let usual = SMALL.chunks(2).filter(|pair| !more.contains(&pair[0])).flatten();
    arguments.extend(usual.chain(more).map(OsString::from));
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
    assert_eq!(report["audit"]["data"]["looked_at"], report["audit"]["data"]["pictures"]);
    assert!(report["audit"]["findings"].as_array().unwrap().len() > 10, "{}", report["audit"]);
    for name in ["report.html", "report.md", "audit.json", "study.toml", "baseline.onnx", "gr.onnx"] {
        assert!(!bytes(finished().join(name)).is_empty(), "{name}");
    }
}

fn the_published_models_can_be_attacked() {
    let out = folder().join("attack");
    let model = finished().join("gr.onnx");
    dfrt!["attack", "--model", &model, "--method", "pgd", "--steps", "2", "--limit", "2", "--out", &out]
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
        .failed(1, &["baseline-seed0", "trained with other settings: lr was 0.0005 and is 0.1;"]);
}

/// One more arm, seed and radius: the report is that of a study made at once.
fn it_grows_and_keeps_what_is_done() {
    let more = ["--arms", "baseline,gr,at:steps=1:clean=0:growth=0", "--seeds", "0,1", "--eps", "4,8"];
    // Robust arms select epochs by another criterion, so the first two are given the same one from the start.
    let criterion = ["--select", "auc"];
    let started = folder().join("grown");
    study(&started, &criterion).done();
    let before = bytes(started.join("gr-seed0/last.safetensors"));
    let again = ["--resume", "--json"].iter().chain(&more).chain(&criterion).copied().collect::<Vec<_>>();
    let report = study(&started, &again).json();
    assert_eq!(bytes(started.join("gr-seed0/last.safetensors")), before, "trained again");
    let at_once = folder().join("at_once");
    let all = ["--json"].iter().chain(&more).chain(&criterion).copied().collect::<Vec<_>>();
    let whole = study(&at_once, &all).json();
    assert_eq!(report["arms"].as_array().unwrap().len(), 6);
    assert_eq!(report["comparisons"], whole["comparisons"]);
    let rows = json(started.join("at-steps-1-clean-0-growth-0-seed1/transfer.json"))["rows"].clone();
    let rows = rows.as_array().unwrap();
    // Three sources at two radii; on its own pictures it is as robust as the attack says.
    assert_eq!(rows.len(), 6);
    let own = rows.iter().find(|row| row["source"] == "at-steps-1-clean-0-growth-0-seed1").unwrap();
    let attack =
        started.join("at-steps-1-clean-0-growth-0-seed1/attacks").join(own["attack"].as_str().unwrap());
    let robust = json(attack.join("attack.json"))["robust_accuracy"].as_f64().unwrap();
    assert_eq!(own["n_right"].as_f64().unwrap() / own["n"].as_f64().unwrap(), robust);
}

fn results_of_another_model_are_missing() {
    let out = copied(finished());
    std::fs::copy(out.join("baseline-seed0/model.onnx"), out.join("gr-seed0/model.onnx")).unwrap();
    std::fs::remove_file(out.join("report.json")).unwrap();
    let report = dfrt!["report", &out, "--json"].json();
    let names: Vec<_> =
        report["arms"].as_array().unwrap().iter().map(|arm| arm["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["baseline"]);
    let missing: Vec<_> =
        report["missing"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(
        missing.contains(&"gr, seed 0: evaluate") && !missing.contains(&"gr, seed 0: train"),
        "{missing:?}"
    );
}

fn other_pictures_are_noticed() {
    let (out, data) = (folder().join("other_pictures"), copied(faces()));
    let study = |more: &str| {
        study_of(&data, &out, &["--arms", "baseline", "--attacks", "fgsm", "--explain", "0", more])
    };
    study("--json").done();
    let mut picture = data.join("train");
    while picture.is_dir() {
        picture = std::fs::read_dir(&picture).unwrap().next().unwrap().unwrap().path();
    }
    std::fs::remove_file(picture).unwrap();
    study("--resume").failed(1, &["baseline-seed0", "was trained on other pictures"]);
}

fn jobs_one_by_one_are_merged() {
    let out = folder().join("jobs");
    let list = study(&out, &["--plan", "--json"]).json();
    let list = list.as_array().unwrap();
    assert!(
        list.iter().all(|job| job["done"] == false && job["minutes"].as_f64().unwrap() > 0.0),
        "{list:?}"
    );
    // Two trainings, evaluations, explanations, pairs of attacks, and the transfer of both.
    assert_eq!(list.len(), 12);
    study(&out, &["--job", "13"]).failed(1, &["job 13", "1 to 12"]);
    study(&out, &["--job", "2"]).failed(1, &["evaluate", "baseline-seed0", "not trained"]);
    for job in ["1", "2", "3"] {
        study(&out, &["--job", job]).done();
    }
    let partial = dfrt!["report", &out, "--json"];
    assert!(partial.err.contains("9 units of work are not done"), "{partial:?}");
    assert_eq!(partial.json()["arms"].as_array().unwrap().len(), 1);
    for job in ["4", "5", "6", "7", "8", "9", "10", "11", "12"] {
        study(&out, &["--job", job]).done();
    }
    let status = study(&out, &["--status"]).done();
    assert!(status.contains("12 of 12 units of work are done"), "{status}");
    let merged = dfrt!["report", &out, "--json"].json();
    let at_once = json(finished().join("report.json"));
    assert_eq!(merged["comparisons"], at_once["comparisons"]);
    assert_eq!(merged["explanation"]["comparisons"], at_once["explanation"]["comparisons"]);
}

/// The study's explanation is that of `dfrt explain` on its models, and the report shows it.
fn it_says_why() {
    let report = json(finished().join("report.json"));
    let found = &report["explanation"];
    let out = folder().join("why");
    let model = |arm: &str| format!("{arm}={}", finished().join(format!("{arm}-seed0")).display());
    let own = dfrt![
        "explain",
        "--model",
        model("baseline"),
        "--model",
        model("gr"),
        "--limit",
        "2",
        "--out",
        &out,
        "--json"
    ]
    .json();
    assert_eq!(found["sentences"], own["sentences"]);
    assert_eq!(found["comparisons"], own["comparisons"]);
    let page = String::from_utf8(bytes(finished().join("report.html"))).unwrap();
    assert!(page.contains("<h2 id=\"why\">") && page.contains("<h2 id=\"decided\">"), "no explanation");
    // The page writes some letters in another way; the end of the sentence has none of these.
    let sentences = found["sentences"].as_array().unwrap();
    assert!(sentences.iter().any(|sentence| sentence["arm"] == "gr" && sentence["about"] == "explanation"));
    assert!(page.matches("supported</span>").count() >= sentences.len() - 1, "a sentence is missing");
    let without = copied(finished());
    std::fs::remove_dir_all(without.join("gr-seed0/explain/images")).unwrap();
    let told = dfrt!["report", &without];
    assert!(told.err.contains("what decided") && told.err.contains("gr-seed0/explain/images"), "{told:?}");
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
