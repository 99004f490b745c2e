//! Keeps a fixture off the kinks of ReLU6, at 0 and 6. There the derivative jumps, so an input that
//! f32 rounds to the other side than f64 changes a gradient by more than any rounding error: a
//! comparison of gradients would depend on how a driver orders its sums.

use super::Fault;
use super::fixture::Fixture;
use crate::model::arch::Activation;
use crate::model::graph::{Graph, Node, Op};
use crate::reference::network::{Mode, Network, State, Trace};

/// No input of a ReLU6 may lie nearer to a kink. Inputs are of order one, and the checks find the
/// logits behind them all to agree with f64 to about a tenth of it.
const REACH: f64 = 1e-4;

/// How far a channel's beta moves at a time.
const MOVE: f32 = 4e-4;

/// How often, before the search ends without success.
const MOVES: u16 = 200;

/// Moves the betas of the batch-norms until, on the fixture's batch in this mode, every input of a
/// ReLU6 is farther than [`REACH`] from both kinks. Weights of networks without ReLU6 stay as they are.
///
/// # Errors
/// A channel has too many values for a gap of this width.
pub fn clear(fixture: &mut Fixture, mode: Mode<'_>) -> Result<(), Fault> {
    let graph = fixture.graph().clone();
    let clamped = |node: &Node| node.op == Op::BatchNorm(Activation::Relu6);
    if !graph.nodes.iter().any(clamped) {
        return Ok(());
    }
    let mut state = fixture.state();
    let mut trace = network(&graph, &state, mode).start(&fixture.pixels());
    for (index, node) in graph.nodes.iter().enumerate() {
        if clamped(node) {
            fixture.weights.params[node.params[1].0] = settled(&graph, &mut state, mode, &trace, index)?;
        }
        network(&graph, &state, mode).extend(&mut trace, index);
    }
    fixture.network.load(&fixture.weights);
    Ok(())
}

fn network<'a>(graph: &'a Graph, state: &'a State, mode: Mode<'a>) -> Network<'a> {
    Network { graph, state, mode, perturbation: None }
}

/// Betas of the batch-norm `index` that keep its values off the kinks, near those of `state`, which
/// holds them afterwards.
fn settled(
    graph: &Graph,
    state: &mut State,
    mode: Mode<'_>,
    trace: &Trace,
    index: usize,
) -> Result<Vec<f32>, Fault> {
    let beta = graph.nodes[index].params[1].0;
    let first: Vec<f32> = state.params[beta].iter().map(|&value| value as f32).collect();
    let mut betas = first.clone();
    for moves in 1..=MOVES {
        let mut values = |by: f64| {
            state.params[beta] = betas.iter().map(|&beta| f64::from(beta) + by).collect();
            network(graph, state, mode).value(trace, index)
        };
        let near = near_kinks(&values(-REACH), &values(REACH), betas.len());
        state.params[beta] = betas.iter().copied().map(f64::from).collect();
        if !near.contains(&true) {
            return Ok(betas);
        }
        for channel in (0..betas.len()).filter(|&channel| near[channel]) {
            betas[channel] = first[channel] + MOVE * f32::from(moves);
        }
    }
    Err(Fault(format!("{}: no beta keeps its values off the kinks", graph.nodes[index].name)))
}

/// The channels where a value is on another piece of ReLU6 at a lower beta than at a higher one.
fn near_kinks(low: &[f64], high: &[f64], channels: usize) -> Vec<bool> {
    let between = |value: f64| value > 0.0 && value < 6.0;
    let mut near = vec![false; channels];
    for (index, (&low, &high)) in low.iter().zip(high).enumerate() {
        near[index % channels] |= between(low) != between(high);
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_change_piece_are_near_a_kink() {
        let low = [0.0, 5.9, 1.0, 0.0, 6.0, 2.0];
        let high = [1e-4, 6.0, 1.1, 0.0, 6.0, 2.1];
        assert_eq!(near_kinks(&low, &high, 3), [true, true, false]);
        assert_eq!(near_kinks(&low[3..], &high[3..], 3), [false; 3]);
    }
}
