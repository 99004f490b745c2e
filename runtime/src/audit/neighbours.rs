//! Finds, among many 64-bit hashes, all those that differ from a given one in few bits.
//!
//! Multi-index hashing (Norouzi, Punjani & Fleet 2012): the 64 bits are four bands of 16, each
//! with a table from its 16 bits to the hashes that have them. If the sum of (radius + 1) over
//! the bands is r + 1, two hashes within r bits are within the radius of at least one band. Only
//! hashes that are near in a band are compared, and none is missed.

/// Bands of a hash.
const BANDS: usize = 4;
/// Bits of a band.
const BITS: usize = 16;

/// An index of hashes: 16 bytes for each hash and 1 MiB, for each of four bands.
#[derive(Clone, Debug)]
pub struct Neighbours {
    bands: [Band; BANDS],
    radius: u32,
}

/// The hashes in the order of the keys of one band.
#[derive(Clone, Debug)]
struct Band {
    /// The differences of keys that are tried: all of `near` bits or fewer, none first.
    flips: Vec<u16>,
    /// The band's radius; `None` where it need not be searched.
    near: Option<u32>,
    /// Where the entries of each key begin, and the end of the last.
    starts: Vec<u32>,
    /// A hash and its index among those given.
    entries: Vec<(u64, u32)>,
}

/// Every fourth bit of `hash`, starting at `band`, so that each band has low and high
/// frequencies.
fn key(hash: u64, band: usize) -> u16 {
    // The usual way to gather every fourth bit: the gaps are halved repeatedly.
    let mut bits = (hash >> band) & 0x1111_1111_1111_1111;
    bits = (bits | bits >> 3) & 0x0303_0303_0303_0303;
    bits = (bits | bits >> 6) & 0x000f_000f_000f_000f;
    bits = (bits | bits >> 12) & 0x0000_00ff_0000_00ff;
    (bits | bits >> 24) as u16
}

impl Neighbours {
    /// Indexes `hashes` for searches within `radius` bits.
    ///
    /// # Panics
    /// There are 2^32 hashes or more.
    pub fn new(hashes: &[u64], radius: u32) -> Self {
        // r + 1 is distributed over the bands; the first ones may get one more.
        let share = |band: usize| (radius + BANDS as u32 - band as u32) / BANDS as u32;
        let bands = std::array::from_fn(|band| Band::new(hashes, band, share(band).checked_sub(1)));
        Self { bands, radius }
    }

    /// Calls `found` with the index and the distance in bits of every hash within the radius of
    /// `hash`, once each, in an order that depends on the hashes alone.
    pub fn search(&self, hash: u64, mut found: impl FnMut(u32, u32)) {
        for (number, band) in self.bands.iter().enumerate() {
            let key = key(hash, number);
            for flip in &band.flips {
                for &(other, place) in band.of(key ^ flip) {
                    let differing = hash ^ other;
                    let distance = differing.count_ones();
                    // A hash that is near in an earlier band was found there.
                    if distance <= self.radius && !self.is_near(differing, number) {
                        found(place, distance);
                    }
                }
            }
        }
    }
}

impl Neighbours {
    /// Whether a hash that differs in the bits `differing` is near in one of the first
    /// `bands` bands.
    fn is_near(&self, differing: u64, bands: usize) -> bool {
        let near = |(number, band): (usize, &Band)| {
            band.near.is_some_and(|near| key(differing, number).count_ones() <= near)
        };
        self.bands[..bands].iter().enumerate().any(near)
    }
}

impl Band {
    fn new(hashes: &[u64], band: usize, near: Option<u32>) -> Self {
        let tried = |flip: &u16| near.is_some_and(|near| flip.count_ones() <= near);
        let mut flips: Vec<u16> = (0..=u16::MAX).filter(tried).collect();
        flips.sort_by_key(|flip| flip.count_ones());
        let mut starts = vec![0_u32; (1 << BITS) + 1];
        for hash in hashes {
            starts[usize::from(key(*hash, band)) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut entries = vec![(0, 0); hashes.len()];
        for (place, hash) in hashes.iter().enumerate() {
            let next = &mut next[usize::from(key(*hash, band))];
            entries[*next as usize] = (*hash, u32::try_from(place).expect("fewer than 2^32 hashes"));
            *next += 1;
        }
        Self { flips, near, starts, entries }
    }

    fn of(&self, key: u16) -> &[(u64, u32)] {
        let key = usize::from(key);
        &self.entries[self.starts[key] as usize..self.starts[key + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(hashes: &[u64], radius: u32, hash: u64) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        Neighbours::new(hashes, radius).search(hash, |place, distance| found.push((place, distance)));
        found.sort_unstable();
        found
    }

    fn compared(hashes: &[u64], radius: u32, hash: u64) -> Vec<(u32, u32)> {
        let all = hashes.iter().enumerate().map(|(place, other)| (place as u32, (hash ^ other).count_ones()));
        all.filter(|(_, distance)| *distance <= radius).collect()
    }

    #[test]
    fn every_bit_is_in_one_band() {
        for bit in 0..64 {
            let keys: Vec<u16> = (0..BANDS).map(|band| key(1 << bit, band)).collect();
            assert_eq!(keys.iter().map(|key| key.count_ones()).sum::<u32>(), 1);
            assert_eq!(keys[bit % 4], 1 << (bit / 4));
        }
    }

    #[test]
    fn nothing_is_found_in_nothing() {
        assert_eq!(found(&[], 10, 5), []);
    }

    proptest! {
        #[test]
        fn what_a_comparison_with_all_finds_is_found_once(
            hash in any::<u64>(),
            flips in prop::collection::vec(prop::collection::vec(0_u32..64, 0..16), 1..40),
            others in prop::collection::vec(any::<u64>(), 0..40),
            radius in 0_u32..13,
        ) {
            let near = flips.iter().map(|bits| bits.iter().fold(hash, |hash, bit| hash ^ (1 << bit)));
            let hashes: Vec<u64> = near.chain(others).collect();
            prop_assert_eq!(found(&hashes, radius, hash), compared(&hashes, radius, hash));
        }
    }
}
