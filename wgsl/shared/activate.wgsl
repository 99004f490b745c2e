// `params.activation`: 0 identity, 1 SiLU, 2 ReLU6, 3 sigmoid.

fn sigmoid(u: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-u));
}

fn activate(u: vec4<f32>) -> vec4<f32> {
    switch params.activation {
        case 1u: {
            return u * sigmoid(u);
        }
        case 2u: {
            return clamp(u, vec4(0.0), vec4(6.0));
        }
        case 3u: {
            return sigmoid(u);
        }
        default: {
            return u;
        }
    }
}
