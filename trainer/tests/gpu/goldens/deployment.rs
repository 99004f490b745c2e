//! The exported file: tract's logits, the GPU's and PyTorch's are the same numbers.
//! The files are left for `tools/reference.py --onnx`, which asks onnxruntime.

use super::network::CASES;
use super::scene::{self, Scene};
use crate::places;
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_trainer::evaluator::Evaluator;
use dfrt_trainer::train::outcome;
use libtest_mimic::{Failed, Trial};

/// Two logits, which are of order one, may differ by this.
const LIMIT: f64 = 1e-4;

pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static str| {
        [false, true].map(|fixed| {
            let batch = if fixed { "a fixed" } else { "any" };
            let name = format!("goldens/{case}, exported with {batch} batch");
            Trial::test(name, move || exported(case, &*Scene::of(case)?, fixed))
        })
    };
    CASES.into_iter().flat_map(trial).collect()
}

fn exported(case: &str, scene: &Scene, fixed: bool) -> Result<(), Failed> {
    let suffix = if fixed { "fixed" } else { "any" };
    let path = places::goldens().join(format!("{case}.{suffix}.onnx"));
    let metadata = Metadata::new(&scene.case.arch, scene.case.res, 0.0);
    let batch = fixed.then_some(scene.case.batch);
    outcome::export(&path, &scene.graph, &scene.weights, &metadata, batch)?;
    let oracle = TractOracle::new(Detector::load(&path, 1)?);
    let tract = scene::wide(oracle.logits(&Batch::of(scene.case.res, &scene.pictures))?);
    let gpu = Evaluator::new(&*scene.network()?, scene.case.batch)?.logits(&scene.pictures)?;
    let gpu = scene::wide(gpu);
    let pytorch = scene.golden.values("evaluation_logits");
    assert!(pytorch.iter().any(|logit| logit.abs() > 0.3), "logits are of order one: {pytorch:?}");
    for (what, one, other) in
        [("tract and the GPU", &tract[..], &gpu[..]), ("tract and PyTorch", &tract, pytorch)]
    {
        for (index, (one, other)) in one.iter().zip(other).enumerate() {
            let difference = (one - other).abs();
            if difference.is_nan() || difference > LIMIT {
                return Err(format!("{what} differ by {difference:.1e} on picture {index}").into());
            }
        }
    }
    Ok(())
}
