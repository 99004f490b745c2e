//! `dfrt attack`: attacks a model and has the judge decide.

#[cfg(feature = "train")]
mod networks;
#[cfg(not(feature = "train"))]
#[path = "attack/no_gradients.rs"]
mod networks;
mod progress;
mod radius;
mod words;

#[cfg(feature = "train")]
pub use progress::Teller;
#[cfg(feature = "train")]
pub use radius::Radius;
pub use radius::{Radii, radii};

use super::reading::with_reading;
use crate::dataset::{self, Classes};
use crate::failure;
use crate::lock;
use crate::model;
use crate::output;
use crate::place;
use crate::threshold;
use anyhow::{Context, Result, bail};
use argh::FromArgs;
#[cfg(not(feature = "train"))]
use dfrt_runtime::attack::case::{Case, TapeFile};
use dfrt_runtime::attack::case::{Case, TapeFile};
use dfrt_runtime::attack::catalog::{self, Choice, Method, Plan};
use dfrt_runtime::attack::gates;
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::networks::{BuildError, Networks};
use dfrt_runtime::attack::schedule::Windows;
use dfrt_runtime::attack::{Attack as Runs, Goal, NormError};
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::report::plots::distances;
use dfrt_runtime::report::{grid, sweep};
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::results::attack::contents::Contents;
use dfrt_runtime::results::attack::folder::AttackFolder;
use dfrt_runtime::results::attack::sweep::{RADIUS, Sweep, radii_in};
use dfrt_runtime::results::lock::Lock;
use dfrt_runtime::sample::{Label, Split};
use dfrt_runtime::storage;
use dfrt_runtime::threat::{Norm, Threat};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

with_reading! {
/// attack a model, judge what survives as 8-bit PNG, and report robust accuracy
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "attack",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --model gr.onnx --method square\n\
    {command_name} --model gr --method suite --eps 1,2,4,8 --limit 200\n\
    {command_name} --model theirs.onnx --method suite-black --data faces --queries 1000\n\
    {command_name} --model theirs.onnx --method mi-fgsm --surrogate gr --data faces\n\
    {command_name} --model gr --method cw --norm l2 --eps 0.5 --only fake",
    note = "Attacks by logits or labels run on any ONNX file. Those by gradients need a RUN, or an ONNX file \
    that dfrt exported, and a GPU. sign-hunter and rays search linf balls alone, boundary l2 balls. \
    The folder holds attack.json, samples.csv, the pictures before and after, and a few of them in grid.png, of \
    an attack that looks for the shortest change plots/distance.png; of several radii a folder each, sweep.json \
    and plots."
)]
pub struct Attack {
    /// an .onnx file or a RUN
    #[argh(option)]
    model: PathBuf,
    /// by logits square, simba, simba-dct, nes, spsa, sign-hunter, random-noise; by labels
    /// rays, hop-skip-jump, boundary; by gradients fgsm, pgd, mi-fgsm, apgd-ce, apgd-margin,
    /// fab, cw, deepfool; suite (apgd-ce, apgd-margin, fab, square) or, without gradients,
    /// suite-black: of each picture the worst case
    #[argh(option)]
    method: Choice,
    /// manifest or folder (default: the data set that the model names)
    #[argh(option)]
    data: Option<PathBuf>,
    /// train, val or test (default test)
    #[argh(option)]
    split: Option<Split>,
    /// logit above which a picture is called fake (default: the model's own, else 0); p:0.7
    /// says a probability, auto:VAL takes the best one on the val split of that data set
    #[argh(option, from_str_fn(crate::threshold::choice))]
    threshold: Option<threshold::Choice>,
    /// radius, or several: 1,2,4,8. In linf in 1/255 (default 8); in l2 a length of pixels in
    /// [0, 1] (default 3 at 224 px, in proportion to the side, at least 0.5). 128/255 means
    /// that in both
    #[argh(option, default = "Radii::default()", from_str_fn(radii))]
    eps: Radii,
    /// linf or l2 (default linf)
    #[argh(option, default = "Norm::Linf")]
    norm: Norm,
    /// what fab, cw, deepfool, boundary, hop-skip-jump and rays are after: nearest (default),
    /// the shortest change, whose distances are reported, or inside, which stops at the
    /// first success within the radius, as suites do
    #[argh(option, from_str_fn(goal))]
    goal: Option<Goal>,
    /// queries a picture, without gradients (default 5000, random-noise 100)
    #[argh(option)]
    queries: Option<u64>,
    /// square's window sizes: rescaled (default: AutoAttack's, from 80 % of the picture,
    /// stretched to the budget), autoattack (the same at its query numbers) or published
    /// (from 5 %, L2 10 %, stretched to the budget)
    #[argh(option)]
    schedule: Option<Windows>,
    /// gradient steps (default: pgd and mi-fgsm 10, deepfool 50, apgd and fab 100, cw 1000)
    #[argh(option)]
    steps: Option<usize>,
    /// random starts, for pgd and apgd (default 1) and fab (default 5)
    #[argh(option)]
    restarts: Option<usize>,
    /// RUN or ONNX file of ours whose gradients are followed instead: a transfer, by fgsm,
    /// pgd, mi-fgsm, apgd-ce or apgd-margin; in a suite one more attack, by mi-fgsm
    #[argh(option)]
    surrogate: Option<PathBuf>,
    /// pictures at once on the GPU, with gradients (default 16)
    #[argh(option)]
    batch: Option<usize>,
    /// GPU, with gradients (default: the best; see dfrt devices)
    #[argh(option)]
    device: Option<usize>,
    /// pictures at most, balanced over the classes, the same ones each time
    #[argh(option)]
    limit: Option<usize>,
    /// the class to attack, fake or real (default: both)
    #[argh(option)]
    only: Option<Label>,
    /// seed of all draws (default 0)
    #[argh(option, default = "0")]
    seed: u64,
    /// time after which no further picture is begun: 90s, 30m, 2h; --resume goes on later
    #[argh(option, from_str_fn(time))]
    time_budget: Option<Duration>,
    /// file for every random draw, answer and decision of an attack without gradients
    #[argh(option)]
    tape: Option<PathBuf>,
    /// such a file, whose answers go before the model's: the same search again
    #[argh(option)]
    replay: Option<PathBuf>,
    /// folder for the results (default MODEL-METHOD-NORM-EPS, and what else is asked for: -queries-300,
    /// -seed-1, …)
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
}
}

