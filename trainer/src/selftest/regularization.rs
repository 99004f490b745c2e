//! Compares gradient regularization on the GPU with its f64 version, and checks that equal
//! computations give the same bits.

use super::fixture::{Buffers, Fixture, compare, compare_gradients, require};
use super::network::running;
use super::{Check, Finding};
use crate::arms::gradient_regularization::GradientRegularization;
use crate::arms::{Method, step};
use crate::gpu::engine::Engine;
use crate::plan::names;
use crate::reference::feature_statistics::{Flow, Norm, Sharing};
use crate::reference::gradient_regularization::{self as reference, Options};
use crate::reference::network::Mode;
use std::sync::Arc;

/// The checks of this file.
pub fn checks() -> Vec<Check> {
    let default = GradientRegularization::default;
    let both = GradientRegularization { per_image: true, per_tap: true, ..default() };
    let cases = [
        ("defaults", default()),
        ("radius 0.05", GradientRegularization { radius: 0.05, ..default() }),
        ("alpha 0.5", GradientRegularization { alpha: 0.5, ..default() }),
        ("detached", GradientRegularization { through_statistics: false, ..default() }),
        ("per image", GradientRegularization { per_image: true, ..default() }),
        ("per tap", GradientRegularization { per_tap: true, ..default() }),
        ("per image and tap, detached", GradientRegularization { through_statistics: false, ..both }),
        ("one deep tap", GradientRegularization { taps: vec![2], ..default() }),
        ("taps out of order", GradientRegularization { taps: vec![3, 1], alpha: 0.7, ..default() }),
    ];
    let check = |(name, settings): (&str, GradientRegularization)| {
        Check::new(format!("gradient_regularization/{name}"), move |engine| {
            regularised_step(engine, "efficientnet-tiny", 32, &settings)
        })
    };
    let mut checks: Vec<Check> = cases.into_iter().map(check).collect();
    checks.push(Check::new("gradient_regularization/efficientnet-b0".to_owned(), |engine| {
        regularised_step(engine, "efficientnet-b0", 64, &GradientRegularization::default())
    }));
    checks.push(Check::new(
        "gradient_regularization/r 0 is the plain step".to_owned(),
        no_radius_is_the_plain_step,
    ));
    checks.push(Check::new("gradient_regularization/repeats to the bit".to_owned(), repeats_to_the_bit));
    checks
}

fn regularised_step(
    engine: &Arc<Engine>,
    arch: &str,
    res: usize,
    settings: &GradientRegularization,
) -> Finding {
    let fixture = Fixture::new(engine, arch, res, 4)?;
    let state = fixture.state();
    let options = options(settings);
    let mode = Mode::Train { masks: Some(&fixture.keys) };
    let expected =
        reference::step(fixture.graph(), &state, mode, &fixture.pixels(), &fixture.labels(), &options);
    let found = fixture.gradients(Method::Gr(settings.clone()), true, settings.radius)?;
    compare("loss of pass 1", &found[step::HISTORY][..1], &expected.losses[..1], 1e-3)?;
    compare("loss of pass 2", &found[step::PERTURBED_HISTORY][..1], &expected.losses[1..], 1e-3)?;
    require(expected.losses[1] > expected.losses[0], "the perturbation does not raise the loss")?;
    let worst = compare_gradients(&fixture, &found[names::GRADIENTS], &expected.gradient)?;
    running(&fixture, &found, &expected.running)?;
    Ok(worst)
}

/// The settings of the f64 version.
pub(super) fn options(settings: &GradientRegularization) -> Options {
    Options {
        taps: settings.taps.clone(),
        r: settings.radius.into(),
        alpha: settings.alpha.into(),
        flow: if settings.through_statistics { Flow::Through } else { Flow::Detached },
        sharing: if settings.per_image { Sharing::Image } else { Sharing::Batch },
        norm: if settings.per_tap { Norm::PerTap } else { Norm::Joint },
    }
}

/// With r = 0 the second pass repeats the first, so the gradients are the plain
/// step's to the bit.
fn no_radius_is_the_plain_step(engine: &Arc<Engine>) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 64, 5)?;
    let plain = fixture.gradients(Method::Baseline, true, 0.0)?;
    let mut largest: f32 = 0.0;
    for alpha in [1.0, 0.25] {
        let settings = GradientRegularization { radius: 0.0, alpha, ..Default::default() };
        let regularised = fixture.gradients(Method::Gr(settings), true, 0.0)?;
        let unpack = |found: &Buffers| {
            fixture.network.layout.unpack_params(fixture.graph(), &found[names::GRADIENTS]).concat()
        };
        let (a, b) = (unpack(&plain), unpack(&regularised));
        let norm = a.iter().map(|value| value * value).sum::<f32>().sqrt();
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // alpha < 1 adds two rounded products.
        let allowed = if alpha == 1.0 { 0.0 } else { 1e-6 * norm };
        largest = largest.max(worst);
        require(worst <= allowed, &format!("alpha {alpha}: gradients differ by {worst:e}"))?;
        let still = plain[names::RUNNING] == regularised[names::RUNNING];
        require(still, "pass 2 moved the running statistics")?;
    }
    Ok(largest.into())
}

/// Two runs give the same bits.
fn repeats_to_the_bit(engine: &Arc<Engine>) -> Finding {
    let fixture = Fixture::new(engine, "efficientnet-tiny", 64, 5)?;
    let run = || fixture.gradients(Method::Gr(GradientRegularization::default()), true, 0.1);
    let bits = |found: Buffers| -> Vec<u32> {
        found[names::GRADIENTS].iter().map(|value| value.to_bits()).collect()
    };
    require(bits(run()?) == bits(run()?), "two runs of one step differ")?;
    Ok(0.0)
}
