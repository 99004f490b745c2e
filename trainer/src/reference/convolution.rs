//! Dense convolution: every output is a sum over kernel taps and input channels.

pub use super::window::Window;

/// Values of the weight [KH, KW, CI, CO].
pub fn weight_len(window: &Window) -> usize {
    window.kernel * window.kernel * window.ci * window.co
}

/// x [N, H, W, CI], weight [KH, KW, CI, CO] -> y [N, OH, OW, CO].
pub fn forward(window: &Window, x: &[f64], weight: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), window.input_len(), "x is [N, H, W, CI]");
    assert_eq!(weight.len(), weight_len(window), "weight is [K, K, CI, CO]");
    let (ci, co) = (window.ci, window.co);
    let mut y = vec![0.0; window.output_len()];
    window.for_each_kernel_tap(|at| {
        for i in 0..ci {
            for o in 0..co {
                y[at.output * co + o] += x[at.input * ci + i] * weight[(at.tap * ci + i) * co + o];
            }
        }
    });
    y
}

/// dy [N, OH, OW, CO], weight [KH, KW, CI, CO] -> dx [N, H, W, CI].
pub fn backward_input(window: &Window, dy: &[f64], weight: &[f64]) -> Vec<f64> {
    assert_eq!(dy.len(), window.output_len(), "dy is [N, OH, OW, CO]");
    assert_eq!(weight.len(), weight_len(window), "weight is [K, K, CI, CO]");
    let (ci, co) = (window.ci, window.co);
    let mut dx = vec![0.0; window.input_len()];
    window.for_each_kernel_tap(|at| {
        for i in 0..ci {
            for o in 0..co {
                dx[at.input * ci + i] += dy[at.output * co + o] * weight[(at.tap * ci + i) * co + o];
            }
        }
    });
    dx
}

/// x [N, H, W, CI], dy [N, OH, OW, CO] -> dweight [KH, KW, CI, CO].
pub fn backward_weight(window: &Window, x: &[f64], dy: &[f64]) -> Vec<f64> {
    assert_eq!(x.len(), window.input_len(), "x is [N, H, W, CI]");
    assert_eq!(dy.len(), window.output_len(), "dy is [N, OH, OW, CO]");
    let (ci, co) = (window.ci, window.co);
    let mut dweight = vec![0.0; weight_len(window)];
    window.for_each_kernel_tap(|at| {
        for i in 0..ci {
            for o in 0..co {
                dweight[(at.tap * ci + i) * co + o] += x[at.input * ci + i] * dy[at.output * co + o];
            }
        }
    });
    dweight
}

#[cfg(test)]
mod tests {
    use super::super::differences::{assert_close, assert_gradient, dot, values};
    use super::super::window::cases;
    use super::*;

    /// x = 1..=9 in a 3x3 image, weight = 1..=9 in a 3x3 kernel: the centre is the
    /// sum of squares, a corner the four products that the padding leaves.
    #[test]
    fn a_small_image_by_hand() {
        let count: Vec<f64> = (1..=9).map(f64::from).collect();
        let whole = forward(&Window::symmetric(1, 3, 3, 1, 1, 3, 1), &count, &count);
        assert_close(&whole, &[94.0, 154.0, 106.0, 186.0, 285.0, 186.0, 106.0, 154.0, 94.0]);
        let strided = forward(&Window::symmetric(1, 3, 3, 1, 1, 3, 2), &count, &count);
        assert_close(&strided, &[94.0, 106.0, 106.0, 94.0]);
    }

    /// A 2x2 image at stride 2: SAME puts the image in the kernel's upper left,
    /// symmetric padding in its lower right.
    #[test]
    fn same_padding_pads_below_and_right() {
        let weight: Vec<f64> = (1..=9).map(f64::from).collect();
        let x = [1.0, 10.0, 100.0, 1000.0];
        let same = forward(&Window::same(1, 2, 2, 1, 1, 3, 2), &x, &weight);
        assert_close(&same, &[1.0 + 20.0 + 400.0 + 5000.0]);
        let symmetric = forward(&Window::symmetric(1, 2, 2, 1, 1, 3, 2), &x, &weight);
        assert_close(&symmetric, &[5.0 + 60.0 + 800.0 + 9000.0]);
    }

    /// Two channels in, three out: weight is [CI, CO] at the single tap.
    #[test]
    fn channels_mix_as_a_matrix() {
        let window = Window::symmetric(1, 1, 2, 2, 3, 1, 1);
        let y = forward(&window, &[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0, 2.0, 20.0, 200.0]);
        assert_close(&y, &[5.0, 50.0, 500.0, 11.0, 110.0, 1100.0]);
    }

    #[test]
    fn gradients_are_those_of_the_forward_pass() {
        for window in cases(3, 2) {
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
