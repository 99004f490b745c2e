//! The metadata of an exported model: the ONNX file's `metadata_props`, keys prefixed `dfrt.`.
//! The trainer writes them, every command reads them; the keys are defined in this file alone.

use crate::sample::Split;
use std::collections::BTreeMap;

/// The prefix of every key.
pub const PREFIX: &str = "dfrt.";
/// The architecture: `efficientnet-b0`, …
pub const ARCH: &str = "dfrt.arch";
/// The side of the input in pixels.
pub const RES: &str = "dfrt.res";
/// The logit above which a picture is called fake.
pub const THRESHOLD: &str = "dfrt.threshold";
/// The classes, label 0 first, separated by commas.
pub const CLASSES: &str = "dfrt.classes";
/// The channel means that the graph subtracts, for the record.
pub const MEAN: &str = "dfrt.mean";
/// The channel deviations that the graph divides by, for the record.
pub const STD: &str = "dfrt.std";
/// The padding of convolutions: `symmetric` or `same`, for the record.
pub const PADDING: &str = "dfrt.padding";
/// The epsilon of every batch-norm, for the record.
pub const BN_EPS: &str = "dfrt.bn_eps";
/// The data set, as a path.
pub const DATA: &str = "dfrt.data";
/// The hash of the data set's manifest.
pub const DATA_SHA256: &str = "dfrt.data_sha256";
/// The split that was not used in training.
pub const SPLIT: &str = "dfrt.split";
/// How it was trained: `baseline`, `gr`, …
pub const METHOD: &str = "dfrt.method";
/// The training seed.
pub const SEED: &str = "dfrt.seed";
/// The hash of the weights' file.
pub const WEIGHTS_SHA256: &str = "dfrt.weights_sha256";

/// The content of `metadata_props`.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// The architecture: `efficientnet-b0`, …
    pub arch: String,
    /// The side of the input in pixels.
    pub res: usize,
    /// The logit above which a picture is called fake, chosen on the validation split.
    pub threshold: f64,
    /// The classes, label 0 first: `real`, `fake`.
    pub classes: Vec<String>,
    /// Channel means (red, green, blue; pixels in \[0, 1\]) subtracted inside the graph.
    pub mean: [f32; 3],
    /// Channel deviations divided by inside the graph.
    pub std: [f32; 3],
    /// The data set it was trained on; the default of `--data`.
    pub data_path: Option<String>,
    /// SHA-256 of that data set's manifest.
    pub data_sha256: Option<String>,
    /// The split that was used neither for training nor for the threshold.
    pub split: Option<Split>,
    /// How it was trained; `None` for imported weights.
    pub method: Option<String>,
    /// The training seed; `None` for imported weights.
    pub seed: Option<u64>,
    /// SHA-256 of the weights' file that was exported.
    pub weights_sha256: Option<String>,
    /// Every other `dfrt.` key and its value (`dfrt.gr.r`, …).
    pub notes: BTreeMap<String, String>,
}

/// Why a model's metadata cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A required key is missing.
    #[error("metadata lacks {0}; export the model again")]
    Missing(&'static str),
    /// A value is not of the kind that its key needs.
    #[error("metadata {key} = {value:?} is no {wanted}; export the model again")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The value found.
        value: String,
        /// What is needed.
        wanted: &'static str,
    },
}

impl Metadata {
    /// Metadata with the required keys; the others are empty.
    pub fn new(arch: &str, res: usize, threshold: f64) -> Self {
        Self {
            arch: arch.to_owned(),
            res,
            threshold,
            classes: vec!["real".to_owned(), "fake".to_owned()],
            mean: [0.0; 3],
            std: [1.0; 3],
            data_path: None,
            data_sha256: None,
            split: None,
            method: None,
            seed: None,
            weights_sha256: None,
            notes: BTreeMap::new(),
        }
    }

