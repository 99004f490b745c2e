// Products of a tall matrix with a weight: a 1x1 convolution over N*H*W pixels.
// M: pixels, K: input channels, N: output channels; K and N are multiples of 4.
// Each invocation keeps an 8 x 8 tile in registers, without shared memory.
//!use block, chunk, folded, invocation

struct Params {
    m: u32,
    k: u32,
    n: u32,
    rows_per_chunk: u32,
    chunks: u32,
    activation: u32, // where a batch-norm is folded in
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [M, K]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, N]; backward [N, K]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [M, N]

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>; // [M, N]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, N]

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
    let pitch = select(n4, k4, transposed);
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
        let a = block_of(i, ca, pitch, transposed);
        let b = block_of(i, cb, pitch, transposed);
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
fn forward(invocation: Invocation) {
    store_tile(product(index_of(invocation.id, invocation.groups), false));
}

// dx = dy weight^T: x is dy here and y is dx, K counts its channels and N those of dx.
@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    store_tile(product(index_of(invocation.id, invocation.groups), true));
}

// y = activation(x weight + shift).
@compute @workgroup_size(64)
fn forward_folded(invocation: Invocation) {
    let tile = product(index_of(invocation.id, invocation.groups), false);
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
fn backward_weight(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
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
    let rows = chunk_of(chunk, params.m);
    for (var row = rows.start; row < rows.end; row++) {
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
