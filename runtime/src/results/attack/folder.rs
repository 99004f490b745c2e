//! The folder of an attack: attack.json, samples.csv, `clean/<id>.png` and
//! `adversarial/<id>.png`, and the journal from which an interrupted run goes on.

use super::{AttackReport, SampleResult};
use crate::results::{ResultError, json, table};
use crate::storage;
use image::{ImageFormat, RgbImage};
use std::path::{Path, PathBuf};

/// The folder of a suite's attacks in the suite's own.
pub const STAGES: &str = "stages";

/// Why an attack's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AttackFolderError {
    /// A file cannot be read, written or understood.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// The folder holds another result.
    #[error("{}: holds an attack already; pass --resume to go on with it, --force to replace it, or choose another --out", .0.display())]
    Occupied(PathBuf),
    /// The folder holds the beginning of a run with other settings.
    #[error("{}: was begun with other settings: {difference}; give the same settings, choose another --out, or pass --force to replace it", folder.display())]
    OtherSettings {
        /// The folder.
        folder: PathBuf,
        /// Every setting that differs, with both values.
        difference: String,
    },
    /// The folder's journal is of another version.
    #[error("{}: its journal.csv was written by another version of dfrt and cannot be read; use that version, or make the attack again with another --out or with --force", .0.display())]
    OtherVersion(PathBuf),
    /// The folder holds the beginning of a run on other pictures.
    #[error("{}: was begun on other pictures: {difference}; name the same --data, unchanged, choose another --out, or pass --force to replace it", folder.display())]
    OtherPictures {
        /// The folder.
        folder: PathBuf,
        /// How the first one differs.
        difference: String,
    },
}

/// Which of the two pictures of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// As it was before.
    Clean,
    /// As the attack left it.
    Adversarial,
}

impl Side {
    /// Both of them.
    pub const BOTH: [Self; 2] = [Self::Clean, Self::Adversarial];
}

/// An attack's folder.
#[derive(Clone, Debug)]
pub struct AttackFolder {
    folder: PathBuf,
}

impl AttackFolder {
    /// The attack in `folder`, which need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// attack.json.
    pub fn report_path(&self) -> PathBuf {
        self.folder.join("attack.json")
    }

    /// samples.csv.
    pub fn samples_path(&self) -> PathBuf {
        self.folder.join("samples.csv")
    }

    /// The journal: one line a finished picture, in the order they finished.
    pub fn journal_path(&self) -> PathBuf {
        self.folder.join("journal.csv")
    }

    /// Where a picture of sample `id` is saved.
    pub fn picture_path(&self, side: Side, id: u64) -> PathBuf {
        let folder = match side {
            Side::Clean => "clean",
            Side::Adversarial => "adversarial",
        };
        self.folder.join(folder).join(format!("{id}.png"))
    }

    /// Saves a PNG and gives its SHA-256.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, side: Side, id: u64, png: &[u8]) -> Result<String, ResultError> {
        storage::write(&self.picture_path(side, id), png)?;
        Ok(storage::sha256(png))
    }

    /// A saved picture and the SHA-256 of its file.
    ///
    /// # Errors
    /// The file cannot be read or is no PNG.
    pub fn picture(&self, side: Side, id: u64) -> Result<(RgbImage, String), ResultError> {
        let path = self.picture_path(side, id);
        let bytes = storage::read(&path)?;
        Ok((decode(&bytes, &path)?, storage::sha256(&bytes)))
    }

    /// Writes attack.json and samples.csv (`samples` by rising id).
    ///
    /// # Errors
    /// A file cannot be written; the earlier ones stay.
    pub fn publish(&self, report: &AttackReport, samples: &[SampleResult]) -> Result<(), ResultError> {
        table::write(&self.samples_path(), samples)?;
        json::write(&self.report_path(), report)
    }

    /// attack.json.
    ///
    /// # Errors
    /// It is missing or is no such object.
    pub fn report(&self) -> Result<AttackReport, ResultError> {
        json::read(&self.report_path())
    }

    /// samples.csv.
    ///
    /// # Errors
    /// It is missing or a line is no sample.
    pub fn samples(&self) -> Result<Vec<SampleResult>, ResultError> {
        table::read(&self.samples_path())
    }
}

/// An 8-bit RGB PNG of ours, read back; `path` names it in the error.
pub(crate) fn decode(png: &[u8], path: &Path) -> Result<RgbImage, ResultError> {
    match image::load_from_memory_with_format(png, ImageFormat::Png) {
        Ok(image::DynamicImage::ImageRgb8(picture)) => Ok(picture),
        Ok(_) => Err(ResultError::garbled(path, "a PNG, but not of 8-bit RGB")),
        Err(error) => Err(ResultError::garbled(path, error)),
    }
}
