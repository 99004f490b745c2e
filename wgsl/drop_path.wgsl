// Stochastic depth: y = skip + branch * factor, one factor a picture.
// N: batch, Q: quads of 4 values a picture.
//!use invocation

struct Params {
    n: u32,
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> branch: array<vec4<f32>>; // [N, Q]
@group(0) @binding(2) var<storage, read> factor: array<f32>; // [N]
@group(0) @binding(3) var<storage, read> skip: array<vec4<f32>>; // [N, Q]
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [N, Q]
@group(0) @binding(3) var<storage, read_write> dbranch: array<vec4<f32>>; // [N, Q]

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.quads {
        return;
    }
    y[index] = fma(branch[index], vec4(factor[index / params.quads]), skip[index]);
}

// `branch` holds the output's gradient here.
@compute @workgroup_size(64)
fn backward_branch(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.quads {
        return;
    }
    dbranch[index] = branch[index] * factor[index / params.quads];
}
