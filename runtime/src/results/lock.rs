//! One writer a folder: a file beside or among the results says which process writes
//! there. It is locked as long as that process runs, so that the lock of a killed one is
//! known to be stale at once, and it goes when the work ends, in whichever way.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The file's name within a folder of results.
pub const LOCK: &str = ".dfrt.lock";

/// Why a folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is a file.
    #[error("{}: is a file; name a folder with --out", .0.display())]
    IsFile(PathBuf),
    /// Nothing can be written there.
    #[error("{}: cannot be written; check its permissions or choose another --out: {source}", out.display())]
    Unwritable {
        /// The folder.
        out: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process of this host writes there.
    #[error("{}: is being written by {holder}; wait until it has ended, or choose another --out", out.display())]
    Held {
        /// The folder.
        out: PathBuf,
        /// Who.
        holder: String,
    },
    /// Another process may write there: the file system has no locks.
    #[error("{}: is being written by {holder}; choose another --out, or, where that process has ended, remove {}", out.display(), lock.display())]
    MayBeHeld {
        /// The folder.
        out: PathBuf,
        /// Who.
        holder: String,
        /// The lock's file.
        lock: PathBuf,
    },
    /// A process of another host writes there, or has.
    #[error(
        "{}: is locked by {holder}, which is another host than this one ({here}): {end}; choose another --out, or, \
        where that process has ended, remove {}", out.display(), lock.display()
    )]
    Elsewhere {
        /// The folder.
        out: PathBuf,
        /// Who.
        holder: String,
        /// This host.
        here: String,
        /// Whether it still runs, in words.
        end: &'static str,
        /// The lock's file.
        lock: PathBuf,
    },
}

/// The right to write into a folder, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    /// Who held it and ended before its work was, in words.
    left_by: Option<String>,
    file: File,
    /// Folders that were made for it, the deepest first; they go again where nothing is written.
    made: Vec<PathBuf>,
}

/// Who writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Holder {
    process: u32,
    host: String,
    since: String,
}

impl Holder {
    fn this() -> Self {
        let since = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
        Self { process: std::process::id(), host: host(), since }
    }

    fn words(&self) -> String {
        format!("process {} on {}, since {}", self.process, self.host, self.since)
    }
}

impl Lock {
    /// Takes the folder `out`, which is created where it is missing.
    ///
    /// # Errors
    /// Another process writes there, or nothing can be written there.
    pub fn of(out: &Path) -> Result<Self, LockError> {
        if out.is_file() {
            return Err(LockError::IsFile(out.to_owned()));
        }
        let made = create(out, out)?;
        match take(&out.join(LOCK), out) {
            Ok((file, left_by)) => Ok(Self { path: out.join(LOCK), left_by, file, made }),
            Err(error) => {
                remove_empty(&made);
                Err(error)
            }
        }
    }

    /// Takes the folder `out`, which is put in its place when it is whole: the file lies
    /// beside it.
    ///
    /// # Errors
    /// As [`Lock::of`].
    pub fn beside(out: &Path) -> Result<Self, LockError> {
        let whole = std::path::absolute(out).map_err(unwritable(out))?;
        let parent = whole.parent().unwrap_or(&whole).to_owned();
        let made = create(&parent, out)?;
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let path = parent.join(format!(".{name}{LOCK}"));
        match take(&path, out) {
            Ok((file, left_by)) => Ok(Self { path, left_by, file, made }),
            Err(error) => {
                remove_empty(&made);
                Err(error)
            }
        }
    }
}

impl Lock {
    /// Who held the folder and ended before its work was, in words; none where nobody had.
    pub fn left_by(&self) -> Option<&str> {
        self.left_by.as_deref()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What another process has put in its place is not ours.
        if is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
        remove_empty(&self.made);
    }
}

/// Creates `folder`, for `out`, and gives what was made, the deepest first.
fn create(folder: &Path, out: &Path) -> Result<Vec<PathBuf>, LockError> {
    let missing = folder.ancestors().filter(|one| !one.as_os_str().is_empty());
    let missing: Vec<PathBuf> = missing.take_while(|one| !one.exists()).map(Path::to_owned).collect();
    fs::create_dir_all(folder).map_err(unwritable(out))?;
    Ok(missing)
}

fn remove_empty(folders: &[PathBuf]) {
    // Each fails as long as something is in it.
    folders.iter().take_while(|folder| fs::remove_dir(folder).is_ok()).for_each(drop);
}

fn unwritable(out: &Path) -> impl FnOnce(io::Error) -> LockError + '_ {
    |source| LockError::Unwritable { out: out.to_owned(), source }
}

/// The file at `path`, open, locked and signed; and who had left it there, in words.
fn take(path: &Path, out: &Path) -> Result<(File, Option<String>), LockError> {
    loop {
        let (mut file, fresh) = open(path).map_err(unwritable(out))?;
        let locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return refuse(path, out, read(&mut file).as_ref(), true),
            // A file system without locks: then the file alone tells.
            Err(TryLockError::Error(_)) => false,
        };
        // Its holder may have ended, and removed it, between the two.
        if locked && !is_at(&file, path) {
            continue;
        }
        let left = read(&mut file);
        let left_by = match &left {
            None if fresh || locked => None,
            Some(left) if left.host == host() && (locked || !runs(left.process)) => Some(left.words()),
            left => return refuse(path, out, left.as_ref(), false),
        };
        sign(&mut file).map_err(unwritable(out))?;
        return Ok((file, left_by));
    }
}

