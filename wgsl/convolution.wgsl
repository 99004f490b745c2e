// Dense convolution (the stem). N: batch, H, W: input, OH, OW: output,
// CI: input channels, stored CS apart (CS = CI rounded up to 4, the rest zero),
// CO: output channels, a multiple of 4.

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
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>; // [N, H, W, CS]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, K, CI, CO]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [N, OH, OW, CO]

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>; // [N, OH, OW, CO]
@group(0) @binding(3) var<storage, read_write> dx: array<f32>; // [N, H, W, CS]

@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>; // [N, OH, OW, CO]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, K, CI, CO]

@compute @workgroup_size(64)
fn forward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let quads = params.co / 4u;
    let pixel = index / quads;
    if pixel >= params.n * params.oh * params.ow {
        return;
    }
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
    y[index] = sum;
}

@compute @workgroup_size(64)
fn backward_input(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
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

// Over a chunk of the N * OH * OW output pixels; the chunks are summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_weight(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let quads = params.co / 4u;
    let taps = params.kernel * params.kernel * params.ci;
    let chunk = index / (taps * quads);
    if chunk >= params.chunks {
        return;
    }
    let quad = index % quads;
    let tap = (index / quads) % taps;
    let c = tap % params.ci;
    let ky = i32(tap / params.ci / params.kernel);
    let kx = i32(tap / params.ci % params.kernel);
    var sum = vec4(0.0);
    let end = min((chunk + 1u) * params.rows_per_chunk, params.n * params.oh * params.ow);
    for (var pixel = chunk * params.rows_per_chunk; pixel < end; pixel++) {
        let image = pixel / (params.oh * params.ow);
        let row = i32((pixel / params.ow) % params.oh * params.stride) - i32(params.pad_top) + ky;
        let column = i32(pixel % params.ow * params.stride) - i32(params.pad_left) + kx;
        if row < 0 || row >= i32(params.h) || column < 0 || column >= i32(params.w) {
            continue;
        }
        let base = ((image * params.h + u32(row)) * params.w + u32(column)) * params.cs + c;
        sum = fma(vec4(x[base]), gradient[pixel * quads + quad], sum);
    }
    partial[index] = sum;
}
