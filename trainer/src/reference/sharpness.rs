//! The ascent of sharpness-aware minimisation (Foret et al. 2021).

/// theta + r g / ||g||, one norm over all tensors; theta for a zero gradient.
pub fn ascend(params: &[Vec<f64>], gradient: &[Vec<f64>], r: f64) -> Vec<Vec<f64>> {
    let norm = gradient.iter().flatten().map(|value| value * value).sum::<f64>().sqrt();
    let factor = if norm > 0.0 { r / norm } else { 0.0 };
    let moved = |(params, gradient): (&Vec<f64>, &Vec<f64>)| {
        params.iter().zip(gradient).map(|(param, gradient)| param + factor * gradient).collect()
    };
    params.iter().zip(gradient).map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tensors_share_a_norm() {
        let moved = ascend(&[vec![1.0], vec![2.0, 0.0]], &[vec![3.0], vec![0.0, 4.0]], 0.5);
        assert_eq!(moved, [vec![1.3], vec![2.0, 0.4]]);
        assert_eq!(ascend(&[vec![1.0]], &[vec![0.0]], 0.5), [vec![1.0]]);
    }
}
