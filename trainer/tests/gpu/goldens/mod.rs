//! dfrt against PyTorch: the goldens of `tools/reference.py`, whose weights and
//! pictures both sides make by one formula. When all is done the worst relative error
//! of each subject is printed, beside PyTorch's own in float32; those of every tensor
//! are left in tables in the target folder.

mod arms;
mod deployment;
mod file;
mod formula;
mod network;
mod reference;
mod reference_arms;
mod regularization;
mod row;
mod runs;
mod scene;
mod verdict;

use libtest_mimic::Trial;

pub use verdict::print_figures;

pub fn trials() -> Vec<Trial> {
    let all = [
        network::trials(),
        regularization::trials(),
        arms::trials(),
        reference::trials(),
        reference_arms::trials(),
        deployment::trials(),
    ];
    all.into_iter().flatten().collect()
}
