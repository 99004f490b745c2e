//! `dfrt attack`: attacks a model and has the judge decide.

mod method;

pub use method::Method;

use super::train::{Triple, triple};
use crate::dataset::Dataset;
use crate::failure;
use crate::model::Model;
use crate::output::{self, Lines};
use crate::place;
use crate::progress::Task;
use anyhow::Result;
use argh::FromArgs;
use dfrt_runtime::attack::decision::boundary::{Boundary, BoundarySettings};
use dfrt_runtime::attack::decision::hop_skip_jump::{HopSkipJump, HopSkipJumpSettings};
use dfrt_runtime::attack::decision::rays::{Rays, RaysSettings};
use dfrt_runtime::attack::judge::{self, Judgement, Subject, Trial};
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::result::{AttackReport, Direction};
use dfrt_runtime::attack::schedule::Pace;
use dfrt_runtime::attack::score::nes::{Nes, NesSettings};
use dfrt_runtime::attack::score::sign_hunter::{SignHunter, SignHunterSettings};
use dfrt_runtime::attack::score::simba::{Basis, Simba, SimbaSettings};
use dfrt_runtime::attack::score::spsa::{Spsa, SpsaSettings};
use dfrt_runtime::attack::square::{Square, SquareSettings};
use dfrt_runtime::attack::threat::{Norm, Threat};
use dfrt_runtime::data::manifest::Split;
use dfrt_runtime::detector::oracle::{DecisionOracle, Decisions, Oracle};
use dfrt_runtime::detector::reading::{Asked, Layout, Output, Range};
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::report;
use std::path::{Path, PathBuf};

/// attack a model, judge what survives as 8-bit PNG, and report robust accuracy
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "attack",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --model gr.onnx --method square\n\
    {command_name} --model gr --method pgd --eps 4 --steps 40 --limit 200",
    note = "Attacks by logits or labels run on any ONNX file. Those by gradients need a RUN, or an ONNX file \
    that dfrt exported, and a GPU. sign-hunter and rays search linf balls alone, boundary l2 balls."
)]
pub struct Attack {
    /// an .onnx file or a RUN
    #[argh(option)]
    model: PathBuf,
    /// by logits square, simba, simba-dct, nes, spsa, sign-hunter, random-noise; by labels
    /// rays, hop-skip-jump, boundary; by gradients fgsm, pgd, mi-fgsm, apgd-ce, apgd-margin,
    /// fab, cw, deepfool
    #[argh(option)]
    method: Method,
    /// manifest or folder (default: the data set that the model names)
    #[argh(option)]
    data: Option<PathBuf>,
    /// train, val or test (default test)
    #[argh(option)]
    split: Option<Split>,
    /// radius in 1/255 (default 8)
    #[argh(option, default = "8.0")]
    eps: f64,
    /// linf or l2 (default linf)
    #[argh(option, default = "Norm::Linf", from_str_fn(norm))]
    norm: Norm,
    /// queries a picture, without gradients (default 5000, random-noise 100)
    #[argh(option)]
    queries: Option<u64>,
    /// square's window sizes: autoattack (default: from 80 % of the picture, at fixed
    /// query numbers) or published (from 5 %, L2 10 %, stretched to the budget)
    #[argh(option, from_str_fn(schedule))]
    schedule: Option<Schedule>,
    /// gradient steps (default: pgd and mi-fgsm 10, deepfool 50, apgd and fab 100, cw 1000)
    #[argh(option)]
    steps: Option<usize>,
    /// random starts, for pgd and apgd (default 1) and fab (default 5)
    #[argh(option)]
    restarts: Option<usize>,
    /// pictures at once on the GPU, with gradients (default 16)
    #[argh(option)]
    batch: Option<usize>,
    /// GPU, with gradients (default: the best; see dfrt devices)
    #[argh(option)]
    device: Option<usize>,
    /// pictures at most, balanced over the classes, the same ones each time
    #[argh(option)]
    limit: Option<usize>,
    /// seed of all draws (default 0)
    #[argh(option, default = "0")]
    seed: u64,
    /// folder for the results (default MODEL-METHOD-NORM-EPS)
    #[argh(option)]
    out: Option<PathBuf>,
    /// go on with what an interrupted attack left in the folder
    #[argh(switch)]
    resume: bool,
    /// replace earlier results
    #[argh(switch)]
    force: bool,
    /// threads (default: one a processor)
    #[argh(option)]
    threads: Option<usize>,
    /// print the result as JSON
    #[argh(switch)]
    json: bool,
    /// side of the input in pixels, for a file of another program that leaves it open
    #[argh(option)]
    res: Option<usize>,
    /// such a file: where its channels stand, nchw or nhwc
    #[argh(option)]
    layout: Option<Layout>,
    /// such a file: what black and white are in its input, 0-1, 0-255 or -1-1
    #[argh(option)]
    range: Option<Range>,
    /// such a file: channel means subtracted, red,green,blue in the units of --range
    #[argh(option, from_str_fn(triple))]
    mean: Option<Triple>,
    /// such a file: channel deviations that divide then, red,green,blue
    #[argh(option, from_str_fn(triple))]
    std: Option<Triple>,
    /// such a file: what its output is, logit or probability
    #[argh(option)]
    output: Option<Output>,
    /// such a file: the class that is fake, 0 or 1 (of one output: 0 where a high one means real)
    #[argh(option)]
    fake_index: Option<usize>,
}

