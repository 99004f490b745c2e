//! The judge against planted models: what counts as a success, what is counted,
//! and which results it calls unreliable.

#[path = "../attack_planted/mod.rs"]
mod attack_planted;
mod queries;
mod resumption;
mod scripted;

use attack_planted::{Planted, RES, judged, ladder, levelled, linear, linf, subjects};
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::square::{Square, SquareSettings};
use dfrt_runtime::attack::{Attack, Target};
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::{Norm, Threat};
use scripted::{Scripted, best, gate, settings, untimed};
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn the_best_attack_on_a_linear_model_turns_over_what_it_must_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 6);
    for eps in 0..=6 {
        let attack = best(eps as f32, 1);
        let Judgement { report, samples, .. } =
            judged(&attack, &Planted(linear), &subjects, linf(eps), None).unwrap();
        // A fake of level k needs k levels, a real of level -k needs k + 1.
        for sample in &samples {
            let needed = if sample.id < 6 { sample.id + 1 } else { sample.id - 6 + 1 };
            assert_eq!(sample.success, u64::from(eps) >= needed, "{sample:?}, eps {eps}");
            assert_eq!(sample.linf_255, eps);
        }
        let turned = Some(f64::from(eps) / 6.0);
        let standing = f64::from(6 - eps) / 6.0;
        assert_eq!(report.n_clean_correct, 12);
        assert_eq!(report.attack_success_rate, turned);
        assert_eq!(report.robust_accuracy, standing);
        assert_eq!(report.fake_to_real.attack_success_rate, turned);
        assert_eq!(report.real_to_fake.robust_accuracy, Some(standing));
        assert_eq!(report.certified_8bit, 2 * eps as usize);
        assert!(report.intervals.robust_accuracy.low <= report.robust_accuracy);
        assert!(!report.unreliable, "{:?}", report.gates);
    }
}

#[test]
fn auc_and_both_denominators_count_pictures_that_were_wrong_before() {
    let folder = tempfile::tempdir().unwrap();
    // The second fake looks real to the model, and is not attacked.
    let pictures = [(Label::Fake, 3), (Label::Fake, -1), (Label::Real, -1), (Label::Real, -4)];
    let subjects = subjects(folder.path(), &pictures.map(|(label, level)| (label, levelled(level))));
    let Judgement { report, samples, .. } =
        judged(&best(2.0, 1), &Planted(linear), &subjects, linf(2), None).unwrap();
    assert_eq!((report.n, report.n_clean_correct), (4, 3));
    assert_eq!(report.clean_accuracy, 0.75);
    // Only the real of level -1 turns over.
    assert_eq!(report.robust_accuracy, 0.5);
    assert_eq!(report.attack_success_rate, Some(1.0 / 3.0));
    assert_eq!((samples[1].queries, samples[1].success), (0, false));
    assert_eq!(samples[1].adv_logit, samples[1].clean_logit);
    // Fakes 0.5 and -1.5 against reals 0.5 and -2.5: one tie, one pair lost.
    assert_eq!(report.auc, Some((0.5 + 1.0 + 0.0 + 1.0) / 4.0));
}

#[test]
fn nothing_succeeds_on_a_constant_model_and_the_budget_is_spent_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    let oracle = Planted(|_: &[f32]| 1.0);
    let square = Square::new(settings(50, 0));
    let noise = RandomNoise::new(50, 0);
    for attack in [&square as &dyn Attack, &noise] {
        let Judgement { report, samples, .. } = judged(attack, &oracle, &subjects, linf(8), None).unwrap();
        assert_eq!(report.certified_8bit, 0);
        assert_eq!((report.robust_accuracy, report.clean_accuracy), (0.5, 0.5));
        // The reals are wrong before and cost nothing.
        let queries: Vec<_> = samples.iter().map(|sample| sample.queries).collect();
        assert_eq!(queries, [50, 50, 0, 0]);
        assert_eq!((report.queries.total, report.queries.mean), (100, 50.0));
        // Fifty times the same answer is no search.
        let failed: Vec<_> = report.gates.iter().filter(|gate| !gate.passed).collect();
        assert_eq!((failed.len(), failed[0].name.as_str(), failed[0].value), (1, "answers-differ", 1.0));
    }
}

