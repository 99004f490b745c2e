//! The folder of an attack: attack.json, samples.csv, `clean/<id>.png` and
//! `adversarial/<id>.png`, and the journal from which an interrupted run goes on.

use super::result::{AttackReport, SampleResult};
use crate::storage::{self, StorageError};
use image::{ImageFormat, RgbImage};
use std::path::{Path, PathBuf};

/// Why an attack's folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DossierError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The folder holds another result.
    #[error("{}: holds an attack already; pass --resume to go on with it, --force to replace it, or choose another --out", .0.display())]
    Occupied(PathBuf),
    /// The folder holds the beginning of a run with other settings.
    #[error("{}: was begun with other settings: {difference}; give those of then, choose another --out, or pass --force to replace it", folder.display())]
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
    #[error("{}: was begun on other pictures: {difference}; name the --data of then as it was, choose another --out, or pass --force to replace it", folder.display())]
    OtherPictures {
        /// The folder.
        folder: PathBuf,
        /// How the first one differs.
        difference: String,
    },
    /// A file holds something else.
    #[error("{}: cannot be understood: {reason}; run the attack again", path.display())]
    Garbled {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
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

/// An attack's folder.
#[derive(Clone, Debug)]
pub struct Dossier {
    folder: PathBuf,
}

impl Dossier {
    /// The dossier in `folder`, which need not exist yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
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
    pub fn save(&self, side: Side, id: u64, png: &[u8]) -> Result<String, DossierError> {
        storage::write(&self.picture_path(side, id), png)?;
        Ok(storage::sha256(png))
    }

    /// A saved picture and the SHA-256 of its file.
    ///
    /// # Errors
    /// The file cannot be read or is no PNG.
    pub fn picture(&self, side: Side, id: u64) -> Result<(RgbImage, String), DossierError> {
        let path = self.picture_path(side, id);
        let bytes = storage::read(&path)?;
        Ok((decode(&bytes, &path)?, storage::sha256(&bytes)))
    }

    /// Writes attack.json and samples.csv (`samples` by rising id).
    ///
    /// # Errors
    /// A file cannot be written; the earlier ones stay.
    pub fn publish(&self, report: &AttackReport, samples: &[SampleResult]) -> Result<(), DossierError> {
        storage::write_with(&self.samples_path(), |file| {
            let mut table = csv::Writer::from_writer(file);
            for sample in samples {
                table.serialize(sample).map_err(std::io::Error::other)?;
            }
            table.flush()
        })?;
        let path = self.report_path();
        let garbled = |error: serde_json::Error| garbled(&path, &error.to_string());
        let mut text = serde_json::to_string_pretty(report).map_err(garbled)?;
        text.push('\n');
        Ok(storage::write(&path, text.as_bytes())?)
    }

    /// attack.json.
    ///
    /// # Errors
    /// It is missing or is no such object.
    pub fn report(&self) -> Result<AttackReport, DossierError> {
        let path = self.report_path();
        serde_json::from_slice(&storage::read(&path)?).map_err(|error| garbled(&path, &error.to_string()))
    }

    /// samples.csv.
    ///
    /// # Errors
    /// It is missing or a line is no sample.
    pub fn samples(&self) -> Result<Vec<SampleResult>, DossierError> {
        let path = self.samples_path();
        let bytes = storage::read(&path)?;
        let mut table = csv::Reader::from_reader(&bytes[..]);
        let lines: Result<Vec<_>, csv::Error> = table.deserialize().collect();
        lines.map_err(|error| garbled(&path, &error.to_string()))
    }
}

pub(super) fn garbled(path: &Path, reason: &str) -> DossierError {
    DossierError::Garbled { path: path.to_owned(), reason: reason.to_owned() }
}

/// An 8-bit RGB PNG of ours, read back; `path` names it in the error.
pub(super) fn decode(png: &[u8], path: &Path) -> Result<RgbImage, DossierError> {
    match image::load_from_memory_with_format(png, ImageFormat::Png) {
        Ok(image::DynamicImage::ImageRgb8(picture)) => Ok(picture),
        Ok(_) => Err(garbled(path, "a PNG, but not of 8-bit RGB")),
        Err(error) => Err(garbled(path, &error.to_string())),
    }
}
