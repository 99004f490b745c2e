//! Conversion of 8-bit pictures to the input of the network (`pixels.wgsl`).

use super::u;
use crate::gpu::kernel::{Kernel, read, write};
use crate::gpu::recording::{Recording, Tensor};
use crate::gpu::shader::{Shader, shader};

static SHADER: Shader = shader!("pixels.wgsl");

crate::parameters! {
    struct Params {
        pixels: u32, mean_r: f32, mean_g: f32, mean_b: f32, std_r: f32, std_g: f32, std_b: f32,
    }
}

static FROM_BYTES: Kernel = Kernel::new::<Params>(&SHADER, "from_bytes", &[read("bytes"), write("pixels")]);
static FORWARD: Kernel = Kernel::new::<Params>(&SHADER, "forward", &[read("x"), write("y")]);
static BACKWARD_INPUT: Kernel = Kernel::new::<Params>(&SHADER, "backward_input", &[read("x"), write("y")]);

/// The kernels of this file.
pub const KERNELS: &[&Kernel] = &[&FROM_BYTES, &FORWARD, &BACKWARD_INPUT];

fn params(pixels: usize, mean: [f32; 3], std: [f32; 3]) -> Params {
    let ([mean_r, mean_g, mean_b], [std_r, std_g, std_b]) = (mean, std);
    Params { pixels: u(pixels), mean_r, mean_g, mean_b, std_r, std_g, std_b }
}

/// bytes \[P\] (red in the lowest byte of each u32) -> pixels [P, 4] in \[0, 1\], into `pixels`.
pub fn from_bytes(recording: &mut Recording, bytes: Tensor, pixels: Tensor) {
    let params = params(bytes.len, [0.0; 3], [1.0; 3]);
    recording.dispatch(&FROM_BYTES, &params, &[bytes, pixels], bytes.len);
}

/// x [P, 4] -> y [P, 4] = (x - mean) / std, the fourth lane 0.
pub fn forward(recording: &mut Recording, x: Tensor, mean: [f32; 3], std: [f32; 3]) -> Tensor {
    recording.produce(&FORWARD, &params(x.len / 4, mean, std), &[x], x.len, x.len / 4)
}

/// dy [P, 4] -> dx [P, 4] = dy / std, into `dx`.
pub fn backward_input(recording: &mut Recording, dy: Tensor, std: [f32; 3], dx: Tensor) {
    recording.dispatch(&BACKWARD_INPUT, &params(dy.len / 4, [0.0; 3], std), &[dy, dx], dy.len / 4);
}
