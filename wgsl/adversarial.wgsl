// Adversarial pictures for a training step, in the Linf ball of radius `step.eps` that
// grows during training. With a radius of 0 they are the clean ones to the bit.
// N: batch, P: pixels a picture; the fourth lane is always 0.
//!use hash, invocation, step

struct Params {
    n: u32,
    pixels: u32, // P
    ratio: f32, // length of a step over the radius
}

// Keeps the draws apart from those of masks, which are numbered by their nodes.
const START: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> clean: array<vec4<f32>>; // [N, P]
@group(0) @binding(3) var<storage, read> keys: array<vec2<u32>>; // [N]
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [N, P]

@group(0) @binding(3) var<storage, read> gradient: array<vec4<f32>>; // [N, P]
@group(0) @binding(4) var<storage, read> x: array<vec4<f32>>; // [N, P]
@group(0) @binding(5) var<storage, read_write> ahead: array<vec4<f32>>; // [N, P]

fn inside(value: vec4<f32>, centre: vec4<f32>) -> vec4<f32> {
    let near = clamp(value.xyz, centre.xyz - step.eps, centre.xyz + step.eps);
    return vec4(clamp(near, vec3(0.0), vec3(1.0)), 0.0);
}

// A uniform point of the ball; a picture's depends on its key alone.
@compute @workgroup_size(64)
fn start(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.pixels {
        return;
    }
    let key = keys[index / params.pixels];
    let bits = pcg4d(vec4(key, START, index % params.pixels)).xyz;
    // Multiples of 2^-23 in [-1, 1).
    let offset = vec3<f32>(bits >> vec3(8u)) / 8388608.0 - 1.0;
    let centre = clean[index];
    y[index] = inside(centre + vec4(step.eps * offset, 0.0), centre);
}

// A step along the gradient's sign, back onto the ball and [0, 1].
@compute @workgroup_size(64)
fn ascend(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.pixels {
        return;
    }
    let moved = x[index] + params.ratio * step.eps * sign(gradient[index]);
    ahead[index] = inside(moved, clean[index]);
}