/// How square's windows shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// AutoAttack's.
    Autoattack,
    /// The paper's.
    Published,
}

fn schedule(name: &str) -> Result<Schedule, String> {
    match name {
        "autoattack" => Ok(Schedule::Autoattack),
        "published" => Ok(Schedule::Published),
        _ => Err(format!("schedule {name:?} is unknown; choose autoattack or published")),
    }
}

pub fn norm(name: &str) -> Result<Norm, String> {
    match name.to_ascii_lowercase().as_str() {
        "linf" => Ok(Norm::Linf),
        "l2" => Ok(Norm::L2),
        _ => Err(format!("norm {name:?} is unknown; choose linf or l2")),
    }
}

/// What is attacked with, and how hard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The attack.
    pub method: Method,
    /// The threat model.
    pub threat: Threat,
    /// Queries a picture; none for the method's default.
    pub queries: Option<u64>,
    /// Square's windows.
    pub schedule: Schedule,
    /// Gradient steps; none for the method's default.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for gradients"))]
    pub steps: Option<usize>,
    /// Random starts; none for the method's default.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for gradients"))]
    pub restarts: Option<usize>,
    /// Pictures at once on the GPU.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for gradients"))]
    pub batch: usize,
    /// Of all draws.
    pub seed: u64,
}

impl Plan {
    /// The attack with every default.
    pub fn new(method: Method, threat: Threat) -> Self {
        Self {
            method,
            threat,
            queries: None,
            schedule: Schedule::Autoattack,
            steps: None,
            restarts: None,
            batch: 16,
            seed: 0,
        }
    }

    /// The folder's name within a study: "square-linf-8".
    pub fn folder(&self) -> String {
        let norm = match self.threat.norm {
            Norm::Linf => "linf",
            Norm::L2 => "l2",
        };
        format!("{}-{norm}-{}", self.method.name(), self.threat.eps_255)
    }

    fn square(&self) -> SquareSettings {
        let queries = self.queries.unwrap_or(5000);
        let (p, pace) = match (self.schedule, self.threat.norm) {
            (Schedule::Autoattack, _) => (0.8, Pace::Unscaled),
            (Schedule::Published, Norm::Linf) => (0.05, Pace::Scaled),
            (Schedule::Published, Norm::L2) => (0.1, Pace::Scaled),
        };
        SquareSettings { queries, p, pace, seed: self.seed }
    }
}

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub struct Folder<'a> {
    /// The folder.
    pub path: &'a Path,
    /// Whether to go on with what lies there.
    pub resume: bool,
}

impl Attack {
    /// Does it.
    pub fn run(self) -> Result<()> {
        super::use_threads(self.threads)?;
        if self.resume && self.force {
            return Err(failure::usage("--resume and --force exclude each other; see `dfrt attack --help`"));
        }
        let plan = self.plan()?;
        let model = Model::find(&self.model)?;
        let out = self.out.clone().unwrap_or_else(|| default_out(&model, &plan));
        self.check_free(&out)?;
        let detector = model.load_as(&self.asked())?;
        let metadata = detector.metadata();
        let split = self.split.or(metadata.and_then(|known| known.split)).unwrap_or(Split::Test);
        let data = Dataset::open(self.data.as_deref(), metadata, split, self.limit)?;
        if metadata.is_none() {
            output::note("note: the model names no threshold; logits above 0 are taken to say fake");
        }
        let folder = Folder { path: &out, resume: self.resume };
        let judgement = self.attack(&model, detector, &data, &plan, folder)?;
        let report = &judgement.report;
        output::passed_over("unreadable pictures", &report.skipped, Some(&out.join("attack.json")));
        if self.json { output::json(report) } else { output::say(words(report, &out)) }
    }

