// One step of the weights, over quads of 4 values. What changes from step to step
// comes through `step`, the rest through `params`.

struct Params {
    quads: u32,
    nesterov: u32,
    weight_decay: f32,
    momentum: f32, // SGD's, and AdamW's beta 1
    beta2: f32,
    eps: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> step: array<f32>; // learning rate, bias 1, bias 2, radius, alpha, slot, kept, share
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4<f32>>; // velocity, or first moment
@group(0) @binding(5) var<storage, read_write> second: array<vec4<f32>>; // second moment

@group(0) @binding(2) var<storage, read> plain: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> mixed: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> total: array<vec4<f32>>;

// SGD with momentum as PyTorch has it: v = momentum v + g, w -= rate v.
@compute @workgroup_size(64)
fn sgd(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.quads {
        return;
    }
    let w = weight[index];
    let g = gradient[index] + params.weight_decay * w;
    let v = params.momentum * first[index] + g;
    first[index] = v;
    let ahead = select(v, g + params.momentum * v, params.nesterov == 1u);
    weight[index] = w - step[0] * ahead;
}

// AdamW (Loshchilov & Hutter 2019) as PyTorch has it.
@compute @workgroup_size(64)
fn adamw(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.quads {
        return;
    }
    let g = gradient[index];
    let m = params.momentum * first[index] + (1.0 - params.momentum) * g;
    let v = params.beta2 * second[index] + (1.0 - params.beta2) * g * g;
    first[index] = m;
    second[index] = v;
    let decayed = weight[index] * (1.0 - step[0] * params.weight_decay);
    weight[index] = decayed - step[0] * (m / step[1]) / (sqrt(v / step[2]) + params.eps);
}

// mixed = (1 - alpha) plain + alpha mixed: the two gradients of a regularised step.
@compute @workgroup_size(64)
fn mix(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.quads {
        return;
    }
    let alpha = step[4];
    mixed[index] = (1.0 - alpha) * plain[index] + alpha * mixed[index];
}

// total = kept total + share gradient: the mean over the parts of a batch.
@compute @workgroup_size(64)
fn accumulate(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.quads {
        return;
    }
    total[index] = step[6] * total[index] + step[7] * gradient[index];
}