/// What an attack leaves in its folder; beside these `eps-*`, a folder a radius.
pub const OWN: [&str; 10] = [
    "attack.json",
    "samples.csv",
    "journal.csv",
    "clean",
    "adversarial",
    "grid.png",
    "stages",
    "sweep.json",
    "sweep.csv",
    "plots",
];

fn goal(name: &str) -> Result<Goal, String> {
    match name {
        "nearest" => Ok(Goal::Nearest),
        "inside" => Ok(Goal::Inside),
        _ => Err(format!("goal {name:?} is unknown; choose nearest or inside")),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{text:?} is no time like 90s, 30m or 2h: {error}"))
}

/// What everything is made of: the model, the pictures, and the attacks, made once for all radii.
struct Workbench<'a> {
    model: &'a Model,
    oracle: &'a TractOracle,
    data: &'a Chosen,
    attacks: &'a [Box<dyn Runs + 'a>],
}

impl Attack {
    /// Does it.
    pub fn run(self) -> Result<()> {
        self.check()?;
        super::use_threads(self.threads)?;
        let model = Model::find(&self.model)?;
        // Before the work where it is known, and else as soon as it is.
        let named = self.out.as_deref().map(|out| self.begin(out)).transpose()?;
        let detector = model::load_as(&model, &self.asked())?;
        let threats = radius::threats(&self.eps.0, self.norm, detector.info().res)?;
        let out = self.out.clone().unwrap_or_else(|| self.usual_folder(&model, &threats));
        let _lock = named.map_or_else(|| self.begin(&out), Ok)?;
        self.check_radii(&out, &threats)?;
        let metadata = detector.metadata();
        let split = self.split.or(metadata.and_then(|known| known.split)).unwrap_or(Split::Test);
        let classes = self.only.map_or(Classes::Any, Classes::Only);
        let data = dataset::open_classes(self.data.as_deref(), metadata, split, classes, self.limit)?;
        let mut oracle = TractOracle::new(detector);
        model::check_classes(&model, oracle.detector(), &[&data.chosen])?;
        threshold::settle(&mut oracle, &model, self.threshold.as_ref(), &[&data.chosen])?;
        let gradients = self.methods().iter().any(Method::needs_gradients);
        let surrogate = self.surrogate.as_deref().filter(|_| gradients);
        // On a surrogate a suite without gradients makes its transfer alone.
        let own = match self.method {
            Choice::One(method) => method.needs_gradients() && surrogate.is_none(),
            Choice::Suite(_) => self.method.methods(self.norm).iter().any(Method::needs_gradients),
        };
        let threshold = oracle.detector().threshold();
        let own = own.then_some((&model, threshold));
        let batch = self.batch.unwrap_or(catalog::BATCH).min(data.chosen.len()).max(1);
        let networks = networks::bring(own, surrogate, self.device, (batch, oracle.detector().info().res))?;
        if self.force {
            self.clear(&out)?;
        }
        let attacks = self.attacks(&networks)?;
        let bench = Workbench { model: &model, oracle: &oracle, data: &data, attacks: &attacks };
        match threats[..] {
            [threat] => self.once(&bench, threat, &out),
            _ => self.swept(&bench, &threats, &out),
        }
    }

