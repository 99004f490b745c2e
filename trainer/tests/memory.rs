//! What training plans take of a device's memory, from the plans alone: no device is needed.

use dfrt_trainer::arms::gradient_regularization::GradientRegularization;
use dfrt_trainer::arms::{Method, step};
use dfrt_trainer::gpu::memory::Pool;
use dfrt_trainer::model::arch::{ARCHITECTURES, EFFICIENTNET_B0};
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::plan::layout::Layout;
use dfrt_trainer::plan::pass::Activations;
use dfrt_trainer::train::settings::Settings;

const GB: f64 = 1e9;

/// Bytes of the training plan of EfficientNet-B0 at 224 px with all that it names.
fn bytes(batch: usize, method: Method, activations: Activations) -> f64 {
    let graph = Graph::new(&EFFICIENTNET_B0, 224).unwrap();
    let layout = Layout::new(&graph);
    let settings = step::Settings { activations, ..Settings { method, ..Settings::default() }.step() };
    let recording = step::record(&graph, &layout, batch, &settings);
    let named: usize = recording.externals.iter().map(|external| 4 * external.len).sum();
    Pool::plan(&recording).bytes() as f64 + named as f64
}

fn gr(alpha: f32) -> Method {
    Method::Gr(GradientRegularization { alpha, ..GradientRegularization::default() })
}

#[test]
fn b0_at_224_px_fits_a_small_card() {
    for (batch, limit) in [(32, 1.5 * GB), (64, 3.0 * GB)] {
        let fast_at = "fast-at".parse::<Method>().unwrap();
        for method in [Method::Baseline, gr(1.0), gr(0.5), fast_at] {
            let name = method.name();
            let kept = bytes(batch, method.clone(), Activations::Kept);
            let recomputed = bytes(batch, method, Activations::Recomputed);
            println!("batch {batch}, {name}: {:.2} GB kept, {:.2} GB recomputed", kept / GB, recomputed / GB);
            // Adversarial pictures: the folded weights, the clean and the moved pictures, their gradient.
            let limit = if name == "fast-at" { 1.05 * limit } else { limit };
            assert!(recomputed <= limit, "batch {batch}, {name}: {recomputed:.3e} bytes");
            assert!(recomputed < kept);
        }
    }
}

/// WebGPU's default limits of a binding and of a buffer.
const BINDING: usize = 128 << 20;
const BUFFER: usize = 256 << 20;

#[test]
fn a_picture_of_every_network_at_its_resolution_fits_the_default_limits() {
    for architecture in ARCHITECTURES {
        let graph = Graph::new(architecture, architecture.res).unwrap();
        let layout = Layout::new(&graph);
        let settings = step::Settings { activations: Activations::Recomputed, ..Settings::default().step() };
        let recording = step::record(&graph, &layout, 1, &settings);
        let largest = 4 * recording.pooled.iter().max().unwrap();
        println!("{}: {} MB at most, {} MB of weights", architecture.name, largest >> 20, layout.len >> 18);
        assert!(largest <= BINDING, "{}: a tensor of {largest} bytes", architecture.name);
        // The optimiser binds all weights at once: more than the default binding from B6 on,
        // which every adapter with that much memory offers.
        assert!(4 * layout.len <= BUFFER, "{}: {} bytes of weights", architecture.name, 4 * layout.len);
    }
}
