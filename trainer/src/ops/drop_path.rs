//! Stochastic depth (`drop_path.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("drop_path.wgsl");

crate::parameters! { struct Params { n: u32, quads: u32 } }

static FORWARD: Kernel =
    Kernel::new::<Params>(&SHADER, "forward", &[read("branch"), read("factor"), read("skip"), write("y")]);
static BACKWARD_BRANCH: Kernel =
    Kernel::new::<Params>(&SHADER, "backward_branch", &[read("branch"), read("factor"), write("dbranch")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD_BRANCH];

fn params(len: usize, n: usize) -> Params {
    assert!(len.is_multiple_of(4 * n), "a picture's values come in fours");
    Params { n: u(n), quads: u(len / n / 4) }
}

/// skip, branch [N, Q], factor \[N\] -> y = skip + branch * factor.
pub fn forward(recording: &mut Recording, skip: Tensor, branch: Tensor, factor: Tensor) -> Tensor {
    let params = params(skip.len, factor.len);
    recording.produce(&FORWARD, &params, &[branch, factor, skip], skip.len, skip.len / 4)
}

/// dy [N, Q], factor \[N\] -> the branch's gradient dy * factor; the skip's is dy.
pub fn backward_branch(recording: &mut Recording, dy: Tensor, factor: Tensor) -> Tensor {
    recording.produce(&BACKWARD_BRANCH, &params(dy.len, factor.len), &[dy, factor], dy.len, dy.len / 4)
}