#[test]
fn noise_of_no_radius_is_the_picture_itself() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    // The least change turns every picture over.
    let asked = AtomicU32::new(0);
    let oracle = Planted(|values: &[f32]| {
        asked.fetch_add(1, Ordering::Relaxed);
        linear(values)
    });
    for threat in [linf(0), Threat::l2(0.0).unwrap()] {
        let noise = RandomNoise::new(50, 0);
        let before = asked.load(Ordering::Relaxed);
        let Judgement { report, samples, .. } = judged(&noise, &oracle, &subjects, threat, None).unwrap();
        assert_eq!((report.robust_accuracy, report.queries.total), (report.clean_accuracy, 0));
        assert!(samples.iter().all(|sample| sample.linf_255 == 0 && !sample.success), "{samples:?}");
        assert!(!report.unreliable, "{:?}", report.gates);
        // The judge alone: each picture clean, twice for determinism, in floats and in 8 bits.
        assert!(asked.load(Ordering::Relaxed) - before <= 5 * 4);
    }
}

#[test]
fn square_finds_the_corner_that_a_model_reads() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(0)), (Label::Fake, levelled(0))]);
    // Fake unless the last four by four pixels get brighter by 6 levels in the
    // mean, above the pixels beside them: a stripe alone cannot do that.
    let corner = |values: &[f32]| {
        let mean = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
            let places = rows.flat_map(|y| columns.clone().map(move |x| y * RES + x));
            let all: Vec<f32> =
                places.flat_map(|at| [0, 1, 2].map(|channel| values[channel * RES * RES + at])).collect();
            all.iter().sum::<f32>() / all.len() as f32
        };
        let contrast = mean(RES - 4..RES, RES - 4..RES) - mean(0..4, RES - 4..RES);
        6.0 - contrast * 255.0
    };
    let oracle = Planted(corner);
    let square = Square::new(settings(2000, 1));
    let report = judged(&square, &oracle, &subjects, linf(8), None).unwrap().report;
    assert_eq!(report.attack_success_rate, Some(1.0), "{:?}", report.queries);
    assert!(report.queries.median > 1.0, "the start is not enough");
}

#[test]
fn square_l2_stays_in_its_ball_and_succeeds_where_a_few_pixels_decide() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(0))]);
    let oracle = Planted(|values: &[f32]| {
        let window = (4..12).flat_map(|y| (4..12).map(move |x| values[y * RES + x]));
        8.0 - window.map(|value| (value - 0.5) * 255.0).sum::<f32>() / 64.0
    });
    let threat = Threat::new(Norm::L2, 255.0).unwrap();
    let start = SquareSettings { p: 0.1, ..settings(1500, 0) };
    let square = Square::new(start);
    let Judgement { report, samples, .. } = judged(&square, &oracle, &subjects, threat, None).unwrap();
    assert_eq!(report.certified_8bit, 1, "{samples:?}");
    assert!(samples[0].l2 <= 1.0);
    assert!(!report.unreliable, "{:?}", report.gates);
}

#[test]
fn a_proposal_outside_of_the_ball_is_clipped_and_gives_the_attack_away() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 4);
    let Judgement { report, samples, .. } =
        judged(&best(100.0, 1), &Planted(linear), &subjects, linf(2), None).unwrap();
    assert!(samples.iter().all(|sample| sample.linf_255 == 2));
    assert_eq!(report.attack_success_rate, Some(0.5));
    let gate = gate(&report, "within-ball");
    assert!(!gate.passed && (gate.value - 98.0).abs() < 1e-3);
    assert!(report.unreliable);
}

#[test]
fn proposals_that_are_no_numbers_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 1);
    let act = |_: &Target, values: &mut [f32]| {
        values.fill(f32::NAN);
        0
    };
    let attack = Scripted { batch: 1, act };
    let report = judged(&attack, &Planted(linear), &subjects, linf(8), None).unwrap().report;
    assert_eq!(report.robust_accuracy, 1.0);
    assert!(!gate(&report, "within-ball").passed && !gate(&report, "finite").passed);
    serde_json::to_string(&report).unwrap();
}

#[test]
fn a_success_that_rounding_undoes_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(0))]);
    // Fake until the values move by a quarter of a level.
    let oracle = Planted(|values: &[f32]| linear(values) + 0.75);
    let Judgement { report, samples, .. } = judged(&best(0.4, 1), &oracle, &subjects, linf(1), None).unwrap();
    assert_eq!((report.lost_to_rounding, report.certified_8bit), (1, 0));
    assert_eq!((samples[0].success, samples[0].linf_255), (false, 0));
}

