//! `dfrt data synth`: draws the demo set.

use super::replace;
use crate::command::options::options;
use crate::failure;
use crate::output;
use crate::progress::Task;
use anyhow::Result;
use dfrt_runtime::data::manifest::Summary;
use dfrt_runtime::forgery::synth::{self, SynthError};
use serde_json::json;
use std::path::{Path, PathBuf};

options! {
/// draw the demo set: portraits drawn from a formula, fakes made from them by
/// swapping and self-blending, in train, val and test by person
#[argh(
    name = "synth",
    example = "{command_name} --out faces --count 480 --size 128",
    note = "The set shows the tool and tests it; it measures no real detector."
)]
pub struct Synth {
    /// folder to draw into
    #[argh(option)]
    out: PathBuf,
    /// pictures, half of them fakes (default 480)
    #[argh(option, default = "480")]
    count: usize,
    /// side of a picture in pixels (default 128)
    #[argh(option, default = "128")]
    size: u32,
    seed, force, json,
}
}

/// The files and folders of the demo set, which `--force` may replace.
const DRAWN: [&str; 5] = ["train", "val", "test", "split.csv", "manifest.csv"];

impl Synth {
    /// Draws the demo set into its folder.
    pub fn run(self) -> Result<()> {
        let Self { count, size, .. } = self;
        if count < synth::MIN_COUNT {
            return Err(failure::usage(SynthError::Count { count }));
        }
        if !synth::SIZES.contains(&size) {
            return Err(failure::usage(SynthError::Size { size }));
        }
        let out = self.out.display();
        let summary = replace::fill_or_replace(&self.out, &DRAWN, self.force, |out| self.draw(out))?;
        let (pictures, skipped) = (replace::count_pictures(&summary), summary.skipped);
        if self.json {
            return output::json(
                &json!({ "out": self.out, "pictures": pictures, "parts": summary.parts, "skipped": skipped }),
            );
        }
        output::print(format!("{summary}{pictures} pictures in {out}/"))
    }

    fn draw(&self, out: &Path) -> Result<Summary> {
        let task = Task::new("drawn");
        Ok(synth::draw(out, self.count, self.size, self.seed, &|done, total| task.set(done, total, ""))?)
    }
}
