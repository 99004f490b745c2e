// Random perturbations of a tap's statistics: DSU (Li et al. 2022) and MixStyle (Zhou et
// al. 2021). The draws come from outside, so that every device has the same.
// N: batch, C: channels in quads of 4.
//!use invocation

struct Params {
    n: u32,
    quads: u32, // C
    eps: f32, // under the roots
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> moments: array<vec4<f32>>; // [N, 2, C]: mean, variance
@group(0) @binding(2) var<storage, read> draws: array<vec4<f32>>; // [N, 2, C]
@group(0) @binding(3) var<storage, read_write> delta: array<vec4<f32>>; // [N, 2, C]: dmu, dsigma

@group(0) @binding(2) var<storage, read> partners: array<vec2<f32>>; // [N]: partner, its share

// Mean, or deviation, of a picture's channels.
fn statistic(image: u32, which: u32, quad: u32) -> vec4<f32> {
    let value = moments[(2u * image + which) * params.quads + quad];
    if which == 0u {
        return value;
    }
    return sqrt(value + params.eps);
}

// draws times the deviation of the statistic over the batch (unbiased, as in DSU's code).
@compute @workgroup_size(64)
fn uncertain(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= 2u * params.quads {
        return;
    }
    let which = index / params.quads;
    let quad = index % params.quads;
    var sum = vec4(0.0);
    for (var image = 0u; image < params.n; image++) {
        sum += statistic(image, which, quad);
    }
    let mean = sum / f32(params.n);
    var squares = vec4(0.0);
    for (var image = 0u; image < params.n; image++) {
        let distance = statistic(image, which, quad) - mean;
        squares = fma(distance, distance, squares);
    }
    let deviation = sqrt(squares / f32(max(params.n, 2u) - 1u) + params.eps);
    for (var image = 0u; image < params.n; image++) {
        let at = (2u * image + which) * params.quads + quad;
        delta[at] = draws[at] * deviation;
    }
}

// share * (the partner's statistic - its own).
@compute @workgroup_size(64)
fn mixed(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    let image = index / (2u * params.quads);
    if image >= params.n {
        return;
    }
    let which = (index / params.quads) % 2u;
    let quad = index % params.quads;
    let partner = partners[image];
    let apart = statistic(u32(partner.x), which, quad) - statistic(image, which, quad);
    delta[index] = partner.y * apart;
}