    /// At one radius.
    fn once(&self, bench: &Workbench<'_>, threat: Threat, out: &Path) -> Result<()> {
        let deadline = self.time_budget.map(|budget| Instant::now() + budget);
        let report = self.judged(bench, threat, out, deadline)?.report;
        warn_of_the_classes([&report]);
        output::passed_over("unreadable pictures", &report.skipped, Some(&out.join("attack.json")));
        if self.json { output::json(&report) } else { output::say(words::attack(&report, out)) }
    }

    /// At every radius; the time is shared out evenly.
    fn swept(&self, bench: &Workbench<'_>, threats: &[Threat], out: &Path) -> Result<()> {
        let end = self.time_budget.map(|budget| Instant::now() + budget);
        let (mut reports, mut samples) = (Vec::new(), Vec::new());
        for (place, &threat) in threats.iter().enumerate() {
            let left = (threats.len() - place) as u32;
            let share = |end: Instant| Instant::now() + end.saturating_duration_since(Instant::now()) / left;
            output::note(format!("-- {}", threat.both_ways()));
            let folder = out.join(format!("{RADIUS}{}", threat.in_names()));
            let _lock = lock::of(&folder)?;
            let judgement = self.judged(bench, threat, &folder, end.map(share))?;
            if place == 0 {
                let skipped = &judgement.report.skipped;
                output::passed_over("unreadable pictures", skipped, Some(&folder.join("attack.json")));
            }
            reports.push(judgement.report);
            samples.push(judgement.samples);
        }
        warn_of_the_classes(&reports);
        let found = Sweep::of(reports);
        sweep::write(out, &found, &samples)?;
        if self.json { output::json(&found) } else { output::say(words::sweep(&found, out)) }
    }

    fn judged(
        &self,
        bench: &Workbench<'_>,
        threat: Threat,
        out: &Path,
        deadline: Option<Instant>,
    ) -> Result<Judgement> {
        let tape = self.tape.as_deref().map(TapeFile::Record);
        let teller = Teller::default();
        let case = Case {
            model: &bench.model.info(bench.oracle.detector()),
            oracle: bench.oracle,
            data: bench.data,
            folder: out,
            resume: self.resume,
            deadline,
            tape: tape.or(self.replay.as_deref().map(TapeFile::Play)),
            progress: &|name, at| teller.say(name, at),
        };
        let judgement = match self.method {
            Choice::One(_) => case.judge(bench.attacks[0].as_ref(), threat)?,
            Choice::Suite(suite) => case.suite(suite.name, bench.attacks, threat)?,
        };
        if let Some(png) = grid::grid(&AttackFolder::new(out), &judgement.report, &judgement.samples)? {
            storage::write(&out.join("grid.png"), &png)?;
        }
        if let Some(plot) = distances::draw(&judgement.report)? {
            storage::write(&out.join("plots").join(plot.file), &plot.png)?;
        }
        Ok(judgement)
    }

