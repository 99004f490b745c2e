//! Divide and conquer over a row of values: all of it, its two halves, its four
//! quarters, and so on down to single values.

use std::ops::Range;

/// The blocks of `0..size`, coarse to fine: level k cuts it into 2^k blocks of
/// ceil(size / 2^k) values, the last one shorter, up to the first level whose
/// blocks are single values.
pub(super) fn blocks(size: usize) -> impl Iterator<Item = Range<usize>> {
    let finest = size.max(1).next_power_of_two().trailing_zeros();
    (0..=finest).flat_map(move |level| {
        let length = size.div_ceil(1 << level).max(1);
        (0..size).step_by(length).map(move |start| start..(start + length).min(size))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_covers_the_row_once_and_the_last_one_singly() {
        for size in [1, 2, 3, 7, 8, 48, 100] {
            let found: Vec<_> = blocks(size).collect();
            assert_eq!(found[0], 0..size);
            let levels = (size as f64).log2().ceil() as usize + 1;
            let mut covered = 0;
            for block in &found {
                assert_eq!(block.start, covered % size, "{found:?}");
                covered += block.len();
            }
            assert_eq!(covered, levels * size);
            assert!(found[found.len() - size..].iter().all(|block| block.len() == 1));
        }
        assert_eq!(blocks(0).count(), 0);
    }
}
