//! Checks of output paths: nothing is overwritten without `--force`.

use anyhow::{Context, Result, anyhow, bail};
use dfrt_runtime::results::lock::LOCK;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// `path` as an absolute one, for files that are read from other folders.
///
/// # Errors
/// An empty path, or a working folder that does not exist any more.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}: cannot be found", path.display()))
}

/// Checks that a new file may and can be written to `path`.
///
/// # Errors
/// `path` is a folder, or exists without `force`; or it cannot be written.
pub fn check_file(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        bail!("{}: is a folder; name a file with --out", path.display());
    }
    if !force && path.symlink_metadata().is_ok() {
        bail!("{}: exists already; choose another --out, or replace it with --force", path.display());
    }
    let full = absolute(path)?;
    let existing = full.ancestors().skip(1).find(|folder| folder.symlink_metadata().is_ok());
    // Trying it is the only sure check, before an hour of work is lost.
    let tried = tempfile::Builder::new().prefix(".dfrt-").tempfile_in(existing.unwrap_or(&full));
    tried
        .map(drop)
        .map_err(|error| anyhow!("{}: cannot be written: {error}; choose another --out", path.display()))
}

/// Whether the folder `path` is absent or empty; a lock file does not count.
///
/// # Errors
/// `path` is a file or cannot be listed.
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

/// Removes the files and folders `names` in the folder `dir`; absent ones are ignored.
///
/// # Errors
/// One of them cannot be removed.
pub fn remove(dir: &Path, names: &[&str]) -> Result<()> {
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

/// Removes the incomplete files that a killed process left in the folder `dir`.
///
/// # Errors
/// One of them cannot be removed.
#[cfg(feature = "train")]
pub fn remove_partial_files(dir: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let partial: Vec<String> = names.filter(|name| name.starts_with(".dfrt-")).collect();
    remove(dir, &partial.iter().map(String::as_str).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::storage;

    #[test]
    fn only_named_files_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("attack");
        storage::write(&folder.join("attack.json"), b"{}").unwrap();
        storage::write(&folder.join("clean/1.png"), b"").unwrap();
        storage::write(&folder.join("notes.txt"), b"mine").unwrap();
        assert!(!is_free(&folder).unwrap() && is_free(&folder.join("new")).unwrap());
        assert!(is_free(&folder.join("notes.txt")).is_err());
        storage::write(&root.path().join("locked").join(LOCK), b"").unwrap();
        assert!(is_free(&root.path().join("locked")).unwrap());
        assert!(check_file(&folder.join("attack.json"), false).unwrap_err().to_string().contains("--force"));
        assert!(check_file(&folder.join("attack.json"), true).is_ok() && check_file(&folder, true).is_err());
        let nowhere = check_file(&folder.join("notes.txt/eval.json"), false).unwrap_err().to_string();
        assert!(nowhere.contains("eval.json: cannot be written") && nowhere.contains("--out"), "{nowhere}");
        assert!(
            check_file(&root.path().join("a/b/eval.json"), false).is_ok() && !root.path().join("a").exists()
        );
        remove(&folder, &["attack.json", "clean", "absent"]).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
}
