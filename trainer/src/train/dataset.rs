//! The pictures that a run trains and validates on: those of the data set, or its reals and
//! self-blended images made from them.

use super::balance::LossWeights;
use super::fakes::Fakes;
use super::order::Order;
use super::pool::Pool;
use super::pool::allowance::Allowance;
use super::settings::Settings;
use dfrt_runtime::data::manifest::{self, Manifest, ManifestError};
use dfrt_runtime::faces::face::Landmarks;
use dfrt_runtime::faces::landmarks::{LandmarkError, LandmarkFiles};
use dfrt_runtime::sample::{Label, Sample, Split};
use std::sync::Arc;

/// Why a run cannot train on a data set. Every message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The manifest or its pictures.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file of landmarks.
    #[error(transparent)]
    Landmarks(#[from] LandmarkError),
    /// No face is known, so that no self-blended image can be made.
    #[error(
        "{what}: of none of the {count} real pictures the face is known; put landmarks.json, .tem files or boxes.csv beside them, or train with --fakes files"
    )]
    NoFaces {
        /// The pictures, for the message.
        what: String,
        /// Their number.
        count: usize,
    },
}

/// The training pictures.
#[derive(Debug)]
pub struct TrainingPictures {
    /// The pictures of the files; with self-blended images only the reals.
    pub pool: Pool,
    /// Labels by index. With self-blended images the reals come first, then, in the same order, the
    /// fakes made from them.
    pub labels: Vec<Label>,
    /// Where the fakes come from.
    pub fakes: Fakes,
    /// A line for each picture that was left out.
    pub left_out: Vec<String>,
}

impl TrainingPictures {
    /// The training pictures of `manifest`. `allowance` limits the decoded pictures in memory.
    ///
    /// # Errors
    /// No picture of a class that is needed; with self-blended images no known face, or a file of
    /// landmarks that cannot be used.
    pub fn of(
        settings: &Settings,
        manifest: &Manifest,
        allowance: Arc<Allowance>,
    ) -> Result<Self, DatasetError> {
        let side = settings.augment.prepared_side(settings.res);
        let fakes = settings.fakes;
        if fakes == Fakes::Files {
            let samples = of_files(settings, manifest, Split::Train)?;
            let labels = samples.iter().map(|sample| sample.label).collect();
            let pool = Pool::with_allowance(samples, side, allowance);
            return Ok(Self { pool, labels, fakes, left_out: Vec::new() });
        }
        let Faces { reals, landmarks, left_out } = Faces::of(settings, manifest, Split::Train)?;
        let labels = [vec![Label::Real; reals.len()], vec![Label::Fake; reals.len()]].concat();
        let pool = Pool::of_faces(reals, landmarks, side, allowance);
        Ok(Self { pool, labels, fakes, left_out })
    }

    /// The weights of the pictures in the loss. With one fake for each real they are equal.
    pub fn weights(&self, settings: &Settings) -> LossWeights {
        match self.fakes {
            Fakes::Files => LossWeights::of(self.pool.samples(), settings.balance, &settings.subset_weights),
            Fakes::Sbi => LossWeights::of_classes(1.0, 1.0),
        }
    }

    /// The order of training.
    pub fn order<'a>(&'a self, settings: &Settings) -> Order<'a> {
        Order::of(self.pool.samples(), settings)
    }
}

/// The validation pictures of `manifest`, and a line for each picture that was left out. For a
/// training on self-blended images they are those of the data set, if it has validation fakes;
/// otherwise its reals and one self-blended image of each, the same in every epoch.
///
/// # Errors
/// See [`TrainingPictures::of`].
pub fn validation(settings: &Settings, manifest: &Manifest) -> Result<(Pool, Vec<String>), DatasetError> {
    let here = |sample: &&Sample| sample.split == Split::Val;
    let own_fakes = manifest.samples.iter().filter(here).any(|sample| sample.label == Label::Fake);
    if settings.fakes == Fakes::Files || own_fakes {
        let samples = of_files(settings, manifest, Split::Val)?;
        return Ok((Pool::new(samples, settings.res), Vec::new()));
    }
    let Faces { reals, landmarks, left_out } = Faces::of(settings, manifest, Split::Val)?;
    let allowance = Allowance::of_this_process();
    Ok((Pool::self_blended(reals, landmarks, settings.res, allowance, settings.seed), left_out))
}

/// Checks that a run with `settings` has pictures to train and validate on. No picture is opened.
///
/// # Errors
/// The errors of such a run.
pub fn check(settings: &Settings) -> Result<(), DatasetError> {
    let manifest = Manifest::of(&settings.data)?;
    let weighed: Vec<&String> = settings.subset_weights.keys().collect();
    manifest.of_subsets(&weighed)?;
    TrainingPictures::of(settings, &manifest, Arc::new(Allowance::new(0)))?;
    validation(settings, &manifest)?;
    Ok(())
}

fn name_of(settings: &Settings, split: Split) -> String {
    format!("the {split} split of {}", settings.data.display())
}

