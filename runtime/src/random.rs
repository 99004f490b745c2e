//! Counter-based randomness: a stream is named by what it is for, so that batch
//! size, threads and resuming change no draw.

use rand::{Rng, SeedableRng};
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

/// A number that is normal to the eye: the sum of twelve uniform
/// ones, mean 0 and variance 1. Whole numbers are summed, so that every machine
/// draws the same, which logarithms and cosines would not promise.
pub fn normal(random: &mut impl Rng) -> f32 {
    let quarters = |word: u64| (0..4).map(move |at| (word >> (16 * at)) & 0xffff);
    let sum: u64 = (0..3).flat_map(|_| quarters(random.next_u64())).sum();
    // Twelve uniform 16-bit numbers: mean 12 * 32767.5, variance 65536^2 - 1.
    (sum as f32 - 393_210.0) / 65536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_depend_on_every_part_of_their_name() {
        let first = |seed, parts: &[Key<'_>]| stream(seed, parts).next_u64();
        let base = first(0, &["order".into(), 1.into()]);
        assert_eq!(base, first(0, &["order".into(), 1.into()]));
        assert_ne!(base, first(1, &["order".into(), 1.into()]));
        assert_ne!(base, first(0, &["order".into(), 2.into()]));
        assert_ne!(base, first(0, &["augment".into(), 1.into()]));
    }

    #[test]
    fn normal_draws_have_the_moments_of_a_normal_number() {
        let mut random = stream(0, &["normal".into()]);
        let draws: Vec<f64> = (0..200_000).map(|_| f64::from(normal(&mut random))).collect();
        let moment = |power| draws.iter().map(|draw| draw.powi(power)).sum::<f64>() / draws.len() as f64;
        assert!(moment(1).abs() < 0.01 && (moment(2) - 1.0).abs() < 0.02, "{} {}", moment(1), moment(2));
        // A normal number has 3; the sum of twelve uniform ones 3 - 1.2 / 12.
        assert!((moment(4) - 2.9).abs() < 0.1, "{}", moment(4));
    }
}
