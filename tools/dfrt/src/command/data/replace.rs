//! Data sets that replace an earlier one only when they are whole.

use crate::lock;
use crate::paths;
use anyhow::{Context, Result, bail};
use dfrt_runtime::data::manifest::Summary;
use dfrt_runtime::sample::{Label, Split};
use std::ffi::OsStr;
use std::path::Path;

/// Lets `make` fill the folder `out`. Where it holds a set already, which consists of
/// `parts` and nothing else, and `force` says so, the new one is made beside it, and the
/// old one goes when the new one is whole.
///
/// # Errors
/// The folder is occupied, by other things even, or cannot be replaced; as `make`.
pub fn fill_or_replace<T>(
    out: &Path,
    parts: &[&str],
    force: bool,
    make: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let shown = out.display();
    let _lock = lock::beside(out)?;
    if paths::is_free(out)? {
        return make(out);
    }
    if !force {
        bail!("{shown}: is not empty; choose another --out, or replace what is there with --force");
    }
    let foreign = |name: &OsStr| !parts.iter().any(|known| name == *known);
    for entry in std::fs::read_dir(out)? {
        let name = entry?.file_name();
        if foreign(&name) {
            bail!(
                "{shown}: holds {}, which is no part of such a data set; remove it first or choose another --out",
                name.to_string_lossy()
            );
        }
    }
    let whole = paths::absolute(out)?;
    let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = whole.with_file_name(format!(".{name}.new"));
    let made = make(&beside)?;
    paths::remove(out, parts)?;
    std::fs::remove_dir(out).and_then(|()| std::fs::rename(&beside, &whole)).with_context(|| {
        format!("{}: cannot be replaced; the new set is in {}", whole.display(), beside.display())
    })?;
    Ok(made)
}

/// All pictures of a set.
pub fn count_pictures(summary: &Summary) -> usize {
    let labels = [Label::Real, Label::Fake];
    Split::ALL.iter().flat_map(|split| labels.map(|label| summary.count(*split, label))).sum()
}
