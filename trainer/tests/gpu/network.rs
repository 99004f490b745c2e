//! Whole networks on the GPU against the f64 walk: logits, losses, every gradient,
//! running statistics, with and without gradient regularization; and that two ways
//! to the same figure give the same bits.

use dfrt_runtime::data::manifest::Label;
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle, Oracle};
use dfrt_runtime::random::stream;
use dfrt_trainer::arms::gradient_regularization::GradientRegularization;
use dfrt_trainer::arms::{Method, step};
use dfrt_trainer::evaluator::Evaluator;
use dfrt_trainer::gpu::device::Device;
use dfrt_trainer::gpu::engine::{Buffer, Engine};
use dfrt_trainer::gpu_oracle::GpuOracle;
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::graph::{Graph, Role};
use dfrt_trainer::model::weights::Weights;
use dfrt_trainer::ops::step::{LEN, NAME, Step};
use dfrt_trainer::plan::names;
use dfrt_trainer::plan::resident::{Resident, pack_bytes};
use dfrt_trainer::reference::feature_statistics::{Flow, Norm, Sharing};
use dfrt_trainer::reference::gradient_regularization::{self as reference_gr, Options};
use dfrt_trainer::reference::network::{Labels, Mode, Network, State};
use dfrt_trainer::train::settings::Settings;
use image::RgbImage;
use libtest_mimic::{Failed, Trial};
use rand::RngExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Largest error of a tensor relative to its norm.
const TOLERANCE: f64 = 1e-3;

/// A network, weights that are not fresh, and a batch for it.
struct Scene {
    network: Resident,
    weights: Weights,
    pictures: Vec<RgbImage>,
    targets: Vec<f64>,
    sample_weights: Vec<f64>,
    keys: Vec<u64>,
}

impl Scene {
    fn new(arch: &str, res: usize, n: usize) -> Self {
        let engine = Arc::new(Engine::new(Device::open(None).expect("listed"), true));
        let graph = Graph::new(Architecture::named(arch).unwrap(), res).unwrap();
        let weights = uneven(&graph);
        let mut random = stream(1, &["scene".into()]);
        let mut picture = || {
            let values = (0..3 * res * res).map(|index| {
                let wave = 127.0 + 90.0 * (index as f64 * 0.013).sin();
                (wave + random.random_range(-37.0..37.0)) as u8
            });
            RgbImage::from_raw(res as u32, res as u32, values.collect()).unwrap()
        };
        let pictures = (0..n).map(|_| picture()).collect();
        Self {
            network: Resident::new(engine, graph, &weights).unwrap(),
            weights,
            pictures,
            targets: (0..n).map(|index| (index % 2) as f64).collect(),
            sample_weights: (0..n).map(|index| 0.5 + 0.25 * (index % 3) as f64).collect(),
            keys: (0..n as u64).map(|index| index.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect(),
        }
    }

    fn graph(&self) -> &Graph {
        &self.network.graph
    }

    /// [N, res, res, 3] in \[0, 1\].
    fn pixels(&self) -> Vec<f64> {
        self.pictures.iter().flat_map(|picture| picture.as_raw().iter().map(|&byte| f64::from(byte) / 255.0)).collect()
    }

    fn labels(&self) -> Labels<'_> {
        Labels { targets: &self.targets, weights: &self.sample_weights }
    }

    fn state(&self) -> State {
        State::from(&self.weights)
    }

    /// Runs the gradients of a step; returns every named buffer.
    fn gradients(&self, method: Method, masks: bool, radius: f32) -> HashMap<String, Vec<f32>> {
        let engine = &self.network.engine;
        let n = self.pictures.len();
        let alpha = match &method {
            Method::Baseline => 1.0,
            Method::Gr(settings) => settings.alpha,
        };
        let settings = Settings { method, masks, ..Settings::default() };
        let recording = step::gradients(self.graph(), &self.network.layout, n, &settings.step());
        let mut named: HashMap<String, Buffer> = self.network.buffers();
        for external in &recording.externals {
            named.entry(external.name.clone()).or_insert_with(|| {
                engine.upload(&external.name, &vec![f32::NAN; external.len]).unwrap()
            });
        }
        let plan = engine.compile(&recording, &named).unwrap();
        engine.poison(&plan);
        self.network.load(&self.weights);
        engine.write(&named[names::BYTES], 0, &pack_bytes(&self.pictures));
        let labels: Vec<f32> =
            self.targets.iter().zip(&self.sample_weights).flat_map(|(&t, &w)| [t as f32, w as f32]).collect();
        engine.write(&named[names::LABELS], 0, &labels);
        if masks {
            let keys: Vec<u32> = self.keys.iter().flat_map(|&key| [key as u32, (key >> 32) as u32]).collect();
            engine.write(&named[names::KEYS], 0, &keys);
        }
        let scalars = Step { radius, alpha, ..Step::default() };
        assert_eq!(scalars.values().len(), LEN);
        engine.write(&named[NAME], 0, &scalars.values());
        engine.run(&plan).unwrap();
        let read = |(name, buffer): (&String, &Buffer)| {
            (name.clone(), engine.read(buffer, 0, buffer.len).unwrap())
        };
        named.iter().map(read).collect()
    }
}

