//! `dfrt data forge`: makes fakes from real photographs.

use super::replace;
use crate::command::options::options;
use crate::failure;
use crate::output;
use crate::progress::Task;
use anyhow::Result;
use dfrt_runtime::forgery::Blend;
use dfrt_runtime::forgery::photographs::splits_of_people;
use dfrt_runtime::forgery::set::{self, ForgerySetOptions, Method, SplitBy};
use serde_json::json;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

options! {
/// make fakes from real photographs: self-blended images (sbi) or face swaps (swap), in
/// train, val and test by person
#[argh(
    name = "forge",
    example = "{command_name} photos --method swap --out swaps\n\
    {command_name} photos --method sbi --out blends --crop 1.5 --size 224",
    note = "PHOTOS is a folder of pictures named PERSON_SHOT (001_smiling.jpg), a manifest, or a data set \
    whose real pictures are used. Faces come from landmarks.json ({{\"outline\": [index, …], \"points\": \
    {{\"file\": [[x, y], …]}}}}), from webmorph's .tem files beside the pictures or, for sbi, from boxes.csv \
    (file,left,top,right,bottom). With a people.csv (person,gender,ethnicity) donors are chosen that look like the targets."
)]
pub struct Forge {
    /// photographs: a folder or a manifest
    #[argh(positional)]
    photos: PathBuf,
    /// sbi (self-blended images) or swap (face swaps)
    #[argh(option)]
    method: Method,
    /// folder of the new data set
    #[argh(option)]
    out: PathBuf,
    /// fakes of each photograph (default 3)
    #[argh(option, default = "3")]
    per_photo: usize,
    /// side of a picture in pixels (default 256)
    #[argh(option, default = "256")]
    size: u32,
    /// crop a square of this many times the face (default: the central square of the
    /// photograph)
    #[argh(option)]
    crop: Option<f32>,
    /// shares of the people in train, val and test, or a split.csv (columns split,target)
    /// with the split of each person (default: the data set's own splits, else 60,15,25)
    #[argh(option)]
    split: Option<People>,
    /// how a swapped face is blended in: poisson (default) or feather
    #[argh(option)]
    blend: Option<Blend>,
    /// JPEG quality, or a range to draw from for reals and fakes (default 75-96)
    #[argh(option, default = "Qualities(75..=96)")]
    quality: Qualities,
    seed, force, json,
}
}

impl Forge {
    /// Makes the fakes and writes the data set.
    pub fn run(self) -> Result<()> {
        let order = self.order()?;
        order.check().map_err(failure::usage)?;
        let forged = replace::fill_or_replace(&self.out, &set::PARTS, self.force, |out| {
            let task = Task::new("forged");
            Ok(order.make(&self.photos, out, &|done, total| task.set(done, total, ""))?)
        })?;
        let pictures = replace::count_pictures(&forged.summary);
        output::warn_skipped(&format!("files of {}", self.photos.display()), &forged.passed_over, None);
        if self.json {
            return output::json(&json!({
                "out": self.out,
                "method": order.method.name(),
                "pictures": pictures,
                "parts": forged.summary.parts,
                "skipped": forged.passed_over.len(),
                "skipped_files": forged.passed_over,
            }));
        }
        output::print(format!("{}{pictures} pictures in {}/", forged.summary, self.out.display()))
    }

    fn order(&self) -> Result<ForgerySetOptions> {
        if self.blend.is_some() && self.method == Method::Sbi {
            output::note("note: --blend has no effect on sbi");
        }
        let split = match &self.split {
            None => SplitBy::Kept,
            Some(People::Shares(shares)) => SplitBy::Shares(*shares),
            Some(People::Listed(path)) => SplitBy::People(splits_of_people(path)?),
        };
        Ok(ForgerySetOptions {
            method: self.method,
            per_photo: self.per_photo,
            size: self.size,
            crop: self.crop,
            seed: self.seed,
            split,
            blend: self.blend.unwrap_or(Blend::Poisson),
            quality: self.quality.0.clone(),
        })
    }
}

/// How people are split: shares "60,15,25", or the path of a list.
enum People {
    Shares([f64; 3]),
    Listed(PathBuf),
}

impl FromStr for People {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shares: Option<Vec<f64>> = text.split(',').map(|share| share.trim().parse().ok()).collect();
        let good = |share: &f64| share.is_finite() && *share >= 0.0;
        match shares.as_deref() {
            None => Ok(Self::Listed(text.into())),
            Some(&[train, val, test]) if [train, val, test].iter().all(good) && train + val + test > 0.0 => {
                Ok(Self::Shares([train, val, test]))
            }
            Some(_) => Err("give three shares, of train, val and test, such as 60,15,25".to_owned()),
        }
    }
}

/// JPEG qualities, "90" or "75-96".
struct Qualities(RangeInclusive<u8>);

impl FromStr for Qualities {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        match (low.trim().parse(), high.trim().parse()) {
            (Ok(low), Ok(high)) => Ok(Self(low..=high)),
            _ => Err("give a number or a range, such as 75-96".to_owned()),
        }
    }
}
