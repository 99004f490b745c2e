//! What a report says of its figures: over seeds, corrected for their number, in words.

use super::{Figure, PEOPLE, PICTURES, Study, THRESHOLD, study};
use dfrt_runtime::metrics::Scope;
use dfrt_runtime::metrics::holm::holm;
use dfrt_runtime::report::compare::{comparisons, comparisons_of};
use dfrt_runtime::report::figures::figures;
use dfrt_runtime::report::page::Page;
use dfrt_runtime::report::{Extras, write};
use dfrt_runtime::results::study::Report;
use dfrt_runtime::sample::Label;

/// The study with an arm more, a copy of gr with the name of the arm that costs as much.
fn with_matched(test: &str, seeds: u64) -> Study {
    let mut study = study(test, seeds);
    let copies: Vec<usize> = study.report.seeds_of("gr");
    for index in copies {
        let mut arm = study.report.arms[index].clone();
        arm.name = "compute-matched".into();
        study.report.arms.push(arm);
        study.extras.arms.push(study.extras.arms[index].clone());
    }
    study
}

#[test]
fn verdicts_follow_the_p_that_is_corrected_for_all_comparisons() {
    let study = study("holm", 1);
    let family = study.report.comparisons.len();
    let ps: Vec<Option<f64>> = study.report.comparisons.iter().map(|one| one.p).collect();
    for (one, p_holm) in study.report.comparisons.iter().zip(holm(&ps)) {
        assert_eq!((one.p_holm, one.family), (p_holm, Some(family)), "{one:?}");
        assert!(one.p_holm >= one.p);
        let shown = one.p_holm.unwrap() < 0.05 && one.difference != 0.0;
        assert_eq!(["higher", "lower"].contains(&one.verdict.as_str()), shown, "{one:?}");
        assert!(shown || one.low <= 0.0 && one.high >= 0.0, "{one:?}");
        assert!(one.low < one.high);
        let words = one.words.as_deref().unwrap();
        let begins = match one.verdict.as_str() {
            "higher" => words.starts_with("better by "),
            "lower" => words.starts_with("worse by "),
            _ => words.starts_with("no difference larger than ") || words.starts_with("cannot tell: ["),
        };
        assert!(begins, "{one:?}");
        assert_eq!((one.scope, one.seeds, one.deviation), (Some(Scope::Models), Some(1), None));
        assert_eq!(one.needed.is_none(), shown, "{one:?}");
        let improvement = one.probability_of_improvement.unwrap();
        assert!(improvement.low < improvement.high && improvement.low <= improvement.value);
    }
    let square = &study.report.comparisons[5];
    assert!(square.words.as_deref().unwrap().starts_with("better by "), "{square:?}");
    assert!(square.probability_of_improvement.unwrap().value > 0.99, "{square:?}");
}

#[test]
fn with_three_seeds_the_verdict_is_on_the_method() {
    let study = study("method", 4);
    for one in &study.report.comparisons {
        assert_eq!((one.scope, one.seeds), (Some(Scope::Method), Some(4)), "{one:?}");
        assert_eq!(one.test.as_deref(), Some("crossed"));
        assert!(one.deviation.unwrap() > 0.0 && one.low < one.high, "{one:?}");
        if let Some(needed) = one.needed {
            assert!(needed.seeds.unwrap() >= 4 && needed.groups >= PEOPLE && needed.difference >= 0.05);
        }
    }
    let square = study.report.comparisons.iter().find(|one| one.metric.contains("square")).unwrap();
    assert_eq!((square.verdict.as_str(), square.needed), ("higher", None));
    write(&study.dir, &study.report, &study.extras).unwrap();
    let text = std::fs::read_to_string(study.dir.join("report.md")).unwrap();
    // Brackets would begin a link in Markdown.
    let words = square.words.as_deref().unwrap().replace('[', "\\[").replace(']', "\\]");
    assert!(text.contains(&words), "{text}");
    assert!(
        text.contains("4 training seeds an arm: the intervals of differences hold the spread over seeds")
    );
}