/// Weights whose batch-norms, biases and running statistics are not the initial ones.
fn uneven(graph: &Graph) -> Weights {
    let mut weights = Weights::initial(graph, 5);
    let mut random = stream(5, &["uneven".into()]);
    let mut around = |middle: f32, reach: f32| middle + random.random_range(-reach..reach);
    for (param, tensor) in graph.params.iter().zip(&mut weights.params) {
        match param.role {
            Role::Gamma => tensor.iter_mut().for_each(|value| *value = around(1.0, 0.5)),
            Role::Beta | Role::Bias => tensor.iter_mut().for_each(|value| *value = around(0.0, 0.3)),
            Role::Linear if param.shape.len() == 2 => tensor.iter_mut().for_each(|value| *value *= 10.0),
            _ => {}
        }
    }
    // Running statistics near what a batch gives, so that evaluation keeps logits of order one.
    let state = State::from(&weights);
    let network = Network { graph, state: &state, mode: Mode::Train { masks: None }, perturbation: None };
    let image = graph.extent(graph.input).len();
    let pixels: Vec<f64> = (0..4 * image).map(|index| 0.5 + 0.4 * (index as f64 * 0.37).sin()).collect();
    let trace = network.forward(&pixels);
    for (running, batch) in weights.running.iter_mut().zip(trace.moments) {
        let typical = batch.var.iter().sum::<f64>() / batch.var.len() as f64;
        for (at, (mean, var)) in batch.mean.iter().zip(&batch.var).enumerate() {
            running.mean[at] = *mean as f32;
            running.var[at] = (var + 0.3 * typical) as f32 * around(1.0, 0.2);
        }
    }
    weights
}

/// The distance of `found` from `expected`, relative to the larger of its norm and
/// `floor`, must be small.
fn compare(what: &str, found: &[f32], expected: &[f64], floor: f64) -> Result<f64, Failed> {
    assert_eq!(found.len(), expected.len(), "{what}");
    let distance = found.iter().zip(expected).map(|(&a, b)| (f64::from(a) - b).powi(2)).sum::<f64>().sqrt();
    let norm = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
    let error = distance / norm.max(floor);
    if error <= TOLERANCE { Ok(error) } else { Err(format!("{what}: relative error {error:.2e}").into()) }
}

/// Every parameter's gradient; tensors of a vanishing gradient are measured against
/// a thousandth of the largest tensor's norm.
fn compare_gradients(scene: &Scene, flat: &[f32], expected: &[Vec<f64>]) -> Result<f64, Failed> {
    let norm = |values: &Vec<f64>| values.iter().map(|value| value * value).sum::<f64>().sqrt();
    let largest = expected.iter().map(norm).fold(0.0, f64::max);
    let found = scene.network.layout.unpack_params(scene.graph(), flat);
    let mut worst: f64 = 0.0;
    for ((param, found), expected) in scene.graph().params.iter().zip(&found).zip(expected) {
        worst = worst.max(compare(&param.name, found, expected, 1e-3 * largest)?);
    }
    Ok(worst)
}

fn report(what: &str, worst: f64) {
    println!("{what}: largest relative error {worst:.1e} (allowed {TOLERANCE:.0e})");
}

