// Global average pool, backward: every pixel gets its share. The forward pass is
// a sum of reduce.wgsl scaled by 1 / S. N: batch, S: H*W, C: channels in quads of 4.
//!use invocation

struct Params {
    n: u32,
    area: u32,
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>; // [N, C]
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<f32>>; // [N, S, C]

@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.area * params.quads {
        return;
    }
    let image = index / (params.area * params.quads);
    dx[index] = dy[image * params.quads + index % params.quads] / f32(params.area);
}
