//! Every figure of attack.json, recomputed: from samples.csv, from the journal that was
//! written as the attack went on, and, of a suite, from its stages, which are attack folders
//! and verified as such: why the whole of a folder is verified here.

use super::found::{VerifyError, VerifyReport};
use super::pictures::{self, Check};
use crate::attack::gates;
use crate::attack::judge::{Judgement, REPEATED};
use crate::attack::suite::Worst;
use crate::attack::summary::{Summary, outcome_gates, own_gates};
use crate::attack::trial::Trial;
use crate::data::batch::Batch;
use crate::detector::oracle::{Oracle, OracleError};
use crate::results::attack::contents::Contents;
use crate::results::attack::distances::MinimalDistance;
use crate::results::attack::folder::STAGES;
use crate::results::attack::folder::{AttackFolder, AttackFolderError};
use crate::results::attack::journal::{Earlier, Entry, Finding, Journal};
use crate::results::attack::settings::Settings;
use crate::results::attack::{AttackReport, Gate, SampleResult, attacked};
use crate::results::json;
use crate::sample::Split;
use crate::threat::Threat;
use image::RgbImage;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Numbers may differ by this share: a reader of JSON may lose a last digit.
const TOLERANCE: f64 = 1e-9;
/// The checks that every attack makes, whatever its method.
const ALWAYS: [&str; 4] = ["deterministic", "finite", "within-ball", "queries-counted"];

/// Verifies the attack in `folder`, asking `oracle`.
///
/// # Errors
/// Results that cannot be read, a folder that holds two, a model that fails.
pub fn verify_with(folder: &Path, oracle: &dyn Oracle) -> Result<VerifyReport, VerifyError> {
    let files = AttackFolder::new(folder);
    Contents::alone(folder)?;
    let (report, samples) = (files.report()?, files.samples()?);
    let pictures = Check {
        threat: Threat::new(report.norm, report.eps_255)?,
        threshold: report.threshold as f32,
        files: &files,
        oracle,
    };
    let right = samples.iter().filter(|sample| attacked(sample, pictures.threshold));
    let repeated: HashSet<u64> = right.take(REPEATED).map(|sample| sample.id).collect();
    let found: Result<Vec<pictures::Finding>, OracleError> = samples
        .par_iter()
        .map(|sample| {
            let mut finding = pictures.sample(sample)?;
            // Not all of a folder's pictures may fit into memory.
            finding.clean = finding.clean.filter(|_| repeated.contains(&sample.id));
            Ok(finding)
        })
        .collect();
    let mut found = found?;
    let repeated: Vec<RgbImage> = found.iter_mut().filter_map(|it| it.clean.take()).collect();
    let mut checked = VerifyReport {
        samples: samples.len(),
        pictures: found.iter().filter(|it| it.attacked).count(),
        successes: found.iter().filter(|it| it.turned_over).count(),
        mismatches: found.iter().flat_map(|it| it.wrong.clone()).collect(),
        close: found.into_iter().filter_map(|it| it.close).collect(),
        unchecked: Vec::new(),
    };
    check(&files, &report, &samples, &repeated, oracle, &mut checked)?;
    Ok(checked)
}

/// Compares attack.json (`report`) and samples.csv (`samples`) with what they follow from,
/// and adds to `found` what differs and what could not be compared. `repeated` are the clean
/// pictures that are asked twice.
fn check(
    files: &AttackFolder,
    report: &AttackReport,
    samples: &[SampleResult],
    repeated: &[RgbImage],
    oracle: &dyn Oracle,
    found: &mut VerifyReport,
) -> Result<(), VerifyError> {
    let Ok(split) = report.data.split.parse::<Split>() else {
        found.mismatches.push(format!("attack.json: data.split is {}, which is no split", report.data.split));
        return Ok(());
    };
    let trial = Trial {
        threshold: report.threshold,
        threshold_from: report.threshold_from.as_ref(),
        split,
        ..Trial::new(&report.model, &report.data.path, Threat::new(report.norm, report.eps_255)?)
    };
    let suite = files.path().join(STAGES).is_dir() || !report.stages.is_empty();
    let recount = Recount { files, report, samples, repeated, oracle, trial: &trial };
    let expected = if suite { recount.suite(found)? } else { Some(recount.attack(found)?) };
    let Some(expected) = expected else { return Ok(()) };
    found.mismatches.extend(gate_differences(report, &expected.gates));
    let path = files.report_path();
    let raw: Value = json::read(&path)?;
    let plain = |mut object: Value| {
        if let Value::Object(fields) = &mut object {
            fields.remove("gates");
        }
        object
    };
    let expected = as_written(&expected);
    differences("attack.json", "", &plain(raw), &plain(expected), &mut found.mismatches);
    Ok(())
}