    /// The keys and values to write, in a fixed order. Numbers read back are bit-identical.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let required = [
            (ARCH, self.arch.clone()),
            (RES, self.res.to_string()),
            (THRESHOLD, self.threshold.to_string()),
            (CLASSES, self.classes.join(",")),
            (MEAN, triple_text(self.mean)),
            (STD, triple_text(self.std)),
        ];
        let optional = [
            (DATA, self.data_path.clone()),
            (DATA_SHA256, self.data_sha256.clone()),
            (SPLIT, self.split.map(|split| split.to_string())),
            (METHOD, self.method.clone()),
            (SEED, self.seed.map(|seed| seed.to_string())),
            (WEIGHTS_SHA256, self.weights_sha256.clone()),
        ];
        let known = required.map(|(key, value)| (key, Some(value))).into_iter().chain(optional);
        let mut pairs: Vec<_> = known.filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
        pairs.extend(self.notes.iter().map(|(key, value)| (key.clone(), value.clone())));
        pairs
    }

    /// Reads a file's pairs. `None` where no key has the prefix: a file of another program.
    ///
    /// # Errors
    /// A required key is missing, or a value is of the wrong kind.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Option<Self>, MetadataError> {
        let ours = pairs.into_iter().filter(|(key, _)| key.starts_with(PREFIX));
        let mut pairs: BTreeMap<String, String> =
            ours.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if pairs.is_empty() {
            return Ok(None);
        }
        let mut require = |key| pairs.remove(key).ok_or(MetadataError::Missing(key));
        let mut metadata = Self::new(
            &require(ARCH)?,
            parsed(RES, require(RES)?, "size in pixels")?,
            parsed(THRESHOLD, require(THRESHOLD)?, "number")?,
        );
        metadata.classes = require(CLASSES)?.split(',').map(str::to_owned).collect();
        metadata.mean = triple(MEAN, require(MEAN)?)?;
        metadata.std = triple(STD, require(STD)?)?;
        metadata.data_path = pairs.remove(DATA);
        metadata.data_sha256 = pairs.remove(DATA_SHA256);
        metadata.split = pairs.remove(SPLIT).map(split).transpose()?;
        metadata.method = pairs.remove(METHOD);
        metadata.seed = pairs.remove(SEED).map(|text| parsed(SEED, text, "seed")).transpose()?;
        metadata.weights_sha256 = pairs.remove(WEIGHTS_SHA256);
        metadata.notes = pairs;
        metadata.checked().map(Some)
    }

    fn checked(self) -> Result<Self, MetadataError> {
        let invalid = |key, value: String, wanted| Err(MetadataError::Invalid { key, value, wanted });
        if self.res == 0 {
            return invalid(RES, "0".to_owned(), "size in pixels");
        }
        if !self.threshold.is_finite() {
            return invalid(THRESHOLD, self.threshold.to_string(), "finite number");
        }
        if self.classes.len() != 2 {
            return invalid(CLASSES, self.classes.join(","), "pair of classes");
        }
        Ok(self)
    }
}

fn parsed<T: std::str::FromStr>(
    key: &'static str,
    value: String,
    wanted: &'static str,
) -> Result<T, MetadataError> {
    value.parse().map_err(|_| MetadataError::Invalid { key, value, wanted })
}

fn triple(key: &'static str, value: String) -> Result<[f32; 3], MetadataError> {
    let numbers: Result<Vec<f32>, _> = value.split(',').map(str::parse).collect();
    let three = numbers.ok().and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
    three.ok_or(MetadataError::Invalid { key, value, wanted: "list of three numbers" })
}

fn triple_text(values: [f32; 3]) -> String {
    values.map(|value| value.to_string()).join(",")
}

fn split(value: String) -> Result<Split, MetadataError> {
    [Split::Train, Split::Val, Split::Test]
        .into_iter()
        .find(|split| split.to_string() == value)
        .ok_or(MetadataError::Invalid { key: SPLIT, value, wanted: "split (train, val, test)" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(String, String)]) -> Result<Option<Metadata>, MetadataError> {
        Metadata::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit() {
        let mut metadata = Metadata::new("efficientnet-tiny", 96, -0.1 - 0.2);
        metadata.mean = [0.485, 0.456, 0.1 + 0.2];
        metadata.seed = Some(u64::MAX);
        metadata.split = Some(Split::Test);
        metadata.data_path = Some("faces/set, one".to_owned());
        metadata.notes.insert("dfrt.gr.r".to_owned(), "0.1".to_owned());
        assert_eq!(read(&metadata.to_pairs()).unwrap(), Some(metadata));
    }

    #[test]
    fn foreign_pairs_are_no_metadata() {
        let pairs = [("author".to_owned(), "somebody".to_owned())];
        assert_eq!(read(&pairs).unwrap(), None);
    }

    #[test]
    fn a_missing_and_a_garbled_key_are_named() {
        let mut pairs = Metadata::new("x", 32, 0.0).to_pairs();
        pairs.retain(|(key, _)| key != THRESHOLD);
        assert!(read(&pairs).unwrap_err().to_string().contains(THRESHOLD));
        pairs.push((THRESHOLD.to_owned(), "NaN".to_owned()));
        assert!(read(&pairs).unwrap_err().to_string().contains("finite"));
        pairs.retain(|(key, _)| key != RES);
        pairs.push((RES.to_owned(), "-3".to_owned()));
        assert!(read(&pairs).unwrap_err().to_string().contains("dfrt.res"));
    }
}
