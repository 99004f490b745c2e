// Batch-norms folded into the convolutions before them, on the device, for passes with
// the running statistics of a network that is being trained. C: output channels in quads of 4.
//!use invocation

struct Params {
    quads: u32, // of the weight
    channels: u32, // C
    eps: f32, // of the batch-norm
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> affine: array<vec4<f32>>; // [2, C]: gamma, beta
@group(0) @binding(2) var<storage, read> running: array<vec4<f32>>; // [2, C]: mean, variance
@group(0) @binding(3) var<storage, read> weight: array<vec4<f32>>; // [.., C]
@group(0) @binding(4) var<storage, read_write> folded: array<vec4<f32>>; // [.., C]

@group(0) @binding(3) var<storage, read_write> shift: array<vec4<f32>>; // [2, C]: 1, shift

fn scale_of(channel: u32) -> vec4<f32> {
    return affine[channel] / sqrt(running[params.channels + channel] + params.eps);
}

@compute @workgroup_size(64)
fn fold_weight(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    folded[index] = weight[index] * scale_of(index % params.channels);
}

@compute @workgroup_size(64)
fn fold_affine(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.channels {
        return;
    }
    shift[index] = vec4(1.0);
    shift[params.channels + index] = affine[params.channels + index] - running[index] * scale_of(index);
}
