//! Records that can be trusted: one writer a folder, going on by content, every figure
//! checked again.

use crate::dfrt;
use crate::workshop::{
    Ran, bytes, copied, ended, faces, folder, json, model, plain, program, run, wait_until,
};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("records/one_writer_a_folder", one_writer_a_folder),
        plain("records/no_command_leaves_a_lock", no_command_leaves_a_lock),
        plain("records/other_settings_are_other_folders", other_settings_are_other_folders),
        plain("records/a_replaced_picture_is_attacked_anew", a_replaced_picture_is_attacked_anew),
        plain("records/a_moved_data_set_is_the_same", a_moved_data_set_is_the_same),
        plain("records/a_shifted_data_set_is_refused", a_shifted_data_set_is_refused),
        plain("records/the_setting_that_differs_is_named", the_setting_that_differs_is_named),
        plain("records/two_results_are_not_mixed", two_results_are_not_mixed),
        plain("records/a_false_figure_is_found", a_false_figure_is_found),
        plain(
            "records/a_false_figure_of_suites_and_sweeps_is_found",
            a_false_figure_of_suites_and_sweeps_is_found,
        ),
        plain("records/queries_are_those_on_the_tape", queries_are_those_on_the_tape),
    ]
}

/// The arguments of an attack by Square.
fn square(data: &Path, out: &Path, more: &[&str]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["attack", "--method", "square", "--model"].map(Into::into).to_vec();
    arguments.extend([model().into(), "--data".into(), data.into(), "--out".into(), out.into()]);
    arguments.extend(more.iter().map(OsString::from));
    arguments
}

fn attack(data: &Path, out: &Path, more: &[&str]) -> Ran {
    run(&square(data, out, more))
}

/// An attack that is at work and would be for hours.
fn endless(out: &Path) -> Child {
    let arguments = square(faces(), out, &["--eps", "1", "--queries", "100000000"]);
    let child = program().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(|| out.join("journal.csv").exists());
    child
}

