//! Files of `torch.save`: a pickle of the object, in which tensors are views of
//! storages, and the storages' bytes beside it. The newer format is a zip archive
//! (`archive`), the older one a stream (`stream`). Nothing in a file is run; what is no
//! plain data or tensor stays a name.

mod archive;
mod entry;
mod number;
#[cfg(test)]
mod save;
mod stream;
#[cfg(test)]
mod tests;

use super::StateDict;
use super::pickle::{Id, Pickle, PickleError, Value, printable};
use archive::Archive;
use entry::{Content, Entries};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The keys under which checkpoints keep a network's state, the likeliest first.
const WRAPPERS: [&str; 7] =
    ["state_dict", "model_state_dict", "model", "net", "state_dict_ema", "model_ema", "ema"];

/// How many wrappers may lie in one another.
const WRAPPED: usize = 2;

/// What a zip archive begins with.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// The most numbers that are read from a file, over all its tensors. A view may show
/// one number many times over, so that the file's length alone bounds nothing.
pub const MAX_NUMBERS: usize = 1 << 28;

/// The most numbers that views may show beyond one for each byte of the file.
const MAX_SHARED: usize = 1 << 24;

/// The longest name, in bytes. A pickle may repeat a name at little cost to itself.
const MAX_NAME: usize = 1024;

/// A file of `torch.save` cannot be read. Every message ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum TorchFileError {
    /// It is something else.
    #[error("{}: is no file of torch.save ({found}); {SAVE}", file.display())]
    NotTorch {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// It is truncated or altered.
    #[error("{}: {part} is damaged: {reason}; copy the file again, or save it again with torch.save", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What part of it.
        part: String,
        /// What is wrong.
        reason: String,
    },
    /// The pickle in it cannot be read.
    #[error("{}: {part} cannot be read: {source}; copy the file again, or {SAVE}", file.display())]
    Pickle {
        /// The file.
        file: PathBuf,
        /// What part of it.
        part: String,
        /// What is wrong.
        source: PickleError,
    },
    /// A record is compressed or encrypted, which torch.save never does.
    #[error("{}: the record `{record}` is compressed or encrypted, torch.save stores all as they are; {SAVE}", file.display())]
    Packed {
        /// The file.
        file: PathBuf,
        /// The record's name.
        record: String,
    },
    /// Its numbers have their highest byte first.
    #[error("{}: was written by a big-endian machine; load and save it with torch on a little-endian one", file.display())]
    BigEndian {
        /// The file.
        file: PathBuf,
    },
    /// It holds a program.
    #[error("{}: is a TorchScript program, which is never run; load it with torch.jit.load and {SAVE}", file.display())]
    Script {
        /// The file.
        file: PathBuf,
    },
    /// It holds an object that only its class's code can make.
    #[error("{}: holds a whole module (`{class}`), whose code is never run; {SAVE}", file.display())]
    Module {
        /// The file.
        file: PathBuf,
        /// The module's class.
        class: String,
    },
    /// It holds no tensors by name.
    #[error("{}: holds {found}: no tensors by name, neither there nor under a key like `state_dict`; {SAVE}", file.display())]
    NoState {
        /// The file.
        file: PathBuf,
        /// What it holds.
        found: String,
    },
    /// An entry of the state is an object that is neither plain data nor a plain tensor.
    #[error("{}: entry `{name}` is {found}, neither a plain tensor nor plain data; drop or convert it, and {SAVE}", file.display())]
    Opaque {
        /// The file.
        file: PathBuf,
        /// The entry's name.
        name: String,
        /// What it is.
        found: String,
    },
    /// A tensor is of numbers that are not read.
    #[error("{}: tensor `{name}` holds {found} numbers, which are not read; convert it to float32, and {SAVE}", file.display())]
    Number {
        /// The file.
        file: PathBuf,
        /// The tensor's name.
        name: String,
        /// torch's name of the type.
        found: String,
    },
    /// The tensors hold too many numbers.
    #[error("{}: tensor `{name}` {shape:?} takes the file over {limit} numbers; {SAVE} of the network alone, its tensors made contiguous", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The tensor that is too many.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The most numbers that are read from this file.
        limit: usize,
    },
}

