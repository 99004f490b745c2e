//! How many bytes of prepared pictures may be kept.

use super::memory;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Of the memory that is available when the first pool is made, this part is used:
/// decoded pictures are a convenience, and other programs and the system's own cache
/// of files want room, too.
const PART: usize = 4;

/// What is used where the system does not say how much memory is available.
const UNKNOWN: usize = 2 << 30;

/// Bytes that the pools sharing it may keep together.
#[derive(Debug)]
pub struct Allowance {
    limit: usize,
    taken: AtomicUsize,
}

static OF_THIS_PROCESS: OnceLock<Arc<Allowance>> = OnceLock::new();

impl Allowance {
    /// `limit` bytes, none of them taken.
    pub const fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0) }
    }

    /// The one that all pools share unless told otherwise: what [`Allowance::fix`] has
    /// set, else a quarter of the memory that is available at the first call, 2 GiB
    /// where the system does not say. It decides how often a picture is decoded, and
    /// nothing about results.
    pub fn of_this_process() -> Arc<Self> {
        let usual = || memory::available().map_or(UNKNOWN, |bytes| bytes / PART);
        Arc::clone(OF_THIS_PROCESS.get_or_init(|| Arc::new(Self::new(usual()))))
    }

    /// Sets the process's allowance; false where it is in use already.
    pub fn fix(limit: usize) -> bool {
        OF_THIS_PROCESS.set(Arc::new(Self::new(limit))).is_ok()
    }

    /// The bytes that may be taken in all.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes` if that many are left.
    pub fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|&taken| taken <= self.limit);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives back `bytes` that were taken.
    pub fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_is_taken() {
        let allowance = Allowance::new(10);
        assert!(allowance.take(6));
        assert!(!allowance.take(5));
        assert!(allowance.take(4));
        assert!(!allowance.take(usize::MAX));
        allowance.give_back(4);
        assert_eq!(allowance.taken(), 6);
    }
}
