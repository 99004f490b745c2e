//! dfrt against PyTorch: the goldens of `tools/reference.py`, whose weights and
//! pictures both sides make by one formula. Each test prints its worst relative
//! error beside PyTorch's own in float32, and leaves that of every tensor in a table
//! in the target folder, whose path it prints.

mod file;
mod formula;
mod network;
mod reference;
mod regularization;
mod row;
mod scene;
mod verdict;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    [network::trials(), regularization::trials(), reference::trials()].into_iter().flatten().collect()
}