fn of_files(settings: &Settings, manifest: &Manifest, split: Split) -> Result<Vec<Sample>, ManifestError> {
    let mut samples = manifest.of_subsets(&settings.train_subsets)?.split(split);
    if let Some(limit) = settings.limit {
        samples = manifest::limit(&samples, limit, 0);
    }
    manifest::require_both_classes(&samples, &name_of(settings, split))?;
    Ok(samples)
}

/// Real pictures whose faces are known.
struct Faces {
    reals: Vec<Sample>,
    landmarks: Vec<Landmarks>,
    left_out: Vec<String>,
}

impl Faces {
    fn of(settings: &Settings, manifest: &Manifest, split: Split) -> Result<Self, DatasetError> {
        let mut samples = manifest.of_subsets(&settings.train_subsets)?.split(split);
        samples.retain(|sample| sample.label == Label::Real);
        if let Some(limit) = settings.limit {
            // The limit includes the fakes.
            samples = manifest::limit(&samples, limit.div_ceil(2), 0);
        }
        let what = name_of(settings, split);
        if samples.is_empty() {
            return Err(ManifestError::NoSamples { what: format!("the reals of {what}") }.into());
        }
        let count = samples.len();
        let mut files = LandmarkFiles::default();
        let mut faces = Self { reals: Vec::new(), landmarks: Vec::new(), left_out: Vec::new() };
        for sample in samples {
            match files.find(&sample.path)? {
                Some(found) => {
                    faces.reals.push(sample);
                    faces.landmarks.push(found.landmarks);
                }
                None => faces.left_out.push(format!(
                    "{}: its face is in no landmarks.json, .tem or boxes.csv",
                    sample.path.display()
                )),
            }
        }
        if faces.reals.is_empty() {
            return Err(DatasetError::NoFaces { what, count });
        }
        Ok(faces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Training reals 0 to 3, of which the last has no known face, and validation reals 4
    /// and 5, with a fake where asked for.
    fn folder(val_fake: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = "path,label,subset,group,split\n".to_owned();
        for index in 0..6 {
            let split = if index < 4 { "train" } else { "val" };
            lines += &format!("{index}.png,real,s,{index},{split}\n");
        }
        if val_fake {
            lines += "fake.png,fake,s,9,val\n";
        }
        std::fs::write(folder.path().join("manifest.csv"), lines).unwrap();
        let boxes: String = [0, 1, 2, 4, 5].map(|index| format!("{index}.png,4,4,20,20\n")).concat();
        std::fs::write(folder.path().join("boxes.csv"), format!("file,left,top,right,bottom\n{boxes}"))
            .unwrap();
        folder
    }

    fn settings(folder: &Path, fakes: Fakes) -> Settings {
        Settings { data: folder.join("manifest.csv"), fakes, ..Settings::default() }
    }

    #[test]
    fn reals_alone_are_enough_for_self_blended_images() {
        let folder = folder(false);
        let settings = settings(folder.path(), Fakes::Sbi);
        let manifest = Manifest::of(&settings.data).unwrap();
        let train = TrainingPictures::of(&settings, &manifest, Arc::new(Allowance::new(0))).unwrap();
        assert_eq!(train.labels, [[Label::Real; 3], [Label::Fake; 3]].concat());
        assert!(train.left_out.len() == 1 && train.left_out[0].contains("3.png"), "{:?}", train.left_out);
        assert_eq!(train.order(&settings).batches(0)[0].len(), 6);
        let (val, left_out) = validation(&settings, &manifest).unwrap();
        assert_eq!((val.samples().len(), left_out.len()), (4, 0));
        let limited = Settings { limit: Some(4), ..settings.clone() };
        let train = TrainingPictures::of(&limited, &manifest, Arc::new(Allowance::new(0))).unwrap();
        assert!(train.labels.len() <= 4);
        check(&settings).unwrap();
    }

    #[test]
    fn own_fakes_are_used_for_validation() {
        let folder = folder(true);
        let settings = settings(folder.path(), Fakes::Sbi);
        let manifest = Manifest::of(&settings.data).unwrap();
        let (val, _) = validation(&settings, &manifest).unwrap();
        assert_eq!(val.samples().len(), 3);
    }

    #[test]
    fn missing_pictures_and_faces_are_named() {
        let folder = folder(false);
        let says = |settings: &Settings| check(settings).unwrap_err().to_string();
        let files = settings(folder.path(), Fakes::Files);
        assert!(says(&files).contains("all 4 pictures are real"), "{}", says(&files));
        let sbi = settings(folder.path(), Fakes::Sbi);
        std::fs::write(folder.path().join("boxes.csv"), "file,left,top,right,bottom\nx,1,2,3\n").unwrap();
        assert!(says(&sbi).contains("boxes.csv: line 2"), "{}", says(&sbi));
        std::fs::remove_file(folder.path().join("boxes.csv")).unwrap();
        assert!(says(&sbi).contains("of none of the 4 real pictures the face is known"), "{}", says(&sbi));
    }
}
