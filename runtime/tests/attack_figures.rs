//! Every figure of an attack's folder is recomputed, and an interrupted attack goes on by
//! the contents of its pictures: on a model whose answers are known.

mod attack_planted;

use attack_planted::{Planted, judged, ladder, levelled, linear, linf, on_trial};
use dfrt_runtime::attack::judge::{Judgement, judge};
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::square::{Square, SquareSettings};
use dfrt_runtime::attack::suite::Suite;
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::attack::verify;
use dfrt_runtime::results::attack::sweep::{FILE, Sweep};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn square(seed: u64) -> Square {
    Square::new(SquareSettings { queries: 40, seed, ..SquareSettings::default() })
}

const ORACLE: Planted<fn(&[f32]) -> f32> = Planted(linear);

/// An attack on six fakes and six reals in `out`.
fn attacked(folder: &Path) -> (Vec<Subject>, PathBuf) {
    let subjects = ladder(folder, 6);
    let out = folder.join("out");
    judged(&square(0), &ORACLE, &subjects, linf(4), Some((&out, false))).unwrap();
    (subjects, out)
}

fn complaints(out: &Path) -> String {
    verify::verify_with(out, &ORACLE).unwrap().mismatches.join("\n")
}

/// What is said once the figure at `pointer` of the JSON file `path` is `value`.
fn falsified(path: &Path, pointer: &str, value: Value, check: impl FnOnce() -> String) -> String {
    let whole = std::fs::read(path).unwrap();
    let mut object: Value = serde_json::from_slice(&whole).unwrap();
    let place = object.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}"));
    assert_ne!(*place, value, "{pointer}");
    *place = value;
    std::fs::write(path, object.to_string()).unwrap();
    let found = check();
    std::fs::write(path, whole).unwrap();
    found
}

#[test]
fn a_false_figure_is_named_with_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_, out) = attacked(folder.path());
    assert_eq!(complaints(&out), "");
    let path = out.join("attack.json");
    for (pointer, value, words) in [
        ("/n", json!(13), "attack.json: n is 13, recomputed 12"),
        ("/n_clean_correct", json!(11), "n_clean_correct is 11, recomputed 12"),
        ("/clean_accuracy", json!(0.99), "clean_accuracy is 0.99, recomputed 1"),
        ("/attack_success_rate", json!(0.01), "attack_success_rate is 0.01, recomputed"),
        ("/auc", json!(0.999), "attack.json: auc is 0.999, recomputed"),
        ("/robust_accuracy", json!(0.99), "attack.json: robust_accuracy is 0.99, recomputed"),
        ("/intervals/robust_accuracy/low", json!(0.8), "intervals.robust_accuracy.low is 0.8, recomputed"),
        ("/intervals/clean_accuracy/high", json!(0.999), "intervals.clean_accuracy.high is 0.999"),
        ("/fake_to_real/n", json!(7), "fake_to_real.n is 7, recomputed 6"),
        ("/fake_to_real/robust_accuracy", json!(0.77), "fake_to_real.robust_accuracy is 0.77"),
        ("/fake_to_real/attack_success_rate", json!(0.77), "fake_to_real.attack_success_rate is 0.77"),
        ("/real_to_fake/attack_success_rate", json!(0.77), "real_to_fake.attack_success_rate is 0.77"),
        ("/queries/mean", json!(1.5), "queries.mean is 1.5, recomputed"),
        ("/queries/p90", json!(1.5), "queries.p90 is 1.5, recomputed"),
        ("/certified_8bit", json!(77), "certified_8bit is 77, recomputed"),
        ("/queries/total", json!(1), "attack.json: queries.total is 1, recomputed"),
        ("/lost_to_rounding", json!(99), "lost_to_rounding is 99, recomputed"),
        ("/gates", json!([]), "attack.json: gate within-ball is missing"),
        ("/gates/1/passed", json!(false), "gate finite is failed (0), recomputed passed (0)"),
        ("/gates/2/value", json!(0.009), "gate within-ball is passed (0.009)"),
        ("/unreliable", json!(true), "attack.json: unreliable is true, recomputed false"),
        ("/data/n_real", json!(9999), "data.n_real is 9999, recomputed 6"),
        ("/params/queries", json!(5000), "params.queries is 5000, journal.csv has 40"),
        ("/params/seed", json!(9), "params.seed is 9, journal.csv has 0"),
        ("/eps_255", json!(9.0), "eps_255 is 9.0, journal.csv has 4"),
        ("/method", json!("rays"), "method is rays, journal.csv has square"),
        ("/data/split", json!("val"), "data.split is val, journal.csv has test"),
        ("/data/path", json!("elsewhere"), "data.path is elsewhere, journal.csv has ladder"),
    ] {
        let found = falsified(&path, pointer, value, || complaints(&out));
        assert!(found.contains(words), "{words:?} is not in {found}");
    }
    assert_eq!(complaints(&out), "");
    // Of another version the pictures and samples.csv are checked all the same.
    std::fs::write(out.join("journal.csv"), "{\"method\": \"square\"}\n0,fake\n").unwrap();
    let report = verify::verify_with(&out, &ORACLE).unwrap();
    assert!(report.passed() && report.unchecked[0].contains("of another version"), "{report:?}");
    let found = falsified(&path, "/robust_accuracy", json!(0.999), || complaints(&out));
    assert!(found.contains("robust_accuracy"), "{found}");
    std::fs::remove_file(out.join("journal.csv")).unwrap();
    let report = verify::verify_with(&out, &ORACLE).unwrap();
    assert!(report.passed() && report.unchecked[0].contains("journal.csv is missing"), "{report:?}");
}

