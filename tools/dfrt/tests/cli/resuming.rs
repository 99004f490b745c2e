//! A run that is killed, or whose disk is full, goes on as if nothing had happened.

use crate::dfrt;
use crate::workshop::{
    Ran, bytes, copied, faces, folder, gpu, json, kill_when, program, train, trained, training, wait_until,
};
use dfrt_trainer::model::files::weights_file;
use libtest_mimic::Trial;
use std::path::Path;
use std::process::{Command, Stdio};

pub fn trials() -> Vec<Trial> {
    vec![
        gpu("resume/a_killed_regularised_run", a_killed_regularised_run),
        gpu("resume/a_killed_plain_run", a_killed_plain_run),
        gpu("resume/a_finished_run_stays", a_finished_run_stays),
        gpu("resume/a_run_without_a_checkpoint_begins_anew", a_run_without_a_checkpoint_begins_anew),
        gpu("resume/other_settings_are_refused", other_settings_are_refused),
        gpu("resume/a_damaged_checkpoint_is_refused", a_damaged_checkpoint_is_refused),
        gpu("resume/another_data_set_is_refused", another_data_set_is_refused),
        #[cfg(target_os = "linux")]
        gpu("resume/a_full_disk_costs_no_checkpoint", a_full_disk_costs_no_checkpoint),
    ]
}

/// What must not depend on interruptions, to the byte.
const RESULTS: [&str; 4] = ["last.safetensors", "best.safetensors", "model.onnx", "config.toml"];

/// Every source of randomness is on.
const REGULARISED: [&str; 15] = [
    "--epochs",
    "14",
    "--method",
    "gr",
    "--alpha",
    "0.7",
    "--crop",
    "--colour",
    "0.2",
    "--jpeg",
    "0.5",
    "--balance",
    "sampling",
    "--checkpoint-steps",
    "2",
];
const PLAIN: [&str; 7] = ["--epochs", "14", "--optimizer", "sgd", "--nesterov", "--checkpoint-steps", "2"];

fn a_killed_regularised_run() {
    killed(&REGULARISED);
}

fn a_killed_plain_run() {
    killed(&PLAIN);
}

fn killed(options: &[&str]) {
    let folder = folder();
    let (whole, broken) = (folder.join("whole"), folder.join("broken"));
    train(faces(), &whole, options).done();
    let first = training(faces(), &broken, options);
    // The first checkpoint is after two of three steps: in the middle of an epoch.
    kill_when(&first, || broken.join("last.safetensors").exists());
    let first_stop = progress(&broken);
    assert!(!broken.join("model.onnx").exists(), "it was killed before its end");
    let resume = ["train".into(), "--out".into(), (&broken).into(), "--resume".into()];
    kill_when(&resume, || {
        let log = std::fs::read_to_string(broken.join("log.jsonl")).unwrap_or_default();
        log.matches("\"kind\":\"epoch\"").count() >= 4
    });
    let second_stop = progress(&broken);
    assert!(!broken.join("model.onnx").exists(), "it was killed before its end");
    assert!(first_stop.1 < second_stop.1 && second_stop.1 < 14 * 3, "{first_stop:?} {second_stop:?}");
    let ran = dfrt!["train", "--out", &broken, "--resume"];
    assert!(ran.err.contains(&format!("resumed after step {}", second_stop.1)), "{ran:?}");
    ran.done();
    same(&broken, &whole);
    let left = std::fs::read_dir(&broken).unwrap().count();
    assert_eq!(left, 6, "a half-written file of the killed run is gone");
}

/// The runs ended alike, and their logs tell of every step once.
fn same(one: &Path, other: &Path) {
    for name in RESULTS {
        assert!(bytes(one.join(name)) == bytes(other.join(name)), "{name} differs");
    }
    assert_eq!(timeless(one), timeless(other));
}

/// Batches of the epoch and steps of the run that the checkpoint holds.
fn progress(run: &Path) -> (u64, u64) {
    let metadata = weights_file::metadata(&run.join("last.safetensors")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&metadata["dfrt.progress"]).unwrap();
    (record["batch"].as_u64().unwrap(), record["step"].as_u64().unwrap())
}

