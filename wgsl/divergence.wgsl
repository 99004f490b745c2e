// The second term of TRADES (Zhang et al. 2019) for one logit: beta KL(p || q) between
// the clean picture's p = sigmoid(z) and the adversarial picture's q = sigmoid(a).
//!use invocation

struct Params {
    n: u32,
    beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> clean: array<f32>; // [N]: z
@group(0) @binding(2) var<storage, read> adversarial: array<f32>; // [N]: a
@group(0) @binding(3) var<storage, read> labels: array<vec2<f32>>; // [N]: target, weight
@group(0) @binding(4) var<storage, read_write> losses: array<f32>; // [N]
@group(0) @binding(5) var<storage, read_write> dclean: array<f32>; // [N]
@group(0) @binding(6) var<storage, read_write> dadversarial: array<f32>; // [N]

@group(0) @binding(3) var<storage, read_write> direction: array<f32>; // [N]

// sigmoid without cancellation.
fn sigmoid(z: f32) -> f32 {
    let e = exp(-abs(z));
    return select(e, 1.0, z >= 0.0) / (1.0 + e);
}

// log(1 + exp(z)) without overflow.
fn softplus(z: f32) -> f32 {
    return max(z, 0.0) + log(1.0 + exp(-abs(z)));
}

// weight beta KL(p || q); the gradients are those of the mean.
@compute @workgroup_size(64)
fn divergence(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n {
        return;
    }
    let z = clean[index];
    let moved = adversarial[index];
    let p = sigmoid(z);
    let rest = sigmoid(-z);
    let scale = params.beta * labels[index].y;
    let apart = p * (softplus(-moved) - softplus(-z)) + rest * (softplus(moved) - softplus(z));
    losses[index] = scale * max(apart, 0.0);
    let each = scale / f32(params.n);
    dclean[index] = each * p * rest * (z - moved);
    // q - p = (1 - p) - (1 - q): the smaller pair loses fewer digits.
    let of_fake = sigmoid(moved) - p;
    let of_real = rest - sigmoid(-moved);
    dadversarial[index] = each * select(of_fake, of_real, z >= 0.0);
}

// The sign of a - z: the direction in which the divergence grows.
@compute @workgroup_size(64)
fn away(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n {
        return;
    }
    direction[index] = sign(adversarial[index] - clean[index]);
}
