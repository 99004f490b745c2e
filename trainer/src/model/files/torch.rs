//! Files of `torch.save`: a pickle of the object, in which tensors are views of
//! storages, and the storages' bytes beside it. The newer format is a zip archive
//! (`archive`), the older one a stream (`stream`). Nothing in a file is run; what is no
//! plain data or tensor stays a name.

mod archive;
mod entry;
mod error;
mod facts;
mod number;
#[cfg(test)]
pub(in crate::model) mod save;
mod stream;
#[cfg(test)]
mod tests;

use super::Listed;
use super::StateDict;
use super::pickle::{Id, Pickle, Value, printable};
use archive::Archive;
use entry::{Content, Entries, Storages};
pub use error::TorchFileError;
pub use facts::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// How many wrappers may lie in one another.
const WRAPPED: usize = 4;

/// What a zip archive begins with.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// The most numbers that are read from a file, over all its tensors. A view may show
/// one number many times over, so that the file's length alone bounds nothing.
pub const MAX_NUMBERS: usize = 1 << 28;

/// The most numbers that views may show beyond one for each byte of the file.
const MAX_SHARED: usize = 1 << 24;

/// The longest name, in bytes. A pickle may repeat a name at little cost to itself.
const MAX_NAME: usize = 1024;

/// Whether a file begins as torch.save's do: as a zip archive or as a pickle. What is
/// longer than 8 bytes and so begins may still be something else.
pub fn is_torch(bytes: &[u8]) -> bool {
    // A safetensors file's length may look like a pickle's first bytes; its high bytes
    // are 0 and JSON follows.
    let safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
    let pickle = matches!(bytes, [0x80, 2..=5, ..]) && !safetensors;
    bytes.starts_with(ZIP_MAGIC) || pickle || bytes.starts_with(stream::MAGIC_IN_DIGITS)
}

/// A file of torch.save, its object understood, and no tensor read yet.
pub struct Checkpoint<'a> {
    file: PathBuf,
    pickle: Pickle<'a>,
    storages: Storages<'a>,
    /// The most numbers that are read.
    limit: usize,
    /// The dicts with tensors, with the keys that lead to them.
    states: Vec<(String, Id)>,
}

impl<'a> Checkpoint<'a> {
    /// Understands a file, given its contents; `path` is for messages.
    ///
    /// # Errors
    /// What torch.save did not write, what is damaged, and what holds no tensors by name.
    pub fn open(path: &Path, bytes: &'a [u8]) -> Result<Self, TorchFileError> {
        let (pickle, storages) = if bytes.starts_with(ZIP_MAGIC) {
            let mut archive = Archive::open(path, bytes)?;
            (archive.pickle()?, Storages::Archive(archive))
        } else if is_torch(bytes) {
            let (pickle, sections) = stream::read(path, bytes)?;
            (pickle, Storages::Stream(sections))
        } else {
            let found = "neither a zip archive nor a pickle".to_owned();
            return Err(TorchFileError::NotTorch { file: path.to_owned(), found });
        };
        let mut states = Vec::new();
        find_states(&pickle, pickle.root(), "", WRAPPED, &mut BTreeSet::new(), &mut states);
        if states.is_empty() {
            return Err(no_state(path, &pickle));
        }
        let limit = bytes.len().saturating_add(MAX_SHARED).min(MAX_NUMBERS);
        Ok(Self { file: path.to_owned(), pickle, storages, limit, states })
    }

    /// The states in it: every dict with tensors by name, outer ones first.
    pub fn states(&self) -> Vec<Listed> {
        let listed = |(key, dict): &(String, Id)| {
            let Value::Dict(pairs) = self.pickle.get(*dict) else { unreachable!("states are dicts") };
            let tensor = |&(name, value): &(Id, Id)| match *self.pickle.get(name) {
                Value::Text(name) if name.len() <= MAX_NAME => {
                    Some((name.to_owned(), entry::shape(&self.pickle, value)?))
                }
                _ => None,
            };
            Listed { key: key.clone(), shapes: pairs.iter().filter_map(tensor).collect() }
        };
        self.states.iter().map(listed).collect()
    }

    /// What the file says of how its network was made and trained.
    pub fn facts(&self) -> Facts {
        Facts::of(&self.pickle)
    }