/// The log without what a clock wrote.
fn timeless(run: &Path) -> Vec<serde_json::Value> {
    let log = String::from_utf8(bytes(run.join("log.jsonl"))).unwrap();
    let line = |line: &str| {
        let mut entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = entry.as_object_mut().unwrap();
        object.retain(|name, _| !["seconds", "images_per_second"].contains(&name.as_str()));
        entry
    };
    log.lines().map(line).collect()
}

fn a_finished_run_stays() {
    let run = copied(trained());
    let before = bytes(run.join("log.jsonl"));
    let again = dfrt!["train", "--out", &run, "--resume", "--json"].json();
    assert_eq!(again, json(run.join("summary.json")));
    assert_eq!(bytes(run.join("log.jsonl")), before);
}

fn a_run_without_a_checkpoint_begins_anew() {
    let run = copied(trained());
    for name in ["last.safetensors", "best.safetensors", "model.onnx", "summary.json"] {
        std::fs::remove_file(run.join(name)).unwrap();
    }
    dfrt!["train", "--out", &run, "--resume"].done();
    same(&run, trained());
    dfrt!["train", "--out", folder().join("absent"), "--resume"].failed(1, &["nothing to resume"]);
}

fn other_settings_are_refused() {
    let run = copied(trained());
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let before = bytes(run.join("last.safetensors"));
    dfrt!["train", "--out", &run, "--resume", "--lr", "0.1"]
        .failed(1, &["config.toml", "other settings: lr was ", " and is 0.1;"]);
    // The same options again are no others.
    train(faces(), &run, &["--epochs", "2", "--resume"]).done();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let config = String::from_utf8(bytes(run.join("config.toml"))).unwrap();
    std::fs::write(run.join("config.toml"), config.replace("epochs = 2", "epochs = 3")).unwrap();
    dfrt!["train", "--out", &run, "--resume"].failed(1, &["last.safetensors", "other settings"]);
    std::fs::write(run.join("config.toml"), config.replace("efficientnet-tiny", "efficientnet-b0")).unwrap();
    dfrt!["train", "--out", &run, "--resume"].failed(1, &["last.safetensors", "efficientnet-tiny"]);
    assert_eq!(bytes(run.join("last.safetensors")), before);
}

fn a_damaged_checkpoint_is_refused() {
    let run = copied(trained());
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let whole = bytes(run.join("last.safetensors"));
    for part in [0, 100, whole.len() / 2] {
        std::fs::write(run.join("last.safetensors"), &whole[..part]).unwrap();
        dfrt!["train", "--out", &run, "--resume"].failed(1, &["last.safetensors"]);
    }
    let best = bytes(run.join("best.safetensors"));
    std::fs::write(run.join("last.safetensors"), best).unwrap();
    dfrt!["train", "--out", &run, "--resume"].failed(1, &["last.safetensors", "other settings"]);
}

fn another_data_set_is_refused() {
    let (data, run) = (copied(faces()), folder().join("run"));
    train(&data, &run, &["--epochs", "1"]).done();
    std::fs::remove_file(run.join("summary.json")).unwrap();
    let real = data.join("train/real");
    let gone = std::fs::read_dir(real).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(gone).unwrap();
    dfrt!["train", "--out", &run, "--resume"].failed(1, &["last.safetensors", "the data set has changed"]);
}

/// In the middle of the run the system stops letting files grow beyond 1 MB: less
/// than a checkpoint, more than the other files.
#[cfg(target_os = "linux")]
fn a_full_disk_costs_no_checkpoint() {
    let folder = folder();
    let (whole, broken) = (folder.join("whole"), folder.join("broken"));
    train(faces(), &whole, &PLAIN).done();
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; exec \"$@\"", "bash"]).arg(program().get_program());
    command.args(training(faces(), &broken, &PLAIN)).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    wait_until(|| broken.join("last.safetensors").exists());
    let limit = ["--fsize=1000000:unlimited", "--pid", &child.id().to_string()].map(str::to_owned);
    assert!(Command::new("prlimit").args(limit).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    ran.failed(1, &["last.safetensors", "cannot be written", "free space"]);
    assert!(bytes(broken.join("last.safetensors")).len() > 1_100_000, "the earlier checkpoint is whole");
    let stop = progress(&broken);
    assert!((2..14 * 3).contains(&stop.1), "{stop:?}");
    let ran = dfrt!["train", "--out", &broken, "--resume"];
    assert!(ran.err.contains(&format!("resumed after step {}", stop.1)), "{ran:?}");
    ran.done();
    same(&broken, &whole);
}
