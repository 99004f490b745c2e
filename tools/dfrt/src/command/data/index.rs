//! `dfrt data index`: a folder becomes a manifest, or a manifest another one.

use crate::failure;
use crate::output;
use crate::place;
use anyhow::{Context, Result};
use argh::FromArgs;
use dfrt_runtime::data::layouts::flat::Flat;
use dfrt_runtime::data::layouts::{self, Media};
use dfrt_runtime::data::manifest::{Label, Manifest, Reach, Split};
use dfrt_runtime::storage;
use std::path::{Path, PathBuf};

/// read a folder in a known layout into a manifest: path,label,subset,group,split and, where
/// they are known, people
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "index",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} faces --out faces.csv",
    example = "{command_name} portraits --label fake --subset diffusion --out diffusion.csv",
    example = "{command_name} FaceForensics++ --subsets youtube/c23,Deepfakes/c23 --out c23.csv",
    note = "Layouts: folder ({{train,val,test}}/{{real,fake}}/…, with an optional split.csv that names \
    the person or video of each file), dffd, faceforensics, celeb-df, dfdcp, dfdc, as they are \
    published, videos' pictures in frames/<video>/ beside them (docs/datasets.md). Every command \
    that takes --data also takes the folder itself. Of more than 20 entries passed over, all are \
    listed in <out>.skipped.txt."
)]
pub struct Index {
    /// folder of the data set, or an earlier manifest
    #[argh(positional)]
    folder: PathBuf,
    /// layout, or auto to recognise it (default auto)
    #[argh(option, default = "String::from(\"auto\")")]
    layout: String,
    /// real or fake: everything below the folder is that, in whatever folders it lies
    #[argh(option)]
    label: Option<Label>,
    /// with --label: its split (default test)
    #[argh(option)]
    split: Option<Split>,
    /// with --label: its subset (default: the folder's name)
    #[argh(option)]
    subset: Option<String>,
    /// keep these subsets only, a,b; of Deepfakes/c23 also Deepfakes and c23 are names
    #[argh(option)]
    subsets: Vec<String>,
    /// of an earlier manifest: allow paths that climb out of its folder (../)
    #[argh(switch)]
    climb: bool,
    /// manifest to write
    #[argh(option)]
    out: PathBuf,
    /// replace an earlier manifest
    #[argh(switch)]
    force: bool,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
}

impl Index {
    /// Does it.
    pub fn run(self) -> Result<()> {
        place::file(&self.out, self.force)?;
        let mut manifest = self.read()?;
        let names = crate::command::listed(&self.subsets);
        if !names.is_empty() {
            manifest = manifest.only(&names).with_context(|| format!("--subsets {}", names.join(",")))?;
        }
        let all = self.out.with_extension("skipped.txt");
        let all = (manifest.skipped.len() > output::LISTED).then_some(all);
        if let Some(all) = &all {
            place::file(all, self.force)?;
        }
        manifest.write(&self.out)?;
        if let Some(all) = &all {
            storage::write(all, (manifest.skipped.join("\n") + "\n").as_bytes())?;
        }
        self.tell(&manifest, all.as_deref())
    }

    fn read(&self) -> Result<Manifest> {
        if let Some(label) = self.label {
            return self.flat(label);
        }
        if self.split.is_some() || self.subset.is_some() {
            return Err(failure::usage(
                "--split and --subset are for a folder of one class; say which with --label real or fake",
            ));
        }
        if !self.folder.is_file() {
            if self.climb {
                return Err(self.wrong("is no manifest; --climb is for manifests, leave it out"));
            }
            return Ok(layouts::read(&self.folder, &self.layout, Media::Pictures)?);
        }
        if self.layout != "auto" {
            return Err(self.wrong("is no folder; --layout is for folders, leave it out"));
        }
        let reach = if self.climb { Reach::Anywhere } else { Reach::Folder };
        Ok(Manifest::read_within(&self.folder, reach)?)
    }

    fn wrong(&self, what: &str) -> anyhow::Error {
        failure::usage(format!("{}: {what}", self.folder.display()))
    }

    /// A folder of one class.
    fn flat(&self, label: Label) -> Result<Manifest> {
        if self.layout != "auto" || self.climb {
            return Err(failure::usage(
                "--label and --layout or --climb exclude each other: with --label the folder has no layout",
            ));
        }
        let name = place::absolute(&self.folder)?.file_name().map(|name| name.to_string_lossy().into_owned());
        let subset = self.subset.clone().or(name).unwrap_or_else(|| label.to_string());
        let flat = Flat { label, split: self.split.unwrap_or(Split::Test), subset };
        Ok(flat.read(&self.folder, Media::Pictures)?)
    }

    fn tell(&self, manifest: &Manifest, all: Option<&Path>) -> Result<()> {
        output::passed_over(&format!("entries of {}", self.folder.display()), &manifest.skipped, all);
        let summary = manifest.summary();
        if self.json {
            return output::json(&super::written(&self.out, manifest));
        }
        output::say(format!("{summary}{} pictures in {}", manifest.samples.len(), self.out.display()))
    }
}
