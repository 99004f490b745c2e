//! Every op of the GPU against its f64 reference, over ragged shapes.

mod residual;

use libtest_mimic::Trial;

/// The cases of all ops.
pub fn trials() -> Vec<Trial> {
    [residual::trials()].into_iter().flatten().collect()
}
