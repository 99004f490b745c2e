//! The golden files.

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

/// An error and where it is.
pub type Error = (f64, String);

/// A file's contents.
#[derive(Debug)]
pub struct Golden {
    /// Its name without the ending.
    pub name: String,
    tensors: BTreeMap<String, Vec<f64>>,
    metadata: Value,
}

impl Golden {
    /// Reads `fixtures/goldens/<name>.safetensors`.
    pub fn load(name: &str) -> Result<Self, String> {
        let folder = crate::places::repository().join("fixtures/goldens");
        let path = folder.join(format!("{name}.safetensors"));
        let failed = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
        let bytes = std::fs::read(&path).map_err(|error| failed(&error))?;
        let opened = SafeTensors::deserialize(&bytes).map_err(|error| failed(&error))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| failed(&error))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in opened.tensors() {
            let values =
                wide(view.dtype(), view.data()).ok_or_else(|| failed(&format!("type of `{name}`")))?;
            tensors.insert(name, values);
        }
        let entry = header.metadata().as_ref().and_then(|metadata| metadata.get("golden"));
        let entry = entry.ok_or_else(|| failed(&"it has no entry `golden`"))?;
        let metadata = serde_json::from_str(entry).map_err(|error| failed(&error))?;
        Ok(Self { name: name.to_owned(), tensors, metadata })
    }

    /// A tensor's values, row after row.
    pub fn values(&self, name: &str) -> &[f64] {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} holds no `{name}`", self.name))
    }

    /// The settings that the goldens were made with.
    pub fn about<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.json("about")
    }

    /// PyTorch's own errors in float32, by tensor.
    pub fn float32_errors(&self) -> Result<BTreeMap<String, Error>, String> {
        self.json("float32_errors")
    }

    fn json<T: DeserializeOwned>(&self, key: &str) -> Result<T, String> {
        let value = self.metadata[key].clone();
        serde_json::from_value(value).map_err(|error| format!("{}, `{key}`: {error}", self.name))
    }
}

/// Little-endian numbers of one of the types that goldens have.
fn wide(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f64>> {
    match dtype {
        Dtype::F64 => Some(bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()),
        Dtype::F32 => {
            Some(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect())
        }
        Dtype::I8 => Some(bytes.iter().map(|&byte| f64::from(byte as i8)).collect()),
        _ => None,
    }
}
