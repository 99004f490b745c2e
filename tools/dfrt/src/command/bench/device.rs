//! `dfrt bench device`: the highest rates of a GPU.

use super::{Destination, Device};
use crate::network;
use crate::output::{Lines, three_digits};
use anyhow::Result;
use dfrt_trainer::bench::ceilings::{self, Ceilings};

impl Device {
    /// Measures the ceilings of the GPU; prints them and writes them to `--out`.
    pub fn run(self) -> Result<()> {
        let to = Destination::open(self.out.as_deref(), self.force, self.json)?;
        let ceilings = ceilings::measure(&*network::engine(self.device)?)?;
        to.write(&ceilings, || format!("{}\n{}", ceilings.device.name, lines(&ceilings)))
    }
}

/// The ceilings, one line each.
pub(super) fn lines(ceilings: &Ceilings) -> Lines {
    let mut lines = Lines::default();
    let Ceilings { copy, product, .. } = ceilings;
    let kernel = if copy.gb_s > copy.kernel_gb_s {
        format!(", a kernel {}", three_digits(copy.kernel_gb_s))
    } else {
        String::new()
    };
    lines.add(
        "copy ceiling",
        format!("{} GB/s ({}, {:.0} MB{kernel})", three_digits(copy.gb_s), copy.by, copy.mb),
    );
    let shape = format!("{} x {} by {} x {}", product.m, product.k, product.k, product.n);
    lines.add(
        "product ceiling",
        format!("{} GFLOP/s ({}, {shape})", three_digits(product.gflops), product.kernel),
    );
    lines
}