#[test]
fn samples_csv_must_be_what_the_journal_has() {
    let folder = tempfile::tempdir().unwrap();
    let (_, out) = attacked(folder.path());
    let path = out.join("samples.csv");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().nth(1).unwrap();
    let mut fields: Vec<&str> = line.split(',').collect();
    fields[5] = "39999";
    std::fs::write(&path, text.replace(line, &fields.join(","))).unwrap();
    let found = complaints(&out);
    assert!(found.contains("sample 0: queries is 39999, journal.csv has"), "{found}");
    assert!(found.contains("attack.json: queries.total is"), "{found}");
}

#[test]
fn a_suite_and_a_sweep_follow_from_their_parts() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 6);
    let noise = RandomNoise::new(3, 0);
    let suite = |out: &Path| -> Judgement {
        on_trial(linf(4), |trial| {
            let mut suite = Suite::new(&ORACLE, &subjects, Trial { out: Some(out), ..trial });
            suite.stage(&square(0)).unwrap();
            suite.stage(&noise).unwrap();
            suite.finish("suite", 0).unwrap()
        })
    };
    let out = folder.path().join("sweep");
    let report = suite(&out.join("eps-4")).report;
    assert_eq!(complaints(&out.join("eps-4")), "");
    for (pointer, value, words) in [
        ("/stages/0/n_broken", json!(77), "attack.json: stages[square].n_broken is 77, recomputed"),
        ("/stages/0/queries", json!(77), "stages[square].queries is 77, recomputed"),
        ("/stages/0/robust_accuracy", json!(0.77), "stages[square].robust_accuracy is 0.77, recomputed"),
        ("/stages", json!([]), "stages/square: attack.json names no such stage"),
        ("/gates", json!([]), "gate beats-noise is missing"),
        ("/params/square/queries", json!(5000), "params.square.queries is 5000, recomputed 40"),
        ("/queries/mean", json!(0.5), "queries.mean is 0.5, recomputed"),
    ] {
        let check = || complaints(&out.join("eps-4"));
        let found = falsified(&out.join("eps-4/attack.json"), pointer, value, check);
        assert!(found.contains(words), "{words:?} is not in {found}");
    }
    let stage = out.join("eps-4/stages/square/attack.json");
    let found = falsified(&stage, "/auc", json!(0.5001), || complaints(&out.join("eps-4")));
    assert!(found.contains("stages/square: attack.json: auc is 0.5001, recomputed"), "{found}");
    let sweep = Sweep::of(vec![report]);
    std::fs::write(out.join(FILE), serde_json::to_string(&sweep).unwrap()).unwrap();
    let of_sweep = || verify::sweep(&out).unwrap().0.join("\n");
    assert_eq!(of_sweep(), "");
    let found = falsified(&out.join(FILE), "/points/0/robust_accuracy", json!(0.99), of_sweep);
    assert!(found.contains("sweep.json: points[4.0].robust_accuracy is 0.99, recomputed"), "{found}");
    let found = falsified(&out.join(FILE), "/gates/0/passed", json!(false), of_sweep);
    assert!(found.contains("sweep.json: gates[falls-with-epsilon].passed is false"), "{found}");
    let otherwise = !sweep.unreliable;
    let found = falsified(&out.join(FILE), "/unreliable", json!(otherwise), of_sweep);
    assert!(found.contains(&format!("sweep.json: unreliable is {otherwise}")), "{found}");
    let found = falsified(&out.join(FILE), "/points", json!([]), of_sweep);
    assert!(found.contains("sweep.json: points is a list of 0, recomputed a list of 1"), "{found}");
    std::fs::copy(out.join("eps-4/attack.json"), out.join("attack.json")).unwrap();
    let mixed = verify::verify_with(&out, &ORACLE).unwrap_err().to_string();
    assert!(mixed.contains("holds two results"), "{mixed}");
}

#[test]
fn a_picture_is_known_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let (mut subjects, out) = attacked(folder.path());
    let resumed = |subjects: &[Subject], data: &str| {
        on_trial(linf(4), |trial| {
            let trial = Trial { out: Some(&out), resume: true, data, ..trial };
            judge(&square(0), &ORACLE, subjects, &trial)
        })
    };
    let before = resumed(&subjects, "ladder").unwrap();
    // Moved, under another name: the same picture.
    let moved = folder.path().join("moved.png");
    std::fs::rename(&subjects[2].sample.path, &moved).unwrap();
    subjects[2].sample.path = moved.clone();
    let after = resumed(&subjects, "elsewhere").unwrap();
    assert_eq!(after.report.queries, before.report.queries);
    assert_eq!(after.samples[2].path, moved.to_str().unwrap());
    assert_eq!((after.report.data.path.as_str(), complaints(&out)), ("elsewhere", String::new()));
    // Replaced under its name: another one, attacked anew.
    levelled(40).save(&moved).unwrap();
    let replaced = resumed(&subjects, "elsewhere").unwrap();
    assert!((replaced.samples[2].clean_logit - 39.5).abs() < 1e-3, "{:?}", replaced.samples[2]);
    assert!(!replaced.samples[2].success && complaints(&out).is_empty());
    // Another file with another picture at its place is another data set.
    subjects[2].sample.path = folder.path().join("other.png");
    levelled(41).save(&subjects[2].sample.path).unwrap();
    let error = resumed(&subjects, "others").unwrap_err().to_string();
    assert!(error.contains("on other pictures") && error.contains("--data"), "{error}");
}
