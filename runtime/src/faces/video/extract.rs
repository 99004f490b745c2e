//! Extracts face crops from a folder of videos: in parallel and resumable; a bad video is skipped
//! and listed.

use super::colour::Untagged;
use super::crop;
use super::cut::FieldColours;
use super::ffmpeg::{Ffmpeg, VideoError};
use super::journal::{self, Entry, Journal, JournalError};
use super::sampling::{Frame, Sampled};
use super::track::{self, FrameFaces, HOLD};
use crate::data::crops::MANIFEST;
use crate::data::manifest::{Manifest, ManifestError};
use crate::data::picture;
use crate::faces::detector::FaceDetector;
use crate::sample::{Sample, Split};
use crate::storage::{self, StorageError};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The name of the file with [`extract`]'s result, as JSON.
pub const SUMMARY: &str = "extract.json";

/// How the crops are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// Without loss.
    Png,
    /// JPEG of this quality, full chroma, which leaves the same traces on reals and fakes.
    Jpeg(u8),
}

/// Frames for each video, by split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Frames {
    /// For a video in train.
    pub train: usize,
    /// For a video in val.
    pub val: usize,
    /// For a video in test.
    pub test: usize,
}

impl Frames {
    fn of(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Val => self.val,
            Split::Test => self.test,
        }
    }
}

/// The options of an extraction.
#[derive(Clone, Copy, Debug)]
pub struct Extract<'a> {
    /// The data set's folder; crops have the same paths below `out` as their videos below `root`.
    pub root: &'a Path,
    /// The videos.
    pub videos: &'a [Sample],
    /// The folder of the crops; videos that an earlier call finished are kept.
    pub out: &'a Path,
    /// Frames a video.
    pub frames: Frames,
    /// Side of a crop in pixels.
    pub size: usize,
    /// Side of the square that is cut out, in multiples of the longer side of the face's box.
    pub margin: f32,
    /// How crops are written.
    pub format: FileFormat,
    /// The colour matrix of videos that name none.
    pub untagged: Untagged,
}

/// The progress of an extraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Checking whether videos that an earlier call finished are unchanged.
    Compared {
        /// Videos done.
        done: usize,
        /// All videos.
        total: usize,
    },
    /// Extracting videos.
    Extracted {
        /// Videos done, including those of an earlier call and those skipped.
        done: usize,
        /// All videos.
        total: usize,
        /// Videos skipped.
        failed: usize,
    },
}

/// The result of an extraction; also the content of extract.json.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Extracted {
    /// Videos in the data set.
    pub videos: usize,
    /// Videos finished, now or by an earlier call.
    pub finished: usize,
    /// Videos finished by an earlier call.
    pub before: usize,
    /// Crops in the manifest.
    pub pictures: usize,
    /// Crops of frames in which the face was not found and its place was interpolated.
    pub held: usize,
    /// Frames that do not show the video's main face, so that nothing was cut out.
    pub without_face: usize,
    /// Frames that are damaged or missing.
    pub lost: usize,
    /// Finished videos that name no colour matrix, read by [`Extract::untagged`].
    pub untagged: usize,
    /// Skipped videos with the reason, a line each.
    pub skipped: Vec<String>,
    /// The version of ffmpeg.
    pub ffmpeg: String,
}

/// Why nothing was extracted.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// ffmpeg or ffprobe is missing.
    #[error(transparent)]
    Ffmpeg(#[from] VideoError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The manifest cannot be written.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Every video failed.
    #[error("{}: a face could be extracted from none of the {count} videos; the first: {first}", root.display())]
    Nothing {
        /// The data set.
        root: PathBuf,
        /// Videos tried.
        count: usize,
        /// What was wrong with the first.
        first: String,
    },
}

