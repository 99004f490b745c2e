//! A reader of TensorBoard's event files that shares nothing with their writer: TFRecords, their
//! checksums, and the few fields of the messages in them.

use crate::workshop::bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The scalars of each tag: steps and values, in order.
pub type Scalars = BTreeMap<String, Vec<(u64, f32)>>;

/// The event files of `folder`, in the order in which TensorBoard reads them.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.iter().all(|file| file.to_string_lossy().contains("tfevents")), "{files:?}");
    files
}

/// What TensorBoard shows of the event files in `folder`: all scalars but those that the beginning of
/// a later session made void.
pub fn scalars(folder: &Path) -> Scalars {
    let mut scalars = Scalars::new();
    for file in files(folder) {
        let records = records(&bytes(&file));
        let first = records.first().expect("a file begins with its version");
        assert!(
            first.iter().any(|field| matches!(field, (3, Field::Bytes(text)) if text == b"brain.Event:2"))
        );
        for event in &records {
            let step = event.iter().find_map(|field| match field {
                (2, Field::Integer(step)) => Some(*step),
                _ => None,
            });
            assert!(
                matches!(event[0], (1, Field::Fixed64(time)) if f64::from_bits(time) > 1.7e9),
                "{event:?}"
            );
            take(&mut scalars, event, step.unwrap_or(0));
        }
    }
    scalars.retain(|_, values| !values.is_empty());
    scalars
}

/// Takes over what the event of a step says.
fn take(scalars: &mut Scalars, event: &[(u64, Field)], step: u64) {
    for (number, field) in event {
        let Field::Bytes(message) = field else { continue };
        match number {
            5 => {
                for (_, value) in fields(message) {
                    let Field::Bytes(value) = value else { panic!("a value is a message") };
                    let [(1, Field::Bytes(tag)), (2, Field::Fixed32(number))] = &fields(&value)[..] else {
                        panic!("a value is a tag and a number: {value:?}");
                    };
                    let tag = String::from_utf8(tag.clone()).unwrap();
                    scalars.entry(tag).or_default().push((step, f32::from_bits(*number)));
                }
            }
            7 => {
                assert_eq!(fields(message), [(1, Field::Integer(1))], "the one session log is START");
                scalars.values_mut().for_each(|values| values.retain(|(at, _)| *at < step));
            }
            _ => assert_eq!(*number, 3),
        }
    }
}

/// A field of a message.
#[derive(Debug, PartialEq)]
enum Field {
    Integer(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Vec<u8>),
}

/// The messages of a file of TFRecords, whose lengths and checksums must be right to its end.
fn records(mut file: &[u8]) -> Vec<Vec<(u64, Field)>> {
    let mut records = Vec::new();
    while !file.is_empty() {
        let length = checked(&mut file, 8);
        let length = u64::from_le_bytes(length.try_into().unwrap());
        records.push(fields(checked(&mut file, length as usize)));
    }
    records
}

/// The next `count` bytes, which their checksum follows.
fn checked<'a>(file: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = file.split_at(count);
    let (sum, rest) = rest.split_at(4);
    *file = rest;
    let rotated = u32::from_le_bytes(sum.try_into().unwrap()).wrapping_sub(0xa282_ead8);
    assert_eq!(rotated.rotate_left(15), crc32c(taken), "a checksum is wrong");
    taken
}

/// CRC-32C as its definition has it: the remainder of a division of polynomials, most significant
/// bit first, of bytes whose bits are reversed.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut remainder = u32::MAX;
    for byte in bytes {
        remainder ^= u32::from(byte.reverse_bits()) << 24;
        for _ in 0..8 {
            let divides = remainder >> 31 == 1;
            remainder = (remainder << 1) ^ if divides { 0x1edc_6f41 } else { 0 };
        }
    }
    !remainder.reverse_bits()
}

/// The fields of a message with their numbers.
fn fields(mut message: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = integer(&mut message);
        let mut taken = |count: usize| {
            let (taken, rest) = message.split_at(count);
            message = rest;
            taken
        };
        let field = match key & 7 {
            1 => Field::Fixed64(u64::from_le_bytes(taken(8).try_into().unwrap())),
            5 => Field::Fixed32(u32::from_le_bytes(taken(4).try_into().unwrap())),
            0 => Field::Integer(integer(&mut message)),
            2 => {
                let count = integer(&mut message) as usize;
                let (bytes, rest) = message.split_at(count);
                message = rest;
                Field::Bytes(bytes.to_vec())
            }
            kind => panic!("field {} is of kind {kind}", key >> 3),
        };
        fields.push((key >> 3, field));
    }
    fields
}

/// A number of seven bits a byte, the lowest first.
fn integer(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for place in 0.. {
        let (&byte, rest) = message.split_first().unwrap();
        *message = rest;
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The published check value of CRC-32C.
pub fn the_readers_checksum_is_right() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
