// Masks of dropout and drop-path: 0, or 1 / (1 - rate). Each draw is a hash of
// what it is for, so that the place of a sample
// in its batch and the order of the work change nothing.
//!use hash, invocation

struct Params {
    n: u32,
    elements: u32, // E: channels for dropout, 1 for drop-path
    op: u32,
    rate: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<vec2<u32>>; // [N]
@group(0) @binding(2) var<storage, read_write> mask: array<f32>; // [N, E]

@compute @workgroup_size(64)
fn draw(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.elements {
        return;
    }
    let key = keys[index / params.elements];
    let bits = pcg4d(vec4(key, params.op, index % params.elements)).x;
    let uniform_draw = f32(bits >> 8u) / 16777216.0;
    mask[index] = select(0.0, 1.0 / (1.0 - params.rate), uniform_draw >= params.rate);
}
