// Sums over rows in a fixed order: [G, rows, L] -> [G, chunks, L], times a scale.

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

@compute @workgroup_size(64)
fn sum(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let part = index / params.length;
    if part >= params.groups * params.chunks {
        return;
    }
    let column = index % params.length;
    let first = part / params.chunks * params.rows;
    let start = part % params.chunks * params.rows_per_chunk;
    let end = min(start + params.rows_per_chunk, params.rows);
    var total = 0.0;
    for (var row = start; row < end; row++) {
        total += x[(first + row) * params.length + column];
    }
    y[index] = total * params.scale;
}
