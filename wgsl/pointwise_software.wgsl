// The products of pointwise.wgsl for drivers that run shaders on a CPU. Such a driver
// keeps a subgroup's lanes in one vector register and loads a storage buffer lane by
// lane, which costs more than the arithmetic, unless it knows that every lane asks for
// the same value: then it loads once. Mesa's knows it of what is computed from constants
// and immediates alone, not of loop counters and workgroup ids; so these pass through a
// table of immediates first, whose entry i is i. Half of the operands come that way.
// M: pixels, K: input channels, N: output channels; K and N are multiples of 4.
//!use block, folded, workgroup

struct Params {
    m: u32,
    k: u32,
    n: u32,
    activation: u32, // where a batch-norm is folded in
}

struct Table {
    entries: array<u32, 32>, // 0, 1, 2, ...
}

struct Gradient {
    m: u32,
    wide: u32, // channels of the wider of x and dy
    narrow: u32, // channels of the other
    rows_per_chunk: u32,
    length: u32, // K N
    wide_stride: u32, // of partial: 1 where dy is the wider, N where x is
    narrow_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
var<immediate> table: Table;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [M, K]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, N]; backward [N, K]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [M, N]

@group(0) @binding(0) var<uniform> gradient: Gradient;
@group(0) @binding(1) var<storage, read> wide: array<vec4<f32>>; // [M, wide]
@group(0) @binding(2) var<storage, read> narrow: array<vec4<f32>>; // [M, narrow]
@group(0) @binding(3) var<storage, read_write> partial: array<f32>; // [chunks, K, N]

// i for the compiler to see as uniform: it must be under 2^15 and the same in the whole workgroup.
fn uniform_index(i: u32) -> u32 {
    return table.entries[i % 32u] + 32u * table.entries[i / 32u % 32u] + 1024u * table.entries[i / 1024u % 32u];
}

// The same for any i under 2^30.
fn uniform_row(i: u32) -> u32 {
    return uniform_index(i % 32768u) + 32768u * uniform_index(i / 32768u);
}

// Finishes a column that may lie beyond the last, and is not stored then.
fn finish_near(value: vec4<f32>, quad: u32, quads: u32) -> vec4<f32> {
    return finish(value, min(quad, quads - 1u), quads);
}

fn store(row: u32, column: u32, value: vec4<f32>) {
    let n4 = params.n / 4u;
    if row < params.m && column < n4 {
        y[row * n4 + column] = value;
    }
}

struct Tile16 {
    row: u32,
    column: u32,
    s0a: vec4<f32>,
    s0b: vec4<f32>,
    s0c: vec4<f32>,
    s0d: vec4<f32>,
    s1a: vec4<f32>,
    s1b: vec4<f32>,
    s1c: vec4<f32>,
    s1d: vec4<f32>,
    s2a: vec4<f32>,
    s2b: vec4<f32>,
    s2c: vec4<f32>,
    s2d: vec4<f32>,
    s3a: vec4<f32>,
    s3b: vec4<f32>,
    s3c: vec4<f32>,
    s3d: vec4<f32>,
}

