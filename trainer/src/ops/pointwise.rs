//! 1x1 convolution as a matrix product (`pointwise.wgsl`, and `pointwise_software.wgsl`
//! where the device is a CPU).

use super::{Chunks, reduce, u};
use crate::gpu::kernel::{Kernel, Shader, read, write};
use crate::gpu::recording::{Recording, Tensor};

static SHADER: Shader =
    Shader { name: "pointwise.wgsl", source: include_str!("../../../wgsl/pointwise.wgsl") };

crate::parameters! {
    struct Params { m: u32, k: u32, n: u32, rows_per_chunk: u32, chunks: u32 }
}

static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", &[read("x"), read("weight"), write("y")]);
static TRANSPOSE: Kernel =
    Kernel::new::<Params>(&SHADER, "transpose", &[read("matrix"), write("transposed")]);
static BACKWARD_WEIGHT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_weight", &[read("x"), read("dy"), write("partial")]);

static SOFTWARE: Shader =
    Shader { name: "pointwise_software.wgsl", source: include_str!("../../../wgsl/pointwise_software.wgsl") };

crate::parameters! {
    struct Product { m: u32, k: u32, n: u32 }
}

crate::parameters! {
    struct Gradient {
        m: u32, wide: u32, narrow: u32, rows_per_chunk: u32,
        length: u32, wide_stride: u32, narrow_stride: u32,
    }
}

static FORWARD_16: Kernel =
    Kernel::software::<Product>(&SOFTWARE, "forward_16", &[read("x"), read("weight"), write("y")]);
static FORWARD_24: Kernel =
    Kernel::software::<Product>(&SOFTWARE, "forward_24", &[read("x"), read("weight"), write("y")]);
static BACKWARD_WEIGHT_SOFTWARE: Kernel = Kernel::software::<Gradient>(
    &SOFTWARE,
    "backward_weight",
    &[read("wide"), read("narrow"), write("partial")],
);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] =
    &[&FORWARD, &TRANSPOSE, &BACKWARD_WEIGHT, &FORWARD_16, &FORWARD_24, &BACKWARD_WEIGHT_SOFTWARE];

/// Side of the tile that one invocation computes.
const TILE: usize = 8;

/// Invocations that a weight gradient is split into, so that every core has work.
const SPLIT_INVOCATIONS: usize = 4096;

/// Sizes of the product; K and N are multiples of 4.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Pixels, N*H*W.
    pub m: usize,
    /// Input channels.
    pub k: usize,
    /// Output channels.
    pub n: usize,
}

impl Shape {
    fn params(self, chunks: Chunks) -> Params {
        assert!(self.k.is_multiple_of(4) && self.n.is_multiple_of(4), "channels come in fours");
        let Self { m, k, n } = self;
        Params { m: u(m), k: u(k), n: u(n), rows_per_chunk: u(chunks.rows), chunks: u(chunks.count) }
    }
}

/// x [M, K], weight [K, N] -> y [M, N].
pub fn forward(recording: &mut Recording, x: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let y = recording.tensor(shape.m * shape.n);
    let params = shape.params(Chunks { rows: shape.m, count: 1 });
    let tiles = shape.m.div_ceil(TILE) * shape.n.div_ceil(TILE);
    recording.dispatch(&FORWARD, &params, &[x, weight, y], tiles);
    // The software kernels' tile, rows and columns: the one that fits the width better.
    let wide = shape.n.next_multiple_of(24) < shape.n.next_multiple_of(16);
    let (kernel, rows, columns) = if wide { (&FORWARD_24, 24, 24) } else { (&FORWARD_16, 32, 16) };
    if let Some(groups) = grid(shape.n.div_ceil(columns), shape.m.div_ceil(rows)) {
        let params = Product { m: u(shape.m), k: u(shape.k), n: u(shape.n) };
        recording.on_software(kernel, &params, &[x, weight, y], groups);
    }
    y
}

/// dy [M, N], weight [K, N] -> dx [M, K].
pub fn backward_input(recording: &mut Recording, dy: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let transposed = recording.tensor(shape.k * shape.n);
    let params = shape.params(Chunks { rows: shape.m, count: 1 });
    recording.dispatch(&TRANSPOSE, &params, &[weight, transposed], shape.k * shape.n);
    forward(recording, dy, transposed, Shape { m: shape.m, k: shape.n, n: shape.k })
}

/// x [M, K], dy [M, N] -> the weight's gradient [K, N], into `gradient`.
pub fn backward_weight(recording: &mut Recording, x: Tensor, dy: Tensor, shape: Shape, gradient: Tensor) {
    let tiles = shape.k.div_ceil(TILE) * shape.n.div_ceil(TILE);
    let chunks = Chunks::of(shape.m, SPLIT_INVOCATIONS.div_ceil(tiles), 32);
    let length = shape.k * shape.n;
    assert_eq!(gradient.len, length, "the weight's gradient has its shape");
    let partial = reduce::parts_of(recording, gradient, chunks.count);
    recording.dispatch(&BACKWARD_WEIGHT, &shape.params(chunks), &[x, dy, partial], chunks.count * tiles);
    gradient_on_software(recording, [x, dy, partial], shape, chunks);
    reduce::sum_parts(recording, partial, chunks.count, gradient);
}

/// The weight gradient's variant: lanes go over the channels of the wider matrix.
fn gradient_on_software(
    recording: &mut Recording,
    [x, dy, partial]: [Tensor; 3],
    shape: Shape,
    chunks: Chunks,
) {
    let Shape { m, k, n } = shape;
    let sides = [(x, k, n), (dy, n, 1)];
    let [(wide, width, wide_stride), (narrow, rest, narrow_stride)] =
        if k > n { sides } else { [sides[1], sides[0]] };
    let params = Gradient {
        m: u(m),
        wide: u(width),
        narrow: u(rest),
        rows_per_chunk: u(chunks.rows),
        length: u(k * n),
        wide_stride: u(wide_stride),
        narrow_stride: u(narrow_stride),
    };
    let groups = [u(width.div_ceil(32)), u(rest.div_ceil(16)), u(chunks.count)];
    recording.on_software(&BACKWARD_WEIGHT_SOFTWARE, &params, &[wide, narrow, partial], groups);
}

/// A grid of `tiles` x `rows` workgroups, the rows folded into two dimensions. None
/// where the tiles are more than a dimension holds.
fn grid(tiles: usize, rows: usize) -> Option<[u32; 3]> {
    const MOST: usize = 65_535;
    let folds = rows.div_ceil(MOST);
    (tiles <= MOST).then(|| [u(tiles), u(rows.div_ceil(folds)), u(folds)])
}
