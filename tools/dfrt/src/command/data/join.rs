//! `dfrt data join`: several data sets as one manifest.

use crate::command::options::options;
use crate::failure;
use crate::output;
use crate::place;
use anyhow::{Result, bail};
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::sample::Sample;
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

options! {
/// put several data sets into one manifest
#[argh(
    name = "join",
    example = "{command_name} london.csv diffusion.csv --out unseen.csv\n\
    {command_name} ffpp=ffpp.csv celeb=Celeb-DF-v2 --out both.csv",
    note = "NAME=DATA puts NAME/ before the subsets, groups and people of DATA, so that what two data sets \
    call alike stays apart; without a name equal groups and people are the same ones."
)]
pub struct Join {
    /// manifests or folders, each with a name before it or none: NAME=DATA
    #[argh(positional)]
    data: Vec<Named>,
    /// manifest to write
    #[argh(option)]
    out: PathBuf,
    force, json,
}
}

impl Join {
    /// Does it.
    pub fn run(self) -> Result<()> {
        if self.data.is_empty() {
            return Err(failure::usage("no data set is named; give manifests or folders to join"));
        }
        place::file(&self.out, self.force)?;
        let (mut samples, mut skipped) = (Vec::new(), Vec::new());
        for given in &self.data {
            let Named { name, path } = given;
            let data = Manifest::of(path)?;
            output::ruled(&path.display().to_string(), &data.rules);
            skipped.extend(data.skipped.iter().map(|line| format!("{}: {line}", path.display())));
            samples.extend(data.samples.into_iter().map(|sample| prefixed(sample, name.as_deref())));
        }
        let manifest = Manifest::new(distinct(samples)?, skipped);
        manifest.write(&self.out)?;
        output::passed_over("entries", &manifest.skipped, None);
        let summary = manifest.summary();
        if self.json {
            return output::json(&super::shared::summary(&self.out, &manifest));
        }
        output::say(format!("{summary}{} pictures in {}", manifest.samples.len(), self.out.display()))
    }
}

/// A data set with the name before the first `=`, unless the whole is a path that exists.
struct Named {
    name: Option<String>,
    path: PathBuf,
}

impl FromStr for Named {
    type Err = Infallible;

    fn from_str(given: &str) -> Result<Self, Infallible> {
        let whole = PathBuf::from(given);
        Ok(match given.split_once('=') {
            Some((name, path)) if !whole.exists() && !name.is_empty() => {
                Self { name: Some(name.to_owned()), path: path.into() }
            }
            _ => Self { name: None, path: whole },
        })
    }
}

fn prefixed(sample: Sample, name: Option<&str>) -> Sample {
    let Some(name) = name else { return sample };
    let with = |text: String| format!("{name}/{text}");
    Sample {
        subset: with(sample.subset),
        group: with(sample.group),
        people: sample.people.into_iter().map(with).collect(),
        ..sample
    }
}

/// Each picture once.
fn distinct(samples: Vec<Sample>) -> Result<Vec<Sample>> {
    let mut places: HashMap<PathBuf, usize> = HashMap::new();
    let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
    for sample in samples {
        let whole = place::absolute(&sample.path)?;
        match places.get(&whole).map(|&place| &kept[place]) {
            Some(earlier) if (earlier.label, earlier.split) != (sample.label, sample.split) => bail!(
                "{}: is {} in {} in one data set and {} in {} in another; correct one of them",
                whole.display(),
                earlier.label,
                earlier.split,
                sample.label,
                sample.split
            ),
            Some(_) => {}
            None => {
                places.insert(whole, kept.len());
                kept.push(sample);
            }
        }
    }
    Ok(kept)
}
