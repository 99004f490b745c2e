// Mean and biased variance of every channel over rows, in G groups: one group of
// N*H*W rows for batch-norm, N groups of H*W rows for a picture's statistics.
// Sums of squares about a chunk's own mean, joined by Chan's rule, so that no
// large mean swallows a small variance. What rounding has left out of a mean is
// measured and added to it.
//!use chunk, invocation

struct Params {
    groups: u32,
    rows: u32,
    quads: u32,
    rows_per_chunk: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [G, rows, C]
@group(0) @binding(2) var<storage, read_write> partial: array<vec4<f32>>; // [G, chunks, 2, C]

@group(0) @binding(1) var<storage, read> parts: array<vec4<f32>>; // [G, chunks, 2, C]
@group(0) @binding(2) var<storage, read_write> moments: array<vec4<f32>>; // [G, 2, C]: mean, variance

@compute @workgroup_size(64)
fn chunk_moments(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let part = index / params.quads;
    if part >= params.groups * params.chunks {
        return;
    }
    let quad = index % params.quads;
    let rows = chunk_of(part, params.rows);
    var sum = vec4(0.0);
    for (var row = rows.start; row < rows.end; row++) {
        sum += x[row * params.quads + quad];
    }
    let count = f32(rows.end - rows.start);
    let about = sum / count;
    var rest = vec4(0.0);
    var squares = vec4(0.0);
    for (var row = rows.start; row < rows.end; row++) {
        let distance = x[row * params.quads + quad] - about;
        rest += distance;
        squares = fma(distance, distance, squares);
    }
    partial[2u * part * params.quads + quad] = about + rest / count;
    partial[(2u * part + 1u) * params.quads + quad] = max(squares - rest * rest / count, vec4(0.0));
}

@compute @workgroup_size(64)
fn join_moments(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let group = index / params.quads;
    if group >= params.groups {
        return;
    }
    let quad = index % params.quads;
    // Means are counted from the first chunk's, which is near them all.
    let origin = parts[2u * group * params.chunks * params.quads + quad];
    var count = 0.0;
    var mean = vec4(0.0);
    var squares = vec4(0.0);
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        let part = group * params.chunks + chunk;
        let start = chunk * params.rows_per_chunk;
        let size = f32(min(params.rows_per_chunk, params.rows - start));
        let distance = (parts[2u * part * params.quads + quad] - origin) - mean;
        let total = count + size;
        mean += distance * (size / total);
        squares += parts[(2u * part + 1u) * params.quads + quad] + distance * distance * (count * size / total);
        count = total;
    }
    moments[2u * group * params.quads + quad] = origin + mean;
    moments[(2u * group + 1u) * params.quads + quad] = squares / count;
}
