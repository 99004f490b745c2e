// The last step of squeeze-excite: features times one gate a channel and picture.
// N: batch, S: H*W, C: channels in quads of 4.
//!use chunk, invocation

struct Params {
    n: u32,
    area: u32,
    quads: u32,
    rows_per_chunk: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [N, S, C]
@group(0) @binding(2) var<storage, read> gate: array<vec4<f32>>; // [N, C]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [N, S, C]

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>; // [N, S, C]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [N, chunks, C]

// y = x * gate; with dy for x this is also the features' gradient.
@compute @workgroup_size(64)
fn scale(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.area * params.quads {
        return;
    }
    let image = index / (params.area * params.quads);
    y[index] = x[index] * gate[image * params.quads + index % params.quads];
}

// The gate's gradient over a chunk of the S pixels, to be summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_gate(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let part = index / params.quads;
    if part >= params.n * params.chunks {
        return;
    }
    let quad = index % params.quads;
    let rows = chunk_of(part, params.area);
    var sum = vec4(0.0);
    for (var row = rows.start; row < rows.end; row++) {
        let at = row * params.quads + quad;
        sum = fma(x[at], dy[at], sum);
    }
    partial[index] = sum;
}
