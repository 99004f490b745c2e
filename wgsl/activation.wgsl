// An activation on its own (squeeze-excite), over quads of 4 values.

struct Params {
    quads: u32,
    activation: u32, // 1 SiLU, 2 ReLU6, 3 sigmoid
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>;

@compute @workgroup_size(64)
fn forward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.quads {
        return;
    }
    let u = x[index];
    let s = 1.0 / (1.0 + exp(-u));
    switch params.activation {
        case 1u: {
            y[index] = u * s;
        }
        case 2u: {
            y[index] = clamp(u, vec4(0.0), vec4(6.0));
        }
        default: {
            y[index] = s;
        }
    }
}

@compute @workgroup_size(64)
fn backward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.quads {
        return;
    }
    let u = x[index];
    let s = 1.0 / (1.0 + exp(-u));
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
