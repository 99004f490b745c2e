//! Assigns tensors to the buffers of a pool: tensors whose lifetimes do not overlap can share one.

use super::recording::Recording;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The pool of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Lengths of the buffers in values.
    pub buffers: Vec<usize>,
    /// The buffer of each pooled tensor; none for a tensor that is not used.
    pub buffer_of: Vec<Option<usize>>,
}

impl Pool {
    /// Bytes of the pool.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|&len| 4 * len as u64).sum()
    }

    /// Assigns tensors from the largest to the smallest, each to the buffer that is free during its
    /// lifetime with the shortest idle time before or after it (Pisarchyk & Lee 2020, "greedy by
    /// size" for shared objects), or else to a new buffer.
    pub fn plan(recording: &Recording) -> Self {
        let all = recording.lifetimes();
        let mut order: Vec<(usize, Lifetime)> =
            all.iter().enumerate().filter_map(|(tensor, lifetime)| Some((tensor, (*lifetime)?))).collect();
        // Equal lengths in the order of their first use.
        order.sort_by_key(|&(tensor, lifetime)| (Reverse(recording.pooled[tensor]), lifetime));
        let mut pool = Self { buffers: Vec::new(), buffer_of: vec![None; all.len()] };
        let mut lifetimes: Vec<BTreeSet<Lifetime>> = Vec::new();
        for (tensor, lifetime) in order {
            let gaps = lifetimes.iter().enumerate();
            let free = gaps.filter_map(|(buffer, lifetimes)| Some((gap(lifetimes, lifetime)?, buffer))).min();
            let buffer = free.map_or_else(
                || {
                    pool.buffers.push(recording.pooled[tensor]);
                    lifetimes.push(BTreeSet::new());
                    pool.buffers.len() - 1
                },
                |(_, buffer)| buffer,
            );
            lifetimes[buffer].insert(lifetime);
            pool.buffer_of[tensor] = Some(buffer);
        }
        pool
    }
}

/// First and last dispatch of a tensor.
type Lifetime = (usize, usize);

/// The shortest idle time before or after `lifetime` in a buffer used in `lifetimes`; none if they
/// overlap.
fn gap(lifetimes: &BTreeSet<Lifetime>, lifetime: Lifetime) -> Option<usize> {
    let before = lifetimes.range(..=(lifetime.1, usize::MAX)).next_back();
    if before.is_some_and(|before| before.1 >= lifetime.0) {
        return None;
    }
    let after = lifetimes.range((lifetime.1, usize::MAX)..).next();
    let idle = |from: usize, to: usize| to - from;
    let gaps =
        [before.map(|before| idle(before.1, lifetime.0)), after.map(|after| idle(lifetime.1, after.0))];
    Some(gaps.into_iter().flatten().min().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernel::{Kernel, read, write};
    use crate::gpu::shader::Shader;

    crate::parameters! { struct Nothing { unused: u32 } }

    static SHADER: Shader = Shader { name: "none.wgsl", source: "" };
    static COPY: Kernel = Kernel::new::<Nothing>(&SHADER, "copy", &[read("x"), write("y")]);

    #[test]
    fn tensors_share_buffers_only_if_their_lifetimes_do_not_overlap() {
        let mut recording = Recording::default();
        let chain: Vec<_> = (0..6).map(|step| recording.tensor(1000 + 10 * step)).collect();
        for pair in chain.windows(2) {
            recording.dispatch(&COPY, &Nothing::default(), pair, 1);
        }
        let pool = Pool::plan(&recording);
        assert_eq!(pool.buffers.len(), 2, "a chain needs two buffers in turn");
        assert_eq!(pool.bytes(), 4 * (1050 + 1040), "the largest two");
        for pair in pool.buffer_of.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for (tensor, buffer) in pool.buffer_of.iter().enumerate() {
            assert!(pool.buffers[buffer.unwrap()] >= recording.pooled[tensor]);
        }
    }
}