fn evaluation(arch: &str, res: usize, n: usize) -> Result<(), Failed> {
    let scene = Scene::new(arch, res, n);
    let state = scene.state();
    let network = Network { graph: scene.graph(), state: &state, mode: Mode::Eval, perturbation: None };
    let trace = network.forward(&scene.pixels());
    let expected = trace.logits(scene.graph());
    // A batch of another size: the fill changes nothing.
    let evaluator = Evaluator::new(&scene.network, n + 1)?;
    let logits = evaluator.logits(&scene.pictures)?;
    report("logits", compare("logits", &logits, expected, 1e-3)?);
    let alone = evaluator.logits(&scene.pictures[n - 1..])?;
    assert_eq!(alone[0].to_bits(), logits[n - 1].to_bits(), "a logit depends on its batch");

    let oracle = GpuOracle::new(&scene.network, n)?;
    let batch = Batch::of(res, &scene.pictures);
    compare("oracle's logits", &oracle.logits(&batch)?, expected, 1e-3)?;
    let labels: Vec<Label> = (0..n).map(|index| if index % 2 == 1 { Label::Fake } else { Label::Real }).collect();
    let (losses, gradient) = oracle.loss_gradient(&batch, &labels, AttackLoss::Margin)?;
    let signs: Vec<f64> = labels.iter().map(|label| f64::from(label.sign())).collect();
    let margins: Vec<f64> = expected.iter().zip(&signs).map(|(z, s)| -s * z).collect();
    compare("margins", &losses, &margins, 1e-3)?;
    let dlogits: Vec<f64> = signs.iter().map(|sign| -sign).collect();
    let reference = network.backward(&trace, &dlogits);
    let expected = planes(&reference.values[scene.graph().input.0], res);
    report("input gradient", compare("input gradient", &gradient.values, &expected, 0.0)?);
    Ok(())
}

/// [N, H, W, 3] -> [N, 3, H, W].
fn planes(values: &[f64], res: usize) -> Vec<f64> {
    let picture = |picture: &[f64]| -> Vec<f64> {
        (0..3).flat_map(|channel| picture[channel..].iter().step_by(3).copied().collect::<Vec<_>>()).collect()
    };
    values.chunks(3 * res * res).flat_map(picture).collect()
}

fn plain_step(arch: &str, res: usize, n: usize, masks: bool) -> Result<(), Failed> {
    let scene = Scene::new(arch, res, n);
    let state = scene.state();
    let mode = Mode::Train { masks: masks.then_some(&scene.keys[..]) };
    let network = Network { graph: scene.graph(), state: &state, mode, perturbation: None };
    let trace = network.forward(&scene.pixels());
    let logits = trace.logits(scene.graph());
    let expected = network.backward(&trace, &scene.labels().loss_gradient(logits));
    let found = scene.gradients(Method::Baseline, masks, 0.0);
    report("logits", compare("logits", &found[names::LOGITS], logits, 1e-3)?);
    compare("loss", &found[step::HISTORY][..1], &[scene.labels().loss(logits)], 1e-3)?;
    report("gradients", compare_gradients(&scene, &found[names::GRADIENTS], &expected.params)?);
    running(&scene, &found, &network.updated_running(&trace))
}

fn running(
    scene: &Scene,
    found: &HashMap<String, Vec<f32>>,
    expected: &[dfrt_trainer::reference::batch_norm::Moments],
) -> Result<(), Failed> {
    let (params, flat) = (&found[names::PARAMS], &found[names::RUNNING]);
    let weights = scene.network.layout.unpack(scene.graph(), params, flat, 0);
    for ((statistics, running), expected) in scene.graph().statistics.iter().zip(&weights.running).zip(expected) {
        compare(&format!("{}.running_mean", statistics.name), &running.mean, &expected.mean, 1e-3)?;
        compare(&format!("{}.running_var", statistics.name), &running.var, &expected.var, 1e-3)?;
    }
    Ok(())
}

fn regularised_step(arch: &str, res: usize, settings: &GradientRegularization) -> Result<(), Failed> {
    let scene = Scene::new(arch, res, 4);
    let state = scene.state();
    let options = Options {
        taps: settings.taps.clone(),
        r: settings.radius.into(),
        alpha: settings.alpha.into(),
        flow: if settings.through_statistics { Flow::Through } else { Flow::Detached },
        sharing: if settings.per_image { Sharing::Image } else { Sharing::Batch },
        norm: if settings.per_tap { Norm::PerTap } else { Norm::Joint },
    };
    let mode = Mode::Train { masks: Some(&scene.keys) };
    let expected =
        reference_gr::step(scene.graph(), &state, mode, &scene.pixels(), &scene.labels(), &options);
    let found = scene.gradients(Method::Gr(settings.clone()), true, settings.radius);
    compare("loss of pass 1", &found[step::HISTORY][..1], &expected.losses[..1], 1e-3)?;
    compare("loss of pass 2", &found[step::PERTURBED_HISTORY][..1], &expected.losses[1..], 1e-3)?;
    assert!(expected.losses[1] > expected.losses[0], "the perturbation raises the loss");
    report("gradients", compare_gradients(&scene, &found[names::GRADIENTS], &expected.gradient)?);
    running(&scene, &found, &expected.running)
}

