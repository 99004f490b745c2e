//! Which buffer of the pool each tensor gets: two tensors share one when their
//! lives do not meet.

use super::recording::Recording;

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

    /// Places tensors in the order of their first use, each in the free buffer that
    /// wastes or grows least. Tensors smaller than half of a buffer do not take it.
    pub fn plan(recording: &Recording) -> Self {
        let lives = recording.lifetimes();
        let mut order: Vec<usize> = (0..lives.len()).filter(|&tensor| lives[tensor].is_some()).collect();
        order.sort_by_key(|&tensor| lives[tensor].map(|life| life.0));
        let mut pool = Self { buffers: Vec::new(), buffer_of: vec![None; lives.len()] };
        let mut busy_until: Vec<usize> = Vec::new();
        for tensor in order {
            let (first, last) = lives[tensor].expect("filtered");
            let len = recording.pooled[tensor];
            let fits = |buffer: &usize| {
                let size = pool.buffers[*buffer];
                busy_until[*buffer] < first && size <= 4 * len.max(1024)
            };
            let free = (0..pool.buffers.len()).filter(fits);
            let buffer = free.min_by_key(|&buffer| pool.buffers[buffer].abs_diff(len)).unwrap_or_else(|| {
                pool.buffers.push(0);
                busy_until.push(0);
                pool.buffers.len() - 1
            });
            pool.buffers[buffer] = pool.buffers[buffer].max(len);
            busy_until[buffer] = last;
            pool.buffer_of[tensor] = Some(buffer);
        }
        pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernel::{Kernel, Shader, read, write};

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
        for pair in pool.buffer_of.windows(2) {
            assert_ne!(pair[0], pair[1]);
        }
        for (tensor, buffer) in pool.buffer_of.iter().enumerate() {
            assert!(pool.buffers[buffer.unwrap()] >= recording.pooled[tensor]);
        }
    }
}
