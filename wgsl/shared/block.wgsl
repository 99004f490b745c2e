// A block of a matrix `weight` of quads, as a product reads it.

// Weights of four inner channels (a vector each) and four outer ones.
struct Block {
    w0: vec4<f32>,
    w1: vec4<f32>,
    w2: vec4<f32>,
    w3: vec4<f32>,
}

// Block `i` of the inner and `column` of the outer channels, from a weight that lies
// [inner, outer] or, transposed, [outer, inner]; a line of it is `pitch` quads long.
fn block_of(i: u32, column: u32, pitch: u32, transposed: bool) -> Block {
    if transposed {
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
