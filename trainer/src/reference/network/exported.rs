//! The exported ONNX file, run by tract, against this walk.

use super::tests::{lived_in, pictures};
use super::*;
use crate::model::arch::{Architecture, EFFICIENTNET_TINY, LIGHT, Padding};
use crate::model::files::onnx;
use crate::model::weights::Weights;
use std::collections::BTreeMap;
use std::io::Cursor;
use tract_onnx::prelude::{Framework, InferenceModelExt, IntoRunnable, Tensor, tract_ndarray::Array4, tvec};

/// Logits \[N\] of the file by tract, for pixels [N, H, W, 3].
fn logits_by_tract(file: &[u8], graph: &Graph, pixels: &[f64]) -> Vec<f32> {
    let model = tract_onnx::onnx().model_for_read(&mut Cursor::new(file)).unwrap();
    let session = model.into_optimized().unwrap().into_runnable().unwrap();
    let n = pixels.len() / graph.extent(graph.input).len();
    let res = graph.res;
    let input: Tensor = Array4::from_shape_fn((n, 3, res, res), |(image, channel, y, x)| {
        pixels[((image * res + y) * res + x) * 3 + channel] as f32
    })
    .into();
    let output = session.run(tvec!(input.into())).unwrap();
    assert_eq!(output[0].shape(), &[n, 1]);
    output[0].to_plain_array_view::<f32>().unwrap().iter().copied().collect()
}

/// Whether tract's logits are the reference's, as a share of them.
fn compare(graph: &Graph, weights: &Weights, batch: Option<usize>) {
    let state = State::from(weights);
    let pixels = pictures(graph, 2);
    let network = Network { graph, state: &state, mode: Mode::Eval, perturbation: None };
    let trace = network.forward(&pixels);
    let file = onnx::export(graph, weights, &BTreeMap::new(), batch);
    let logits = logits_by_tract(&file, graph, &pixels);
    for (logit, expected) in logits.iter().zip(trace.logits(graph)) {
        let difference = (f64::from(*logit) - expected).abs();
        let (name, res) = (graph.architecture.name, graph.res);
        assert!(
            difference <= 1e-4 * expected.abs(),
            "{name} at {res}, batch {batch:?}: {logit}, not {expected}"
        );
    }
}

#[test]
fn tract_runs_the_exported_file_as_the_reference_does() {
    for architecture in LIGHT {
        let weights = lived_in(&Graph::new(architecture, 64).unwrap(), 3);
        for (res, batch) in [(32, None), (32, Some(2)), (64, None), (64, Some(2))] {
            compare(&Graph::new(architecture, res).unwrap(), &weights, batch);
        }
    }
}

#[test]
fn tract_meets_every_border_as_the_reference_does() {
    for padding in Padding::ALL {
        let architecture = Architecture { padding, ..EFFICIENTNET_TINY };
        let weights = lived_in(&Graph::new(&architecture, 64).unwrap(), 5);
        // 260 -> 130 -> 65 -> 33 -> 17: sides that are odd.
        for res in [64, 260] {
            compare(&Graph::new(&architecture, res).unwrap(), &weights, Some(2));
        }
    }
}
