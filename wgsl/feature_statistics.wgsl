// Gradient regularization's perturbation of a tap (Guan et al. 2024):
// f' = f + dmu + dsigma * fhat with fhat = (f - mu) / sigma, where mu and sigma
// are a picture's mean and deviation a channel (moments.wgsl).
// N: batch, S: H*W, C: channels in quads of 4, D: deltas (1 shared, or N).
//!use chunk, invocation, smallest, step

struct Params {
    n: u32,
    area: u32,
    quads: u32,
    rows_per_chunk: u32,
    chunks: u32,
    deltas: u32, // D
    through_statistics: u32, // 1: the gradient flows through mu and sigma
    eps: f32, // under sigma's root
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> f: array<vec4<f32>>; // [N, S, C]
@group(0) @binding(2) var<storage, read> moments: array<vec4<f32>>; // [N, 2, C]: mean, variance
@group(0) @binding(3) var<storage, read> dy: array<vec4<f32>>; // [N, S, C]
@group(0) @binding(4) var<storage, read_write> partial: array<vec4<f32>>; // [N, chunks, 2, C]

@group(0) @binding(3) var<storage, read> delta: array<vec4<f32>>; // [D, 2, C]: dmu, dsigma
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [N, S, C]

@group(0) @binding(4) var<storage, read> upstream: array<vec4<f32>>; // [N, S, C]
@group(0) @binding(5) var<storage, read> sums: array<vec4<f32>>; // [N, 2, C]: sums of G, of G fhat
@group(0) @binding(6) var<storage, read_write> df: array<vec4<f32>>; // [N, S, C]

@group(0) @binding(1) var<storage, read> gradient: array<f32>; // [D, 2, C]
@group(0) @binding(2) var<storage, read> before: array<f32>; // [D]
@group(0) @binding(3) var<storage, read_write> joint: array<f32>; // [D]

@group(0) @binding(2) var<storage, read> total: array<f32>; // [D]
@group(0) @binding(3) var<storage, read> step: Step;
@group(0) @binding(4) var<storage, read_write> scaled: array<f32>; // [D, 2, C]

fn inverse_sigma(image: u32, quad: u32) -> vec4<f32> {
    return 1.0 / sqrt(moments[(2u * image + 1u) * params.quads + quad] + params.eps);
}

// Sums of G and of G * fhat over a chunk of a picture's pixels: the gradients with
// respect to mu and sigma, to be finished by reduce.wgsl.
@compute @workgroup_size(64)
fn statistic_gradients(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let part = index / params.quads;
    if part >= params.n * params.chunks {
        return;
    }
    let quad = index % params.quads;
    let image = part / params.chunks;
    let mean = moments[2u * image * params.quads + quad];
    let scale = inverse_sigma(image, quad);
    let rows = chunk_of(part, params.area);
    var plain = vec4(0.0);
    var weighted = vec4(0.0);
    for (var row = rows.start; row < rows.end; row++) {
        let at = row * params.quads + quad;
        let g = dy[at];
        plain += g;
        weighted = fma(g, (f[at] - mean) * scale, weighted);
    }
    partial[2u * part * params.quads + quad] = plain;
    partial[(2u * part + 1u) * params.quads + quad] = weighted;
}

// The norm of what has the norm `before` together with the gradient, one a delta.
@compute @workgroup_size(64)
fn join_norm(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.deltas {
        return;
    }
    let a = before[index];
    let b = norm_of(index);
    let largest = max(max(a, b), SMALLEST);
    joint[index] = largest * length(vec2(a, b) / largest);
}

@group(0) @binding(2) var<storage, read_write> own: array<f32>; // [D]

@compute @workgroup_size(64)
fn norm(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.deltas {
        return;
    }
    own[index] = norm_of(index);
}

// Over the squares of each value's share of the largest: where the network is
// confident the gradient is so small that its own squares would vanish.
fn norm_of(index: u32) -> f32 {
    let count = 8u * params.quads;
    var largest = SMALLEST;
    for (var i = 0u; i < count; i++) {
        largest = max(largest, abs(gradient[index * count + i]));
    }
    var sum = 0.0;
    for (var i = 0u; i < count; i++) {
        let share = gradient[index * count + i] / largest;
        sum = fma(share, share, sum);
    }
    return largest * sqrt(sum);
}

// The gradient stretched to the radius; a zero gradient gives no perturbation.
@compute @workgroup_size(64)
fn perturbation(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let count = 8u * params.quads;
    if index >= params.deltas * count {
        return;
    }
    scaled[index] = step.radius * (gradient[index] / max(total[index / count], SMALLEST));
}

@compute @workgroup_size(64)
fn perturb(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let image = index / (params.area * params.quads);
    if image >= params.n {
        return;
    }
    let quad = index % params.quads;
    let own = 2u * min(image, params.deltas - 1u) * params.quads + quad;
    let value = f[index];
    let normal = (value - moments[2u * image * params.quads + quad]) * inverse_sigma(image, quad);
    y[index] = value + delta[own] + delta[own + params.quads] * normal;
}

@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let image = index / (params.area * params.quads);
    if image >= params.n {
        return;
    }
    let quad = index % params.quads;
    let own = (2u * min(image, params.deltas - 1u) + 1u) * params.quads + quad;
    let scale = inverse_sigma(image, quad);
    let g = upstream[index];
    var inner = g;
    if params.through_statistics == 1u {
        let normal = (f[index] - moments[2u * image * params.quads + quad]) * scale;
        let at = 2u * image * params.quads + quad;
        inner -= (sums[at] + normal * sums[at + params.quads]) / f32(params.area);
    }
    df[index] = fma(delta[own] * scale, inner, g);
}
