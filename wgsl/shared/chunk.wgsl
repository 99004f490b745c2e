// The rows that an invocation sums. They come in groups of `rows`, each of them cut into
// `params.chunks` chunks of `params.rows_per_chunk`; the last chunk may have fewer.

struct Chunk {
    start: u32, // counted over all groups
    end: u32,
}

fn chunk_of(part: u32, rows: u32) -> Chunk {
    let first = part / params.chunks * rows;
    let start = part % params.chunks * params.rows_per_chunk;
    return Chunk(first + start, first + min(start + params.rows_per_chunk, rows));
}
