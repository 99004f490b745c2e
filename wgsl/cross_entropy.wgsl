// Losses of one logit a picture and their gradients. N: batch.
//!use invocation, step

struct Params {
    n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // [N]
@group(0) @binding(2) var<storage, read> labels: array<vec2<f32>>; // [N]: target 0 or 1, weight
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // [N]
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>; // [N]

@group(0) @binding(1) var<storage, read> terms: array<f32>; // [N]
@group(0) @binding(2) var<storage, read> step: Step;
@group(0) @binding(3) var<storage, read_write> history: array<f32>; // one mean loss a slot

// log(1 + e) = 2 artanh(e / (2 + e)) for e in [0, 1], where 1 + e would round a small
// e away. The first term that is left out is 2e-8 of the whole at most.
fn log_1_plus(e: f32) -> f32 {
    let s = e / (2.0 + e);
    let t = s * s;
    let tail = 1.0 / 7.0 + t * (1.0 / 9.0 + t * (1.0 / 11.0 + t / 13.0));
    return 2.0 * s * (1.0 + t * (1.0 / 3.0 + t * (1.0 / 5.0 + t * tail)));
}

// weight * (log(1 + exp(z)) - target * z), without overflow; the gradient is that of the mean.
@compute @workgroup_size(64)
fn cross_entropy(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n {
        return;
    }
    let z = logits[index];
    let label = labels[index];
    let e = exp(-abs(z));
    losses[index] = label.y * (max(z, 0.0) - z * label.x + log_1_plus(e));
    // sigmoid(z) - target without cancellation.
    let small = e / (1.0 + e);
    let of_fake = select(small, 1.0 / (1.0 + e), z >= 0.0);
    let of_real = select(1.0 / (1.0 + e), small, z >= 0.0);
    let slope = of_fake * (1.0 - label.x) - of_real * label.x;
    dlogits[index] = label.y * slope / f32(params.n);
}

// -s z with s = +1 for a fake and -1 for a real; the gradient is that of the sum.
@compute @workgroup_size(64)
fn margin(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n {
        return;
    }
    let sign = 2.0 * labels[index].x - 1.0;
    losses[index] = -sign * logits[index];
    dlogits[index] = -sign;
}

// The mean of the losses goes to the step's slot of the history.
@compute @workgroup_size(64)
fn record(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x > 0u || id.y > 0u {
        return;
    }
    var total = 0.0;
    for (var index = 0u; index < params.n; index++) {
        total += terms[index];
    }
    history[step.slot] = total / f32(params.n);
}