struct Recount<'a> {
    files: &'a AttackFolder,
    report: &'a AttackReport,
    samples: &'a [SampleResult],
    repeated: &'a [RgbImage],
    oracle: &'a dyn Oracle,
    trial: &'a Trial<'a>,
}

/// The journal in `files`, or why there is none to compare with: it is missing, or of
/// another version.
fn readable(files: &AttackFolder) -> Result<Result<Earlier, &'static str>, AttackFolderError> {
    match Journal::read(files) {
        Ok(found) => Ok(found.ok_or("journal.csv is missing")),
        Err(AttackFolderError::OtherVersion(_)) => Ok(Err("journal.csv is of another version of dfrt")),
        Err(error) => Err(error),
    }
}

impl Recount<'_> {
    /// Of a single attack: samples.csv is compared with the journal, and both give the report.
    fn attack(&self, found: &mut VerifyReport) -> Result<AttackReport, VerifyError> {
        let journal = readable(self.files)?;
        match &journal {
            Ok(journal) => found.mismatches.extend(self.setting_differences(&journal.settings)),
            Err(lacking) => found.unchecked.push(format!(
                "{lacking}: queries a picture, lost_to_rounding and all gates but `deterministic` are not checked"
            )),
        }
        let known = journal.is_ok();
        let journal: HashMap<u64, Entry> = journal
            .into_iter()
            .flat_map(|journal| journal.entries)
            .map(|entry| (entry.result.id, entry))
            .collect();
        let mut entries = Vec::with_capacity(self.samples.len());
        for sample in self.samples {
            let attacked = !sample.attack.is_empty();
            let entry = journal.get(&sample.id);
            match entry {
                Some(entry) => {
                    found.mismatches.extend(sample_differences(sample, &entry.result, "journal.csv"))
                }
                None if known => {
                    found.mismatches.push(format!("sample {}: is not in journal.csv", sample.id))
                }
                None => {}
            }
            if attacked && sample.attack != self.report.method {
                found.mismatches.push(format!(
                    "sample {}: attack is {}, attack.json has {}",
                    sample.id, sample.attack, self.report.method
                ));
            }
            let without = Finding { attacked, ..Finding::default() };
            let finding = entry.map_or(without, |entry| entry.finding);
            entries.push(Entry { result: sample.clone(), finding, source_sha256: String::new() });
        }
        let deterministic = self.deterministic()?;
        let mut gates = match known {
            true => own_gates(&entries, deterministic),
            false => vec![deterministic],
        };
        if known {
            gates.extend(outcome_gates(&entries, None, self.trial.threshold as f32));
        }
        let others = self.report.gates.iter().filter(|gate| gates.iter().all(|own| own.name != gate.name));
        let others: Vec<Gate> = others.cloned().collect();
        for gate in others.iter().filter(|gate| known || !ALWAYS.contains(&gate.name.as_str())) {
            found.unchecked.push(format!("gate {}: only the attack itself can make it again", gate.name));
        }
        gates.extend(others);
        let summary = Summary::of(&entries, self.trial.threshold as f32, gates);
        let mut expected = summary.report(&self.report.method, self.report.params.clone(), self.trial);
        // What the folder holds no trace of.
        expected.seconds = self.report.seconds;
        expected.skipped.clone_from(&self.report.skipped);
        expected.not_reached = self.report.not_reached;
        let distances = |found: &MinimalDistance| {
            MinimalDistance::of(self.samples, self.trial.threshold as f32, found.norm, self.trial.threat)
        };
        expected.minimal_distance = self.report.minimal_distance.as_ref().map(distances);
        if !known {
            expected.lost_to_rounding = self.report.lost_to_rounding;
        }
        Ok(expected)
    }

    /// Of a suite: its stages are verified by themselves and put together again; none where
    /// one is not whole.
    fn suite(&self, found: &mut VerifyReport) -> Result<Option<AttackReport>, VerifyError> {
        let stages = self.files.path().join(STAGES);
        let mut worst = Worst::default();
        let mut complete = true;
        for stage in &self.report.stages {
            let name = format!("{STAGES}/{}", stage.method);
            let files = AttackFolder::new(&stages.join(&stage.method));
            let loaded = files.report().and_then(|report| Ok((report, files.samples()?)));
            let (report, samples) = match loaded {
                Ok(loaded) => loaded,
                Err(error) => {
                    found.mismatches.push(format!("{name}: {error}"));
                    complete = false;
                    continue;
                }
            };
            found.remark(&name, verify_with(files.path(), self.oracle)?);
            found.mismatches.extend(self.trial_differences(&name, &report));
            let journal = match readable(&files)? {
                Ok(journal) => journal,
                Err(lacking) => {
                    found
                        .unchecked
                        .push(format!("{name}/{lacking}: the suite's own figures are not checked"));
                    complete = false;
                    continue;
                }
            };
            let findings: HashMap<u64, Finding> =
                journal.entries.iter().map(|entry| (entry.result.id, entry.finding)).collect();
            let finding = |sample: &SampleResult| {
                let without = Finding { attacked: !sample.attack.is_empty(), ..Finding::default() };
                findings.get(&sample.id).copied().unwrap_or(without)
            };
            let findings = samples.iter().map(finding).collect();
            worst.add(Judgement { report, samples, findings }, self.trial.threshold as f32);
        }
        let named: HashSet<&str> = self.report.stages.iter().map(|stage| stage.method.as_str()).collect();
        let there = std::fs::read_dir(&stages).into_iter().flatten().flatten();
        let there = there.map(|entry| entry.file_name().to_string_lossy().into_owned());
        for name in there.filter(|name| !named.contains(name.as_str())) {
            found.mismatches.push(format!("{STAGES}/{name}: attack.json names no such stage"));
            complete = false;
        }
        if !complete {
            return Ok(None);
        }
        let expected = worst.judgement(&self.report.method, self.report.not_reached, self.trial, None);
        let by_id: HashMap<u64, &SampleResult> =
            expected.samples.iter().map(|sample| (sample.id, sample)).collect();
        for sample in self.samples {
            match by_id.get(&sample.id) {
                Some(expected) => found.mismatches.extend(sample_differences(sample, expected, "its stages")),
                None => found.mismatches.push(format!("sample {}: is in no stage", sample.id)),
            }
        }
        Ok(Some(expected.report))
    }

    /// The first pictures asked twice, as the judge did.
    fn deterministic(&self) -> Result<Gate, OracleError> {
        let ask = || -> Result<Vec<f32>, OracleError> {
            let one = |picture: &RgbImage| -> Result<f32, OracleError> {
                Ok(self.oracle.logits(&Batch::of(self.oracle.res(), [picture]))?[0])
            };
            self.repeated.iter().map(one).collect()
        };
        Ok(gates::deterministic(&ask()?, &ask()?))
    }

    /// attack.json against the settings that the journal was begun with.
    fn setting_differences(&self, settings: &Settings) -> Vec<String> {
        let AttackReport { method, params, norm, eps_255, threshold, model, data, .. } = self.report;
        let figures = [
            ("method", json!(method)),
            ("params", json!(params)),
            ("norm", json!(norm)),
            ("eps_255", json!(eps_255)),
            ("threshold", json!(threshold)),
            ("model.sha256", json!(model.sha256)),
            ("model.res", json!(model.res)),
            ("model.reading", json!(model.reading)),
            ("data.split", json!(data.split)),
            ("data.path", json!(data.path)),
        ];
        let mut wrong = Vec::new();
        for (name, value) in figures {
            let key = match name {
                "model.sha256" => "model",
                "data.path" => "data",
                _ => name.rsplit('.').next().unwrap_or(name),
            };
            compare("attack.json", name, &value, settings.get(key), "journal.csv has", &mut wrong);
        }
        wrong
    }

    /// What a stage must have in common with its suite.
    fn trial_differences(&self, name: &str, stage: &AttackReport) -> Vec<String> {
        let of = |report: &AttackReport| {
            json!({
                "norm": report.norm,
                "eps_255": report.eps_255,
                "threshold": report.threshold,
                "model": report.model,
                "data": { "path": report.data.path, "split": report.data.split },
            })
        };
        let mut wrong = Vec::new();
        let has = format!("{name}/attack.json has");
        compare("attack.json", "", &of(self.report), &of(stage), &has, &mut wrong);
        wrong
    }
}

