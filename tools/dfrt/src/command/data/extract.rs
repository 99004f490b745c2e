//! `dfrt data extract`: cuts face crops out of videos.

use super::shared::LayoutName;
use crate::command::options::{check_resume, options, use_threads};
use crate::command::values::count;
use crate::failure;
use crate::lock;
use crate::output::{self, Lines};
use crate::paths;
use crate::progress::Stages;
use anyhow::{Result, bail};
use dfrt_runtime::data::layouts::{self, Media};
use dfrt_runtime::data::manifest;
use dfrt_runtime::faces::video::{
    self, Extract, Extracted, FileFormat, Frames, HOLD, JOURNAL, MANIFEST, Progress, SUMMARY, Untagged,
};
use std::path::PathBuf;
use std::str::FromStr;

/// The sides that a crop may have, in pixels.
const SIZES: std::ops::RangeInclusive<usize> = 32..=2048;
/// The most frames of a video: they are in memory at the same time.
const MOST_FRAMES: usize = 256;

options! {
/// cut the faces out of videos: a square around the largest face in equally spaced frames, as
/// pictures with a manifest
#[argh(
    name = "extract",
    example = "{command_name} FaceForensics++ --out faces --size 299",
    note = "Needs ffmpeg. The crops lie below OUT as their videos lie below the folder, with manifest.csv \
    (a crop's group is its video) and extract.json. A frame that does not show the face, or is damaged, gives \
    no crop and is counted. A video that cannot be used is listed and skipped. After an interruption, \
    --resume continues."
)]
pub struct Options {
    /// folder of the data set, in a layout that `data index` knows
    #[argh(positional)]
    folder: PathBuf,
    /// folder for the crops
    #[argh(option)]
    out: PathBuf,
    /// layout, or auto to recognise it (default auto)
    #[argh(option, default = "LayoutName::default()")]
    layout: LayoutName,
    /// frames of each training or validation video (default 8)
    #[argh(option, default = "8")]
    frames: usize,
    /// frames of each test video (default 32)
    #[argh(option, default = "32")]
    test_frames: usize,
    /// side of a crop in pixels (default 224)
    #[argh(option, default = "224")]
    size: usize,
    /// side of the square that is cut out, in sides of the face's box (default 1.3)
    #[argh(option, default = "1.3")]
    margin: f32,
    /// png, without loss, or jpg (default png)
    #[argh(option, default = "Format::Png")]
    format: Format,
    /// quality of jpg, 1 to 100 (default 95)
    #[argh(option, default = "95")]
    quality: u8,
    /// colour matrix of videos that do not name it: bt601, as ffmpeg and OpenCV assume, bt709, or
    /// size, as players do: bt709 from 1280 px width or 577 lines on (default bt601)
    #[argh(option, default = "Untagged::Bt601")]
    untagged: Untagged,
    /// videos at most in each split, balanced over the classes, the same ones each time
    #[argh(option, from_str_fn(count))]
    limit: Option<usize>,
    threads, resume, force, json,
}
}

/// The file format of the crops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Png,
    Jpg,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpg),
            _ => Err("choose png or jpg".to_owned()),
        }
    }
}

impl Options {
    /// Extracts the face crops; writes them, their manifest and a summary.
    pub fn run(self) -> Result<()> {
        self.check()?;
        use_threads(self.threads)?;
        let _lock = lock::of(&self.out)?;
        let found = layouts::read(&self.folder, self.layout.as_str(), Media::Videos)?;
        output::warn_skipped(&format!("entries of {}", self.folder.display()), &found.skipped, None);
        output::note_rules(&self.folder.display().to_string(), &found.rules);
        let videos = match self.limit {
            Some(limit) => manifest::Split::ALL
                .iter()
                .flat_map(|split| manifest::limit(&found.split(*split), limit, 0))
                .collect(),
            None => found.samples,
        };
        self.prepare()?;
        let job = Extract {
            root: &self.folder,
            videos: &videos,
            out: &self.out,
            frames: Frames { train: self.frames, val: self.frames, test: self.test_frames },
            size: self.size,
            margin: self.margin,
            format: match self.format {
                Format::Png => FileFormat::Png,
                Format::Jpg => FileFormat::Jpeg(self.quality),
            },
            untagged: self.untagged,
        };
        let extracted = extract(&job)?;
        let summary = self.out.join(SUMMARY);
        output::warn_skipped("videos", &extracted.skipped, Some(&summary));
        output::note_rules(&self.folder.display().to_string(), &self.assumptions(&extracted));
        if self.json {
            return output::json(&extracted);
        }
        output::print(self.table(&extracted))
    }

