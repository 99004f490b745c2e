//! The counter-based random generator of the masks: a hash of the purpose of the draw, so that a
//! kernel and this code draw the same bits in any order.

/// pcg4d of Jarzynski and Olano, *Hash Functions for GPU Rendering* (JCGT 2020), on
/// wrapping 32-bit arithmetic.
pub fn pcg4d(input: [u32; 4]) -> [u32; 4] {
    let mut v = input.map(|v| v.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    mix(&mut v);
    v = v.map(|v| v ^ (v >> 16));
    mix(&mut v);
    v
}

fn mix(v: &mut [u32; 4]) {
    v[0] = v[0].wrapping_add(v[1].wrapping_mul(v[3]));
    v[1] = v[1].wrapping_add(v[2].wrapping_mul(v[0]));
    v[2] = v[2].wrapping_add(v[0].wrapping_mul(v[1]));
    v[3] = v[3].wrapping_add(v[1].wrapping_mul(v[2]));
}

/// A number in [0, 1), a multiple of 2^-24, for one element of one op. `key` names
/// the image, the step and the run; `op` makes the masks of one image independent.
pub fn uniform(key: u64, op: u32, element: u32) -> f32 {
    let hash = pcg4d([key as u32, (key >> 32) as u32, op, element]);
    (hash[0] >> 8) as f32 / 16_777_216.0
}

/// Whether an element is kept by a mask that drops the share `rate` of them.
pub fn kept(key: u64, op: u32, element: u32, rate: f32) -> bool {
    uniform(key, op, element) >= rate
}

/// The factor of an element: 0 if it is dropped, else 1 / (1 - rate), which keeps the expectation.
pub fn factor(key: u64, op: u32, element: u32, rate: f32) -> f64 {
    if kept(key, op, element, rate) { 1.0 / (1.0 - f64::from(rate)) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper's formula in Python's unbounded integers, reduced modulo 2^32.
    const GOLDEN: [[u32; 4]; 3] = [
        [0x0f02_f829, 0x2d56_8769, 0x32b0_c43b, 0xd325_48ea],
        [0x3622_cd16, 0xf114_71d8, 0xe110_9b3f, 0x02b9_4c2f],
        [0x4edd_6e63, 0xdb30_27c2, 0x591d_9b08, 0x514d_0b81],
    ];

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(pcg4d([0, 0, 0, 0]), GOLDEN[0]);
        assert_eq!(pcg4d([1, 2, 3, 4]), GOLDEN[1]);
        assert_eq!(pcg4d([u32::MAX, 0x8000_0000, 12_345, 7]), GOLDEN[2]);
    }

    #[test]
    fn both_halves_of_the_key_the_op_and_the_element_count() {
        let base = uniform(5, 1, 2);
        assert_ne!(base, uniform(6, 1, 2));
        assert_ne!(base, uniform(5 | 1 << 32, 1, 2));
        assert_ne!(base, uniform(5, 2, 2));
        assert_ne!(base, uniform(5, 1, 3));
    }

    #[test]
    fn draws_are_uniform_and_neighbours_independent() {
        let count = 10_000_u32;
        let draws: Vec<f64> = (0..count).map(|element| f64::from(uniform(42, 3, element))).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(count);
        assert!((mean - 0.5).abs() < 0.01, "mean {mean}");
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            let share = draws.iter().filter(|&&u| u >= low && u < low + 0.1).count();
            assert!((850..1150).contains(&share), "{share} from {low}");
        }
        let product: f64 = draws.windows(2).map(|pair| (pair[0] - 0.5) * (pair[1] - 0.5)).sum();
        let correlation = product / f64::from(count) * 12.0;
        assert!(correlation.abs() < 0.04, "correlation {correlation}");
    }

    #[test]
    fn the_rate_is_the_share_dropped() {
        let kept_of = |rate| (0..10_000).filter(|&e| kept(9, 0, e, rate)).count();
        assert_eq!(kept_of(0.0), 10_000);
        assert_eq!(kept_of(1.0), 0);
        assert!((7850..8150).contains(&kept_of(0.2)));
        assert!(kept(9, 0, 5, uniform(9, 0, 5)), "a draw equal to the rate");
    }

    #[test]
    fn a_kept_element_makes_up_for_the_dropped_ones() {
        let factors: Vec<f64> = (0..100).map(|e| factor(1, 2, e, 0.25)).collect();
        assert!(factors.iter().all(|&f| f == 0.0 || f == 4.0 / 3.0));
        assert!(factors.contains(&0.0) && factors.contains(&(4.0 / 3.0)));
    }
}