#[test]
fn arms_are_also_compared_with_the_one_of_equal_cost() {
    let study = with_matched("matched", 1);
    let all = comparisons(&study.report, &study.extras, 0).unwrap();
    let pairs: Vec<(&str, &str)> = all.iter().map(|one| (one.arm.as_str(), one.against.as_str())).collect();
    let count = |pair: (&str, &str)| pairs.iter().filter(|other| **other == pair).count();
    assert_eq!(pairs.len(), 18);
    for pair in [("gr", "baseline"), ("compute-matched", "baseline"), ("gr", "compute-matched")] {
        assert_eq!(count(pair), 6, "{pair:?}");
    }
    assert!(all.iter().all(|one| one.family == Some(18)));
    let same: Vec<_> = all.iter().filter(|one| one.against == "compute-matched").collect();
    assert!(same.iter().all(|one| one.difference == 0.0 && one.verdict == "no effect shown"));
    let other = [("baseline".to_owned(), "gr".to_owned())];
    let turned = comparisons_of(&study.report, &study.extras, &other, 0).unwrap();
    assert!((turned[5].difference + all[5].difference).abs() < 1e-12);
    assert_eq!((turned[5].verdict.as_str(), all[5].verdict.as_str()), ("lower", "higher"));
    assert!(turned[5].words.as_deref().unwrap().starts_with("worse by "));
    let page = Page::of(&Report { comparisons: all, ..study.report.clone() }, &study.extras);
    assert!(page.headlines[0].contains("gr against baseline, 6 comparisons"), "{:?}", page.headlines);
}

