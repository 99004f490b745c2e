// Sum of two tensors, over quads of 4 values.
//!use invocation

struct Params {
    quads: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn add(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    y[index] = a[index] + b[index];
}