    fn plan(&self) -> Result<Plan> {
        let plan = Plan::new(self.method, Threat::new(self.norm, self.eps)?);
        let positive = |name: &str, value: Option<usize>| match value {
            Some(0) => anyhow::bail!("{name} 0: nothing would be tried; ask for at least 1"),
            _ => Ok(()),
        };
        positive("--steps", self.steps)?;
        positive("--restarts", self.restarts)?;
        positive("--batch", self.batch)?;
        if self.queries == Some(0) {
            anyhow::bail!("--queries 0: nothing would be tried; ask for at least 1");
        }
        self.warn_of_idle_options();
        Ok(Plan {
            queries: self.queries,
            schedule: self.schedule.unwrap_or(plan.schedule),
            steps: self.steps,
            restarts: self.restarts,
            batch: self.batch.unwrap_or(plan.batch),
            seed: self.seed,
            ..plan
        })
    }

    /// What is said about a file of another program.
    fn asked(&self) -> Asked {
        Asked {
            res: self.res,
            layout: self.layout,
            range: self.range,
            mean: self.mean.map(|mean| mean.0),
            std: self.std.map(|std| std.0),
            output: self.output,
            fake_index: self.fake_index,
        }
    }

    fn warn_of_idle_options(&self) {
        let gradients = self.method.needs_gradients();
        let idle = [
            ("--queries", self.queries.is_some() && gradients),
            ("--schedule", self.schedule.is_some() && self.method != Method::Square),
            ("--steps", self.steps.is_some() && !self.method.has_steps()),
            ("--restarts", self.restarts.is_some() && !self.method.has_restarts()),
            ("--batch", self.batch.is_some() && !gradients),
            ("--device", self.device.is_some() && !gradients),
        ];
        for (option, _) in idle.into_iter().filter(|(_, idle)| *idle) {
            output::note(format!("note: {option} has no effect on {}", self.method.name()));
        }
    }

    /// The judge refuses a folder that holds an attack; this does so before any work.
    fn check_free(&self, out: &Path) -> Result<()> {
        if self.resume || self.force || place::is_free(out)? {
            return Ok(());
        }
        let taken = OWN.iter().map(|name| out.join(name)).find(|path| path.exists());
        match taken {
            None => Ok(()),
            Some(_) => anyhow::bail!(
                "{}: holds an attack already; pass --resume to go on with it, --force to replace it, or choose another --out",
                out.display()
            ),
        }
    }

    fn attack(
        &self,
        model: &Model,
        detector: Detector,
        data: &Dataset,
        plan: &Plan,
        folder: Folder<'_>,
    ) -> Result<Judgement> {
        let clear = || if self.force { place::clear(folder.path, &OWN) } else { Ok(()) };
        let oracle = TractOracle::new(detector);
        if plan.method.needs_gradients() {
            return self.with_gradients(model, &oracle, data, plan, folder, clear);
        }
        clear()?;
        black_box(model, &oracle, data, plan, folder)
    }

    #[cfg(feature = "train")]
    fn with_gradients(
        &self,
        model: &Model,
        oracle: &TractOracle,
        data: &Dataset,
        plan: &Plan,
        folder: Folder<'_>,
        clear: impl Fn() -> Result<()>,
    ) -> Result<Judgement> {
        use crate::network;

        let network = network::resident(model, network::engine(self.device)?)?;
        clear()?;
        white_box(model, oracle, &network, data, plan, folder)
    }

    #[cfg(not(feature = "train"))]
    fn with_gradients(
        &self,
        _: &Model,
        _: &TractOracle,
        _: &Dataset,
        plan: &Plan,
        _: Folder<'_>,
        _: impl Fn() -> Result<()>,
    ) -> Result<Judgement> {
        Err(super::no_training(&format!("attack --method {}", plan.method.name())))
    }
}

/// What an attack leaves in its folder.
pub const OWN: [&str; 5] = ["attack.json", "samples.csv", "journal.csv", "clean", "adversarial"];

fn default_out(model: &Model, plan: &Plan) -> PathBuf {
    format!("{}-{}", model.stem(), plan.folder()).into()
}

/// Attacks through tract, by logits alone.
///
/// # Errors
/// As [`judge::judge`].
pub fn black_box(
    model: &Model,
    oracle: &TractOracle,
    data: &Dataset,
    plan: &Plan,
    folder: Folder<'_>,
) -> Result<Judgement> {
    let threshold = oracle.detector().threshold() as f32;
    let labels = Decisions::new(oracle, threshold);
    let attack = searching(oracle, &labels, threshold, plan)?;
    judged(attack.as_ref(), oracle, model, oracle.detector(), data, plan, folder)
}