/// The file and whether it is new.
fn open(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    match options.clone().create_new(true).open(path) {
        Ok(file) => Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // It may be gone again by now.
            Ok((options.create(true).truncate(false).open(path)?, false))
        }
        Err(error) => Err(error),
    }
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn sign(file: &mut File) -> io::Result<()> {
    let text = serde_json::to_string(&Holder::this()).map_err(io::Error::other)?;
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{text}")?;
    file.sync_data()
}

/// `runs`: it is known that the holder still does.
fn refuse<T>(path: &Path, out: &Path, holder: Option<&Holder>, runs: bool) -> Result<T, LockError> {
    let elsewhere = holder.is_some_and(|holder| holder.host != host());
    let holder = holder.map_or_else(|| "another process".to_owned(), Holder::words);
    let (out, lock) = (out.to_owned(), path.to_owned());
    Err(match (elsewhere, runs) {
        (true, true) => {
            LockError::Elsewhere { out, holder, here: host(), end: "wait until it has ended there", lock }
        }
        (true, false) => {
            let end = "whether it still runs cannot be told from here";
            LockError::Elsewhere { out, holder, here: host(), end, lock }
        }
        (false, true) => LockError::Held { out, holder },
        (false, false) => LockError::MayBeHeld { out, holder, lock },
    })
}

/// Whether `file` is what lies at `path`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |found: &fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(one), Ok(other)) if place(&one) == place(&other))
}

/// Whether there is something at `path`: an open file is not replaced there.
#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Whether the process `id` of this host runs, as far as can be told.
fn runs(id: u32) -> bool {
    let processes = Path::new("/proc");
    !processes.join("self").exists() || processes.join(id.to_string()).exists()
}

/// The name of this machine.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let named = || std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok();
    let asked = || {
        let output = std::process::Command::new("hostname").output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    let name = name.or_else(named).or_else(asked).unwrap_or_default().trim().to_owned();
    if name.is_empty() { "an unnamed host".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_by(out: &Path, host: &str) {
        let holder = Holder { process: 7, host: host.to_owned(), since: "2026-01-01T00:00:00Z".to_owned() };
        fs::create_dir_all(out).unwrap();
        fs::write(out.join(LOCK), serde_json::to_string(&holder).unwrap()).unwrap();
    }

    #[test]
    fn a_folder_has_one_writer_and_keeps_no_trace_of_it() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("a/b");
        let lock = Lock::of(&out).unwrap();
        let second = Lock::of(&out).unwrap_err().to_string();
        assert!(second.contains("being written by process") && second.contains("--out"), "{second}");
        assert!(second.contains(&std::process::id().to_string()), "{second}");
        drop(lock);
        assert!(!root.path().join("a").exists(), "nothing was written, nothing stays");
        let lock = Lock::of(&out).unwrap();
        fs::write(out.join("result"), b"").unwrap();
        drop(lock);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        drop(Lock::of(&out).unwrap());
        assert!(out.join("result").exists());
    }

    #[test]
    fn a_set_that_is_made_beside_its_place_has_one_writer_too() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("set");
        let lock = Lock::beside(&out).unwrap();
        assert!(Lock::beside(&out).is_err() && Lock::beside(&root.path().join("other")).is_ok());
        assert!(!out.exists());
        drop(lock);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over() {
        let root = tempfile::tempdir().unwrap();
        left_by(root.path(), &host());
        let lock = Lock::of(root.path()).unwrap();
        let text = fs::read_to_string(root.path().join(LOCK)).unwrap();
        let holder: Holder = serde_json::from_str(&text).unwrap();
        assert_eq!(holder.process, std::process::id());
        drop(lock);
        // Killed before it had signed.
        fs::write(root.path().join(LOCK), b"").unwrap();
        assert!(Lock::of(root.path()).is_ok());
    }

    #[test]
    fn nobody_knows_whether_a_process_elsewhere_runs() {
        let root = tempfile::tempdir().unwrap();
        left_by(root.path(), "elsewhere");
        let error = Lock::of(root.path()).unwrap_err().to_string();
        assert!(error.contains("process 7 on elsewhere") && error.contains("remove"), "{error}");
        assert!(error.contains(LOCK) && error.contains("another host"), "{error}");
        assert!(error.contains(&host()), "{error}");
        assert!(root.path().join(LOCK).exists(), "it is not ours");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        assert!(Lock::of(&file).unwrap_err().to_string().contains("is a file"));
        let below = Lock::of(&file.join("sub")).unwrap_err().to_string();
        assert!(below.contains("--out"), "{below}");
        assert!(Lock::beside(&file.join("sub")).is_err());
    }
}