/// The JSON of `object` as a file of it reads: 32-bit floats have their shortest digits there.
pub(super) fn as_written(object: &impl Serialize) -> Value {
    let text = serde_json::to_string(object).expect("plain values");
    serde_json::from_str(&text).expect("JSON that was just written")
}

/// A line of samples.csv against the same in `source`.
fn sample_differences(found: &SampleResult, expected: &SampleResult, source: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let value = |sample: &SampleResult| serde_json::to_value(sample).expect("plain values");
    compare("", "", &value(found), &value(expected), &format!("{source} has"), &mut wrong);
    wrong.into_iter().map(|line| format!("sample {}{line}", found.id)).collect()
}

/// The checks of attack.json against those that were made again.
fn gate_differences(report: &AttackReport, expected: &[Gate]) -> Vec<String> {
    let words = |gate: &Gate| format!("{} ({})", if gate.passed { "passed" } else { "failed" }, gate.value);
    let mut wrong = Vec::new();
    for gate in expected {
        match report.gates.iter().find(|other| other.name == gate.name) {
            None => {
                wrong.push(format!("attack.json: gate {} is missing, recomputed {}", gate.name, words(gate)))
            }
            Some(other) if other.passed != gate.passed || !close(other.value, gate.value) => wrong.push(
                format!("attack.json: gate {} is {}, recomputed {}", gate.name, words(other), words(gate)),
            ),
            _ => {}
        }
    }
    let missing = |name: &&&str| report.gates.iter().chain(expected).all(|gate| gate.name != ***name);
    wrong.extend(ALWAYS.iter().filter(missing).map(|name| format!("attack.json: gate {name} is missing")));
    wrong
}

