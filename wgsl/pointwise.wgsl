// Products of a tall matrix with a weight: a 1x1 convolution over N*H*W pixels.
// M: pixels, K: input channels, N: output channels; K and N are multiples of 4.
// Each invocation keeps an 8 x 8 tile in registers, without shared memory.

struct Params {
    m: u32,
    k: u32,
    n: u32,
    rows_per_chunk: u32,
    chunks: u32,
    activation: u32, // 0 identity, 1 SiLU, 2 ReLU6; where a batch-norm is folded in
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [M, K]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, N]; backward [N, K]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [M, N]
@group(0) @binding(4) var<storage, read> affine: array<vec4<f32>>; // [2, C]: of the folded batch-norm, shift last

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>; // [M, N]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, N]

// Weights of four inner channels (a vector each) and four outer ones.
struct Block {
    w0: vec4<f32>,
    w1: vec4<f32>,
    w2: vec4<f32>,
    w3: vec4<f32>,
}

// Block `i` of the inner and `column` of the outer channels, from a weight that lies
// [inner, outer] or, transposed, [outer, inner].
fn block_of(i: u32, column: u32, transposed: bool) -> Block {
    if transposed {
        let pitch = params.k / 4u;
        let at = 4u * column * pitch + i;
        let c0 = weight[at];
        let c1 = weight[at + pitch];
        let c2 = weight[at + 2u * pitch];
        let c3 = weight[at + 3u * pitch];
        return Block(
            vec4(c0.x, c1.x, c2.x, c3.x),
            vec4(c0.y, c1.y, c2.y, c3.y),
            vec4(c0.z, c1.z, c2.z, c3.z),
            vec4(c0.w, c1.w, c2.w, c3.w),
        );
    }
    let pitch = params.n / 4u;
    let at = 4u * i * pitch + column;
    return Block(weight[at], weight[at + pitch], weight[at + 2u * pitch], weight[at + 3u * pitch]);
}

fn multiply_add(row: vec4<f32>, by: Block, sum: vec4<f32>) -> vec4<f32> {
    return fma(
        vec4(row.w),
        by.w3,
        fma(vec4(row.z), by.w2, fma(vec4(row.y), by.w1, fma(vec4(row.x), by.w0, sum))),
    );
}

// Eight rows of two quads of columns.
struct Tile {
    row: u32,
    column: u32,
    s0a: vec4<f32>,
    s0b: vec4<f32>,
    s1a: vec4<f32>,
    s1b: vec4<f32>,
    s2a: vec4<f32>,
    s2b: vec4<f32>,
    s3a: vec4<f32>,
    s3b: vec4<f32>,
    s4a: vec4<f32>,
    s4b: vec4<f32>,
    s5a: vec4<f32>,
    s5b: vec4<f32>,
    s6a: vec4<f32>,
    s6b: vec4<f32>,
    s7a: vec4<f32>,
    s7b: vec4<f32>,
}

fn product(index: u32, transposed: bool) -> Tile {
    let k4 = params.k / 4u;
    let n4 = params.n / 4u;
    let tiles_n = (n4 + 1u) / 2u;
    let row = (index / tiles_n) * 8u;
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
        let a = block_of(i, ca, transposed);
        let b = block_of(i, cb, transposed);
        let x0 = x[at0 + i];
        s0a = multiply_add(x0, a, s0a);
        s0b = multiply_add(x0, b, s0b);
        let x1 = x[at1 + i];
        s1a = multiply_add(x1, a, s1a);
        s1b = multiply_add(x1, b, s1b);
        let x2 = x[at2 + i];
        s2a = multiply_add(x2, a, s2a);
        s2b = multiply_add(x2, b, s2b);
        let x3 = x[at3 + i];
        s3a = multiply_add(x3, a, s3a);
        s3b = multiply_add(x3, b, s3b);
        let x4 = x[at4 + i];
        s4a = multiply_add(x4, a, s4a);
        s4b = multiply_add(x4, b, s4b);
        let x5 = x[at5 + i];
        s5a = multiply_add(x5, a, s5a);
        s5b = multiply_add(x5, b, s5b);
        let x6 = x[at6 + i];
        s6a = multiply_add(x6, a, s6a);
        s6b = multiply_add(x6, b, s6b);
        let x7 = x[at7 + i];
        s7a = multiply_add(x7, a, s7a);
        s7b = multiply_add(x7, b, s7b);
    }
    return Tile(
        row, ca,
        s0a, s0b,
        s1a, s1b,
        s2a, s2b,
        s3a, s3b,
        s4a, s4b,
        s5a, s5b,
        s6a, s6b,
        s7a, s7b,
    );
}

fn store_tile(tile: Tile) {
    store(tile.row + 0u, tile.column, tile.s0a, tile.s0b);
    store(tile.row + 1u, tile.column, tile.s1a, tile.s1b);
    store(tile.row + 2u, tile.column, tile.s2a, tile.s2b);
    store(tile.row + 3u, tile.column, tile.s3a, tile.s3b);
    store(tile.row + 4u, tile.column, tile.s4a, tile.s4b);
    store(tile.row + 5u, tile.column, tile.s5a, tile.s5b);
    store(tile.row + 6u, tile.column, tile.s6a, tile.s6b);
    store(tile.row + 7u, tile.column, tile.s7a, tile.s7b);
}

fn store(row: u32, column: u32, a: vec4<f32>, b: vec4<f32>) {
    let quads = params.n / 4u;
    if row < params.m {
        y[row * quads + column] = a;
        if column + 1u < quads {
            y[row * quads + column + 1u] = b;
        }
    }
}

// y = x weight.
@compute @workgroup_size(64)
fn forward(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    store_tile(product(id.x + id.y * groups.x * 64u, false));
}

// dx = dy weight^T: x is dy here and y is dx, K counts its channels and N those of dx.
@compute @workgroup_size(64)
fn backward_input(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    store_tile(product(id.x + id.y * groups.x * 64u, true));
}

// The folded batch-norm's shift, and its activation.
fn finish(value: vec4<f32>, quad: u32, quads: u32) -> vec4<f32> {
    let u = value + affine[quads + quad];
    switch params.activation {
        case 1u: {
            return u / (1.0 + exp(-u));
        }
        case 2u: {
            return clamp(u, vec4(0.0), vec4(6.0));
        }
        default: {
            return u;
        }
    }
}

// y = activation(x weight + shift).
@compute @workgroup_size(64)
fn forward_folded(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let tile = product(id.x + id.y * groups.x * 64u, false);
    let quads = params.n / 4u;
    let a = tile.column;
    let b = min(a + 1u, quads - 1u);
    store_tile(Tile(
        tile.row, tile.column,
        finish(tile.s0a, a, quads), finish(tile.s0b, b, quads),
        finish(tile.s1a, a, quads), finish(tile.s1b, b, quads),
        finish(tile.s2a, a, quads), finish(tile.s2b, b, quads),
        finish(tile.s3a, a, quads), finish(tile.s3b, b, quads),
        finish(tile.s4a, a, quads), finish(tile.s4b, b, quads),
        finish(tile.s5a, a, quads), finish(tile.s5b, b, quads),
        finish(tile.s6a, a, quads), finish(tile.s6b, b, quads),
        finish(tile.s7a, a, quads), finish(tile.s7b, b, quads),
    ));
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
