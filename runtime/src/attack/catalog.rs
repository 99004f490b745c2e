//! The attacks by their names, one row each: what an attack may see, which norms it
//! searches, what can be set, and how it is built. Suites are lists of rows. A new attack
//! is a file of its own and a row here.

use super::decision::boundary::{Boundary, BoundarySettings};
use super::decision::hop_skip_jump::{HopSkipJump, HopSkipJumpSettings};
use super::decision::rays::{Rays, RaysSettings};
use super::gradient::apgd::{Apgd, ApgdSettings};
use super::gradient::carlini_wagner::{CarliniWagner, CarliniWagnerSettings};
use super::gradient::deep_fool::{DeepFool, DeepFoolSettings};
use super::gradient::fab::{Fab, FabSettings};
use super::gradient::lockstep::Lockstep;
use super::gradient::momentum::{Momentum, MomentumSettings};
use super::gradient::steps::StepSettings;
use super::random_noise::RandomNoise;
use super::schedule::Windows;
use super::score::nes::{Nes, NesSettings};
use super::score::sign_hunter::{SignHunter, SignHunterSettings};
use super::score::simba::{Basis, Simba, SimbaSettings};
use super::score::spsa::{Spsa, SpsaSettings};
use super::square::{Square, SquareSettings};
use super::{Attack, BOTH_NORMS, Goal};
use crate::detector::oracle::AttackLoss;
use crate::threat::{Norm, Threat};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

/// Queries of an attack without gradients, where nothing else is asked for: Square's.
const QUERIES: u64 = 5000;
/// Pictures at once on the GPU, where nothing else is asked for.
pub const BATCH: usize = 16;

/// What an attack may see of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The logit of every picture that it asks for.
    Logits,
    /// Its label alone.
    Labels,
    /// Gradients, and so the network's weights on a device.
    Gradients,
}

/// A row of the catalog.
#[derive(Clone, Copy)]
pub struct Row {
    /// The attack's name at the command line and in results.
    pub name: &'static str,
    /// What it may see.
    pub access: Access,
    /// The norms whose balls it searches.
    pub norms: &'static [Norm],
    /// Queries a picture where nothing else is asked for; 0 with gradients.
    pub queries: u64,
    /// Whether its number of gradient steps can be set.
    pub has_steps: bool,
    /// Whether its number of random starts can be set.
    pub has_restarts: bool,
    /// Whether it looks for the shortest change over the threshold, see [`Goal`].
    pub has_goal: bool,
    /// Whether it has windows whose schedule can be set.
    pub has_windows: bool,
    /// Whether what it makes on one model is worth trying on another: it goes as far as the
    /// ball allows, not only just across the threshold.
    pub transfers: bool,
    /// Whether it is the floor that any attack has to beat, with a budget of its own.
    pub floor: bool,
    pub(super) build: Build,
}

/// How an attack is built.
#[derive(Clone, Copy)]
pub(super) enum Build {
    /// One that asks for logits or labels.
    Queries(fn(&Plan) -> Box<dyn Attack>),
    /// One that decides every step by a network's gradients.
    Gradients(for<'a> fn(Lockstep<'a>, &Descent<'_>) -> Box<dyn Attack + 'a>),
    /// One whose steps a device makes by itself.
    Steps(fn(&Plan) -> StepSettings),
}

/// A plan for an attack by gradients.
pub(super) struct Descent<'a> {
    pub plan: &'a Plan,
    /// Whether a picture that has crossed is left alone.
    pub stop_early: bool,
}

impl Descent<'_> {
    fn steps(&self, usual: usize) -> usize {
        self.plan.steps.unwrap_or(usual)
    }

    fn restarts(&self, usual: usize) -> usize {
        self.plan.restarts.unwrap_or(usual)
    }
}

/// An attack of the catalog.
///
/// ```
/// use dfrt_runtime::attack::catalog::{Access, Choice, Method, Plan};
/// use dfrt_runtime::attack::networks::Networks;
/// use dfrt_runtime::threat::Norm;
///
/// let square: Method = "square".parse()?;
/// assert_eq!((square.access, square.queries), (Access::Logits, 5000));
/// let plan = Plan { queries: Some(300), ..Plan::new(square, Norm::Linf) };
/// assert_eq!(Networks::default().attack(&plan)?.name(), "square");
///
/// // A suite is a list of rows; what needs gradients is not built without a network.
/// let suite: Choice = "suite".parse()?;
/// let first = suite.methods(Norm::Linf)[0];
/// assert!(first.needs_gradients());
/// assert!(Networks::default().attack(&Plan::new(first, Norm::Linf)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Method(pub(super) &'static Row);

