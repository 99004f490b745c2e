//! Depthwise convolution: every channel has its own kernel.

pub use super::window::Window;

/// Values of the weight [KH, KW, C].
pub fn weight_len(window: &Window) -> usize {
    assert_eq!(window.ci, window.co, "a depthwise convolution keeps C");
    window.kernel * window.kernel * window.ci
}

/// x [N, H, W, C], weight [KH, KW, C] -> y [N, OH, OW, C].
pub fn forward(window: &Window, x: &[f64], weight: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), window.input_len(), "x is [N, H, W, C]");
    assert_eq!(weight.len(), weight_len(window), "weight is [K, K, C]");
    let c = window.ci;
    let mut y = vec![0.0; window.output_len()];
    window.for_each_kernel_tap(|at| {
        for i in 0..c {
            y[at.output * c + i] += x[at.input * c + i] * weight[at.tap * c + i];
        }
    });
    y
}

/// dy [N, OH, OW, C], weight [KH, KW, C] -> dx [N, H, W, C].
pub fn backward_input(window: &Window, dy: &[f64], weight: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), window.output_len(), "dy is [N, OH, OW, C]");
    assert_eq!(weight.len(), weight_len(window), "weight is [K, K, C]");
    let c = window.ci;
    let mut dx = vec![0.0; window.input_len()];
    window.for_each_kernel_tap(|at| {
        for i in 0..c {
            dx[at.input * c + i] += dy[at.output * c + i] * weight[at.tap * c + i];
        }
    });
    dx
}

/// x [N, H, W, C], dy [N, OH, OW, C] -> dweight [KH, KW, C].
pub fn backward_weight(window: &Window, x: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), window.input_len(), "x is [N, H, W, C]");
    assert_eq!(dy.len(), window.output_len(), "dy is [N, OH, OW, C]");
    let c = window.ci;
    let mut dweight = vec![0.0; weight_len(window)];
    window.for_each_kernel_tap(|at| {
        for i in 0..c {
            dweight[at.tap * c + i] += x[at.input * c + i] * dy[at.output * c + i];
        }
    });
    dweight
}

#[cfg(test)]
mod tests {
    use super::super::convolution;
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::super::window::cases;
    use super::*;

    /// A dense weight that is zero off the diagonal is the same convolution.
    #[test]
    fn it_is_a_dense_convolution_with_a_diagonal_weight() {
        for window in cases(3, 3) {
            let x = values("x", window.input_len());
            let weight = values("weight", weight_len(&window));
            let mut dense = vec![0.0; convolution::weight_len(&window)];
            for (at, w) in weight.iter().enumerate() {
                dense[at * 3 + at % 3] = *w;
            }
            assert_close(&forward(&window, &x, &weight), &convolution::forward(&window, &x, &dense));
        }
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for window in cases(3, 3) {
            let x = values("x", window.input_len());
            let weight = values("weight", weight_len(&window));
            let dy = values("dy", window.output_len());
            let name = format!("{window:?}");
            assert_gradient(&name, &x, &backward_input(&window, &dy, &weight), |x| {
                dot(&forward(&window, x, &weight), &dy)
            });
            assert_gradient(&name, &weight, &backward_weight(&window, &x, &dy), |w| {
                dot(&forward(&window, &x, w), &dy)
            });
        }
    }
}
