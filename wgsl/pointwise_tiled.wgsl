// The products of pointwise.wgsl for GPUs: a workgroup brings a slab of both matrices to
// its shared memory, and each invocation keeps an 8 x 8 tile of the result in registers.
// The 64 invocations stand in `across` columns, so that a narrow matrix does not leave
// most of them idle: the workgroup's tile is 8 * 64 / across high and 8 * across wide.
// Every sum runs over the inner index in order, whatever the tile.
//!use folded, workgroup

struct Params {
    rows: u32, // of the result
    inner: u32, // what is summed over
    columns: u32, // of the result
    across: u32, // a power of 2
    rows_per_chunk: u32, // of the inner index, for the weight's gradient
    activation: u32, // where a batch-norm is folded in
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [M, K]; for the input's gradient dy [M, N]
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>; // [K, N]
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>; // [M, N]; dx [M, K]

@group(0) @binding(2) var<storage, read> dy: array<vec4<f32>>; // [M, N]
@group(0) @binding(3) var<storage, read_write> partial: array<vec4<f32>>; // [chunks, K, N]

// Steps of the inner index that are in shared memory at a time.
const SLAB = 8u;
// Padding of a line of shared memory: what is stored across lines meets other banks.
const PAD = 4u;

// Left slab [SLAB, height + PAD], then the right one [SLAB, width + PAD]; at most 272 high
// and wide together.
var<workgroup> slab: array<f32, 2240>;

struct Tile {
    height: u32,
    width: u32,
    row: u32, // first row of the workgroup's tile
    column: u32, // first column
    down: u32, // the invocation's place in the tile
    right: u32,
    left_pitch: u32,
    right_pitch: u32,
    right_slab: u32, // where it begins
}

fn tile_of(invocation: u32, across_index: u32, down_index: u32) -> Tile {
    let height = 512u / params.across;
    let width = 8u * params.across;
    let left_pitch = height + PAD;
    return Tile(
        height,
        width,
        down_index * height,
        across_index * width,
        invocation / params.across,
        invocation % params.across,
        left_pitch,
        width + PAD,
        SLAB * left_pitch,
    );
}

fn keep_across(at: u32, pitch: u32, value: vec4<f32>) {
    slab[at] = value.x;
    slab[at + pitch] = value.y;
    slab[at + 2u * pitch] = value.z;
    slab[at + 3u * pitch] = value.w;
}

fn keep_along(at: u32, value: vec4<f32>) {
    slab[at] = value.x;
    slab[at + 1u] = value.y;
    slab[at + 2u] = value.z;
    slab[at + 3u] = value.w;
}

// Steps of the inner index from `inner` on, of the tile's rows of x [rows, inner]. Outside
// of the matrix there are zeros; so below.
fn bring_rows(invocation: u32, tile: Tile, inner: u32) {
    for (var item = invocation; item < 2u * tile.height; item += 64u) {
        let row = tile.row + item / 2u;
        let step = 4u * (item % 2u);
        var value = vec4(0.0);
        if row < params.rows && inner + step < params.inner {
            value = x[(row * params.inner + inner + step) / 4u];
        }
        keep_across(step * tile.left_pitch + item / 2u, tile.left_pitch, value);
    }
}

// The same of the tile's columns of the weight [inner, columns].
fn bring_columns(invocation: u32, tile: Tile, inner: u32) {
    let quads = tile.width / 4u;
    for (var item = invocation; item < SLAB * quads; item += 64u) {
        let step = item / quads;
        let column = tile.column + 4u * (item % quads);
        var value = vec4(0.0);
        if inner + step < params.inner && column < params.columns {
            value = weight[((inner + step) * params.columns + column) / 4u];
        }
        keep_along(tile.right_slab + step * tile.right_pitch + 4u * (item % quads), value);
    }
}

// The same of the weight [columns, inner].
fn bring_transposed(invocation: u32, tile: Tile, inner: u32) {
    for (var item = invocation; item < 2u * tile.width; item += 64u) {
        let column = tile.column + item / 2u;
        let step = 4u * (item % 2u);
        var value = vec4(0.0);
        if inner + step < params.inner && column < params.columns {
            value = weight[(column * params.inner + inner + step) / 4u];
        }
        keep_across(tile.right_slab + step * tile.right_pitch + item / 2u, tile.right_pitch, value);
    }
}

// A row of the invocation's tile of the result.
struct Row {
    a: vec4<f32>,
    b: vec4<f32>,
}

fn add(row: Row, factor: f32, a: vec4<f32>, b: vec4<f32>) -> Row {
    return Row(fma(vec4(factor), a, row.a), fma(vec4(factor), b, row.b));
}

fn four(at: u32) -> vec4<f32> {
    return vec4(slab[at], slab[at + 1u], slab[at + 2u], slab[at + 3u]);
}

// The invocation's columns: four at `4 right`, and four half a tile further, so that the
// invocations of a row read and write side by side.
fn store(tile: Tile, offset: u32, values: Row) {
    let row = tile.row + 8u * tile.down + offset;
    let a = tile.column + 4u * tile.right;
    let b = a + tile.width / 2u;
    if row < params.rows && a < params.columns {
        y[(row * params.columns + a) / 4u] = values.a;
    }
    if row < params.rows && b < params.columns {
        y[(row * params.columns + b) / 4u] = values.b;
    }
}

// An invocation's rows of the result.
struct Rows {
    s0: Row,
    s1: Row,
    s2: Row,
    s3: Row,
    s4: Row,
    s5: Row,
    s6: Row,
    s7: Row,
}

fn product(invocation: u32, tile: Tile, transposed: bool) -> Rows {
    var s0 = Row(vec4(0.0), vec4(0.0));
    var s1 = Row(vec4(0.0), vec4(0.0));
    var s2 = Row(vec4(0.0), vec4(0.0));
    var s3 = Row(vec4(0.0), vec4(0.0));
    var s4 = Row(vec4(0.0), vec4(0.0));
    var s5 = Row(vec4(0.0), vec4(0.0));
    var s6 = Row(vec4(0.0), vec4(0.0));
    var s7 = Row(vec4(0.0), vec4(0.0));
    for (var inner = 0u; inner < params.inner; inner += SLAB) {
        workgroupBarrier();
        bring_rows(invocation, tile, inner);
        if transposed {
            bring_transposed(invocation, tile, inner);
        } else {
            bring_columns(invocation, tile, inner);
        }
        workgroupBarrier();
        for (var step = 0u; step < SLAB; step++) {
            let left = step * tile.left_pitch + 8u * tile.down;
            let right = tile.right_slab + step * tile.right_pitch + 4u * tile.right;
            let a = four(right);
            let b = four(right + tile.width / 2u);
            s0 = add(s0, slab[left + 0u], a, b);
            s1 = add(s1, slab[left + 1u], a, b);
            s2 = add(s2, slab[left + 2u], a, b);
            s3 = add(s3, slab[left + 3u], a, b);
            s4 = add(s4, slab[left + 4u], a, b);
            s5 = add(s5, slab[left + 5u], a, b);
            s6 = add(s6, slab[left + 6u], a, b);
            s7 = add(s7, slab[left + 7u], a, b);
        }
    }
    return Rows(s0, s1, s2, s3, s4, s5, s6, s7);
}

fn store_rows(tile: Tile, rows: Rows) {
    store(tile, 0u, rows.s0);
    store(tile, 1u, rows.s1);
    store(tile, 2u, rows.s2);
    store(tile, 3u, rows.s3);
    store(tile, 4u, rows.s4);
    store(tile, 5u, rows.s5);
    store(tile, 6u, rows.s6);
    store(tile, 7u, rows.s7);
}

// y = x weight.
@compute @workgroup_size(64)
fn forward(at: Workgroup) {
    let tile = tile_of(at.lane, at.place.x, at.place.y + at.place.z * at.groups.y);
    store_rows(tile, product(at.lane, tile, false));
}

fn finish_row(tile: Tile, row: Row) -> Row {
    let quads = params.columns / 4u;
    let a = tile.column / 4u + tile.right;
    let b = a + tile.width / 8u;
    return Row(finish(row.a, min(a, quads - 1u), quads), finish(row.b, min(b, quads - 1u), quads));
}

// y = activation(x weight + shift).
@compute @workgroup_size(64)
fn forward_folded(at: Workgroup) {
    let tile = tile_of(at.lane, at.place.x, at.place.y + at.place.z * at.groups.y);
    let rows = product(at.lane, tile, false);
    store_rows(tile, Rows(
        finish_row(tile, rows.s0),
        finish_row(tile, rows.s1),
        finish_row(tile, rows.s2),
        finish_row(tile, rows.s3),
        finish_row(tile, rows.s4),
        finish_row(tile, rows.s5),
        finish_row(tile, rows.s6),
        finish_row(tile, rows.s7),
    ));
}

// dx = dy weight^T.
@compute @workgroup_size(64)
fn backward_input(at: Workgroup) {
    let tile = tile_of(at.lane, at.place.x, at.place.y + at.place.z * at.groups.y);
    store_rows(tile, product(at.lane, tile, true));
}

// Steps of the inner index, rows of x [M, K] and dy [M, N], of the tile's K and N.
fn bring_pixels(invocation: u32, tile: Tile, inner: u32, end: u32) {
    let tall = tile.height / 4u;
    for (var item = invocation; item < SLAB * tall; item += 64u) {
        let step = item / tall;
        let row = tile.row + 4u * (item % tall);
        var value = vec4(0.0);
        if inner + step < end && row < params.rows {
            value = x[((inner + step) * params.rows + row) / 4u];
        }
        keep_along(step * tile.left_pitch + 4u * (item % tall), value);
    }
    let wide = tile.width / 4u;
    for (var item = invocation; item < SLAB * wide; item += 64u) {
        let step = item / wide;
        let column = tile.column + 4u * (item % wide);
        var value = vec4(0.0);
        if inner + step < end && column < params.columns {
            value = dy[((inner + step) * params.columns + column) / 4u];
        }
        keep_along(tile.right_slab + step * tile.right_pitch + 4u * (item % wide), value);
    }
}

fn store_partial(tile: Tile, chunk: u32, offset: u32, values: Row) {
    let row = tile.row + 8u * tile.down + offset;
    let a = tile.column + 4u * tile.right;
    let b = a + tile.width / 2u;
    let line = (chunk * params.rows + row) * params.columns;
    if row < params.rows && a < params.columns {
        partial[(line + a) / 4u] = values.a;
    }
    if row < params.rows && b < params.columns {
        partial[(line + b) / 4u] = values.b;
    }
}

// partial = x^T dy over a chunk of the M rows; the chunks are summed by reduce.wgsl.
@compute @workgroup_size(64)
fn backward_weight(
    @builtin(local_invocation_index) invocation: u32,
    @builtin(workgroup_id) place: vec3<u32>,
) {
    let tile = tile_of(invocation, place.x, place.y);
    let end = min((place.z + 1u) * params.rows_per_chunk, params.inner);
    var s0 = Row(vec4(0.0), vec4(0.0));
    var s1 = Row(vec4(0.0), vec4(0.0));
    var s2 = Row(vec4(0.0), vec4(0.0));
    var s3 = Row(vec4(0.0), vec4(0.0));
    var s4 = Row(vec4(0.0), vec4(0.0));
    var s5 = Row(vec4(0.0), vec4(0.0));
    var s6 = Row(vec4(0.0), vec4(0.0));
    var s7 = Row(vec4(0.0), vec4(0.0));
    for (var inner = place.z * params.rows_per_chunk; inner < end; inner += SLAB) {
        workgroupBarrier();
        bring_pixels(invocation, tile, inner, end);
        workgroupBarrier();
        for (var step = 0u; step < SLAB; step++) {
            let left = step * tile.left_pitch + 8u * tile.down;
            let right = tile.right_slab + step * tile.right_pitch + 4u * tile.right;
            let a = four(right);
            let b = four(right + tile.width / 2u);
            s0 = add(s0, slab[left + 0u], a, b);
            s1 = add(s1, slab[left + 1u], a, b);
            s2 = add(s2, slab[left + 2u], a, b);
            s3 = add(s3, slab[left + 3u], a, b);
            s4 = add(s4, slab[left + 4u], a, b);
            s5 = add(s5, slab[left + 5u], a, b);
            s6 = add(s6, slab[left + 6u], a, b);
            s7 = add(s7, slab[left + 7u], a, b);
        }
    }
    store_partial(tile, place.z, 0u, s0);
    store_partial(tile, place.z, 1u, s1);
    store_partial(tile, place.z, 2u, s2);
    store_partial(tile, place.z, 3u, s3);
    store_partial(tile, place.z, 4u, s4);
    store_partial(tile, place.z, 5u, s5);
    store_partial(tile, place.z, 6u, s6);
    store_partial(tile, place.z, 7u, s7);
}
