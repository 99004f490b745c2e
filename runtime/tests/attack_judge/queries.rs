//! Queries: who counts them, and which answers inform about the model under attack.

use crate::attack_planted::{Planted, judged, ladder, levelled, linear, linf, on_trial, subjects};
use crate::scripted::{gate, planes, settings};
use dfrt_runtime::attack::decision::rays::{Rays, RaysSettings};
use dfrt_runtime::attack::gradient::transfer::Transfer;
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::square::Square;
use dfrt_runtime::attack::suite::Suite;
use dfrt_runtime::attack::{Attack, Proposal};
use dfrt_runtime::detector::oracle::OracleError;
use dfrt_runtime::results::attack::GradientCount;
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::Threat;
use serde_json::{Map, Value};

/// An attack that changes nothing: it asks for logits until its budget is spent, and says
/// what it spent on a device of its own.
struct Asking {
    budget: u64,
    declared: u64,
    gradients: u64,
}

impl Attack for Asking {
    fn name(&self) -> &str {
        "asking"
    }
    fn parameters(&self, _: Threat) -> Map<String, Value> {
        Map::new()
    }
    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        let propose = |query: &Query<'_>| {
            let mut handle = query.by_logits(threat, self.budget);
            let values = handle.clean.clone();
            while handle.logits(values.clone()).is_ok() {}
            let gradients = GradientCount { evaluated: self.gradients, ..GradientCount::default() };
            Proposal { values, queries: self.declared, gradients, ..Proposal::default() }
        };
        Ok(queries.iter().map(propose).collect())
    }
}

#[test]
fn what_is_asked_is_counted_by_the_judge_and_what_a_device_did_is_declared() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    let of = |budget, declared, gradients| {
        let attack = Asking { budget, declared, gradients };
        judged(&attack, &Planted(linear), &subjects, linf(1), None).unwrap()
    };
    // The budget ends it, whatever it would like.
    let Judgement { report, samples, .. } = of(5, 0, 0);
    assert!(samples.iter().all(|sample| sample.queries == 5));
    assert_eq!(report.queries.total, 20);
    assert!(gate(&report, "queries-counted").passed);
    let both = of(5, 7, 7);
    assert!(both.samples.iter().all(|sample| sample.queries == 12));
    assert!(gate(&both.report, "queries-counted").passed);
    // More gradients than evaluations cannot be.
    let liar = of(0, 6, 7).report;
    assert!(!gate(&liar, "queries-counted").passed && liar.unreliable);
}

/// An attack whose own model gave it answers that differ.
struct Informed;

impl Attack for Informed {
    fn name(&self) -> &str {
        "informed"
    }
    fn parameters(&self, _: Threat) -> Map<String, Value> {
        Map::new()
    }
    fn propose(&self, queries: &[Query<'_>], _: Threat) -> Result<Vec<Proposal>, OracleError> {
        let gradients = GradientCount { evaluated: 1, ..GradientCount::default() };
        let proposal = |query: &Query<'_>| Proposal {
            values: planes(query.target()),
            queries: 2,
            gradients,
            never_differed: Some(false),
            ..Proposal::default()
        };
        Ok(queries.iter().map(proposal).collect())
    }
}

#[test]
fn a_transfer_asks_its_surrogate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 1);
    let transfer = Transfer::new(Box::new(Square::new(settings(9, 0))), "surrogate.onnx");
    let error = judged(&transfer, &Planted(linear), &subjects, linf(2), None).unwrap_err().to_string();
    assert!(error.contains("asks its surrogate alone"), "{error}");
}

#[test]
fn a_suite_is_informed_where_any_of_its_attacks_is() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(6)), (Label::Fake, levelled(7))]);
    let hard = Planted(|values: &[f32]| if linear(values) > 0.0 { 1.0 } else { -1.0 });
    let rays = Rays::new(RaysSettings { queries: 60, ..RaysSettings::default() });
    let square = Square::new(settings(60, 0));
    let noise = RandomNoise::new(60, 0);
    let suite = |attacks: &[&dyn Attack]| {
        on_trial(linf(2), |trial| {
            let mut suite = Suite::new(&hard, &subjects, trial);
            attacks.iter().for_each(|attack| suite.stage(*attack).unwrap());
            suite.finish("suite", 0).unwrap().report
        })
    };
    let blind = suite(&[&square, &noise]);
    assert_eq!((blind.robust_accuracy, gate(&blind, "answers-differ").value), (1.0, 1.0));
    assert!(blind.unreliable);
    let seeing = suite(&[&square, &rays, &noise]);
    assert_eq!((seeing.robust_accuracy, gate(&seeing, "answers-differ").value), (1.0, 0.0));
    assert!(!seeing.unreliable, "{:?}", seeing.gates);
    // What a surrogate answers shows nothing of the model under attack.
    let transfer = Transfer::new(Box::new(Informed), "surrogate.onnx");
    let alone = judged(&transfer, &hard, &subjects, linf(2), None).unwrap().report;
    assert_eq!(gate(&alone, "answers-differ").value, 0.0, "its own search had many");
    let beside = suite(&[&transfer, &square, &noise]);
    assert_eq!((beside.robust_accuracy, gate(&beside, "answers-differ").value), (1.0, 1.0));
}
