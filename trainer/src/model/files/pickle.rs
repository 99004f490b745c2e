//! Reads Python's pickles as data. A pickle is a program for a stack machine that may call any
//! function; here a call is only recorded ([`Value::Made`]), so that no code of a file is run.
//!
//! Source of the format: the opcodes' documentation in Python's `pickletools`.

#[cfg(test)]
pub(super) mod assembler;
mod machine;
mod opcode;
mod source;
#[cfg(test)]
mod tests;

pub use machine::read;

/// The most opcodes that a pickle may have, which bounds the memory that a file can use. A
/// checkpoint of a thousand tensors has about ten thousand.
pub const MAX_STEPS: usize = 1 << 21;

/// The index of a value in its [`Pickle`]. Values refer to each other by it, so that a list may
/// contain itself, as in Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u32);

/// A value of a pickle. Text and bytes borrow from the file.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `None`.
    None,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// An integer of more than 128 bits.
    HugeInt,
    /// A real number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Bytes, or text that is not UTF-8.
    Bytes(&'a [u8]),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A dict, or a dict type of the standard library; a later pair replaces an earlier one of the
    /// same key.
    Dict(Vec<(Id, Id)>),
    /// A set.
    Set(Vec<Id>),
    /// A class or function, by name.
    Global {
        /// The module's dotted name.
        module: &'a str,
        /// The name in the module.
        name: &'a str,
    },
    /// A reference to something outside the pickle.
    Persistent(Id),
    /// The result of calling a class or function. The call is not made.
    Made {
        /// The class or function, usually a [`Value::Global`].
        by: Id,
        /// The arguments, a [`Value::Tuple`].
        with: Id,
        /// The state that the object would be given afterwards.
        state: Option<Id>,
    },
}

/// A pickle that has been read.
#[derive(Clone, Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    length: usize,
}

/// Why a pickle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The bytes end before the pickle does.
    #[error("it ends at byte {at}, where {wanted} more are due")]
    Truncated {
        /// Offset in bytes from the start of the pickle.
        at: usize,
        /// The least number of missing bytes.
        wanted: u64,
    },
    /// The bytes are not a pickle.
    #[error("{what} at byte {at}")]
    Malformed {
        /// Offset in bytes from the start of the pickle.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A byte that is not an opcode, or an opcode that state dicts do not use.
    #[error("unknown opcode {opcode:#04x} at byte {at}")]
    Unknown {
        /// Offset in bytes from the start of the pickle.
        at: usize,
        /// The byte.
        opcode: u8,
    },
    /// The pickle has too many opcodes.
    #[error("it has more than {MAX_STEPS} opcodes")]
    TooLong,
}

impl<'a> Pickle<'a> {
    /// The object that was pickled.
    pub fn root(&self) -> Id {
        self.root
    }

    /// The length of the pickle in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// All values, in the order in which they were read.
    pub fn values(&self) -> &[Value<'a>] {
        &self.values
    }

    /// A value of this pickle.
    pub fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    /// The value of a key in a dict; none if the key is absent or `dict` is not a dict.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.get(dict) else { return None };
        let named = |&&(name, _): &&(Id, Id)| *self.get(name) == Value::Text(key);
        pairs.iter().rev().find(named).map(|&(_, value)| value)
    }

    /// The items of a tuple; none for other values.
    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The name of a class or function, or of the class of an object: "torch.Size".
    pub fn class_name(&self, id: Id) -> Option<String> {
        match *self.get(id) {
            Value::Global { .. } => self.global_name(id),
            Value::Made { by, with, .. } => match *self.get(by) {
                // Protocols 0 and 1 make objects through this function.
                Value::Global { module: "copyreg" | "copy_reg", .. } => {
                    self.global_name(*self.tuple(with)?.first()?)
                }
                _ => self.global_name(by),
            },
            _ => None,
        }
    }

    /// The name of a global, which torch may also have put into a persistent id.
    fn global_name(&self, id: Id) -> Option<String> {
        let named = match *self.get(id) {
            Value::Persistent(reference) => *self.tuple(reference)?.get(1)?,
            _ => id,
        };
        match *self.get(named) {
            Value::Global { module, name } => Some(format!("{module}.{name}")),
            _ => None,
        }
    }

    /// A short description of a value, for messages.
    pub fn describe(&self, id: Id) -> String {
        match self.get(id) {
            Value::None => "None".to_owned(),
            Value::Bool(value) => format!("the truth value {value}"),
            Value::Int(value) => format!("the integer {value}"),
            Value::HugeInt => "a huge integer".to_owned(),
            Value::Float(value) => format!("the number {value}"),
            Value::Text(text) => format!("the text `{}`", printable(text)),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::Tuple(items) => format!("a tuple of {}", items.len()),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Set(items) => format!("a set of {}", items.len()),
            Value::Dict(pairs) => self.describe_dict(pairs),
            Value::Persistent(_) => "a reference out of the pickle".to_owned(),
            Value::Global { .. } | Value::Made { .. } => match self.class_name(id) {
                Some(name) => format!("`{}`", printable(&name)),
                None => "an object of no named class".to_owned(),
            },
        }
    }

    fn describe_dict(&self, pairs: &[(Id, Id)]) -> String {
        const SHOWN: usize = 8;
        let key = |&(key, _): &(Id, Id)| match self.get(key) {
            Value::Text(text) => format!("`{}`", printable(text)),
            _ => "?".to_owned(),
        };
        let keys: Vec<String> = pairs.iter().take(SHOWN).map(key).collect();
        let more = if pairs.len() > SHOWN { ", ..." } else { "" };
        format!("a dict of {} with the keys [{}{more}]", pairs.len(), keys.join(", "))
    }
}

/// Text of a file, shortened and on one line, for messages.
pub(super) fn printable(text: &str) -> String {
    const SHOWN: usize = 80;
    let short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() { short + "..." } else { short }
}
