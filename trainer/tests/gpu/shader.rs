//! What a device says of a shader that is wrong.

use crate::planted_shaders;
use dfrt_trainer::gpu::device::Device;
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::gpu::kernel::{Kernel, write};
use dfrt_trainer::gpu::recording::Recording;
use libtest_mimic::{Failed, Trial};
use std::collections::HashMap;

dfrt_trainer::parameters! { struct Params { chunks: u32 } }

static PIECE: Kernel = Kernel::new::<Params>(&planted_shaders::IN_A_PIECE, "forward", &[write("y")]);
static SHADER: Kernel = Kernel::new::<Params>(&planted_shaders::IN_ITS_OWN_TEXT, "forward", &[write("y")]);

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("shader/an_error_is_where_it_stands_in_its_own_file", places)]
}

fn places() -> Result<(), Failed> {
    let kernels = [&PIECE, &SHADER];
    for checked in [true, false] {
        let engine = Engine::new(Device::open(None)?, checked);
        for (kernel, (_, place)) in kernels.into_iter().zip(planted_shaders::places()) {
            let mut recording = Recording::default();
            recording.produce(kernel, &Params { chunks: 1 }, &[], 4, 1);
            let error = engine.compile(&recording, &HashMap::new()).err().ok_or("it was taken")?.to_string();
            assert!(error.contains(&format!("reported an error: {place}")), "{error}");
        }
    }
    Ok(())
}