    /// Reads the tensors of the state under `key` ("" for the object itself). f64, f16
    /// and bf16 numbers become f32, f64 rounded to the nearest.
    ///
    /// # Errors
    /// No state there, and tensors that cannot be read.
    pub fn read(self, key: &str) -> Result<StateDict, TorchFileError> {
        let Some(&(_, dict)) = self.states.iter().find(|(known, _)| known == key) else {
            let known: Vec<String> =
                self.states.iter().map(|(key, _)| format!("`{}`", printable(key))).collect();
            let (file, key) = (self.file, printable(key));
            return Err(TorchFileError::NoKey { file, key, known: known.join(" or ") });
        };
        let found_in = (!key.is_empty()).then(|| key.to_owned());
        let mut state = StateDict { found_in, ..StateDict::default() };
        let Value::Dict(pairs) = self.pickle.get(dict) else { unreachable!("states are dicts") };
        let mut entries = Entries::new(&self.file, &self.pickle, self.storages, self.limit);
        for (name, value) in latest(&self.file, &self.pickle, pairs)? {
            match entries.read(&name, value)? {
                Content::Tensor(tensor) => drop(state.tensors.insert(name, tensor)),
                Content::Integers(values) => drop(state.integers.insert(name, values)),
                Content::Plain => state.ignored.push(name),
            }
        }
        Ok(state)
    }
}

/// A dict's entries by name, the last of each as Python has it.
fn latest(
    path: &Path,
    pickle: &Pickle<'_>,
    dict: &[(Id, Id)],
) -> Result<BTreeMap<String, Id>, TorchFileError> {
    let mut entries = BTreeMap::new();
    for &(key, value) in dict {
        let name = match *pickle.get(key) {
            Value::Text(name) if name.len() > MAX_NAME => {
                let part = format!("the entry `{}`", printable(name));
                let reason = format!("its name is longer than {MAX_NAME} bytes");
                return Err(TorchFileError::damaged(path, &part, reason));
            }
            Value::Text(name) => name.to_owned(),
            _ => pickle.describe(key),
        };
        entries.insert(name, value);
    }
    Ok(entries)
}

/// Adds the dicts with tensors by name from `at` on, each once.
fn find_states(
    pickle: &Pickle<'_>,
    at: Id,
    key: &str,
    deeper: usize,
    seen: &mut BTreeSet<Id>,
    found: &mut Vec<(String, Id)>,
) {
    let Value::Dict(pairs) = pickle.get(at) else { return };
    if !seen.insert(at) {
        return;
    }
    let named: Vec<(&str, Id)> = pairs
        .iter()
        .filter_map(|&(name, value)| match *pickle.get(name) {
            Value::Text(name) => Some((name, value)),
            _ => None,
        })
        .collect();
    if named.iter().any(|&(_, value)| entry::is_tensor(pickle, value)) {
        found.push((key.to_owned(), at));
    }
    if deeper == 0 {
        return;
    }
    for (name, value) in named {
        if name.len() <= MAX_NAME && matches!(pickle.get(value), Value::Dict(_)) {
            let key = if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
            find_states(pickle, value, &key, deeper - 1, seen, found);
        }
    }
}

/// Says what a file without a state holds instead.
fn no_state(path: &Path, pickle: &Pickle<'_>) -> TorchFileError {
    let root = pickle.root();
    let inside = match pickle.get(root) {
        Value::Dict(pairs) => pairs.as_slice(),
        _ => &[],
    };
    let inside = inside.iter().map(|&(_, value)| value);
    let class = std::iter::once(root).chain(inside).find_map(|id| module_class(pickle, id));
    let file = path.to_owned();
    match class {
        Some(class) => TorchFileError::Module { file, class: printable(&class) },
        None if entry::is_tensor(pickle, root) => {
            TorchFileError::NoState { file, found: "a tensor without a name".to_owned() }
        }
        None => TorchFileError::NoState { file, found: pickle.describe(root) },
    }
}

/// The class of a pickled `torch.nn.Module`, which is known by what it keeps.
fn module_class(pickle: &Pickle<'_>, id: Id) -> Option<String> {
    let Value::Made { state: Some(state), .. } = *pickle.get(id) else { return None };
    pickle.entry(state, "_modules")?;
    pickle.class_name(id)
}
