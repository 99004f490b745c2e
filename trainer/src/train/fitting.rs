//! Finds the largest batch that fits a device: the memory of a training plan is known before it is
//! made.

use super::settings::{BadSettings, Settings};
use crate::arms::step;
use crate::gpu::memory::Pool;
use crate::model::graph::Graph;
use crate::plan::layout::Layout;
use crate::plan::pass::Activations;

/// The largest batch that is tried.
const LARGEST: usize = 1024;

/// Memory that a plan needs, or that is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes of all intermediate results.
    pub pool: u64,
    /// Bytes of the largest of them.
    pub tensor: u64,
}

impl Memory {
    /// Whether a plan that needs this fits into `memory`.
    pub fn fits(self, memory: Self) -> bool {
        self.pool <= memory.pool && self.tensor <= memory.tensor
    }
}

/// The memory of a plan of `batch` pictures that recomputes its activations.
///
/// # Errors
/// Settings that give no network.
pub fn demand(settings: &Settings, batch: usize) -> Result<Memory, BadSettings> {
    let graph = settings.graph()?;
    Ok(demand_of(&graph, &Layout::new(&graph), settings, batch))
}

fn demand_of(graph: &Graph, layout: &Layout, settings: &Settings, batch: usize) -> Memory {
    let step = step::Settings { activations: Activations::Recomputed, ..settings.step() };
    let recording = step::record(graph, layout, batch, &step);
    let largest = recording.pooled.iter().max().copied().unwrap_or(0);
    Memory { pool: Pool::plan(&recording).bytes(), tensor: 4 * largest as u64 }
}

/// The largest batch whose training plan fits into `memory`, rounded down to a multiple of 8 if it is
/// above 8; none if not even one picture fits.
///
/// # Errors
/// Settings that give no network.
pub fn largest_batch(settings: &Settings, memory: Memory) -> Result<Option<usize>, BadSettings> {
    let graph = settings.graph()?;
    let layout = Layout::new(&graph);
    let fits = |batch: usize| demand_of(&graph, &layout, settings, batch).fits(memory);
    // Memory grows with the batch, so that bisection finds the last one that fits.
    let (mut fitting, mut beyond) = (0, LARGEST + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        if fits(middle) {
            fitting = middle;
        } else {
            beyond = middle;
        }
    }
    Ok((fitting > 0).then(|| if fitting >= 8 { fitting / 8 * 8 } else { fitting }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arms::{Method, NAMES};

    fn tiny() -> Settings {
        Settings { arch: "efficientnet-tiny".to_owned(), res: 64, ..Settings::default() }
    }

    #[test]
    fn the_largest_fits_and_the_next_does_not() {
        let settings = tiny();
        for (pool, tensor) in [(32 << 20, u64::MAX), (u64::MAX, 16 << 20), (100 << 20, 20 << 20)] {
            let memory = Memory { pool, tensor };
            let batch = largest_batch(&settings, memory).unwrap().unwrap();
            let inside = |batch| demand(&settings, batch).unwrap().fits(memory);
            assert!(batch.is_multiple_of(8) && inside(batch) && !inside(batch + 8), "{batch} in {memory:?}");
        }
    }

    #[test]
    fn every_method_has_a_demand() {
        let of = |name: &str| {
            let method = Method::named(name).unwrap();
            demand(&Settings { method, ..tiny() }, 4).unwrap().pool
        };
        let plain = of("baseline");
        for name in NAMES {
            assert!(of(name) >= plain, "{name}");
        }
    }

    #[test]
    fn the_search_ends_on_both_sides() {
        let nothing = Memory { pool: 1000, tensor: u64::MAX };
        assert_eq!(largest_batch(&tiny(), nothing).unwrap(), None);
        let all = Memory { pool: u64::MAX, tensor: u64::MAX };
        assert_eq!(largest_batch(&tiny(), all).unwrap(), Some(LARGEST));
    }
}
