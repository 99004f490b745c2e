//! TensorBoard's event files: the figures of log.jsonl as scalars over the steps of the run, for
//! whoever watches a training. dfrt reads none of them again.
//!
//! A file is a sequence of TFRecords, each of them an `Event` of TensorBoard's `event.proto` and
//! `summary.proto`; the messages here have the fields that scalars need.

use dfrt_runtime::results::training_log::Entry;
use prost::Message;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the names of event files begin with; the second in which the file was begun follows.
/// TensorBoard reads the files of a folder in the order of their names.
const PREFIX: &str = "events.out.tfevents.";

/// The format of the events, in the first one of a file.
const VERSION: &str = "brain.Event:2";

/// `SessionLog.START`: what earlier files hold of this step and later ones is void.
const START: i32 = 1;

/// A folder or file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be written: {source}; free space, or choose another --tensorboard", path.display())]
pub struct Unwritable {
    path: PathBuf,
    source: io::Error,
}

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    /// Optional, so that 0 is written as well.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Writes the event file of one session of a run.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
    /// Records that go out with the next entry.
    pending: Vec<u8>,
    /// The step of the last entry.
    step: usize,
}

impl EventFile {
    /// Begins a file in `folder`, which is created. Its name comes after those of all event files
    /// that are there.
    ///
    /// # Errors
    /// The folder or the file cannot be written.
    pub fn create(folder: &Path) -> Result<Self, Unwritable> {
        let failed = |source| Unwritable { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let after = newest(folder).map_err(failed)?.map_or(0, |second| second + 1);
        let mut second = after.max(now() as u64);
        loop {
            let path = folder.join(format!("{PREFIX}{second:010}.dfrt"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let mut created = Self { path, file, pending: Vec::new(), step: 0 };
                    created.queue(0, Event { file_version: Some(VERSION.to_owned()), ..Event::default() });
                    created.flush()?;
                    return Ok(created);
                }
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => second += 1,
                Err(source) => return Err(Unwritable { path, source }),
            }
        }
    }

    /// The session goes on after `steps` steps, 0 in a new run: what earlier files tell of later
    /// ones is void.
    pub fn begin(&mut self, steps: usize) {
        self.step = steps;
        let session_log = Some(SessionLog { status: START });
        self.queue(steps + 1, Event { session_log, ..Event::default() });
    }

    /// The training speed at the last steps, measured over those whose losses were read together. It
    /// is written with the next entry.
    pub fn speed(&mut self, images_per_second: f64) {
        self.scalars(vec![("train/images_per_second", images_per_second)]);
    }

    /// Writes the figures of `entry`. Those of an epoch stand at its last step.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, entry: &Entry) -> Result<(), Unwritable> {
        if let Entry::Step { step, .. } = entry {
            self.step = *step;
        }
        self.scalars(scalars(entry));
        self.flush()
    }

    fn scalars(&mut self, scalars: Vec<(&str, f64)>) {
        let value =
            |(tag, value): (&str, f64)| Value { tag: tag.to_owned(), simple_value: Some(value as f32) };
        let value = scalars.into_iter().map(value).collect();
        self.queue(self.step, Event { summary: Some(Summary { value }), ..Event::default() });
    }

    fn queue(&mut self, step: usize, event: Event) {
        self.pending.extend(record(&Event { wall_time: now(), step: step as i64, ..event }));
    }

    fn flush(&mut self) -> Result<(), Unwritable> {
        let failed = |source| Unwritable { path: self.path.clone(), source };
        self.file.write_all(&self.pending).map_err(failed)?;
        self.pending.clear();
        Ok(())
    }
}

/// The figures of a line of log.jsonl and their tags.
fn scalars(entry: &Entry) -> Vec<(&'static str, f64)> {
    let all = match *entry {
        Entry::Step { step: _, epoch: _, loss, perturbed_loss, lr } => vec![
            ("train/loss", Some(loss.into())),
            ("train/perturbed_loss", perturbed_loss.map(f64::from)),
            ("train/learning_rate", Some(lr.into())),
        ],
        Entry::Epoch {
            epoch,
            train_loss,
            val_loss,
            val_auc,
            val_balanced_accuracy,
            val_robust_accuracy,
            val_robust_auc,
            best: _,
            seconds,
            images_per_second,
        } => vec![
            ("validation/log_loss", Some(val_loss)),
            ("validation/auc", val_auc),
            ("validation/balanced_accuracy", val_balanced_accuracy),
            ("validation/robust_accuracy", val_robust_accuracy),
            ("validation/robust_auc", val_robust_auc),
            ("epoch/number", Some(epoch as f64)),
            ("epoch/loss", Some(train_loss)),
            ("epoch/seconds", Some(seconds)),
            ("epoch/images_per_second", Some(images_per_second)),
        ],
    };
    all.into_iter().filter_map(|(tag, value)| Some((tag, value?))).collect()
}

