//! An entry of a state: a tensor, which is a view of a storage (an offset, and a size and
//! a stride for each dimension, all in elements), or something else.

use super::super::pickle::{Id, Pickle, Value, printable};
use super::archive::Archive;
use super::error::TorchFileError;
use super::number::{self, Number, Read};
use crate::model::weights::Tensor;
use std::collections::BTreeMap;
use std::path::Path;

/// torch allows no more dimensions either.
const MAX_RANK: usize = 64;

/// Where the storages' bytes are.
pub(super) enum Storages<'a> {
    Archive(Archive<'a>),
    Stream(BTreeMap<&'a str, &'a [u8]>),
}

/// What an entry turns out to be.
pub(super) enum Content {
    Tensor(Tensor),
    Integers(Vec<i64>),
    /// Neither a tensor nor anything that could be one.
    Plain,
}

/// Reads the entries of a file's state.
pub(super) struct Entries<'p, 'a> {
    file: &'p Path,
    pickle: &'p Pickle<'a>,
    storages: Storages<'a>,
    /// The storages that have been read.
    open: BTreeMap<&'a str, &'a [u8]>,
    limit: usize,
    /// How many numbers of `limit` are left.
    left: usize,
}

impl<'p, 'a> Entries<'p, 'a> {
    /// At most `limit` numbers will be read, over all entries.
    pub(super) fn new(file: &'p Path, pickle: &'p Pickle<'a>, storages: Storages<'a>, limit: usize) -> Self {
        Self { file, pickle, storages, open: BTreeMap::new(), limit, left: limit }
    }

    pub(super) fn read(&mut self, name: &str, id: Id) -> Result<Content, TorchFileError> {
        let Some(arguments) = rebuilt(self.pickle, id) else {
            return match self.pickle.get(id) {
                Value::Made { .. } | Value::Global { .. } | Value::Persistent(_) => {
                    Err(self.opaque(name, self.pickle.describe(id)))
                }
                _ => Ok(Content::Plain),
            };
        };
        if is_lazy(self.pickle, arguments) {
            return Err(self.opaque(name, "a tensor yet to be conjugated or negated".to_owned()));
        }
        let Some(view) = View::of(self.pickle, arguments) else {
            return Err(self.damaged(name, "its description is malformed".to_owned()));
        };
        let number = match &view.storage.number {
            Ok(number) => number,
            Err(class) => return Err(self.number(name, class)),
        };
        match number.read {
            Read::Real(read) => {
                let values = self.values(name, &view, number.size, read)?;
                Ok(Content::Tensor(Tensor { shape: view.shape, values }))
            }
            Read::Integer(read) => Ok(Content::Integers(self.values(name, &view, number.size, read)?)),
            Read::Never => Err(self.number(name, number.name)),
        }
    }

    /// A tensor's values in row-major order. All is checked before anything is allocated.
    fn values<T>(
        &mut self,
        name: &str,
        view: &View<'a>,
        size: usize,
        read: fn(&[u8]) -> T,
    ) -> Result<Vec<T>, TorchFileError> {
        let storage = self.storage(name, view.storage.key)?;
        let elements = view.storage.elements(storage, size).map_err(|reason| self.damaged(name, reason))?;
        let count = view.count_within(elements.len() / size).map_err(|reason| self.damaged(name, reason))?;
        match self.left.checked_sub(count) {
            Some(left) => self.left = left,
            None => {
                let (file, name) = (self.file.to_owned(), printable(name));
                let shape = view.shape.clone();
                return Err(TorchFileError::TooLarge { file, name, shape, limit: self.limit });
            }
        }
        let mut values = Vec::with_capacity(count);
        view.for_each_place(count, |place| values.push(read(&elements[place * size..(place + 1) * size])));
        Ok(values)
    }

