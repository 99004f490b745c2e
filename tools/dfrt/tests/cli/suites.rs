//! `dfrt attack` beyond one attack at one radius: suites, sweeps, traces, surrogates,
//! attacks that run out of time.

use crate::dfrt;
use crate::workshop::{Ran, bytes, ended, faces, folder, gpu, json, model, plain, program, trained};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("suites/without_gradients_in_both_norms", without_gradients_in_both_norms),
        plain("suites/several_radii_are_one_sweep", several_radii_are_one_sweep),
        plain("suites/a_tape_plays_the_same_search", a_tape_plays_the_same_search),
        plain("suites/what_has_no_tape", what_has_no_tape),
        plain("suites/out_of_time_and_on_again", out_of_time_and_on_again),
        gpu("suites/with_gradients_and_verified", with_gradients_and_verified),
        gpu("suites/a_surrogates_gradients", a_surrogates_gradients),
    ]
}

fn attack(model: &Path, method: &str, out: &Path, more: &[&str]) -> Ran {
    let mut command = program();
    command.args(["attack", "--method", method, "--model"]).arg(model).arg("--out").arg(out).args(more);
    ended(command)
}

fn names(report: &Value) -> Vec<&str> {
    report["stages"].as_array().unwrap().iter().map(|stage| stage["method"].as_str().unwrap()).collect()
}

/// The pictures that stages left add up, and what is reported is what is saved.
fn consistent(report: &Value, out: &Path) {
    let count = |value: &Value| value.as_u64().unwrap();
    let mut standing = count(&report["n_clean_correct"]);
    for stage in report["stages"].as_array().unwrap() {
        assert_eq!(count(&stage["n_attacked"]), standing, "{stage}");
        standing -= count(&stage["n_broken"]);
        let left = standing as f64 / count(&report["n"]) as f64;
        assert!((stage["robust_accuracy"].as_f64().unwrap() - left).abs() < 1e-12, "{stage}");
    }
    assert_eq!(count(&report["certified_8bit"]), count(&report["n_clean_correct"]) - standing);
    assert_eq!(json(out.join("attack.json")), *report);
    let verified = dfrt!["verify", out, "--json"].json();
    assert_eq!(verified["successes"], report["certified_8bit"]);
    assert!(out.join("grid.png").is_file());
}

fn without_gradients_in_both_norms() {
    let norms = [
        (["--norm", "linf", "--eps", "60"], &["square", "sign-hunter", "rays", "random-noise"]),
        (["--norm", "l2", "--eps", "700/255"], &["square", "simba-dct", "hop-skip-jump", "random-noise"]),
    ];
    for (norm, stages) in norms {
        let out = folder().join("suite");
        let options = [&norm[..], &["--queries", "40", "--json"]].concat();
        let report = attack(model(), "suite-black", &out, &options).json();
        let found = names(&report);
        assert_eq!(found, stages[..found.len()], "those after the last picture fell are not made");
        consistent(&report, &out);
    }
    let out = folder().join("suite");
    let table = attack(model(), "suite-black", &out, &["--eps", "1", "--queries", "9"]).done();
    for words in ["sign-hunter", "broke", "after it", "gate beats-noise"] {
        assert!(table.contains(words), "{words} is not in {table}");
    }
    attack(model(), "suite-black", &out, &["--eps", "1"]).failed(1, &["--resume", "--force"]);
    attack(model(), "suite-black", &out, &["--eps", "1", "--queries", "5", "--force"]).done();
    assert_eq!(json(out.join("attack.json"))["params"]["rays"]["queries"], 5);
}

