//! Compares what an explanation measures on the GPU with the f64 reference: the gradients with respect to
//! pixels, statistics and last features, the logits under moved statistics, and the norm of the
//! gradient with respect to the statistics with differences of the reference's logits.

use super::fixture::{Fixture, compare, require};
use super::{Check, Finding};
use crate::explain::probe::{Probe, Slopes};
use crate::gpu::engine::Engine;
use crate::reference::feature_statistics::{self, Flow, Sharing, Statistics};
use crate::reference::network::{Mode, Network, Perturbation, State, Trace, tap};
use dfrt_runtime::data::batch::Batch;
use std::sync::Arc;

/// The taps, out of order.
const TAPS: [usize; 3] = [2, 0, 1];
/// Pictures; the plans have one more.
const N: usize = 3;

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    let of = |arch: &'static str, res: usize| {
        let name = |what: &str| format!("explain/{what} of {arch} at {res} px");
        [
            Check::new(name("gradients"), move |engine| gradients(engine, arch, res)),
            Check::new(name("moved statistics"), move |engine| moved_statistics(engine, arch, res)),
            Check::new(name("finite differences"), move |engine| finite_differences(engine, arch, res)),
        ]
    };
    [of("efficientnet-tiny", 32), of("efficientnet-b0", 64)].into_iter().flatten().collect()
}

/// A probe, its pictures, and what the reference says of them.
struct Case {
    fixture: Fixture,
    state: State,
    probe: Probe,
    batch: Batch,
    found: Slopes,
}

impl Case {
    fn new(engine: &Arc<Engine>, arch: &str, res: usize) -> Result<Self, super::Fault> {
        let fixture = Fixture::new(engine, arch, res, N)?;
        let probe = Probe::new(&fixture.network, N + 1, &TAPS)?;
        let batch = Batch::of(res, &fixture.pictures);
        let found = probe.slopes(&batch)?;
        Ok(Self { state: fixture.state(), probe, batch, found, fixture })
    }

    fn network<'a>(&'a self, perturbation: Option<&'a Perturbation>) -> Network<'a> {
        Network { graph: self.fixture.graph(), state: &self.state, mode: Mode::Eval, perturbation }
    }

    /// The reference's logits with these deltas, each [N, 2, C].
    fn logits(&self, deltas: &[Vec<f64>]) -> Vec<f64> {
        let channels = self.probe.taps.iter().map(|tap| tap.channels);
        let deltas = channels.zip(deltas).map(|(channels, rows)| apart(rows, channels)).collect();
        let perturbation =
            Perturbation { taps: TAPS.to_vec(), deltas, sharing: Sharing::Image, flow: Flow::Through };
        let network = self.network(Some(&perturbation));
        network.forward(&self.fixture.pixels()).logits(self.fixture.graph()).to_vec()
    }
}

/// [N, C] and [N, C] as [N, 2, C].
fn together(of: &Statistics, channels: usize) -> Vec<f64> {
    let rows = of.mean.chunks(channels).zip(of.deviation.chunks(channels));
    rows.flat_map(|(mean, deviation)| [mean, deviation].concat()).collect()
}

/// The inverse of [`together`].
fn apart(rows: &[f64], channels: usize) -> Statistics {
    let part = |which: usize| {
        let rows = rows.chunks(2 * channels);
        rows.flat_map(|row| row[which * channels..(which + 1) * channels].to_vec()).collect()
    };
    Statistics { mean: part(0), deviation: part(1) }
}

/// [N, H, W, 3] as [N, 3, H, W].
fn planes(values: &[f64], res: usize) -> Vec<f64> {
    let picture = |picture: &[f64]| -> Vec<f64> {
        (0..3).flat_map(|channel| picture[channel..].iter().step_by(3).copied().collect::<Vec<_>>()).collect()
    };
    values.chunks(3 * res * res).flat_map(picture).collect()
}

