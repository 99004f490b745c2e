//! 1x1 convolution as a matrix product (`pointwise.wgsl`, `pointwise_tiled.wgsl` on a GPU,
//! `pointwise_software.wgsl` where the device is a CPU).

use super::activation::Folded;
use super::{CONVOLUTION, Chunks, FOLDED_CONVOLUTION, reduce, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Kind, Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("pointwise.wgsl");

crate::parameters! {
    struct Params { m: u32, k: u32, n: u32, rows_per_chunk: u32, chunks: u32, activation: u32 }
}

static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", CONVOLUTION);
static FORWARD_FOLDED: Kernel = Kernel::new::<Params>(&SHADER, "forward_folded", FOLDED_CONVOLUTION);
static BACKWARD_INPUT: Kernel = Kernel::new::<Params>(&SHADER, "backward_input", CONVOLUTION);
static BACKWARD_WEIGHT: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_weight", &[read("x"), read("dy"), write("partial")]);

static SOFTWARE: Shader = shader!("pointwise_software.wgsl");

crate::parameters! {
    struct Product { m: u32, k: u32, n: u32, activation: u32 }
}

crate::parameters! {
    struct Gradient {
        m: u32, wide: u32, narrow: u32, rows_per_chunk: u32,
        length: u32, wide_stride: u32, narrow_stride: u32,
    }
}

static FORWARD_16: Kernel = Kernel::software::<Product>(&SOFTWARE, "forward_16", CONVOLUTION);
static FORWARD_24: Kernel = Kernel::software::<Product>(&SOFTWARE, "forward_24", CONVOLUTION);
static FORWARD_16_FOLDED: Kernel =
    Kernel::software::<Product>(&SOFTWARE, "forward_16_folded", FOLDED_CONVOLUTION);
static FORWARD_24_FOLDED: Kernel =
    Kernel::software::<Product>(&SOFTWARE, "forward_24_folded", FOLDED_CONVOLUTION);
static BACKWARD_WEIGHT_SOFTWARE: Kernel = Kernel::software::<Gradient>(
    &SOFTWARE,
    "backward_weight",
    &[read("wide"), read("narrow"), write("partial")],
);
static BACKWARD_16: Kernel = Kernel::software::<Product>(&SOFTWARE, "backward_16", CONVOLUTION);
static BACKWARD_24: Kernel = Kernel::software::<Product>(&SOFTWARE, "backward_24", CONVOLUTION);

static TILED: Shader = shader!("pointwise_tiled.wgsl");

crate::parameters! {
    struct Tiled { rows: u32, inner: u32, columns: u32, across: u32, rows_per_chunk: u32, activation: u32 }
}

static FORWARD_TILED: Kernel = Kernel::new::<Tiled>(&TILED, "forward", CONVOLUTION);
static FORWARD_TILED_FOLDED: Kernel = Kernel::new::<Tiled>(&TILED, "forward_folded", FOLDED_CONVOLUTION);
static BACKWARD_INPUT_TILED: Kernel = Kernel::new::<Tiled>(&TILED, "backward_input", CONVOLUTION);
static BACKWARD_WEIGHT_TILED: Kernel =
    Kernel::new::<Tiled>(&TILED, "backward_weight", &[read("x"), read("dy"), write("partial")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[
    &FORWARD,
    &FORWARD_FOLDED,
    &BACKWARD_INPUT,
    &BACKWARD_WEIGHT,
    &FORWARD_16,
    &FORWARD_24,
    &FORWARD_16_FOLDED,
    &FORWARD_24_FOLDED,
    &BACKWARD_16,
    &BACKWARD_24,
    &BACKWARD_WEIGHT_SOFTWARE,
    &FORWARD_TILED,
    &FORWARD_TILED_FOLDED,
    &BACKWARD_INPUT_TILED,
    &BACKWARD_WEIGHT_TILED,
];

/// Side of the tile per invocation.
const TILE: usize = 8;

/// Invocations of a weight gradient, so that every core has work …
const SPLIT_INVOCATIONS: usize = 4096;
/// … and the most rows of each, so that every core of a GPU has work, too.
const PART_ROWS: usize = 1024;

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
        Params {
            m: u(m),
            k: u(k),
            n: u(n),
            rows_per_chunk: u(chunks.rows),
            chunks: u(chunks.count),
            activation: 0,
        }
    }
}

/// A product's kernels, by what they compute.
struct Kernels {
    portable: &'static Kernel,
    /// On software devices, for columns in 16s …
    by_16: &'static Kernel,
    /// … and in 24s.
    by_24: &'static Kernel,
    tiled: &'static Kernel,
}

/// x [M, K], weight [K, N] -> y [M, N].
pub fn forward(recording: &mut Recording, x: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let kernels =
        Kernels { portable: &FORWARD, by_16: &FORWARD_16, by_24: &FORWARD_24, tiled: &FORWARD_TILED };
    product(recording, [x, weight], shape, None, &kernels)
}

/// x [M, K], weight [K, N] -> y [M, N] = activation(x weight + shift).
pub fn forward_folded(
    recording: &mut Recording,
    x: Tensor,
    weight: Tensor,
    folded: Folded,
    shape: Shape,
) -> Tensor {
    let kernels = Kernels {
        portable: &FORWARD_FOLDED,
        by_16: &FORWARD_16_FOLDED,
        by_24: &FORWARD_24_FOLDED,
        tiled: &FORWARD_TILED_FOLDED,
    };
    product(recording, [x, weight], shape, Some(folded), &kernels)
}

/// dy [M, N], weight [K, N] -> dx [M, K].
pub fn backward_input(recording: &mut Recording, dy: Tensor, weight: Tensor, shape: Shape) -> Tensor {
    let kernels = Kernels {
        portable: &BACKWARD_INPUT,
        by_16: &BACKWARD_16,
        by_24: &BACKWARD_24,
        tiled: &BACKWARD_INPUT_TILED,
    };
    let Shape { m, k, n } = shape;
    product(recording, [dy, weight], Shape { m, k: n, n: k }, None, &kernels)
}

fn product(
    recording: &mut Recording,
    [x, weight]: [Tensor; 2],
    shape: Shape,
    folded: Option<Folded>,
    kernels: &Kernels,
) -> Tensor {
    let Shape { m, k, n } = shape;
    let y = recording.tensor(m * n);
    let activation = folded.map_or(0, Folded::code);
    let tensors: Vec<Tensor> = [x, weight, y].into_iter().chain(folded.map(|folded| folded.affine)).collect();
    let params = Params { activation, ..shape.params(Chunks::NONE) };
    recording.dispatch(kernels.portable, &params, &tensors, m.div_ceil(TILE) * n.div_ceil(TILE));
    // Rows and columns of the tile of the software kernels: the tile that fits the width better.
    let wide = n.next_multiple_of(24) < n.next_multiple_of(16);
    let (kernel, rows, columns) = if wide { (kernels.by_24, 24, 24) } else { (kernels.by_16, 32, 16) };
    if let Some(groups) = grid(n.div_ceil(columns), m.div_ceil(rows)) {
        let params = Product { m: u(m), k: u(k), n: u(n), activation };
        recording.variant(Kind::Software, kernel, &params, &tensors, groups);
    }
    let across = across(m, n);
    if let Some(groups) = grid(n.div_ceil(TILE * across), m.div_ceil(TILE * 64 / across)) {
        let [rows, inner, columns, across] = [m, k, n, across].map(u);
        let params = Tiled { rows, inner, columns, across, rows_per_chunk: 0, activation };
        recording.variant(Kind::Gpu, kernels.tiled, &params, &tensors, groups);
    }
    y
}

/// How many of the 64 invocations of a workgroup are next to each other in a row of the result: of the
/// tiles that compute the fewest unused values the squarest one.
fn across(rows: usize, columns: usize) -> usize {
    let computed =
        |across: &usize| rows.next_multiple_of(TILE * 64 / across) * columns.next_multiple_of(TILE * across);
    [8, 4, 16, 2, 32].into_iter().min_by_key(computed).expect("there are tiles")
}

/// x [M, K], dy [M, N] -> the weight's gradient [K, N], into `gradient`.
pub fn backward_weight(recording: &mut Recording, x: Tensor, dy: Tensor, shape: Shape, gradient: Tensor) {
    let Shape { m, k, n } = shape;
    let tiles = k.div_ceil(TILE) * n.div_ceil(TILE);
    let parts = SPLIT_INVOCATIONS.div_ceil(tiles).max(m.div_ceil(PART_ROWS));
    let chunks = Chunks::of(m, parts, 32);
    assert_eq!(gradient.len, k * n, "the weight's gradient has its shape");
    let partial = reduce::parts_of(recording, gradient, chunks.count);
    recording.dispatch(&BACKWARD_WEIGHT, &shape.params(chunks), &[x, dy, partial], chunks.count * tiles);
    gradient_on_software(recording, [x, dy, partial], shape, chunks);
    gradient_on_gpu(recording, [x, dy, partial], shape, chunks);
    reduce::sum_parts(recording, partial, chunks.count, gradient);
}

fn gradient_on_gpu(recording: &mut Recording, tensors: [Tensor; 3], shape: Shape, chunks: Chunks) {
    let Shape { m, k, n } = shape;
    let across = across(k, n);
    let params = Tiled {
        rows: u(k),
        inner: u(m),
        columns: u(n),
        across: u(across),
        rows_per_chunk: u(chunks.rows),
        activation: 0,
    };
    let groups = [u(n.div_ceil(TILE * across)), u(k.div_ceil(TILE * 64 / across)), u(chunks.count)];
    recording.variant(Kind::Gpu, &BACKWARD_WEIGHT_TILED, &params, &tensors, groups);
}

/// The variant of the weight gradient, with lanes over the channels of the wider matrix.
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
    recording.variant(Kind::Software, &BACKWARD_WEIGHT_SOFTWARE, &params, &[wide, narrow, partial], groups);
}

/// A grid of `tiles` x `rows` workgroups, the rows in two dimensions; none if there are more tiles
/// than a dimension can have.
fn grid(tiles: usize, rows: usize) -> Option<[u32; 3]> {
    const MOST: usize = 65_535;
    let folds = rows.div_ceil(MOST);
    (tiles <= MOST).then(|| [u(tiles), u(rows.div_ceil(folds)), u(folds)])
}
