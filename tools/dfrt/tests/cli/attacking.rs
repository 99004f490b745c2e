//! `dfrt attack` and `dfrt verify`.

use crate::dfrt;
use crate::workshop::{Ran, bytes, ended, folder, gpu, json, model, plain, program, trained};
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("attack/square_is_a_whole_command", square_is_a_whole_command),
        plain("attack/by_logits_in_both_norms", by_logits_in_both_norms),
        plain("attack/every_search", every_search),
        plain("attack/balls_that_a_search_knows_not", balls_that_a_search_knows_not),
        plain("attack/schedules_of_square", schedules_of_square),
        plain("attack/earlier_results_stay", earlier_results_stay),
        plain("attack/an_interrupted_attack_goes_on", an_interrupted_attack_goes_on),
        plain("attack/threats_that_are_none", threats_that_are_none),
        plain("attack/radii_of_l2_are_lengths_of_pixels", radii_of_l2_are_lengths_of_pixels),
        plain("attack/searches_for_the_shortest_change_tell_distances", searches_tell_distances),
        plain("attack/one_class_alone", one_class_alone),
        plain("attack/options_without_effect_are_named", options_without_effect_are_named),
        plain("attack/no_radius_turns_nothing_over", no_radius_turns_nothing_over),
        plain("verify/what_was_changed_is_found", what_was_changed_is_found),
        plain("verify/folders_that_hold_no_attack", folders_that_hold_no_attack),
        gpu("attack/by_gradients_on_run_and_file", by_gradients_on_run_and_file),
        gpu("attack/every_descent", every_descent),
        gpu("attack/batches_change_nothing", batches_change_nothing),
        gpu("attack/restarts_never_help_the_model", restarts_never_help_the_model),
    ]
}

fn attack(model: &Path, method: &str, out: &Path, more: &[&str]) -> Ran {
    let mut command = program();
    command.args(["attack", "--method", method, "--model"]).arg(model).arg("--out").arg(out).args(more);
    ended(command)
}

fn square_is_a_whole_command() {
    let folder = folder();
    std::fs::copy(model(), folder.join("gr.onnx")).unwrap();
    let mut command = program();
    command.args(["attack", "--model", "gr.onnx", "--method", "square", "--queries", "40"]);
    let table = ended(command_in(command, &folder)).done();
    for words in [
        "clean accuracy",
        "robust accuracy",
        "attack success rate",
        "fake made real",
        "real made fake",
        "queries a picture",
        "certified",
        "reliable",
        "gr-square-linf-8-queries-40",
    ] {
        assert!(table.contains(words), "{words} is not in {table}");
    }
    let report = json(folder.join("gr-square-linf-8-queries-40/attack.json"));
    consistent(&report);
    assert_eq!((report["method"].as_str(), report["eps_255"].as_f64()), (Some("square"), Some(8.0)));
    assert_eq!(report["n"], 12);
    let mut verify = program();
    verify.args(["verify", "gr-square-linf-8-queries-40", "--json"]);
    let verified = ended(command_in(verify, &folder)).json();
    assert_eq!(verified["mismatches"], serde_json::json!([]));
    assert_eq!(verified["successes"], report["certified_8bit"]);
}

fn command_in(mut command: std::process::Command, folder: &Path) -> std::process::Command {
    command.current_dir(folder);
    command
}

/// The figures of attack.json fit each other.
fn consistent(report: &Value) {
    let count = |name: &str| report[name].as_u64().unwrap() as f64;
    let share = |name: &str| report[name].as_f64().unwrap();
    let (n, clean, turned) = (count("n"), count("n_clean_correct"), count("certified_8bit"));
    assert!(clean > 0.0, "some pictures are classified rightly: {report}");
    assert!((share("clean_accuracy") - clean / n).abs() < 1e-12);
    assert!((share("robust_accuracy") - (clean - turned) / n).abs() < 1e-12);
    assert!((share("attack_success_rate") - turned / clean).abs() < 1e-12);
    for direction in ["fake_to_real", "real_to_fake"] {
        assert!(report[direction]["n"].as_u64() == Some(6), "{report}");
    }
    for gate in report["gates"].as_array().unwrap() {
        assert_eq!(gate["passed"], true, "{gate}");
    }
    assert_eq!(report["unreliable"], false);
    assert!(report["queries"]["total"].as_u64().unwrap() > 0);
}

