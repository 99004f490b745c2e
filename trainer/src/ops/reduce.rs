//! Sums over rows in a fixed order (`reduce.wgsl`).

use super::{Chunks, u};
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("reduce.wgsl");

crate::parameters! {
    struct Params { groups: u32, rows: u32, length: u32, rows_per_chunk: u32, chunks: u32, scale: f32 }
}

static SUM: Kernel = Kernel::new::<Params>(&SHADER, "sum", &[read("x"), write("y")]);
static SUM_QUADS: Kernel = Kernel::new::<Params>(&SHADER, "sum_quads", &[read("x4"), write("y4")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&SUM, &SUM_QUADS];

/// The most rows that a single invocation sums.
const ALONE: usize = 64;

/// The shape of the sums.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// G: independent sums.
    pub groups: usize,
    /// Rows of each.
    pub rows: usize,
    /// L: values of a row.
    pub length: usize,
}

/// `scale` times the sum over rows: x [G, rows, L] -> [G, L], into `y` where given.
pub fn sum(recording: &mut Recording, x: Tensor, shape: Rows, scale: f32, y: Option<Tensor>) -> Tensor {
    let Rows { groups, rows, length } = shape;
    let chunks = Chunks::of(rows, ALONE, ALONE);
    if chunks.count > 1 {
        let parts = recording.tensor(groups * chunks.count * length);
        dispatch(recording, x, shape, chunks, 1.0, parts);
        return sum(recording, parts, Rows { rows: chunks.count, ..shape }, scale, y);
    }
    let y = y.unwrap_or_else(|| recording.tensor(groups * length));
    dispatch(recording, x, shape, Chunks { rows: rows.max(1), count: 1 }, scale, y);
    y
}

/// The tensor for the `parts` partial sums of `total`, each of its length; `total` itself if there is
/// only one part.
pub fn parts_of(recording: &mut Recording, total: Tensor, parts: usize) -> Tensor {
    if parts == 1 { total } else { recording.tensor(parts * total.len) }
}

/// Sums the partial sums in the tensor of [`parts_of`].
pub fn sum_parts(recording: &mut Recording, parts: Tensor, count: usize, total: Tensor) {
    if count > 1 {
        sum(recording, parts, Rows { groups: 1, rows: count, length: total.len }, 1.0, Some(total));
    }
}

fn dispatch(recording: &mut Recording, x: Tensor, shape: Rows, chunks: Chunks, scale: f32, y: Tensor) {
    let Rows { groups, rows, length } = shape;
    let params = Params {
        groups: u(groups),
        rows: u(rows),
        length: u(length),
        rows_per_chunk: u(chunks.rows),
        chunks: u(chunks.count),
        scale,
    };
    let (kernel, width) = if length.is_multiple_of(4) { (&SUM_QUADS, 4) } else { (&SUM, 1) };
    recording.dispatch(kernel, &params, &[x, y], groups * chunks.count * length / width);
}