    fn storage(&mut self, name: &str, key: &'a str) -> Result<&'a [u8], TorchFileError> {
        if let Some(bytes) = self.open.get(key) {
            return Ok(bytes);
        }
        let bytes = match &mut self.storages {
            Storages::Archive(archive) => archive.storage(key)?,
            Storages::Stream(sections) => sections.get(key).copied(),
        };
        let Some(bytes) = bytes else {
            let reason = format!("its storage `{}` is missing", printable(key));
            return Err(self.damaged(name, reason));
        };
        self.open.insert(key, bytes);
        Ok(bytes)
    }

    fn opaque(&self, name: &str, found: String) -> TorchFileError {
        TorchFileError::Opaque { file: self.file.to_owned(), name: printable(name), found }
    }

    fn number(&self, name: &str, found: &str) -> TorchFileError {
        let (name, found) = (printable(name), printable(found));
        TorchFileError::Number { file: self.file.to_owned(), name, found }
    }

    fn damaged(&self, name: &str, reason: String) -> TorchFileError {
        TorchFileError::damaged(self.file, &format!("tensor `{}`", printable(name)), reason)
    }
}

/// A tensor's shape; none for anything else, and where its description is malformed.
pub(super) fn shape(pickle: &Pickle<'_>, id: Id) -> Option<Vec<usize>> {
    naturals(pickle, *rebuilt(pickle, id)?.get(2)?)
}

/// Whether a value is a tensor, be it of a kind that is read or not.
pub(super) fn is_tensor(pickle: &Pickle<'_>, id: Id) -> bool {
    let Value::Made { by, .. } = *pickle.get(id) else { return false };
    matches!(pickle.get(by), Value::Global { module: "torch._utils" | "torch._tensor", .. })
}

/// The arguments of the function that would make a tensor: storage, offset, size,
/// stride, and some that values do not depend on. What is wrapped around it (a
/// parameter, a tensor with attributes of its own) is taken off.
fn rebuilt<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<&'p [Id]> {
    /// How many wrappings may lie in one another; torch has two at most.
    const WRAPPINGS: usize = 4;
    let made = |id| match *pickle.get(id) {
        Value::Made { by, with, .. } => Some((by, with)),
        _ => None,
    };
    let (mut by, mut with) = made(id)?;
    for _ in 0..WRAPPINGS {
        let arguments = pickle.tuple(with)?;
        let &Value::Global { module, name } = pickle.get(by) else { return None };
        (by, with) = match (module, name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => return Some(arguments),
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
                made(*arguments.first()?)?
            }
            ("torch._tensor", "_rebuild_from_type_v2") => (*arguments.first()?, *arguments.get(2)?),
            _ => return None,
        };
    }
    None
}

/// Whether the values in the storage are not the tensor's: torch notes some negations
/// and conjugations, and carries them out later.
fn is_lazy(pickle: &Pickle<'_>, arguments: &[Id]) -> bool {
    match arguments.get(6).map(|&id| pickle.get(id)) {
        None | Some(Value::None) => false,
        Some(Value::Dict(notes)) => !notes.is_empty(),
        Some(_) => true,
    }
}

/// A storage as a tensor refers to it.
pub(super) struct StorageRef<'a> {
    pub(super) key: &'a str,
    /// The type of its numbers, or the name of an unknown class.
    pub(super) number: Result<&'static Number, String>,
    /// How many numbers it is said to hold.
    count: usize,
    /// The first number and how many of them are meant, if not all.
    part: Option<(usize, usize)>,
}

impl<'a> StorageRef<'a> {
    /// From a persistent id: ("storage", class, key, device, count[, (_, first, count)]).
    pub(super) fn of(pickle: &Pickle<'a>, reference: Id) -> Option<Self> {
        let items = pickle.tuple(reference)?;
        let (&[tag, class, key, _, count], rest) = items.split_first_chunk()?;
        if *pickle.get(tag) != Value::Text("storage") {
            return None;
        }
        let (&Value::Global { module, name }, &Value::Text(key)) = (pickle.get(class), pickle.get(key))
        else {
            return None;
        };
        let known = (module == "torch" || module.starts_with("torch.")).then(|| number::of_storage(name));
        let part = match rest.first().map(|&part| pickle.get(part)) {
            None | Some(Value::None) => None,
            Some(Value::Tuple(part)) => {
                let &[_, first, count] = part.as_slice() else { return None };
                Some((natural(pickle, first)?, natural(pickle, count)?))
            }
            Some(_) => return None,
        };
        let number = known.flatten().ok_or_else(|| format!("{module}.{name}"));
        Some(Self { key, number, count: natural(pickle, count)?, part })
    }

