//! What `--data`, `--split` and `--limit` choose.

use crate::failure;
use crate::output;
use anyhow::{Result, anyhow, bail};
use dfrt_runtime::data::manifest::{self, Manifest, ManifestError};
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::sample::{Label, Split};
use std::path::{Path, PathBuf};

/// Which classes are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    /// Both, for a figure that needs both.
    Both,
    /// Those that there are.
    Any,
    /// One alone.
    Only(Label),
}

/// The pictures of `data`, or of the data set that the model's `metadata` name,
/// at most `limit` of them, balanced over the classes and the same ones each time.
///
/// # Errors
/// As [`open_subsets`], and pictures of one class alone.
#[cfg(feature = "train")]
pub fn open(
    data: Option<&Path>,
    metadata: Option<&Metadata>,
    split: Split,
    limit: Option<usize>,
) -> Result<Chosen> {
    choose(data, metadata, split, &[], Classes::Both, limit)
}

/// The same of the `classes` that are wanted, in whatever number there is of them.
///
/// # Errors
/// As [`open_subsets`].
pub fn open_classes(
    data: Option<&Path>,
    metadata: Option<&Metadata>,
    split: Split,
    classes: Classes,
    limit: Option<usize>,
) -> Result<Chosen> {
    choose(data, metadata, split, &[], classes, limit)
}

/// The same, of some `subsets` only; a class of which none is named stays whole. They
/// may be of one class.
///
/// # Errors
/// No data set, none that can be read, a split that is empty, a subset that it does not
/// have.
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
        None => named_by(metadata)?,
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

/// Whether `--limit` leaves a picture of both classes.
///
/// # Errors
/// Wrong usage: fewer.
pub fn check_limit(limit: Option<usize>) -> Result<()> {
    match limit {
        Some(limit @ 0..2) => {
            Err(failure::usage(format!("--limit {limit}: too few; give 2 or more, to have both classes")))
        }
        _ => Ok(()),
    }
}

fn named_by(metadata: Option<&Metadata>) -> Result<PathBuf> {
    let named = metadata.and_then(|metadata| metadata.data_path.as_ref());
    let path = named.ok_or_else(|| anyhow!("the model names no data set; give one with --data"))?;
    let path = PathBuf::from(path);
    if !path.exists() {
        bail!(
            "{}: the data set that the model names is not there; give it, or another, with --data",
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