fn one_writer_a_folder() {
    let out = folder().join("attack");
    let mut first = endless(&out);
    let id = format!("process {}", first.id());
    let few = ["--eps", "1", "--queries", "5"];
    for more in [&few[..], &[&few[..], &["--force"]].concat(), &[&few[..], &["--resume"]].concat()] {
        attack(faces(), &out, more).failed(1, &["is being written by", &id, "--out"]);
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(out.join(".dfrt.lock").exists(), "a killed process removes nothing");
    attack(faces(), &out, &few).failed(1, &["holds an attack already"]);
    assert!(!out.join(".dfrt.lock").exists());
    // What a killed process had locked is taken over, and said to be.
    let other = folder().join("other");
    let mut second = endless(&other);
    let id = format!("process {} on", second.id());
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(other.join(".dfrt.lock").exists(), "a killed process removes nothing");
    let taken = attack(faces(), &other, &[&few[..], &["--force"]].concat());
    assert!(taken.err.contains(&id) && taken.err.contains("its lock is taken over"), "{taken:?}");
    taken.done();
    assert!(!other.join(".dfrt.lock").exists(), "the work has ended");
    dfrt!["verify", &other].done();
}

fn no_command_leaves_a_lock() {
    let root = folder();
    let at = |name: &str| root.join(name);
    attack(faces(), &at("attack"), &["--eps", "2,4", "--queries", "3", "--limit", "4"]).done();
    dfrt!["corrupt", "--model", model(), "--only", "resize", "--limit", "4", "--out", at("corrupt")].done();
    dfrt!["data", "synth", "--out", at("drawn"), "--count", "12", "--size", "32"].done();
    attack(&at("absent"), &at("failed"), &[]).failed(1, &["absent"]);
    assert!(!at("failed").exists(), "what never began leaves nothing");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            assert!(!path.to_string_lossy().contains(".dfrt"), "{}", path.display());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
}

fn other_settings_are_other_folders() {
    let at = folder();
    std::fs::copy(model(), at.join("m.onnx")).unwrap();
    let attack = |more: &[&str]| {
        let mut command = program();
        command.current_dir(&at).args(["attack", "--model", "m.onnx", "--limit", "4"]);
        if !more.contains(&"--method") {
            command.args(["--method", "square"]);
        }
        ended({
            command.args(more);
            command
        })
        .done()
    };
    attack(&["--queries", "3"]);
    attack(&["--queries", "3", "--seed", "1"]);
    attack(&["--queries", "4", "--schedule", "published"]);
    attack(&["--queries", "3", "--eps", "2,4"]);
    attack(&["--queries", "3", "--threshold", "p:0.6"]);
    attack(&["--method", "rays", "--queries", "3", "--goal", "inside"]);
    attack(&["--method", "rays", "--queries", "3", "--goal", "nearest"]);
    for name in [
        "m-square-linf-8-queries-3",
        "m-square-linf-8-queries-3-seed-1",
        "m-square-linf-8-queries-4-schedule-published",
        "m-square-linf-2-4-queries-3",
        "m-square-linf-8-threshold-p0.6-queries-3",
        "m-rays-linf-8-goal-inside-queries-3",
        "m-rays-linf-8-queries-3",
    ] {
        assert!(at.join(name).is_dir(), "{name}");
    }
}

/// samples.csv without seconds.
fn timeless(out: &Path) -> Vec<Vec<String>> {
    let text = String::from_utf8(bytes(out.join("samples.csv"))).unwrap();
    let fields = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let mut lines: Vec<Vec<String>> = text.lines().map(fields).collect();
    lines.iter_mut().for_each(|fields| fields[8].clear());
    lines
}

/// The test pictures of one class, in the order of their names.
fn pictures(data: &Path, class: &str) -> Vec<PathBuf> {
    let mut folders = vec![data.join("test").join(class)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn a_replaced_picture_is_attacked_anew() {
    let data = copied(faces());
    let (out, fresh) = (folder().join("attack"), folder().join("fresh"));
    let options = ["--eps", "4", "--queries", "30"];
    attack(&data, &out, &options).done();
    let before = timeless(&out);
    // Attacked or not, whatever the model said: every class's first under the last one's name.
    for class in ["real", "fake"] {
        let files = pictures(&data, class);
        std::fs::copy(&files[files.len() - 1], &files[0]).unwrap();
    }
    let resumed = attack(&data, &out, &[&options[..], &["--resume"]].concat());
    assert!(resumed.err.contains("2 pictures have changed"), "{resumed:?}");
    resumed.done();
    attack(&data, &fresh, &options).done();
    assert_eq!(timeless(&out), timeless(&fresh));
    assert_ne!(timeless(&out), before);
    dfrt!["verify", &out].done();
    // Nothing has changed since: nothing is done, not even to the clock.
    let last = bytes(out.join("attack.json"));
    attack(&data, &out, &[&options[..], &["--resume"]].concat()).done();
    assert_eq!(bytes(out.join("attack.json")), last);
}

fn a_moved_data_set_is_the_same() {
    let (data, out) = (copied(faces()), folder().join("attack"));
    let options = ["--eps", "4", "--queries", "20", "--resume"];
    attack(&data, &out, &options[..4]).done();
    let spent = |out: &Path| json(out.join("attack.json"))["queries"].clone();
    let before = spent(&out);
    let moved = data.with_file_name("moved");
    std::fs::rename(&data, &moved).unwrap();
    let ran = attack(&moved, &out, &options);
    assert!(!ran.err.contains("changed"), "{ran:?}");
    ran.done();
    assert_eq!(spent(&out), before);
    assert_eq!(json(out.join("attack.json"))["data"]["path"], moved.to_str().unwrap());
    dfrt!["verify", &out].done();
    let other = folder().join("other");
    dfrt!["data", "synth", "--out", &other, "--count", "48", "--size", "64", "--seed", "2"].done();
    let last = bytes(out.join("attack.json"));
    attack(&other, &out, &options).failed(1, &["on other pictures", "--data"]);
    assert_eq!(bytes(out.join("attack.json")), last, "another data set replaces nothing");
}

fn a_shifted_data_set_is_refused() {
    let (data, out) = (copied(faces()), folder().join("attack"));
    // It would have to list the picture that comes in.
    std::fs::remove_file(data.join("split.csv")).unwrap();
    let options = ["--eps", "4", "--queries", "5"];
    attack(&data, &out, &options).done();
    let before = ["attack.json", "samples.csv", "journal.csv"].map(|name| bytes(out.join(name)));
    // One picture more before all others of its class.
    let first = pictures(&data, "real").remove(0);
    std::fs::copy(pictures(&data, "fake").remove(0), first.with_file_name("0.png")).unwrap();
    let refused = attack(&data, &out, &[&options[..], &["--resume"]].concat());
    refused.failed(1, &["on other pictures: number ", " now; ", "--data", "--out", "--force"]);
    for (name, before) in ["attack.json", "samples.csv", "journal.csv"].iter().zip(before) {
        assert!(bytes(out.join(name)) == before, "{name} was touched");
    }
    dfrt!["verify", &out].done();
}

fn the_setting_that_differs_is_named() {
    let out = folder().join("attack");
    attack(faces(), &out, &["--eps", "4", "--queries", "5"]).done();
    let resumed = |more: &[&str]| attack(faces(), &out, &[more, &["--resume"]].concat());
    resumed(&["--eps", "2", "--queries", "5"]).failed(1, &["eps_255 was 4.0 and is 2.0"]);
    resumed(&["--eps", "4", "--queries", "6"]).failed(1, &["queries was 5 and is 6"]);
    resumed(&["--eps", "4", "--queries", "5", "--seed", "7"]).failed(1, &["seed was 0 and is 7"]);
    resumed(&["--eps", "4", "--queries", "5", "--split", "val"]).failed(1, &["split was test and is val"]);
    resumed(&["--eps", "4", "--queries", "5"]).done();
}

fn two_results_are_not_mixed() {
    let root = folder();
    let (one, sweep) = (root.join("one"), root.join("sweep"));
    let few = ["--queries", "5", "--limit", "4"];
    attack(faces(), &one, &[&few[..], &["--eps", "4"]].concat()).done();
    attack(faces(), &sweep, &[&few[..], &["--eps", "2,4"]].concat()).done();
    let resumed =
        |out: &Path, eps: &str| attack(faces(), out, &[&few[..], &["--eps", eps, "--resume"]].concat());
    resumed(&sweep, "4").failed(1, &["several radii", "one radius", "--out"]);
    resumed(&one, "2,4").failed(1, &["one radius", "several radii"]);
    resumed(&sweep, "2,8").failed(1, &["eps-4", "--eps does not name"]);
    resumed(&sweep, "2,4,8").done();
    dfrt!["verify", &sweep].done();
    let mut command = program();
    command.args(["attack", "--method", "suite-black", "--resume", "--queries", "5", "--model"]).arg(model());
    command.arg("--data").arg(faces()).arg("--out").arg(&one);
    ended(command).failed(1, &["one radius", "a suite"]);
    for name in ["attack.json", "samples.csv", "journal.csv"] {
        std::fs::copy(one.join(name), sweep.join(name)).unwrap();
    }
    dfrt!["verify", &sweep].failed(1, &["holds two results"]);
}

/// Changes the figure at `pointer` of the JSON file `path` to `value` while `check` runs.
fn falsified<T>(path: &Path, pointer: &str, value: &Value, check: impl FnOnce() -> T) -> T {
    let whole = bytes(path);
    let mut object: Value = serde_json::from_slice(&whole).unwrap();
    let place = object.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
    assert_ne!(place, value, "{pointer}");
    *place = value.clone();
    std::fs::write(path, object.to_string()).unwrap();
    let found = check();
    std::fs::write(path, whole).unwrap();
    found
}

#[track_caller]
fn is_found(folder: &Path, words: &str) {
    let ran = dfrt!["verify", folder];
    assert!(ran.code == Some(1) && ran.err.contains(words), "{words:?} is not in {ran:?}");
}

fn a_false_figure_is_found() {
    let out = folder().join("attack");
    attack(faces(), &out, &["--eps", "8", "--queries", "25"]).done();
    let path = out.join("attack.json");
    // Every single figure is falsified in runtime/tests/attack_figures.rs.
    falsified(&path, "/auc", &json!(0.999), || is_found(&out, "attack.json: auc is 0.999, recomputed"));
    dfrt!["verify", &out].done();
    // Without the journal less can be known, which is said.
    std::fs::remove_file(out.join("journal.csv")).unwrap();
    let ran = dfrt!["verify", &out];
    assert!(ran.err.contains("unchecked: journal.csv is missing"), "{ran:?}");
    ran.done();
    falsified(&path, "/gates", &json!([]), || is_found(&out, "gate queries-counted is missing"));
}

fn a_false_figure_of_suites_and_sweeps_is_found() {
    let out = folder().join("suites");
    let mut command = program();
    command.args(["attack", "--method", "suite-black", "--eps", "2,6", "--queries", "8", "--model"]);
    command.arg(model()).arg("--data").arg(faces()).arg("--out").arg(&out);
    ended(command).done();
    dfrt!["verify", &out].done();
    let suite = out.join("eps-2/attack.json");
    falsified(&suite, "/stages/0/n_broken", &json!(77), || {
        is_found(&out, "eps-2: attack.json: stages[square].n_broken is 77, recomputed");
    });
    let stage = out.join("eps-6/stages/square/attack.json");
    falsified(&stage, "/auc", &json!(0.5001), || {
        is_found(&out, "eps-6: stages/square: attack.json: auc is 0.5001, recomputed");
    });
    let sweep = out.join("sweep.json");
    falsified(&sweep, "/points/1/robust_accuracy", &json!(0.99), || {
        is_found(&out, "sweep.json: points[6.0].robust_accuracy is 0.99, recomputed");
    });
    let table = String::from_utf8(bytes(out.join("sweep.csv"))).unwrap();
    std::fs::write(out.join("sweep.csv"), table.replacen(",12,", ",13,", 1)).unwrap();
    is_found(&out, "sweep.csv: line 2 is");
    std::fs::write(out.join("sweep.csv"), table).unwrap();
    dfrt!["verify", &out].done();
}

fn queries_are_those_on_the_tape() {
    let (out, trace) = (folder().join("attack"), folder().join("square.trace"));
    let options = ["--eps", "4", "--queries", "20", "--tape", trace.to_str().unwrap()];
    attack(faces(), &out, &options).done();
    dfrt!["verify", &out, "--tape", &trace].done();
    let text = String::from_utf8(bytes(&trace)).unwrap();
    // One query less of the last picture.
    let last = text.rfind("{\"asked\":").unwrap();
    let end = last + text[last..].find("}}").unwrap() + 3;
    std::fs::write(&trace, format!("{}{}", &text[..last], &text[end..])).unwrap();
    let ran = dfrt!["verify", &out, "--tape", &trace];
    assert!(ran.code == Some(1) && ran.err.contains(", the trace has "), "{ran:?}");
    let other = folder().join("other");
    attack(faces(), &other, &["--eps", "4", "--queries", "21"]).done();
    dfrt!["verify", &other, "--tape", &trace].failed(1, &["another attack", "queries"]);
}
