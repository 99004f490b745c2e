//! From the findings on single pictures to the figures of attack.json.

use super::gates;
use super::trial::{Subject, Trial};
use crate::metrics::quantile::quantile;
use crate::metrics::{intervals, ranking};
use crate::results::attack::GradientCount;
use crate::results::attack::journal::Entry;
use crate::results::attack::{
    AttackReport, Direction, Gate, QueryStatistics, RateIntervals, SampleResult, SuccessStatistics,
};
use crate::results::evaluation::DataInfo;
use crate::sample::Label;
use crate::sample::is_right;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// How many of a set of pictures stood before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pictures.
    pub n: usize,
    /// Of these classified rightly before.
    pub clean_correct: usize,
    /// Of those turned over.
    pub successes: usize,
}

impl Tally {
    /// Counts `samples`, decided at `threshold`; of one label, where given.
    pub fn of<'a>(
        samples: impl IntoIterator<Item = &'a SampleResult>,
        threshold: f32,
        label: Option<Label>,
    ) -> Self {
        let counted = samples.into_iter().filter(|it| label.is_none_or(|label| label == it.label));
        counted.fold(Self::default(), |tally, sample| {
            let right = is_right(sample.clean_logit, sample.label, threshold);
            Self {
                n: tally.n + 1,
                clean_correct: tally.clean_correct + usize::from(right),
                successes: tally.successes + usize::from(right && sample.success),
            }
        })
    }

    /// Rightly classified before and after.
    pub fn survivors(self) -> usize {
        self.clean_correct - self.successes
    }

    /// Rightly classified before, over all; none without pictures.
    pub fn clean_accuracy(self) -> Option<f64> {
        share(self.clean_correct, self.n)
    }

    /// Rightly classified before and after, over all; none without pictures.
    pub fn robust_accuracy(self) -> Option<f64> {
        share(self.survivors(), self.n)
    }

    /// Turned over, over those rightly classified before; none where that is 0.
    pub fn success_rate(self) -> Option<f64> {
        share(self.successes, self.clean_correct)
    }

    /// The rates of one direction.
    pub fn direction(self) -> Direction {
        Direction {
            n: self.n,
            n_clean_correct: self.clean_correct,
            robust_accuracy: self.robust_accuracy(),
            attack_success_rate: self.success_rate(),
        }
    }

    /// 95 % Wilson intervals of the three rates.
    pub fn intervals(self) -> RateIntervals {
        let wilson = |part: usize, whole: usize| intervals::wilson(part as u64, whole as u64);
        let attacked = self.clean_correct;
        RateIntervals {
            clean_accuracy: wilson(attacked, self.n),
            robust_accuracy: wilson(self.survivors(), self.n),
            attack_success_rate: (attacked > 0).then(|| wilson(self.successes, attacked)),
        }
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What of a report follows from the entries alone.
pub struct Summary {
    /// All pictures.
    pub all: Tally,
    /// Fakes made to pass as real.
    pub fake_to_real: Direction,
    /// Reals made to look fake.
    pub real_to_fake: Direction,
    /// AUC of the logits after the attack; none for one class or a NaN.
    pub auc: Option<f64>,
    /// What it cost.
    pub queries: QueryStatistics,
    /// What the successes cost.
    pub queries_to_success: Option<SuccessStatistics>,
    /// Successes in floats that rounding undid.
    pub lost_to_rounding: usize,
    /// The checks on this attack alone.
    pub gates: Vec<Gate>,
}

impl Summary {
    /// Of `entries`, decided at `threshold`, with the checks made of them.
    pub fn of(entries: &[Entry], threshold: f32, gates: Vec<Gate>) -> Self {
        let samples = || entries.iter().map(|entry| &entry.result);
        let tally = |label| Tally::of(samples(), threshold, label);
        let logits: Vec<f32> = samples().map(|sample| sample.adv_logit).collect();
        let labels: Vec<Label> = samples().map(|sample| sample.label).collect();
        let lost = entries.iter().filter(|entry| entry.finding.lost_to_rounding);
        Self {
            all: tally(None),
            fake_to_real: tally(Some(Label::Fake)).direction(),
            real_to_fake: tally(Some(Label::Real)).direction(),
            auc: ranking::auc(&logits, &labels),
            queries: queries(entries),
            queries_to_success: queries_to_success(entries),
            lost_to_rounding: lost.count(),
            gates,
        }
    }
}

impl Summary {
    /// The object of attack.json, for the attack `method` with `params` on trial; its
    /// seconds and what was left out are its maker's to fill in.
    pub fn report(self, method: &str, params: Map<String, Value>, trial: &Trial<'_>) -> AttackReport {
        let all = self.all;
        let mut report = AttackReport {
            method: method.to_owned(),
            norm: trial.threat.norm,
            eps_255: trial.threat.eps_255,
            eps: trial.threat.plain(),
            params,
            n: all.n,
            n_clean_correct: all.clean_correct,
            clean_accuracy: all.clean_accuracy().unwrap_or_default(),
            robust_accuracy: all.robust_accuracy().unwrap_or_default(),
            attack_success_rate: all.success_rate(),
            data: DataInfo {
                path: trial.data.to_owned(),
                split: trial.split.to_string(),
                n_real: self.real_to_fake.n,
                n_fake: self.fake_to_real.n,
            },
            fake_to_real: self.fake_to_real,
            real_to_fake: self.real_to_fake,
            intervals: all.intervals(),
            auc: self.auc,
            queries: self.queries,
            queries_to_success: self.queries_to_success,
            certified_8bit: all.successes,
            lost_to_rounding: self.lost_to_rounding,
            minimal_distance: None,
            gates: Vec::new(),
            unreliable: false,
            model: trial.model.clone(),
            threshold: trial.threshold,
            threshold_from: trial.threshold_from.cloned(),
            skipped: Vec::new(),
            not_reached: 0,
            stages: Vec::new(),
            seconds: 0.0,
        };
        self.gates.into_iter().for_each(|gate| report.add_gate(gate));
        report
    }
}

/// The checks on what became of the pictures: how many of those left standing no search
/// learned anything of, how many successes rounding undid, and whether the clean logits of
/// the `subjects` tell the classes apart the right way round at all; that is left out where
/// it hangs on their groups and they are not there.
pub fn outcome_gates(entries: &[Entry], subjects: Option<&[Subject]>, threshold: f32) -> Vec<Gate> {
    let standing = entries.iter().filter(|entry| entry.finding.attacked && !entry.result.success);
    let searches: Vec<Option<bool>> = standing.map(|entry| entry.finding.never_differed).collect();
    let lost = entries.iter().filter(|entry| entry.finding.lost_to_rounding).count();
    let mut gates: Vec<Gate> = gates::answers_differ(&searches).into_iter().collect();
    gates.push(gates::survives_rounding(lost, entries.len()));
    gates.extend(clean_auc(entries, subjects, threshold));
    gates
}

/// None for one class alone, or a logit that is no number.
fn clean_auc(entries: &[Entry], subjects: Option<&[Subject]>, threshold: f32) -> Option<Gate> {
    let logits: Vec<f32> = entries.iter().map(|entry| entry.result.clean_logit).collect();
    let labels: Vec<Label> = entries.iter().map(|entry| entry.result.label).collect();
    let auc = ranking::auc(&logits, &labels)?;
    if auc >= 0.5 {
        return Some(gates::clean_auc(auc, 1.0));
    }
    let known: HashMap<u64, &str> =
        subjects?.iter().map(|subject| (subject.id, subject.sample.group.as_str())).collect();
    let groups: Vec<&str> =
        entries.iter().map(|entry| known.get(&entry.result.id).copied().unwrap_or_default()).collect();
    // The seed of `dfrt eval`, so that both say the same.
    let auc = intervals::metrics(&logits, &labels, &groups, threshold, 0).auc?;
    Some(gates::clean_auc(auc.value, auc.high))
}

fn queries(entries: &[Entry]) -> QueryStatistics {
    let attacked = entries.iter().filter(|entry| entry.finding.attacked);
    let counts: Vec<u64> = attacked.map(|entry| entry.result.queries).collect();
    let SuccessStatistics { mean, median, p90 } = statistics(&counts);
    QueryStatistics { mean, median, p90, total: counts.iter().sum() }
}

/// None without successes, or where an earlier version did not keep what they cost.
fn queries_to_success(entries: &[Entry]) -> Option<SuccessStatistics> {
    let counts: Vec<u64> = entries.iter().filter_map(|entry| entry.result.queries_to_success).collect();
    (!counts.is_empty()).then(|| statistics(&counts))
}

fn statistics(counts: &[u64]) -> SuccessStatistics {
    let mut sorted: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
    sorted.sort_by(f64::total_cmp);
    SuccessStatistics {
        mean: counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64,
        median: quantile(&sorted, 0.5),
        p90: quantile(&sorted, 0.9),
    }
}

/// The checks on one attack, with the gate on repeated forwards. A suite makes its own of
/// its attacks'.
pub fn own_gates(entries: &[Entry], deterministic: Gate) -> Vec<Gate> {
    let findings = || entries.iter().map(|entry| &entry.finding);
    let attacked = findings().filter(|finding| finding.attacked).count();
    let miscounted = findings().filter(|finding| finding.miscounted).count();
    let gradients = findings().map(|finding| finding.gradients());
    let gradients = gradients.fold(GradientCount::default(), |sum, one| GradientCount {
        evaluated: sum.evaluated + one.evaluated,
        zero: sum.zero + one.zero,
        non_finite: sum.non_finite + one.non_finite,
    });
    let mut gates = vec![
        deterministic,
        gates::finite(findings().map(|finding| u64::from(finding.non_finite)).sum()),
        gates::within_ball(findings().map(|finding| finding.excess_255).fold(0.0, f64::max)),
        gates::counted(miscounted, attacked),
    ];
    gates.extend(gates::gradient(gradients));
    gates
}
