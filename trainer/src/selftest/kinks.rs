//! Keeps a fixture off the kinks of ReLU6, at 0 and 6. There the derivative jumps, so an input that
//! f32 rounds to the other side than f64 changes a gradient by more than any rounding error: a
//! comparison of gradients would depend on how a driver orders its sums.

use super::Fault;
use super::fixture::Fixture;
use crate::model::arch::Activation;
use crate::model::graph::Op;
use crate::reference::network::{Mode, Network};

/// How near to a kink no input of a ReLU6 may lie; inputs are of order one, and f32 errs by less.
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
pub fn clear(fixture: &mut Fixture, masks: Option<bool>) -> Result<(), Fault> {
    let keys = fixture.keys.clone();
    let mode = match masks {
        Some(masks) => Mode::Train { masks: masks.then_some(&keys[..]) },
        None => Mode::Eval,
    };
    let graph = fixture.graph().clone();
    let mut state = fixture.state();
    let mut trace =
        Network { graph: &graph, state: &state, mode, perturbation: None }.start(&fixture.pixels());
    for (index, node) in graph.nodes.iter().enumerate() {
        if node.op == Op::BatchNorm(Activation::Relu6) {
            let beta = node.params[1].0;
            let channels = fixture.weights.params[beta].len();
            let middle = fixture.weights.params[beta].clone();
            for moves in 1.. {
                let mut values = |by: f64| {
                    let settled = state.params[beta].clone();
                    state.params[beta].iter_mut().for_each(|beta| *beta += by);
                    let network = Network { graph: &graph, state: &state, mode, perturbation: None };
                    let values = network.value(&trace, index);
                    state.params[beta] = settled;
                    values
                };
                let near = near_kinks(&values(-REACH), &values(REACH), channels);
                if !near.contains(&true) {
                    break;
                }
                if moves > MOVES {
                    return Err(Fault(format!("{}: no beta keeps its values off the kinks", node.name)));
                }
                for channel in (0..channels).filter(|&channel| near[channel]) {
                    let moved = middle[channel] + MOVE * f32::from(moves);
                    fixture.weights.params[beta][channel] = moved;
                    state.params[beta][channel] = f64::from(moved);
                }
            }
        }
        Network { graph: &graph, state: &state, mode, perturbation: None }.extend(&mut trace, index);
    }
    fixture.network.load(&fixture.weights);
    Ok(())
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
