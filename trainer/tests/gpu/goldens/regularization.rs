//! Gradient regularization on the GPU: the perturbation, both losses, every gradient;
//! and that it does what a finite difference must as r goes to 0.

use super::file::Golden;
use super::row;
use super::runs::{self, Runs, Subject};
use super::scene::{Buffers, Pass, Scene, expose, settings, wide};
use super::verdict::{Found, LIMIT, Verdict};
use dfrt_trainer::arms::gradient_regularization::GradientRegularization;
use dfrt_trainer::arms::{Method, step};
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::plan::names;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use std::sync::Arc;

/// The golden files of this subject.
const FILES: [&str; 3] = ["b0_64_regularized", "b0_64_regularized_others", "lite0_96_regularized"];

/// The kernel that scales the statistics' gradient to the length r.
const PERTURBATION: &str = "feature_statistics.wgsl:perturbation";

/// The method's settings.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    pub taps: Vec<usize>,
    pub r: f64,
    pub alpha: f64,
    pub through_statistics: bool,
    pub per_image: bool,
    pub per_tap: bool,
}

impl Run {
    /// As tests are named.
    pub fn title(&self) -> String {
        let taps: Vec<String> = self.taps.iter().map(usize::to_string).collect();
        let flow = if self.through_statistics { "through" } else { "detached" };
        let sharing = if self.per_image { "per image" } else { "shared" };
        let norm = if self.per_tap { ", per tap" } else { "" };
        format!("taps {}, r {}, alpha {}, {flow}, {sharing}{norm}", taps.join("+"), self.r, self.alpha)
    }

    /// Perturbations a tap has in `scene`.
    pub fn deltas(&self, scene: &Scene) -> usize {
        if self.per_image { scene.case.batch } else { 1 }
    }

    /// As dfrt has them.
    pub fn settings(&self) -> GradientRegularization {
        GradientRegularization {
            taps: self.taps.clone(),
            radius: self.r as f32,
            alpha: self.alpha as f32,
            through_statistics: self.through_statistics,
            per_image: self.per_image,
            per_tap: self.per_tap,
            warmup_epochs: 0.0,
        }
    }
}

/// A run on the GPU, made once for its tests.
struct Outcome {
    golden: Arc<Golden>,
    scene: Arc<Scene>,
    index: usize,
    run: Run,
    buffers: Buffers,
}

type Limit = fn() -> Result<(), Failed>;

const SUBJECTS: &[Subject<Outcome>] = &[
    ("perturbation", perturbation),
    ("losses", losses),
    ("parameter gradient", parameter_gradient),
    ("running statistics", running_statistics),
];

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = FILES.into_iter().flat_map(of_file).collect();
    let limits: [(&str, Limit); 2] = [
        ("b0_64, as r goes to 0 the gradient becomes the plain one", gradients_as_r_goes_to_zero),
        ("b0_64, the loss rises by r times the norm to first order", losses_as_r_goes_to_zero),
    ];
    trials.extend(limits.map(|(name, test)| Trial::test(format!("goldens/{name}"), test)));
    trials
}

/// The tests of a file.
fn of_file(name: &'static str) -> Vec<Trial> {
    runs::trials(name, Run::title, |_| SUBJECTS.to_vec(), run)
}

fn run(golden: &Arc<Golden>, runs: &Runs<Run>, index: usize) -> Result<Outcome, String> {
    let (golden, scene, run) = (Arc::clone(golden), runs.scene()?, runs.runs[index].clone());
    let pass = perturbed_pass(&scene, &run)?;
    pass.run(Step { radius: run.r as f32, alpha: run.alpha as f32, ..Step::default() })?;
    let buffers = pass.read()?;
    Ok(Outcome { golden, scene, index, run, buffers })
}

/// The passes of a run; its perturbations are left in "scaled 0", …, the norms that
/// they were divided by in "total 0", ….
fn perturbed_pass(scene: &Scene, run: &Run) -> Result<Pass, String> {
    Pass::new(scene, &settings(Method::Gr(run.settings())), |recording| {
        assert_eq!(expose(recording, PERTURBATION, "scaled"), run.taps.len());
        assert_eq!(expose(recording, PERTURBATION, "total"), if run.per_tap { run.taps.len() } else { 1 });
    })
}

impl Outcome {
    fn values(&self, subject: &str) -> &[f64] {
        self.golden.values(&format!("{}/{subject}", self.index))
    }

    /// What the passes left in "`name` 0", "`name` 1", ….
    fn exposed(&self, name: &str) -> Vec<Vec<f64>> {
        let read = |index| Some(wide(self.buffers.get(&format!("{name} {index}"))?.clone()));
        (0..).map_while(read).collect()
    }

    fn judge(&self, subject: &str, verdict: Verdict) -> Result<(), Failed> {
        let (prefix, run) = (format!("{}/", self.index), format!(", {}", self.run.title()));
        verdict.close(&self.golden, (&prefix, &run), subject, LIMIT)
    }
}

