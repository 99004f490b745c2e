//! The blocks whose outputs an arm perturbs.

use super::bad::BadArm;
use crate::model::graph::{Graph, ValueId};
use crate::ops::feature_statistics::Shape;
use crate::plan::pass::Network;

/// Checks that `taps` are blocks of `graph`, each once.
pub fn check(taps: &[usize], graph: &Graph) -> Result<(), BadArm> {
    let last = graph.features.len() - 1;
    let sorted = sorted(taps);
    let repeated = sorted.windows(2).any(|pair| pair[0] == pair[1]);
    if sorted.is_empty() || repeated || sorted.iter().any(|&tap| tap > last) {
        return Err(BadArm::Taps { taps: taps.to_vec(), last });
    }
    Ok(())
}

/// The taps from the first of the network to the last.
pub fn sorted(taps: &[usize]) -> Vec<usize> {
    let mut taps = taps.to_vec();
    taps.sort_unstable();
    taps
}

/// The value of each tap, in order, and its shape.
pub fn shapes(
    taps: &[usize],
    network: &Network<'_>,
    per_image: bool,
    through_statistics: bool,
) -> Vec<(ValueId, Shape)> {
    let shape = |tap: usize| {
        let value = network.graph.features[tap];
        let extent = network.graph.extent(value);
        let (n, area, channels) = (network.batch, extent.area(), extent.c);
        (value, Shape { n, area, channels, per_image, through_statistics })
    };
    sorted(taps).into_iter().map(shape).collect()
}