/// The attack that asks `oracle` for logits or `labels` for labels.
fn searching<'a>(
    oracle: &'a dyn Oracle,
    labels: &'a dyn DecisionOracle,
    threshold: f32,
    plan: &Plan,
) -> Result<Box<dyn dfrt_runtime::attack::Attack + 'a>> {
    let Plan { threat, seed, .. } = *plan;
    let queries = plan.queries.unwrap_or(5000);
    let simba = |basis| {
        let settings = SimbaSettings { queries, basis, seed, ..SimbaSettings::default() };
        Box::new(Simba::new(oracle, threat, threshold, settings))
    };
    Ok(match plan.method {
        Method::Square => Box::new(Square::new(oracle, threat, threshold, plan.square())),
        Method::Simba => simba(Basis::Pixel),
        Method::SimbaDct => simba(Basis::Dct),
        Method::Nes => {
            let settings = NesSettings { queries, seed, ..NesSettings::default() };
            Box::new(Nes::new(oracle, threat, threshold, settings))
        }
        Method::Spsa => {
            let settings = SpsaSettings { queries, seed, ..SpsaSettings::default() };
            Box::new(Spsa::new(oracle, threat, threshold, settings))
        }
        Method::SignHunter => {
            Box::new(SignHunter::new(oracle, threat, threshold, SignHunterSettings { queries })?)
        }
        Method::Rays => {
            Box::new(Rays::new(labels, threat, RaysSettings { queries, ..RaysSettings::default() })?)
        }
        Method::HopSkipJump => {
            let settings = HopSkipJumpSettings { queries, seed, ..HopSkipJumpSettings::default() };
            Box::new(HopSkipJump::new(labels, threat, settings))
        }
        Method::Boundary => {
            let settings = BoundarySettings { queries, seed, ..BoundarySettings::default() };
            Box::new(Boundary::new(labels, threat, settings)?)
        }
        _ => {
            let queries = plan.queries.unwrap_or(100);
            Box::new(RandomNoise::new(oracle, threat, threshold, queries, seed))
        }
    })
}

/// Attacks on the GPU, by gradients. The deployed file is the judge: its threshold,
/// its logits.
///
/// # Errors
/// As [`judge::judge`], and a device that fails.
#[cfg(feature = "train")]
pub fn white_box(
    model: &Model,
    oracle: &TractOracle,
    network: &dfrt_trainer::plan::resident::Resident,
    data: &Dataset,
    plan: &Plan,
    folder: Folder<'_>,
) -> Result<Judgement> {
    use dfrt_runtime::attack::gradient::apgd::{Apgd, ApgdSettings};
    use dfrt_runtime::attack::gradient::carlini_wagner::{CarliniWagner, CarliniWagnerSettings};
    use dfrt_runtime::attack::gradient::deep_fool::{DeepFool, DeepFoolSettings};
    use dfrt_runtime::attack::gradient::fab::{Fab, FabSettings};
    use dfrt_runtime::attack::gradient::momentum::{Momentum, MomentumSettings};
    use dfrt_runtime::attack::gradient::opponent::Opponent;
    use dfrt_runtime::detector::oracle::AttackLoss;
    use dfrt_trainer::gpu_oracle::GpuOracle;
    use dfrt_trainer::pgd::{Pgd, Settings};

    let batch = plan.batch.min(data.chosen.len()).max(1);
    let judge = |attack: &dyn dfrt_runtime::attack::Attack| {
        judged(attack, oracle, model, oracle.detector(), data, plan, folder)
    };
    let (steps, restarts, seed) = (plan.steps, plan.restarts, plan.seed);
    if matches!(plan.method, Method::Fgsm | Method::Pgd) {
        let settings = match plan.method {
            Method::Fgsm => Settings::fgsm(plan.threat),
            _ => Settings::pgd(plan.threat, steps.unwrap_or(10), restarts.unwrap_or(1), seed),
        };
        return judge(&Pgd::new(plan.method.name(), network, batch, plan.threat, settings)?);
    }
    let gradients = GpuOracle::new(network, batch)?;
    let threshold = oracle.detector().threshold() as f32;
    let opponent = Opponent::new(&gradients, plan.threat, threshold, batch);
    let apgd = |loss| {
        let plain = ApgdSettings::new(loss);
        let (steps, restarts) = (steps.unwrap_or(plain.steps), restarts.unwrap_or(plain.restarts));
        ApgdSettings { steps, restarts, seed, ..plain }
    };
    match plan.method {
        Method::ApgdCe => judge(&Apgd::new(opponent, apgd(AttackLoss::CrossEntropy))),
        Method::ApgdMargin => judge(&Apgd::new(opponent, apgd(AttackLoss::Margin))),
        Method::Fab => {
            let plain = FabSettings::default();
            let (steps, restarts) = (steps.unwrap_or(plain.steps), restarts.unwrap_or(plain.restarts));
            judge(&Fab::new(opponent, FabSettings { steps, restarts, seed, ..plain }))
        }
        Method::Cw => {
            let plain = CarliniWagnerSettings::default();
            let steps = steps.unwrap_or(plain.steps);
            judge(&CarliniWagner::new(opponent, CarliniWagnerSettings { steps, ..plain }))
        }
        Method::DeepFool => {
            let plain = DeepFoolSettings::default();
            let steps = steps.unwrap_or(plain.steps);
            judge(&DeepFool::new(opponent, DeepFoolSettings { steps, ..plain }))
        }
        _ => {
            let plain = MomentumSettings::default();
            let steps = steps.unwrap_or(plain.steps);
            judge(&Momentum::new(opponent, MomentumSettings { steps, ..plain }))
        }
    }
}