// y = x weight, or x weight^T. A workgroup makes 32 rows of 16 columns: a lane has four rows of its
// own, 8 apart, and the columns' weights are the same for all.
fn product_16(lane: u32, place: vec3<u32>, groups: vec3<u32>, transposed: bool) -> Tile16 {
    let tile = place.y + place.z * groups.y;
    let k4 = params.k / 4u;
    let n4 = params.n / 4u;
    let row = tile * 32u + lane;
    let column = place.x * 4u;
    let at0 = min(row + 0u, params.m - 1u) * k4;
    let at1 = min(row + 8u, params.m - 1u) * k4;
    let at2 = min(row + 16u, params.m - 1u) * k4;
    let at3 = min(row + 24u, params.m - 1u) * k4;
    let last = uniform_index(n4 - 1u);
    let pitch = select(last, uniform_index(k4 - 1u), transposed) + 1u;
    let ca = uniform_index(column);
    let cb = min(ca + 1u, last);
    let cc = min(ca + 2u, last);
    let cd = min(ca + 3u, last);
    var s0a = vec4(0.0);
    var s0b = vec4(0.0);
    var s0c = vec4(0.0);
    var s0d = vec4(0.0);
    var s1a = vec4(0.0);
    var s1b = vec4(0.0);
    var s1c = vec4(0.0);
    var s1d = vec4(0.0);
    var s2a = vec4(0.0);
    var s2b = vec4(0.0);
    var s2c = vec4(0.0);
    var s2d = vec4(0.0);
    var s3a = vec4(0.0);
    var s3b = vec4(0.0);
    var s3c = vec4(0.0);
    var s3d = vec4(0.0);
    for (var block = 0u; block < k4; block += 32u) {
        let start = uniform_index(block);
        let count = min(k4 - block, 32u);
        for (var j = 0u; j < count; j++) {
            let x0 = x[at0 + block + j];
            let x1 = x[at1 + block + j];
            let x2 = x[at2 + block + j];
            let x3 = x[at3 + block + j];
            let i = start + table.entries[j];
            let a = block_of(i, ca, pitch, transposed);
            s0a = multiply_add(x0, a, s0a);
            s1a = multiply_add(x1, a, s1a);
            s2a = multiply_add(x2, a, s2a);
            s3a = multiply_add(x3, a, s3a);
            let b = block_of(i, cb, pitch, transposed);
            s0b = multiply_add(x0, b, s0b);
            s1b = multiply_add(x1, b, s1b);
            s2b = multiply_add(x2, b, s2b);
            s3b = multiply_add(x3, b, s3b);
            let c = block_of(i, cc, pitch, transposed);
            s0c = multiply_add(x0, c, s0c);
            s1c = multiply_add(x1, c, s1c);
            s2c = multiply_add(x2, c, s2c);
            s3c = multiply_add(x3, c, s3c);
            let d = block_of(i, cd, pitch, transposed);
            s0d = multiply_add(x0, d, s0d);
            s1d = multiply_add(x1, d, s1d);
            s2d = multiply_add(x2, d, s2d);
            s3d = multiply_add(x3, d, s3d);
        }
    }
    return Tile16(
        row, column,
        s0a, s0b, s0c, s0d,
        s1a, s1b, s1c, s1d,
        s2a, s2b, s2c, s2d,
        s3a, s3b, s3c, s3d,
    );
}

fn store_16(tile: Tile16) {
    store(tile.row + 0u, tile.column + 0u, tile.s0a);
    store(tile.row + 0u, tile.column + 1u, tile.s0b);
    store(tile.row + 0u, tile.column + 2u, tile.s0c);
    store(tile.row + 0u, tile.column + 3u, tile.s0d);
    store(tile.row + 8u, tile.column + 0u, tile.s1a);
    store(tile.row + 8u, tile.column + 1u, tile.s1b);
    store(tile.row + 8u, tile.column + 2u, tile.s1c);
    store(tile.row + 8u, tile.column + 3u, tile.s1d);
    store(tile.row + 16u, tile.column + 0u, tile.s2a);
    store(tile.row + 16u, tile.column + 1u, tile.s2b);
    store(tile.row + 16u, tile.column + 2u, tile.s2c);
    store(tile.row + 16u, tile.column + 3u, tile.s2d);
    store(tile.row + 24u, tile.column + 0u, tile.s3a);
    store(tile.row + 24u, tile.column + 1u, tile.s3b);
    store(tile.row + 24u, tile.column + 2u, tile.s3c);
    store(tile.row + 24u, tile.column + 3u, tile.s3d);
}

@compute @workgroup_size(8)
fn forward_16(at: Workgroup) {
    store_16(product_16(at.lane, at.place, at.groups, false));
}

// x is dy here and y is dx, K counts the channels of dy and N those of dx.
@compute @workgroup_size(8)
fn backward_16(at: Workgroup) {
    store_16(product_16(at.lane, at.place, at.groups, true));
}

// y = activation(x weight + shift).
@compute @workgroup_size(8)
fn forward_16_folded(at: Workgroup) {
    let tile = product_16(at.lane, at.place, at.groups, false);
    let quads = params.n / 4u;
    let column = tile.column;
    store_16(Tile16(
        tile.row, tile.column,
        finish_near(tile.s0a, column + 0u, quads), finish_near(tile.s0b, column + 1u, quads), finish_near(tile.s0c, column + 2u, quads), finish_near(tile.s0d, column + 3u, quads),
        finish_near(tile.s1a, column + 0u, quads), finish_near(tile.s1b, column + 1u, quads), finish_near(tile.s1c, column + 2u, quads), finish_near(tile.s1d, column + 3u, quads),
        finish_near(tile.s2a, column + 0u, quads), finish_near(tile.s2b, column + 1u, quads), finish_near(tile.s2c, column + 2u, quads), finish_near(tile.s2d, column + 3u, quads),
        finish_near(tile.s3a, column + 0u, quads), finish_near(tile.s3b, column + 1u, quads), finish_near(tile.s3c, column + 2u, quads), finish_near(tile.s3d, column + 3u, quads),
    ));
}

