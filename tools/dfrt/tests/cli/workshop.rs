//! What the tests share: running `dfrt`, folders that vanish, a drawn set of faces
//! and models made once.

use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::sample::Split;
use dfrt_trainer::model::arch::EFFICIENTNET_TINY;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::weights::Weights;
use dfrt_trainer::train::outcome;
use libtest_mimic::Trial;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The kind of the tests that need a device.
pub const GPU: &str = "gpu";
/// The kind of the tests that need ffmpeg.
pub const FFMPEG: &str = "ffmpeg";
/// The kind of the tests that need a device and TensorBoard.
pub const TENSORBOARD: &str = "tensorboard";
/// The side of the models' input in pixels.
pub const RES: usize = 32;

/// A test that needs no device.
pub fn plain(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// A test that needs one.
pub fn gpu(name: &str, test: fn()) -> Trial {
    plain(name, test).with_kind(GPU)
}

/// A test that needs ffmpeg.
pub fn ffmpeg(name: &str, test: fn()) -> Trial {
    plain(name, test).with_kind(FFMPEG)
}

/// A test that needs a device and TensorBoard.
pub fn tensorboard(name: &str, test: fn()) -> Trial {
    plain(name, test).with_kind(TENSORBOARD)
}

/// The Python on the PATH that has the package tensorboard.
pub fn python_with_tensorboard() -> Option<&'static str> {
    let has = "import importlib.util, sys; sys.exit(importlib.util.find_spec('tensorboard') is None)";
    ["python3", "python"].into_iter().find(|python| {
        let status = Command::new(python).args(["-c", has]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

static ROOT: Mutex<Option<TempDir>> = Mutex::new(None);

/// A new, empty folder, which goes with all others at the end.
pub fn folder() -> PathBuf {
    let mut root = ROOT.lock().unwrap();
    let root = root.get_or_insert_with(|| tempfile::tempdir().unwrap());
    tempfile::tempdir_in(root.path()).unwrap().keep()
}

/// Removes all folders.
pub fn close() {
    drop(ROOT.lock().unwrap().take());
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The command, ready to be given arguments.
pub fn program() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("dfrt"))
}

/// Runs a command to its end.
pub fn ended(mut command: Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Runs `dfrt` with `arguments`; see [`dfrt!`].
pub fn run(arguments: &[OsString]) -> Ran {
    let mut command = program();
    command.args(arguments);
    ended(command)
}

/// Runs `dfrt` with arguments that are texts or paths.
#[macro_export]
macro_rules! dfrt {
    ($($argument:expr),* $(,)?) => {
        $crate::workshop::run(&[$(std::ffi::OsString::from($argument)),*])
    };
}

impl Ran {
    /// It was done; gives standard output.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// It was done and printed JSON and nothing else to standard output.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let out = self.done();
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out:?}"))
    }

    /// It failed with `code` and one line that holds every one of `words`; gives
    /// that line.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.out.is_empty(), "a failure prints no result: {self:?}");
        let errors: Vec<&str> = self.err.lines().filter(|line| line.contains("error:")).collect();
        let [line] = errors[..] else { panic!("one line of error, please: {self:?}") };
        assert_eq!(self.err.lines().last(), Some(line), "{self:?}");
        assert!(line.starts_with("error: "), "{line}");
        assert!(!line.contains("internal fault"), "{line}");
        for word in words {
            assert!(line.contains(word), "{word:?} is not in {line:?}");
        }
        line.to_owned()
    }
}

/// 48 drawn pictures of 64 px: 28 to train on, 8 to validate, 12 to test.
pub fn faces() -> &'static Path {
    static FACES: LazyLock<PathBuf> = LazyLock::new(|| {
        let out = folder().join("faces");
        dfrt!["data", "synth", "--out", &out, "--count", "48", "--size", "64", "--seed", "1"].done();
        out
    });
    &FACES
}

/// The smallest network with drawn weights as an ONNX file that names [`faces`]; its
/// threshold is such that some of the test pictures are classified rightly.
pub fn model() -> &'static Path {
    static MODEL: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = folder().join("drawn.onnx");
        write_model(&path, 0.0);
        write_model(&path, median_logit(&path));
        path
    });
    &MODEL
}

fn write_model(path: &Path, threshold: f64) {
    let graph = Graph::new(&EFFICIENTNET_TINY, RES).unwrap();
    let weights = Weights::initial(&graph, 7);
    let mut metadata = Metadata::new(EFFICIENTNET_TINY.name, RES, threshold);
    metadata.data_path = Some(faces().to_string_lossy().into_owned());
    metadata.weights_sha256 = Some(weights.sha256(&graph));
    outcome::export(path, &graph, &weights, &metadata, None).unwrap();
}

fn median_logit(model: &Path) -> f64 {
    let oracle = TractOracle::new(Detector::load(model, 1).unwrap());
    let samples = Manifest::of(faces()).unwrap().split(Split::Test);
    let logit = |path: &Path| {
        let picture = picture::load(path, RES).unwrap();
        oracle.logits(&Batch::of(RES, [&picture])).unwrap()[0]
    };
    let mut logits: Vec<f32> = samples.iter().map(|sample| logit(&sample.path)).collect();
    logits.sort_by(f32::total_cmp);
    f64::from(0.5 * (logits[logits.len() / 2 - 1] + logits[logits.len() / 2]))
}

/// The arguments of a short training run of the smallest network on `data` into
/// `out`; `more` may say otherwise.
pub fn training(data: &Path, out: &Path, more: &[&str]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["train".into(), "--data".into(), data.into()];
    arguments.extend(["--out".into(), out.into()]);
    for usual in [["--arch", "efficientnet-tiny"], ["--res", "32"], ["--batch", "8"]] {
        if !more.contains(&usual[0]) {
            arguments.extend(usual.map(OsString::from));
        }
    }
    arguments.extend(more.iter().map(OsString::from));
    arguments
}

/// [`training`], run.
pub fn train(data: &Path, out: &Path, more: &[&str]) -> Ran {
    run(&training(data, out, more))
}

/// A RUN trained on [`faces`] for two epochs.
pub fn trained() -> &'static Path {
    static RUN: LazyLock<PathBuf> = LazyLock::new(|| {
        let out = folder().join("run");
        train(faces(), &out, &["--epochs", "2"]).done();
        out
    });
    &RUN
}

/// Copies the folder `from` with all below it.
pub fn copied(from: &Path) -> PathBuf {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let place = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                copy(&entry.path(), &place);
            } else {
                std::fs::copy(entry.path(), place).unwrap();
            }
        }
    }
    let to = folder().join(from.file_name().unwrap());
    copy(from, &to);
    to
}

/// The bytes of a file.
#[track_caller]
pub fn bytes(path: impl AsRef<Path>) -> Vec<u8> {
    let path = path.as_ref();
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A JSON file.
#[track_caller]
pub fn json(path: impl AsRef<Path>) -> serde_json::Value {
    serde_json::from_slice(&bytes(path)).unwrap()
}

/// Runs `dfrt` and kills it (SIGKILL) as soon as `ripe` says so.
pub fn kill_when(arguments: &[OsString], ripe: impl Fn() -> bool) {
    let mut child = program().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until(ripe);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it ended before it could be killed");
}

/// Waits until it is `ripe`.
pub fn wait_until(ripe: impl Fn() -> bool) {
    let start = Instant::now();
    while !ripe() {
        assert!(start.elapsed() < Duration::from_secs(120), "nothing happened for two minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
}
