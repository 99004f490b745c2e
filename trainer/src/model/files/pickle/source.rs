//! Reads the bytes of a pickle: opcodes and the numbers and text that follow them. A declared length
//! is compared with the available bytes before anything is allocated.

use super::{PickleError, Value, opcode};

pub(super) type Step<T = ()> = Result<T, PickleError>;

/// The bytes and the current position.
pub(super) struct Source<'a> {
    bytes: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// Position of the current opcode.
    opcode_at: usize,
}

impl<'a> Source<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, opcode_at: 0 }
    }

    /// The number of bytes that have been read.
    pub(super) fn length(&self) -> usize {
        self.at
    }

    pub(super) fn opcode(&mut self) -> Step<u8> {
        self.opcode_at = self.at;
        self.array().map(|[opcode]| opcode)
    }

    pub(super) fn unknown<T>(&self, opcode: u8) -> Step<T> {
        Err(PickleError::Unknown { at: self.opcode_at, opcode })
    }

    pub(super) fn malformed<T>(&self, what: &'static str) -> Step<T> {
        Err(PickleError::Malformed { at: self.opcode_at, what })
    }

    /// The value of a literal opcode; none for other opcodes.
    pub(super) fn literal(&mut self, opcode: u8) -> Step<Option<Value<'a>>> {
        let number = self.number(opcode)?;
        if number.is_some() { Ok(number) } else { self.string(opcode) }
    }

    fn number(&mut self, opcode: u8) -> Step<Option<Value<'a>>> {
        Ok(Some(match opcode {
            opcode::BININT => Value::Int(i32::from_le_bytes(self.array()?).into()),
            opcode::BININT1 => Value::Int(u8::from_le_bytes(self.array()?).into()),
            opcode::BININT2 => Value::Int(u16::from_le_bytes(self.array()?).into()),
            opcode::LONG1 | opcode::LONG4 => {
                let length = self.natural(if opcode == opcode::LONG1 { 1 } else { 4 })?;
                twos_complement(self.take(length)?)
            }
            opcode::INT | opcode::LONG => self.decimal()?,
            opcode::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            opcode::FLOAT => match self.line()?.trim().parse() {
                Ok(value) => Value::Float(value),
                Err(_) => self.malformed("no real number")?,
            },
            _ => return Ok(None),
        }))
    }

    /// Integers and booleans of protocol 0.
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

    fn string(&mut self, opcode: u8) -> Step<Option<Value<'a>>> {
        let (width, is_text) = match opcode {
            opcode::STRING => return self.quoted().map(|text| Some(Value::Text(text))),
            opcode::UNICODE => return self.unescaped().map(|text| Some(Value::Text(text))),
            opcode::SHORT_BINSTRING | opcode::SHORT_BINUNICODE => (1, true),
            opcode::BINSTRING | opcode::BINUNICODE => (4, true),
            opcode::BINUNICODE8 => (8, true),
            opcode::SHORT_BINBYTES => (1, false),
            opcode::BINBYTES => (4, false),
            opcode::BINBYTES8 | opcode::BYTEARRAY8 => (8, false),
            _ => return Ok(None),
        };
        let length = self.natural(width)?;
        let bytes = self.take(length)?;
        Ok(Some(match std::str::from_utf8(bytes) {
            Ok(text) if is_text => Value::Text(text),
            _ => Value::Bytes(bytes),
        }))
    }

    fn quoted(&mut self) -> Step<&'a str> {
        let text = self.unescaped()?.trim_end();
        let without = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
        match without('\'').or_else(|| without('"')) {
            Some(text) => Ok(text),
            None => self.malformed("text without its quotes"),
        }
    }

    /// A line of protocol 0's text. Names of tensors need none of its escapes.
    fn unescaped(&mut self) -> Step<&'a str> {
        let line = self.line()?;
        if line.is_ascii() && !line.contains('\\') { Ok(line) } else { self.malformed("escaped text") }
    }

    /// The next `count` bytes, if there are as many.
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

    pub(super) fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        Ok(self.take(N as u64)?.try_into().expect("N bytes were taken"))
    }

    /// A little-endian number of `width` bytes, 8 at most.
    pub(super) fn natural(&mut self, width: usize) -> Step<u64> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width as u64)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// The text up to the end of the line, without the newline, which is skipped.
    pub(super) fn line(&mut self) -> Step<&'a str> {
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