/// The second in the name of the last event file in `folder`; none if there is none.
fn newest(folder: &Path) -> io::Result<Option<u64>> {
    let mut newest = None;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let second =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse().ok());
        newest = newest.max(second);
    }
    Ok(newest)
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// A TFRecord: the length of the message, its checksum, the message, its checksum; all
/// little-endian.
fn record(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let checksum = |bytes: &[u8]| masked(crc32c(bytes)).to_le_bytes();
    [&length[..], &checksum(&length), &message, &checksum(&message)].concat()
}

/// A checksum as TFRecords hold it, so that the checksum of data that hold checksums stays a
/// good one.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), as in RFC 3720, bit by bit: events are short.
fn crc32c(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_rfc_3720() {
        let rising: Vec<u8> = (0..32).collect();
        let falling: Vec<u8> = (0..32).rev().collect();
        let cases: [(&[u8], u32); 6] = [
            (b"", 0),
            (b"123456789", 0xe306_9283),
            (&[0; 32], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&rising, 0x46dd_794e),
            (&falling, 0x113f_db5c),
        ];
        for (bytes, crc) in cases {
            assert_eq!(crc32c(bytes), crc, "{bytes:?}");
        }
    }

    fn event(step: i64) -> Event {
        Event { wall_time: 1.5, step, ..Event::default() }
    }

    /// The hexadecimal texts are what `tensorboard.summary.writer.record_writer.RecordWriter` of
    /// TensorBoard 2.21 writes for the same events.
    #[test]
    fn records_are_those_of_tensorboards_own_writer() {
        let value = |tag: &str, value| Value { tag: tag.to_owned(), simple_value: Some(value) };
        let summary = Summary { value: vec![value("train/loss", 0.625), value("train/learning_rate", 0.0)] };
        let cases = [
            (
                Event { file_version: Some(VERSION.to_owned()), ..event(0) },
                "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c",
            ),
            (
                Event { summary: Some(summary), ..event(301) },
                "3d000000000000006049f1ec09000000000000f83f10ad022a2f0a110a0a747261696e2f6c6f737315\
                0000203f0a1a0a13747261696e2f6c6561726e696e675f72617465150000000042c281f5",
            ),
            (
                Event { session_log: Some(SessionLog { status: START }), ..event(301) },
                "100000000000000095fbfe1809000000000000f83f10ad023a020801d17949d4",
            ),
        ];
        for (event, expected) in cases {
            let text: String = record(&event).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text, expected, "{event:?}");
        }
    }

    #[test]
    fn what_is_undefined_is_no_scalar() {
        let step = Entry::Step { step: 4, epoch: 1, loss: 0.5, perturbed_loss: None, lr: 0.25 };
        assert_eq!(scalars(&step), [("train/loss", 0.5), ("train/learning_rate", 0.25)]);
        let epoch = Entry::Epoch {
            epoch: 2,
            train_loss: 0.5,
            val_loss: f64::INFINITY,
            val_auc: None,
            val_balanced_accuracy: None,
            val_robust_accuracy: Some(0.75),
            val_robust_auc: None,
            best: true,
            seconds: 3.0,
            images_per_second: 20.0,
        };
        let tags: Vec<&str> = scalars(&epoch).into_iter().map(|(tag, _)| tag).collect();
        let expected = [
            "validation/log_loss",
            "validation/robust_accuracy",
            "epoch/number",
            "epoch/loss",
            "epoch/seconds",
            "epoch/images_per_second",
        ];
        assert_eq!(tags, expected);
    }

    #[test]
    fn a_later_file_comes_later_also_if_the_clock_was_set_back() {
        let folder = tempfile::tempdir().unwrap();
        let other = format!("{PREFIX}9000000000.host.1");
        fs::write(folder.path().join(&other), "").unwrap();
        fs::write(folder.path().join("notes.txt"), "").unwrap();
        let made = [EventFile::create(folder.path()).unwrap(), EventFile::create(folder.path()).unwrap()];
        let names = made.map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(names, [9_000_000_001_u64, 9_000_000_002].map(|second| format!("{PREFIX}{second}.dfrt")));
        assert!(other < names[0] && names[0] < names[1]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "mine").unwrap();
        let error = EventFile::create(&path).unwrap_err().to_string();
        assert!(error.contains(&*path.to_string_lossy()) && error.contains("--tensorboard"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }
}
