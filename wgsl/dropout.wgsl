// Elements times their mask; the gradient goes through the same kernel.
//!use invocation

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [N, C]
@group(0) @binding(2) var<storage, read> mask: array<f32>; // [N, C]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [N, C]

@compute @workgroup_size(64)
fn apply(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.count {
        return;
    }
    y[index] = x[index] * mask[index];
}
