//! Files that are either whole or absent: written beside their place, flushed,
//! renamed. Nothing in dfrt writes a result in place; what grows line by line is an [`AppendLog`].

use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Why a file could not be written or read; the text names the file and the way out.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The file could not be written; an earlier version is untouched.
    #[error("{}: cannot be written: {source}; free space or choose another --out (an earlier version is untouched)", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file could not be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A file that grows by whole lines. A killed process can leave the last one torn, so that a reader
/// leaves out what follows the last newline.
#[derive(Debug)]
pub struct AppendLog {
    path: PathBuf,
    file: Mutex<File>,
}

impl AppendLog {
    /// A log at `path` that begins with `text`, lines with their newlines. It is written whole first,
    /// so that nothing is ever appended to a torn line.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn begin(path: &Path, text: &[u8]) -> Result<Self, StorageError> {
        write(path, text)?;
        let file = OpenOptions::new().append(true).open(path);
        let file = file.map_err(|source| StorageError::Write { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Appends a line, which ends with a newline. A crash of the machine can still lose it.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn append(&self, line: &[u8]) -> Result<(), StorageError> {
        self.with_file(|file| file.write_all(line))
    }

    /// Appends a line and waits until it is on the disk.
    ///
    /// # Errors
    /// The disk is full or gone.
    pub fn append_synced(&self, line: &[u8]) -> Result<(), StorageError> {
        self.with_file(|file| file.write_all(line).and_then(|()| file.sync_data()))
    }

    fn with_file(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), StorageError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut file).map_err(|source| StorageError::Write { path: self.path.clone(), source })
    }
}

/// Writes `bytes` to `path` atomically, creating the folder.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    write_with(path, |file| file.write_all(bytes))
}

/// Atomically writes what `fill` writes, creating the folder. On any error the
/// file that was at `path` before stays as it was.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut io::BufWriter<&mut File>) -> io::Result<()>,
) -> Result<(), StorageError> {
    let failed = |source| StorageError::Write { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut beside = tempfile::Builder::new().prefix(".dfrt-").tempfile_in(folder).map_err(failed)?;
    {
        let mut writer = io::BufWriter::new(beside.as_file_mut());
        fill(&mut writer).map_err(failed)?;
        writer.flush().map_err(failed)?;
    }
    beside.as_file().sync_all().map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        beside.as_file().set_permissions(mode).map_err(failed)?;
    }
    beside.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A folder that is filled next to its place and moved there when it is complete.
#[derive(Debug)]
pub struct NewFolder {
    beside: tempfile::TempDir,
    out: PathBuf,
}

/// Why a [`NewFolder`] cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NewFolderError {
    /// The place is a folder that is not empty.
    #[error("is not empty")]
    Occupied,
    /// A folder cannot be created or read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl NewFolder {
    /// An empty folder on the same file system as `out`; it goes again unless it is kept.
    ///
    /// # Errors
    /// Where `out` holds something, or no folder can be made beside it.
    pub fn at(out: &Path) -> Result<Self, NewFolderError> {
        if out.exists() && std::fs::read_dir(out)?.next().is_some() {
            return Err(NewFolderError::Occupied);
        }
        let parent = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent)?;
        let beside = tempfile::Builder::new().prefix(".dfrt-").tempdir_in(parent)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(beside.path(), std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { beside, out: out.to_owned() })
    }

    /// Where it is filled.
    pub fn path(&self) -> &Path {
        self.beside.path()
    }

    /// Moves it to its place.
    ///
    /// # Errors
    /// Where it cannot be moved; it is gone then.
    pub fn keep(self) -> io::Result<()> {
        if self.out.exists() {
            std::fs::remove_dir(&self.out)?;
        }
        let whole = self.beside.keep();
        std::fs::rename(&whole, &self.out).inspect_err(|_| {
            // It is useless where the user did not ask for it.
            let _ = std::fs::remove_dir_all(&whole);
        })
    }
}

/// The whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, StorageError> {
    std::fs::read(path).map_err(|source| StorageError::Read { path: path.to_owned(), source })
}

/// Whether `bytes` are a pointer of Git's large-file storage, which stands for a file.
pub fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// The file's SHA-256 in lower-case hexadecimal.
pub fn sha256_of_file(path: &Path) -> Result<String, StorageError> {
    let failed = |source| StorageError::Read { path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = reader.read(&mut chunk).map_err(failed)?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&chunk[..read]);
    }
}

/// The SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_earlier_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/result.json");
        write(&path, b"first").unwrap();
        let full = write_with(&path, |file| {
            file.write_all(b"sec")?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "disk full"))
        });
        assert!(full.unwrap_err().to_string().contains("disk full"));
        assert_eq!(read(&path).unwrap(), b"first");
        let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(entries, 1, "the half-written file is removed");
    }

    #[test]
    fn sha256_is_the_standard_one() {
        assert!(sha256(b"abc").starts_with("ba7816bf8f01cfea"));
    }
}
