// Depthwise convolution: every channel with its own K x K kernel. N: batch,
// H, W: input, OH, OW: output, C: channels in quads of 4.
//!use chunk, folded, invocation

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
    flip: u32, // 1 reads the kernel backwards
    activation: u32, // where a batch-norm is folded in
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [N, H, W, C]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, K, C]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [N, OH, OW, C]

@group(0) @binding(1) var<storage, read> dy: array<vec4<f32>>; // [N, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> dx: array<vec4<f32>>; // [N, H, W, C]

@group(0) @binding(2) var<storage, read> gradient: array<vec4<f32>>; // [N, OH, OW, C]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, K, C]

fn output_of(index: u32) -> vec4<f32> {
    let pixel = index / params.quads;
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
    return sum;
}

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index < params.n * params.oh * params.ow * params.quads {
        y[index] = output_of(index);
    }
}

// y = activation(convolution + shift).
@compute @workgroup_size(64)
fn forward_folded(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index < params.n * params.oh * params.ow * params.quads {
        y[index] = finish(output_of(index), index % params.quads, params.quads);
    }
}

// Five outputs of a row for stride 1: what they share is loaded once. With dy for x,
// `flip` and the padding of the other side this is the input's gradient.

struct Strip {
    quad: u32,
    column: u32, // of the first output
    row: u32,
    image: u32,
}

fn strip_of(index: u32) -> Strip {
    let strips = (params.ow + 4u) / 5u;
    let strip = index / params.quads;
    let line = strip / strips;
    return Strip(index % params.quads, strip % strips * 5u, line % params.oh, line / params.oh);
}

struct Line {
    start: u32, // index of its first value
    inside: bool,
}

fn line_of(strip: Strip, ky: u32) -> Line {
    let row = i32(strip.row + ky) - i32(params.pad_top);
    let near = u32(clamp(row, 0, i32(params.h) - 1));
    let image = min(strip.image, params.n - 1u);
    return Line((image * params.h + near) * params.w * params.quads + strip.quad, row == i32(near));
}

fn pixel(line: Line, column: i32) -> vec4<f32> {
    let near = clamp(column, 0, i32(params.w) - 1);
    let value = x[line.start + u32(near) * params.quads];
    return select(vec4(0.0), value, line.inside && column == near);
}

fn tap_of(tap: u32) -> u32 {
    return select(tap, params.kernel * params.kernel - 1u - tap, params.flip == 1u);
}

fn store(strip: Strip, offset: u32, value: vec4<f32>) {
    let column = strip.column + offset;
    if strip.image < params.n && column < params.ow {
        y[((strip.image * params.oh + strip.row) * params.ow + column) * params.quads + strip.quad] = value;
    }
}

struct Five {
    s0: vec4<f32>,
    s1: vec4<f32>,
    s2: vec4<f32>,
    s3: vec4<f32>,
    s4: vec4<f32>,
}

fn store_five(strip: Strip, values: Five) {
    store(strip, 0u, values.s0);
    store(strip, 1u, values.s1);
    store(strip, 2u, values.s2);
    store(strip, 3u, values.s3);
    store(strip, 4u, values.s4);
}

fn finish_five(strip: Strip, values: Five) -> Five {
    return Five(
        finish(values.s0, strip.quad, params.quads),
        finish(values.s1, strip.quad, params.quads),
        finish(values.s2, strip.quad, params.quads),
        finish(values.s3, strip.quad, params.quads),
        finish(values.s4, strip.quad, params.quads),
    );
}

fn five_by_3(strip: Strip) -> Five {
    let left = i32(strip.column) - i32(params.pad_left);
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    for (var ky = 0u; ky < 3u; ky++) {
        let line = line_of(strip, ky);
        let w0 = weight[tap_of(3u * ky + 0u) * params.quads + strip.quad];
        let w1 = weight[tap_of(3u * ky + 1u) * params.quads + strip.quad];
        let w2 = weight[tap_of(3u * ky + 2u) * params.quads + strip.quad];
        let x0 = pixel(line, left + 0);
        let x1 = pixel(line, left + 1);
        let x2 = pixel(line, left + 2);
        let x3 = pixel(line, left + 3);
        let x4 = pixel(line, left + 4);
        let x5 = pixel(line, left + 5);
        let x6 = pixel(line, left + 6);
        s0 = fma(x2, w2, fma(x1, w1, fma(x0, w0, s0)));
        s1 = fma(x3, w2, fma(x2, w1, fma(x1, w0, s1)));
        s2 = fma(x4, w2, fma(x3, w1, fma(x2, w0, s2)));
        s3 = fma(x5, w2, fma(x4, w1, fma(x3, w0, s3)));
        s4 = fma(x6, w2, fma(x5, w1, fma(x4, w0, s4)));
    }
    return Five(s0, s1, s2, s3, s4);
}

