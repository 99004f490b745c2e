//! The memory layout of a learned tensor on the device: channels last, so that neighbouring threads
//! read neighbouring output channels. Files and [`super::weights`] have torch's order; the kernels
//! and the f64 reference use this one.

use super::graph::{Parameter, Role};

/// Converts from torch's order to that of the device:
///
/// | role | torch | device |
/// | --- | --- | --- |
/// | convolution | [CO, CI, K, K] | [K, K, CI, CO] |
/// | pointwise | [CO, CI, 1, 1] | [CI, CO] |
/// | depthwise | [C, 1, K, K] | [K, K, C] |
/// | linear | [M, K] or [M, K, 1, 1] | [M, K] |
/// | bias, gamma, beta | \[C\] | \[C\] |
pub fn to_device_layout<T: Copy>(parameter: &Parameter, torch: &[T]) -> Vec<T> {
    assert_eq!(torch.len(), parameter.len(), "{} has shape {:?}", parameter.name, parameter.shape);
    match channels_and_taps(parameter) {
        Some((co, ci, taps)) => permuted(torch, [co, ci, taps], [2, 1, 0]),
        None => torch.to_vec(),
    }
}

/// The inverse of [`to_device_layout`].
pub fn from_device_layout<T: Copy>(parameter: &Parameter, device: &[T]) -> Vec<T> {
    assert_eq!(device.len(), parameter.len(), "{} has shape {:?}", parameter.name, parameter.shape);
    match channels_and_taps(parameter) {
        Some((co, ci, taps)) => permuted(device, [taps, ci, co], [2, 1, 0]),
        None => device.to_vec(),
    }
}

/// (output channels, input channels, kernel positions) of a convolution's weight.
fn channels_and_taps(parameter: &Parameter) -> Option<(usize, usize, usize)> {
    match (parameter.role, parameter.shape.as_slice()) {
        (Role::Convolution | Role::Pointwise | Role::Depthwise, &[co, ci, kh, kw]) => Some((co, ci, kh * kw)),
        (Role::Convolution | Role::Pointwise | Role::Depthwise, shape) => {
            panic!("{}: a convolution's weight has four sizes, not {shape:?}", parameter.name)
        }
        _ => None,
    }
}

/// `from` has the sizes `sizes`; axis i of the result is axis `axes[i]` of `from`.
fn permuted<T: Copy>(from: &[T], sizes: [usize; 3], axes: [usize; 3]) -> Vec<T> {
    let strides = [sizes[1] * sizes[2], sizes[2], 1];
    let mut to = Vec::with_capacity(from.len());
    for a in 0..sizes[axes[0]] {
        for b in 0..sizes[axes[1]] {
            for c in 0..sizes[axes[2]] {
                to.push(from[a * strides[axes[0]] + b * strides[axes[1]] + c * strides[axes[2]]]);
            }
        }
    }
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(role: Role, shape: &[usize]) -> Parameter {
        Parameter { name: "weight".to_owned(), shape: shape.to_vec(), role }
    }

    #[test]
    fn a_dense_kernel_ends_with_the_output_channels() {
        let parameter = parameter(Role::Convolution, &[4, 3, 3, 3]);
        let torch: Vec<usize> = (0..parameter.len()).collect();
        let device = to_device_layout(&parameter, &torch);
        for (co, ci, ky, kx) in [(0, 0, 0, 0), (3, 1, 2, 0), (1, 2, 0, 2)] {
            let value = torch[((co * 3 + ci) * 3 + ky) * 3 + kx];
            assert_eq!(device[((ky * 3 + kx) * 3 + ci) * 4 + co], value);
        }
        assert_eq!(from_device_layout(&parameter, &device), torch);
    }

    #[test]
    fn pointwise_is_transposed_and_depthwise_ends_with_the_channel() {
        let pointwise = parameter(Role::Pointwise, &[2, 3, 1, 1]);
        assert_eq!(to_device_layout(&pointwise, &[1, 2, 3, 4, 5, 6]), [1, 4, 2, 5, 3, 6]);
        let depthwise = parameter(Role::Depthwise, &[2, 1, 2, 2]);
        let device = to_device_layout(&depthwise, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(device, [1, 5, 2, 6, 3, 7, 4, 8]);
        assert_eq!(from_device_layout(&depthwise, &device), [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn the_others_stay() {
        for (role, shape) in
            [(Role::Linear, [2, 3].as_slice()), (Role::Linear, &[6, 1, 1, 1]), (Role::Gamma, &[6])]
        {
            let parameter = parameter(role, shape);
            assert_eq!(to_device_layout(&parameter, &[1, 2, 3, 4, 5, 6]), [1, 2, 3, 4, 5, 6]);
        }
    }
}
