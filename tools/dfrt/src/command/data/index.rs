//! `dfrt data index`: makes a manifest from a folder, a list or another manifest.

use super::shared::LayoutName;
use crate::command::options::options;
use crate::command::values::Names;
use crate::failure::usage;
use crate::output;
use crate::paths;
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
    0_real and 1_fake, original and manipulated, nature and ai, wherever they lie). Where the data set does not say which \
    pictures belong to one video, or to which split, a rule decides and is printed (docs/datasets.md). Every command \
    that takes --data also takes the folder itself. The columns of a list are found by their usual names. \
    If more than 20 entries are skipped, <out>.skipped.txt lists all of them."
)]
pub struct Index {
    /// folder of the data set, a CSV list, or an earlier manifest
    #[argh(positional)]
    folder: PathBuf,
    /// layout, or auto to recognise it (default auto)
    #[argh(option, default = "LayoutName::default()")]
    layout: LayoutName,
    /// real or fake: the label of everything in the folder or list
    #[argh(option)]
    label: Option<Label>,
    /// the split of all pictures, if the data set names none (with --label default test)
    #[argh(option)]
    split: Option<Split>,
    /// for a list, or with --label: its subset (with --label default: the folder's name)
    #[argh(option)]
    subset: Option<String>,
    /// keep these subsets only, a,b; Deepfakes and c23 also name Deepfakes/c23
    #[argh(option)]
    subsets: Vec<Names>,
    /// which pictures belong to one video or person, if the data set does not say: those of one
    /// folder, of one stem (the name before its number), each file by itself, or auto (default)
    #[argh(option, default = "Grouping::Auto")]
    group: Grouping,
    /// seed of the splits that are drawn if the data set has none (default 0)
    #[argh(option)]
    seed: Option<u64>,
    /// for a list: the folder that its paths start from (default: the list's own)
    #[argh(option)]
    root: Option<PathBuf>,
    /// for a list: labels that mean fake, a,b,…; all others mean real
    #[argh(option)]
    fake_label: Vec<Names>,
    /// for a list: labels that mean real; all others mean fake
    #[argh(option)]
    real_label: Vec<Names>,
    /// for a list: the column of the paths
    #[argh(option)]
    path_column: Option<String>,
    /// for a list: the column of the labels
    #[argh(option)]
    label_column: Option<String>,
    /// for a list or an earlier manifest: allow paths that leave its folder (../)
    #[argh(switch)]
    climb: bool,
    /// manifest to write
    #[argh(option)]
    out: PathBuf,
    force, json,
}
}

impl Index {
    /// Reads the folder or list and writes its manifest.
    pub fn run(self) -> Result<()> {
        paths::check_file(&self.out, self.force)?;
        let mut manifest = self.read()?;
        let names = Names::all(&self.subsets);
        if !names.is_empty() {
            manifest = manifest.only(&names).with_context(|| format!("--subsets {}", names.join(",")))?;
        }
        let all = self.out.with_extension("skipped.txt");
        let all = (manifest.skipped.len() > output::MAX_LISTED).then_some(all);
        if let Some(all) = &all {
            paths::check_file(all, self.force)?;
        }
        manifest.write(&self.out)?;
        if let Some(all) = &all {
            storage::write(all, (manifest.skipped.join("\n") + "\n").as_bytes())?;
        }
        self.print(&manifest, all.as_deref())
    }

    fn read(&self) -> Result<Manifest> {
        if self.folder.is_file() {
            return self.read_file();
        }
        if let Some(option) = self.list_option() {
            return Err(usage(format!(
                "{}: is not a manifest or a list; {option} is for those, leave it out",
                self.folder.display()
            )));
        }
        if let Some(label) = self.label {
            return self.read_flat(label);
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

    /// The first given option that is for lists or manifests only.
    fn list_option(&self) -> Option<&'static str> {
        let given = [("--climb", self.climb), ("--root", self.root.is_some())];
        given.into_iter().chain(self.list_options()).find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// The options for lists that are not manifests, and whether each is given.
    fn list_options(&self) -> [(&'static str, bool); 4] {
        [
            ("--fake-label", !self.fake_label.is_empty()),
            ("--real-label", !self.real_label.is_empty()),
            ("--path-column", self.path_column.is_some()),
            ("--label-column", self.label_column.is_some()),
        ]
    }

    /// Reads a manifest, or a list in another form.
    fn read_file(&self) -> Result<Manifest> {
        let shown = self.folder.display();
        if self.layout != LayoutName::default() {
            return Err(usage(format!("{shown}: is not a folder; --layout is for folders, leave it out")));
        }
        let reach = if self.climb { Reach::Anywhere } else { Reach::Folder };
        let bytes = storage::read(&self.folder)?;
        if !listing::is_manifest(&bytes) {
            return Ok(listing::read(&self.folder, &self.list_reading(reach))?);
        }
        let options = [
            ("--label", self.label.is_some()),
            ("--split", self.split.is_some()),
            ("--subset", self.subset.is_some()),
            ("--group", self.group != Grouping::Auto),
            ("--seed", self.seed.is_some()),
            ("--root", self.root.is_some()),
        ];
        if let Some((option, _)) = options.into_iter().chain(self.list_options()).find(|(_, given)| *given) {
            return Err(usage(format!(
                "{shown}: is a manifest, which contains that itself; leave {option} out"
            )));
        }
        Ok(Manifest::parse(&self.folder, &bytes, reach)?)
    }

    /// How the list is to be read.
    fn list_reading(&self, reach: Reach) -> ListOptions {
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

    /// Reads a folder of one class.
    fn read_flat(&self, label: Label) -> Result<Manifest> {
        if self.layout != LayoutName::default() {
            return Err(usage(
                "--label and --layout exclude each other: with --label the folder has no layout",
            ));
        }
        let name = paths::absolute(&self.folder)?.file_name().map(|name| name.to_string_lossy().into_owned());
        let subset = self.subset.clone().or(name).unwrap_or_else(|| label.to_string());
        let flat = Flat { label, split: self.split.unwrap_or(Split::Test), subset };
        Ok(flat.read(&self.folder, &self.choices())?)
    }

    /// Prints the summary; notes skipped entries and rules.
    fn print(&self, manifest: &Manifest, all: Option<&Path>) -> Result<()> {
        output::warn_skipped(&format!("entries of {}", self.folder.display()), &manifest.skipped, all);
        output::note_rules(&self.folder.display().to_string(), &manifest.rules);
        let summary = manifest.summary();
        if self.json {
            return output::json(&super::shared::description(&self.out, manifest));
        }
        output::print(format!("{summary}{} pictures in {}", manifest.samples.len(), self.out.display()))
    }
}
