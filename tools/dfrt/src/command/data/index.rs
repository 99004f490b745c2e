//! `dfrt data index`: a folder or a list becomes a manifest, or a manifest another one.

use super::shared::LayoutName;
use crate::command::options::options;
use crate::command::values::Names;
use crate::failure::usage;
use crate::output;
use crate::place;
use anyhow::{Context, Result};
use dfrt_runtime::data::grouping::Grouping;
use dfrt_runtime::data::layouts::flat::Flat;
use dfrt_runtime::data::layouts::{self, Choices, Media};
use dfrt_runtime::data::listing::{self, ListOptions};
use dfrt_runtime::data::manifest::{Manifest, Reach};
use dfrt_runtime::sample::{Label, Split};
use dfrt_runtime::storage;
use std::path::{Path, PathBuf};

options! {
/// read a folder in a known layout, or a CSV list, into a manifest: path,label,subset,group,split
/// and, where they are known, people
#[argh(
    name = "index",
    example = "{command_name} faces --out faces.csv",
    example = "{command_name} portraits --label fake --subset diffusion --out diffusion.csv",
    example = "{command_name} FaceForensics++ --subsets youtube/c23,Deepfakes/c23 --out c23.csv",
    example = "{command_name} labels.csv --root pictures --fake-label 1 --out list.csv",
    note = "Layouts: folder ({{train,val,test}}/{{real,fake}}/…, with an optional split.csv that names \
    the person or video of each file), dffd, faceforensics, celeb-df, dfdcp, dfdc, as they are \
    published, videos' pictures in frames/<video>/ beside them, and classes (folders called real and fake, \
    0_real and 1_fake, original and manipulated, nature and ai, wherever they lie). Where nobody says which \
    pictures are of one video, or which test, a rule does and is printed (docs/datasets.md). Every command \
    that takes --data also takes the folder itself. Of a list the columns are known by their usual names. \
    Of more than 20 entries passed over, all are listed in <out>.skipped.txt."
)]
pub struct Index {
    /// folder of the data set, a CSV list, or an earlier manifest
    #[argh(positional)]
    folder: PathBuf,
    /// layout, or auto to recognise it (default auto)
    #[argh(option, default = "LayoutName::default()")]
    layout: LayoutName,
    /// real or fake: everything below the folder, or in the list, is that
    #[argh(option)]
    label: Option<Label>,
    /// the split of all pictures, where none is named (with --label default test)
    #[argh(option)]
    split: Option<Split>,
    /// of a list, or with --label: its subset (with --label default: the folder's name)
    #[argh(option)]
    subset: Option<String>,
    /// keep these subsets only, a,b; of Deepfakes/c23 also Deepfakes and c23 are names
    #[argh(option)]
    subsets: Vec<Names>,
    /// what makes pictures one video or person where nothing names it: folder, stem (the
    /// name before its number), file (nothing does), or auto (default)
    #[argh(option, default = "Grouping::Auto")]
    group: Grouping,
    /// seed of the splits that are drawn where nobody made any (default 0)
    #[argh(option)]
    seed: Option<u64>,
    /// of a list: the folder that its paths start from (default: the list's own)
    #[argh(option)]
    root: Option<PathBuf>,
    /// of a list: labels that mean fake, a,b,…; all others mean real
    #[argh(option)]
    fake_label: Vec<Names>,
    /// of a list: labels that mean real; all others mean fake
    #[argh(option)]
    real_label: Vec<Names>,
    /// of a list: the column of the paths
    #[argh(option)]
    path_column: Option<String>,
    /// of a list: the column of the labels
    #[argh(option)]
    label_column: Option<String>,
    /// of a list or an earlier manifest: allow paths that climb out of its folder (../)
    #[argh(switch)]
    climb: bool,
    /// manifest to write
    #[argh(option)]
    out: PathBuf,
    force, json,
}
}

