//! Several attacks in turn: each sees what the earlier ones left, the worst case of every
//! picture counts, and the folder that comes out is one like any other.

#[allow(dead_code, reason = "other tests use the rest")]
mod attack_planted;

use attack_planted::{Planted, RES, ladder, linear, linf, on_trial, weight};
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::suite::Suite;
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::attack::{Attack, Proposal, verify};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::results::attack::GradientCount;
use dfrt_runtime::results::attack::SampleResult;
use dfrt_runtime::results::attack::folder::AttackFolder;
use dfrt_runtime::results::attack::folder::STAGES;
use dfrt_runtime::threat::Threat;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Mutex;

/// The best attack on the linear model that moves by `levels` levels; keeps whom it saw.
struct Mover {
    name: &'static str,
    levels: f32,
    gradients: bool,
    seen: Mutex<Vec<u64>>,
}

impl Mover {
    fn new(name: &'static str, levels: f32, gradients: bool) -> Self {
        Self { name, levels, gradients, seen: Mutex::default() }
    }

    fn seen(&self) -> Vec<u64> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort_unstable();
        seen
    }
}

impl Attack for Mover {
    fn name(&self) -> &str {
        self.name
    }

    fn parameters(&self, _: Threat) -> Map<String, Value> {
        Map::from_iter([("levels".to_owned(), Value::from(self.levels))])
    }

    fn propose(&self, queries: &[Query<'_>], _: Threat) -> Result<Vec<Proposal>, OracleError> {
        self.seen.lock().unwrap().extend(queries.iter().map(|query| query.target().id));
        let proposal = |query: &Query<'_>| {
            let target = query.target();
            let mut values = Batch::of(RES, [&target.picture]).values;
            let along = -target.label.sign() * self.levels / 255.0;
            values.iter_mut().enumerate().for_each(|(at, value)| *value += along * weight(at));
            let gradients = GradientCount { evaluated: u64::from(self.gradients), ..Default::default() };
            Proposal { values, queries: 5, gradients, ..Proposal::default() }
        };
        Ok(queries.iter().map(proposal).collect())
    }
}

fn suite(
    attacks: &[&dyn Attack],
    oracle: &dyn Oracle,
    subjects: &[Subject],
    out: Option<&Path>,
    resume: bool,
) -> Judgement {
    on_trial(linf(8), |trial| {
        let mut suite = Suite::new(oracle, subjects, Trial { out, resume, ..trial });
        for attack in attacks {
            suite.stage(*attack).unwrap();
        }
        suite.finish("suite", 0).unwrap()
    })
}

fn gate(judgement: &Judgement, name: &str) -> bool {
    judgement.report.gates.iter().find(|gate| gate.name == name).unwrap().passed
}

#[test]
fn each_attack_sees_what_is_left_and_the_worst_case_counts() {
    let folder = tempfile::tempdir().unwrap();
    // Fakes 0 to 4 need 1 to 5 levels, reals 5 to 9 likewise.
    let subjects = ladder(folder.path(), 5);
    let oracle = Planted(linear);
    let (weak, strong, idle) =
        (Mover::new("weak", 2.0, true), Mover::new("strong", 4.0, false), Mover::new("idle", 1.0, false));
    let out = folder.path().join("out");
    let judgement = suite(&[&weak, &strong, &idle], &oracle, &subjects, Some(&out), false);
    assert_eq!(weak.seen(), (0..10).collect::<Vec<_>>());
    assert_eq!(strong.seen(), [2, 3, 4, 7, 8, 9]);
    assert_eq!(idle.seen(), [4, 9]);
    let report = &judgement.report;
    assert_eq!(
        (report.n, report.n_clean_correct, report.certified_8bit, report.robust_accuracy),
        (10, 10, 8, 0.2)
    );
    let stages: Vec<_> = report
        .stages
        .iter()
        .map(|stage| (stage.method.as_str(), stage.n_attacked, stage.n_broken, stage.robust_accuracy))
        .collect();
    assert_eq!(stages, [("weak", 10, 4, 0.6), ("strong", 6, 4, 0.2), ("idle", 2, 0, 0.2)]);
    assert_eq!(report.queries.total, 5 * 18, "every attack on a picture is paid");
    let by: Vec<&str> = judgement.samples.iter().map(|sample| sample.attack.as_str()).collect();
    // Of what stands, the picture that came nearest.
    assert_eq!(
        by,
        ["weak", "weak", "strong", "strong", "strong", "weak", "weak", "strong", "strong", "strong"]
    );
    assert!(!gate(&judgement, "white-box-strongest") && report.unreliable);

    let again = verify::verify_with(&out, &oracle).unwrap();
    assert!(again.passed() && again.successes == 8 && again.pictures == 10, "{:?}", again.mismatches);
    let stage = verify::verify_with(&out.join(STAGES).join("strong"), &oracle).unwrap();
    assert!(stage.passed() && stage.pictures == 6);
    assert_eq!(AttackFolder::new(&out).report().unwrap(), judgement.report);
}

#[test]
fn a_suite_that_was_cut_off_goes_on_and_ends_as_it_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 4);
    let oracle = Planted(linear);
    let attacks = || (Mover::new("weak", 2.0, false), Mover::new("strong", 3.0, false));
    let untimed = |judgement: &Judgement| -> Vec<SampleResult> {
        judgement.samples.iter().map(|sample| SampleResult { seconds: 0.0, ..sample.clone() }).collect()
    };
    let (weak, strong) = attacks();
    let whole = suite(&[&weak, &strong], &oracle, &subjects, Some(&folder.path().join("whole")), false);
    // The first attack was through, the second had not begun, and fewer pictures were asked for.
    let out = folder.path().join("cut");
    on_trial(linf(8), |trial| {
        Suite::new(&oracle, &subjects[..6], Trial { out: Some(&out), ..trial }).stage(&attacks().0).unwrap();
    });
    let (weak, strong) = attacks();
    let resumed = suite(&[&weak, &strong], &oracle, &subjects, Some(&out), true);
    assert_eq!(untimed(&whole), untimed(&resumed));
    assert_eq!(weak.seen(), [6, 7], "what was judged is not attacked again");
}

#[test]
fn noise_that_breaks_what_attacks_left_gives_them_away() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    // Any change of a picture turns it over, and the attack changes none.
    let fragile = Planted(|values: &[f32]| {
        let away = values.iter().enumerate().map(|(at, value)| (value * 255.0 - 128.0 - weight(at)).abs());
        0.5 - away.sum::<f32>()
    });
    let idle = Mover::new("idle", 0.0, false);
    let noise = RandomNoise::new(10, 0);
    let judgement = suite(&[&idle, &noise], &fragile, &subjects, None, false);
    assert!(judgement.report.stages[1].n_broken > 0);
    assert!(!gate(&judgement, "beats-noise") && judgement.report.unreliable);
}