    /// The attacks, in their order.
    fn attacks<'n>(&self, networks: &'n Networks<'_>) -> Result<Vec<Box<dyn Runs + 'n>>> {
        let attack = |method| match networks.attack(&self.plan(method)) {
            Err(error @ (BuildError::Norm(_) | BuildError::NoTransfer { .. })) => Err(failure::usage(error)),
            built => Ok(built?),
        };
        self.methods().into_iter().map(attack).collect()
    }

    /// Their names.
    fn methods(&self) -> Vec<Method> {
        match self.surrogate {
            Some(_) => self.method.methods_with_surrogate(self.norm),
            None => self.method.methods(self.norm),
        }
    }

    fn plan(&self, method: Method) -> Plan {
        let plan = Plan::new(method, self.norm);
        let suite = matches!(self.method, Choice::Suite(_));
        Plan {
            // A suite's budget is not that of its floor.
            queries: self.queries.filter(|_| !(suite && method.floor)),
            windows: self.schedule.unwrap_or(plan.windows),
            steps: self.steps,
            restarts: self.restarts,
            seed: self.seed,
            goal: if suite { Goal::Inside } else { self.goal.unwrap_or(Goal::Nearest) },
            ..plan
        }
    }

    /// What cannot be meant, before any work; and what has no effect.
    fn check(&self) -> Result<()> {
        if self.resume && self.force {
            return Err(failure::usage("--resume and --force exclude each other; see `dfrt attack --help`"));
        }
        if self.tape.is_some() && self.replay.is_some() {
            return Err(failure::usage("--tape and --replay exclude each other; see `dfrt attack --help`"));
        }
        for radius in &self.eps.0 {
            radius.threat(self.norm)?;
        }
        dataset::check_limit(self.limit, self.only.map_or(Classes::Any, Classes::Only))?;
        let numbers = [
            ("--steps", self.steps),
            ("--restarts", self.restarts),
            ("--batch", self.batch),
            ("--queries", self.queries.map(|queries| queries.min(1) as usize)),
        ];
        if let Some((name, _)) = numbers.into_iter().find(|(_, value)| *value == Some(0)) {
            return Err(failure::usage(format!("{name} 0: nothing would be tried; ask for at least 1")));
        }
        self.check_tape()?;
        self.check_norm()?;
        let any = |is: fn(&Method) -> bool| self.methods().iter().any(is);
        let gradients = any(Method::needs_gradients);
        let idle = [
            ("--queries", self.queries.is_some() && !any(|method| !method.needs_gradients())),
            ("--schedule", self.schedule.is_some() && !any(|method| method.has_windows)),
            ("--steps", self.steps.is_some() && !any(|method| method.has_steps)),
            ("--restarts", self.restarts.is_some() && !any(|method| method.has_restarts)),
            ("--goal", self.goal.is_some() && !matches!(self.method, Choice::One(one) if one.has_goal)),
            ("--batch", self.batch.is_some() && !gradients),
            ("--device", self.device.is_some() && !gradients),
            ("--surrogate", self.surrogate.is_some() && !gradients),
        ];
        for (option, _) in idle.into_iter().filter(|(_, idle)| *idle) {
            output::note(format!("note: {option} has no effect on {}", self.method.name()));
        }
        Ok(())
    }

    /// Attacks that search balls of one norm alone.
    fn check_norm(&self) -> Result<()> {
        let Choice::One(method) = self.method else { return Ok(()) };
        NormError::check(method.name, method.norms, self.norm).map_err(failure::usage)
    }

    fn check_tape(&self) -> Result<()> {
        let Some(path) = self.tape.as_ref().or(self.replay.as_ref()) else { return Ok(()) };
        let one = matches!(self.method, Choice::One(method) if !method.needs_gradients());
        if !one || self.eps.0.len() > 1 {
            return Err(failure::usage(format!(
                "{}: a tape is of one attack without gradients at one radius; leave it out, or name such a --method and one --eps",
                path.display()
            )));
        }
        Ok(())
    }

