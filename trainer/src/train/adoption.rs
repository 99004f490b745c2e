//! Makes a RUN from weights of another program, without training.

use super::dataset::DatasetError;
use super::outcome;
use super::run::TrainError;
use super::settings::Settings;
use crate::model::files::weights_file;
use crate::model::import::{Head, Imported, Source};
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::results::run::files;
use dfrt_runtime::sample::Split;
use dfrt_runtime::storage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The metadata key of the hash of the file that the weights came from.
const SOURCE: &str = "dfrt.source_sha256";

/// The content of summary.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adoption {
    /// Architecture.
    pub arch: String,
    /// Side of the input in pixels.
    pub res: usize,
    /// Number of learned values.
    pub parameters: usize,
    /// Logit above which a picture is called fake.
    pub threshold: f64,
    /// The file that the weights came from.
    pub source: String,
    /// SHA-256 of its bytes.
    pub source_sha256: String,
    /// The naming scheme of its tensors.
    pub names: String,
    /// Entries of the network's state that it holds, counters included.
    pub found: usize,
    /// Entries of the network's state.
    pub entries: usize,
    /// How the last layer was made from the file.
    pub head: Head,
    /// Its name in the file; none if a new one was made.
    #[serde(default)]
    pub head_name: Option<String>,
    /// The key of the network in the checkpoint; none if the file is the state itself.
    #[serde(default)]
    pub key: Option<String>,
    /// The prefix of the network's tensor names.
    #[serde(default)]
    pub prefix: String,
    /// The other networks in the file.
    #[serde(default)]
    pub others: Vec<String>,
    /// Entries of the file that were ignored.
    pub left_out: Vec<String>,
    /// SHA-256 over the weights.
    pub weights_sha256: String,
}

/// Writes the RUN of `imported` to the folder `out`. `settings` are those of a training run that
/// would start from it. `threshold` replaces that of the file.
///
/// # Errors
/// A data set or file that cannot be read, a folder that cannot be written.
pub fn adopt(
    settings: &Settings,
    source: &Source,
    imported: &Imported,
    threshold: Option<f64>,
    out: &Path,
) -> Result<Adoption, TrainError> {
    let graph = settings.graph()?;
    let weights = &imported.weights;
    let metadata = metadata(settings, source, imported, threshold, weights.sha256(&graph))?;
    storage::write(&out.join(files::CONFIG), settings.to_toml().as_bytes())?;
    let kept = BTreeMap::from([(weights_file::THRESHOLD_KEY.to_owned(), metadata.threshold.to_string())]);
    weights_file::save(&out.join(files::BEST), &graph, weights, &BTreeMap::new(), &kept)?;
    outcome::export(&out.join(files::MODEL), &graph, weights, &metadata, None)?;
    let adoption = Adoption {
        arch: settings.arch.clone(),
        res: settings.res,
        parameters: graph.parameter_count(),
        threshold: metadata.threshold,
        source: source.path.display().to_string(),
        source_sha256: source.sha256.clone(),
        names: source.scheme.name().to_owned(),
        found: imported.found,
        entries: imported.entries,
        head: imported.head,
        head_name: imported.head_name.clone(),
        key: source.found_in.clone(),
        prefix: source.prefix.clone(),
        others: source.others.clone(),
        left_out: imported.left_out.clone(),
        weights_sha256: weights.sha256(&graph),
    };
    let text = serde_json::to_string_pretty(&adoption).expect("plain values");
    storage::write(&out.join(files::SUMMARY), text.as_bytes())?;
    Ok(adoption)
}

/// The metadata of model.onnx: those of an ONNX file that dfrt exported, or what is known.
fn metadata(
    settings: &Settings,
    source: &Source,
    imported: &Imported,
    threshold: Option<f64>,
    weights_sha256: String,
) -> Result<Metadata, TrainError> {
    let exported = source.metadata.as_ref().filter(|_| imported.head == Head::Kept);
    let mut metadata = exported.cloned().unwrap_or_else(|| {
        let mut metadata = Metadata::new(&settings.arch, settings.res, source.threshold.unwrap_or(0.0));
        metadata.notes.insert(SOURCE.to_owned(), source.sha256.clone());
        metadata
    });
    metadata.res = settings.res;
    metadata.threshold = threshold.unwrap_or(metadata.threshold);
    metadata.weights_sha256 = Some(weights_sha256);
    if !settings.data.as_os_str().is_empty() {
        let data = std::path::absolute(&settings.data).unwrap_or_else(|_| settings.data.clone());
        metadata.data_path = Some(data.to_string_lossy().into_owned());
        metadata.data_sha256 = Some(Manifest::of(&settings.data).map_err(DatasetError::from)?.sha256());
        metadata.split = Some(Split::Test);
    }
    Ok(metadata)
}
