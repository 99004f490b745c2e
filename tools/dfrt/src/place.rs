//! Where results go: nothing is overwritten unless `--force` says so.

use anyhow::{Context, Result, anyhow, bail};
use dfrt_runtime::results::lock::LOCK;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// `path` from the root on, so that it stays right in files that are read elsewhere.
///
/// # Errors
/// It is empty, or the working folder is gone.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}: cannot be found", path.display()))
}

/// Whether a new file may and can be written at `path`.
///
/// # Errors
/// A folder is there, or a file and no `force`; nothing can be written there.
pub fn file(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        bail!("{}: is a folder; name a file with --out", path.display());
    }
    if !force && path.symlink_metadata().is_ok() {
        bail!("{}: exists already; choose another --out, or replace it with --force", path.display());
    }
    let whole = absolute(path)?;
    let there = whole.ancestors().skip(1).find(|folder| folder.symlink_metadata().is_ok());
    // The only sure way to learn it, before an hour's work is lost.
    let tried = tempfile::Builder::new().prefix(".dfrt-").tempfile_in(there.unwrap_or(&whole));
    tried
        .map(drop)
        .map_err(|error| anyhow!("{}: cannot be written: {error}; choose another --out", path.display()))
}

/// Whether the folder `path` is absent or empty, but for a lock.
///
/// # Errors
/// It is a file or cannot be listed.
pub fn is_free(path: &Path) -> Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == LOCK))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            bail!("{}: is a file; name a folder with --out", path.display())
        }
        Err(error) => Err(error).context(format!(
            "{}: cannot be listed; check its permissions or choose another --out",
            path.display()
        )),
    }
}

/// Removes `names` (files or whole folders) in the folder `dir`; others stay.
///
/// # Errors
/// One that is there cannot be removed.
pub fn clear(dir: &Path, names: &[&str]) -> Result<()> {
    for name in names {
        let path = dir.join(name);
        let removed = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(found) if found.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
        };
        removed.with_context(|| {
            format!("{}: cannot be removed; check its permissions or choose another --out", path.display())
        })?;
    }
    Ok(())
}

/// Removes what a killed process had half written in the folder `dir`.
#[cfg(feature = "train")]
pub fn sweep(dir: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let halves: Vec<String> = names.filter(|name| name.starts_with(".dfrt-")).collect();
    clear(dir, &halves.iter().map(String::as_str).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::storage;

    #[test]
    fn only_ones_own_files_go() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("attack");
        storage::write(&folder.join("attack.json"), b"{}").unwrap();
        storage::write(&folder.join("clean/1.png"), b"").unwrap();
        storage::write(&folder.join("notes.txt"), b"mine").unwrap();
        assert!(!is_free(&folder).unwrap() && is_free(&folder.join("new")).unwrap());
        assert!(is_free(&folder.join("notes.txt")).is_err());
        storage::write(&root.path().join("locked").join(LOCK), b"").unwrap();
        assert!(is_free(&root.path().join("locked")).unwrap());
        assert!(file(&folder.join("attack.json"), false).unwrap_err().to_string().contains("--force"));
        assert!(file(&folder.join("attack.json"), true).is_ok() && file(&folder, true).is_err());
        let nowhere = file(&folder.join("notes.txt/eval.json"), false).unwrap_err().to_string();
        assert!(nowhere.contains("eval.json: cannot be written") && nowhere.contains("--out"), "{nowhere}");
        assert!(file(&root.path().join("a/b/eval.json"), false).is_ok() && !root.path().join("a").exists());
        clear(&folder, &["attack.json", "clean", "absent"]).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
