//! A network on the GPU in the form that the attacks of the catalog need.

use super::gpu_oracle::GpuOracle;
use super::pgd::Pgd;
use crate::gpu::device::GpuError;
use crate::plan::resident::Resident;
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::gradient::steps::{Device, StepSettings};
use dfrt_runtime::detector::oracle::{GradientOracle, OracleError};

/// The network and the plans of its gradients, for any number of attacks.
#[derive(Debug)]
pub struct GpuDevice {
    network: Resident,
    gradients: GpuOracle,
}

impl GpuDevice {
    /// Plans gradients of `network` with its current weights, `batch` pictures at a time.
    ///
    /// # Errors
    /// A device that fails or has too little memory.
    pub fn new(network: &Resident, batch: usize) -> Result<Self, GpuError> {
        let network = network.folded()?;
        Ok(Self { gradients: GpuOracle::new(&network, batch)?, network })
    }
}

impl Device for GpuDevice {
    fn gradients(&self) -> &dyn GradientOracle {
        &self.gradients
    }

    fn batch(&self) -> usize {
        self.gradients.batch()
    }

    fn steps<'a>(
        &'a self,
        name: &'static str,
        settings: StepSettings,
    ) -> Result<Box<dyn Attack + 'a>, OracleError> {
        let pgd = Pgd::new(name, &self.network, self.batch(), settings);
        Ok(Box::new(pgd.map_err(|error| OracleError(error.to_string()))?))
    }
}