impl Method {
    /// All of them: those by logits, by labels, by gradients.
    pub fn all() -> impl Iterator<Item = Self> {
        CATALOG.iter().map(Self)
    }

    /// Whether it is PGD: gradient steps whose number can be set, made by the device itself.
    pub fn is_pgd(&self) -> bool {
        self.has_steps && matches!(self.build, Build::Steps(_))
    }

    /// Whether it needs gradients, and so a device that holds the network.
    pub fn needs_gradients(&self) -> bool {
        self.access == Access::Gradients
    }
}

impl Deref for Method {
    type Target = Row;

    fn deref(&self) -> &Row {
        self.0
    }
}

impl PartialEq for Method {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        Self::all().find(|method| method.name == name).ok_or_else(|| UnknownMethod(name.to_owned()))
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.name.to_owned()
    }
}

impl TryFrom<String> for Method {
    type Error = UnknownMethod;

    fn try_from(name: String) -> Result<Self, UnknownMethod> {
        name.parse()
    }
}

/// A name that no attack and no suite has.
#[derive(Debug, thiserror::Error)]
#[error("method {0:?} is unknown; choose one of {names}", names = names())]
pub struct UnknownMethod(String);

fn names() -> String {
    let attacks = CATALOG.iter().map(|row| row.name);
    attacks.chain(SUITES.iter().map(|suite| suite.name)).collect::<Vec<_>>().join(", ")
}

/// Attacks of which each picture's worst case counts, in their order. They end with plain
/// noise: what it still breaks shows that the others failed.
#[derive(Debug)]
pub struct SuiteRow {
    /// Its name at the command line and in results.
    pub name: &'static str,
    linf: &'static [&'static str],
    l2: &'static [&'static str],
}

static SUITES: [SuiteRow; 2] = [
    // AutoAttack's way for two classes, where its DLR loss is undefined and the margin
    // stands for it.
    SuiteRow {
        name: "suite",
        linf: &["apgd-ce", "apgd-margin", "fab", "square", "random-noise"],
        l2: &["apgd-ce", "apgd-margin", "fab", "square", "random-noise"],
    },
    // Searches of different kinds, by logits and by labels.
    SuiteRow {
        name: "suite-black",
        linf: &["square", "sign-hunter", "rays", "random-noise"],
        l2: &["square", "simba-dct", "hop-skip-jump", "random-noise"],
    },
];

/// One attack or a suite.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Choice {
    /// One attack.
    One(Method),
    /// A suite of them.
    Suite(&'static SuiteRow),
}

impl Choice {
    /// The name at the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(method) => method.0.name,
            Self::Suite(suite) => suite.name,
        }
    }

    /// The attacks in their order for balls of `norm`.
    pub fn methods(self, norm: Norm) -> Vec<Method> {
        let names = match (self, norm) {
            (Self::One(method), _) => return vec![method],
            (Self::Suite(suite), Norm::Linf) => suite.linf,
            (Self::Suite(suite), Norm::L2) => suite.l2,
        };
        names.iter().map(|name| name.parse().expect("suites name rows of the catalog")).collect()
    }

    /// The attacks where a surrogate's gradients can be followed, too: a suite then tries the
    /// attack that transfers best before its searches.
    pub fn methods_with_surrogate(self, norm: Norm) -> Vec<Method> {
        let mut methods = self.methods(norm);
        if let Self::Suite(_) = self {
            let searches = methods.iter().position(|method| !method.needs_gradients());
            methods.insert(searches.unwrap_or(methods.len()), transferred());
        }
        methods
    }

    /// The name of the folder of its results at one radius or several: "square-linf-8",
    /// "square-l2-0.5", "suite-linf-1-2-4".
    ///
    /// # Panics
    /// There is no radius.
    pub fn folder(self, threats: &[Threat]) -> String {
        let norm = threats.first().expect("a radius").norm;
        let radii: Vec<String> = threats.iter().map(Threat::in_names).collect();
        format!("{}-{norm}-{}", self.name(), radii.join("-"))
    }
}