@compute @workgroup_size(64)
fn slide_3(invocation: Invocation) {
    let strip = strip_of(index_of(invocation.id, invocation.groups));
    store_five(strip, five_by_3(strip));
}

@compute @workgroup_size(64)
fn slide_3_folded(invocation: Invocation) {
    let strip = strip_of(index_of(invocation.id, invocation.groups));
    store_five(strip, finish_five(strip, five_by_3(strip)));
}

fn five_by_5(strip: Strip) -> Five {
    let left = i32(strip.column) - i32(params.pad_left);
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    for (var ky = 0u; ky < 5u; ky++) {
        let line = line_of(strip, ky);
        let w0 = weight[tap_of(5u * ky + 0u) * params.quads + strip.quad];
        let w1 = weight[tap_of(5u * ky + 1u) * params.quads + strip.quad];
        let w2 = weight[tap_of(5u * ky + 2u) * params.quads + strip.quad];
        let w3 = weight[tap_of(5u * ky + 3u) * params.quads + strip.quad];
        let w4 = weight[tap_of(5u * ky + 4u) * params.quads + strip.quad];
        let x0 = pixel(line, left + 0);
        let x1 = pixel(line, left + 1);
        let x2 = pixel(line, left + 2);
        let x3 = pixel(line, left + 3);
        let x4 = pixel(line, left + 4);
        let x5 = pixel(line, left + 5);
        let x6 = pixel(line, left + 6);
        let x7 = pixel(line, left + 7);
        let x8 = pixel(line, left + 8);
        s0 = fma(x4, w4, fma(x3, w3, fma(x2, w2, fma(x1, w1, fma(x0, w0, s0)))));
        s1 = fma(x5, w4, fma(x4, w3, fma(x3, w2, fma(x2, w1, fma(x1, w0, s1)))));
        s2 = fma(x6, w4, fma(x5, w3, fma(x4, w2, fma(x3, w1, fma(x2, w0, s2)))));
        s3 = fma(x7, w4, fma(x6, w3, fma(x5, w2, fma(x4, w1, fma(x3, w0, s3)))));
        s4 = fma(x8, w4, fma(x7, w3, fma(x6, w2, fma(x5, w1, fma(x4, w0, s4)))));
    }
    return Five(s0, s1, s2, s3, s4);
}

@compute @workgroup_size(64)
fn slide_5(invocation: Invocation) {
    let strip = strip_of(index_of(invocation.id, invocation.groups));
    store_five(strip, five_by_5(strip));
}

@compute @workgroup_size(64)
fn slide_5_folded(invocation: Invocation) {
    let strip = strip_of(index_of(invocation.id, invocation.groups));
    store_five(strip, finish_five(strip, five_by_5(strip)));
}

@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let pixel = index / params.quads;
    if pixel >= params.n * params.h * params.w {
        return;
    }
    let quad = index % params.quads;
    let image = pixel / (params.h * params.w);
    let bottom = (pixel / params.w) % params.h + params.pad_top;
    let right = pixel % params.w + params.pad_left;
    var sum = vec4(0.0);
    // Only the taps whose output lies on the stride's grid; from one to the next the
    // output moves by one.
    var row = i32(bottom / params.stride);
    for (var ky = bottom % params.stride; ky < params.kernel && row >= 0; ky += params.stride) {
        let base = (image * params.oh + u32(row)) * params.ow;
        var column = i32(right / params.stride);
        for (var kx = right % params.stride; kx < params.kernel && column >= 0; kx += params.stride) {
            if row < i32(params.oh) && column < i32(params.ow) {
                let tap = ky * params.kernel + kx;
                let at = (base + u32(column)) * params.quads + quad;
                sum = fma(dy[at], weight[tap * params.quads + quad], sum);
            }
            column -= 1;
        }
        row -= 1;
    }
    dx[index] = sum;
}