struct Tile24 {
    row: u32,
    column: u32,
    s0a: vec4<f32>,
    s0b: vec4<f32>,
    s0c: vec4<f32>,
    s0d: vec4<f32>,
    s0e: vec4<f32>,
    s0f: vec4<f32>,
    s1a: vec4<f32>,
    s1b: vec4<f32>,
    s1c: vec4<f32>,
    s1d: vec4<f32>,
    s1e: vec4<f32>,
    s1f: vec4<f32>,
    s2a: vec4<f32>,
    s2b: vec4<f32>,
    s2c: vec4<f32>,
    s2d: vec4<f32>,
    s2e: vec4<f32>,
    s2f: vec4<f32>,
}

// The same in tiles of 24 rows and 24 columns, for the widths that 16 fits badly.
fn product_24(lane: u32, place: vec3<u32>, groups: vec3<u32>, transposed: bool) -> Tile24 {
    let tile = place.y + place.z * groups.y;
    let k4 = params.k / 4u;
    let n4 = params.n / 4u;
    let row = tile * 24u + lane;
    let column = place.x * 6u;
    let at0 = min(row + 0u, params.m - 1u) * k4;
    let at1 = min(row + 8u, params.m - 1u) * k4;
    let at2 = min(row + 16u, params.m - 1u) * k4;
    let last = uniform_index(n4 - 1u);
    let pitch = select(last, uniform_index(k4 - 1u), transposed) + 1u;
    let ca = uniform_index(column);
    let cb = min(ca + 1u, last);
    let cc = min(ca + 2u, last);
    let cd = min(ca + 3u, last);
    let ce = min(ca + 4u, last);
    let cf = min(ca + 5u, last);
    var s0a = vec4(0.0);
    var s0b = vec4(0.0);
    var s0c = vec4(0.0);
    var s0d = vec4(0.0);
    var s0e = vec4(0.0);
    var s0f = vec4(0.0);
    var s1a = vec4(0.0);
    var s1b = vec4(0.0);
    var s1c = vec4(0.0);
    var s1d = vec4(0.0);
    var s1e = vec4(0.0);
    var s1f = vec4(0.0);
    var s2a = vec4(0.0);
    var s2b = vec4(0.0);
    var s2c = vec4(0.0);
    var s2d = vec4(0.0);
    var s2e = vec4(0.0);
    var s2f = vec4(0.0);
    for (var block = 0u; block < k4; block += 32u) {
        let start = uniform_index(block);
        let count = min(k4 - block, 32u);
        for (var j = 0u; j < count; j++) {
            let x0 = x[at0 + block + j];
            let x1 = x[at1 + block + j];
            let x2 = x[at2 + block + j];
            let i = start + table.entries[j];
            let a = block_of(i, ca, pitch, transposed);
            s0a = multiply_add(x0, a, s0a);
            s1a = multiply_add(x1, a, s1a);
            s2a = multiply_add(x2, a, s2a);
            let b = block_of(i, cb, pitch, transposed);
            s0b = multiply_add(x0, b, s0b);
            s1b = multiply_add(x1, b, s1b);
            s2b = multiply_add(x2, b, s2b);
            let c = block_of(i, cc, pitch, transposed);
            s0c = multiply_add(x0, c, s0c);
            s1c = multiply_add(x1, c, s1c);
            s2c = multiply_add(x2, c, s2c);
            let d = block_of(i, cd, pitch, transposed);
            s0d = multiply_add(x0, d, s0d);
            s1d = multiply_add(x1, d, s1d);
            s2d = multiply_add(x2, d, s2d);
            let e = block_of(i, ce, pitch, transposed);
            s0e = multiply_add(x0, e, s0e);
            s1e = multiply_add(x1, e, s1e);
            s2e = multiply_add(x2, e, s2e);
            let f = block_of(i, cf, pitch, transposed);
            s0f = multiply_add(x0, f, s0f);
            s1f = multiply_add(x1, f, s1f);
            s2f = multiply_add(x2, f, s2f);
        }
    }
    return Tile24(
        row, column,
        s0a, s0b, s0c, s0d, s0e, s0f,
        s1a, s1b, s1c, s1d, s1e, s1f,
        s2a, s2b, s2c, s2d, s2e, s2f,
    );
}