impl Index {
    /// Does it.
    pub fn run(self) -> Result<()> {
        place::file(&self.out, self.force)?;
        let mut manifest = self.read()?;
        let names = Names::all(&self.subsets);
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
        if self.folder.is_file() {
            return self.listed();
        }
        if let Some(option) = self.for_lists() {
            return Err(usage(format!(
                "{}: is no manifest or list; {option} is for those, leave it out",
                self.folder.display()
            )));
        }
        if let Some(label) = self.label {
            return self.flat(label);
        }
        if self.subset.is_some() {
            return Err(usage(
                "--subset is for lists and for a folder of one class; pass --label real or --label fake",
            ));
        }
        Ok(layouts::read_as(&self.folder, self.layout.as_str(), &self.choices())?)
    }

    fn choices(&self) -> Choices {
        Choices {
            media: Media::Pictures,
            grouping: self.group,
            seed: self.seed.unwrap_or(0),
            split: self.split,
        }
    }

    /// The first option given that only a list can have.
    fn for_lists(&self) -> Option<&'static str> {
        let given = [("--climb", self.climb), ("--root", self.root.is_some())];
        given.into_iter().chain(self.about_lists()).find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// What may be said about lists that are no manifests.
    fn about_lists(&self) -> [(&'static str, bool); 4] {
        [
            ("--fake-label", !self.fake_label.is_empty()),
            ("--real-label", !self.real_label.is_empty()),
            ("--path-column", self.path_column.is_some()),
            ("--label-column", self.label_column.is_some()),
        ]
    }

    /// A manifest, or a list of another form.
    fn listed(&self) -> Result<Manifest> {
        let shown = self.folder.display();
        if self.layout != LayoutName::default() {
            return Err(usage(format!("{shown}: is no folder; --layout is for folders, leave it out")));
        }
        let reach = if self.climb { Reach::Anywhere } else { Reach::Folder };
        let bytes = storage::read(&self.folder)?;
        if !listing::is_manifest(&bytes) {
            return Ok(listing::read(&self.folder, &self.asked(reach))?);
        }
        let said = [
            ("--label", self.label.is_some()),
            ("--split", self.split.is_some()),
            ("--subset", self.subset.is_some()),
            ("--group", self.group != Grouping::Auto),
            ("--seed", self.seed.is_some()),
            ("--root", self.root.is_some()),
        ];
        if let Some((option, _)) = said.into_iter().chain(self.about_lists()).find(|(_, given)| *given) {
            return Err(usage(format!("{shown}: is a manifest and says that itself; leave {option} out")));
        }
        Ok(Manifest::parse(&self.folder, &bytes, reach)?)
    }

    fn asked(&self, reach: Reach) -> ListOptions {
        ListOptions {
            root: self.root.clone(),
            reach,
            path_column: self.path_column.clone(),
            label_column: self.label_column.clone(),
            fake: Names::all(&self.fake_label),
            real: Names::all(&self.real_label),
            label: self.label,
            split: self.split,
            subset: self.subset.clone(),
            grouping: self.group,
            seed: self.seed.unwrap_or(0),
        }
    }

    /// A folder of one class.
    fn flat(&self, label: Label) -> Result<Manifest> {
        if self.layout != LayoutName::default() {
            return Err(usage(
                "--label and --layout exclude each other: with --label the folder has no layout",
            ));
        }
        let name = place::absolute(&self.folder)?.file_name().map(|name| name.to_string_lossy().into_owned());
        let subset = self.subset.clone().or(name).unwrap_or_else(|| label.to_string());
        let flat = Flat { label, split: self.split.unwrap_or(Split::Test), subset };
        Ok(flat.read(&self.folder, &self.choices())?)
    }

    fn tell(&self, manifest: &Manifest, all: Option<&Path>) -> Result<()> {
        output::passed_over(&format!("entries of {}", self.folder.display()), &manifest.skipped, all);
        output::ruled(&self.folder.display().to_string(), &manifest.rules);
        let summary = manifest.summary();
        if self.json {
            return output::json(&super::shared::summary(&self.out, manifest));
        }
        output::say(format!("{summary}{} pictures in {}", manifest.samples.len(), self.out.display()))
    }
}