fn several_radii_are_one_sweep() {
    let out = folder().join("sweep");
    let options = ["--eps", "64,2,8", "--queries", "30", "--json"];
    let sweep = attack(model(), "square", &out, &options).json();
    let points = sweep["points"].as_array().unwrap();
    let radii: Vec<f64> = points.iter().map(|point| point["eps_255"].as_f64().unwrap()).collect();
    assert_eq!(radii, [2.0, 8.0, 64.0]);
    let gates = sweep["gates"].as_array().unwrap();
    let names: Vec<&str> = gates.iter().map(|gate| gate["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["falls-with-epsilon", "breaks-at-64"]);
    assert_eq!(json(out.join("sweep.json")), sweep);
    for (radius, point) in ["2", "8", "64"].iter().zip(points) {
        let folder = out.join(format!("eps-{radius}"));
        assert_eq!(json(folder.join("attack.json")), *point);
        dfrt!["verify", &folder].done();
    }
    let all = dfrt!["verify", &out, "--json"].json();
    let turned: u64 = points.iter().map(|point| point["certified_8bit"].as_u64().unwrap()).sum();
    assert_eq!((all["samples"].as_u64(), all["successes"].as_u64()), (Some(36), Some(turned)));
    let table = String::from_utf8(bytes(out.join("sweep.csv"))).unwrap();
    assert_eq!(table.lines().count(), 4);
    assert!(out.join("plots/accuracy.png").is_file());
    // One radius alone at the same place is the same attack.
    let alone = folder().join("alone");
    let one = attack(model(), "square", &alone, &["--eps", "8", "--queries", "30", "--json"]).json();
    assert_eq!(one["robust_accuracy"], points[1]["robust_accuracy"]);
    attack(model(), "square", &out, &options).failed(1, &["holds an attack already"]);
    attack(model(), "square", &out, &[&options[..], &["--resume"]].concat()).json();
    attack(model(), "square", &out, &["--eps", "4", "--queries", "5", "--force"]).done();
    assert!(!out.join("eps-8").exists() && !out.join("sweep.json").exists());
}

fn a_tape_plays_the_same_search() {
    let (first, again) = (folder().join("first"), folder().join("again"));
    let trace = first.with_file_name("square.trace");
    let trace = trace.to_str().unwrap();
    let options = ["--eps", "4", "--queries", "25"];
    let run = |out: &Path, more: &[&str]| attack(model(), "square", out, &[&options[..], more].concat());
    run(&first, &["--tape", trace]).done();
    run(&again, &["--replay", trace]).done();
    let timeless = |out: &Path| {
        let text = String::from_utf8(bytes(out.join("samples.csv"))).unwrap();
        let line = |line: &str| {
            line.split(',')
                .enumerate()
                .filter(|(at, _)| *at != 8)
                .map(|(_, field)| field.to_owned())
                .collect()
        };
        text.lines().map(line).collect::<Vec<Vec<String>>>()
    };
    assert_eq!(timeless(&first), timeless(&again));
    run(&folder().join("x"), &["--tape", trace]).failed(1, &["exists already", "--force"]);
    run(&folder().join("x"), &["--replay", trace, "--seed", "1"]).failed(1, &["another attack", "seed"]);
    run(&first, &["--tape", trace, "--force"]).done();
    let changed = String::from_utf8(bytes(trace)).unwrap().replacen("\"kept\":true", "\"kept\":false", 1);
    std::fs::write(trace, changed).unwrap();
    run(&folder().join("x"), &["--replay", trace]).failed(1, &["square.trace", "event"]);
    run(&folder().join("x"), &["--replay", "nowhere.trace"]).failed(1, &["nowhere.trace"]);
}

fn what_has_no_tape() {
    let out = folder().join("attack");
    let trace = folder().join("t");
    let option = ["--tape", trace.to_str().unwrap()];
    for (method, more) in [("suite-black", &[][..]), ("pgd", &[]), ("square", &["--eps", "1,2"])] {
        attack(model(), method, &out, &[&option[..], more].concat())
            .failed(2, &["a trace records one attack"]);
    }
    assert!(!trace.exists() && !out.exists());
}

fn out_of_time_and_on_again() {
    let out = folder().join("attack");
    let options = ["--eps", "1", "--queries", "400", "--threads", "1"];
    let run = |more: &[&str]| attack(model(), "square", &out, &[&options[..], more].concat());
    let cut = run(&["--time-budget", "30ms"]);
    // So little time may not even be enough for one picture.
    let reached = match cut.code {
        Some(0) => json(out.join("attack.json"))["n"].as_u64().unwrap(),
        _ => {
            cut.failed(1, &["--time-budget"]);
            0
        }
    };
    assert!(reached < 12, "12 pictures of 400 queries take longer");
    if reached > 0 {
        assert_eq!(json(out.join("attack.json"))["not_reached"], 12 - reached);
    }
    let whole = run(&["--resume", "--json"]).json();
    assert_eq!((whole["n"].as_u64(), whole["not_reached"].as_u64()), (Some(12), Some(0)));
    dfrt!["verify", &out].done();
    let out = folder().join("suite");
    let report = attack(
        model(),
        "suite-black",
        &out,
        &["--eps", "1", "--queries", "5", "--time-budget", "1ms", "--json"],
    )
    .json();
    assert_eq!(
        (report["n"].as_u64(), report["not_reached"].as_u64()),
        (Some(12), Some(0)),
        "a round is not cut"
    );
    consistent(&report, &out);
}

fn with_gradients_and_verified() {
    let out = folder().join("suite");
    let options = ["--eps", "1", "--steps", "3", "--restarts", "1", "--queries", "10", "--json"];
    let report = attack(trained(), "suite", &out, &options).json();
    let found = names(&report);
    assert_eq!(found, ["apgd-ce", "apgd-margin", "fab", "square", "random-noise"][..found.len()]);
    consistent(&report, &out);
    let gates = report["gates"].as_array().unwrap();
    assert!(gates.iter().any(|gate| gate["name"] == "white-box-strongest"), "{report}");
    let foreign = folder().join("suite");
    let message = attack(model(), "suite", &foreign, &["--surrogate", "nowhere"]).failed(1, &["nowhere"]);
    assert!(message.contains("no such file"), "{message}");
}

fn a_surrogates_gradients() {
    let out = folder().join("transfer");
    let surrogate = trained().to_str().unwrap();
    let options = ["--eps", "8", "--surrogate", surrogate, "--json"];
    let report = attack(model(), "mi-fgsm", &out, &options).json();
    assert_eq!(
        (report["method"].as_str(), report["params"]["crafted_by"].as_str()),
        (Some("transfer"), Some("mi-fgsm"))
    );
    assert!(report["params"]["surrogate"].as_str().unwrap().contains(surrogate));
    dfrt!["verify", &out].done();
    attack(model(), "fab", &folder().join("x"), &options).failed(2, &["fab", "mi-fgsm"]);
    let out = folder().join("suite");
    let options = ["--eps", "1", "--surrogate", surrogate, "--queries", "10", "--json"];
    let report = attack(model(), "suite-black", &out, &options).json();
    assert_eq!(names(&report)[0], "transfer");
    consistent(&report, &out);
    let larger = folder().join("larger");
    crate::workshop::train(faces(), &larger, &["--epochs", "1", "--res", "64", "--limit", "8"]).done();
    let options = ["--surrogate", larger.to_str().unwrap()];
    attack(model(), "pgd", &folder().join("x"), &options).failed(1, &["the surrogate takes 64 px", "32"]);
}
