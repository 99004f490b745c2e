//! Counts the multiply-adds of a dispatch in products: convolutions, their gradients and linear
//! layers. They are counted from its parameter block, including taps in the padding, as operations
//! of networks are usually counted (and as `Graph::multiply_adds` does). Sums, activations and
//! batch-norms are limited by memory and count as zero.

use crate::gpu::kernel::Kernel;
use crate::gpu::recording::Dispatch;

/// Floating-point operations of a dispatch's products, two for each multiply-add; none if its kernel
/// is unknown.
pub fn flops(dispatch: &Dispatch) -> Option<u64> {
    multiply_adds(dispatch.kernel, &dispatch.params).map(|count| 2 * count)
}

/// Multiply-adds of the products that `kernel` computes with `params`; none if the kernel is unknown.
pub fn multiply_adds(kernel: &Kernel, params: &[u8]) -> Option<u64> {
    let factors = match factors(kernel)? {
        [] => return Some(0),
        factors => factors,
    };
    let value = |name: &&str| field(kernel, params, name) * if *name == QUADS { 4 } else { 1 };
    Some(factors.iter().map(value).product())
}

/// The field that counts channels in groups of four.
const QUADS: &str = "quads";

/// The fields whose product is the number of multiply-adds; empty for a kernel
/// without products.
fn factors(kernel: &Kernel) -> Option<&'static [&'static str]> {
    Some(match (kernel.shader.name, kernel.entry) {
        ("linear.wgsl", "backward_bias") => &[],
        ("pointwise_tiled.wgsl", _) => &["rows", "inner", "columns"],
        ("pointwise_software.wgsl", "backward_weight") => &["m", "wide", "narrow"],
        ("pointwise.wgsl" | "pointwise_software.wgsl", _) => &["m", "k", "n"],
        ("depthwise.wgsl", _) => &["n", "oh", "ow", QUADS, "kernel", "kernel"],
        ("convolution.wgsl", _) => &["n", "oh", "ow", "ci", "co", "kernel", "kernel"],
        ("linear.wgsl", _) => &["n", "k", "m"],
        (
            "activation.wgsl"
            | "adversarial.wgsl"
            | "batch_norm.wgsl"
            | "copy.wgsl"
            | "cross_entropy.wgsl"
            | "divergence.wgsl"
            | "drop_path.wgsl"
            | "dropout.wgsl"
            | "feature_statistics.wgsl"
            | "folding.wgsl"
            | "input_slope.wgsl"
            | "mask.wgsl"
            | "moments.wgsl"
            | "optimizer.wgsl"
            | "perturbation.wgsl"
            | "pixels.wgsl"
            | "pool.wgsl"
            | "reduce.wgsl"
            | "residual.wgsl"
            | "sharpness.wgsl"
            | "squeeze_excite.wgsl"
            | "statistic_noise.wgsl",
            _,
        ) => &[],
        _ => return None,
    })
}

fn field(kernel: &Kernel, params: &[u8], name: &str) -> u64 {
    let found = kernel.layout.fields.iter().find(|field| field.0 == name);
    let &(_, offset, _) = found.unwrap_or_else(|| panic!("{} has a parameter `{name}`", kernel.name()));
    u64::from(bytemuck::pod_read_unaligned::<u32>(&params[offset..offset + size_of::<u32>()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arms::Method;
    use crate::arms::step;
    use crate::model::arch::ARCHITECTURES;
    use crate::model::graph::{Graph, Op};
    use crate::ops;
    use crate::plan::evaluation;
    use crate::plan::layout::Layout;
    use crate::train::settings::Settings;

    fn total(dispatches: &[Dispatch]) -> u64 {
        dispatches.iter().map(|dispatch| flops(dispatch).unwrap()).sum()
    }

    #[test]
    fn every_kernel_is_known_and_has_the_fields() {
        for kernel in ops::kernels() {
            let zeros = vec![0; kernel.layout.size];
            assert_eq!(multiply_adds(kernel, &zeros), Some(0), "{}", kernel.name());
        }
    }

    #[test]
    fn a_forward_pass_does_what_the_graph_says() {
        for architecture in ARCHITECTURES {
            for (res, batch) in [(64, 3), (96, 1), (224, 2)] {
                let graph = Graph::new(architecture, res).unwrap();
                let forward = evaluation::record(&graph, &Layout::new(&graph), batch);
                let expected = 2 * graph.multiply_adds() * batch as u64;
                assert_eq!(total(&forward.dispatches), expected, "{} at {res} px", architecture.name);
            }
        }
    }

    /// The backward pass has every product twice, for the input and for the weight, except that a
    /// training step does not compute the gradient of the pixels.
    #[test]
    fn a_plain_step_does_three_passes_less_the_pixels_gradient() {
        for architecture in ARCHITECTURES {
            let graph = Graph::new(architecture, 64).unwrap();
            let stem = graph.nodes.iter().find(|node| matches!(node.op, Op::Convolution(_))).unwrap();
            let weight = graph.params[stem.params[0].0].len();
            let stem = (graph.extent(stem.output).area() * weight) as u64;
            let settings = Settings { method: Method::Baseline, ..Settings::default() }.step();
            let step = step::record(&graph, &Layout::new(&graph), 2, &settings);
            let expected = 2 * 2 * (3 * graph.multiply_adds() - stem);
            assert_eq!(total(&step.dispatches), expected, "{}", architecture.name);
        }
    }

    #[test]
    fn variants_do_the_same_products() {
        let graph = Graph::new(ARCHITECTURES[0], 64).unwrap();
        let settings = Settings { method: Method::named("gr").unwrap(), ..Settings::default() }.step();
        let step = step::record(&graph, &Layout::new(&graph), 2, &settings);
        let mut seen = 0;
        for dispatch in &step.dispatches {
            let portable = multiply_adds(dispatch.kernel, &dispatch.params);
            for (_, variant) in &dispatch.variants {
                let counted = multiply_adds(variant.kernel, &variant.params);
                assert_eq!(counted, portable, "{}", variant.kernel.name());
                seen += 1;
            }
        }
        assert!(seen > 100, "only {seen} variants");
    }
}
