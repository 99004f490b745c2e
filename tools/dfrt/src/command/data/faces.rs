//! `dfrt data faces`: finds the faces in photographs that have no landmarks.

use crate::command::options::{options, use_threads};
use crate::output;
use crate::paths;
use crate::progress::Task;
use anyhow::{Context, Result, bail};
use dfrt_runtime::data::grouping::Grouping;
use dfrt_runtime::data::layouts::flat::Flat;
use dfrt_runtime::data::layouts::{Choices, Media};
use dfrt_runtime::data::picture;
use dfrt_runtime::faces::detector::FaceDetector;
use dfrt_runtime::faces::face::FaceBox;
use dfrt_runtime::faces::landmarks::BOXES;
use dfrt_runtime::sample::{Label, Split};
use dfrt_runtime::storage;
use rayon::prelude::*;
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

options! {
/// find the largest face in each photograph and write its box, from which self-blended
/// images can be made without landmarks
#[argh(
    name = "faces",
    example = "{command_name} photographs",
    note = "Writes boxes.csv (file,left,top,right,bottom in pixels) into the folder, where `data forge --method sbi` \
    and `train --fakes sbi` look for it. A photograph without a face is listed and left out."
)]
pub struct Faces {
    /// folder of photographs, with folders below it or none
    #[argh(positional)]
    folder: PathBuf,
    /// file for the boxes (default: boxes.csv in the folder)
    #[argh(option)]
    out: Option<PathBuf>,
    threads, force, json,
}
}

impl Faces {
    /// Finds the largest face of each photograph and writes the boxes.
    pub fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let out = self.out.clone().unwrap_or_else(|| self.folder.join(BOXES));
        paths::check_file(&out, self.force)?;
        // Class, split and group are not used.
        let all = Flat { label: Label::Real, split: Split::Train, subset: String::new() };
        let choices = Choices { grouping: Grouping::File, ..Choices::of(Media::Pictures) };
        let photographs = all.read(&self.folder, &choices)?.samples;
        let task = Task::new("searched");
        let done = AtomicUsize::new(0);
        let found: Vec<Result<(String, FaceBox), String>> = photographs
            .par_iter()
            .map_init(FaceDetector::new, |detector, sample| {
                let below = sample.path.strip_prefix(&self.folder).unwrap_or(&sample.path);
                let name = below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
                let picture = picture::open(&sample.path).map_err(|error| error.to_string());
                let face = picture.and_then(|picture| {
                    let faces = detector.faces(&picture);
                    faces
                        .first()
                        .copied()
                        .ok_or_else(|| format!("{}: no face is found", sample.path.display()))
                });
                task.set(done.fetch_add(1, Ordering::Relaxed) + 1, photographs.len(), "");
                Ok((name, face?))
            })
            .collect();
        drop(task);
        let (faces, skipped): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        let faces: Vec<(String, FaceBox)> = faces.into_iter().flatten().collect();
        let skipped: Vec<String> = skipped.into_iter().filter_map(Result::err).collect();
        output::warn_skipped("photographs", &skipped, None);
        if faces.is_empty() {
            bail!("{}: no face is found in any of {} photographs", self.folder.display(), photographs.len());
        }
        storage::write(&out, &table(&faces)?)?;
        if self.json {
            let result = json!({ "boxes": out, "faces": faces.len(), "skipped": skipped.len(), "skipped_files": skipped });
            return output::json(&result);
        }
        output::print(format!(
            "{} faces in {} photographs, written to {}",
            faces.len(),
            photographs.len(),
            out.display()
        ))
    }
}

fn table(faces: &[(String, FaceBox)]) -> Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["file", "left", "top", "right", "bottom"])?;
    for (name, FaceBox { left, top, right, bottom }) in faces {
        table.serialize((name, left, top, right, bottom))?;
    }
    table.into_inner().context("boxes.csv cannot be made")
}
