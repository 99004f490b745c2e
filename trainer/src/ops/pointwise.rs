//! 1x1 convolution as a matrix product (`pointwise.wgsl`).

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

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &TRANSPOSE, &BACKWARD_WEIGHT];

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
    let partial = recording.tensor(chunks.count * length);
    recording.dispatch(&BACKWARD_WEIGHT, &shape.params(chunks), &[x, dy, partial], chunks.count * tiles);
    let rows = reduce::Rows { groups: 1, rows: chunks.count, length };
    reduce::sum(recording, partial, rows, 1.0, Some(gradient));
}
