//! One step of every arm in f64, besides gradient regularization's
//! ([`super::gradient_regularization`]).

use super::feature_statistics::{self, Flow, Sharing, Statistics};
use super::moments::Moments;
use super::network::{Gradients, Labels, Mode, Network, Perturbation, State, Trace, tap};
use super::{adversarial, divergence, input_slope, perturbation, sharpness};
use crate::model::graph::Graph;

/// A network and a batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The weights.
    pub state: &'a State,
    /// Training, with or without masks.
    pub mode: Mode<'a>,
    /// [N, res, res, 3] in \[0, 1\].
    pub pixels: &'a [f64],
    /// The labels.
    pub labels: Labels<'a>,
}

/// The outcome of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Stepped {
    /// The mean losses of the passes that are logged.
    pub losses: Vec<f64>,
    /// The gradient of every learned tensor, in torch's order.
    pub gradient: Vec<Vec<f64>>,
    /// The running statistics, moved by the first pass only.
    pub running: Vec<Moments>,
}

/// What adversarial pictures are made by.
#[derive(Clone, Copy, Debug)]
pub struct Attack<'a> {
    /// Radius (Linf), in units of pixels in \[0, 1\].
    pub eps: f64,
    /// Steps.
    pub steps: usize,
    /// Length of a step over the radius.
    pub ratio: f64,
    /// One key per image for the random starts.
    pub keys: &'a [u64],
}