/// With r = 0 the second pass repeats the first, so the gradients are the plain
/// step's to the bit.
fn no_radius_is_the_plain_step() -> Result<(), Failed> {
    let scene = Scene::new("efficientnet-tiny", 64, 5);
    let plain = scene.gradients(Method::Baseline, true, 0.0);
    for alpha in [1.0, 0.25] {
        let settings = GradientRegularization { radius: 0.0, alpha, ..Default::default() };
        let regularised = scene.gradients(Method::Gr(settings), true, 0.0);
        let (a, b) = (&plain[names::GRADIENTS], &regularised[names::GRADIENTS]);
        let norm = a.iter().map(|value| value * value).sum::<f32>().sqrt();
        let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // alpha < 1 adds two rounded products.
        let allowed = if alpha == 1.0 { 0.0 } else { 1e-6 * norm };
        assert!(worst <= allowed, "alpha {alpha}: gradients differ by {worst:e}");
        let running = |found: &HashMap<String, Vec<f32>>| found[names::RUNNING].clone();
        assert_eq!(running(&plain), running(&regularised), "pass 2 moved the running statistics");
    }
    Ok(())
}

/// Two runs give the same bits.
fn repeats_to_the_bit() -> Result<(), Failed> {
    let scene = Scene::new("efficientnet-tiny", 64, 5);
    let run = || scene.gradients(Method::Gr(GradientRegularization::default()), true, 0.1);
    let bits = |found: HashMap<String, Vec<f32>>| -> Vec<u32> {
        found[names::GRADIENTS].iter().map(|value| value.to_bits()).collect()
    };
    assert_eq!(bits(run()), bits(run()));
    Ok(())
}

/// Where a tensor is not written, the poison would show: padding between tensors of
/// the flat buffer is the one place where it may stay.
fn regularisation_trials() -> Vec<Trial> {
    let default = GradientRegularization::default;
    let cases = [
        ("defaults", default()),
        ("radius 0.05", GradientRegularization { radius: 0.05, ..default() }),
        ("alpha 0.5", GradientRegularization { alpha: 0.5, ..default() }),
        ("detached", GradientRegularization { through_statistics: false, ..default() }),
        ("per image", GradientRegularization { per_image: true, ..default() }),
        ("per tap", GradientRegularization { per_tap: true, ..default() }),
        ("per image and tap, detached", GradientRegularization {
            per_image: true,
            per_tap: true,
            through_statistics: false,
            ..default()
        }),
        ("one deep tap", GradientRegularization { taps: vec![2], ..default() }),
        ("taps out of order", GradientRegularization { taps: vec![3, 1], alpha: 0.7, ..default() }),
    ];
    let trial = |(name, settings): (&str, GradientRegularization)| {
        Trial::test(format!("gradient_regularization/{name}"), move || {
            regularised_step("efficientnet-tiny", 32, &settings)
        })
    };
    cases.into_iter().map(trial).collect()
}

pub fn trials() -> Vec<Trial> {
    let mut trials = regularisation_trials();
    for (arch, res, n) in [
        ("efficientnet-tiny", 32, 1),
        ("efficientnet-tiny", 64, 3),
        ("efficientnet-tiny", 96, 2),
        ("efficientnet-lite0", 32, 2),
        ("efficientnet-b0", 32, 2),
    ] {
        let name = format!("network/{arch} evaluation at {res} px, batch {n}");
        trials.push(Trial::test(name, move || evaluation(arch, res, n)));
    }
    for (arch, res, n, masks) in [
        ("efficientnet-tiny", 32, 5, false),
        ("efficientnet-tiny", 32, 8, true),
        ("efficientnet-tiny", 96, 2, true),
        ("efficientnet-lite0", 64, 3, true),
        ("efficientnet-b0", 64, 3, true),
    ] {
        let name = format!("network/{arch} step at {res} px, batch {n}, masks {masks}");
        trials.push(Trial::test(name, move || plain_step(arch, res, n, masks)));
    }
    trials.push(Trial::test("gradient_regularization/b0", || {
        regularised_step("efficientnet-b0", 64, &GradientRegularization::default())
    }));
    trials.push(Trial::test("gradient_regularization/r 0 is the plain step", no_radius_is_the_plain_step));
    trials.push(Trial::test("network/repeats to the bit", repeats_to_the_bit));
    trials
}
