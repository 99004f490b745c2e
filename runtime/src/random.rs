//! Counter-based randomness: a stream is named by what it is for, so that batch
//! size, threads and resuming change no draw.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// One part of a stream's name.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// What the stream is for: `"order"`, `"square"`, …
    Name(&'a str),
    /// A counter or an identifier: epoch, sample, restart, …
    Index(u64),
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl From<u64> for Key<'_> {
    fn from(index: u64) -> Self {
        Self::Index(index)
    }
}

/// The generator of the stream `parts` under `seed`. Equal names give equal
/// streams on every machine; different names give independent ones.
pub fn stream(seed: u64, parts: &[Key<'_>]) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(digest(seed, parts))
}

/// 64 bits that name the stream `parts` under `seed`, for use as a key elsewhere
/// (dropout masks on the GPU).
pub fn key(seed: u64, parts: &[Key<'_>]) -> u64 {
    let bytes = digest(seed, parts);
    u64::from_le_bytes(bytes[..8].try_into().expect("a digest has 32 bytes"))
}

fn digest(seed: u64, parts: &[Key<'_>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for part in parts {
        match part {
            Key::Name(name) => {
                hash.update([b'n']);
                hash.update((name.len() as u64).to_le_bytes());
                hash.update(name.as_bytes());
            }
            Key::Index(index) => {
                hash.update([b'i']);
                hash.update(index.to_le_bytes());
            }
        }
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_depend_on_every_part_of_their_name() {
        let first = |seed, parts: &[Key<'_>]| stream(seed, parts).next_u64();
        let base = first(0, &["order".into(), 1.into()]);
        assert_eq!(base, first(0, &["order".into(), 1.into()]));
        assert_ne!(base, first(1, &["order".into(), 1.into()]));
        assert_ne!(base, first(0, &["order".into(), 2.into()]));
        assert_ne!(base, first(0, &["augment".into(), 1.into()]));
    }
}