fn store_24(tile: Tile24) {
    store(tile.row + 0u, tile.column + 0u, tile.s0a);
    store(tile.row + 0u, tile.column + 1u, tile.s0b);
    store(tile.row + 0u, tile.column + 2u, tile.s0c);
    store(tile.row + 0u, tile.column + 3u, tile.s0d);
    store(tile.row + 0u, tile.column + 4u, tile.s0e);
    store(tile.row + 0u, tile.column + 5u, tile.s0f);
    store(tile.row + 8u, tile.column + 0u, tile.s1a);
    store(tile.row + 8u, tile.column + 1u, tile.s1b);
    store(tile.row + 8u, tile.column + 2u, tile.s1c);
    store(tile.row + 8u, tile.column + 3u, tile.s1d);
    store(tile.row + 8u, tile.column + 4u, tile.s1e);
    store(tile.row + 8u, tile.column + 5u, tile.s1f);
    store(tile.row + 16u, tile.column + 0u, tile.s2a);
    store(tile.row + 16u, tile.column + 1u, tile.s2b);
    store(tile.row + 16u, tile.column + 2u, tile.s2c);
    store(tile.row + 16u, tile.column + 3u, tile.s2d);
    store(tile.row + 16u, tile.column + 4u, tile.s2e);
    store(tile.row + 16u, tile.column + 5u, tile.s2f);
}

@compute @workgroup_size(8)
fn forward_24(at: Workgroup) {
    store_24(product_24(at.lane, at.place, at.groups, false));
}

// x is dy here and y is dx, K counts the channels of dy and N those of dx.
@compute @workgroup_size(8)
fn backward_24(at: Workgroup) {
    store_24(product_24(at.lane, at.place, at.groups, true));
}

// y = activation(x weight + shift).
@compute @workgroup_size(8)
fn forward_24_folded(at: Workgroup) {
    let tile = product_24(at.lane, at.place, at.groups, false);
    let quads = params.n / 4u;
    let column = tile.column;
    store_24(Tile24(
        tile.row, tile.column,
        finish_near(tile.s0a, column + 0u, quads), finish_near(tile.s0b, column + 1u, quads), finish_near(tile.s0c, column + 2u, quads), finish_near(tile.s0d, column + 3u, quads), finish_near(tile.s0e, column + 4u, quads), finish_near(tile.s0f, column + 5u, quads),
        finish_near(tile.s1a, column + 0u, quads), finish_near(tile.s1b, column + 1u, quads), finish_near(tile.s1c, column + 2u, quads), finish_near(tile.s1d, column + 3u, quads), finish_near(tile.s1e, column + 4u, quads), finish_near(tile.s1f, column + 5u, quads),
        finish_near(tile.s2a, column + 0u, quads), finish_near(tile.s2b, column + 1u, quads), finish_near(tile.s2c, column + 2u, quads), finish_near(tile.s2d, column + 3u, quads), finish_near(tile.s2e, column + 4u, quads), finish_near(tile.s2f, column + 5u, quads),
    ));
}

