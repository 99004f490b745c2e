// Batch-norm with the activation after it. Only x is kept for the backward pass:
// the normalised value and the activation's input are recomputed where they are
// needed. R: N*H*W rows, C: channels in quads of 4.
//!use activate, invocation

struct Params {
    rows: u32,
    quads: u32,
    rows_per_chunk: u32,
    chunks: u32,
    activation: u32,
    eps: f32,
    momentum: f32, // 0 leaves the running statistics alone
    unbias: f32, // R / (R - 1)
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> moments: array<vec4<f32>>; // [2, C]: mean, variance
@group(0) @binding(2) var<storage, read_write> running: array<vec4<f32>>; // [2, C]: mean, variance
@group(0) @binding(3) var<storage, read_write> normaliser: array<vec4<f32>>; // [2, C]: mean, 1 / deviation

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [R, C]
@group(0) @binding(2) var<storage, read> saved: array<vec4<f32>>; // [2, C]: mean, 1 / deviation
@group(0) @binding(3) var<storage, read> affine: array<vec4<f32>>; // [2, C]: gamma, beta
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [R, C]

@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>; // [R, C]
@group(0) @binding(5) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, 2, C]
@group(0) @binding(5) var<storage, read> sums: array<vec4<f32>>; // [2, C]: gradients of gamma, beta
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>; // [R, C]

// The derivative of the activation.
fn slope(u: vec4<f32>) -> vec4<f32> {
    switch params.activation {
        case 1u: {
            let s = sigmoid(u);
            return s * (1.0 + u * (1.0 - s));
        }
        case 2u: {
            return select(vec4(0.0), vec4(1.0), (u > vec4(0.0)) & (u < vec4(6.0)));
        }
        default: {
            return vec4(1.0);
        }
    }
}

@compute @workgroup_size(64)
fn normalise_by_batch(invocation: Invocation) {
    let quad = index_of(invocation.id, invocation.groups);
    if quad >= params.quads {
        return;
    }
    let mean = moments[quad];
    let variance = moments[params.quads + quad];
    normaliser[quad] = mean;
    normaliser[params.quads + quad] = 1.0 / sqrt(variance + params.eps);
    if params.momentum > 0.0 {
        let keep = 1.0 - params.momentum;
        running[quad] = keep * running[quad] + params.momentum * mean;
        running[params.quads + quad] =
            keep * running[params.quads + quad] + params.momentum * params.unbias * variance;
    }
}

// What the rows of a quad of channels have in common.
struct Channels {
    mean: vec4<f32>,
    scale: vec4<f32>,
    gamma: vec4<f32>,
    beta: vec4<f32>,
}

fn channels(quad: u32) -> Channels {
    let next = params.quads + quad;
    return Channels(saved[quad], saved[next], affine[quad], affine[next]);
}

fn normal(by: Channels, value: vec4<f32>) -> vec4<f32> {
    return (value - by.mean) * by.scale;
}

// Where every value is read once and written once, an invocation takes four rows of a
// quad of channels, so that what the channels have in common is loaded once.

fn store(row: u32, quad: u32, value: vec4<f32>) {
    if row < params.rows {
        y[row * params.quads + quad] = value;
    }
}

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quad = index % params.quads;
    let row = index / params.quads * 4u;
    let last = params.rows - 1u;
    let by = channels(quad);
    let x0 = x[min(row, last) * params.quads + quad];
    let x1 = x[min(row + 1u, last) * params.quads + quad];
    let x2 = x[min(row + 2u, last) * params.quads + quad];
    let x3 = x[min(row + 3u, last) * params.quads + quad];
    store(row, quad, activate(fma(by.gamma, normal(by, x0), by.beta)));
    store(row + 1u, quad, activate(fma(by.gamma, normal(by, x1), by.beta)));
    store(row + 2u, quad, activate(fma(by.gamma, normal(by, x2), by.beta)));
    store(row + 3u, quad, activate(fma(by.gamma, normal(by, x3), by.beta)));
}

// The gradients of gamma and beta over a chunk of rows, to be summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_affine(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let chunk = index / params.quads;
    if chunk >= params.chunks {
        return;
    }
    let quad = index % params.quads;
    // Not by `channels` and `chunk_of`: with their structs, lavapipe 22.3 takes four times as long.
    let mean = saved[quad];
    let scale = saved[params.quads + quad];
    let gamma = affine[quad];
    let beta = affine[params.quads + quad];
    var dgamma = vec4(0.0);
    var dbeta = vec4(0.0);
    let end = min((chunk + 1u) * params.rows_per_chunk, params.rows);
    for (var row = chunk * params.rows_per_chunk; row < end; row++) {
        let at = row * params.quads + quad;
        let xhat = (x[at] - mean) * scale;
        let g = dy[at] * slope(fma(gamma, xhat, beta));
        dgamma = fma(g, xhat, dgamma);
        dbeta += g;
    }
    partial[2u * chunk * params.quads + quad] = dgamma;
    partial[(2u * chunk + 1u) * params.quads + quad] = dbeta;
}

// The gradient through the batch's statistics; `dgamma` and `dbeta` are means over rows.
fn pull(by: Channels, value: vec4<f32>, g: vec4<f32>, dgamma: vec4<f32>, dbeta: vec4<f32>) -> vec4<f32> {
    let xhat = normal(by, value);
    let inner = g * slope(fma(by.gamma, xhat, by.beta));
    return by.gamma * by.scale * (inner - (dbeta + xhat * dgamma));
}

fn store_gradient(row: u32, quad: u32, value: vec4<f32>) {
    if row < params.rows {
        dx[row * params.quads + quad] = value;
    }
}

@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quad = index % params.quads;
    let row = index / params.quads * 4u;
    let last = params.rows - 1u;
    let by = channels(quad);
    let share = 1.0 / f32(params.rows);
    let dgamma = sums[quad] * share;
    let dbeta = sums[params.quads + quad] * share;
    let at0 = min(row, last) * params.quads + quad;
    let at1 = min(row + 1u, last) * params.quads + quad;
    let at2 = min(row + 2u, last) * params.quads + quad;
    let at3 = min(row + 3u, last) * params.quads + quad;
    store_gradient(row, quad, pull(by, x[at0], dy[at0], dgamma, dbeta));
    store_gradient(row + 1u, quad, pull(by, x[at1], dy[at1], dgamma, dbeta));
    store_gradient(row + 2u, quad, pull(by, x[at2], dy[at2], dgamma, dbeta));
    store_gradient(row + 3u, quad, pull(by, x[at3], dy[at3], dgamma, dbeta));
}
