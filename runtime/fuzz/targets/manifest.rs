//! Any bytes as a manifest.csv.
#![no_main]

use dfrt_runtime::data::manifest::{Manifest, Reach};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    for reach in [Reach::Folder, Reach::Anywhere] {
        if let Ok(manifest) = Manifest::parse(Path::new("data/manifest.csv"), bytes, reach) {
            assert!(!manifest.samples.is_empty());
            let _ = (manifest.summary().to_string(), manifest.sha256());
        }
    }
});
