//! The types of numbers in torch's storages.

use half::{bf16, f16};

/// A type of numbers.
#[derive(Debug)]
pub(super) struct Number {
    /// torch's name of it.
    pub(super) name: &'static str,
    /// The storage's class in `torch`, without "Storage".
    class: &'static str,
    /// Bytes of an element.
    pub(super) size: usize,
    /// How an element is read.
    pub(super) read: Read,
}

/// How the bytes of a little-endian element are read.
#[derive(Debug)]
pub(super) enum Read {
    /// As a real number.
    Real(fn(&[u8]) -> f32),
    /// As an integer.
    Integer(fn(&[u8]) -> i64),
    /// Not at all. Its size is known, so that the other storages of the file are found.
    Never,
}

/// The types, the most frequent first.
const NUMBERS: [Number; 18] = [
    real("float32", "Float", 4, |bytes| f32::from_le_bytes(element(bytes))),
    integer("int64", "Long", 8, |bytes| i64::from_le_bytes(element(bytes))),
    real("float16", "Half", 2, |bytes| f16::from_le_bytes(element(bytes)).to_f32()),
    real("bfloat16", "BFloat16", 2, |bytes| bf16::from_le_bytes(element(bytes)).to_f32()),
    real("float64", "Double", 8, |bytes| f64::from_le_bytes(element(bytes)) as f32),
    integer("int32", "Int", 4, |bytes| i32::from_le_bytes(element(bytes)).into()),
    integer("int16", "Short", 2, |bytes| i16::from_le_bytes(element(bytes)).into()),
    integer("int8", "Char", 1, |bytes| i8::from_le_bytes(element(bytes)).into()),
    integer("uint8", "Byte", 1, |bytes| u8::from_le_bytes(element(bytes)).into()),
    integer("bool", "Bool", 1, |bytes| (bytes != [0]).into()),
    never("complex64", "ComplexFloat", 8),
    never("complex128", "ComplexDouble", 16),
    never("qint8", "QInt8", 1),
    never("quint8", "QUInt8", 1),
    never("qint32", "QInt32", 4),
    never("quint4x2", "QUInt4x2", 1),
    never("quint2x4", "QUInt2x4", 1),
    never("untyped", "Untyped", 1),
];

/// The type of a storage class: "FloatStorage".
pub(super) fn of_storage(class: &str) -> Option<&'static Number> {
    let class = class.strip_suffix("Storage")?;
    NUMBERS.iter().find(|number| number.class == class)
}

const fn real(name: &'static str, class: &'static str, size: usize, read: fn(&[u8]) -> f32) -> Number {
    Number { name, class, size, read: Read::Real(read) }
}

const fn integer(name: &'static str, class: &'static str, size: usize, read: fn(&[u8]) -> i64) -> Number {
    Number { name, class, size, read: Read::Integer(read) }
}

const fn never(name: &'static str, class: &'static str, size: usize) -> Number {
    Number { name, class, size, read: Read::Never }
}

fn element<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("as many bytes as the type's size")
}