#[test]
fn every_figure_is_told_over_its_seeds() {
    let study = study("figures", 3);
    let all = figures(&study.report, &study.extras, 0).unwrap();
    let find = |arm: &str, metric: &str| {
        let found = all.iter().find(|one| one.arm == arm && one.metric() == metric);
        found.unwrap_or_else(|| panic!("{metric} of {arm}"))
    };
    let seed = |arm: &str, seed: u64| {
        study.report.arms.iter().find(|one| one.name == arm && one.seed == seed).unwrap()
    };
    let checks: [(&str, Figure<'_>); 8] = [
        ("auc", &|arm| arm.eval.metrics.auc.unwrap().value),
        ("accuracy", &|arm| arm.eval.metrics.accuracy.unwrap().value),
        ("balanced_accuracy", &|arm| arm.eval.metrics.balanced_accuracy.unwrap().value),
        ("robust_accuracy[square linf 8/255]", &|arm| arm.attacks[3].robust_accuracy),
        ("attack_success_rate[fgsm linf 8/255]", &|arm| arm.attacks[1].attack_success_rate.unwrap()),
        ("robust_accuracy_fakes[pgd linf 8/255]", &|arm| {
            arm.attacks[2].fake_to_real.robust_accuracy.unwrap()
        }),
        ("fake_to_real[pgd linf 8/255]", &|arm| arm.attacks[2].fake_to_real.attack_success_rate.unwrap()),
        ("real_to_fake[pgd linf 8/255]", &|arm| arm.attacks[2].real_to_fake.attack_success_rate.unwrap()),
    ];
    for arm in ["baseline", "gr"] {
        for (metric, of) in checks {
            let found = find(arm, metric);
            assert_eq!(found.seeds.iter().map(|one| one.seed).collect::<Vec<_>>(), [0, 1, 2]);
            for one in &found.seeds {
                assert!((one.value - of(seed(arm, one.seed))).abs() < 1e-12, "{metric} of {arm}");
            }
            let values: Vec<f64> = found.seeds.iter().map(|one| one.value).collect();
            let mean = values.iter().sum::<f64>() / 3.0;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 2.0;
            assert!((found.mean - mean).abs() < 1e-12);
            assert!((found.deviation.unwrap() - variance.sqrt()).abs() < 1e-12);
            assert!(found.low < mean && mean < found.high, "{found:?}");
            assert_eq!((found.scope, found.groups), (Scope::Method, PEOPLE));
        }
        // Of the median distance the square attack tells where it turned over half.
        let median = seed(arm, 0).attacks[3].minimal_distance.as_ref().unwrap().median;
        let told = all.iter().find(|one| one.arm == arm && one.figure == "minimal_distance");
        if let Some(told) = told {
            assert!((told.seeds[0].value - median.unwrap()).abs() < 1e-12, "{told:?}");
            assert!(told.low < told.mean && told.mean < told.high);
        }
    }
    assert!(all.iter().any(|one| one.figure == "minimal_distance"));
    // No picture stands in the worst case that one of the attacks turned over.
    let worst = find("gr", "worst_case[linf 8/255]");
    assert_eq!(worst.methods, ["random-noise", "fgsm", "pgd", "square"]);
    let first = study.report.arms.iter().position(|one| (one.name.as_str(), one.seed) == ("gr", 0)).unwrap();
    let samples = |attack: usize| &study.extras.arms[first].attacks[attack].samples;
    let stands = (0..PEOPLE * PICTURES).filter(|&id| {
        let right = Label::decided(samples(0)[id].clean_logit, THRESHOLD) == samples(0)[id].label;
        right && (0..4).all(|attack| !samples(attack)[id].success)
    });
    let share = stands.count() as f64 / (PEOPLE * PICTURES) as f64;
    assert!((worst.seeds[0].value - share).abs() < 1e-12, "{worst:?}");
    let auc = find("gr", "auc_under_attack[pgd linf 8/255]");
    assert!(auc.mean < find("gr", "auc").mean && auc.low >= 0.0, "{auc:?}");
}

#[test]
fn figures_of_one_seed_have_the_intervals_of_its_evaluation() {
    let mut study = study("one-seed", 1);
    study.report.figures = figures(&study.report, &study.extras, 0).unwrap();
    let metrics = &study.report.arms[0].eval.metrics;
    for (place, told) in [metrics.auc, metrics.accuracy, metrics.balanced_accuracy].into_iter().enumerate() {
        let (found, told) = (&study.report.figures[place], told.unwrap());
        assert_eq!((found.mean, found.low, found.high), (told.value, told.low, told.high), "{found:?}");
        assert_eq!((found.scope, found.deviation), (Scope::Models, None));
    }
    write(&study.dir, &study.report, &study.extras).unwrap();
    let back = Report::read(&study.dir).unwrap();
    assert_eq!(back.figures.len(), study.report.figures.len());
    assert_eq!(back.figures[3].metric(), study.report.figures[3].metric());
    // A report of before there were figures, corrected p and the like is read.
    let mut old = serde_json::to_value(&study.report).unwrap();
    old.as_object_mut().unwrap().remove("figures");
    for one in old["comparisons"].as_array_mut().unwrap() {
        for field in ["p_holm", "family", "scope", "seeds", "deviation", "needed", "words"] {
            one.as_object_mut().unwrap().remove(field);
        }
        one.as_object_mut().unwrap().remove("probability_of_improvement");
    }
    let old: Report = serde_json::from_value(old).unwrap();
    assert!(old.figures.is_empty() && old.comparisons[0].words.is_none());
    let text = tempfile::tempdir().unwrap();
    write(text.path(), &old, &study.extras).unwrap();
    let text = std::fs::read_to_string(text.path().join("report.md")).unwrap();
    assert!(text.contains("none is corrected for that") && text.contains("no effect shown"));
    // Without the results of pictures there are no figures.
    let none = figures(&study.report, &Extras::none(&study.report), 0).unwrap_err();
    assert!(none.to_string().contains("scores.csv"), "{none}");
}