fn judged(
    attack: &dyn dfrt_runtime::attack::Attack,
    oracle: &dyn Oracle,
    model: &Model,
    detector: &Detector,
    data: &Dataset,
    plan: &Plan,
    folder: Folder<'_>,
) -> Result<Judgement> {
    let task = Task::new("attacked");
    let progress = |at: judge::Progress| {
        let queries = output::thousands(at.queries);
        let remark = format!("{} of {} turned over, {queries} queries", at.successes, at.attacked);
        task.set(at.done, at.total, &remark);
    };
    let trial = Trial {
        threat: plan.threat,
        threshold: detector.threshold(),
        model: &model.info(detector),
        data: &data.name,
        split: data.split,
        out: Some(folder.path),
        resume: folder.resume,
        progress: &progress,
    };
    let subjects = Subject::of_split(&data.all, &data.chosen);
    Ok(judge::judge(attack, oracle, &subjects, &trial)?)
}

/// The table in words.
fn words(report: &AttackReport, out: &Path) -> String {
    let survivors = report.n_clean_correct - report.certified_8bit;
    let intervals = &report.intervals;
    let mut lines = Lines::default();
    lines.add("pictures", format!("{} ({} real, {} fake)", report.n, report.data.n_real, report.data.n_fake));
    lines.add(
        "clean accuracy",
        format!(
            "{}, {} classified rightly",
            output::percent_between(&intervals.clean_accuracy),
            report.n_clean_correct
        ),
    );
    lines.add(
        "robust accuracy",
        format!(
            "{}, {survivors} still right after the attack",
            output::percent_between(&intervals.robust_accuracy)
        ),
    );
    let success = intervals.attack_success_rate.as_ref();
    lines.add(
        "attack success rate",
        success.map_or_else(
            || "undefined: no picture was classified rightly".to_owned(),
            |rate| format!("{}, {} turned over", output::percent_between(rate), report.certified_8bit),
        ),
    );
    lines.add("  fake made real", direction(&report.fake_to_real));
    lines.add("  real made fake", direction(&report.real_to_fake));
    lines.add(
        "AUC after the attack",
        report.auc.map_or_else(|| "undefined".to_owned(), |auc| format!("{auc:.3}")),
    );
    let queries = &report.queries;
    lines.add(
        "queries a picture",
        format!(
            "mean {:.0}, median {:.0}, 90 % within {:.0}; {} in all",
            queries.mean,
            queries.median,
            queries.p90,
            output::thousands(queries.total)
        ),
    );
    lines.add(
        "certified",
        format!(
            "{} successes survive as 8-bit PNG, {} more were lost to rounding",
            report.certified_8bit, report.lost_to_rounding
        ),
    );
    for gate in &report.gates {
        let verdict = if gate.passed { "passed".to_owned() } else { format!("FAILED: {}", gate.reason) };
        lines.add(format!("gate {}", gate.name), verdict);
    }
    let trust = if report.unreliable { "no: a gate failed, do not trust these figures" } else { "yes" };
    lines.add("reliable", trust);
    format!(
        "{} on {}, {} of {}\n{lines}\nwritten to {}",
        report::attack_key(report),
        report.model.path,
        report.data.split,
        report.data.path,
        out.display()
    )
}

fn direction(direction: &Direction) -> String {
    format!(
        "success rate {}, robust accuracy {} (of {} pictures, {} classified rightly)",
        output::percent_or_none(direction.attack_success_rate),
        output::percent_or_none(direction.robust_accuracy),
        direction.n,
        direction.n_clean_correct
    )
}