/// The fields of `found`, a file's JSON, that differ from `expected`.
pub(super) fn differences(file: &str, at: &str, found: &Value, expected: &Value, wrong: &mut Vec<String>) {
    compare(file, at, found, expected, "recomputed", wrong);
}

/// The same; `has` says whose the expected values are. Fields that only `expected` has are
/// of later versions.
fn compare(file: &str, at: &str, found: &Value, expected: &Value, has: &str, wrong: &mut Vec<String>) {
    let inner = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, value) in found {
                let other = expected.get(name).unwrap_or(&Value::Null);
                compare(file, &inner(name), value, other, has, wrong);
            }
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            for (place, (value, other)) in found.iter().zip(expected).enumerate() {
                compare(file, &format!("{at}[{}]", entry_name(other, place)), value, other, has, wrong);
            }
        }
        (Value::Number(one), Value::Number(other))
            if close(one.as_f64().unwrap_or(f64::NAN), other.as_f64().unwrap_or(f64::NAN)) => {}
        (one, other) if one == other => {}
        (one, other) => {
            wrong.push(format!("{file}: {at} is {}, {has} {}", short(one), short(other)));
        }
    }
}

/// How an entry of a list is called: by its name, its radius, or its place.
fn entry_name(value: &Value, place: usize) -> String {
    let named = ["name", "eps_255", "method"].into_iter().find_map(|key| value.get(key));
    named.map_or_else(|| place.to_string(), short)
}

fn short(value: &Value) -> String {
    match value {
        Value::Array(entries) => format!("a list of {}", entries.len()),
        Value::String(text) => text.clone(),
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    }
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= TOLERANCE * other.abs().max(1.0)
}
