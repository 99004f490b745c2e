// One step of the weights, over quads of 4 values. What changes from step to step
// comes through `step`, the rest through `params`.
//!use invocation, step

struct Params {
    quads: u32,
    nesterov: u32,
    weight_decay: f32,
    momentum: f32, // SGD's, and AdamW's beta 1
    beta2: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: Step;
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>; // velocity, or first moment
@group(0) @binding(5) var<storage, read_write> second: array<vec4<f32>>; // second moment

@group(0) @binding(2) var<storage, read> plain: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> mixed: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> total: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read> addend: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec4<f32>>;

// SGD with momentum as PyTorch has it: v = momentum v + g, w -= rate v.
@compute @workgroup_size(64)
fn sgd(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    let w = weight[index];
    let g = gradient[index] + params.weight_decay * w;
    let v = params.momentum * first[index] + g;
    first[index] = v;
    let ahead = select(v, g + params.momentum * v, params.nesterov == 1u);
    weight[index] = w - step.learning_rate * ahead;
}

// AdamW (Loshchilov & Hutter 2019) as PyTorch has it.
@compute @workgroup_size(64)
fn adamw(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    let g = gradient[index];
    let m = params.momentum * first[index] + (1.0 - params.momentum) * g;
    let v = params.beta2 * second[index] + (1.0 - params.beta2) * g * g;
    first[index] = m;
    second[index] = v;
    let decayed = weight[index] * (1.0 - step.learning_rate * params.weight_decay);
    weight[index] = decayed - step.learning_rate * (m / step.bias1) / (sqrt(v / step.bias2) + params.eps);
}

// mixed = (1 - alpha) plain + alpha mixed: the two gradients of a regularised step.
@compute @workgroup_size(64)
fn mix(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    let alpha = step.alpha;
    mixed[index] = (1.0 - alpha) * plain[index] + alpha * mixed[index];
}

// total = kept total + share gradient: the mean over the parts of a batch.
@compute @workgroup_size(64)
fn accumulate(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    total[index] = step.kept * total[index] + step.share * gradient[index];
}

// The gradient of a sum of losses.
@compute @workgroup_size(64)
fn add(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    sum[index] += addend[index];
}
