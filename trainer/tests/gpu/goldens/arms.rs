//! One training step of every arm on the GPU: the adversarial pictures, the losses, every
//! gradient, the running statistics.

use super::file::Golden;
use super::formula::{self, Purpose};
use super::regularization;
use super::runs::{self, Runs, Subject};
use super::scene::{Buffers, Pass, Scene, expose, settings, wide};
use super::verdict::{Found, LIMIT, Verdict};
use dfrt_trainer::arms::adversarial_training::AdversarialTraining;
use dfrt_trainer::arms::input_gradient::InputGradient;
use dfrt_trainer::arms::sharpness::{Gnp, Sam};
use dfrt_trainer::arms::statistic_noise::{Dsu, MixStyle};
use dfrt_trainer::arms::trades::Trades;
use dfrt_trainer::arms::{Method, Time, step};
use dfrt_trainer::gpu::recording::ALIGNMENT;
use dfrt_trainer::ops::step::Step;
use dfrt_trainer::plan::names;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use std::sync::Arc;

/// The golden file.
pub const FILE: &str = "b0_64_arms";

/// The kernel of the adversary's steps.
const ASCENT: &str = "adversarial.wgsl:ascend";

/// Of the gradients of input-gr that are zero, and only rounding gives some. They are the
/// difference, divided by h, of two passes' gradients, so that with h = 0.01 PyTorch's own
/// error in float32 is 2.9e-3 there.
const VANISHING_LIMIT: f64 = 1e-2;

/// An arm's settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "arm", rename_all = "kebab-case")]
pub enum Run {
    Sam {
        radius: f64,
    },
    Gnp {
        radius: f64,
        alpha: f64,
    },
    InputGr {
        lambda: f64,
        h: f64,
    },
    Dsu(Noise),
    Mixstyle(Noise),
    At(Adversarial),
    Trades {
        beta: f64,
        #[serde(flatten)]
        adversarial: Adversarial,
    },
}

/// Taps with random statistics.
#[derive(Clone, Debug, Deserialize)]
pub struct Noise {
    pub taps: Vec<usize>,
    /// Largest normal number of dsu; largest share of mixstyle's partner.
    pub scale: f64,
}

/// How adversarial pictures are made, and what their gradient is regularised by.
#[derive(Clone, Debug, Deserialize)]
pub struct Adversarial {
    /// Radius in 1/255.
    pub eps: f64,
    pub steps: usize,
    /// Length of a step over the radius.
    pub step: f64,
    /// Number of the keys of the random starts.
    pub starts: usize,
    pub gr: Option<regularization::Run>,
}

impl Run {
    /// As tests are named.
    pub fn title(&self) -> String {
        let name = self.method().name();
        match self {
            Self::Sam { radius } => format!("{name}, radius {radius}"),
            Self::Gnp { radius, alpha } => format!("{name}, radius {radius}, alpha {alpha}"),
            Self::InputGr { lambda, h } => format!("{name}, lambda {lambda}, h {h}"),
            Self::Dsu(_) | Self::Mixstyle(_) => name.to_owned(),
            Self::At(how) | Self::Trades { adversarial: how, .. } => {
                format!("{name}, eps {}, steps {}", how.eps, how.steps)
            }
        }
    }

    fn method(&self) -> Method {
        match self {
            &Self::Sam { radius } => Method::Sam(Sam { radius: radius as f32 }),
            &Self::Gnp { radius, alpha } => Method::Gnp(Gnp { radius: radius as f32, alpha: alpha as f32 }),
            &Self::InputGr { lambda, h } => {
                Method::InputGr(InputGradient { lambda: lambda as f32, h: h as f32 })
            }
            Self::Dsu(Noise { taps, .. }) => Method::Dsu(Dsu { taps: taps.clone(), ..Dsu::default() }),
            Self::Mixstyle(Noise { taps, .. }) => {
                Method::Mixstyle(MixStyle { taps: taps.clone(), ..MixStyle::default() })
            }
            Self::At(how) => Method::At(AdversarialTraining {
                eps: how.eps as f32,
                steps: how.steps,
                step: Some(how.step as f32),
                clean: 0.0,
                growth: 0.0,
                gr: how.gr.as_ref().map(regularization::Run::settings),
            }),
            Self::Trades { beta, adversarial: how } => Method::Trades(Trades {
                eps: how.eps as f32,
                steps: how.steps,
                step: Some(how.step as f32),
                beta: *beta as f32,
                clean: 0.0,
                growth: 0.0,
                gr: how.gr.as_ref().map(regularization::Run::settings),
            }),
        }
    }

    /// How it makes adversarial pictures.
    pub fn adversarial(&self) -> Option<&Adversarial> {
        match self {
            Self::At(how) | Self::Trades { adversarial: how, .. } => Some(how),
            _ => None,
        }
    }

