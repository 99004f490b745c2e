//! Which buffer of the pool each tensor gets: two tensors share one when their
//! lives do not meet.

use super::recording::Recording;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The pool of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// Lengths of the buffers in values.
    pub buffers: Vec<usize>,
    /// For each pooled tensor its buffer; none for a tensor that nobody touches.
    pub buffer_of: Vec<Option<usize>>,
}

impl Pool {
    /// Bytes of the whole pool.
    pub fn bytes(&self) -> u64 {
        self.buffers.iter().map(|&len| 4 * len as u64).sum()
    }

    /// Places tensors from the largest to the smallest, each in the buffer that is free
    /// for its whole lifetime and idles least beside it (Pisarchyk & Lee 2020, "greedy by
    /// size" for shared objects), or else in a buffer of its own.
    pub fn plan(recording: &Recording) -> Self {
        let lives = recording.lifetimes();
        let mut order: Vec<(usize, Lifetime)> =
            lives.iter().enumerate().filter_map(|(tensor, lifetime)| Some((tensor, (*lifetime)?))).collect();
        // Equal lengths in the order of their first use.
        order.sort_by_key(|&(tensor, lifetime)| (Reverse(recording.pooled[tensor]), lifetime));
        let mut pool = Self { buffers: Vec::new(), buffer_of: vec![None; lives.len()] };
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

/// The shortest idle time beside `lifetime` in a buffer of these lives; none where they meet.
fn gap(lifetimes: &BTreeSet<Lifetime>, lifetime: Lifetime) -> Option<usize> {
    let before = lifetimes.range(..=(lifetime.1, usize::MAX)).next_back();
    if before.is_some_and(|before| before.1 >= lifetime.0) {
        return None;
    }
    let after = lifetimes.range((lifetime.1, usize::MAX)..).next();
    let idle = |from: usize, to: usize| to - from;
    let gaps = [before.map(|before| idle(before.1, lifetime.0)), after.map(|after| idle(lifetime.1, after.0))];
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
    fn tensors_share_buffers_only_when_their_lives_do_not_meet() {
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