/// Extracts the main face of every video: takes equally spaced frames, follows the largest face
/// through them, and cuts out a square of `margin` times its box, resized to `size`. A frame that
/// does not show it gives no crop. Writes the crops, the journal, manifest.csv and extract.json;
/// the same videos give the same files, however often the call was killed and repeated.
/// `progress` is called from many threads.
///
/// # Errors
/// There is no ffmpeg, the journal has other settings, a file cannot be written, or every video
/// failed. A single bad video is listed in [`Extracted::skipped`].
pub fn extract(job: &Extract<'_>, progress: &(dyn Fn(Progress) + Sync)) -> Result<Extracted, ExtractError> {
    let ffmpeg = Ffmpeg::find()?;
    let (journal, entries) = Journal::open(job.out, &job.settings())?;
    let journal = Mutex::new(journal);
    let names: Vec<String> = job.videos.iter().map(|video| job.name(video)).collect();
    let videos: HashMap<&str, &Path> =
        names.iter().zip(job.videos).map(|(name, video)| (name.as_str(), video.path.as_path())).collect();
    // A video that was replaced by another of the same name is extracted again.
    let same = |entry: &Entry| {
        let now = videos.get(entry.video.as_str()).and_then(|video| storage::sha256_of_file(video).ok());
        now.as_ref() == Some(&entry.sha256)
    };
    let whole = |entry: &Entry| entry.files.iter().all(|file| job.out.join(file).is_file());
    let earlier: Vec<Entry> =
        entries.into_iter().filter(|entry| videos.contains_key(entry.video.as_str())).collect();
    let (compared, total) = (AtomicUsize::new(0), earlier.len());
    let (current, stale): (Vec<Entry>, Vec<Entry>) = earlier.into_par_iter().partition(|entry| {
        let holds = whole(entry) && same(entry);
        progress(Progress::Compared { done: compared.fetch_add(1, Ordering::Relaxed) + 1, total });
        holds
    });
    let kept: HashSet<&String> = current.iter().flat_map(|entry| &entry.files).collect();
    for mut entry in stale {
        entry.files.retain(|file| !kept.contains(file));
        journal::remove_crops(job.out, &entry.files)?;
    }
    let mut finished: HashMap<String, Entry> =
        current.into_iter().map(|entry| (entry.video.clone(), entry)).collect();
    let before = finished.len();
    let folders = folders(&names);
    let (done, failed) = (AtomicUsize::new(before), AtomicUsize::new(0));
    let total = names.len();
    progress(Progress::Extracted { done: before, total, failed: 0 });
    let todo: Vec<usize> = (0..names.len()).filter(|&index| !finished.contains_key(&names[index])).collect();
    let results = todo
        .into_par_iter()
        // Videos take long, so threads take one at a time.
        .with_max_len(1)
        .map_init(FaceDetector::new, |detector, index| {
            let result = job.video(&ffmpeg, detector, index, &names[index], &folders[index])?;
            match &result {
                Ok(entry) => journal.lock().expect("no holder panics").add(entry)?,
                Err(_) => drop(failed.fetch_add(1, Ordering::Relaxed)),
            }
            let (done, failed) = (done.fetch_add(1, Ordering::Relaxed) + 1, failed.load(Ordering::Relaxed));
            progress(Progress::Extracted { done, total, failed });
            Ok((index, result))
        })
        .collect::<Result<Vec<_>, ExtractError>>()?;
    let mut skipped = Vec::new();
    for (index, result) in results {
        match result {
            Ok(entry) => drop(finished.insert(entry.video.clone(), entry)),
            Err(reason) => skipped.push(format!("{}: {reason}", names[index])),
        }
    }
    let entries: Vec<&Entry> = names.iter().filter_map(|name| finished.get(name)).collect();
    if let (true, Some(first)) = (entries.is_empty(), skipped.first()) {
        let first = first.clone();
        return Err(ExtractError::Nothing { root: job.root.to_owned(), count: names.len(), first });
    }
    let samples = entries.iter().flat_map(|entry| entry.samples(job.out)).collect();
    let manifest = Manifest::new(samples, Vec::new());
    manifest.write(&job.out.join(MANIFEST))?;
    let extracted = Extracted {
        videos: names.len(),
        finished: entries.len(),
        before,
        pictures: manifest.samples.len(),
        held: entries.iter().map(|entry| entry.held).sum(),
        without_face: entries.iter().map(|entry| entry.without_face).sum(),
        lost: entries.iter().map(|entry| entry.lost).sum(),
        untagged: entries.iter().filter(|entry| entry.untagged).count(),
        skipped,
        ffmpeg: ffmpeg.version().to_owned(),
    };
    let text = serde_json::to_string_pretty(&extracted).expect("plain values");
    storage::write(&job.out.join(SUMMARY), text.as_bytes())?;
    Ok(extracted)
}

