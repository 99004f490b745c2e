// Dense convolution (the stem). N: batch, H, W: input, OH, OW: output,
// CI: input channels, stored CS apart (CS = CI rounded up to 4, the rest zero),
// CO: output channels, a multiple of 4.
//!use chunk, folded, invocation

struct Params {
    n: u32,
    h: u32,
    w: u32,
    ci: u32,
    cs: u32,
    co: u32,
    kernel: u32,
    stride: u32,
    pad_top: u32,
    pad_left: u32,
    oh: u32,
    ow: u32,
    rows_per_chunk: u32,
    chunks: u32,
    activation: u32, // where a batch-norm is folded in
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>; // [N, H, W, CS]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, K, CI, CO]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [N, OH, OW, CO]

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>; // [N, OH, OW, CO]
@group(0) @binding(3) var<storage, read_write> dx: array<f32>; // [N, H, W, CS]

@group(0) @binding(1) var<storage, read> pixels: array<vec4<f32>>; // [N, H, W, CS]
@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>; // [N, OH, OW, CO]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, K, CI, CO]

fn output_of(index: u32) -> vec4<f32> {
    let quads = params.co / 4u;
    let pixel = index / quads;
    let quad = index % quads;
    let image = pixel / (params.oh * params.ow);
    let top = i32((pixel / params.ow) % params.oh * params.stride) - i32(params.pad_top);
    let left = i32(pixel % params.ow * params.stride) - i32(params.pad_left);
    var sum = vec4(0.0);
    for (var ky = 0u; ky < params.kernel; ky++) {
        let row = top + i32(ky);
        if row < 0 || row >= i32(params.h) {
            continue;
        }
        for (var kx = 0u; kx < params.kernel; kx++) {
            let column = left + i32(kx);
            if column < 0 || column >= i32(params.w) {
                continue;
            }
            let base = ((image * params.h + u32(row)) * params.w + u32(column)) * params.cs;
            let at = (ky * params.kernel + kx) * params.ci;
            for (var c = 0u; c < params.ci; c++) {
                sum = fma(vec4(x[base + c]), weight[(at + c) * quads + quad], sum);
            }
        }
    }
    return sum;
}

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quads = params.co / 4u;
    if index < params.n * params.oh * params.ow * quads {
        y[index] = output_of(index);
    }
}

// y = activation(convolution + shift).
@compute @workgroup_size(64)
fn forward_folded(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quads = params.co / 4u;
    if index < params.n * params.oh * params.ow * quads {
        y[index] = finish(output_of(index), index % quads, quads);
    }
}

@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let pixel = index / params.cs;
    if pixel >= params.n * params.h * params.w {
        return;
    }
    let c = index % params.cs;
    let quads = params.co / 4u;
    let image = pixel / (params.h * params.w);
    let bottom = (pixel / params.w) % params.h + params.pad_top;
    let right = pixel % params.w + params.pad_left;
    var sum = vec4(0.0);
    for (var ky = 0u; ky < params.kernel && c < params.ci; ky++) {
        if ky > bottom || (bottom - ky) % params.stride != 0u || (bottom - ky) / params.stride >= params.oh {
            continue;
        }
        let row = (bottom - ky) / params.stride;
        for (var kx = 0u; kx < params.kernel; kx++) {
            if kx > right || (right - kx) % params.stride != 0u || (right - kx) / params.stride >= params.ow {
                continue;
            }
            let column = (right - kx) / params.stride;
            let base = ((image * params.oh + row) * params.ow + column) * quads;
            let at = ((ky * params.kernel + kx) * params.ci + c) * quads;
            for (var quad = 0u; quad < quads; quad++) {
                sum = fma(dy[base + quad], weight[at + quad], sum);
            }
        }
    }
    dx[index] = (sum.x + sum.y) + (sum.z + sum.w);
}

// Over a chunk of the N * OH output rows; the chunks are summed by reduce.wgsl. An
// invocation takes four input and four output channels of a tap.
@compute @workgroup_size(64)
fn backward_weight(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quads = params.co / 4u;
    let inputs = params.cs / 4u;
    let quad = index % quads;
    let input = index / quads % inputs;
    let kx = index / (quads * inputs) % params.kernel;
    let ky = index / (quads * inputs * params.kernel) % params.kernel;
    let chunk = index / (quads * inputs * params.kernel * params.kernel);
    if chunk >= params.chunks {
        return;
    }
    let left = i32(kx) - i32(params.pad_left);
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    let lines = chunk_of(chunk, params.n * params.oh);
    for (var line = lines.start; line < lines.end; line++) {
        let row = i32(line % params.oh * params.stride + ky) - i32(params.pad_top);
        if row < 0 || row >= i32(params.h) {
            continue;
        }
        let base = (line / params.oh * params.h + u32(row)) * params.w;
        for (var ox = 0u; ox < params.ow; ox++) {
            let column = i32(ox * params.stride) + left;
            let near = clamp(column, 0, i32(params.w) - 1);
            let value = select(vec4(0.0), pixels[(base + u32(near)) * inputs + input], column == near);
            let g = gradient[(line * params.ow + ox) * quads + quad];
            s0 = fma(vec4(value.x), g, s0);
            s1 = fma(vec4(value.y), g, s1);
            s2 = fma(vec4(value.z), g, s2);
            s3 = fma(vec4(value.w), g, s3);
        }
    }
    let tap = (chunk * params.kernel + ky) * params.kernel + kx;
    store_partial(tap, 4u * input, quad, s0);
    store_partial(tap, 4u * input + 1u, quad, s1);
    store_partial(tap, 4u * input + 2u, quad, s2);
    store_partial(tap, 4u * input + 3u, quad, s3);
}

fn store_partial(tap: u32, channel: u32, quad: u32, value: vec4<f32>) {
    if channel < params.ci {
        partial[(tap * params.ci + channel) * (params.co / 4u) + quad] = value;
    }
}
