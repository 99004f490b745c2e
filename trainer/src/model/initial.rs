//! Initial weights, drawn as in torchvision's EfficientNet except for the last layer.

use super::graph::{Graph, ParamId, Parameter, Role};
use super::weights::{Running, Weights};
use dfrt_runtime::random::stream;
use rand::RngExt;
use std::f64::consts::TAU;

impl Weights {
    /// Random weights. The random stream of a tensor depends on its name, so that networks with an
    /// equal layer get equal weights there.
    ///
    /// As in torchvision (`efficientnet.py`): weights of convolutions, those of
    /// squeeze-excite among them, are normal with variance 2 / fan_out (He et al.
    /// 2015), where torch's fan_out is output channels * kernel area, whatever the
    /// groups; biases 0; gamma 1, beta 0; running mean 0, variance 1.
    ///
    /// Different from torchvision: the last layer's weights are uniform in ±1 / sqrt(features in).
    /// torchvision uses ±1 / sqrt(features out), which suits 1000 classes; for one logit that is
    /// ±1, and the first losses would be near 5.
    pub fn initial(graph: &Graph, seed: u64) -> Self {
        let classifier = graph.last_layer().params[0];
        let draw = |(id, param)| initial_tensor(param, ParamId(id) == classifier, seed);
        let running = |channels| Running { mean: vec![0.0; channels], var: vec![1.0; channels] };
        Self {
            params: graph.params.iter().enumerate().map(draw).collect(),
            running: graph.statistics.iter().map(|statistics| running(statistics.channels)).collect(),
            batches_tracked: 0,
        }
    }
}

fn initial_tensor(param: &Parameter, is_classifier: bool, seed: u64) -> Vec<f32> {
    match param.role {
        Role::Gamma => vec![1.0; param.len()],
        Role::Beta | Role::Bias => vec![0.0; param.len()],
        Role::Linear if is_classifier => uniform(param, 1.0 / (param.shape[1] as f64).sqrt(), seed),
        Role::Convolution | Role::Pointwise | Role::Depthwise | Role::Linear => {
            let kernel_area: usize = param.shape[2..].iter().product();
            normal(param, (2.0 / (param.shape[0] * kernel_area) as f64).sqrt(), seed)
        }
    }
}

/// Uniform in [-bound, bound).
fn uniform(param: &Parameter, bound: f64, seed: u64) -> Vec<f32> {
    let mut random = stream(seed, &["weights".into(), param.name.as_str().into()]);
    (0..param.len()).map(|_| (bound * (2.0 * random.random::<f64>() - 1.0)) as f32).collect()
}

/// Normal with mean 0 (Box & Muller 1958; the sine of each pair is left unused).
fn normal(param: &Parameter, deviation: f64, seed: u64) -> Vec<f32> {
    let mut random = stream(seed, &["weights".into(), param.name.as_str().into()]);
    let mut draw = || {
        let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
        (deviation * radius * (TAU * random.random::<f64>()).cos()) as f32
    };
    (0..param.len()).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_B0, EFFICIENTNET_TINY};

    fn mean_and_deviation(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / n;
        let square = values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>();
        (mean, (square / n).sqrt())
    }

    /// (name, deviation by hand)
    const DEVIATIONS: &[(&str, f64)] = &[
        ("features.8.0.weight", 0.039_528),             // sqrt(2 / 1280)
        ("features.6.1.block.1.0.weight", 0.008_333),   // sqrt(2 / (1152 * 25))
        ("features.6.1.block.2.fc1.weight", 0.204_124), // sqrt(2 / 48)
    ];

    #[test]
    fn deviations_are_torchvisions() {
        let graph = Graph::new(&EFFICIENTNET_B0, 32).unwrap();
        let weights = Weights::initial(&graph, 7);
        for &(name, deviation) in DEVIATIONS {
            let values = &weights.params[graph.param_named(name).unwrap().0];
            // Five times the standard error of the mean and of the deviation.
            let slack = 5.0 * deviation / (values.len() as f64).sqrt();
            let (mean, measured) = mean_and_deviation(values);
            assert!(mean.abs() < slack, "{name}: mean {mean}");
            assert!((measured - deviation).abs() < slack, "{name}: {measured}, not {deviation}");
        }
        // A normal distribution has 4.55 % beyond two deviations, 0.27 % beyond three.
        let values = &weights.params[graph.param_named("features.8.0.weight").unwrap().0];
        let beyond = |times: f32| {
            let limit = times * DEVIATIONS[0].1 as f32;
            values.iter().filter(|value| value.abs() > limit).count() as f64 / values.len() as f64
        };
        assert!((beyond(2.0) - 0.0455).abs() < 0.002 && (beyond(3.0) - 0.0027).abs() < 0.0005);
    }

    #[test]
    fn the_last_layer_is_uniform_and_the_rest_constant() {
        let graph = Graph::new(&EFFICIENTNET_B0, 32).unwrap();
        let weights = Weights::initial(&graph, 7);
        let of = |name: &str| &weights.params[graph.param_named(name).unwrap().0];
        let bound = 1280.0_f32.sqrt().recip();
        let (mean, deviation) = mean_and_deviation(of("classifier.1.weight"));
        assert!(of("classifier.1.weight").iter().all(|value| value.abs() <= bound));
        assert!(mean.abs() < 0.003 && (deviation - f64::from(bound) / 3.0_f64.sqrt()).abs() < 0.001);
        assert_eq!(of("classifier.1.bias"), &[0.0]);
        assert!(of("features.0.1.weight").iter().all(|&value| value == 1.0));
        assert!(of("features.1.0.block.1.fc1.bias").iter().all(|&value| value == 0.0));
        assert!(weights.running.iter().all(|running| running.var.iter().all(|&var| var == 1.0)));
    }

    #[test]
    fn a_tensor_depends_on_seed_and_name_alone() {
        let (small, large) =
            (Graph::new(&EFFICIENTNET_TINY, 32).unwrap(), Graph::new(&EFFICIENTNET_TINY, 96).unwrap());
        assert_eq!(Weights::initial(&small, 3), Weights::initial(&large, 3));
        let (a, b) = (Weights::initial(&small, 3), Weights::initial(&small, 4));
        let first = small.param_named("features.4.0.block.0.0.weight").unwrap();
        let second = small.param_named("features.4.1.block.0.0.weight").unwrap();
        assert_ne!(a.params[first.0], b.params[first.0]);
        assert_ne!(a.params[first.0][..9], a.params[second.0][..9]);
    }
}