#[test]
fn a_saturated_probability_is_no_robustness() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 4);
    // The same decisions on every picture, told by a probability in f32.
    let steep = Planted(|values: &[f32]| {
        let probability = 1.0 / (1.0 + (-60.0 * linear(values)).exp());
        (probability / (1.0 - probability)).ln().clamp(-16.0, 16.0)
    });
    let report = |oracle: &dyn Oracle, queries| {
        let square = Square::new(settings(queries, 0));
        judged(&square, oracle, &subjects, linf(3), None).unwrap().report
    };
    let (plain, saturated) = (report(&Planted(linear), 40), report(&steep, 40));
    assert!(gate(&plain, "answers-differ").passed && !plain.unreliable, "{:?}", plain.gates);
    let found = gate(&saturated, "answers-differ");
    assert!(!found.passed && found.value > 0.5 && saturated.unreliable, "{found:?}");
    assert!(found.reason.contains("before its sigmoid") && found.reason.contains("by labels"));
    // Of one answer nobody knows.
    let once = report(&steep, 1);
    assert!(once.gates.iter().all(|gate| gate.name != "answers-differ"), "{:?}", once.gates);
}

#[test]
fn successes_lost_to_rounding_make_a_figure_unreliable() {
    let folder = tempfile::tempdir().unwrap();
    // Fakes until the values move by a quarter of a level, among fakes that stay.
    let oracle = Planted(|values: &[f32]| if values[0] > 0.6 { 1.0 } else { linear(values) + 0.75 });
    let report = |fragile: usize, firm: usize| {
        let mut bright = levelled(0);
        bright.get_pixel_mut(0, 0).0 = [200; 3];
        let fragile = (0..fragile).map(|_| (Label::Fake, levelled(0)));
        let pictures: Vec<_> = fragile.chain((0..firm).map(|_| (Label::Fake, bright.clone()))).collect();
        let subjects = subjects(folder.path(), &pictures);
        judged(&best(0.4, 1), &oracle, &subjects, linf(1), None).unwrap().report
    };
    let few = report(1, 49);
    assert_eq!((few.lost_to_rounding, few.unreliable), (1, false), "{:?}", few.gates);
    let many = report(2, 48);
    assert_eq!((many.lost_to_rounding, many.unreliable), (2, true));
    assert_eq!(gate(&many, "survives-rounding").value, 0.04);
}

#[test]
fn rounding_in_a_small_l2_ball_keeps_a_crossing() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(0)), (Label::Real, levelled(0))]);
    // The nearer to the first value, the more a value weighs. Within two levels plain
    // rounding keeps 59 % of what the best change in floats reaches; 81 % can be kept.
    let weight = |place: usize| 1.0 / (1.0 + place as f64);
    let along = move |values: &[f32]| {
        let change = |place: usize| weight(place) * (f64::from(values[place]) * 255.0 - 128.0);
        (0..values.len()).map(change).sum::<f64>()
    };
    let radius = 2.0;
    let length = (0..3 * RES * RES).map(|place| weight(place).powi(2)).sum::<f64>().sqrt();
    let threat = Threat::new(Norm::L2, radius).unwrap();
    let act = |_: &Target, values: &mut [f32]| {
        for (place, value) in values.iter_mut().enumerate() {
            *value += (radius * weight(place) / length / 255.0) as f32;
        }
        0
    };
    for (needed, kept) in [(0.65, 1), (0.8, 1), (0.9, 0)] {
        let fake = Planted(move |values: &[f32]| (needed * radius * length - along(values)) as f32);
        let real = Planted(move |values: &[f32]| (along(values) - needed * radius * length) as f32);
        for (oracle, subject) in [(&fake as &dyn Oracle, &subjects[..1]), (&real, &subjects[1..])] {
            let attack = Scripted { batch: 1, act };
            let Judgement { report, samples, .. } = judged(&attack, oracle, subject, threat, None).unwrap();
            assert_eq!(
                (report.certified_8bit, report.lost_to_rounding),
                (kept, 1 - kept),
                "{needed}: {samples:?}"
            );
            assert!(samples[0].l2 * 255.0 <= radius + 1e-9);
        }
    }
}

