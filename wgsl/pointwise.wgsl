// Products of a tall matrix with a weight: a 1x1 convolution over N*H*W pixels.
// M: pixels, K: input channels, N: output channels; K and N are multiples of 4.
// Each invocation keeps an 8 x 8 tile in registers, without shared memory.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    rows_per_chunk: u32,
    chunks: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [M, K]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, N]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [M, N]

@group(0) @binding(1) var<storage, read> matrix: array<f32>; // [K, N]
@group(0) @binding(2) var<storage, read_write> transposed: array<f32>; // [N, K]

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>; // [M, N]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, N]

fn multiply_add(
    row: vec4<f32>,
    w0: vec4<f32>,
    w1: vec4<f32>,
    w2: vec4<f32>,
    w3: vec4<f32>,
    sum: vec4<f32>,
) -> vec4<f32> {
    return fma(vec4(row.w), w3, fma(vec4(row.z), w2, fma(vec4(row.y), w1, fma(vec4(row.x), w0, sum))));
}

// y = x weight. With a transposed weight this is also the input's gradient.
@compute @workgroup_size(64)
fn forward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let k4 = params.k / 4u;
    let n4 = params.n / 4u;
    let tiles_n = (n4 + 1u) / 2u;
    let row = (index / tiles_n) * 8u;
    if row >= params.m {
        return;
    }
    let ca = (index % tiles_n) * 2u;
    let cb = min(ca + 1u, n4 - 1u);
    let last = params.m - 1u;
    let at0 = min(row + 0u, last) * k4;
    let at1 = min(row + 1u, last) * k4;
    let at2 = min(row + 2u, last) * k4;
    let at3 = min(row + 3u, last) * k4;
    let at4 = min(row + 4u, last) * k4;
    let at5 = min(row + 5u, last) * k4;
    let at6 = min(row + 6u, last) * k4;
    let at7 = min(row + 7u, last) * k4;
    var s0a = vec4(0.0);
    var s0b = vec4(0.0);
    var s1a = vec4(0.0);
    var s1b = vec4(0.0);
    var s2a = vec4(0.0);
    var s2b = vec4(0.0);
    var s3a = vec4(0.0);
    var s3b = vec4(0.0);
    var s4a = vec4(0.0);
    var s4b = vec4(0.0);
    var s5a = vec4(0.0);
    var s5b = vec4(0.0);
    var s6a = vec4(0.0);
    var s6b = vec4(0.0);
    var s7a = vec4(0.0);
    var s7b = vec4(0.0);
    for (var i = 0u; i < k4; i++) {
        let w = 4u * i * n4;
        let w0a = weight[w + 0u * n4 + ca];
        let w0b = weight[w + 0u * n4 + cb];
        let w1a = weight[w + 1u * n4 + ca];
        let w1b = weight[w + 1u * n4 + cb];
        let w2a = weight[w + 2u * n4 + ca];
        let w2b = weight[w + 2u * n4 + cb];
        let w3a = weight[w + 3u * n4 + ca];
        let w3b = weight[w + 3u * n4 + cb];
        let x0 = x[at0 + i];
        s0a = multiply_add(x0, w0a, w1a, w2a, w3a, s0a);
        s0b = multiply_add(x0, w0b, w1b, w2b, w3b, s0b);
        let x1 = x[at1 + i];
        s1a = multiply_add(x1, w0a, w1a, w2a, w3a, s1a);
        s1b = multiply_add(x1, w0b, w1b, w2b, w3b, s1b);
        let x2 = x[at2 + i];
        s2a = multiply_add(x2, w0a, w1a, w2a, w3a, s2a);
        s2b = multiply_add(x2, w0b, w1b, w2b, w3b, s2b);
        let x3 = x[at3 + i];
        s3a = multiply_add(x3, w0a, w1a, w2a, w3a, s3a);
        s3b = multiply_add(x3, w0b, w1b, w2b, w3b, s3b);
        let x4 = x[at4 + i];
        s4a = multiply_add(x4, w0a, w1a, w2a, w3a, s4a);
        s4b = multiply_add(x4, w0b, w1b, w2b, w3b, s4b);
        let x5 = x[at5 + i];
        s5a = multiply_add(x5, w0a, w1a, w2a, w3a, s5a);
        s5b = multiply_add(x5, w0b, w1b, w2b, w3b, s5b);
        let x6 = x[at6 + i];
        s6a = multiply_add(x6, w0a, w1a, w2a, w3a, s6a);
        s6b = multiply_add(x6, w0b, w1b, w2b, w3b, s6b);
        let x7 = x[at7 + i];
        s7a = multiply_add(x7, w0a, w1a, w2a, w3a, s7a);
        s7b = multiply_add(x7, w0b, w1b, w2b, w3b, s7b);
    }
    let two = ca + 1u < n4;
    store(row + 0u, ca, two, s0a, s0b);
    store(row + 1u, ca, two, s1a, s1b);
    store(row + 2u, ca, two, s2a, s2b);
    store(row + 3u, ca, two, s3a, s3b);
    store(row + 4u, ca, two, s4a, s4b);
    store(row + 5u, ca, two, s5a, s5b);
    store(row + 6u, ca, two, s6a, s6b);
    store(row + 7u, ca, two, s7a, s7b);
}

