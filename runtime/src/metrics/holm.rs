//! Holm's correction of several tests (1979, A simple sequentially rejective multiple test
//! procedure, Scandinavian Journal of Statistics 6, 65-70): with it the chance that even one
//! hypothesis of the family is rejected wrongly is at most the level, however the tests depend on
//! each other.

/// The corrected p of each of `ps`, in their order; to be compared with the level as p is. A test
/// without p is not of the family.
pub fn holm(ps: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        ps.iter().enumerate().filter_map(|(place, p)| Some((place, (*p)?))).collect();
    order.sort_by(|one, other| one.1.total_cmp(&other.1));
    let mut corrected = vec![None; ps.len()];
    let mut least: f64 = 0.0;
    for (rank, &(place, p)) in order.iter().enumerate() {
        // No corrected p is below that of a smaller p: the procedure stops there.
        least = least.max((p * (order.len() - rank) as f64).min(1.0));
        corrected[place] = Some(least);
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        // As R's p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm"): 0.03, 0.06, 0.06, 0.02.
        let found = holm(&[Some(0.01), Some(0.04), None, Some(0.03), Some(0.005)]);
        let expected = [Some(0.03), Some(0.06), None, Some(0.06), Some(0.02)];
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.is_some(), expected.is_some());
            assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(holm(&[Some(0.2)]), [Some(0.2)], "one test is not corrected");
        assert_eq!(holm(&[Some(0.9), Some(0.8)]), [Some(1.0), Some(1.0)]);
        assert_eq!(holm(&[]), []);
        assert_eq!(holm(&[None]), [None]);
    }

    proptest! {
        #[test]
        fn it_lies_between_none_and_bonferronis(ps in prop::collection::vec(0.0_f64..=1.0, 0..12)) {
            let given: Vec<Option<f64>> = ps.iter().copied().map(Some).collect();
            let corrected = holm(&given);
            for (p, corrected) in ps.iter().zip(&corrected) {
                let corrected = corrected.unwrap();
                prop_assert!(corrected >= *p && corrected <= (p * ps.len() as f64).min(1.0));
            }
            // The step-down procedure itself: rejected as long as p is at most level / those left.
            let mut sorted = ps.clone();
            sorted.sort_by(f64::total_cmp);
            let left = |rank: usize| (ps.len() - rank) as f64;
            let rejected = sorted.iter().enumerate().take_while(|(rank, p)| *p * left(*rank) < 0.05).count();
            prop_assert_eq!(corrected.iter().filter(|p| p.unwrap() < 0.05).count(), rejected);
        }
    }
}
