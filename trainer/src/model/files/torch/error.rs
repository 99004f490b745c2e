//! Why a file of `torch.save` cannot be read.

use super::super::pickle::{self, Pickle, PickleError};
use std::path::{Path, PathBuf};

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
    #[error("{}: holds {found}: no tensors by name, neither there nor under a key of it; {SAVE}", file.display())]
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
    /// There is no state under the key that was asked for.
    #[error("{}: has no tensors under the key `{key}`; --key may be {known}", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
        /// What was asked for.
        key: String,
        /// The keys that there are, in words.
        known: String,
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

impl TorchFileError {
    pub(super) fn damaged(file: &Path, part: &str, reason: impl ToString) -> Self {
        Self::Damaged { file: file.to_owned(), part: part.to_owned(), reason: reason.to_string() }
    }
}

/// The pickle that a part of a file begins with.
pub(super) fn read_pickle<'a>(
    file: &Path,
    part: &str,
    bytes: &'a [u8],
) -> Result<Pickle<'a>, TorchFileError> {
    pickle::read(bytes).map_err(|source| TorchFileError::Pickle {
        file: file.to_owned(),
        part: part.to_owned(),
        source,
    })
}

/// What to do about a file that cannot be read.
const SAVE: &str = "save it with torch.save(model.state_dict(), FILE)";
