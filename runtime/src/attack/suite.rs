//! Several attacks in turn, each on what the earlier ones left standing, as AutoAttack
//! does it (Croce and Hein, ICML 2020), and of every picture the worst case.
//!
//! Each attack is judged by itself, with a folder of its own under `stages/`; the
//! suite's own folder is made of theirs and verified like any other.

use super::catalog::Method;
use super::gates;
use super::gradient::transfer;
use super::judge::{self, JudgeError, Judgement};
use super::query;
use super::resumption::Memory;
use super::summary::{self, Summary};
use super::trial::{Subject, Trial};
use super::{Attack, margin};
use crate::detector::oracle::Oracle;
use crate::results::ResultError;
use crate::results::attack::folder::{AttackFolder, STAGES, Side};
use crate::results::attack::journal::{Entry, Finding};
use crate::results::attack::{Gate, SampleResult, Stage};
use crate::storage;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// A suite in progress.
pub struct Suite<'a> {
    oracle: &'a dyn Oracle,
    subjects: &'a [Subject],
    trial: Trial<'a>,
    found: Worst,
    memory: Arc<Memory>,
}

impl<'a> Suite<'a> {
    /// A suite on `subjects`, judged through `oracle`.
    pub fn new(oracle: &'a dyn Oracle, subjects: &'a [Subject], trial: Trial<'a>) -> Self {
        Self { oracle, subjects, trial, found: Worst::default(), memory: Arc::default() }
    }

    /// The same, which shares what it knows of its files with other rounds of the suite.
    pub fn remembering(self, memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), ..self }
    }

    /// The pictures that no attack so far has turned over.
    pub fn standing(&self) -> Vec<Subject> {
        if self.found.stages.is_empty() {
            return self.subjects.to_vec();
        }
        let stands = |entry: &&Entry| entry.finding.attacked && !entry.result.success;
        let standing: HashSet<u64> =
            self.found.entries.values().filter(stands).map(|entry| entry.result.id).collect();
        self.subjects.iter().filter(|subject| standing.contains(&subject.id)).cloned().collect()
    }

    /// Judges `attack` on what stands; nothing where nothing does.
    ///
    /// # Errors
    /// As [`judge::judge`].
    pub fn stage(&mut self, attack: &dyn Attack) -> Result<(), JudgeError> {
        let standing = self.standing();
        if standing.is_empty() {
            return Ok(());
        }
        let folder = self.trial.out.map(|out| out.join(STAGES).join(attack.name()));
        let trial = Trial { out: folder.as_deref(), ..self.trial };
        let judgement = judge::judge_remembering(attack, self.oracle, &standing, &trial, &self.memory)?;
        self.found.add(judgement, self.trial.threshold as f32);
        Ok(())
    }

    /// The worst case of every picture, under the name of the suite; `not_reached` more
    /// pictures were left out for want of time.
    ///
    /// # Errors
    /// No attack was made, or the suite's folder cannot be written.
    pub fn finish(self, name: &str, not_reached: usize) -> Result<Judgement, JudgeError> {
        if self.found.stages.is_empty() {
            let (data, split) = (self.trial.data.to_owned(), self.trial.split);
            let reason = "the suite made no attack".to_owned();
            return Err(JudgeError::Nothing { data, split, reason });
        }
        let judgement = self.found.judgement(name, not_reached, &self.trial, Some(self.subjects));
        if let Some(out) = self.trial.out {
            let files = AttackFolder::new(out);
            for sample in judgement.samples.iter().filter(|sample| !sample.attack.is_empty()) {
                keep(&files, sample)?;
            }
            files.publish(&judgement.report, &judgement.samples)?;
        }
        Ok(judgement)
    }
}

/// What several attacks made of every picture.
#[derive(Default)]
pub(super) struct Worst {
    stages: Vec<Judgement>,
    entries: BTreeMap<u64, Entry>,
}