fn by_logits_in_both_norms() {
    for method in ["square", "random-noise"] {
        for (norm, eps) in [("linf", "4"), ("l2", "1.2")] {
            let out = folder().join("attack");
            let options = ["--norm", norm, "--eps", eps, "--queries", "30", "--json"];
            let report = attack(model(), method, &out, &options).json();
            assert_eq!(report, json(out.join("attack.json")));
            assert_eq!((report["method"].as_str(), report["norm"].as_str()), (Some(method), Some(norm)));
            consistent(&report);
            dfrt!["verify", &out].done();
            let samples = String::from_utf8(bytes(out.join("samples.csv"))).unwrap();
            assert!(
                samples.starts_with("id,label,clean_logit,adv_logit,success,queries,linf_255,l2,seconds")
            );
            assert_eq!(samples.lines().count(), 13);
        }
    }
}

fn every_search() {
    let searches = ["simba", "simba-dct", "nes", "spsa", "sign-hunter", "rays", "hop-skip-jump", "boundary"];
    for method in searches {
        let out = folder().join("attack");
        let ball = if method == "boundary" {
            ["--norm", "l2", "--eps", "900/255"]
        } else {
            ["--norm", "linf", "--eps", "64"]
        };
        let options = [&ball[..], &["--queries", "150", "--json"]].concat();
        let report = attack(model(), method, &out, &options).json();
        assert_eq!(report["method"], method);
        consistent(&report);
        assert!(report["queries"]["total"].as_u64().unwrap() <= 12 * 150, "{method}: {report}");
        dfrt!["verify", &out].done();
    }
}

fn balls_that_a_search_knows_not() {
    let out = folder().join("attack");
    attack(model(), "rays", &out, &["--norm", "l2", "--eps", "1"]).failed(2, &["rays", "--norm linf"]);
    attack(model(), "sign-hunter", &out, &["--norm", "l2", "--eps", "1"]).failed(2, &["sign-hunter"]);
    attack(model(), "boundary", &out, &[]).failed(2, &["boundary", "--norm l2"]);
    assert!(!out.exists());
}

fn schedules_of_square() {
    let params = |schedule: &[&str]| {
        let options = [&["--queries", "10", "--limit", "4", "--json"], schedule].concat();
        attack(model(), "square", &folder().join("attack"), &options).json()["params"].clone()
    };
    let (usual, published) = (params(&[]), params(&["--schedule", "published"]));
    assert_eq!((usual["p"].as_f64(), usual["schedule"].as_str()), (Some(0.8), Some("scaled")));
    assert_eq!((published["p"].as_f64(), published["schedule"].as_str()), (Some(0.05), Some("scaled")));
    let fixed = params(&["--schedule", "autoattack"]);
    assert_eq!((fixed["p"].as_f64(), fixed["schedule"].as_str()), (Some(0.8), Some("unscaled")));
    assert_eq!(params(&["--schedule", "rescaled"]), usual);
}

fn earlier_results_stay() {
    let out = folder().join("attack");
    let options = ["--queries", "5", "--limit", "4"];
    attack(model(), "square", &out, &options).done();
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let before = bytes(out.join("attack.json"));
    let other = ["--queries", "6", "--limit", "4"];
    attack(model(), "square", &out, &other).failed(1, &["holds an attack already", "--force"]);
    let resumed = [&other[..], &["--resume"]].concat();
    attack(model(), "square", &out, &resumed).failed(1, &["other settings"]);
    let bad = [&other[..], &["--force", "--data", "absent"]].concat();
    attack(model(), "square", &out, &bad).failed(1, &["absent"]);
    assert_eq!(bytes(out.join("attack.json")), before, "a mistake costs no earlier result");
    let forced = [&other[..], &["--force"]].concat();
    attack(model(), "square", &out, &forced).done();
    assert_eq!(json(out.join("attack.json"))["params"]["queries"], 6);
    assert_eq!(bytes(out.join("notes.txt")), b"mine");
}

