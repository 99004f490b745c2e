//! What a device says of a shader that is wrong.

use dfrt_trainer::gpu::device::Device;
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::gpu::kernel::{Kernel, write};
use dfrt_trainer::gpu::recording::Recording;
use dfrt_trainer::gpu::shader::{PIECES, Shader};
use libtest_mimic::{Failed, Trial};
use std::collections::HashMap;

dfrt_trainer::parameters! { struct Params { chunks: u32 } }

/// The piece wants a parameter that the shader does not have.
static IN_A_PIECE: Shader = Shader {
    name: "without_a_field.wgsl",
    source: "//!use smallest, chunk\nstruct Params { chunks: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n",
};
static IN_THE_SHADER: Shader =
    Shader { name: "planted.wgsl", source: "//!use smallest\n\nfn half() -> f32 {\n    return 1u;\n}\n" };
static PIECE: Kernel = Kernel::new::<Params>(&IN_A_PIECE, "forward", &[write("y")]);
static SHADER: Kernel = Kernel::new::<Params>(&IN_THE_SHADER, "forward", &[write("y")]);

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("shader/an_error_is_where_it_stands_in_its_own_file", places)]
}

fn places() -> Result<(), Failed> {
    let chunk = PIECES.iter().find(|piece| piece.name == "shared/chunk.wgsl").ok_or("no such piece")?;
    let line = 1 + chunk.source.lines().take_while(|line| !line.contains("params.rows_per_chunk;")).count();
    let cases = [(&PIECE, format!("shared/chunk.wgsl:{line}:")), (&SHADER, "planted.wgsl:4:".to_owned())];
    for checked in [true, false] {
        let engine = Engine::new(Device::open(None)?, checked);
        for (kernel, place) in &cases {
            let mut recording = Recording::default();
            recording.produce(kernel, &Params { chunks: 1 }, &[], 4, 1);
            let error = engine.compile(&recording, &HashMap::new()).err().ok_or("it was taken")?.to_string();
            assert!(error.contains(&format!("reported an error: {place}")), "{error}");
        }
    }
    Ok(())
}