impl Worst {
    /// Adds an attack that was made on what the earlier ones left.
    pub fn add(&mut self, judgement: Judgement, threshold: f32) {
        let of_surrogate = judgement.report.method == transfer::NAME;
        for (sample, finding) in judgement.samples.iter().zip(&judgement.findings) {
            // Another model's answers do not show that this one's can lead a search.
            let never_differed = finding.never_differed.filter(|_| !of_surrogate);
            let finding = Finding { never_differed, ..*finding };
            let entry = Entry { result: sample.clone(), finding, source_sha256: String::new() };
            match self.entries.get_mut(&sample.id) {
                Some(worst) => merge_worst(worst, entry, threshold),
                None => drop(self.entries.insert(sample.id, entry)),
            }
        }
        self.stages.push(judgement);
    }

    /// The suite's own figures; without an attack those of no picture. Without the `subjects`
    /// the checks that need their groups are left out.
    pub fn judgement(
        self,
        name: &str,
        not_reached: usize,
        trial: &Trial<'_>,
        subjects: Option<&[Subject]>,
    ) -> Judgement {
        let entries: Vec<Entry> = self.entries.into_values().collect();
        let first = self.stages.first().map(|stage| &stage.report);
        let stages = records(&self.stages, entries.len(), first.map_or(0, |first| first.n_clean_correct));
        let mut gates = checks(&self.stages, entries.len());
        gates.extend(summary::outcome_gates(&entries, subjects, trial.threshold as f32));
        let summary = Summary::of(&entries, trial.threshold as f32, gates);
        let mut report = summary.report(name, parameters(&self.stages), trial);
        report.skipped = first.map(|first| first.skipped.clone()).unwrap_or_default();
        report.not_reached = not_reached;
        report.seconds = stages.iter().map(|stage| stage.seconds).sum();
        report.stages = stages;
        let (samples, findings): (Vec<_>, Vec<_>) =
            entries.into_iter().map(|entry| (entry.result, entry.finding)).unzip();
        Judgement { report, samples, findings }
    }
}

/// Brings the pictures of a sample from its attack's folder into the suite's.
fn keep(files: &AttackFolder, sample: &SampleResult) -> Result<(), JudgeError> {
    let of_stage = AttackFolder::new(&files.path().join(STAGES).join(&sample.attack));
    for side in [Side::Clean, Side::Adversarial] {
        let png = storage::read(&of_stage.picture_path(side, sample.id)).map_err(ResultError::from)?;
        files.save(side, sample.id, &png)?;
    }
    Ok(())
}

/// What a further attack on a picture adds to the worst so far: its cost always, its
/// picture where it turned over, or came nearer to it.
fn merge_worst(worst: &mut Entry, next: Entry, threshold: f32) {
    let left = |sample: &SampleResult| {
        let margin = margin(sample.adv_logit, sample.label, threshold);
        if margin.is_nan() { f32::INFINITY } else { margin }
    };
    let (old, new) = (&worst.result, &next.result);
    let worse = new.success || !old.success && left(new) < left(old);
    let queries = old.queries + new.queries;
    let seconds = old.seconds + new.seconds;
    let to_success = new.queries_to_success.map(|spent| old.queries + spent);
    let (a, b) = (worst.finding, next.finding);
    if worse {
        worst.result = SampleResult { queries_to_success: to_success, ..next.result };
    }
    (worst.result.queries, worst.result.seconds) = (queries, seconds);
    worst.finding = Finding {
        attacked: a.attacked || b.attacked,
        lost_to_rounding: !worst.result.success && (a.lost_to_rounding || b.lost_to_rounding),
        non_finite: a.non_finite + b.non_finite,
        excess_255: a.excess_255.max(b.excess_255),
        miscounted: a.miscounted || b.miscounted,
        never_differed: query::together(a.never_differed, b.never_differed),
        gradients_evaluated: a.gradients_evaluated + b.gradients_evaluated,
        gradients_zero: a.gradients_zero + b.gradients_zero,
        gradients_non_finite: a.gradients_non_finite + b.gradients_non_finite,
    };
}

