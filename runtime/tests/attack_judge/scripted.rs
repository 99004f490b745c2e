//! Attacks whose result is known, and what the tests read of a judgement.

use crate::attack_planted::{RES, weight};
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::square::SquareSettings;
use dfrt_runtime::attack::{Attack, Proposal, Target};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::OracleError;
use dfrt_runtime::results::attack::AttackReport;
use dfrt_runtime::threat::Threat;
use serde_json::{Map, Value};

/// An attack given as what it does to a clean picture's values.
pub struct Scripted<F> {
    pub batch: usize,
    pub act: F,
}

impl<F: Fn(&Target, &mut [f32]) -> u64 + Sync> Attack for Scripted<F> {
    fn name(&self) -> &str {
        "scripted"
    }
    fn parameters(&self, _: Threat) -> Map<String, Value> {
        Map::new()
    }
    fn batch(&self) -> usize {
        self.batch
    }
    fn propose(&self, queries: &[Query<'_>], _: Threat) -> Result<Vec<Proposal>, OracleError> {
        let propose = |query: &Query<'_>| {
            let mut values = planes(query.target());
            let queries = (self.act)(query.target(), &mut values);
            Proposal { values, queries, ..Proposal::default() }
        };
        Ok(queries.iter().map(propose).collect())
    }
}

pub fn planes(target: &Target) -> Vec<f32> {
    Batch::of(RES, [&target.picture]).values
}

/// The best Linf attack on the linear model, by `levels` levels.
pub fn best(levels: f32, batch: usize) -> impl Attack {
    let act = move |target: &Target, values: &mut [f32]| {
        for (place, value) in values.iter_mut().enumerate() {
            *value -= target.label.sign() * weight(place) * levels / 255.0;
        }
        0
    };
    Scripted { batch, act }
}

pub fn gate<'a>(report: &'a AttackReport, name: &str) -> &'a dfrt_runtime::results::attack::Gate {
    report.gates.iter().find(|gate| gate.name == name).unwrap()
}

pub fn settings(queries: u64, seed: u64) -> SquareSettings {
    SquareSettings { queries, seed, ..SquareSettings::default() }
}

/// The samples without what may differ between two runs.
pub fn untimed(judgement: &Judgement) -> (AttackReport, Vec<dfrt_runtime::results::attack::SampleResult>) {
    let mut copy = judgement.clone();
    copy.report.seconds = 0.0;
    copy.samples.iter_mut().for_each(|sample| sample.seconds = 0.0);
    (copy.report, copy.samples)
}
