//! Python's pickles, read as data. A pickle is a program for a stack machine that may
//! ask for any function to be called; here a call is only written down
//! ([`Value::Made`]), so that nothing a file says is ever run.
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

/// The most opcodes that a pickle may have. It bounds the memory that a file can ask
/// for; a checkpoint of a thousand tensors has some ten thousand.
pub const MAX_STEPS: usize = 1 << 21;

/// A value's place in its [`Pickle`]. Values refer to each other by it, so that a
/// list may hold itself, as Python's may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(u32);

/// A value of a pickle. Text and bytes are the file's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i128),
    /// An integer of more than 128 bits.
    HugeInt,
    /// A real number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// Bytes, or text that is no UTF-8.
    Bytes(&'a [u8]),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A dict, or one of the standard library's kinds of it; a later pair replaces an
    /// earlier one of the same key.
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
    /// What calling a class or function would have given. The call is not made.
    Made {
        /// What would be called, a [`Value::Global`] as a rule.
        by: Id,
        /// The arguments, a [`Value::Tuple`].
        with: Id,
        /// The state that the thing would be given afterwards.
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

/// A pickle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PickleError {
    /// The bytes end before the pickle does.
    #[error("it ends at byte {at}, where {wanted} more are due")]
    Truncated {
        /// Where, counted from the pickle's first byte.
        at: usize,
        /// The bytes that are missing at least.
        wanted: u64,
    },
    /// The bytes are no pickle.
    #[error("{what} at byte {at}")]
    Malformed {
        /// Where, counted from the pickle's first byte.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A byte that is no opcode, or one that state dicts have no use for.
    #[error("unknown opcode {opcode:#04x} at byte {at}")]
    Unknown {
        /// Where, counted from the pickle's first byte.
        at: usize,
        /// The byte.
        opcode: u8,
    },
    /// The pickle is too long a program.
    #[error("it has more than {MAX_STEPS} opcodes")]
    TooLong,
}

impl<'a> Pickle<'a> {
    /// What was pickled.
    pub fn root(&self) -> Id {
        self.root
    }

    /// The bytes that the pickle takes.
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

    /// What a dict holds under a key; `None` also where `dict` is none.
    pub fn entry(&self, dict: Id, key: &str) -> Option<Id> {
        let Value::Dict(pairs) = self.get(dict) else { return None };
        let named = |&&(name, _): &&(Id, Id)| *self.get(name) == Value::Text(key);
        pairs.iter().rev().find(named).map(|&(_, value)| value)
    }

    /// A tuple's items; `None` for anything else.
    pub fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The name of a class, a function or a made thing's class: "torch.Size".
    pub fn class_name(&self, id: Id) -> Option<String> {
        match *self.get(id) {
            Value::Global { .. } => self.global_name(id),
            Value::Made { by, with, .. } => match *self.get(by) {
                // Protocols 0 and 1 make things through this function.
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

    /// A value in a few words, for messages.
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

/// A file's text, fit for a message: on one line and not long.
pub(super) fn printable(text: &str) -> String {
    const SHOWN: usize = 80;
    let short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() { short + "..." } else { short }
}
