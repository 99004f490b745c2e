// What is left of a batch-norm that was folded into the convolution before it.

@group(0) @binding(4) var<storage, read> affine: array<vec4<f32>>; // [2, C]: shift last

// The shift, and the activation: 0 identity, 1 SiLU, 2 ReLU6. SiLU takes one
// division here, which does not round as `activate` does.
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
