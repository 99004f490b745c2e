//! Writes files like torch.save, for the tests: both formats, opcode by opcode.

use super::super::pickle::assembler::Assembler;
use super::stream::MAGIC;
use crate::model::weights::Tensor;
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A tensor as a state dict refers to it.
#[derive(Clone)]
pub(super) struct Saved {
    pub(super) name: &'static str,
    /// The storage's class in `torch`.
    pub(super) class: &'static str,
    /// The storage's key and how many numbers it holds.
    pub(super) storage: (&'static str, i64),
    /// The first element and the number of elements that are used, in the older format.
    pub(super) part: Option<(i64, i64)>,
    pub(super) offset: i64,
    pub(super) shape: Vec<i64>,
    pub(super) strides: Vec<i64>,
}

/// A storage's key, how many numbers it has and their bytes.
pub(super) type Storage = (&'static str, i64, Vec<u8>);

/// A tensor with a storage of its own, whose key is the tensor's name.
pub(super) fn contiguous(name: &'static str, class: &'static str, shape: &[i64]) -> Saved {
    let stride = |dimension: usize| shape[dimension + 1..].iter().product();
    Saved {
        name,
        class,
        storage: (name, shape.iter().product()),
        part: None,
        offset: 0,
        shape: shape.to_vec(),
        strides: (0..shape.len()).map(stride).collect(),
    }
}

/// A storage of f32 numbers.
pub(super) fn floats(key: &'static str, values: &[f32]) -> Storage {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    (key, values.len() as i64, bytes)
}

impl Assembler {
    /// A tensor, as `torch._utils._rebuild_tensor_v2` makes it.
    pub(super) fn tensor(&mut self, tensor: &Saved) -> &mut Self {
        self.global("torch._utils", "_rebuild_tensor_v2").raw(b"((").text("storage");
        self.global("torch", tensor.class).text(tensor.storage.0).text("cpu").int(tensor.storage.1);
        if let Some((first, count)) = tensor.part {
            self.text("view").int(first).int(count).raw(b"\x87");
        }
        self.raw(b"tQ").int(tensor.offset).ints(&tensor.shape).ints(&tensor.strides);
        self.raw(b"\x89").global("collections", "OrderedDict").raw(b")RtR")
    }

    /// A module's state dict, with the versions that torch attaches to it.
    pub(super) fn state(&mut self, tensors: &[Saved]) -> &mut Self {
        self.global("collections", "OrderedDict").raw(b")R(");
        for tensor in tensors {
            self.text(tensor.name).tensor(tensor);
        }
        self.raw(b"u}").text("_metadata").raw(b"}sb")
    }
}

/// The pickle of a state dict.
pub(super) fn state(tensors: &[Saved]) -> Vec<u8> {
    Assembler::new().state(tensors).finish()
}

/// The newer format.
pub(super) fn archive(pickle: &[u8], storages: &[Storage]) -> Vec<u8> {
    let mut records = vec![("data.pkl".to_owned(), pickle), ("byteorder".to_owned(), b"little")];
    records.extend(storages.iter().map(|(key, _, bytes)| (format!("data/{key}"), bytes.as_slice())));
    records.push(("version".to_owned(), b"3\n"));
    archive_of(&records)
}

/// A zip archive of given records, which are named as torch names those of "net.pt".
pub(super) fn archive_of(records: &[(String, &[u8])]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in records {
        writer.start_file(format!("net/{name}"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The older format.
pub(super) fn stream(pickle: &[u8], storages: &[Storage]) -> Vec<u8> {
    let mut keys = Assembler::new();
    keys.raw(b"](");
    for (key, ..) in storages {
        keys.text(key);
    }
    let keys = keys.raw(b"e").finish();
    let mut bytes = [header(true).as_slice(), pickle, &keys].concat();
    for (_, count, storage) in storages {
        bytes.extend(count.to_le_bytes());
        bytes.extend(storage);
    }
    bytes
}

/// The pickles before the object's in the older format.
pub(super) fn header(little_endian: bool) -> Vec<u8> {
    let magic = &MAGIC.to_le_bytes()[..10];
    let order: &[u8] = if little_endian { b"\x88" } else { b"\x89" };
    [
        Assembler::new().raw(b"\x8a\x0a").raw(magic).finish(),
        Assembler::new().int(1001).finish(),
        Assembler::new().raw(b"}").text("little_endian").raw(order).raw(b"s").finish(),
    ]
    .concat()
}

/// The opcodes of `None`.
pub(in crate::model) fn none() -> Vec<u8> {
    b"N".to_vec()
}

/// The opcodes of an integer.
pub(in crate::model) fn integer(value: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat()
}

/// The opcodes of a tuple of one real number for each channel.
pub(in crate::model) fn channels(values: [f64; 3]) -> Vec<u8> {
    let numbers = values.map(|value| [b"G".as_slice(), &value.to_be_bytes()].concat()).concat();
    [b"(".as_slice(), &numbers, b"t"].concat()
}

/// Builds a dict like those that programs save as checkpoints.
#[derive(Default)]
pub(in crate::model) struct Object {
    pickle: Vec<u8>,
    /// The bytes of the storages, in their order.
    storages: Vec<Vec<u8>>,
}

impl Object {
    /// Adds opcodes.
    fn add(&mut self, write: impl FnOnce(&mut Assembler)) {
        let mut assembler = Assembler::new();
        write(&mut assembler);
        let bytes = assembler.finish();
        // Without the protocol before and the end behind.
        self.pickle.extend(&bytes[2..bytes.len() - 1]);
    }

    /// A text under a key.
    pub(in crate::model) fn text(&mut self, key: &str, text: &str) {
        self.add(|object| {
            object.text(key).text(text);
        });
    }

    /// Settings under a key, as the values' opcodes: argparse's `Namespace`, or a dict.
    pub(in crate::model) fn settings(&mut self, key: &str, options: bool, values: &[(&str, Vec<u8>)]) {
        self.add(|object| {
            object.text(key);
            if options {
                object.global("argparse", "Namespace").raw(b")\x81");
            }
            object.raw(b"}(");
            for (name, value) in values {
                object.text(name).raw(value);
            }
            object.raw(if options { b"ub" } else { b"u" });
        });
    }

    /// A state under a key, every tensor of a storage of its own.
    pub(in crate::model) fn state(&mut self, key: &str, tensors: &BTreeMap<String, Tensor>) {
        self.add(|object| {
            object.text(key).global("collections", "OrderedDict").raw(b")R(");
        });
        for (name, tensor) in tensors {
            let place = self.storages.len().to_string();
            let shape: Vec<i64> = tensor.shape.iter().map(|&size| size as i64).collect();
            let strides: Vec<i64> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
            self.add(|object| {
                object.text(name).global("torch._utils", "_rebuild_tensor_v2").raw(b"((").text("storage");
                object
                    .global("torch", "FloatStorage")
                    .text(&place)
                    .text("cpu")
                    .int(tensor.values.len() as i64);
                object.raw(b"tQ").int(0).ints(&shape).ints(&strides);
                object.raw(b"\x89").global("collections", "OrderedDict").raw(b")RtR");
            });
            self.storages.push(tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect());
        }
        self.add(|object| {
            object.raw(b"u");
        });
    }

    /// The file, in the newer format.
    pub(in crate::model) fn file(&self) -> Vec<u8> {
        let pickle = [b"\x80\x02}(".as_slice(), &self.pickle, b"u."].concat();
        let mut records =
            vec![("data.pkl".to_owned(), pickle.as_slice()), ("byteorder".to_owned(), b"little")];
        let storages = self.storages.iter().enumerate();
        records.extend(storages.map(|(place, bytes)| (format!("data/{place}"), bytes.as_slice())));
        archive_of(&records)
    }
}
