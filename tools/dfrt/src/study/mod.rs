//! A study: every arm trained with every seed, evaluated, attacked, compared.
//! The folder it fills is what `dfrt report` renders again.

pub mod conclusion;
pub mod settings;

use crate::command::attack::Case;
use crate::command::eval;
use crate::dataset::Dataset;
use crate::lock::Lock;
use crate::model::Model;
use crate::network;
use crate::output;
use crate::training::Watch;
use anyhow::{Context, Result};
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::between;
use dfrt_runtime::attack::catalog::{self, Choice};
use dfrt_runtime::attack::networks::{Networks, WhiteBox};
use dfrt_runtime::data::manifest;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::report::{self, Extras, Written};
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::results::evaluation::Evaluation;
use dfrt_runtime::results::run::Outcome;
use dfrt_runtime::results::run::files;
use dfrt_runtime::results::study::{Arm, Report};
use dfrt_runtime::sample::Split;
use dfrt_runtime::storage;
use dfrt_runtime::threat::Threat;
use dfrt_trainer::attack::device::GpuDevice;
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::train::dataset;
use dfrt_trainer::train::run;
use serde::de::DeserializeOwned;
use settings::StudySettings;
use std::path::Path;
use std::sync::Arc;

/// Names of a study's files.
pub const CONFIG: &str = "study.toml";
const EVALUATION: &str = "eval.json";
const ATTACKS: &str = "attacks";

/// What `--force` may replace besides the arms' folders.
pub const OWN: [&str; 2] = [CONFIG, "report.json"];

/// A study under way.
pub struct Study<'a> {
    settings: &'a StudySettings,
    out: &'a Path,
    engine: Arc<Engine>,
    test: Dataset,
    attacked: Dataset,
}

impl<'a> Study<'a> {
    /// Looks at the data before any work is done.
    ///
    /// # Errors
    /// Data that cannot be used.
    pub fn open(settings: &'a StudySettings, out: &'a Path, engine: Arc<Engine>) -> Result<Self> {
        let data = &settings.train.data;
        dataset::check(&settings.train)?;
        let test = Dataset::open(Some(data), None, Split::Test, settings.train.limit)?;
        let fewer = settings.attack_limit.min(test.chosen.len());
        let chosen = manifest::limit(&test.chosen, fewer, 0);
        let attacked = Dataset { chosen, ..test.clone() };
        Ok(Self { settings, out, engine, test, attacked })
    }

    /// Runs what is not there yet and writes the report.
    ///
    /// # Errors
    /// Whatever training, evaluation or an attack reports.
    pub fn run(&self) -> Result<(Report, Written)> {
        let text = self.settings.to_toml();
        storage::write(&self.out.join(CONFIG), text.as_bytes())?;
        let mut arms = Vec::new();
        for &seed in &self.settings.seeds {
            for name in &self.settings.arms {
                output::note(format!("== {name}, seed {seed}"));
                arms.push(self.arm(name, seed)?);
            }
        }
        for name in &self.settings.arms {
            self.publish(name)?;
        }
        let mut report = Report {
            arms,
            comparisons: Vec::new(),
            config: serde_json::to_value(self.settings)?,
            environment: conclusion::environment(self.engine.info()),
        };
        let extras = Extras::load(self.out, &report);
        report.comparisons = report::compare::comparisons(&report, &extras, 0)?;
        let written = report::write(self.out, &report, &extras)?;
        Ok((report, written))
    }

    /// Trains, evaluates and attacks one arm with one seed.
    fn arm(&self, name: &str, seed: u64) -> Result<Arm> {
        let run = folder(name, seed);
        let at = self.out.join(&run);
        let _lock = Lock::of(&at)?;
        self.train(name, seed, &at).with_context(|| format!("{name}, seed {seed}"))?;
        let model = Model::find(&at)?;
        let oracle = TractOracle::new(model.load()?);
        let eval = self.evaluate(&model, &oracle, &at)?;
        let network = network::resident(&model, Arc::clone(&self.engine))?;
        // One device for all attacks.
        let batch = catalog::BATCH.min(self.attacked.chosen.len()).max(1);
        let threshold = oracle.detector().threshold();
        let own = WhiteBox::new(GpuDevice::new(&network, batch)?, threshold, None);
        let networks = Networks { own: Some(own), surrogate: None };
        let mut attacks = Vec::new();
        let plans = self.settings.attacks()?;
        // Each made once for all radii.
        let made: Result<Vec<_>, _> = plans.iter().map(|plan| networks.attack(plan)).collect();
        let made = made?;
        for threat in self.settings.threats()? {
            for (plan, attack) in plans.iter().zip(&made) {
                let name = Choice::One(plan.method).folder(&[threat]);
                attacks.push(self.attack(&model, &oracle, (&name, attack.as_ref(), threat), &at)?);
            }
        }
        between::add_gates(&mut attacks);
        Ok(Arm { name: name.to_owned(), seed, run, eval, attacks })
    }

    fn train(&self, name: &str, seed: u64, at: &Path) -> Result<()> {
        if found::<Outcome>(&at.join(files::SUMMARY)).is_some() {
            return Ok(());
        }
        let settings = self.settings.training(name, seed)?;
        let resume = at.join(files::LAST).exists();
        let mut watch = Watch::new(settings.epochs);
        let outcome = run::train(&settings, at, Arc::clone(&self.engine), resume, &mut watch)?;
        drop(watch);
        output::passed_over("files", &outcome.skipped, Some(&at.join(files::SUMMARY)));
        Ok(())
    }

    fn evaluate(&self, model: &Model, oracle: &TractOracle, at: &Path) -> Result<Evaluation> {
        let path = at.join(EVALUATION);
        if let Some(evaluation) = found::<Evaluation>(&path)
            && evaluation.model.sha256 == model.info(oracle.detector()).sha256
        {
            return Ok(evaluation);
        }
        let (evaluation, scores) = eval::evaluate(model, oracle, &self.test)?;
        evaluation.write(&path, &scores)?;
        Ok(evaluation)
    }

    fn attack(
        &self,
        model: &Model,
        oracle: &TractOracle,
        (name, attack, threat): (&str, &dyn Attack, Threat),
        at: &Path,
    ) -> Result<AttackReport> {
        let path = at.join(ATTACKS).join(name);
        let _lock = Lock::of(&path)?;
        output::note(format!("-- {name}"));
        let data = &self.attacked;
        let case = Case { model, oracle, data, folder: &path, resume: true, deadline: None, tape: None };
        let judgement = case.judge(attack, threat)?;
        Ok(judgement.report)
    }

    /// The arm's model of the first seed under a short name, ready to be attacked.
    fn publish(&self, name: &str) -> Result<()> {
        let seed = self.settings.seeds[0];
        let bytes = storage::read(&self.out.join(folder(name, seed)).join(files::MODEL))?;
        Ok(storage::write(&self.out.join(format!("{name}.onnx")), &bytes)?)
    }
}

/// The folders of the arms' RUNs.
pub fn run_folders(settings: &StudySettings) -> Vec<String> {
    let of = |name: &String| settings.seeds.iter().map(|&seed| folder(name, seed)).collect::<Vec<_>>();
    settings.arms.iter().flat_map(of).collect()
}

fn folder(name: &str, seed: u64) -> String {
    format!("{name}-seed{seed}")
}

/// What an earlier session has finished; a broken file is made again.
fn found<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
