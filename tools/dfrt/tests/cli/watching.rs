//! What a training tells while it runs: its lines, and TensorBoard's event files.

use crate::dfrt;
use crate::event_files::{self, Scalars};
use crate::studying;
use crate::workshop::{
    Ran, bytes, faces, folder, gpu, json, kill_when, plain, run, tensorboard, train, training,
};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("watch/the_readers_checksum_is_right", event_files::the_readers_checksum_is_right),
        gpu("watch/event_files_hold_the_log", event_files_hold_the_log),
        gpu("watch/a_new_run_replaces_what_is_shown", a_new_run_replaces_what_is_shown),
        gpu("watch/a_killed_run_goes_on_where_it_was", a_killed_run_goes_on_where_it_was),
        gpu("watch/event_files_of_each_arm_and_seed", event_files_of_each_arm_and_seed),
        gpu("watch/event_files_that_cannot_be_written", event_files_that_cannot_be_written),
        gpu("watch/lines_of_epochs", lines_of_epochs),
        tensorboard("watch/tensorboard_reads_the_files", tensorboard_reads_the_files),
    ]
}

/// A folder of event files and the RUN whose log they show.
struct Watched {
    events: PathBuf,
    run: PathBuf,
    ran: Ran,
}

/// A RUN with gradient regularization, two epochs.
fn watched() -> &'static Watched {
    static WATCHED: LazyLock<Watched> = LazyLock::new(|| {
        let (events, run) = (folder().join("new/events"), folder().join("run"));
        let more = ["--epochs", "2", "--method", "gr", "--tensorboard", events.to_str().unwrap()];
        let ran = train(faces(), &run, &more);
        Watched { events, run, ran }
    });
    &WATCHED
}

/// Another RUN without a second pass, watched in the same folder as a longer one before it.
fn watched_again() -> &'static Watched {
    static WATCHED: LazyLock<Watched> = LazyLock::new(|| {
        let (events, run) = (folder().join("events"), folder().join("run"));
        let options = |epochs| ["--epochs", epochs, "--tensorboard", events.to_str().unwrap(), "--force"];
        train(faces(), &run, &[&options("3")[..], &["--method", "gr"]].concat()).done();
        let ran = train(faces(), &run, &[&options("2")[..], &["--seed", "5"]].concat());
        Watched { events, run, ran }
    });
    &WATCHED
}

/// A RUN that was killed after four epochs or more, mostly between the end of an epoch's steps and
/// its checkpoint, and then resumed.
fn killed() -> &'static Watched {
    static WATCHED: LazyLock<Watched> = LazyLock::new(|| {
        let (events, run) = (folder().join("events"), folder().join("run"));
        let more = ["--epochs", "14", "--tensorboard", events.to_str().unwrap()];
        kill_when(&training(faces(), &run, &more), || {
            let log = std::fs::read_to_string(run.join("log.jsonl")).unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            let epochs = log.matches("\"kind\":\"epoch\"").count();
            epochs >= 4 && last.contains("\"kind\":\"step\"") || epochs >= 9
        });
        let ran = dfrt!["train", "--out", &run, "--resume", "--tensorboard", &events];
        Watched { events, run, ran }
    });
    &WATCHED
}

/// The scalars that the log of a RUN holds.
fn logged(run: &Path) -> Scalars {
    let mut scalars = Scalars::new();
    let mut step = 0;
    for entry in lines(run) {
        let tags = match entry["kind"].as_str().unwrap() {
            "step" => &[
                ("train/loss", "loss"),
                ("train/perturbed_loss", "perturbed_loss"),
                ("train/learning_rate", "lr"),
            ][..],
            _ => &[
                ("validation/log_loss", "val_loss"),
                ("validation/auc", "val_auc"),
                ("validation/balanced_accuracy", "val_balanced_accuracy"),
                ("validation/robust_accuracy", "val_robust_accuracy"),
                ("validation/robust_auc", "val_robust_auc"),
                ("epoch/number", "epoch"),
                ("epoch/loss", "train_loss"),
                ("epoch/seconds", "seconds"),
                ("epoch/images_per_second", "images_per_second"),
            ],
        };
        step = entry["step"].as_u64().unwrap_or(step);
        for (tag, name) in tags {
            if let Some(value) = entry[name].as_f64() {
                scalars.entry((*tag).to_owned()).or_default().push((step, value as f32));
            }
        }
    }
    scalars
}

