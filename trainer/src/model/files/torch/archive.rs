//! The zip archive of torch.save: `NAME/data.pkl` is the object's pickle,
//! `NAME/data/KEY` a storage's bytes, `NAME/byteorder` "little" or "big" (absent from
//! older files, which are all little-endian). Records are stored, not compressed.

use super::super::pickle::{Pickle, printable};
use super::error::{TorchFileError, read_pickle};
use std::io::{self, Cursor};
use std::path::{Path, PathBuf};
use zip::read::ZipReadOptions;
use zip::{CompressionMethod, ZipArchive};

/// An open archive.
pub(super) struct Archive<'a> {
    file: PathBuf,
    bytes: &'a [u8],
    zip: ZipArchive<Cursor<&'a [u8]>>,
    /// What the names of all records begin with: `NAME/`.
    prefix: String,
    /// The bytes that may still be read; records that overlap could be more than there are.
    unread: usize,
}

impl<'a> Archive<'a> {
    pub(super) fn open(file: &Path, bytes: &'a [u8]) -> Result<Self, TorchFileError> {
        let file = file.to_owned();
        let zip = match ZipArchive::new(Cursor::new(bytes)) {
            Ok(zip) => zip,
            Err(error) => return Err(TorchFileError::damaged(&file, "the zip archive", error)),
        };
        let prefix = zip.file_names_raw().find_map(|name| {
            let prefix = std::str::from_utf8(name).ok()?.strip_suffix("data.pkl")?;
            let (name, rest) = prefix.split_once('/')?;
            (!name.is_empty() && rest.is_empty()).then(|| prefix.to_owned())
        });
        let Some(prefix) = prefix else {
            let found = "a zip archive without data.pkl".to_owned();
            return Err(TorchFileError::NotTorch { file, found });
        };
        let mut archive = Self { file, bytes, zip, prefix, unread: bytes.len() };
        if archive.has("constants.pkl") {
            return Err(TorchFileError::Script { file: archive.file });
        }
        if archive.has("byteorder") && archive.record("byteorder")? == b"big" {
            return Err(TorchFileError::BigEndian { file: archive.file });
        }
        Ok(archive)
    }

    /// The object that was saved.
    pub(super) fn pickle(&mut self) -> Result<Pickle<'a>, TorchFileError> {
        let record = self.record("data.pkl")?;
        read_pickle(&self.file, "the record `data.pkl`", record)
    }

    /// A storage's bytes, or nothing if there is no such storage.
    pub(super) fn storage(&mut self, key: &str) -> Result<Option<&'a [u8]>, TorchFileError> {
        let name = format!("data/{key}");
        if self.has(&name) { self.record(&name).map(Some) } else { Ok(None) }
    }

    fn has(&self, name: &str) -> bool {
        self.index(name).is_some()
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.zip.index_for_name_raw(format!("{}{name}", self.prefix).as_bytes())
    }

    /// A record's bytes, which are checked against their checksum.
    fn record(&mut self, name: &str) -> Result<&'a [u8], TorchFileError> {
        let file = self.file.clone();
        let part = format!("the record `{}`", printable(name));
        let Some(index) = self.index(name) else {
            return Err(TorchFileError::damaged(&file, &part, "it is missing"));
        };
        let entry = match self.zip.by_index_data(index) {
            Ok(entry) => entry,
            Err(error) => return Err(TorchFileError::damaged(&file, &part, error)),
        };
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
            return Err(TorchFileError::Packed { file, record: printable(name) });
        }
        // torch can be told to compute no checksums and then writes 0.
        let options = ZipReadOptions::new().ignore_crc32(entry.crc32() == 0);
        let size = usize::try_from(entry.size()).ok().filter(|&size| size <= self.unread);
        let Some(size) = size else {
            return Err(TorchFileError::damaged(&file, &part, "it is longer than the file"));
        };
        self.unread -= size;
        match checked(&mut self.zip, index, options) {
            Ok(start) => {
                let end = start.saturating_add(size);
                self.bytes
                    .get(start..end)
                    .ok_or_else(|| TorchFileError::damaged(&file, &part, "it ends after the file"))
            }
            Err(reason) => Err(TorchFileError::damaged(&file, &part, reason)),
        }
    }
}

/// Reads a record to its end, so that its checksum is compared, and gives the place
/// where its bytes begin.
fn checked(
    zip: &mut ZipArchive<Cursor<&[u8]>>,
    index: usize,
    options: ZipReadOptions<'_>,
) -> Result<usize, String> {
    let mut entry = zip.by_index_with_options(index, options).map_err(|error| error.to_string())?;
    let length = io::copy(&mut entry, &mut io::sink()).map_err(|error| error.to_string())?;
    if length != entry.size() {
        return Err("it is shorter than it says".to_owned());
    }
    let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
    start.ok_or_else(|| "its bytes are nowhere".to_owned())
}