    /// The folder where none is named: its name holds whatever is not the default, so that
    /// other settings are other folders.
    fn usual_folder(&self, model: &Model, threats: &[Threat]) -> PathBuf {
        let surrogate = self.surrogate.as_deref().map(Path::file_stem).map(Option::unwrap_or_default);
        let has_goal = matches!(self.method, Choice::One(method) if method.has_goal);
        let inside = has_goal && self.goal == Some(Goal::Inside);
        let settings = [
            ("only", self.only.map(|label| label.to_string())),
            ("surrogate", surrogate.map(|name| name.to_string_lossy().into_owned())),
            ("threshold", self.threshold.as_ref().map(threshold::Choice::in_names)),
            ("goal", inside.then(|| "inside".to_owned())),
            ("split", self.split.filter(|split| *split != Split::Test).map(|split| split.to_string())),
            ("queries", self.queries.map(|queries| queries.to_string())),
            ("schedule", self.schedule.map(|schedule| schedule.to_string())),
            ("steps", self.steps.map(|steps| steps.to_string())),
            ("restarts", self.restarts.map(|restarts| restarts.to_string())),
            ("seed", (self.seed != 0).then(|| self.seed.to_string())),
        ];
        let named = |(name, value): (&str, Option<String>)| Some(format!("-{name}-{}", value?));
        let settings: String = settings.into_iter().filter_map(named).collect();
        format!("{}-{}{settings}", model.stem(), self.method.folder(threats)).into()
    }

    /// Takes the folder, where it is free.
    fn begin(&self, out: &Path) -> Result<Lock> {
        let lock = lock::of(out)?;
        self.check_free(out)?;
        Ok(lock)
    }

    /// What an earlier attack, at one radius or several, left in `out`.
    fn taken(&self, out: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| OWN.contains(&name.as_str()) || name.starts_with(RADIUS)).collect()
    }

    fn clear(&self, out: &Path) -> Result<()> {
        let taken = self.taken(out);
        place::clear(out, &taken.iter().map(String::as_str).collect::<Vec<_>>())?;
        match self.tape.as_deref().filter(|tape| tape.is_file()) {
            Some(tape) => {
                std::fs::remove_file(tape).with_context(|| format!("{}: cannot be replaced", tape.display()))
            }
            None => Ok(()),
        }
    }

    /// The judge refuses a folder that holds an attack; this does so before any work.
    fn check_free(&self, out: &Path) -> Result<()> {
        if self.resume {
            return self.check_same(out);
        }
        if self.force || place::is_free(out)? || self.taken(out).is_empty() {
            return Ok(());
        }
        bail!(
            "{}: holds an attack already; pass --resume to go on with it, --force to replace it, or choose another --out",
            out.display()
        )
    }

    /// A folder is gone on with that holds what this makes, and nothing besides.
    fn check_same(&self, out: &Path) -> Result<()> {
        let this = match (self.eps.0.len(), self.method) {
            (2.., _) => Contents::Sweep,
            (_, Choice::One(_)) => Contents::Attack,
            _ => Contents::Suite,
        };
        if let Some(other) = Contents::of(out).into_iter().find(|other| *other != this) {
            bail!(
                "{}: holds {other}, and this would be {this}; choose another --out, or pass --force to replace it",
                out.display()
            );
        }
        Ok(())
    }

    /// A sweep is gone on with at all of its radii.
    fn check_radii(&self, out: &Path, threats: &[Threat]) -> Result<()> {
        if !self.resume || threats.len() < 2 {
            return Ok(());
        }
        let folder = |threat: &Threat| out.join(format!("{RADIUS}{}", threat.in_names()));
        let asked: Vec<PathBuf> = threats.iter().map(folder).collect();
        match radii_in(out).into_iter().find(|folder| !asked.contains(folder)) {
            Some(left) => bail!(
                "{}: is of a radius that --eps does not name; name it, too, choose another --out, or pass --force to \
                 replace all",
                left.display()
            ),
            None => Ok(()),
        }
    }
}

/// Says that the model tells the classes apart the wrong way round, as `dfrt eval` does.
fn warn_of_the_classes<'a>(reports: impl IntoIterator<Item = &'a AttackReport>) {
    let wrong = |report: &&AttackReport| {
        report.gates.iter().any(|gate| gate.name == gates::CLEAN_AUC && !gate.passed)
    };
    if let Some(report) = reports.into_iter().find(wrong) {
        let guessed = report.model.reading.as_ref().is_some_and(|reading| reading.fake_index == 1);
        let advice = match guessed {
            true => "if the file's classes are fake, real, pass --fake-index 0",
            false => "look whether its labels are the wrong way round",
        };
        output::note(format!("warning: the AUC on clean pictures is below one half: {advice}"));
    }
}
