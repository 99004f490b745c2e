//! Residual connection: y = a + b.

/// a, b -> y, all of one length.
pub fn forward(a: &[f64], b: &[f64]) -> Vec<f64> {
    assert_eq!(a.len(), b.len(), "a and b have one length");
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// dy -> da, db.
pub fn backward(dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    (dy.to_vec(), dy.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::*;

    #[test]
    fn sums_by_hand() {
        assert_close(&forward(&[1.0, 2.0], &[10.0, -20.0]), &[11.0, -18.0]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        let (a, b, dy) = (values("a", 7), values("b", 7), values("dy", 7));
        let (da, db) = backward(&dy);
        assert_gradient("a", &a, &da, |a| dot(&forward(a, &b), &dy));
        assert_gradient("b", &b, &db, |b| dot(&forward(&a, b), &dy));
    }
}