fn gradients(engine: &Arc<Engine>, arch: &str, res: usize) -> Finding {
    let case = Case::new(engine, arch, res)?;
    let (graph, found) = (case.fixture.graph(), &case.found);
    let network = case.network(None);
    let trace: Trace = network.forward(&case.fixture.pixels());
    let slopes = network.backward(&trace, &[1.0; N]);
    let mut worst = compare("logits", &found.logits, trace.logits(graph), 1e-3)?;
    let mut check = |what: &str, found: &[f32], expected: &[f64]| -> Result<(), String> {
        worst = worst.max(compare(what, found, expected, 0.0)?);
        Ok(())
    };
    check("dz/dx", &found.pixels.values, &planes(&slopes.values[graph.input.0], res))?;
    for (index, found) in TAPS.into_iter().zip(&found.taps) {
        let value = graph.features[index];
        let (shape, features) = (tap(graph, value, N), &trace.values[value.0]);
        let statistics = feature_statistics::statistics(&shape, features);
        check("mu and sigma", &found.statistics, &together(&statistics, shape.c))?;
        let expected =
            feature_statistics::gradients(&shape, features, &slopes.values[value.0], Sharing::Image);
        check("their gradient", &found.slopes, &together(&expected, shape.c))?;
    }
    let last = graph.features[graph.features.len() - 1];
    check("last features", &found.features, &trace.values[last.0])?;
    check("their gradient", &found.feature_slopes, &slopes.values[last.0])?;
    let (logits, pixels) = case.probe.pixel_slopes(&case.batch)?;
    require(logits == found.logits && pixels == found.pixels, "the plan of the pixels alone differs")?;
    Ok(worst)
}

/// The shift test at each tap: means x 1.2, deviations x 0.65.
fn moved_statistics(engine: &Arc<Engine>, arch: &str, res: usize) -> Finding {
    let case = Case::new(engine, arch, res)?;
    let mut worst: f64 = 0.0;
    let plain = case.probe.perturbed(&case.batch, &case.probe.no_deltas(N))?;
    for place in 0..TAPS.len() {
        let mut deltas = case.probe.no_deltas(N);
        let channels = case.probe.taps[place].channels;
        let statistics = case.found.taps[place].statistics.chunks(channels).enumerate();
        deltas[place] = statistics
            .flat_map(|(row, values)| {
                let factor = if row % 2 == 0 { 0.2 } else { -0.35 };
                values.iter().map(move |value| factor * value).collect::<Vec<f32>>()
            })
            .collect();
        let found = case.probe.perturbed(&case.batch, &deltas)?;
        let wide: Vec<Vec<f64>> =
            deltas.iter().map(|rows| rows.iter().map(|&value| f64::from(value)).collect()).collect();
        worst = worst.max(compare("logits", &found, &case.logits(&wide), 1e-3)?);
        require(found != plain, "the shift changes nothing")?;
    }
    Ok(worst)
}

/// The rise of the reference's logit along the gradient that the GPU found, by its norm.
fn finite_differences(engine: &Arc<Engine>, arch: &str, res: usize) -> Finding {
    let case = Case::new(engine, arch, res)?;
    const STEP: f64 = 1e-5;
    let norm = |picture: usize| {
        let taps = case.probe.taps.iter().zip(&case.found.taps);
        let squares = taps.map(|(tap, found)| {
            let row = &found.slopes[2 * picture * tap.channels..2 * (picture + 1) * tap.channels];
            row.iter().map(|&slope| f64::from(slope).powi(2)).sum::<f64>()
        });
        squares.sum::<f64>().sqrt()
    };
    let norms: Vec<f64> = (0..N).map(norm).collect();
    let moved = |step: f64| {
        let taps = case.probe.taps.iter().zip(&case.found.taps);
        let deltas: Vec<Vec<f64>> = taps
            .map(|(tap, found)| {
                let rows = found.slopes.chunks(2 * tap.channels).zip(&norms);
                rows.flat_map(|(row, norm)| row.iter().map(move |&slope| step * f64::from(slope) / norm))
                    .collect()
            })
            .collect();
        case.logits(&deltas)
    };
    let (up, down) = (moved(STEP), moved(-STEP));
    let slopes: Vec<f64> = up.iter().zip(&down).map(|(up, down)| (up - down) / (2.0 * STEP)).collect();
    let norms: Vec<f32> = norms.iter().map(|norm| *norm as f32).collect();
    Ok(compare("norms", &norms, &slopes, 0.0)?)
}
