//! The checks of `dfrt selftest`, with the driver's bounds checks on.

use dfrt_trainer::gpu::device::Device;
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::selftest;
use libtest_mimic::Trial;
use std::sync::{Arc, OnceLock};

pub fn engine() -> Result<Arc<Engine>, String> {
    static ENGINE: OnceLock<Result<Arc<Engine>, String>> = OnceLock::new();
    let open = || match Device::open(None) {
        Ok(device) => Ok(Arc::new(Engine::new(device, true))),
        Err(error) => Err(error.to_string()),
    };
    ENGINE.get_or_init(open).clone()
}

pub fn trials() -> Vec<Trial> {
    let trial = |check: selftest::Check| {
        Trial::test(check.name.clone(), move || {
            check.run(&engine()?)?;
            Ok(())
        })
    };
    selftest::checks().into_iter().map(trial).collect()
}
