// Depthwise convolution: every channel with its own K x K kernel. N: batch,
// H, W: input, OH, OW: output, C: channels in quads of 4.

struct Params {
    n: u32,
    h: u32,
    w: u32,
    quads: u32,
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

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [N, H, W, C]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, K, C]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [N, OH, OW, C]

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>; // [N, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>; // [N, H, W, C]

@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>; // [N, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, K, C]

@compute @workgroup_size(64)
fn forward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let pixel = index / params.quads;
    if pixel >= params.n * params.oh * params.ow {
        return;
    }
    let quad = index % params.quads;
    let image = pixel / (params.oh * params.ow);
    let top = i32((pixel / params.ow) % params.oh * params.stride) - i32(params.pad_top);
    let left = i32(pixel % params.ow * params.stride) - i32(params.pad_left);
    var sum = vec4(0.0);
    for (var ky = 0; ky < i32(params.kernel); ky++) {
        let row = top + ky;
        if row < 0 || row >= i32(params.h) {
            continue;
        }
        let base = (image * params.h + u32(row)) * params.w;
        for (var kx = 0; kx < i32(params.kernel); kx++) {
            let column = left + kx;
            if column < 0 || column >= i32(params.w) {
                continue;
            }
            let tap = u32(ky) * params.kernel + u32(kx);
            sum = fma(x[(base + u32(column)) * params.quads + quad], weight[tap * params.quads + quad], sum);
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
    let pixel = index / params.quads;
    if pixel >= params.n * params.h * params.w {
        return;
    }
    let quad = index % params.quads;
    let image = pixel / (params.h * params.w);
    let bottom = (pixel / params.w) % params.h + params.pad_top;
    let right = pixel % params.w + params.pad_left;
    var sum = vec4(0.0);
    // Only the taps whose output lies on the stride's grid.
    for (var ky = bottom % params.stride; ky < params.kernel && ky <= bottom; ky += params.stride) {
        let row = (bottom - ky) / params.stride;
        if row >= params.oh {
            continue;
        }
        let base = (image * params.oh + row) * params.ow;
        for (var kx = right % params.stride; kx < params.kernel && kx <= right; kx += params.stride) {
            let column = (right - kx) / params.stride;
            if column >= params.ow {
                continue;
            }
            let tap = ky * params.kernel + kx;
            sum = fma(dy[(base + column) * params.quads + quad], weight[tap * params.quads + quad], sum);
        }
    }
    dx[index] = sum;
}

// Over a chunk of the N * OH output rows; the chunks are summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_weight(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let taps = params.kernel * params.kernel;
    let chunk = index / (taps * params.quads);
    if chunk >= params.chunks {
        return;
    }
    let quad = index % params.quads;
    let tap = (index / params.quads) % taps;
    let ky = i32(tap / params.kernel) - i32(params.pad_top);
    let kx = i32(tap % params.kernel) - i32(params.pad_left);
    var sum = vec4(0.0);
    let end = min((chunk + 1u) * params.rows_per_chunk, params.n * params.oh);
    for (var line = chunk * params.rows_per_chunk; line < end; line++) {
        let row = i32(line % params.oh * params.stride) + ky;
        if row < 0 || row >= i32(params.h) {
            continue;
        }
        let base = (line / params.oh * params.h + u32(row)) * params.w;
        for (var ox = 0u; ox < params.ow; ox++) {
            let column = i32(ox * params.stride) + kx;
            if column < 0 || column >= i32(params.w) {
                continue;
            }
            let value = x[(base + u32(column)) * params.quads + quad];
            sum = fma(value, gradient[(line * params.ow + ox) * params.quads + quad], sum);
        }
    }
    partial[index] = sum;
}
