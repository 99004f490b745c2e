//! The stack machine that a pickle is a program for. It builds values and calls
//! nothing. Memory is bounded by [`MAX_STEPS`]: each opcode makes at most one value
//! and pushes at most one, and where more are copied each copy counts as an opcode.

use super::{Id, MAX_STEPS, Pickle, PickleError, Value};
use std::collections::HashMap;

/// The values that every machine begins with, so that they need not be made anew.
const CONSTANTS: [Value<'static>; 4] =
    [Value::None, Value::Bool(false), Value::Bool(true), Value::Tuple(Vec::new())];
const NONE: Id = Id(0);
const FALSE: Id = Id(1);
const TRUE: Id = Id(2);
const EMPTY_TUPLE: Id = Id(3);

type Step<T = ()> = Result<T, PickleError>;

/// The machine between two opcodes.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// Where the opcode at work began.
    opcode_at: usize,
    steps: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// The stack's heights at the marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            opcode_at: 0,
            steps: 0,
            values: CONSTANTS.to_vec(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Runs until the opcode that ends a pickle.
    pub(super) fn run(mut self) -> Step<Pickle<'a>> {
        loop {
            self.spend(1)?;
            self.opcode_at = self.at;
            let [opcode] = self.array()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok(Pickle { values: self.values, root, length: self.at });
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step {
        match opcode {
            b'N' => self.push(NONE),
            0x88 => self.push(TRUE),
            0x89 => self.push(FALSE),
            b'I' | b'J' | b'K' | b'L' | b'M' | 0x8a | 0x8b | b'F' | b'G' => {
                let value = self.number(opcode)?;
                self.make(value)
            }
            b'S' | b'T' | b'U' | b'V' | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e | 0x96 => {
                let value = self.string(opcode)?;
                self.make(value)
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => self.pop_or_unmark()?,
            b'1' => drop(self.marked()?),
            b'2' => self.push(self.top()?),
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.memo(opcode)?,
            b'c' | b'i' | b'o' | b'R' | 0x81 | 0x92 | 0x93 | b'b' | b'P' | b'Q' => self.object(opcode)?,
            0x80 => self.protocol()?,
            // A frame only tells where buffers end.
            0x95 => drop(self.array::<8>()?),
            _ => self.container(opcode)?,
        }
        Ok(())
    }

    fn protocol(&mut self) -> Step {
        match self.array()? {
            [0..=5] => Ok(()),
            _ => self.malformed("a protocol newer than 5"),
        }
    }

    fn number(&mut self, opcode: u8) -> Step<Value<'a>> {
        Ok(match opcode {
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Value::Int(u8::from_le_bytes(self.array()?).into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            0x8a | 0x8b => {
                let length = self.length(if opcode == 0x8a { 1 } else { 4 })?;
                twos_complement(self.take(length)?)
            }
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            b'F' => match self.line()?.trim().parse() {
                Ok(value) => Value::Float(value),
                Err(_) => self.malformed("no real number")?,
            },
            _ => self.decimal()?,
        })
    }

    /// Protocol 0's integers and truth values.
    fn decimal(&mut self) -> Step<Value<'a>> {
        let text = self.line()?.trim();
        let digits = text.strip_suffix('L').unwrap_or(text);
        Ok(match (text, digits.parse()) {
            ("00", _) => Value::Bool(false),
            ("01", _) => Value::Bool(true),
            (_, Ok(value)) => Value::Int(value),
            _ if digits.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) && digits.len() > 1 => {
                Value::HugeInt
            }
            _ => self.malformed("no integer")?,
        })
    }

    fn string(&mut self, opcode: u8) -> Step<Value<'a>> {
        let length = match opcode {
            b'S' => {
                let text = self.unescaped()?.trim_end();
                let quoted = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
                return match quoted('\'').or_else(|| quoted('"')) {
                    Some(text) => Ok(Value::Text(text)),
                    None => self.malformed("text without its quotes"),
                };
            }
            b'V' => return Ok(Value::Text(self.unescaped()?)),
            b'U' | b'C' | 0x8c => self.length(1)?,
            b'T' | b'X' | b'B' => self.length(4)?,
            _ => self.length(8)?,
        };
        let bytes = self.take(length)?;
        let is_text = matches!(opcode, b'T' | b'U' | b'X' | 0x8c | 0x8d);
        Ok(match std::str::from_utf8(bytes) {
            Ok(text) if is_text => Value::Text(text),
            _ => Value::Bytes(bytes),
        })
    }

    /// A line of protocol 0's text. Names of tensors need none of its escapes.
    fn unescaped(&mut self) -> Step<&'a str> {
        let line = self.line()?;
        if line.is_ascii() && !line.contains('\\') { Ok(line) } else { self.malformed("escaped text") }
    }

    fn memo(&mut self, opcode: u8) -> Step {
        let key = match opcode {
            b'p' | b'g' => match self.line()?.trim().parse() {
                Ok(key) => key,
                Err(_) => self.malformed("no place in the memo")?,
            },
            b'q' | b'h' => self.length(1)?,
            b'r' | b'j' => self.length(4)?,
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            match self.memo.get(&key) {
                Some(&id) => self.push(id),
                None => self.malformed("nothing at this place of the memo")?,
            }
        } else {
            self.memo.insert(key, self.top()?);
        }
        Ok(())
    }

    fn container(&mut self, opcode: u8) -> Step {
        match opcode {
            b')' => self.push(EMPTY_TUPLE),
            b']' => self.make(Value::List(Vec::new())),
            b'}' => self.make(Value::Dict(Vec::new())),
            0x8f => self.make(Value::Set(Vec::new())),
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.make(Value::Tuple(items));
            }
            b't' => {
                let items = self.marked()?;
                self.make(Value::Tuple(items));
            }
            b'l' => {
                let items = self.marked()?;
                self.make(Value::List(items));
            }
            b'd' => {
                let items = self.marked()?;
                let pairs = self.pairs(items)?;
                self.make(Value::Dict(pairs));
            }
            0x91 => {
                let items = self.marked()?;
                self.make(Value::Set(items));
            }
            b'a' | b'e' | 0x90 => {
                let items = if opcode == b'a' { self.pop_many(1)? } else { self.marked()? };
                self.extend(items)?;
            }
            b's' | b'u' => {
                let items = if opcode == b's' { self.pop_many(2)? } else { self.marked()? };
                self.set_items(items)?;
            }
            _ => return Err(PickleError::Unknown { at: self.opcode_at, opcode }),
        }
        Ok(())
    }

    fn extend(&mut self, items: Vec<Id>) -> Step {
        match self.top_value()? {
            Value::List(list) | Value::Set(list) => list.extend(items),
            // Whatever it would be, nothing can be put into it.
            Value::Made { .. } => {}
            _ => self.malformed("items for what is no list")?,
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Step {
        let new = self.pairs(items)?;
        match self.top_value()? {
            Value::Dict(pairs) => pairs.extend(new),
            Value::Made { .. } => {}
            _ => self.malformed("items for what is no dict")?,
        }
        Ok(())
    }

    fn pairs(&self, items: Vec<Id>) -> Step<Vec<(Id, Id)>> {
        let (pairs, rest) = items.as_chunks();
        match rest {
            [] => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => self.malformed("a key without its value"),
        }
    }

    fn object(&mut self, opcode: u8) -> Step {
        match opcode {
            b'c' => {
                let global = Value::Global { module: self.line()?, name: self.line()? };
                self.make(global);
            }
            0x93 => match self.pop_many(2)?[..] {
                [module, name] => match (self.value(module), self.value(name)) {
                    (&Value::Text(module), &Value::Text(name)) => self.make(Value::Global { module, name }),
                    _ => self.malformed("a global without a name")?,
                },
                _ => unreachable!("two were asked for"),
            },
            b'P' => {
                let name = Value::Text(self.line()?);
                self.make(name);
                let reference = self.pop()?;
                self.make(Value::Persistent(reference));
            }
            b'Q' => {
                let reference = self.pop()?;
                self.make(Value::Persistent(reference));
            }
            b'b' => self.build()?,
            _ => {
                let (by, with) = self.call(opcode)?;
                self.write_down(by, with)?;
            }
        }
        Ok(())
    }

    /// What is called and with what, for each opcode that calls.
    fn call(&mut self, opcode: u8) -> Step<(Id, Id)> {
        match opcode {
            b'i' => {
                let global = Value::Global { module: self.line()?, name: self.line()? };
                let arguments = self.marked()?;
                Ok((self.add(global), self.add(Value::Tuple(arguments))))
            }
            b'o' => {
                let mut items = self.marked()?;
                if items.is_empty() {
                    return self.malformed("an object without a class");
                }
                let class = items.remove(0);
                Ok((class, self.add(Value::Tuple(items))))
            }
            _ => {
                // The newest way of making objects also has named arguments.
                if opcode == 0x92 {
                    self.pop()?;
                }
                let (with, by) = (self.pop()?, self.pop()?);
                match self.value(with) {
                    Value::Tuple(_) => Ok((by, with)),
                    _ => self.malformed("arguments that are no tuple"),
                }
            }
        }
    }

    /// Puts down that `by` would be called with the tuple `with`. The standard
    /// library's dicts alone become what the call would give.
    fn write_down(&mut self, by: Id, with: Id) -> Step {
        let dict = match *self.value(by) {
            Value::Global { module: "collections", name: "defaultdict" } => Some(Vec::new()),
            Value::Global { module: "collections", name: "OrderedDict" }
            | Value::Global { module: "builtins" | "__builtin__", name: "dict" } => self.dict_of(with)?,
            _ => None,
        };
        self.make(dict.map_or(Value::Made { by, with, state: None }, Value::Dict));
        Ok(())
    }

    /// The dict of the arguments `()` or `([(key, value), ...],)`.
    fn dict_of(&mut self, arguments: Id) -> Step<Option<Vec<(Id, Id)>>> {
        let list = match self.items(arguments) {
            Some(&[list]) => list,
            Some([]) => return Ok(Some(Vec::new())),
            _ => return Ok(None),
        };
        // Before the work, or a short pickle could have a long list looked at often.
        self.spend(self.items(list).map_or(0, <[Id]>::len))?;
        let pair = |&id: &Id| <[Id; 2]>::try_from(self.items(id)?).ok();
        let pairs = self.items(list).map(|items| items.iter().map(pair));
        Ok(pairs.and_then(|pairs| pairs.map(|pair| pair.map(|[key, value]| (key, value))).collect()))
    }

    fn items(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    fn build(&mut self) -> Step {
        let given = self.pop()?;
        match self.top_value()? {
            Value::Made { state, .. } => *state = Some(given),
            // A state dict's own attributes: the versions of its modules.
            Value::Dict(_) => {}
            _ => self.malformed("a state for what has none")?,
        }
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Step {
        self.steps += steps;
        if self.steps > MAX_STEPS { Err(PickleError::TooLong) } else { Ok(()) }
    }

    fn malformed<T>(&self, what: &'static str) -> Step<T> {
        Err(PickleError::Malformed { at: self.opcode_at, what })
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    fn add(&mut self, value: Value<'a>) -> Id {
        let id = Id(u32::try_from(self.values.len()).expect("fewer values than steps"));
        self.values.push(value);
        id
    }

    fn make(&mut self, value: Value<'a>) {
        let id = self.add(value);
        self.push(id);
    }

    fn push(&mut self, id: Id) {
        self.stack.push(id);
    }

    /// The stack's height at the last mark: what lies below is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Id> {
        match self.stack[self.floor()..].last() {
            Some(&id) => Ok(id),
            None => self.malformed("an empty stack"),
        }
    }

    fn top_value(&mut self) -> Step<&mut Value<'a>> {
        let id = self.top()?;
        Ok(&mut self.values[id.0 as usize])
    }

    fn pop(&mut self) -> Step<Id> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_or_unmark(&mut self) -> Step {
        if self.stack.len() == self.floor() && self.marks.pop().is_some() {
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        match self.stack.len().checked_sub(count) {
            Some(rest) if rest >= self.floor() => Ok(self.stack.split_off(rest)),
            _ => self.malformed("too few values on the stack"),
        }
    }

    /// All values above the last mark, which goes.
    fn marked(&mut self) -> Step<Vec<Id>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => self.malformed("no mark on the stack"),
        }
    }

    /// The next bytes, if there are as many: nothing is allocated before it is known.
    fn take(&mut self, count: u64) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = usize::try_from(count).ok().and_then(|count| rest.get(..count));
        let Some(taken) = taken else {
            let wanted = count - rest.len() as u64;
            return Err(PickleError::Truncated { at: self.bytes.len(), wanted });
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        Ok(self.take(N as u64)?.try_into().expect("N bytes were taken"))
    }

    /// A little-endian number of `width` bytes, 8 at most.
    fn length(&mut self, width: usize) -> Step<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width as u64)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// The text up to the next line's end, which is read and left out.
    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(PickleError::Truncated { at: self.bytes.len(), wanted: 1 });
        };
        self.at += length + 1;
        match std::str::from_utf8(&rest[..length]) {
            Ok(line) => Ok(line),
            Err(_) => self.malformed("a line that is no text"),
        }
    }
}

/// A little-endian integer of any length.
fn twos_complement<'a>(bytes: &[u8]) -> Value<'a> {
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    match wide.get_mut(..bytes.len()) {
        Some(low) => low.copy_from_slice(bytes),
        None => return Value::HugeInt,
    }
    Value::Int(i128::from_le_bytes(wide))
}
