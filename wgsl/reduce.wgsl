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

@group(0) @binding(1) var<storage, read> x4: array<vec4<f32>>; // the same
@group(0) @binding(2) var<storage, read_write> y4: array<vec4<f32>>;

// What an invocation sums: rows `start` to `end` of `column`.
struct Part {
    column: u32,
    start: u32,
    end: u32,
}

fn part_of(index: u32, length: u32) -> Part {
    let part = index / length;
    let first = part / params.chunks * params.rows;
    let start = part % params.chunks * params.rows_per_chunk;
    let end = min(start + params.rows_per_chunk, params.rows);
    return Part(index % length, first + start, first + end);
}

@compute @workgroup_size(64)
fn sum(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let length = params.length;
    if index >= params.groups * params.chunks * length {
        return;
    }
    let part = part_of(index, length);
    var total = 0.0;
    for (var row = part.start; row < part.end; row++) {
        total += x[row * length + part.column];
    }
    y[index] = total * params.scale;
}

// The same four columns at a time, where L is a multiple of 4.
@compute @workgroup_size(64)
fn sum_quads(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let length = params.length / 4u;
    if index >= params.groups * params.chunks * length {
        return;
    }
    let part = part_of(index, length);
    var total = vec4(0.0);
    for (var row = part.start; row < part.end; row++) {
        total += x4[row * length + part.column];
    }
    y4[index] = total * params.scale;
}
