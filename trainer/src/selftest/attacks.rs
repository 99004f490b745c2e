//! Compares steps of FGSM and PGD with the f64 reference.

use super::fixture::{Fixture, compare, require};
use super::{Check, Fault, Finding};
use crate::attack::pgd::Pgd;
use crate::gpu::engine::Engine;
use crate::reference::network::{Mode, Network};
use dfrt_runtime::attack::gradient::steps::StepSettings;
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::{Attack, Target};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::{Norm, Threat};
use std::sync::Arc;

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    vec![
        Check::new("attack/fgsm moves every value by its gradient's sign".to_owned(), fgsm),
        Check::new("attack/pgd stays in the L2 ball and lowers the margin".to_owned(), |engine| {
            descends(engine, Norm::L2, 255.0)
        }),
        Check::new("attack/pgd stays in the Linf ball and lowers the margin".to_owned(), |engine| {
            descends(engine, Norm::Linf, 4.0)
        }),
    ]
}

fn targets(fixture: &Fixture) -> Vec<Target> {
    let label = |index: usize| if index.is_multiple_of(2) { Label::Fake } else { Label::Real };
    let target = |(index, picture): (usize, &image::RgbImage)| Target {
        id: index as u64,
        label: label(index),
        picture: picture.clone(),
    };
    fixture.pictures.iter().enumerate().map(target).collect()
}

/// An oracle that must not be used, because the network is on the device.
struct Absent;

impl Oracle for Absent {
    fn logits(&self, _: &Batch) -> Result<Vec<f32>, OracleError> {
        Err(OracleError("an attack by gradients asked the judge's model".to_owned()))
    }

    fn res(&self) -> usize {
        32
    }
}

fn queries(targets: &[Target]) -> Vec<Query<'_>> {
    targets.iter().map(|target| Query::new(target, &Absent, 0.0)).collect()
}

fn threat(norm: Norm, eps_255: f64) -> Result<Threat, Fault> {
    Threat::new(norm, eps_255).map_err(|error| Fault(error.to_string()))
}

/// The step of FGSM must have the exact bits wherever the gradient is not close to 0.
fn fgsm(engine: &Arc<Engine>) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 32, 3)?;
    let targets = targets(&fixture);
    let threat = threat(Norm::Linf, 8.0)?;
    // The number of targets is not a multiple of the batch.
    let attack = Pgd::new("fgsm", &fixture.network, 2, StepSettings::FGSM)?;
    let proposals = attack.propose(&queries(&targets), threat)?;
    let unknown = proposals.iter().all(|proposal| proposal.never_differed.is_none());
    require(unknown, "one step cannot tell whether answers differ")?;
    let state = fixture.state();
    let network = Network { graph: fixture.graph(), state: &state, mode: Mode::Eval, perturbation: None };
    let pixels = fixture.pixels();
    let trace = network.forward(&pixels);
    let dlogits: Vec<f64> = targets.iter().map(|target| -f64::from(target.label.sign())).collect();
    let gradient = &network.backward(&trace, &dlogits).values[fixture.graph().input.0];
    let largest = gradient.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let area = 32 * 32;
    let mut worst: f64 = 0.0;
    for (index, proposal) in proposals.iter().enumerate() {
        for pixel in 0..area {
            for channel in 0..3 {
                let at = (index * area + pixel) * 3 + channel;
                if gradient[at].abs() < 1e-4 * largest {
                    continue;
                }
                let expected = (pixels[at] + 8.0 / 255.0 * gradient[at].signum()).clamp(0.0, 1.0);
                worst = worst.max((f64::from(proposal.values[channel * area + pixel]) - expected).abs());
            }
        }
    }
    require(worst < 1e-6, &format!("a value is off by {worst:e}"))?;
    Ok(worst)
}

/// Ten steps must end in the ball with a lower margin than at the start.
fn descends(engine: &Arc<Engine>, norm: Norm, eps_255: f64) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 32, 3)?;
    let targets = targets(&fixture);
    let threat = threat(norm, eps_255)?;
    let attack = Pgd::new("pgd", &fixture.network, 3, StepSettings::pgd(10, 2, 0))?;
    let proposals = attack.propose(&queries(&targets), threat)?;
    let informed = proposals.iter().all(|proposal| proposal.never_differed == Some(false));
    require(informed, "the logits of ten steps count as all the same")?;
    let state = fixture.state();
    let network = Network { graph: fixture.graph(), state: &state, mode: Mode::Eval, perturbation: None };
    let before = network.forward(&fixture.pixels());
    let area = 32 * 32;
    let last: Vec<f64> = proposals
        .iter()
        .flat_map(|proposal| (0..3 * area).map(|at| f64::from(proposal.values[(at % 3) * area + at / 3])))
        .collect();
    let after = network.forward(&last);
    let mut largest: f64 = 0.0;
    for (index, target) in targets.iter().enumerate() {
        let sign = f64::from(target.label.sign());
        let margins = [&before, &after].map(|trace| sign * trace.logits(fixture.graph())[index]);
        require(
            margins[1] < margins[0] - 0.1,
            &format!("the margin goes from {} to {}", margins[0], margins[1]),
        )?;
        let clean: Vec<f32> = dfrt_runtime::data::batch::Batch::of(32, [&target.picture]).values;
        let excess = threat.excess_255(&clean, &proposals[index].values);
        require(excess < 1e-3, &format!("{excess}/255 outside of the ball"))?;
        largest = largest.max(excess);
    }
    // A second call must give the same pictures, because draws are keyed by picture.
    let alone = attack.propose(&queries(&targets[2..]), threat)?;
    let expected: Vec<f64> = proposals[2].values.iter().map(|&value| value.into()).collect();
    compare("a picture attacked alone", &alone[0].values, &expected, 0.0)?;
    Ok(largest)
}
