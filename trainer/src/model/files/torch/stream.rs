//! The older format of torch.save: five pickles after one another (a magic number, the
//! protocol's version, a description of the machine, the object, the list of the
//! storages' keys), and then for each key a count of elements (i64) and their bytes.

use super::super::pickle::{Pickle, Value, printable};
use super::entry::StorageRef;
use super::error::{TorchFileError, read_pickle};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The number that the first pickle holds.
pub(super) const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// The first bytes where that pickle is of protocol 0 or 1, which have no header.
pub(super) const MAGIC_IN_DIGITS: &[u8] = b"L119547037146038801333356L\n.";

/// The version of the format.
const VERSION: i128 = 1001;

/// The storages' bytes by key.
pub(super) type Sections<'a> = BTreeMap<&'a str, &'a [u8]>;

/// The object that was saved and the storages.
pub(super) fn read<'a>(file: &Path, bytes: &'a [u8]) -> Result<(Pickle<'a>, Sections<'a>), TorchFileError> {
    let mut stream = Stream { file: file.to_owned(), bytes, at: 0 };
    let magic = stream.pickle("the magic number")?;
    if *magic.get(magic.root()) != Value::Int(MAGIC) {
        let found = format!("a pickle of {}", magic.describe(magic.root()));
        return Err(TorchFileError::NotTorch { file: stream.file, found });
    }
    let version = stream.pickle("the version")?;
    if *version.get(version.root()) != Value::Int(VERSION) {
        let found = format!("of version {}", version.describe(version.root()));
        return Err(TorchFileError::NotTorch { file: stream.file, found });
    }
    let machine = stream.pickle("the machine's description")?;
    let little = machine.entry(machine.root(), "little_endian");
    if little.is_some_and(|little| *machine.get(little) == Value::Bool(false)) {
        return Err(TorchFileError::BigEndian { file: stream.file });
    }
    let object = stream.pickle("the object's pickle")?;
    let keys = stream.pickle("the list of storages")?;
    let sections = stream.sections(&object, &keys)?;
    Ok((object, sections))
}

struct Stream<'a> {
    file: PathBuf,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Stream<'a> {
    fn pickle(&mut self, part: &str) -> Result<Pickle<'a>, TorchFileError> {
        let pickle = read_pickle(&self.file, part, &self.bytes[self.at..])?;
        self.at += pickle.length();
        Ok(pickle)
    }

    /// The storages' bytes. How long an element is, only the object's pickle says.
    fn sections(&mut self, object: &Pickle<'a>, keys: &Pickle<'a>) -> Result<Sections<'a>, TorchFileError> {
        let mut element_sizes = BTreeMap::new();
        for value in object.values() {
            let Value::Persistent(reference) = *value else { continue };
            if let Some(storage) = StorageRef::of(object, reference) {
                element_sizes.entry(storage.key).or_insert(storage.number.map(|number| number.size));
            }
        }
        let Value::List(keys_in_order) = keys.get(keys.root()) else {
            return Err(TorchFileError::damaged(&self.file, "the list of storages", "it is no list"));
        };
        let mut sections = Sections::new();
        for &key in keys_in_order {
            let Value::Text(key) = *keys.get(key) else {
                let reason = format!("it has {} for a key", keys.describe(key));
                return Err(TorchFileError::damaged(&self.file, "the list of storages", reason));
            };
            let part = format!("the storage `{}`", printable(key));
            match element_sizes.get(key) {
                Some(Ok(size)) => drop(sections.insert(key, self.section(&part, *size)?)),
                Some(Err(class)) => {
                    let reason = format!("its class `{}` is unknown", printable(class));
                    return Err(TorchFileError::damaged(&self.file, &part, reason));
                }
                None => {
                    return Err(TorchFileError::damaged(&self.file, &part, "the object has no tensor of it"));
                }
            }
        }
        Ok(sections)
    }

    fn section(&mut self, part: &str, element_size: usize) -> Result<&'a [u8], TorchFileError> {
        let rest = &self.bytes[self.at..];
        let Some((count, rest)) = rest.split_first_chunk() else {
            return Err(TorchFileError::damaged(&self.file, part, "the file ends before it"));
        };
        let count = i64::from_le_bytes(*count);
        let length = usize::try_from(count).ok().and_then(|count| count.checked_mul(element_size));
        let Some(section) = length.and_then(|length| rest.get(..length)) else {
            let reason = format!("of its {count} elements, {} bytes are left in the file", rest.len());
            return Err(TorchFileError::damaged(&self.file, part, reason));
        };
        self.at += size_of::<i64>() + section.len();
        Ok(section)
    }
}
