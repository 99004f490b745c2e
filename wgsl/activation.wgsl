// An activation on its own (squeeze-excite), over quads of 4 values.
//!use activate, invocation

struct Params {
    quads: u32,
    activation: u32, // no identity
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    y[index] = activate(x[index]);
}

@compute @workgroup_size(64)
fn backward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.quads {
        return;
    }
    let u = x[index];
    let s = sigmoid(u);
    switch params.activation {
        case 1u: {
            dx[index] = dy[index] * s * (1.0 + u * (1.0 - s));
        }
        case 2u: {
            dx[index] = select(vec4(0.0), dy[index], (u > vec4(0.0)) & (u < vec4(6.0)));
        }
        default: {
            dx[index] = dy[index] * s * (1.0 - s);
        }
    }
}
