//! Spearman's rank correlation.

/// Spearman's rank correlation of pairs (Spearman 1904): Pearson's correlation of the ranks, where
/// equal values share their mean rank. Values may be infinite, but not NaN. `None` with fewer than
/// three pairs, or where all values of a side are equal.
///
/// ```
/// use dfrt_runtime::metrics::rank_correlation::spearman;
///
/// assert_eq!(spearman(&[(1.0, 10.0), (2.0, 20.0), (3.0, f64::INFINITY)]), Some(1.0));
/// assert_eq!(spearman(&[(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)]), None);
/// ```
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 {
        return None;
    }
    let (first, second): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    pearson(&ranks(&first), &ranks(&second))
}

/// The rank of each value from 1 on; equal values have their mean rank.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let same = order[start..].iter().take_while(|&&at| values[at] == values[order[start]]).count();
        // Ranks start + 1 to start + same.
        let mean = start as f64 + (same as f64 + 1.0) / 2.0;
        order[start..start + same].iter().for_each(|&at| ranks[at] = mean);
        start += same;
    }
    ranks
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / n;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut of_a, mut of_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        both += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    (of_a > 0.0 && of_b > 0.0).then(|| (both / (of_a * of_b).sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ties_it_is_the_formula_of_the_squared_differences() {
        // Ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 * (1 + 1 + 1 + 1) / (5 * 24) = 0.8.
        let pairs = [(0.1, 20.0), (0.2, 10.0), (0.3, 40.0), (7.0, 30.0), (9.0, 50.0)];
        assert!((spearman(&pairs).unwrap() - 0.8).abs() < 1e-12);
        let reversed = pairs.map(|(a, b)| (a, -b));
        assert!((spearman(&reversed).unwrap() + 0.8).abs() < 1e-12);
    }

    #[test]
    fn ties_share_their_mean_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, f64::INFINITY, 3.0]), [3.0, 1.0, 3.0, 5.0, 3.0]);
        // Ranks 1.5 1.5 3 and 1 2 3: covariance 1.5, variances 1.5 and 2.
        let tied = spearman(&[(1.0, 1.0), (1.0, 2.0), (2.0, 3.0)]).unwrap();
        assert!((tied - 1.5 / 3.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn too_few_pairs_have_none() {
        assert_eq!(spearman(&[(1.0, 1.0), (2.0, 2.0)]), None);
        assert_eq!(spearman(&[(f64::INFINITY, 1.0), (f64::INFINITY, 2.0), (f64::INFINITY, 3.0)]), None);
    }
}