    fn check(&self) -> Result<()> {
        check_resume("data extract", self.resume, self.force)?;
        let wrong = |what: String| Err(failure::usage(what));
        if !SIZES.contains(&self.size) {
            let (least, most) = (SIZES.start(), SIZES.end());
            return wrong(format!("--size {}: choose a side from {least} to {most} pixels", self.size));
        }
        for (option, frames) in [("frames", self.frames), ("test-frames", self.test_frames)] {
            if !(1..=MOST_FRAMES).contains(&frames) {
                return wrong(format!("--{option} {frames}: choose 1 to {MOST_FRAMES} frames a video"));
            }
        }
        if !(0.5..=4.0).contains(&self.margin) {
            return wrong(format!("--margin {}: choose 0.5 to 4 sides of the face's box", self.margin));
        }
        if self.format == Format::Jpg && !(1..=100).contains(&self.quality) {
            return wrong(format!("--quality {}: choose 1 to 100", self.quality));
        }
        Ok(())
    }

    /// What was assumed because videos do not name it, one line each.
    fn assumptions(&self, extracted: &Extracted) -> Vec<String> {
        let Extracted { untagged, finished, .. } = extracted;
        let matrix = match self.untagged {
            Untagged::Size => "BT.709 from 1280 px width or 577 lines on, else BT.601",
            Untagged::Bt709 => "BT.709",
            Untagged::Bt601 => "BT.601, as ffmpeg and OpenCV do",
        };
        let line = format!(
            "{untagged} of {finished} videos do not tell their colour matrix: read by {matrix}; --untagged \
             bt601|bt709|size changes it"
        );
        if *untagged > 0 { vec![line] } else { Vec::new() }
    }

    /// Checks that the output folder is free, or holds an extraction that may be resumed or replaced.
    fn prepare(&self) -> Result<()> {
        let out = self.out.display();
        if paths::is_free(&self.out)? {
            return Ok(());
        }
        if !self.out.join(JOURNAL).is_file() {
            bail!("{out}: is not empty and holds no extraction; choose another --out");
        }
        if self.force {
            video::remove_crops_and_journal(&self.out)?;
            return paths::remove(&self.out, &[MANIFEST, SUMMARY]);
        }
        if !self.resume {
            bail!(
                "{out}: holds an unfinished or earlier extraction; continue it with --resume, or start again with --force"
            );
        }
        Ok(())
    }

    fn table(&self, extracted: &Extracted) -> String {
        let mut lines = Lines::default();
        let Extracted { videos, finished, before, pictures, held, without_face, lost, .. } = extracted;
        let earlier =
            if *before > 0 { format!(", {before} of them by an earlier call") } else { String::new() };
        lines.add("videos", format!("{finished} of {videos}{earlier}"));
        lines.add("crops", format!("{pictures} of {0} x {0} px", self.size));
        if *held > 0 {
            lines.add(
                "face not found",
                format!("in {held} frames: cut out where frames within {HOLD} s before and after have it"),
            );
        }
        if *without_face > 0 {
            lines.add("frames left out", format!("{without_face}, which do not show the video's face"));
        }
        if *lost > 0 {
            lines.add("frames lost", format!("{lost}, which are damaged or missing"));
        }
        format!("{lines}\nwritten to {}", self.out.join(MANIFEST).display())
    }
}

/// Extracts the crops and shows the progress.
fn extract(job: &Extract<'_>) -> Result<Extracted> {
    let stages = Stages::default();
    let progress = |at: Progress| match at {
        Progress::Compared { done, total } => stages.set("earlier videos compared", done, total, ""),
        Progress::Extracted { done, total, failed } => {
            let remark = if failed > 0 { format!("{failed} skipped") } else { String::new() };
            stages.set("videos extracted", done, total, &remark);
        }
    };
    Ok(video::extract(job, &progress)?)
}
