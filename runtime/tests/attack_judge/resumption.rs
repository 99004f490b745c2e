//! Interrupted attacks, and the files that they go on with.

use crate::attack_planted::{Planted, judged, ladder, linear, linf, on_trial};
use crate::scripted::{best, settings, untimed};
use dfrt_runtime::attack::judge::judge;
use dfrt_runtime::attack::square::Square;
use dfrt_runtime::attack::trial::{Progress, Subject, Trial};
use dfrt_runtime::results::attack::SampleResult;
use dfrt_runtime::results::attack::folder::AttackFolder;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn an_interrupted_run_goes_on_as_if_it_never_was() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 6);
    let attack = Square::new(settings(30, 3));
    let oracle = Planted(linear);
    let whole = folder.path().join("whole");
    let expected = judged(&attack, &oracle, &subjects, linf(4), Some((&whole, false)));
    let expected = expected.unwrap();

    // A model that dies in the middle stands for a killed run.
    let asked = AtomicU64::new(0);
    let mortal = Planted(|values: &[f32]| {
        assert!(asked.fetch_add(1, Ordering::Relaxed) < 200, "the run is killed");
        linear(values)
    });
    let out = folder.path().join("interrupted");
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        judged(&attack, &mortal, &subjects, linf(4), Some((&out, false)))
    }));
    assert!(killed.is_err());
    assert!(!out.join("attack.json").exists());
    let refused = judged(&attack, &oracle, &subjects, linf(4), Some((&out, false)));
    assert!(refused.unwrap_err().to_string().contains("--resume"));
    let refused = judged(&attack, &oracle, &subjects, linf(5), Some((&out, true)));
    assert!(refused.unwrap_err().to_string().contains("eps_255 was 4.0 and is 5.0"));

    let asked = AtomicU64::new(0);
    let counting = Planted(|values: &[f32]| {
        asked.fetch_add(1, Ordering::Relaxed);
        linear(values)
    });
    let resumed = judged(&attack, &counting, &subjects, linf(4), Some((&out, true))).unwrap();
    assert_eq!(untimed(&resumed), untimed(&expected));
    // Two rounds for the gate on repeated forwards, clean, float and 8-bit logits.
    let afresh = expected.report.queries.total + 5 * 12;
    assert!(asked.load(Ordering::Relaxed) < afresh, "what was done was not done again");
    for id in 0..12 {
        let picture = format!("adversarial/{id}.png");
        let read = |folder: &std::path::Path| std::fs::read(folder.join(&picture)).unwrap();
        assert_eq!(read(&out), read(&whole));
    }
}

#[test]
fn what_an_earlier_run_asked_is_no_part_of_the_pace() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    let (attack, out) = (Square::new(settings(9, 0)), folder.path().join("out"));
    judged(&attack, &Planted(linear), &subjects[..2], linf(1), Some((&out, false))).unwrap();
    let asked_now = |subjects: &[Subject]| {
        let told = Mutex::new(Vec::new());
        let progress = |at: Progress| told.lock().unwrap().push(at.queries - at.queries_before);
        on_trial(linf(1), |trial| {
            let trial = Trial { out: Some(&out), resume: true, progress: &progress, ..trial };
            judge(&attack, &Planted(linear), subjects, &trial).unwrap();
        });
        told.into_inner().unwrap()
    };
    // More pictures than before; then all of them again, of which none is left to be attacked.
    let more = asked_now(&subjects);
    assert!(more[0] == 0 && more.last().unwrap() > &0, "{more:?}");
    assert_eq!(asked_now(&subjects), [0]);
}

#[test]
fn a_damaged_picture_is_attacked_again_on_resume() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    let out = folder.path().join("out");
    let run =
        |resume| judged(&best(2.0, 1), &Planted(linear), &subjects, linf(2), Some((&out, resume))).unwrap();
    let first = run(false);
    std::fs::write(out.join("adversarial/1.png"), b"torn").unwrap();
    assert_eq!(untimed(&run(true)), untimed(&first));
    assert!(image::open(out.join("adversarial/1.png")).is_ok());
}

#[test]
fn an_unreadable_picture_is_listed_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    std::fs::write(&subjects[1].sample.path, b"not a picture").unwrap();
    let report = judged(&best(1.0, 1), &Planted(linear), &subjects, linf(1), None).unwrap().report;
    assert_eq!((report.n, report.skipped.len()), (3, 1));
    assert!(report.skipped[0].contains("picture-001.png"), "{:?}", report.skipped);
    let none = judged(&best(1.0, 1), &Planted(linear), &subjects[1..2], linf(1), None);
    assert!(none.unwrap_err().to_string().contains("nothing to attack"));
}

#[test]
fn samples_csv_begins_with_the_promised_columns() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 1);
    let out = folder.path().join("out");
    judged(&best(1.0, 1), &Planted(linear), &subjects, linf(1), Some((&out, false))).unwrap();
    let text = std::fs::read_to_string(out.join("samples.csv")).unwrap();
    let columns = "id,label,clean_logit,adv_logit,success,queries,linf_255,l2,seconds,";
    assert!(text.starts_with(columns), "{text}");
    assert!(text.lines().next().unwrap().ends_with(",queries_to_success"), "{text}");
    assert_eq!(text.lines().count(), 3);
}

#[test]
fn a_samples_csv_without_the_queries_to_success_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 1);
    let out = folder.path().join("out");
    judged(&best(1.0, 1), &Planted(linear), &subjects, linf(1), Some((&out, false))).unwrap();
    let files = AttackFolder::new(&out);
    let now = files.samples().unwrap();
    assert!(now.iter().any(|sample| sample.success && sample.queries_to_success == Some(sample.queries)));
    let text = std::fs::read_to_string(files.samples_path()).unwrap();
    let without: String =
        text.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    std::fs::write(files.samples_path(), without).unwrap();
    let earlier = files.samples().unwrap();
    assert!(earlier.iter().all(|sample| sample.queries_to_success.is_none()));
    let until = |samples: &[SampleResult]| -> Vec<u64> {
        samples.iter().map(SampleResult::queries_until_turned).collect()
    };
    assert_eq!(until(&earlier), until(&now), "what it cost in all stands for it");
}
