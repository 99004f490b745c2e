//! Writing a data set that replaces an earlier one only when it is complete.

use crate::lock;
use crate::paths;
use anyhow::{Context, Result, bail};
use dfrt_runtime::data::manifest::Summary;
use dfrt_runtime::sample::{Label, Split};
use std::ffi::OsStr;
use std::path::Path;

/// Calls `make` to fill the folder `out`. If `out` holds a data set already, which consists of
/// `parts` and nothing else, and `force` is set, the new one is made in a folder next to it, and
/// the old one is removed when the new one is complete.
///
/// # Errors
/// The folder holds results without `force`, holds other files, or cannot be replaced; and every
/// error of `make`.
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
                "{shown}: holds {}, which does not belong to such a data set; remove it first or choose another --out",
                name.to_string_lossy()
            );
        }
    }
    let full = paths::absolute(out)?;
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let new = full.with_file_name(format!(".{name}.new"));
    let made = make(&new)?;
    paths::remove(out, parts)?;
    std::fs::remove_dir(out).and_then(|()| std::fs::rename(&new, &full)).with_context(|| {
        format!("{}: cannot be replaced; the new set is in {}", full.display(), new.display())
    })?;
    Ok(made)
}

/// The number of pictures of a data set.
pub fn count_pictures(summary: &Summary) -> usize {
    let labels = [Label::Real, Label::Fake];
    Split::ALL.iter().flat_map(|split| labels.map(|label| summary.count(*split, label))).sum()
}