impl<'a> Batch<'a> {
    fn network(&self) -> Network<'a> {
        Network { graph: self.graph, state: self.state, mode: self.mode, perturbation: None }
    }

    fn losses(&self, trace: &Trace) -> Vec<f64> {
        let Labels { targets, weights } = self.labels;
        super::cross_entropy::forward(trace.logits(self.graph), targets, weights)
    }

    fn mean_loss(&self, trace: &Trace) -> f64 {
        self.labels.loss(trace.logits(self.graph))
    }

    fn dlogits(&self, trace: &Trace) -> Vec<f64> {
        self.labels.loss_gradient(trace.logits(self.graph))
    }

    fn gradients(&self, network: &Network<'_>, trace: &Trace) -> Gradients {
        network.backward(trace, &self.dlogits(trace))
    }

    /// The plain step.
    pub fn plain(&self) -> Stepped {
        self.noisy(None)
    }

    /// A step whose taps are perturbed.
    pub fn noisy(&self, perturbation: Option<&Perturbation>) -> Stepped {
        let network = Network { perturbation, ..self.network() };
        let trace = network.forward(self.pixels);
        Stepped {
            losses: vec![self.mean_loss(&trace)],
            gradient: self.gradients(&network, &trace).params,
            running: network.updated_running(&trace),
        }
    }

    /// The perturbation of each image at the taps, in order; `delta` makes that of the tap of an index
    /// from the statistics [N, C] there, behind the earlier taps.
    pub fn noise(
        &self,
        taps: &[usize],
        flow: Flow,
        delta: impl Fn(usize, &Statistics) -> Statistics,
    ) -> Perturbation {
        let mut perturbation =
            Perturbation { taps: Vec::new(), deltas: Vec::new(), sharing: Sharing::Image, flow };
        for (index, &feature) in taps.iter().enumerate() {
            let network = Network { perturbation: Some(&perturbation), ..self.network() };
            let trace = network.forward(self.pixels);
            let value = self.graph.features[feature];
            let of = feature_statistics::statistics(&tap(self.graph, value, trace.n), &trace.values[value.0]);
            perturbation.deltas.push(delta(index, &of));
            perturbation.taps.push(feature);
        }
        perturbation
    }

    /// Sharpness-aware minimisation (alpha = 1), and the penalty of the gradient's norm.
    pub fn sharpness(&self, r: f64, alpha: f64) -> Stepped {
        let first = self.plain();
        let params = sharpness::ascend(&self.state.params, &first.gradient, r);
        let state = State { params, running: self.state.running.clone() };
        let second = Batch { state: &state, ..*self }.plain();
        let gradient = sum([(1.0 - alpha, &first.gradient), (alpha, &second.gradient)]);
        Stepped { losses: vec![first.losses[0], second.losses[0]], gradient, running: first.running }
    }

    /// The penalty of the gradient with respect to the pixels.
    pub fn input_gradient(&self, h: f64, lambda: f64) -> Stepped {
        let network = self.network();
        let at = network.forward(self.pixels);
        let gradients = self.gradients(&network, &at);
        let slope = &gradients.values[self.graph.input.0];
        let moved = input_slope::ahead(self.pixels, slope, at.n, h);
        let ahead = network.forward(&moved);
        let losses = [self.losses(&at), self.losses(&ahead)];
        let dlogits = [self.dlogits(&at), self.dlogits(&ahead)];
        let weighed = input_slope::weigh(
            self.labels.weights,
            [&losses[0], &losses[1]],
            [&dlogits[0], &dlogits[1]],
            (h, lambda),
        );
        let own = network.backward(&at, &weighed[0]).params;
        let other = network.backward(&ahead, &weighed[1]).params;
        Stepped {
            losses: vec![self.mean_loss(&at), self.mean_loss(&ahead)],
            gradient: sum([(1.0, &own), (1.0, &other)]),
            running: network.updated_running(&at),
        }
    }

    /// The adversarial pictures that maximise the loss, on the network with running statistics.
    pub fn adversarial(&self, attack: &Attack<'_>) -> Vec<f64> {
        let signs: Vec<f64> = self.labels.targets.iter().map(|target| 1.0 - 2.0 * target).collect();
        self.ascend(attack, |_| signs.clone())
    }

    /// The adversarial pictures that maximise the divergence from the clean predictions.
    pub fn divergent(&self, attack: &Attack<'_>) -> Vec<f64> {
        let network = Network { mode: Mode::Eval, ..self.network() };
        let clean = network.forward(self.pixels);
        self.ascend(attack, |logits| divergence::away(clean.logits(self.graph), logits))
    }

    fn ascend(&self, attack: &Attack<'_>, dlogits: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let network = Network { mode: Mode::Eval, ..self.network() };
        let mut x = adversarial::start(self.pixels, attack.keys, attack.eps);
        let by = perturbation::Step { step: attack.ratio * attack.eps, epsilon: attack.eps };
        for _ in 0..attack.steps {
            let trace = network.forward(&x);
            let gradients = network.backward(&trace, &dlogits(trace.logits(self.graph)));
            x = perturbation::linf(&by, &x, self.pixels, &gradients.values[self.graph.input.0]);
        }
        x
    }

    /// TRADES.
    pub fn trades(&self, attack: &Attack<'_>, beta: f64) -> Stepped {
        let network = self.network();
        let clean = network.forward(self.pixels);
        let moved = network.forward(&self.divergent(attack));
        let (z, a, weights) = (clean.logits(self.graph), moved.logits(self.graph), self.labels.weights);
        let [dz, da] = divergence::backward(z, a, weights, beta);
        let dlogits: Vec<f64> = self.dlogits(&clean).iter().zip(dz).map(|(own, dz)| own + dz).collect();
        let own = network.backward(&clean, &dlogits).params;
        let other = network.backward(&moved, &da).params;
        let apart = divergence::forward(z, a, weights, beta);
        Stepped {
            losses: vec![self.mean_loss(&clean), apart.iter().sum::<f64>() / apart.len() as f64],
            gradient: sum([(1.0, &own), (1.0, &other)]),
            running: network.updated_running(&clean),
        }
    }
}

/// The weighted sum of two gradients.
pub fn sum(terms: [(f64, &Vec<Vec<f64>>); 2]) -> Vec<Vec<f64>> {
    let [(a, one), (b, other)] = terms;
    let tensor = |(one, other): (&Vec<f64>, &Vec<f64>)| {
        one.iter().zip(other).map(|(one, other)| a * one + b * other).collect()
    };
    one.iter().zip(other).map(tensor).collect()
}

#[cfg(test)]
mod tests {
    use super::super::network::tests::{Case, LABELS, SMOOTH, assert_slope};
    use super::*;

