//! Shaders with an error, and the place that its message must name. Their names differ, as an
//! engine knows shaders by them.

use dfrt_trainer::gpu::shader::{PIECES, Shader};

/// A shader with two pieces: the second wants a parameter that it does not have.
pub static IN_A_PIECE: Shader = Shader {
    name: "without_a_field.wgsl",
    source: "//!use smallest, chunk\nstruct Params { chunks: u32 }\n@group(0) @binding(0) var<uniform> params: Params;\n",
};

/// A shader that returns another type than it says, in its fourth line.
pub static IN_ITS_OWN_TEXT: Shader = Shader {
    name: "planted.wgsl",
    source: "//!use smallest, invocation\n\nfn half() -> f32 {\n    return 1u;\n}\n",
};

/// Each with the beginning of its message: file, line and the colon before the column.
pub fn places() -> [(&'static Shader, String); 2] {
    let chunk = PIECES.iter().find(|piece| piece.name == "shared/chunk.wgsl").expect("a piece has this name");
    let wanting = chunk.source.lines().position(|line| line.contains("params.rows_per_chunk;"));
    let line = 1 + wanting.expect("the piece has this parameter");
    [(&IN_A_PIECE, format!("shared/chunk.wgsl:{line}:")), (&IN_ITS_OWN_TEXT, "planted.wgsl:4:".to_owned())]
}