/// The folder of each video's crops: its name without extension, or with it where two videos
/// differ in that alone.
fn folders(names: &[String]) -> Vec<String> {
    let stem = |name: &str| match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && !ending.contains('/') => stem.to_owned(),
        _ => name.to_owned(),
    };
    let mut count: HashMap<String, usize> = HashMap::new();
    names.iter().for_each(|name| *count.entry(stem(name)).or_default() += 1);
    names.iter().map(|name| if count[&stem(name)] == 1 { stem(name) } else { name.clone() }).collect()
}

impl Extract<'_> {
    /// The settings that decide the crops, as the journal's first line.
    fn settings(&self) -> String {
        let Self { frames, size, margin, format, untagged, .. } = self;
        let settings = serde_json::json!({
            "frames": frames, "size": size, "margin": margin, "format": format, "hold_seconds": HOLD,
            "untagged": untagged,
        });
        settings.to_string()
    }

    /// The video's path relative to the data set's folder, with slashes.
    fn name(&self, video: &Sample) -> String {
        let below = video.path.strip_prefix(self.root).unwrap_or(&video.path);
        let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/").trim_start_matches('/').to_owned()
    }

    /// Writes the crops of one video; the inner error is why it is skipped.
    fn video(
        &self,
        ffmpeg: &Ffmpeg,
        detector: &mut FaceDetector,
        index: usize,
        name: &str,
        folder: &str,
    ) -> Result<Result<Entry, String>, StorageError> {
        let sample = &self.videos[index];
        let sampled = ffmpeg.sample(&sample.path, self.frames.of(sample.split), self.untagged);
        let Sampled { frames, lost, untagged } = match sampled {
            Ok(sampled) => sampled,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let Some(track) = track::main_face(&find_faces(detector, &frames)) else {
            return Ok(Err(format!("no face is found in any of its {} frames", frames.len())));
        };
        let mut files = Vec::with_capacity(frames.len());
        for (Frame { number, picture, .. }, face) in frames.iter().zip(&track.boxes) {
            let Some(face) = face else { continue };
            let crop = picture::prepare(&crop::square(picture, face, self.margin), self.size);
            let (bytes, ending) = match self.format {
                FileFormat::Png => (picture::encode_png(&crop), "png"),
                FileFormat::Jpeg(quality) => (picture::encode_jpeg(&crop, quality), "jpg"),
            };
            let file = format!("{folder}/{number:06}.{ending}");
            storage::write(&self.out.join(&file), &bytes)?;
            files.push(file);
        }
        let Sample { label, subset, group, split, people, .. } = sample.clone();
        let (video, held, without_face) = (name.to_owned(), track.held, frames.len() - files.len());
        let sha256 = storage::sha256_of_file(&sample.path)?;
        Ok(Ok(Entry {
            video,
            label,
            subset,
            group,
            split,
            people,
            files,
            held,
            without_face,
            lost,
            untagged,
            sha256,
        }))
    }
}

/// Finds the faces and the cuts in the frames.
fn find_faces(detector: &mut FaceDetector, frames: &[Frame]) -> Vec<FrameFaces> {
    let mut before: Option<FieldColours> = None;
    let find_faces = |frame: &Frame| {
        let faces = detector.faces(&frame.picture);
        let look = FieldColours::of(&frame.picture, &faces);
        let after_cut = before.as_ref().is_some_and(|before| before.cut_to(&look));
        before = Some(look);
        FrameFaces { faces, seconds: frame.seconds, after_cut }
    };
    frames.iter().map(find_faces).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_videos_folder_is_its_own() {
        let names = ["a/x.mp4", "a/x.avi", "b/x.mp4", "b.c/y", ".mp4"].map(str::to_owned);
        assert_eq!(folders(&names), ["a/x.mp4", "a/x.avi", "b/x", "b.c/y", ".mp4"]);
    }
}
