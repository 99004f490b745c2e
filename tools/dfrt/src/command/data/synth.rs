//! `dfrt data synth`: the drawn demo set.

use crate::output;
use crate::place;
use crate::progress::Task;
use anyhow::{Context, Result, bail};
use argh::FromArgs;
use dfrt_runtime::data::manifest::{Label, Split, Summary};
use dfrt_runtime::data::synth;
use serde_json::json;
use std::path::{Path, PathBuf};

/// draw the demo set: portraits drawn from a formula, fakes made from them by
/// swapping and self-blending, in train, val and test by person
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "synth",
    help_triggers("-h", "--help", "help"),
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
    /// seed of all draws (default 0)
    #[argh(option, default = "0")]
    seed: u64,
    /// replace a data set drawn before
    #[argh(switch)]
    force: bool,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
}

/// What the demo set consists of, and so what `--force` may replace.
const DRAWN: [&str; 5] = ["train", "val", "test", "split.csv", "manifest.csv"];

impl Synth {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let out = self.out.display();
        let occupied = !place::is_free(&self.out)?;
        if occupied && !self.force {
            bail!("{out}: is not empty; choose another --out, or replace what is there with --force");
        }
        let summary = if occupied { self.replace()? } else { self.draw(&self.out)? };
        let (pictures, skipped) = (total(&summary), summary.skipped);
        if self.json {
            return output::json(
                &json!({ "out": self.out, "pictures": pictures, "parts": summary.parts, "skipped": skipped }),
            );
        }
        output::say(format!("{summary}{pictures} pictures in {out}/"))
    }

    fn draw(&self, out: &Path) -> Result<Summary> {
        let task = Task::new("drawn");
        Ok(synth::draw(out, self.count, self.size, self.seed, &|done, total| task.set(done, total, ""))?)
    }

    /// Draws the new set beside the old one, which goes when the new one is whole.
    fn replace(&self) -> Result<Summary> {
        let foreign = |name: &std::ffi::OsStr| !DRAWN.iter().any(|known| name == *known);
        for entry in std::fs::read_dir(&self.out)? {
            let name = entry?.file_name();
            if foreign(&name) {
                bail!(
                    "{}: holds {}, which is no part of a drawn data set; remove it first or choose another --out",
                    self.out.display(),
                    name.to_string_lossy()
                );
            }
        }
        let whole = place::absolute(&self.out)?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let beside = whole.with_file_name(format!(".{name}.new"));
        let summary = self.draw(&beside)?;
        place::clear(&self.out, &DRAWN)?;
        std::fs::remove_dir(&self.out).and_then(|()| std::fs::rename(&beside, &whole)).with_context(
            || format!("{}: cannot be replaced; the new set is in {}", whole.display(), beside.display()),
        )?;
        Ok(summary)
    }
}

fn total(summary: &Summary) -> usize {
    let labels = [Label::Real, Label::Fake];
    Split::ALL.iter().flat_map(|split| labels.map(|label| summary.count(*split, label))).sum()
}
