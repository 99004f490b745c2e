//! Which batch fits a device: what a training plan asks for is known before it is made.

use super::settings::{BadSettings, Settings};
use crate::arms::step;
use crate::gpu::memory::Pool;
use crate::model::graph::Graph;
use crate::plan::layout::Layout;
use crate::plan::pass::Activations;

/// The largest batch that is looked for.
const LARGEST: usize = 1024;

/// What may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes of all intermediate results.
    pub pool: u64,
    /// Bytes of one of them.
    pub tensor: u64,
}

impl Room {
    /// Whether a plan that asks for this fits into `room`.
    pub fn fits(self, room: Self) -> bool {
        self.pool <= room.pool && self.tensor <= room.tensor
    }
}

/// What a plan of `batch` pictures asks for, with its activations made again.
pub fn demand(settings: &Settings, batch: usize) -> Result<Room, BadSettings> {
    let graph = settings.graph()?;
    Ok(demand_of(&graph, &Layout::new(&graph), settings, batch))
}

fn demand_of(graph: &Graph, layout: &Layout, settings: &Settings, batch: usize) -> Room {
    let step = step::Settings { activations: Activations::Recomputed, ..settings.step() };
    let recording = step::record(graph, layout, batch, &step);
    let largest = recording.pooled.iter().max().copied().unwrap_or(0);
    Room { pool: Pool::plan(&recording).bytes(), tensor: 4 * largest as u64 }
}

/// The largest batch whose training plan fits into `room`, a multiple of 8 from 8 on;
/// none where not even one picture fits.
pub fn largest_batch(settings: &Settings, room: Room) -> Result<Option<usize>, BadSettings> {
    let graph = settings.graph()?;
    let layout = Layout::new(&graph);
    let fits = |batch: usize| demand_of(&graph, &layout, settings, batch).fits(room);
    // Demand grows with the batch: the last that fits is where a halving search ends.
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

    fn tiny() -> Settings {
        Settings { arch: "efficientnet-tiny".to_owned(), res: 64, ..Settings::default() }
    }

    #[test]
    fn the_largest_fits_and_the_next_does_not() {
        let settings = tiny();
        for (pool, tensor) in [(32 << 20, u64::MAX), (u64::MAX, 16 << 20), (100 << 20, 20 << 20)] {
            let room = Room { pool, tensor };
            let batch = largest_batch(&settings, room).unwrap().unwrap();
            let inside = |batch| demand(&settings, batch).unwrap().fits(room);
            assert!(batch.is_multiple_of(8) && inside(batch) && !inside(batch + 8), "{batch} in {room:?}");
        }
    }

    #[test]
    fn there_is_an_end_on_both_sides() {
        let nothing = Room { pool: 1000, tensor: u64::MAX };
        assert_eq!(largest_batch(&tiny(), nothing).unwrap(), None);
        let all = Room { pool: u64::MAX, tensor: u64::MAX };
        assert_eq!(largest_batch(&tiny(), all).unwrap(), Some(LARGEST));
    }
}