    fn batch(case: &Case) -> Batch<'_> {
        Batch {
            graph: &case.graph,
            state: &case.state,
            mode: case.masked(),
            pixels: &case.pixels,
            labels: LABELS,
        }
    }

    const KEYS: [u64; 3] = [3, 1 << 40, 5];

    fn attack(eps: f64) -> Attack<'static> {
        Attack { eps, steps: 2, ratio: 1.25, keys: &KEYS }
    }

    /// Checks the gradient of some tensors against the slopes of `objective` over the weights.
    fn check(case: &Case, gradient: &[Vec<f64>], objective: impl Fn(&State) -> f64) {
        for name in ["features.0.0.weight", "features.2.0.block.2.fc1.weight", "classifier.1.bias"] {
            let id = case.graph.param_named(name).unwrap().0;
            assert_slope(name, SMOOTH, &case.state.params[id], &gradient[id], |moved| {
                let mut state = case.state.clone();
                state.params[id] = moved.to_vec();
                objective(&state)
            });
        }
    }

    #[test]
    fn without_their_terms_the_arms_are_the_plain_step() {
        let case = Case::new();
        let batch = batch(&case);
        let plain = batch.plain();
        for arm in
            [batch.sharpness(0.0, 1.0), batch.input_gradient(0.01, 0.0), batch.trades(&attack(0.0), 6.0)]
        {
            assert_eq!(arm.gradient, plain.gradient);
            assert_eq!((arm.losses[0], &arm.running), (plain.losses[0], &plain.running));
        }
        assert_eq!(batch.adversarial(&attack(0.0)), case.pixels);
        assert_eq!(batch.trades(&attack(0.1), 0.0).gradient, plain.gradient);
    }

    #[test]
    fn sharpness_mixes_the_gradients_of_both_places() {
        let case = Case::new();
        let batch = batch(&case);
        let plain = batch.plain().gradient;
        let moved = sharpness::ascend(&case.state.params, &plain, 0.2);
        let second = State { params: moved, running: case.state.running.clone() };
        let second = Batch { state: &second, ..batch }.plain();
        let found = batch.sharpness(0.2, 0.75);
        assert_eq!(found.gradient, sum([(0.25, &plain), (0.75, &second.gradient)]));
        assert!(found.losses[1] > found.losses[0], "the ascent raises the loss");
    }

    /// With the direction held still.
    #[test]
    fn the_input_gradient_is_that_of_the_penalised_loss() {
        let case = Case::new();
        let batch = batch(&case);
        let (h, lambda) = (0.05, 20.0);
        let network = batch.network();
        let trace = network.forward(&case.pixels);
        let slope = &batch.gradients(&network, &trace).values[case.graph.input.0];
        let moved = input_slope::ahead(&case.pixels, slope, 3, h);
        check(&case, &batch.input_gradient(h, lambda).gradient, |state| {
            let network = Network { state, ..network };
            let unweighted = |pixels: &[f64]| {
                let trace = network.forward(pixels);
                super::super::cross_entropy::forward(trace.logits(&case.graph), LABELS.targets, &[1.0; 3])
            };
            let (at, ahead) = (unweighted(&case.pixels), unweighted(&moved));
            let one =
                |i: usize| LABELS.weights[i] * (at[i] + 0.5 * lambda * ((ahead[i] - at[i]) / h).powi(2));
            (0..3).map(one).sum::<f64>() / 3.0
        });
    }

    /// With the adversarial pictures held still.
    #[test]
    fn the_gradient_of_trades_is_that_of_both_terms() {
        let case = Case::new();
        let batch = batch(&case);
        let moved = batch.divergent(&attack(0.05));
        let found = batch.trades(&attack(0.05), 6.0);
        assert!(found.losses[1] > 0.0);
        check(&case, &found.gradient, |state| {
            let network = Network { state, ..batch.network() };
            let clean = network.forward(&case.pixels);
            let moved = network.forward(&moved);
            let z = clean.logits(&case.graph);
            let apart = divergence::forward(z, moved.logits(&case.graph), LABELS.weights, 6.0);
            LABELS.loss(z) + apart.iter().sum::<f64>() / 3.0
        });
    }

    #[test]
    fn adversarial_pictures_raise_the_loss() {
        let case = Case::new();
        let batch = batch(&case);
        let attack = attack(0.02);
        let loss = |pixels: &[f64]| {
            let network = Network { mode: Mode::Eval, ..batch.network() };
            LABELS.loss(network.forward(pixels).logits(&case.graph))
        };
        let (start, moved) = (adversarial::start(&case.pixels, &KEYS, 0.02), batch.adversarial(&attack));
        assert!(loss(&moved) > loss(&start) && loss(&moved) > loss(&case.pixels));
        assert!(moved.iter().zip(&case.pixels).all(|(a, b)| (a - b).abs() <= 0.02 + 1e-12));
    }
}
