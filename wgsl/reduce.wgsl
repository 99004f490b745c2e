// Sums over rows in a fixed order: [G, rows, L] -> [G, chunks, L], times a scale.
//!use chunk, invocation

struct Params {
    groups: u32,
    rows: u32,
    length: u32,
    rows_per_chunk: u32,
    chunks: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [G, rows, L]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [G, chunks, L]

@group(0) @binding(1) var<storage, read> x4: array<vec4<f32>>; // the same
@group(0) @binding(2) var<storage, read_write> y4: array<vec4<f32>>;

@compute @workgroup_size(64)
fn sum(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let length = params.length;
    if index >= params.groups * params.chunks * length {
        return;
    }
    let column = index % length;
    let rows = chunk_of(index / length, params.rows);
    var total = 0.0;
    for (var row = rows.start; row < rows.end; row++) {
        total += x[row * length + column];
    }
    y[index] = total * params.scale;
}

// The same four columns at a time, where L is a multiple of 4.
@compute @workgroup_size(64)
fn sum_quads(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let length = params.length / 4u;
    if index >= params.groups * params.chunks * length {
        return;
    }
    let column = index % length;
    let rows = chunk_of(index / length, params.rows);
    var total = vec4(0.0);
    for (var row = rows.start; row < rows.end; row++) {
        total += x4[row * length + column];
    }
    y4[index] = total * params.scale;
}
