// Steps of FGSM and PGD on pixels in [0, 1], and their projection.
// N: batch, P: pixels a picture; the fourth lane is always 0.
//!use chunk, invocation, smallest

struct Params {
    n: u32,
    pixels: u32,
    rows_per_chunk: u32,
    chunks: u32,
    eps: f32,
    size: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clean: array<vec4<f32>>; // [N, P]
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>; // [N, P]
@group(0) @binding(3) var<storage, read_write> adversarial: array<vec4<f32>>; // [N, P]

@group(0) @binding(1) var<storage, read> values: array<vec4<f32>>; // [N, P]
@group(0) @binding(2) var<storage, read_write> parts: array<vec2<f32>>; // [N, chunks]: largest, sum of squares

@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>; // [N, chunks]
@group(0) @binding(2) var<storage, read_write> lengths: array<f32>; // [N]

@group(0) @binding(2) var<storage, read> moved: array<vec4<f32>>; // [N, P]
@group(0) @binding(3) var<storage, read_write> distances: array<f32>; // [N, chunks]

@group(0) @binding(1) var<storage, read> direction: array<vec4<f32>>; // [N, P]
@group(0) @binding(2) var<storage, read> length: array<f32>; // [N]

@group(0) @binding(2) var<storage, read> squared: array<f32>; // [N]

@group(0) @binding(1) var<storage, read> origin: array<vec4<f32>>; // [N, P]

fn clamp_pixel(value: vec4<f32>) -> vec4<f32> {
    return vec4(clamp(value.xyz, vec3(0.0), vec3(1.0)), 0.0);
}

// A step along the gradient's sign, back onto the box of half-width eps and [0, 1].
@compute @workgroup_size(64)
fn linf_step(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.pixels {
        return;
    }
    let centre = clean[index];
    let stepped = adversarial[index] + params.size * sign(gradient[index]);
    adversarial[index] = clamp_pixel(clamp(stepped, centre - params.eps, centre + params.eps));
}

// Sums of squares over a chunk of a picture's pixels, for its Euclidean length. The
// squares are those of the values' share of the largest: a confident network's
// gradient is so small that its own squares would vanish.
@compute @workgroup_size(64)
fn chunk_length(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.chunks {
        return;
    }
    let pixels = chunk_of(index, params.pixels);
    var most = vec4(0.0);
    for (var pixel = pixels.start; pixel < pixels.end; pixel++) {
        most = max(most, abs(values[pixel]));
    }
    let largest = max(max(most.x, most.y), max(most.z, most.w));
    var sum = 0.0;
    for (var pixel = pixels.start; pixel < pixels.end; pixel++) {
        let share = values[pixel] / max(largest, SMALLEST);
        sum += dot(share, share);
    }
    parts[index] = vec2(largest, sum);
}

@compute @workgroup_size(64)
fn join_lengths(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n {
        return;
    }
    let first = index * params.chunks;
    var largest = 0.0;
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        largest = max(largest, partial[first + chunk].x);
    }
    var sum = 0.0;
    for (var chunk = 0u; chunk < params.chunks; chunk++) {
        let share = partial[first + chunk].x / max(largest, SMALLEST);
        sum = fma(share * share, partial[first + chunk].y, sum);
    }
    lengths[index] = largest * sqrt(sum);
}

@compute @workgroup_size(64)
fn squared_distance(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.chunks {
        return;
    }
    let pixels = chunk_of(index, params.pixels);
    var sum = 0.0;
    for (var pixel = pixels.start; pixel < pixels.end; pixel++) {
        let value = moved[pixel] - values[pixel];
        sum += dot(value, value);
    }
    distances[index] = sum;
}

// A step of length `size` along the gradient; a zero gradient moves nothing.
@compute @workgroup_size(64)
fn l2_step(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.pixels {
        return;
    }
    adversarial[index] += params.size * (direction[index] / max(length[index / params.pixels], SMALLEST));
}

// Back onto the ball of radius eps around the clean picture and into [0, 1].
@compute @workgroup_size(64)
fn l2_project(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.pixels {
        return;
    }
    let distance = sqrt(squared[index / params.pixels]);
    let factor = min(1.0, params.eps / max(distance, 1e-30));
    let centre = origin[index];
    adversarial[index] = clamp_pixel(centre + factor * (adversarial[index] - centre));
}
