//! Compares the exported file, run by tract, with the GPU.

use super::fixture::{Fixture, compare};
use super::{Check, Fault, Finding};
use crate::evaluator::Evaluator;
use crate::gpu::engine::Engine;
use crate::train::outcome;
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use std::sync::Arc;

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    let cases = [
        ("efficientnet-tiny", 64, None),
        ("efficientnet-tiny", 32, Some(1)),
        ("efficientnet-lite0", 96, None),
        ("efficientnet-b0", 64, None),
    ];
    let check = |(arch, res, batch): (&'static str, usize, Option<usize>)| {
        let fixed = batch.map_or_else(|| "any batch".to_owned(), |batch| format!("batch {batch}"));
        let name = format!("deployment/{arch} at {res} px, {fixed}: tract agrees with the GPU");
        Check::new(name, move |engine| exported(engine, arch, res, batch))
    };
    cases.into_iter().map(check).collect()
}

fn exported(engine: &Arc<Engine>, arch: &str, res: usize, batch: Option<usize>) -> Finding {
    let fixture = Fixture::new(engine, arch, res, 5)?;
    let gpu = Evaluator::new(&fixture.network, 5)?.logits(&fixture.pictures)?;
    let folder = tempfile::tempdir().map_err(|error| Fault(error.to_string()))?;
    let path = folder.path().join("model.onnx");
    let metadata = Metadata::new(arch, res, 0.0);
    let fault = |error: &dyn std::fmt::Display| Fault(error.to_string());
    outcome::export(&path, fixture.graph(), &fixture.weights, &metadata, batch)
        .map_err(|error| fault(&error))?;
    let oracle = TractOracle::new(Detector::load(&path, 1).map_err(|error| fault(&error))?);
    let tract = oracle.logits(&Batch::of(res, &fixture.pictures))?;
    let gpu: Vec<f64> = gpu.into_iter().map(f64::from).collect();
    Ok(compare("logits", &tract, &gpu, 1e-3)?)
}