// Over a chunk of the N * OH output rows; the chunks are summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_weight(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
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
    let lines = chunk_of(chunk, params.n * params.oh);
    for (var line = lines.start; line < lines.end; line++) {
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

// The same for stride 1, a row of the kernel an invocation, five outputs at a time.

fn slope(start: u32, column: u32) -> vec4<f32> {
    let value = gradient[start + min(column, params.ow - 1u) * params.quads];
    return select(vec4(0.0), value, column < params.ow);
}

@compute @workgroup_size(64)
fn slide_weight_3(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quad = index % params.quads;
    let ky = index / params.quads % 3u;
    let chunk = index / (3u * params.quads);
    if chunk >= params.chunks {
        return;
    }
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    let lines = chunk_of(chunk, params.n * params.oh);
    for (var at = lines.start; at < lines.end; at++) {
        let line = line_of(Strip(quad, 0u, at % params.oh, at / params.oh), ky);
        let start = at * params.ow * params.quads + quad;
        for (var column = 0u; column < params.ow; column += 5u) {
            let left = i32(column) - i32(params.pad_left);
            let g0 = slope(start, column + 0u);
            let g1 = slope(start, column + 1u);
            let g2 = slope(start, column + 2u);
            let g3 = slope(start, column + 3u);
            let g4 = slope(start, column + 4u);
            let x0 = pixel(line, left + 0);
            let x1 = pixel(line, left + 1);
            let x2 = pixel(line, left + 2);
            let x3 = pixel(line, left + 3);
            let x4 = pixel(line, left + 4);
            let x5 = pixel(line, left + 5);
            let x6 = pixel(line, left + 6);
            s0 = fma(x4, g4, fma(x3, g3, fma(x2, g2, fma(x1, g1, fma(x0, g0, s0)))));
            s1 = fma(x5, g4, fma(x4, g3, fma(x3, g2, fma(x2, g1, fma(x1, g0, s1)))));
            s2 = fma(x6, g4, fma(x5, g3, fma(x4, g2, fma(x3, g1, fma(x2, g0, s2)))));
        }
    }
    let tap = (chunk * 3u + ky) * 3u;
    partial[(tap + 0u) * params.quads + quad] = s0;
    partial[(tap + 1u) * params.quads + quad] = s1;
    partial[(tap + 2u) * params.quads + quad] = s2;
}

@compute @workgroup_size(64)
fn slide_weight_5(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let quad = index % params.quads;
    let ky = index / params.quads % 5u;
    let chunk = index / (5u * params.quads);
    if chunk >= params.chunks {
        return;
    }
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    let lines = chunk_of(chunk, params.n * params.oh);
    for (var at = lines.start; at < lines.end; at++) {
        let line = line_of(Strip(quad, 0u, at % params.oh, at / params.oh), ky);
        let start = at * params.ow * params.quads + quad;
        for (var column = 0u; column < params.ow; column += 5u) {
            let left = i32(column) - i32(params.pad_left);
            let g0 = slope(start, column + 0u);
            let g1 = slope(start, column + 1u);
            let g2 = slope(start, column + 2u);
            let g3 = slope(start, column + 3u);
            let g4 = slope(start, column + 4u);
            let x0 = pixel(line, left + 0);
            let x1 = pixel(line, left + 1);
            let x2 = pixel(line, left + 2);
            let x3 = pixel(line, left + 3);
            let x4 = pixel(line, left + 4);
            let x5 = pixel(line, left + 5);
            let x6 = pixel(line, left + 6);
            let x7 = pixel(line, left + 7);
            let x8 = pixel(line, left + 8);
            s0 = fma(x4, g4, fma(x3, g3, fma(x2, g2, fma(x1, g1, fma(x0, g0, s0)))));
            s1 = fma(x5, g4, fma(x4, g3, fma(x3, g2, fma(x2, g1, fma(x1, g0, s1)))));
            s2 = fma(x6, g4, fma(x5, g3, fma(x4, g2, fma(x3, g1, fma(x2, g0, s2)))));
            s3 = fma(x7, g4, fma(x6, g3, fma(x5, g2, fma(x4, g1, fma(x3, g0, s3)))));
            s4 = fma(x8, g4, fma(x7, g3, fma(x6, g2, fma(x5, g1, fma(x4, g0, s4)))));
        }
    }
    let tap = (chunk * 5u + ky) * 5u;
    partial[(tap + 0u) * params.quads + quad] = s0;
    partial[(tap + 1u) * params.quads + quad] = s1;
    partial[(tap + 2u) * params.quads + quad] = s2;
    partial[(tap + 3u) * params.quads + quad] = s3;
    partial[(tap + 4u) * params.quads + quad] = s4;
}
