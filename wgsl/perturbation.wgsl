// Steps of FGSM and PGD on pixels in [0, 1], and their projection.
// N: batch, P: pixels a picture; the fourth lane is always 0.

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
@group(0) @binding(2) var<storage, read_write> squares: array<f32>; // [N, chunks]

@group(0) @binding(2) var<storage, read> moved: array<vec4<f32>>; // [N, P]
@group(0) @binding(3) var<storage, read_write> distances: array<f32>; // [N, chunks]

@group(0) @binding(1) var<storage, read> direction: array<vec4<f32>>; // [N, P]
@group(0) @binding(2) var<storage, read> squared: array<f32>; // [N]

@group(0) @binding(1) var<storage, read> origin: array<vec4<f32>>; // [N, P]

fn clamp_pixel(value: vec4<f32>) -> vec4<f32> {
    return vec4(clamp(value.xyz, vec3(0.0), vec3(1.0)), 0.0);
}

// A step along the gradient's sign, back onto the box of half-width eps and [0, 1].
@compute @workgroup_size(64)
fn linf_step(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.n * params.pixels {
        return;
    }
    let centre = clean[index];
    let stepped = adversarial[index] + params.size * sign(gradient[index]);
    adversarial[index] = clamp_pixel(clamp(stepped, centre - params.eps, centre + params.eps));
}

// Sums of squares over a chunk of a picture's pixels, for its Euclidean length.
@compute @workgroup_size(64)
fn squared_length(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.n * params.chunks {
        return;
    }
    let first = index / params.chunks * params.pixels;
    let start = index % params.chunks * params.rows_per_chunk;
    let end = min(start + params.rows_per_chunk, params.pixels);
    var sum = 0.0;
    for (var pixel = start; pixel < end; pixel++) {
        let value = values[first + pixel];
        sum += dot(value, value);
    }
    squares[index] = sum;
}

@compute @workgroup_size(64)
fn squared_distance(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.n * params.chunks {
        return;
    }
    let first = index / params.chunks * params.pixels;
    let start = index % params.chunks * params.rows_per_chunk;
    let end = min(start + params.rows_per_chunk, params.pixels);
    var sum = 0.0;
    for (var pixel = start; pixel < end; pixel++) {
        let value = moved[first + pixel] - values[first + pixel];
        sum += dot(value, value);
    }
    distances[index] = sum;
}

// A step of length `size` along the gradient; a zero gradient moves nothing.
@compute @workgroup_size(64)
fn l2_step(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.n * params.pixels {
        return;
    }
    let length = sqrt(squared[index / params.pixels]);
    let stride = select(0.0, params.size / max(length, 1e-30), length > 0.0);
    adversarial[index] += stride * direction[index];
}

// Back onto the ball of radius eps around the clean picture and into [0, 1].
@compute @workgroup_size(64)
fn l2_project(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.n * params.pixels {
        return;
    }
    let length = sqrt(squared[index / params.pixels]);
    let factor = min(1.0, params.eps / max(length, 1e-30));
    let centre = origin[index];
    adversarial[index] = clamp_pixel(centre + factor * (adversarial[index] - centre));
}