// partial = x^T dy over a chunk of the M rows; the chunks are summed by reduce.wgsl.
// A workgroup takes 32 channels of the wider matrix, four a lane, and 16 of the other,
// which are the same for all lanes.
@compute @workgroup_size(8)
fn backward_weight(
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) place: vec3<u32>,
) {
    let wide4 = gradient.wide / 4u;
    let narrow4 = gradient.narrow / 4u;
    let quad = place.x * 8u + lane;
    let at = min(quad, wide4 - 1u);
    let column = place.y * 4u;
    let last = uniform_index(narrow4 - 1u);
    let pitch = last + 1u;
    let ca = uniform_index(column);
    let cb = min(ca + 1u, last);
    let cc = min(ca + 2u, last);
    let cd = min(ca + 3u, last);
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    var s8 = vec4(0.0);
    var s9 = vec4(0.0);
    var s10 = vec4(0.0);
    var s11 = vec4(0.0);
    var s12 = vec4(0.0);
    var s13 = vec4(0.0);
    var s14 = vec4(0.0);
    var s15 = vec4(0.0);
    let first = place.z * gradient.rows_per_chunk;
    let end = min(first + gradient.rows_per_chunk, gradient.m);
    let most = uniform_row(end - 1u) * pitch;
    for (var block = first; block < end; block += 128u) {
        let start = uniform_row(block) * pitch;
        let count = min((end - block + 3u) / 4u, 32u);
        for (var j = 0u; j < count; j++) {
            // Rows past the end are the last one again, times zero.
            let row = block + 4u * j;
            let v0 = wide[row * wide4 + at];
            let v1 = within(row + 1u, end, wide[min(row + 1u, end - 1u) * wide4 + at]);
            let v2 = within(row + 2u, end, wide[min(row + 2u, end - 1u) * wide4 + at]);
            let v3 = within(row + 3u, end, wide[min(row + 3u, end - 1u) * wide4 + at]);
            let v = Block(v0, v1, v2, v3);
            let r0 = start + 4u * table.entries[j] * pitch;
            let r1 = min(r0 + pitch, most);
            let r2 = min(r1 + pitch, most);
            let r3 = min(r2 + pitch, most);
            let n0a = narrow[r0 + ca];
            let n1a = narrow[r1 + ca];
            let n2a = narrow[r2 + ca];
            let n3a = narrow[r3 + ca];
            s0 = multiply_add(vec4(n0a.x, n1a.x, n2a.x, n3a.x), v, s0);
            s1 = multiply_add(vec4(n0a.y, n1a.y, n2a.y, n3a.y), v, s1);
            s2 = multiply_add(vec4(n0a.z, n1a.z, n2a.z, n3a.z), v, s2);
            s3 = multiply_add(vec4(n0a.w, n1a.w, n2a.w, n3a.w), v, s3);
            let n0b = narrow[r0 + cb];
            let n1b = narrow[r1 + cb];
            let n2b = narrow[r2 + cb];
            let n3b = narrow[r3 + cb];
            s4 = multiply_add(vec4(n0b.x, n1b.x, n2b.x, n3b.x), v, s4);
            s5 = multiply_add(vec4(n0b.y, n1b.y, n2b.y, n3b.y), v, s5);
            s6 = multiply_add(vec4(n0b.z, n1b.z, n2b.z, n3b.z), v, s6);
            s7 = multiply_add(vec4(n0b.w, n1b.w, n2b.w, n3b.w), v, s7);
            let n0c = narrow[r0 + cc];
            let n1c = narrow[r1 + cc];
            let n2c = narrow[r2 + cc];
            let n3c = narrow[r3 + cc];
            s8 = multiply_add(vec4(n0c.x, n1c.x, n2c.x, n3c.x), v, s8);
            s9 = multiply_add(vec4(n0c.y, n1c.y, n2c.y, n3c.y), v, s9);
            s10 = multiply_add(vec4(n0c.z, n1c.z, n2c.z, n3c.z), v, s10);
            s11 = multiply_add(vec4(n0c.w, n1c.w, n2c.w, n3c.w), v, s11);
            let n0d = narrow[r0 + cd];
            let n1d = narrow[r1 + cd];
            let n2d = narrow[r2 + cd];
            let n3d = narrow[r3 + cd];
            s12 = multiply_add(vec4(n0d.x, n1d.x, n2d.x, n3d.x), v, s12);
            s13 = multiply_add(vec4(n0d.y, n1d.y, n2d.y, n3d.y), v, s13);
            s14 = multiply_add(vec4(n0d.z, n1d.z, n2d.z, n3d.z), v, s14);
            s15 = multiply_add(vec4(n0d.w, n1d.w, n2d.w, n3d.w), v, s15);
        }
    }
    let keep = quad < wide4;
    let origin = place.z * gradient.length + 4u * quad * gradient.wide_stride;
    store_partial(origin, 4u * column + 0u, keep, s0);
    store_partial(origin, 4u * column + 1u, keep, s1);
    store_partial(origin, 4u * column + 2u, keep, s2);
    store_partial(origin, 4u * column + 3u, keep, s3);
    store_partial(origin, 4u * column + 4u, keep, s4);
    store_partial(origin, 4u * column + 5u, keep, s5);
    store_partial(origin, 4u * column + 6u, keep, s6);
    store_partial(origin, 4u * column + 7u, keep, s7);
    store_partial(origin, 4u * column + 8u, keep, s8);
    store_partial(origin, 4u * column + 9u, keep, s9);
    store_partial(origin, 4u * column + 10u, keep, s10);
    store_partial(origin, 4u * column + 11u, keep, s11);
    store_partial(origin, 4u * column + 12u, keep, s12);
    store_partial(origin, 4u * column + 13u, keep, s13);
    store_partial(origin, 4u * column + 14u, keep, s14);
    store_partial(origin, 4u * column + 15u, keep, s15);
}

fn within(row: u32, end: u32, value: vec4<f32>) -> vec4<f32> {
    return select(vec4(0.0), value, row < end);
}

fn store_partial(origin: u32, channel: u32, keep: bool, value: vec4<f32>) {
    if keep && channel < gradient.narrow {
        let at = origin + channel * gradient.narrow_stride;
        partial[at] = value.x;
        partial[at + gradient.wide_stride] = value.y;
        partial[at + 2u * gradient.wide_stride] = value.z;
        partial[at + 3u * gradient.wide_stride] = value.w;
    }
}
