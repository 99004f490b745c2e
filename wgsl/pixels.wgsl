// The border: 8-bit pixels to floats in [0, 1], and their normalisation, which is
// the network's first op. P: N*H*W pixels; the fourth lane is always 0.
//!use invocation

struct Params {
    pixels: u32,
    mean_r: f32,
    mean_g: f32,
    mean_b: f32,
    std_r: f32,
    std_g: f32,
    std_b: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bytes: array<u32>; // [P]: red in the lowest byte
@group(0) @binding(2) var<storage, read_write> pixels: array<vec4<f32>>; // [P]

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [P]
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>; // [P]

fn deviation() -> vec4<f32> {
    return vec4(params.std_r, params.std_g, params.std_b, 1.0);
}

@compute @workgroup_size(64)
fn from_bytes(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.pixels {
        return;
    }
    let packed = bytes[index];
    let red = f32(packed & 255u);
    let green = f32((packed >> 8u) & 255u);
    let blue = f32((packed >> 16u) & 255u);
    pixels[index] = vec4(red, green, blue, 0.0) / 255.0;
}

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.pixels {
        return;
    }
    y[index] = (x[index] - vec4(params.mean_r, params.mean_g, params.mean_b, 0.0)) / deviation();
}

// `x` holds the output's gradient here.
@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.pixels {
        return;
    }
    y[index] = vec4(x[index].xyz, 0.0) / deviation();
}