#[test]
fn classes_that_are_the_wrong_way_round_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = |sign: i32| -> Vec<_> {
        let fakes = (1..=12).map(|level| (Label::Fake, levelled(sign * level)));
        fakes.chain((0..12).map(|level| (Label::Real, levelled(-sign * level)))).collect()
    };
    // Two of the fakes and reals are read rightly all the same.
    let wrong = |sign: i32| {
        let mut pictures = pictures(-sign);
        pictures[0].1 = levelled(1);
        pictures[12].1 = levelled(0);
        subjects(folder.path(), &pictures)
    };
    let report =
        |subjects: &[_]| judged(&best(1.0, 1), &Planted(linear), subjects, linf(1), None).unwrap().report;
    let reversed = report(&wrong(1));
    let found = gate(&reversed, "clean-auc");
    assert!(!found.passed && found.value < 0.2 && reversed.unreliable, "{found:?}");
    assert!(gate(&report(&subjects(folder.path(), &pictures(1))), "clean-auc").passed);
    // Below one half by chance is not below it for sure, and one class has no AUC.
    let two = subjects(folder.path(), &[(Label::Fake, levelled(1)), (Label::Real, levelled(2))]);
    assert!(gate(&report(&two), "clean-auc").passed);
    assert!(report(&two[..1]).gates.iter().all(|gate| gate.name != "clean-auc"));
}

#[test]
fn noise_in_an_l2_ball_reaches_its_edge() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(3)), (Label::Real, levelled(-3))]);
    // A twentieth of a level a value, one level, and many.
    for radius in [1.4, 28.0, 400.5] {
        let threat = Threat::new(Norm::L2, radius).unwrap();
        let noise = |seed| {
            let oracle = Planted(linear);
            let noise = RandomNoise::new(4, seed);
            judged(&noise, &oracle, &subjects, threat, None).unwrap()
        };
        let found = noise(0);
        for sample in &found.samples {
            let left = radius * radius - (sample.l2 * 255.0).powi(2);
            let level = 2.0 * f64::from(sample.linf_255) + 1.0;
            assert!((-1e-6..level).contains(&left), "{radius}: {sample:?}");
        }
        let logits = |judgement: &Judgement| -> Vec<f32> {
            judgement.samples.iter().map(|sample| sample.adv_logit).collect()
        };
        assert_eq!(logits(&found), logits(&noise(0)));
        if radius > 2.0 {
            assert_ne!(logits(&found), logits(&noise(1)));
        }
    }
}

#[test]
fn logits_that_are_no_numbers_are_no_successes() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 3);
    let silent = Planted(|_: &[f32]| f32::NAN);
    let report = judged(&best(1.0, 1), &silent, &subjects, linf(1), None).unwrap().report;
    assert_eq!((report.n_clean_correct, report.robust_accuracy), (0, 0.0));
    assert!(!gate(&report, "finite").passed);

    // The model breaks where the first value is moved by more than 8 levels.
    let fragile = Planted(
        |values: &[f32]| {
            if (values[0] * 255.0 - 128.0).abs() > 8.0 { f32::NAN } else { linear(values) }
        },
    );
    let act = |_: &Target, values: &mut [f32]| {
        values[0] += 20.0 / 255.0;
        0
    };
    let attack = Scripted { batch: 1, act };
    let Judgement { report, samples, .. } = judged(&attack, &fragile, &subjects, linf(20), None).unwrap();
    assert!(samples.iter().all(|sample| !sample.success && sample.adv_logit.is_nan()));
    assert!(!gate(&report, "finite").passed && report.unreliable);
    assert_eq!(report.auc, None);
}

#[test]
fn a_model_that_answers_differently_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    let calls = AtomicU32::new(0);
    let oracle =
        Planted(|values: &[f32]| linear(values) + 1e-3 * calls.fetch_add(1, Ordering::Relaxed) as f32);
    let report = judged(&best(1.0, 1), &oracle, &subjects, linf(1), None).unwrap().report;
    assert!(!gate(&report, "deterministic").passed && report.unreliable);
}

#[test]
fn results_do_not_depend_on_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 5);
    let alone = judged(&best(3.0, 1), &Planted(linear), &subjects, linf(3), None).unwrap();
    let together = judged(&best(3.0, 4), &Planted(linear), &subjects, linf(3), None).unwrap();
    assert_eq!(untimed(&alone), untimed(&together));
}

#[test]
fn draws_depend_on_seed_and_id_alone() {
    let folder = tempfile::tempdir().unwrap();
    let all = ladder(folder.path(), 4);
    let oracle = Planted(linear);
    let run = |seed, chosen: &[_]| {
        let square = Square::new(settings(40, seed));
        untimed(&judged(&square, &oracle, chosen, linf(3), None).unwrap()).1
    };
    let whole = run(7, &all);
    assert_eq!(whole, run(7, &all));
    assert_eq!(whole[2..5], run(7, &all[2..5])[..]);
    let logits = |samples: &[dfrt_runtime::results::attack::SampleResult]| -> Vec<f32> {
        samples.iter().map(|sample| sample.adv_logit).collect()
    };
    assert_ne!(logits(&whole), logits(&run(8, &all)));
}