    /// The bytes of the numbers that are meant, out of those that the file has.
    fn elements<'b>(&self, bytes: &'b [u8], size: usize) -> Result<&'b [u8], String> {
        let range = |first: usize, count: usize| {
            Some(first.checked_mul(size)?..first.checked_add(count)?.checked_mul(size)?)
        };
        let whole = range(0, self.count).and_then(|range| bytes.get(range));
        let whole = whole.ok_or_else(|| {
            let (count, found) = (self.count, bytes.len());
            format!("its storage of {count} numbers of {size} bytes has {found} bytes in the file")
        })?;
        let Some((first, count)) = self.part else { return Ok(whole) };
        let part = range(first, count).and_then(|range| whole.get(range));
        part.ok_or_else(|| format!("numbers {first} and {count} more are no part of its {}", self.count))
    }
}

/// A tensor as a view of a storage.
struct View<'a> {
    storage: StorageRef<'a>,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl<'a> View<'a> {
    fn of(pickle: &Pickle<'a>, arguments: &[Id]) -> Option<Self> {
        let (&[storage, offset, shape, strides], _) = arguments.split_first_chunk()?;
        let Value::Persistent(reference) = *pickle.get(storage) else { return None };
        let storage = StorageRef::of(pickle, reference)?;
        let (shape, strides) = (naturals(pickle, shape)?, naturals(pickle, strides)?);
        let fits = shape.len() == strides.len() && shape.len() <= MAX_RANK;
        fits.then_some(Self { storage, offset: natural(pickle, offset)?, shape, strides })
    }

    /// How many elements the view has, if all lie among the storage's `available`.
    fn count_within(&self, available: usize) -> Result<usize, String> {
        if self.shape.contains(&0) {
            return Ok(0);
        }
        let count = self.shape.iter().try_fold(1_usize, |count, &size| count.checked_mul(size));
        let mut steps = self.shape.iter().zip(&self.strides);
        let last = steps.try_fold(self.offset, |place, (&size, &stride)| {
            place.checked_add((size - 1).checked_mul(stride)?)
        });
        match (count, last) {
            (Some(count), Some(last)) if last < available => Ok(count),
            _ => Err(format!(
                "size {:?}, strides {:?} and offset {} reach beyond the storage's {available} numbers",
                self.shape, self.strides, self.offset
            )),
        }
    }

    /// Calls `visit` with each element's place in the storage, in row-major order.
    fn for_each_place(&self, count: usize, mut visit: impl FnMut(usize)) {
        // Dimensions of size 1 take no part, so that carrying costs little.
        let steps = self.shape.iter().zip(&self.strides).filter(|&(&size, _)| size > 1);
        let (sizes, strides): (Vec<usize>, Vec<usize>) = steps.unzip();
        let mut index = vec![0; sizes.len()];
        let mut place = self.offset;
        for _ in 0..count {
            visit(place);
            for dimension in (0..sizes.len()).rev() {
                index[dimension] += 1;
                place += strides[dimension];
                if index[dimension] < sizes[dimension] {
                    break;
                }
                place -= sizes[dimension] * strides[dimension];
                index[dimension] = 0;
            }
        }
    }
}

fn natural(pickle: &Pickle<'_>, id: Id) -> Option<usize> {
    match *pickle.get(id) {
        Value::Int(value) => usize::try_from(value).ok(),
        _ => None,
    }
}

/// A size or strides: a tuple, a list, or a `torch.Size` of one.
fn naturals(pickle: &Pickle<'_>, id: Id) -> Option<Vec<usize>> {
    let items = match *pickle.get(id) {
        Value::Tuple(ref items) | Value::List(ref items) => items,
        Value::Made { by, with, .. } => match (pickle.get(by), pickle.tuple(with)?) {
            (Value::Global { module: "torch", name: "Size" }, &[size]) => match pickle.get(size) {
                Value::Tuple(items) | Value::List(items) => items,
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    };
    // Before they are copied: a hostile list may be long and looked at often.
    let few = (items.len() <= MAX_RANK).then_some(items)?;
    few.iter().map(|&item| natural(pickle, item)).collect()
}
