//! The pictures that `--data`, `--split` and `--limit` choose.

use crate::failure;
use crate::output;
use anyhow::{Result, anyhow, bail};
use dfrt_runtime::data::manifest::{self, Manifest, ManifestError};
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::sample::{Label, Split};
use std::path::{Path, PathBuf};

/// Which classes to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Both; only one class is an error.
    Both,
    /// Whatever classes the data set has.
    Any,
    /// One class.
    Only(Label),
}

/// The pictures of both classes in a split of `data`, or of the data set that the model's
/// `metadata` names: at most `limit`, balanced over the classes, always the same ones.
///
/// # Errors
/// See [`open_subsets`]; also pictures of one class only.
#[cfg(feature = "train")]
pub fn open(
    data: Option<&Path>,
    metadata: Option<&Metadata>,
    split: Split,
    limit: Option<usize>,
) -> Result<Chosen> {
    choose(data, metadata, split, &[], Classes::Both, limit)
}

/// The pictures of `classes` in a split of `data`, or of the data set that the model's `metadata`
/// names: at most `limit`, balanced over the classes, always the same ones.
///
/// # Errors
/// See [`open_subsets`].
pub fn open_classes(
    data: Option<&Path>,
    metadata: Option<&Metadata>,
    split: Split,
    classes: Classes,
    limit: Option<usize>,
) -> Result<Chosen> {
    choose(data, metadata, split, &[], classes, limit)
}

/// The pictures of `subsets` in a split of `data`, or of the data set that the model's `metadata`
/// names: at most `limit`, balanced over the classes, always the same ones. If `subsets` names
/// none of a class, all of the class is used. Only one class is allowed, too.
///
/// # Errors
/// No data set is named, it cannot be read, the split is empty, or a subset does not exist.
pub fn open_subsets(
    data: Option<&Path>,
    metadata: Option<&Metadata>,
    split: Split,
    subsets: &[String],
    limit: Option<usize>,
) -> Result<Chosen> {
    choose(data, metadata, split, subsets, Classes::Any, limit)
}

fn choose(
    data: Option<&Path>,
    metadata: Option<&Metadata>,
    split: Split,
    subsets: &[String],
    classes: Classes,
    limit: Option<usize>,
) -> Result<Chosen> {
    if classes == Classes::Both {
        check_limit(limit)?;
    }
    let path = match data {
        Some(path) => path.to_owned(),
        None => path_from(metadata)?,
    };
    let manifest = Manifest::of(&path)?;
    if let (None, Some(metadata)) = (data, metadata) {
        warn_if_changed(&path, &manifest, metadata);
    }
    output::warn_skipped(&format!("entries of {}", path.display()), &manifest.skipped, None);
    output::note_rules(&path.display().to_string(), &manifest.rules);
    let all = manifest.split(split);
    let what = format!("the {split} split of {}", path.display());
    let mut named = manifest.of_subsets(subsets)?.split(split);
    let what = match classes {
        Classes::Only(label) => {
            named.retain(|sample| sample.label == label);
            format!("the {label} pictures of {what}")
        }
        _ => what,
    };
    let chosen = match limit {
        Some(limit) => manifest::limit(&named, limit, 0),
        None => named,
    };
    if chosen.is_empty() {
        return Err(ManifestError::NoSamples { what }.into());
    }
    if classes == Classes::Both {
        manifest::require_both_classes(&chosen, &what)?;
    }
    Ok(Chosen { name: path.display().to_string(), split, all, chosen })
}

/// Checks that `--limit` allows a picture of each class.
///
/// # Errors
/// Wrong usage: a limit below 2.
pub fn check_limit(limit: Option<usize>) -> Result<()> {
    match limit {
        Some(limit @ 0..2) => {
            Err(failure::usage(format!("--limit {limit}: too few; give 2 or more, to have both classes")))
        }
        _ => Ok(()),
    }
}

/// The data set that the model names.
fn path_from(metadata: Option<&Metadata>) -> Result<PathBuf> {
    let named = metadata.and_then(|metadata| metadata.data_path.as_ref());
    let path = named.ok_or_else(|| anyhow!("the model names no data set; give one with --data"))?;
    let path = PathBuf::from(path);
    if !path.exists() {
        bail!(
            "{}: the data set that the model names does not exist; give it, or another, with --data",
            path.display()
        );
    }
    Ok(path)
}

fn warn_if_changed(path: &Path, manifest: &Manifest, metadata: &Metadata) {
    if metadata.data_sha256.as_ref().is_some_and(|known| *known != manifest.sha256()) {
        output::note(format!(
            "warning: {} has changed since the model was trained on it: other files, labels or splits",
            path.display()
        ));
    }
}
