//! Writes pickles opcode by opcode, for the tests, so that they need no Python and can
//! write what Python would not.

/// A pickle in the making, of protocol 2 as torch writes it.
pub(in crate::model::files) struct Assembler(Vec<u8>);

impl Assembler {
    pub(in crate::model::files) fn new() -> Self {
        Self(vec![0x80, 2])
    }

    /// Appends opcodes and their arguments as they are.
    pub(in crate::model::files) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// BINUNICODE.
    pub(in crate::model::files) fn text(&mut self, text: &str) -> &mut Self {
        let length = u32::try_from(text.len()).expect("a short text");
        self.raw(b"X").raw(&length.to_le_bytes()).raw(text.as_bytes())
    }

    /// LONG1 of 8 bytes.
    pub(in crate::model::files) fn int(&mut self, value: i64) -> &mut Self {
        self.raw(&[0x8a, 8]).raw(&value.to_le_bytes())
    }

    /// GLOBAL.
    pub(in crate::model::files) fn global(&mut self, module: &str, name: &str) -> &mut Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    /// TUPLE of integers.
    pub(in crate::model::files) fn ints(&mut self, values: &[i64]) -> &mut Self {
        self.raw(b"(");
        for &value in values {
            self.int(value);
        }
        self.raw(b"t")
    }

    /// STOP.
    pub(in crate::model::files) fn finish(&mut self) -> Vec<u8> {
        self.raw(b".").0.clone()
    }
}