    /// Of each tap that is random, what dfrt draws by its own generator: of dsu [N, 2, C], of
    /// mixstyle a partner and its share [N, 2].
    pub fn draws(&self, scene: &Scene) -> Vec<Vec<f64>> {
        let n = scene.case.batch;
        let drawn = |tap: usize, count: usize| formula::uniform(Purpose::Draw, tap, count).collect();
        match self {
            Self::Dsu(Noise { taps, scale }) => {
                let of_tap = |&tap: &usize| {
                    let channels = scene.graph.extent(scene.graph.features[tap]).c;
                    let all: Vec<f64> = drawn(tap, n * 2 * channels);
                    all.into_iter().map(|u| scale * u).collect()
                };
                taps.iter().map(of_tap).collect()
            }
            Self::Mixstyle(Noise { taps, scale }) => {
                let of_tap = |&tap: &usize| {
                    let all = drawn(tap, 2 * n);
                    let (order, shares) = all.split_at(n);
                    let mut partners: Vec<usize> = (0..n).collect();
                    partners.sort_by(|&a, &b| order[a].total_cmp(&order[b]));
                    let pair = |(partner, u): (usize, &f64)| [partner as f64, scale * (u + 1.0) / 2.0];
                    partners.into_iter().zip(shares).flat_map(pair).collect()
                };
                taps.iter().map(of_tap).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Adversarial {
    /// The pictures' keys: low and high half.
    pub fn keys(&self, scene: &Scene) -> Vec<[u32; 2]> {
        let halves: Vec<u32> = formula::hashes(Purpose::Key, self.starts, 2 * scene.case.batch).collect();
        halves.as_chunks().0.to_vec()
    }

    /// x' - x over the radius, by picture, of pixels [N, P, `lanes`].
    pub fn offsets(&self, scene: &Scene, moved: &[f64], lanes: usize) -> Vec<Found> {
        let picture = |(number, moved): (usize, &[f64])| {
            let clean = scene.pictures[number].as_raw();
            let value = |at: usize, channel: usize| {
                let clean = f64::from(clean[3 * at + channel]) / 255.0;
                (moved[lanes * at + channel] - clean) / (self.eps / 255.0)
            };
            let plane = |channel: usize| (0..moved.len() / lanes).map(move |at| value(at, channel));
            Found { name: format!("picture {number}"), number, values: (0..3).flat_map(plane).collect() }
        };
        moved.chunks(moved.len() / scene.case.batch).enumerate().map(picture).collect()
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

const SUBJECTS: [Subject<Outcome>; 3] = [
    ("losses", losses),
    ("parameter gradient", parameter_gradient),
    ("running statistics", running_statistics),
];

const PICTURES: Subject<Outcome> = ("adversarial pictures", adversarial_pictures);

pub fn trials() -> Vec<Trial> {
    let subjects = |run: &Run| run.adversarial().map(|_| PICTURES).into_iter().chain(SUBJECTS).collect();
    runs::trials(FILE, Run::title, subjects, run)
}

fn run(golden: &Arc<Golden>, runs: &Runs<Run>, index: usize) -> Result<Outcome, String> {
    let (golden, scene, run) = (Arc::clone(golden), runs.scene()?, runs.runs[index].clone());
    let method = run.method();
    let scalars = method.arm().scalars(Time { step: 0, steps_an_epoch: 1, epochs: 1 });
    let pass = Pass::new(&scene, &settings(method), |recording| {
        if let Some(how) = run.adversarial() {
            assert_eq!(expose(recording, ASCENT, "ahead"), how.steps);
        }
    })?;
    if let Some(how) = run.adversarial() {
        pass.write(names::KEYS, &how.keys(&scene));
    }
    let mut draws = Vec::new();
    for part in run.draws(&scene) {
        draws.extend(part.into_iter().map(|value| value as f32));
        // Where the next tap's part begins.
        draws.resize(draws.len().next_multiple_of(ALIGNMENT), 0.0);
    }
    if !draws.is_empty() {
        pass.write(names::DRAWS, &draws);
    }
    pass.run(Step { radius: scalars.radius, alpha: scalars.alpha, eps: scalars.eps, ..Step::default() })?;
    let buffers = pass.read()?;
    Ok(Outcome { golden, scene, index, run, buffers })
}

impl Outcome {
    fn judge(&self, subject: &str, verdict: impl Fn(&[f64]) -> Verdict) -> Result<(), Failed> {
        let (prefix, run) = (format!("{}/", self.index), format!(", {}", self.run.title()));
        let golden = self.golden.values(&format!("{prefix}{subject}"));
        let vanishing = if matches!(self.run, Run::InputGr { .. }) { VANISHING_LIMIT } else { LIMIT };
        verdict(golden).close_apart(&self.golden, (&prefix, &run), subject, (LIMIT, vanishing))
    }
}

/// A sign that differs from PyTorch's in one value of one picture is a hundredth of a row's product.
fn adversarial_pictures(outcome: &Outcome) -> Result<(), Failed> {
    let how = outcome.run.adversarial().expect("an arm with an adversary");
    let last = wide(outcome.buffers[&format!("ahead {}", how.steps - 1)].clone());
    let found = how.offsets(&outcome.scene, &last, 4);
    outcome.judge("adversarial", |golden| Verdict::rows(&found, golden))
}

fn losses(outcome: &Outcome) -> Result<(), Failed> {
    let histories = [step::HISTORY, step::PERTURBED_HISTORY];
    let logged = histories.iter().filter_map(|&name| outcome.buffers.get(name));
    let found: Vec<f64> = logged.map(|history| history[0].into()).collect();
    outcome.judge("loss", |golden| Verdict::numbers(&found, golden))
}

fn parameter_gradient(outcome: &Outcome) -> Result<(), Failed> {
    let found = outcome.scene.gradients(&outcome.buffers)?;
    outcome.judge("parameter_gradient", |golden| Verdict::gradients(&found, golden))
}

fn running_statistics(outcome: &Outcome) -> Result<(), Failed> {
    let [means, variances] = outcome.scene.running(&outcome.buffers)?;
    outcome.judge("running_mean", |golden| Verdict::rows(&means, golden))?;
    outcome.judge("running_var", |golden| Verdict::rows(&variances, golden))
}
