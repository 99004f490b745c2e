//! The limit on the bytes of prepared pictures that are kept in memory.

use super::memory;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The available memory, when the first pool is made, is divided by this: other programs and the
/// system's file cache need memory, too.
const PART: usize = 4;

/// The limit if the system does not report the available memory.
const UNKNOWN: usize = 2 << 30;

/// A limit on the bytes that all pools with this allowance may keep together.
#[derive(Debug)]
pub struct Allowance {
    limit: usize,
    taken: AtomicUsize,
}

static OF_THIS_PROCESS: OnceLock<Arc<Allowance>> = OnceLock::new();

impl Allowance {
    /// An allowance of `limit` bytes, none of them taken.
    pub const fn new(limit: usize) -> Self {
        Self { limit, taken: AtomicUsize::new(0) }
    }

    /// The default allowance, which all pools of the process share: that of [`Allowance::fix`], else a
    /// quarter of the memory that is available at the first call, or 2 GiB if the system does not
    /// report it. It changes how often a picture is decoded, but no result.
    pub fn of_this_process() -> Arc<Self> {
        let usual = || memory::available().map_or(UNKNOWN, |bytes| bytes / PART);
        Arc::clone(OF_THIS_PROCESS.get_or_init(|| Arc::new(Self::new(usual()))))
    }

    /// Sets the default allowance of the process to `limit` bytes; false if it is already in use.
    pub fn fix(limit: usize) -> bool {
        OF_THIS_PROCESS.set(Arc::new(Self::new(limit))).is_ok()
    }

    /// The limit in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes` and returns true, if that many are left.
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
