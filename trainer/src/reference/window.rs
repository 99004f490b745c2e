//! The geometry of dense and depthwise convolutions: which input pixel is multiplied with which kernel
//! tap for which output pixel.

/// A square sliding window over a batch of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// N: images.
    pub n: usize,
    /// H: input rows.
    pub h: usize,
    /// W: input columns.
    pub w: usize,
    /// CI: input channels.
    pub ci: usize,
    /// CO: output channels; equal to CI for a depthwise convolution.
    pub co: usize,
    /// KH = KW: the kernel's side.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Rows of zeros above the input.
    pub pad_top: usize,
    /// Columns of zeros left of the input.
    pub pad_left: usize,
    /// OH: output rows.
    pub oh: usize,
    /// OW: output columns.
    pub ow: usize,
}

/// A kernel tap with the output pixel and the input pixel that it connects. Each is the index of a
/// position; multiply by the number of channels for the index of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelTap {
    /// Index into [N, OH, OW].
    pub output: usize,
    /// Index into [KH, KW].
    pub tap: usize,
    /// Index into [N, H, W].
    pub input: usize,
}

impl Window {
    /// Symmetric padding: `kernel / 2` zeros on all sides (PyTorch, torchvision).
    pub fn symmetric(
        n: usize,
        h: usize,
        w: usize,
        ci: usize,
        co: usize,
        kernel: usize,
        stride: usize,
    ) -> Self {
        let pad = kernel / 2;
        Self {
            n,
            h,
            w,
            ci,
            co,
            kernel,
            stride,
            pad_top: pad,
            pad_left: pad,
            oh: (h + 2 * pad - kernel) / stride + 1,
            ow: (w + 2 * pad - kernel) / stride + 1,
        }
    }

    /// TensorFlow's SAME padding: the side of the output is ceil(side / stride), and an odd number of
    /// zeros has one more below and to the right.
    pub fn same(n: usize, h: usize, w: usize, ci: usize, co: usize, kernel: usize, stride: usize) -> Self {
        let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
        let before = |side: usize, out: usize| ((out - 1) * stride + kernel).saturating_sub(side) / 2;
        Self { n, h, w, ci, co, kernel, stride, pad_top: before(h, oh), pad_left: before(w, ow), oh, ow }
    }

    /// Values of the input [N, H, W, CI].
    pub fn input_len(&self) -> usize {
        self.n * self.h * self.w * self.ci
    }

    /// Values of the output [N, OH, OW, CO].
    pub fn output_len(&self) -> usize {
        self.n * self.oh * self.ow * self.co
    }

    /// Calls `visit` for every output pixel and kernel tap whose input pixel is in the image. Taps in
    /// the padding are left out.
    pub fn for_each_kernel_tap(&self, mut visit: impl FnMut(KernelTap)) {
        for n in 0..self.n {
            for oy in 0..self.oh {
                for ox in 0..self.ow {
                    for ky in 0..self.kernel {
                        for kx in 0..self.kernel {
                            let (y, x) = (oy * self.stride + ky, ox * self.stride + kx);
                            if y < self.pad_top || y - self.pad_top >= self.h {
                                continue;
                            }
                            if x < self.pad_left || x - self.pad_left >= self.w {
                                continue;
                            }
                            let (iy, ix) = (y - self.pad_top, x - self.pad_left);
                            visit(KernelTap {
                                output: (n * self.oh + oy) * self.ow + ox,
                                tap: ky * self.kernel + kx,
                                input: (n * self.h + iy) * self.w + ix,
                            });
                        }
                    }
                }
            }
        }
    }
}

/// The geometries of the tests of both convolutions: odd and even sides,
/// both strides, both paddings, one image and several, one pixel.
#[cfg(test)]
pub(crate) fn cases(ci: usize, co: usize) -> Vec<Window> {
    let mut cases = Vec::new();
    for (n, h, w) in [(1, 1, 1), (2, 5, 7), (1, 6, 4), (3, 2, 3)] {
        for kernel in [1, 3, 5] {
            for stride in [1, 2] {
                cases.push(Window::symmetric(n, h, w, ci, co, kernel, stride));
                cases.push(Window::same(n, h, w, ci, co, kernel, stride));
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (side, kernel, stride) and the (padding before, outputs) it must give.
    #[test]
    fn symmetric_padding_is_half_the_kernel() {
        for ((side, kernel, stride), expected) in [
            ((224, 3, 2), (1, 112)),
            ((7, 3, 2), (1, 4)),
            ((7, 5, 1), (2, 7)),
            ((6, 5, 2), (2, 3)),
            ((1, 3, 1), (1, 1)),
            ((1, 5, 2), (2, 1)),
            ((4, 1, 2), (0, 2)),
        ] {
            let window = Window::symmetric(1, side, side, 1, 1, kernel, stride);
            assert_eq!((window.pad_top, window.oh), expected, "side {side}");
            assert_eq!((window.pad_left, window.ow), expected, "side {side}");
        }
    }

    /// TensorFlow pads an even side less before than after at stride 2.
    #[test]
    fn same_padding_depends_on_the_side() {
        for ((side, kernel, stride), expected) in [
            ((224, 3, 2), (0, 112)),
            ((225, 3, 2), (1, 113)),
            ((224, 5, 2), (1, 112)),
            ((7, 5, 2), (2, 4)),
            ((7, 3, 1), (1, 7)),
            ((1, 3, 2), (1, 1)),
            ((4, 1, 2), (0, 2)),
        ] {
            let window = Window::same(1, side, side + 2 * stride, 1, 1, kernel, stride);
            assert_eq!((window.pad_top, window.oh), expected, "side {side}");
            assert_eq!((window.pad_left, window.ow), (expected.0, expected.1 + 2));
        }
    }

    #[test]
    fn rows_and_columns_are_padded_apart() {
        let window = Window::same(1, 5, 6, 1, 1, 3, 2);
        assert_eq!((window.pad_top, window.oh), (1, 3));
        assert_eq!((window.pad_left, window.ow), (0, 3));
    }

    /// At stride 1 the corner of a 2x3 image uses 4 taps of a 3x3 kernel, and all 2 * 3 outputs
    /// together use (2 rows x 2 taps) * (2 + 3 + 2 taps).
    #[test]
    fn taps_in_the_padding_are_left_out() {
        let mut taps = Vec::new();
        Window::symmetric(1, 2, 3, 1, 1, 3, 1).for_each_kernel_tap(|m| taps.push(m));
        assert_eq!(taps.len(), 4 * 7);
        let corner: Vec<(usize, usize)> =
            taps.iter().filter(|m| m.output == 0).map(|m| (m.tap, m.input)).collect();
        assert_eq!(corner, [(4, 0), (5, 1), (7, 3), (8, 4)]);
    }
}