impl PartialEq for Choice {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> Self {
        choice.name().to_owned()
    }
}

impl TryFrom<String> for Choice {
    type Error = UnknownMethod;

    fn try_from(name: String) -> Result<Self, UnknownMethod> {
        name.parse()
    }
}

impl FromStr for Choice {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        match SUITES.iter().find(|suite| suite.name == name) {
            Some(suite) => Ok(Self::Suite(suite)),
            None => name.parse().map(Self::One),
        }
    }
}

/// What a suite makes on a surrogate: the attack whose pictures transfer best.
pub(super) fn transferred() -> Method {
    "mi-fgsm".parse().expect("a row of the catalog")
}

/// An attack and how hard it tries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The attack.
    pub method: Method,
    /// The norm of the balls that are searched.
    pub norm: Norm,
    /// Queries a picture; none for the method's own.
    pub queries: Option<u64>,
    /// How the windows of square shrink.
    pub windows: Windows,
    /// Gradient steps; none for the method's own.
    pub steps: Option<usize>,
    /// Random starts; none for the method's own.
    pub restarts: Option<usize>,
    /// Of all draws.
    pub seed: u64,
    /// What a search for the shortest change is after.
    pub goal: Goal,
}

impl Plan {
    /// The attack with everything at its default; one that looks for the shortest change
    /// goes on to its end.
    pub fn new(method: Method, norm: Norm) -> Self {
        Self {
            method,
            norm,
            queries: None,
            windows: Windows::Rescaled,
            steps: None,
            restarts: None,
            seed: 0,
            goal: Goal::Nearest,
        }
    }

    fn budget(&self) -> u64 {
        self.queries.unwrap_or(self.method.queries)
    }
}

/// A row with no options; the others say how they differ.
const PLAIN: Row = Row {
    name: "",
    access: Access::Logits,
    norms: BOTH_NORMS,
    queries: QUERIES,
    has_steps: false,
    has_restarts: false,
    has_goal: false,
    has_windows: false,
    transfers: false,
    floor: false,
    build: Build::Queries(random_noise),
};
const BY_LABELS: Row = Row { access: Access::Labels, has_goal: true, ..PLAIN };
const BY_GRADIENTS: Row = Row { access: Access::Gradients, queries: 0, has_steps: true, ..PLAIN };