/// What to do about a file that cannot be read.
const SAVE: &str = "save it with torch.save(model.state_dict(), FILE)";

/// Whether a file begins as torch.save's do: as a zip archive or as a pickle. What is
/// longer than 8 bytes and so begins may still be something else.
pub fn is_torch(bytes: &[u8]) -> bool {
    // A safetensors file's length may look like a pickle's first bytes; its high bytes
    // are 0 and JSON follows.
    let safetensors = bytes.get(4..9) == Some(b"\0\0\0\0{");
    let pickle = matches!(bytes, [0x80, 2..=5, ..]) && !safetensors;
    bytes.starts_with(ZIP_MAGIC) || pickle || bytes.starts_with(stream::MAGIC_IN_DIGITS)
}

/// Reads the tensors of a file of torch.save, given its contents; `path` is for
/// messages. f64, f16 and bf16 numbers become f32, f64 rounded to the nearest.
pub fn read(path: &Path, bytes: &[u8]) -> Result<StateDict, TorchFileError> {
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
    let Some((dict, keys)) = find_state(&pickle, pickle.root(), WRAPPED) else {
        return Err(no_state(path, &pickle));
    };
    let found_in = (!keys.is_empty()).then(|| keys.join("."));
    let limit = bytes.len().saturating_add(MAX_SHARED).min(MAX_NUMBERS);
    let mut entries = Entries::new(path, &pickle, storages, limit);
    let mut state = StateDict { found_in, ..StateDict::default() };
    for (name, value) in latest(path, &pickle, dict)? {
        match entries.read(&name, value)? {
            Content::Tensor(tensor) => drop(state.tensors.insert(name, tensor)),
            Content::Integers(values) => drop(state.integers.insert(name, values)),
            Content::Plain => state.ignored.push(name),
        }
    }
    Ok(state)
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
                return Err(TorchFileError::Damaged { file: path.to_owned(), part, reason });
            }
            Value::Text(name) => name.to_owned(),
            _ => pickle.describe(key),
        };
        entries.insert(name, value);
    }
    Ok(entries)
}

/// Where the storages' bytes are.
enum Storages<'a> {
    Archive(Archive<'a>),
    Stream(BTreeMap<&'a str, &'a [u8]>),
}

/// A state's entries, and the keys that lead to it.
type Found<'p> = (&'p [(Id, Id)], Vec<&'static str>);

/// The first dict with tensors under the usual keys, or else `at` itself.
fn find_state<'p>(pickle: &'p Pickle<'_>, at: Id, deeper: usize) -> Option<Found<'p>> {
    let Value::Dict(entries) = pickle.get(at) else { return None };
    if deeper > 0 {
        let inner = WRAPPERS.iter().find_map(|&key| {
            let (entries, mut keys) = find_state(pickle, pickle.entry(at, key)?, deeper - 1)?;
            keys.insert(0, key);
            Some((entries, keys))
        });
        if inner.is_some() {
            return inner;
        }
    }
    let named_tensor = |&(key, value): &(Id, Id)| {
        matches!(pickle.get(key), Value::Text(_)) && entry::is_tensor(pickle, value)
    };
    entries.iter().any(named_tensor).then_some((entries, Vec::new()))
}

/// Says what a file without a state holds instead.
fn no_state(path: &Path, pickle: &Pickle<'_>) -> TorchFileError {
    let root = pickle.root();
    let wrapped = WRAPPERS.iter().filter_map(|key| pickle.entry(root, key));
    let class = std::iter::once(root).chain(wrapped).find_map(|id| module_class(pickle, id));
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
