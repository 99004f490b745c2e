// The ascent of sharpness-aware minimisation (Foret et al. 2021): the weights moved by
// `step.radius` along their gradient. Over quads of 4 values.
//!use invocation, smallest, step

struct Params {
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> cleared: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> norm: array<f32>; // [1]
@group(0) @binding(4) var<storage, read> step: Step;
@group(0) @binding(5) var<storage, read_write> moved: array<vec4<f32>>;

// What lies between two tensors of a flat gradient is in its norm, and must be 0.
@compute @workgroup_size(64)
fn clear(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    cleared[index] = vec4(0.0);
}

// A zero gradient moves nothing.
@compute @workgroup_size(64)
fn ascend(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    moved[index] = weight[index] + step.radius * (gradient[index] / max(norm[0], SMALLEST));
}