/// Direction and length at each tap, and the norm of the statistics' gradient.
fn perturbation(outcome: &Outcome) -> Result<(), Failed> {
    let norms = outcome.exposed("total").concat();
    outcome.judge("norm", Verdict::vector(&norms, outcome.values("norm")))?;
    let mut rest = outcome.values("delta");
    let mut expected = Vec::new();
    for &tap in &outcome.run.taps {
        let channels = outcome.scene.graph.extent(outcome.scene.graph.features[tap]).c;
        let (own, others) = rest.split_at(outcome.run.deltas(&outcome.scene) * 2 * channels);
        expected.push(own);
        rest = others;
    }
    assert!(rest.is_empty(), "the golden has a perturbation for each tap");
    let named =
        |(tap, values): (&usize, Vec<f64>)| Found { name: format!("tap {tap}"), number: *tap, values };
    let found: Vec<Found> = outcome.run.taps.iter().zip(outcome.exposed("scaled")).map(named).collect();
    outcome.judge("delta", Verdict::whole(&found, &expected))
}

fn losses(outcome: &Outcome) -> Result<(), Failed> {
    let of = |history: &str| f64::from(outcome.buffers[history][0]);
    let found = [of(step::HISTORY), of(step::PERTURBED_HISTORY)];
    outcome.judge("passes_loss", Verdict::numbers(&found, outcome.values("passes_loss")))
}

fn parameter_gradient(outcome: &Outcome) -> Result<(), Failed> {
    let found = outcome.scene.gradients(&outcome.buffers)?;
    outcome.judge("parameter_gradient", Verdict::gradients(&found, outcome.values("parameter_gradient")))
}

fn running_statistics(outcome: &Outcome) -> Result<(), Failed> {
    let [means, variances] = outcome.scene.running(&outcome.buffers)?;
    outcome.judge("running_mean", Verdict::rows(&means, outcome.values("running_mean")))?;
    outcome.judge("running_var", Verdict::rows(&variances, outcome.values("running_var")))
}

/// What one recording leaves for each radius.
fn at_radii(scene: &Scene, radii: &[f32]) -> Result<Vec<Buffers>, String> {
    let run = Run {
        taps: vec![0, 1, 2],
        r: 0.0,
        alpha: 1.0,
        through_statistics: true,
        per_image: false,
        per_tap: false,
    };
    let pass = perturbed_pass(scene, &run)?;
    let read = |&radius: &f32| {
        pass.run(Step { radius, alpha: 1.0, ..Step::default() })?;
        pass.read()
    };
    radii.iter().map(read).collect()
}

/// Where each radius is half the one before, so must be what is of first order in it.
fn gradients_as_r_goes_to_zero() -> Result<(), Failed> {
    let scene = Scene::of("b0_64")?;
    let radii = [0.02, 0.01, 0.005, 0.0];
    let plain = &scene.training()?[names::GRADIENTS];
    let size = row::norm(&wide(plain.clone()));
    let difference = |buffers: &Buffers| {
        let pairs = buffers[names::GRADIENTS].iter().zip(plain);
        row::norm(&pairs.map(|(&a, &b)| f64::from(a) - f64::from(b)).collect::<Vec<f64>>()) / size
    };
    let differences: Vec<f64> = at_radii(&scene, &radii)?.iter().map(difference).collect();
    for pair in differences[..3].windows(2) {
        let ratio = pair[0] / pair[1];
        if !(1.9..2.1).contains(&ratio) {
            return Err(format!("differences {differences:?} shrink by {ratio:.2} where r halves").into());
        }
    }
    match differences[3] {
        0.0 => Ok(()),
        left => Err(format!("with r = 0 the gradient is off the plain one by {left:.1e}").into()),
    }
}

/// What is left of (L(f') - L(f)) / r - norm is of first order or higher, so that it
/// at least halves with r. Below these radii it drowns in the losses' rounding.
fn losses_as_r_goes_to_zero() -> Result<(), Failed> {
    let scene = Scene::of("b0_64")?;
    let radii = [0.2, 0.1, 0.05];
    let runs = at_radii(&scene, &radii)?;
    let error = |(buffers, r): (&Buffers, f32)| {
        let of = |name: &str| f64::from(buffers[name][0]);
        let rise = (of(step::PERTURBED_HISTORY) - of(step::HISTORY)) / f64::from(r);
        (rise / of("total 0") - 1.0).abs()
    };
    let errors: Vec<f64> = runs.iter().zip(radii).map(error).collect();
    let halves = errors.windows(2).all(|pair| pair[1] <= 0.55 * pair[0]);
    if halves && errors[2] < 2e-3 {
        return Ok(());
    }
    Err(format!("(L(f') - L(f)) / r differs from the norm by {errors:?} at r {radii:?}").into())
}
