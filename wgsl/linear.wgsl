// y = x weight^T + bias, for the small layers: squeeze-excite's and the classifier.
// N: batch, K: inputs, M: outputs.
//!use invocation

struct Params {
    n: u32,
    k: u32,
    m: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [N, K]
@group(0) @binding(2) var<storage, read> weight: array<f32>; // [M, K]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // [M]
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [N, M]

@group(0) @binding(1) var<storage, read> dy: array<f32>; // [N, M]
@group(0) @binding(3) var<storage, read_write> dx: array<f32>; // [N, K]

@group(0) @binding(2) var<storage, read> gradient: array<f32>; // [N, M]
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>; // [M, K]
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>; // [M]

@compute @workgroup_size(64)
fn forward(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.m {
        return;
    }
    let row = index / params.m * params.k;
    let output = index % params.m;
    var sum = bias[output];
    for (var i = 0u; i < params.k; i++) {
        sum = fma(x[row + i], weight[output * params.k + i], sum);
    }
    y[index] = sum;
}

@compute @workgroup_size(64)
fn backward_input(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.n * params.k {
        return;
    }
    let row = index / params.k * params.m;
    let input = index % params.k;
    var sum = 0.0;
    for (var i = 0u; i < params.m; i++) {
        sum = fma(dy[row + i], weight[i * params.k + input], sum);
    }
    dx[index] = sum;
}

@compute @workgroup_size(64)
fn backward_weight(invocation: Invocation) {
    let index = index_of(invocation.id, invocation.groups);
    if index >= params.m * params.k {
        return;
    }
    let output = index / params.k;
    let input = index % params.k;
    var sum = 0.0;
    for (var row = 0u; row < params.n; row++) {
        sum = fma(x[row * params.k + input], gradient[row * params.m + output], sum);
    }
    dweight[index] = sum;
}

@compute @workgroup_size(64)
fn backward_bias(invocation: Invocation) {
    let output = index_of(invocation.id, invocation.groups);
    if output >= params.m {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < params.n; row++) {
        sum += dy[row * params.m + output];
    }
    dbias[output] = sum;
}
