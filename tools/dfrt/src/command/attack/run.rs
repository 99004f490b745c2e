//! Running `dfrt attack`, at one radius or at several.

use super::progress::Teller;
use super::{Attack, networks, radius, table};
use crate::command::options::use_threads;
use crate::dataset::{self, Classes};
use crate::failure;
use crate::lock;
use crate::model;
use crate::output;
use crate::threshold;
use anyhow::Result;
use dfrt_runtime::attack::Attack as Runs;
use dfrt_runtime::attack::case::{Case, TraceFile};
use dfrt_runtime::attack::catalog::{self, Choice, Method};
use dfrt_runtime::attack::gates;
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::networks::{BuildError, Networks};
use dfrt_runtime::data::selection::Chosen;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::report::plots::distances;
use dfrt_runtime::report::{grid, sweep};
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::results::attack::folder::AttackFolder;
use dfrt_runtime::results::attack::sweep::{RADIUS, Sweep};
use dfrt_runtime::sample::Split;
use dfrt_runtime::storage;
use dfrt_runtime::threat::Threat;
use std::path::Path;
use std::time::Instant;

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
        use_threads(self.threads)?;
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
        let deadline = self.time_budget.map(|budget| Instant::now() + budget.0);
        let report = self.judged(bench, threat, out, deadline)?.report;
        warn_of_the_classes([&report]);
        output::passed_over("unreadable pictures", &report.skipped, Some(&out.join("attack.json")));
        if self.json { output::json(&report) } else { output::say(table::of_attack(&report, out)) }
    }

    /// At every radius; the time is shared out evenly.
    fn swept(&self, bench: &Workbench<'_>, threats: &[Threat], out: &Path) -> Result<()> {
        let end = self.time_budget.map(|budget| Instant::now() + budget.0);
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
        if self.json { output::json(&found) } else { output::say(table::of_sweep(&found, out)) }
    }

    fn judged(
        &self,
        bench: &Workbench<'_>,
        threat: Threat,
        out: &Path,
        deadline: Option<Instant>,
    ) -> Result<Judgement> {
        let trace = self.tape.as_deref().map(TraceFile::Record);
        let teller = Teller::default();
        let case = Case {
            model: &bench.model.info(bench.oracle.detector()),
            oracle: bench.oracle,
            data: bench.data,
            folder: out,
            resume: self.resume,
            deadline,
            trace: trace.or(self.replay.as_deref().map(TraceFile::Play)),
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
