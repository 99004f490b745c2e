// A copy over quads of 4 values: what a kernel can move through memory at most.
//!use invocation

struct Params {
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    y[index] = x[index];
}