fn an_interrupted_attack_goes_on() {
    let (whole, part) = (folder().join("whole"), folder().join("part"));
    let options = ["--queries", "30", "--eps", "2", "--seed", "3"];
    attack(model(), "square", &whole, &options).done();
    // Some of the pictures first, as if it had been stopped there.
    attack(model(), "square", &part, &[&options[..], &["--limit", "6"]].concat()).done();
    attack(model(), "square", &part, &[&options[..], &["--resume", "--threads", "1"]].concat()).done();
    let timeless = |out: &Path| {
        let text = String::from_utf8(bytes(out.join("samples.csv"))).unwrap();
        let line = |line: &str| {
            let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
            fields[8].clear();
            fields
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(timeless(&part), timeless(&whole));
}

fn threats_that_are_none() {
    let out = folder().join("attack");
    let attack = |options: &[&str]| attack(model(), "square", &out, options);
    attack(&["--eps", "0.5"]).failed(2, &["0.5/255", "whole number", "8/255"]);
    attack(&["--eps", "300"]).failed(2, &["300/255"]);
    attack(&["--eps", "-1", "--norm", "l2"]).failed(2, &["-1", "no length"]);
    attack(&["--eps", "0.003", "--norm", "l2"]).failed(2, &["below 1/255", "128/255"]);
    attack(&["--eps", "17", "--norm", "l2"]).failed(2, &["17/255", "0.0667"]);
    attack(&["--eps", "8/256"]).failed(2, &["8/256"]);
    attack(&["--resume", "--force"]).failed(2, &["--resume", "--force"]);
    attack(&["--queries", "0"]).failed(2, &["--queries 0"]);
    attack(&["--limit", "0"]).failed(2, &["--limit 0"]);
    assert!(!out.exists());
}

fn radii_of_l2_are_lengths_of_pixels() {
    let folder = folder();
    std::fs::copy(model(), folder.join("gr.onnx")).unwrap();
    let attack = |options: &[&str]| {
        let mut command = program();
        let all = ["attack", "--model", "gr.onnx", "--method", "square", "--norm", "l2", "--queries", "5"];
        command.args(all).args(["--limit", "4"]).args(options);
        ended(command_in(command, &folder)).done()
    };
    for (options, out, eps, eps_255, words) in [
        (&[][..], "gr-square-l2-0.5-queries-5", 0.5, 127.5, "0.5 (127.5/255)"),
        (&["--eps", "1"], "gr-square-l2-1-queries-5", 1.0, 255.0, "1 (255/255)"),
        (
            &["--eps", "128/255"],
            "gr-square-l2-0.501961-queries-5",
            128.0 / 255.0,
            128.0,
            "0.501961 (128/255)",
        ),
    ] {
        let table = attack(options);
        assert!(table.contains(words), "{words} is not in {table}");
        let report = json(folder.join(out).join("attack.json"));
        assert!((report["eps"].as_f64().unwrap() - eps).abs() < 1e-9, "{report}");
        assert_eq!(report["eps_255"].as_f64(), Some(eps_255));
    }
    attack(&["--eps", "0.5,128/255,2", "--out", "sweep"]);
    let radii = |name: &str| folder.join("sweep").join(name).join("attack.json").is_file();
    assert!(["eps-0.5", "eps-0.501961", "eps-2"].into_iter().all(radii));
    let table = String::from_utf8(bytes(folder.join("sweep/sweep.csv"))).unwrap();
    assert!(table.starts_with("method,norm,eps_255,eps,") && table.contains("l2,510,2,"), "{table}");
}

fn searches_tell_distances() {
    for (method, norm, eps) in [("hop-skip-jump", "l2", "2"), ("rays", "linf", "30")] {
        let out = folder().join("attack");
        let options = ["--norm", norm, "--eps", eps, "--queries", "250"];
        let table = attack(model(), method, &out, &options).done();
        for words in ["minimal distance", "median", "p90", "found for", "within"] {
            assert!(table.contains(words), "{words} is not in {table}");
        }
        let report = json(out.join("attack.json"));
        let found = &report["minimal_distance"];
        assert_eq!((&found["norm"], &found["n"]), (&report["norm"], &report["n_clean_correct"]));
        let (n_found, turned) = (found["n_found"].as_u64(), report["certified_8bit"].as_u64());
        assert!(n_found > Some(0) && n_found >= turned, "{report}");
        let curve = found["curve"].as_array().unwrap();
        assert_eq!(curve[0]["robust_accuracy"], report["clean_accuracy"]);
        // What is certified within the radius crosses there in floats, too.
        let at = curve.iter().find(|point| point["eps"] == report["eps"]).unwrap();
        assert!(at["attack_success_rate"].as_f64() >= report["attack_success_rate"].as_f64(), "{at}");
        assert!(out.join("plots/distance.png").is_file());
        dfrt!["verify", &out].done();
        let text = String::from_utf8(bytes(out.join("attack.json"))).unwrap();
        let median = format!("\"median\": {}", found["median"]);
        std::fs::write(out.join("attack.json"), text.replacen(&median, "\"median\": 0.125", 1)).unwrap();
        let wrong = dfrt!["verify", &out];
        assert!(wrong.code == Some(1) && wrong.err.contains("minimal_distance"), "{wrong:?}");
        // Or the search stops at the first success within the radius.
        let inside = [&options[..], &["--goal", "inside", "--json"]].concat();
        let report = attack(model(), method, &folder().join("attack"), &inside).json();
        assert!(report["minimal_distance"].is_null() && report["params"]["goal"] == "inside", "{report}");
        assert_eq!(report["certified_8bit"].as_u64(), turned);
    }
    let out = folder().join("attack");
    let ran = attack(model(), "square", &out, &["--goal", "inside", "--queries", "2", "--limit", "4"]);
    assert!(ran.err.contains("--goal has no effect on square"), "{ran:?}");
    attack(model(), "rays", &out, &["--goal", "far"]).failed(2, &["--goal far", "nearest, inside"]);
}

fn one_class_alone() {
    let folder = folder();
    std::fs::copy(model(), folder.join("gr.onnx")).unwrap();
    let mut command = program();
    let options = ["--method", "square", "--queries", "5", "--only", "fake", "--json"];
    command.args(["attack", "--model", "gr.onnx"]).args(options);
    let report = ended(command_in(command, &folder)).json();
    assert_eq!((&report["data"]["n_real"], &report["data"]["n_fake"]), (&0.into(), &6.into()));
    assert!(report["auc"].is_null() && report["real_to_fake"]["robust_accuracy"].is_null(), "{report}");
    dfrt!["verify", folder.join("gr-square-linf-8-only-fake-queries-5"), "--model", folder.join("gr.onnx")]
        .done();
    // The pictures are those of an attack on both classes.
    let both = folder.join("both");
    attack(model(), "square", &both, &["--queries", "5"]).done();
    let line = |out: &Path| {
        let text = String::from_utf8(bytes(out.join("samples.csv"))).unwrap();
        let fake = text.lines().find(|line| line.contains(",fake,")).unwrap();
        fake.split(',').take(8).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line(&folder.join("gr-square-linf-8-only-fake-queries-5")), line(&both));
    attack(model(), "square", &folder.join("x"), &["--only", "both"]).failed(2, &["neither real nor fake"]);
}

fn options_without_effect_are_named() {
    let out = folder().join("attack");
    let ran = attack(
        model(),
        "random-noise",
        &out,
        &["--steps", "3", "--queries", "3", "--limit", "4", "--batch", "2"],
    );
    for option in ["--steps", "--batch"] {
        assert!(ran.err.contains(&format!("{option} has no effect on random-noise")), "{ran:?}");
    }
    assert!(!ran.err.contains("--queries has"), "{ran:?}");
    ran.done();
}

fn no_radius_turns_nothing_over() {
    let out = folder().join("attack");
    let report = attack(model(), "square", &out, &["--eps", "0", "--json"]).json();
    assert_eq!(
        (report["certified_8bit"].as_u64(), &report["robust_accuracy"]),
        (Some(0), &report["clean_accuracy"])
    );
}

fn what_was_changed_is_found() {
    let out = folder().join("attack");
    attack(model(), "square", &out, &["--queries", "20", "--eps", "8"]).done();
    let verify = || {
        let ran = dfrt!["verify", &out, "--model", model()];
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let line = ran.err.lines().last().unwrap().to_owned();
        assert!(line.starts_with("error: ") && line.contains("mismatches"), "{ran:?}");
        ran
    };
    let picture = some_picture(&out.join("adversarial"));
    let whole = bytes(&picture);
    std::fs::write(&picture, bytes(other_picture(&out.join("adversarial"), &picture))).unwrap();
    assert!(verify().err.contains("was changed"));
    std::fs::remove_file(&picture).unwrap();
    assert!(verify().err.contains("cannot be read"));
    std::fs::write(&picture, whole).unwrap();
    dfrt!["verify", &out].done();
    let text = String::from_utf8(bytes(out.join("attack.json"))).unwrap();
    std::fs::write(out.join("attack.json"), text.replace("\"n\": 12", "\"n\": 13")).unwrap();
    assert!(verify().err.contains("attack.json: n is 13"));
    let json = dfrt!["verify", &out, "--json"];
    assert_eq!(json.code, Some(1));
    let found: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(found["mismatches"].as_array().unwrap().len(), 1, "{found}");
}

fn some_picture(folder: &Path) -> PathBuf {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.remove(0)
}

fn other_picture(folder: &Path, one: &Path) -> PathBuf {
    let mut paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path != one).unwrap()
}

fn folders_that_hold_no_attack() {
    dfrt!["verify", folder()].failed(1, &["attack.json"]);
    dfrt!["verify", folder().join("absent")].failed(1, &["absent"]);
    let out = folder().join("attack");
    attack(model(), "square", &out, &["--queries", "5", "--limit", "4"]).done();
    let other = folder().join("other.onnx");
    std::fs::write(&other, b"no model").unwrap();
    dfrt!["verify", &out, "--model", &other].failed(1, &["other.onnx", "no ONNX model"]);
    std::fs::write(out.join("attack.json"), "[1, 2").unwrap();
    dfrt!["verify", &out].failed(1, &["attack.json", "cannot be understood"]);
}

fn by_gradients_on_run_and_file() {
    let file = folder().join("gr.onnx");
    dfrt!["export", trained(), "--out", &file].done();
    for (method, options) in
        [("fgsm", &["--eps", "4"][..]), ("pgd", &["--eps", "1.2", "--norm", "l2", "--steps", "3"][..])]
    {
        let options = [options, &["--json"]].concat();
        let [of_run, of_file] = [trained(), &file].map(|model| {
            let out = folder().join("attack");
            let report = attack(model, method, &out, &options).json();
            consistent(&report);
            let gates = report["gates"].as_array().unwrap();
            assert!(gates.iter().any(|gate| gate["name"] == "nonzero-gradients"), "{report}");
            dfrt!["verify", &out].done();
            report
        });
        assert_eq!(of_run["robust_accuracy"], of_file["robust_accuracy"]);
        assert_eq!(of_run["model"]["sha256"], of_file["model"]["sha256"]);
    }
}

fn every_descent() {
    for method in ["mi-fgsm", "apgd-ce", "apgd-margin", "fab", "cw", "deepfool"] {
        let out = folder().join("attack");
        let options = ["--norm", "l2", "--eps", "300/255", "--steps", "5", "--json"];
        let report = attack(trained(), method, &out, &options).json();
        assert_eq!(report["method"], method);
        consistent(&report);
        let gates = report["gates"].as_array().unwrap();
        assert!(gates.iter().any(|gate| gate["name"] == "nonzero-gradients"), "{report}");
        dfrt!["verify", &out].done();
    }
}

fn batches_change_nothing() {
    let samples = |batch: &str| {
        let out = folder().join("attack");
        attack(trained(), "pgd", &out, &["--eps", "2", "--steps", "2", "--batch", batch]).done();
        let text = String::from_utf8(bytes(out.join("samples.csv"))).unwrap();
        let line = |line: &str| {
            let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
            fields[8].clear();
            fields
        };
        text.lines().map(line).collect::<Vec<_>>()
    };
    assert_eq!(samples("5"), samples("16"));
}

fn restarts_never_help_the_model() {
    let robust = |restarts: &str| {
        let out = folder().join("attack");
        let options = ["--eps", "1", "--steps", "2", "--restarts", restarts, "--json"];
        attack(trained(), "pgd", &out, &options).json()["robust_accuracy"].as_f64().unwrap()
    };
    assert!(robust("3") <= robust("1"));
    let out = folder().join("attack");
    for option in ["--steps", "--restarts", "--batch"] {
        attack(trained(), "pgd", &out, &[option, "0"]).failed(2, &[option]);
    }
    attack(trained(), "pgd", &out, &["--device", "99"]).failed(1, &["device 99"]);
    assert!(!out.exists());
}