fn lines(run: &Path) -> Vec<serde_json::Value> {
    let log = String::from_utf8(bytes(run.join("log.jsonl"))).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The `shown` scalars are those of the log, and the speed, which it does not hold.
#[track_caller]
fn same(mut shown: Scalars, run: &Path) {
    let speeds = shown.remove("train/images_per_second").expect("the speed is shown");
    assert!(speeds.iter().all(|(_, speed)| *speed > 0.0), "{speeds:?}");
    let logged = logged(run);
    let steps = |values: &[(u64, f32)]| values.iter().map(|value| value.0).collect::<Vec<_>>();
    assert_eq!(steps(&speeds), steps(&logged["epoch/number"]), "once an epoch of three steps");
    assert_eq!(shown, logged);
}

fn event_files_hold_the_log() {
    let Watched { events, run, ran } = watched();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(event_files::files(events).len(), 1);
    let shown = event_files::scalars(events);
    assert_eq!((shown["train/perturbed_loss"].len(), shown["validation/auc"].len()), (6, 2));
    assert_eq!(shown["validation/balanced_accuracy"][1].0, 6, "an epoch's figures stand at its last step");
    same(shown, run);
    let config = String::from_utf8(bytes(run.join("config.toml"))).unwrap();
    assert!(!config.contains("tensorboard"), "who watches is no setting of the run: {config}");
}

fn a_new_run_replaces_what_is_shown() {
    let Watched { events, run, ran } = watched_again();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(event_files::files(events).len(), 2);
    let shown = event_files::scalars(events);
    assert_eq!(shown["train/loss"].len(), 6, "the nine steps of the earlier run are void");
    assert!(!shown.contains_key("train/perturbed_loss"));
    same(shown, run);
}

fn a_killed_run_goes_on_where_it_was() {
    let Watched { events, run, ran } = killed();
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(event_files::files(events).len(), 2);
    let shown = event_files::scalars(events);
    assert_eq!(shown["train/loss"].len(), 14 * 3);
    same(shown, run);
    // The best epoch of the first session is told by the second one.
    let resumed: usize = ran
        .err
        .split("resumed after step ")
        .nth(1)
        .unwrap()
        .split(&[' ', ','])
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!((12..14 * 3).contains(&resumed) && resumed.is_multiple_of(3), "{ran:?}");
    let epochs: Vec<_> = lines(run).into_iter().filter(|line| line["kind"] == "epoch").collect();
    let best = |epochs: &[serde_json::Value]| {
        let best = epochs.iter().rev().find(|line| line["best"] == true).unwrap();
        format!("(best in epoch {}: AUC {:.4})", best["epoch"], best["val_auc"].as_f64().unwrap())
    };
    let begin = ran.err.lines().find(|line| line.contains("resumed after step")).unwrap();
    assert!(
        begin.ends_with(&best(&epochs[..resumed / 3])),
        "{begin} and not {}",
        best(&epochs[..resumed / 3])
    );
    for (place, epoch) in epochs.iter().enumerate().skip(resumed / 3) {
        let line =
            ran.err.lines().find(|line| line.starts_with(&format!("epoch {}/14: ", place + 1))).unwrap();
        let told = if epoch["best"] == true { "(best so far)".to_owned() } else { best(&epochs[..place]) };
        assert!(line.contains(&told), "{line} lacks {told}");
    }
    let summary = json(run.join("summary.json"));
    assert!(best(&epochs).contains(&format!("in epoch {}:", summary["best_epoch"])), "{summary}");
}

fn lines_of_epochs() {
    let Watched { run, ran, .. } = watched();
    for epoch in lines(run).iter().filter(|line| line["kind"] == "epoch") {
        let line = ran.err.lines().find(|line| line.starts_with(&format!("epoch {}/2: ", epoch["epoch"])));
        let line = line.unwrap_or_else(|| panic!("{ran:?}"));
        let figure = |name: &str| epoch[name].as_f64().unwrap();
        for words in [
            format!("loss {:.4}", figure("train_loss")),
            format!("validation loss {:.4}", figure("val_loss")),
            format!("AUC {:.4}", figure("val_auc")),
            format!("balanced accuracy {:.1} %", 100.0 * figure("val_balanced_accuracy")),
            format!("{:.0} images/s", figure("images_per_second")),
        ] {
            assert!(line.contains(&words), "{line} lacks {words}");
        }
        assert_eq!(line.ends_with(" left"), epoch["epoch"] == 1, "{line}");
    }
}

fn event_files_of_each_arm_and_seed() {
    let study = studying::finished();
    let events = studying::events();
    let mut names: Vec<_> =
        std::fs::read_dir(&events).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["baseline-seed0", "gr-seed0"]);
    for name in names {
        let shown = event_files::scalars(&events.join(&name));
        assert_eq!(shown.contains_key("train/perturbed_loss"), name == "gr-seed0");
        same(shown, &study.join(name));
    }
}