fn store(row: u32, column: u32, two: bool, a: vec4<f32>, b: vec4<f32>) {
    if row < params.m {
        let at = row * (params.n / 4u) + column;
        y[at] = a;
        if two {
            y[at + 1u] = b;
        }
    }
}

@compute @workgroup_size(64)
fn transpose(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    if index >= params.k * params.n {
        return;
    }
    let row = index / params.k;
    let column = index % params.k;
    transposed[index] = matrix[column * params.n + row];
}

// partial = x^T dy over a chunk of the M rows; the chunks are summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_weight(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let index = id.x + id.y * groups.x * 64u;
    let k4 = params.k / 4u;
    let n4 = params.n / 4u;
    let tiles_n = (n4 + 1u) / 2u;
    let tiles = tiles_n * ((k4 + 1u) / 2u);
    let chunk = index / tiles;
    if chunk >= params.chunks {
        return;
    }
    let tile = index % tiles;
    let ka = (tile / tiles_n) * 2u;
    let kb = min(ka + 1u, k4 - 1u);
    let ca = (tile % tiles_n) * 2u;
    let cb = min(ca + 1u, n4 - 1u);
    var s0a = vec4(0.0);
    var s0b = vec4(0.0);
    var s1a = vec4(0.0);
    var s1b = vec4(0.0);
    var s2a = vec4(0.0);
    var s2b = vec4(0.0);
    var s3a = vec4(0.0);
    var s3b = vec4(0.0);
    var s4a = vec4(0.0);
    var s4b = vec4(0.0);
    var s5a = vec4(0.0);
    var s5b = vec4(0.0);
    var s6a = vec4(0.0);
    var s6b = vec4(0.0);
    var s7a = vec4(0.0);
    var s7b = vec4(0.0);
    let end = min((chunk + 1u) * params.rows_per_chunk, params.m);
    for (var row = chunk * params.rows_per_chunk; row < end; row++) {
        let xa = x[row * k4 + ka];
        let xb = x[row * k4 + kb];
        let da = dy[row * n4 + ca];
        let db = dy[row * n4 + cb];
        s0a = fma(vec4(xa.x), da, s0a);
        s0b = fma(vec4(xa.x), db, s0b);
        s1a = fma(vec4(xa.y), da, s1a);
        s1b = fma(vec4(xa.y), db, s1b);
        s2a = fma(vec4(xa.z), da, s2a);
        s2b = fma(vec4(xa.z), db, s2b);
        s3a = fma(vec4(xa.w), da, s3a);
        s3b = fma(vec4(xa.w), db, s3b);
        s4a = fma(vec4(xb.x), da, s4a);
        s4b = fma(vec4(xb.x), db, s4b);
        s5a = fma(vec4(xb.y), da, s5a);
        s5b = fma(vec4(xb.y), db, s5b);
        s6a = fma(vec4(xb.z), da, s6a);
        s6b = fma(vec4(xb.z), db, s6b);
        s7a = fma(vec4(xb.w), da, s7a);
        s7b = fma(vec4(xb.w), db, s7b);
    }
    let two = ca + 1u < n4;
    let start = chunk * params.k;
    store_partial(start, 4u * ka + 0u, ca, two, s0a, s0b);
    store_partial(start, 4u * ka + 1u, ca, two, s1a, s1b);
    store_partial(start, 4u * ka + 2u, ca, two, s2a, s2b);
    store_partial(start, 4u * ka + 3u, ca, two, s3a, s3b);
    store_partial(start, 4u * ka + 4u, ca, two, s4a, s4b);
    store_partial(start, 4u * ka + 5u, ca, two, s5a, s5b);
    store_partial(start, 4u * ka + 6u, ca, two, s6a, s6b);
    store_partial(start, 4u * ka + 7u, ca, two, s7a, s7b);
}

fn store_partial(start: u32, row: u32, column: u32, two: bool, a: vec4<f32>, b: vec4<f32>) {
    if row < params.k {
        let at = (start + row) * (params.n / 4u) + column;
        partial[at] = a;
        if two {
            partial[at + 1u] = b;
        }
    }
}
