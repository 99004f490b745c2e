//! Decoded pictures of a split: prepared on first use, kept while they fit.

use dfrt_runtime::data::manifest::Sample;
use dfrt_runtime::data::picture;
use image::RgbImage;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// Bytes of prepared pictures that are kept.
const KEPT_BYTES: usize = 2 << 30;

/// The pictures of some samples, prepared at one side.
#[derive(Debug)]
pub struct Pool {
    samples: Vec<Sample>,
    side: usize,
    kept: Vec<OnceLock<Option<RgbImage>>>,
    kept_bytes: AtomicUsize,
    unreadable: Mutex<Vec<(usize, String)>>,
}

impl Pool {
    /// A pool over `samples`; nothing is read yet.
    pub fn new(samples: Vec<Sample>, side: usize) -> Self {
        let kept = samples.iter().map(|_| OnceLock::new()).collect();
        Self { samples, side, kept, kept_bytes: AtomicUsize::new(0), unreadable: Mutex::default() }
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The prepared picture at `place`; none where it cannot be read, which is
    /// noted once in [`Pool::unreadable`].
    pub fn picture(&self, place: usize) -> Option<RgbImage> {
        if let Some(kept) = self.kept[place].get() {
            return kept.clone();
        }
        let picture = match picture::load(&self.samples[place].path, self.side) {
            Ok(picture) => Some(picture),
            Err(error) => {
                let mut unreadable = self.unreadable.lock().expect("no holder panics");
                if unreadable.iter().all(|(known, _)| *known != place) {
                    unreadable.push((place, error.to_string()));
                }
                None
            }
        };
        let bytes = 3 * self.side * self.side;
        let room = self.kept_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes <= KEPT_BYTES;
        if room || picture.is_none() {
            // Another thread may have been first with the same picture.
            let _ = self.kept[place].set(picture.clone());
        }
        picture
    }

    /// A line for each picture that could not be read, in the samples' order.
    pub fn unreadable(&self) -> Vec<String> {
        let mut lines = self.unreadable.lock().expect("no holder panics").clone();
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}