fn event_files_that_cannot_be_written() {
    let taken = folder().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    let out = folder().join("run");
    let below = taken.join("events");
    for events in [&taken, &below] {
        let more = ["--epochs", "1", "--tensorboard", events.to_str().unwrap()];
        train(faces(), &out, &more)
            .failed(1, &[events.to_str().unwrap(), "cannot be written", "--tensorboard"]);
        assert!(!out.exists());
    }
    train(faces(), &out, &["--epochs", "1"]).done();
    let before = bytes(out.join("model.onnx"));
    let more = ["--epochs", "1", "--seed", "5", "--force", "--tensorboard", taken.to_str().unwrap()];
    train(faces(), &out, &more).failed(1, &["cannot be written"]);
    assert_eq!(bytes(out.join("model.onnx")), before, "a mistake costs no earlier run");
    let mut arguments: Vec<OsString> =
        ["study", "--epochs", "1", "--arch", "efficientnet-tiny", "--res", "32", "--data"]
            .map(OsString::from)
            .to_vec();
    arguments.extend([
        faces().into(),
        "--out".into(),
        folder().join("study").into(),
        "--tensorboard".into(),
        (&taken).into(),
    ]);
    run(&arguments)
        .failed(1, &["baseline, seed 0", "taken/baseline-seed0", "cannot be written", "--tensorboard"]);
    assert_eq!(bytes(&taken), b"mine");
}

/// Prints the scalars of a folder as TensorBoard's own reader has them, which checks the
/// checksums too.
const READER: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0}).Reload()
read = {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in events.Tags()['scalars']}
print(json.dumps(read))
";

fn tensorboard_reads_the_files() {
    let python = crate::workshop::python_with_tensorboard().expect("the test is ignored without");
    for watched in [watched(), watched_again(), killed()] {
        let output = Command::new(python).args(["-c", READER]).arg(&watched.events).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{told}");
        let read: BTreeMap<String, Vec<(u64, f64)>> = serde_json::from_slice(&output.stdout).unwrap();
        let single = |values: Vec<(u64, f64)>| values.into_iter().map(|(step, value)| (step, value as f32));
        let read = read.into_iter().filter(|(_, values)| !values.is_empty());
        let read: Scalars = read.map(|(tag, values)| (tag, single(values).collect())).collect();
        assert_eq!(read, event_files::scalars(&watched.events));
        same(read, &watched.run);
    }
}
