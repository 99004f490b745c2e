// The norm of the loss's gradient with respect to the pixels, as a finite difference
// (Finlay & Oberman 2021): d = (L(x + h v) - L(x)) / h, v the gradient's direction.
// N: batch, P: pixels a picture; the fourth lane is always 0.
//!use invocation, smallest

struct Params {
    n: u32,
    pixels: u32, // P
    h: f32,
    lambda: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [N, P]
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>; // [N, P]
@group(0) @binding(3) var<storage, read> lengths: array<f32>; // [N]
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // [N, P]

@group(0) @binding(1) var<storage, read> labels: array<vec2<f32>>; // [N]: target, weight
@group(0) @binding(2) var<storage, read> losses: array<f32>; // [N], weighted
@group(0) @binding(3) var<storage, read> losses_ahead: array<f32>; // [N], weighted
@group(0) @binding(4) var<storage, read> dlogits: array<f32>; // [N]
@group(0) @binding(5) var<storage, read> dlogits_ahead: array<f32>; // [N]
@group(0) @binding(6) var<storage, read_write> own: array<f32>; // [N]
@group(0) @binding(7) var<storage, read_write> own_ahead: array<f32>; // [N]

// x + h v; a zero gradient moves nothing.
@compute @workgroup_size(64)
fn ahead(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.pixels {
        return;
    }
    y[index] = x[index] + params.h * (gradient[index] / max(lengths[index / params.pixels], SMALLEST));
}

// The gradients of w (L(x) + lambda d^2 / 2) with respect to the logits of both passes:
// (1 - lambda d / h) w L'(x) and (lambda d / h) w L'(x + h v).
@compute @workgroup_size(64)
fn weigh(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n {
        return;
    }
    let weight = labels[index].y;
    let rise = (losses_ahead[index] - losses[index]) / max(weight, SMALLEST);
    let slope = select(0.0, rise / params.h, weight > 0.0);
    let factor = params.lambda * slope / params.h;
    own[index] = (1.0 - factor) * dlogits[index];
    own_ahead[index] = factor * dlogits_ahead[index];
}