fn records(stages: &[Judgement], n: usize, clean_correct: usize) -> Vec<Stage> {
    let mut left = clean_correct;
    let record = |stage: &Judgement| {
        let report = &stage.report;
        left = left.saturating_sub(report.certified_8bit);
        Stage {
            method: report.method.clone(),
            params: report.params.clone(),
            n_attacked: report.n_clean_correct,
            n_broken: report.certified_8bit,
            robust_accuracy: left as f64 / n.max(1) as f64,
            queries: report.queries.total,
            gradients: asked_for_gradients(stage),
            seconds: report.seconds,
        }
    };
    stages.iter().map(record).collect()
}

fn asked_for_gradients(stage: &Judgement) -> bool {
    stage.findings.iter().any(|finding| finding.gradients_evaluated > 0)
}

fn parameters(stages: &[Judgement]) -> Map<String, Value> {
    stages.iter().map(|stage| (stage.report.method.clone(), json!(stage.report.params))).collect()
}

/// The attacks' own checks, each once, and those between them.
fn checks(stages: &[Judgement], n: usize) -> Vec<Gate> {
    let mut names: Vec<&str> = Vec::new();
    for gate in stages.iter().flat_map(|stage| &stage.report.gates) {
        // What a picture came to after all attacks is the suite's own to judge.
        let of_outcomes = gates::OF_OUTCOMES.contains(&gate.name.as_str());
        if !of_outcomes && !names.contains(&gate.name.as_str()) {
            names.push(&gate.name);
        }
    }
    let found = |name: &str| -> Vec<(&str, &Gate)> {
        let of = |stage: &'_ Judgement| stage.report.gates.iter().position(|gate| gate.name == name);
        let gates = stages.iter().filter_map(|stage| Some((stage, of(stage)?)));
        gates.map(|(stage, at)| (stage.report.method.as_str(), &stage.report.gates[at])).collect()
    };
    let merged = names.iter().map(|&name| match name {
        // A margin has a gradient where a cross-entropy is saturated.
        "nonzero-gradients" => gates::at_best(&found(name)),
        _ => gates::together(&found(name)),
    });
    let mut checks: Vec<Gate> = merged.collect();
    let broken = |stage: &Judgement| stage.report.certified_8bit;
    let is_floor = |method: &str| method.parse().is_ok_and(|method: Method| method.floor);
    let noise = stages.iter().find(|stage| is_floor(&stage.report.method));
    if stages.iter().any(asked_for_gradients) {
        let black = stages.iter().filter(|stage| !asked_for_gradients(stage)).map(broken).sum();
        checks.push(gates::masked(black, n));
    }
    if let (Some(noise), true) = (noise, stages.len() > 1) {
        checks.push(gates::noise_breaks_nothing(broken(noise), n));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Label;

    fn entry(success: bool, adv_logit: f32, attack: &str) -> Entry {
        let result = SampleResult {
            id: 1,
            label: Label::Fake,
            clean_logit: 2.0,
            adv_logit,
            success,
            queries: 10,
            linf_255: 4,
            l2: 1.0,
            seconds: 1.0,
            path: String::new(),
            clean_sha256: String::new(),
            adv_sha256: String::new(),
            attack: attack.to_owned(),
            distance: None,
            queries_to_success: success.then_some(7),
        };
        let finding = Finding { attacked: true, ..Finding::default() };
        Entry { result, finding, source_sha256: String::new() }
    }

    #[test]
    fn the_worst_of_two_attacks_is_a_success_or_else_the_nearer_one() {
        for (first, second, kept) in [
            (entry(false, 1.0, "a"), entry(true, -0.1, "b"), "b"),
            (entry(false, 1.0, "a"), entry(false, 0.5, "b"), "b"),
            (entry(false, 0.5, "a"), entry(false, 1.0, "b"), "a"),
            (entry(false, 0.5, "a"), entry(false, f32::NAN, "b"), "a"),
        ] {
            let mut worst = first;
            let won = second.result.success;
            merge_worst(&mut worst, second, 0.0);
            assert_eq!((worst.result.attack.as_str(), worst.result.success), (kept, won));
            assert_eq!((worst.result.queries, worst.result.seconds), (20, 2.0), "both were paid");
            assert_eq!(worst.result.queries_to_success, won.then_some(17));
        }
    }
}