static CATALOG: [Row; 18] = [
    // By logits.
    Row { name: "square", has_windows: true, build: Build::Queries(square), ..PLAIN },
    Row { name: "simba", build: Build::Queries(|plan| simba(plan, Basis::Pixel)), ..PLAIN },
    Row { name: "simba-dct", build: Build::Queries(|plan| simba(plan, Basis::Dct)), ..PLAIN },
    Row {
        name: "nes",
        build: Build::Queries(|plan| {
            let (queries, seed) = (plan.budget(), plan.seed);
            Box::new(Nes::new(NesSettings { queries, seed, ..NesSettings::default() }))
        }),
        ..PLAIN
    },
    Row {
        name: "spsa",
        build: Build::Queries(|plan| {
            let (queries, seed) = (plan.budget(), plan.seed);
            Box::new(Spsa::new(SpsaSettings { queries, seed, ..SpsaSettings::default() }))
        }),
        ..PLAIN
    },
    Row {
        name: "sign-hunter",
        norms: &[Norm::Linf],
        build: Build::Queries(|plan| {
            Box::new(SignHunter::new(SignHunterSettings { queries: plan.budget() }))
        }),
        ..PLAIN
    },
    Row { name: "random-noise", queries: 100, floor: true, ..PLAIN },
    // By labels.
    Row {
        name: "rays",
        norms: &[Norm::Linf],
        build: Build::Queries(|plan| {
            let (queries, goal) = (plan.budget(), plan.goal);
            Box::new(Rays::new(RaysSettings { queries, goal, ..RaysSettings::default() }))
        }),
        ..BY_LABELS
    },
    Row {
        name: "hop-skip-jump",
        build: Build::Queries(|plan| {
            let (queries, seed, goal) = (plan.budget(), plan.seed, plan.goal);
            let plain = HopSkipJumpSettings::default();
            Box::new(HopSkipJump::new(HopSkipJumpSettings { queries, seed, goal, ..plain }))
        }),
        ..BY_LABELS
    },
    Row {
        name: "boundary",
        norms: &[Norm::L2],
        build: Build::Queries(|plan| {
            let (queries, seed, goal) = (plan.budget(), plan.seed, plan.goal);
            Box::new(Boundary::new(BoundarySettings { queries, seed, goal, ..BoundarySettings::default() }))
        }),
        ..BY_LABELS
    },
    // By gradients.
    Row {
        name: "fgsm",
        has_steps: false,
        transfers: true,
        build: Build::Steps(|_| StepSettings::FGSM),
        ..BY_GRADIENTS
    },
    Row {
        name: "pgd",
        has_restarts: true,
        transfers: true,
        build: Build::Steps(|plan| {
            let (steps, restarts) = (plan.steps.unwrap_or(10), plan.restarts.unwrap_or(1));
            StepSettings::pgd(steps, restarts, plan.seed)
        }),
        ..BY_GRADIENTS
    },
    Row {
        name: "mi-fgsm",
        transfers: true,
        build: Build::Gradients(|lockstep, descent| {
            let plain = MomentumSettings::default();
            let settings = MomentumSettings { steps: descent.steps(plain.steps), ..plain };
            Box::new(Momentum::new(lockstep, settings))
        }),
        ..BY_GRADIENTS
    },
    Row {
        name: "apgd-ce",
        has_restarts: true,
        transfers: true,
        build: Build::Gradients(|lockstep, descent| apgd(lockstep, descent, AttackLoss::CrossEntropy)),
        ..BY_GRADIENTS
    },
    Row {
        name: "apgd-margin",
        has_restarts: true,
        transfers: true,
        build: Build::Gradients(|lockstep, descent| apgd(lockstep, descent, AttackLoss::Margin)),
        ..BY_GRADIENTS
    },
    Row {
        name: "fab",
        has_restarts: true,
        has_goal: true,
        build: Build::Gradients(|lockstep, descent| {
            let plain = FabSettings::default();
            let (steps, restarts) = (descent.steps(plain.steps), descent.restarts(plain.restarts));
            let Plan { seed, goal, .. } = *descent.plan;
            Box::new(Fab::new(lockstep, FabSettings { steps, restarts, seed, goal, ..plain }))
        }),
        ..BY_GRADIENTS
    },
    Row {
        name: "cw",
        has_goal: true,
        build: Build::Gradients(|lockstep, descent| {
            let plain = CarliniWagnerSettings::default();
            let (steps, goal) = (descent.steps(plain.steps), descent.plan.goal);
            Box::new(CarliniWagner::new(lockstep, CarliniWagnerSettings { steps, goal, ..plain }))
        }),
        ..BY_GRADIENTS
    },
    Row {
        name: "deepfool",
        has_goal: true,
        build: Build::Gradients(|lockstep, descent| {
            let plain = DeepFoolSettings::default();
            let (steps, goal) = (descent.steps(plain.steps), descent.plan.goal);
            Box::new(DeepFool::new(lockstep, DeepFoolSettings { steps, goal, ..plain }))
        }),
        ..BY_GRADIENTS
    },
];

fn square(plan: &Plan) -> Box<dyn Attack> {
    let (p, pace) = plan.windows.start(plan.norm);
    Box::new(Square::new(SquareSettings { queries: plan.budget(), p, pace, seed: plan.seed }))
}

fn simba(plan: &Plan, basis: Basis) -> Box<dyn Attack> {
    let (queries, seed) = (plan.budget(), plan.seed);
    Box::new(Simba::new(SimbaSettings { queries, basis, seed, ..SimbaSettings::default() }))
}

fn random_noise(plan: &Plan) -> Box<dyn Attack> {
    Box::new(RandomNoise::new(plan.budget(), plan.seed))
}

fn apgd<'a>(lockstep: Lockstep<'a>, descent: &Descent<'_>, loss: AttackLoss) -> Box<dyn Attack + 'a> {
    let plain = ApgdSettings::new(loss);
    let (steps, restarts) = (descent.steps(plain.steps), descent.restarts(plain.restarts));
    let (seed, stop_early) = (descent.plan.seed, descent.stop_early);
    Box::new(Apgd::new(lockstep, ApgdSettings { steps, restarts, seed, stop_early, ..plain }))
}

#[cfg(test)]
mod tests;
