//! What a report opens with: who stands, what changed, what it cost.

use super::{Study, study};
use dfrt_runtime::report::figures::figures;
use dfrt_runtime::report::page::{Opening, Page};
use dfrt_runtime::report::robustness::curves;
use dfrt_runtime::report::write;
use dfrt_runtime::results::run::Outcome;
use dfrt_runtime::results::study::Report;
use dfrt_runtime::threat::Norm;
use serde_json::json;

fn opening(study: &Study) -> Opening {
    Page::of(&study.report, &study.extras).opening
}

/// The study with its figures, those of the worst case set to (value, low, high): baseline, gr.
fn with_worst_cases(test: &str, values: [[f64; 3]; 2]) -> Study {
    let mut study = study(test, 1);
    study.report.figures = figures(&study.report, &study.extras, 0).unwrap();
    for figure in &mut study.report.figures {
        if figure.figure == "worst_case" {
            let place = usize::from(figure.arm == "gr");
            [figure.mean, figure.low, figure.high] = values[place];
        }
    }
    study
}

pub fn trained(report: &mut Report, speeds: [f64; 2]) {
    for arm in &mut report.arms {
        let speed = speeds[usize::from(arm.name == "gr")] + arm.seed as f64;
        let outcome: Outcome = serde_json::from_value(json!({
            "arch": "efficientnet-tiny", "res": 96, "method": arm.name, "seed": arm.seed,
            "parameters": 1000, "n_train": 400, "n_val": 100, "epochs": 10, "steps": 250,
            "stopped_early": false, "best_epoch": 7, "val_auc": 0.9, "val_loss": 0.4,
            "selected_by": "auc", "threshold": 0.25, "train_loss": 0.3, "images_per_second": speed,
            "gpu_mb": 120.0, "device": "llvmpipe", "skipped": [], "weights_sha256": "", "data_sha256": ""
        }))
        .unwrap();
        arm.training = Some(outcome);
    }
}

#[test]
fn that_no_arm_stands_is_said_plainly() {
    let study = with_worst_cases("none-stands", [[0.0, 0.0, 0.015], [0.012, 0.004, 0.03]]);
    let said = &opening(&study).sentences[0];
    let expected = "No arm stands: at linf 8/255 under the worst of random-noise, fgsm, pgd and square nearly every picture \
        that was classified rightly is turned over; right before and after are baseline 0.0 % [0.0, 1.5] and gr 1.2 % \
        [0.4, 3.0]. A check of an attack failed (see the warnings): these figures may be too good.";
    assert_eq!(said, expected);
    let study = with_worst_cases("all-turned", [[0.0, 0.0, 0.015]; 2]);
    assert!(opening(&study).sentences[0].contains("every picture that was classified rightly"));
    let study = with_worst_cases("below-guessing", [[0.1, 0.07, 0.15], [0.3, 0.25, 0.36]]);
    let said = &opening(&study).sentences[0];
    assert!(said.starts_with("No arm stands: ") && said.contains("alike would keep 50.0 %"), "{said}");
    let study = with_worst_cases("near-guessing", [[0.1, 0.07, 0.15], [0.45, 0.38, 0.52]]);
    let said = &opening(&study).sentences[0];
    assert!(said.starts_with("No arm is shown to stand at linf 8/255"), "{said}");
}

#[test]
fn an_arm_that_stands_is_told_beside_those_that_do_not() {
    let mut study = with_worst_cases("one-stands", [[0.02, 0.01, 0.05], [0.69, 0.61, 0.76]]);
    let said = opening(&study).sentences[0].clone();
    assert!(
        said.starts_with("Only gr stands at linf 8/255 under the worst of random-noise, fgsm, pgd and square: right before \
            and after are gr 69.0 % [61.0, 76.0], against baseline 2.0 % [1.0, 5.0]; calling every picture alike"),
        "{said}"
    );
    // At a larger radius neither does, then gr still does.
    let mut larger: Vec<_> =
        study.report.figures.iter().filter(|figure| figure.figure == "worst_case").cloned().collect();
    for figure in &mut larger {
        figure.eps_255 = Some(16.0);
        [figure.mean, figure.low, figure.high] = [0.3, 0.25, 0.35];
    }
    study.report.figures.extend(larger);
    assert!(opening(&study).sentences[0].contains(" At linf 16/255 none does."));
    let last = study.report.figures.last_mut().unwrap();
    [last.mean, last.low, last.high] = [0.7, 0.65, 0.75];
    assert!(opening(&study).sentences[0].contains(" gr still does at linf 16/255, the largest tried."));
    let study = with_worst_cases("all-stand", [[0.6, 0.55, 0.65], [0.69, 0.61, 0.76]]);
    assert!(opening(&study).sentences[0].starts_with("All arms stand at linf 8/255"));
}

#[test]
fn what_changed_and_what_it_cost_have_the_words_of_the_verdicts() {
    let mut study = study("changed", 3);
    trained(&mut study.report, [100.0, 50.0]);
    let sentences = opening(&study).sentences;
    assert_eq!(sentences.len(), 3);
    let of = |metric: &str| {
        let one = study.report.comparisons.iter().find(|one| one.metric == metric).unwrap();
        one.words.as_deref().unwrap().split(';').next().unwrap().to_owned()
    };
    // The strongest of the four attacks.
    let words = of("robust_accuracy[pgd linf 8/255]");
    let changed = format!("Against baseline, robust accuracy under pgd linf 8/255: gr {words}, unreliable.");
    assert_eq!(sentences[1], changed);
    let cost =
        format!("The cost against baseline: gr clean AUC {} and 2.0 times the training time.", of("auc"));
    assert_eq!(sentences[2], cost);
    for arm in &mut study.report.arms {
        arm.training = None;
    }
    assert!(opening(&study).sentences[2].contains("(training times are not in this report)"));
}

#[test]
fn a_quick_or_incomplete_study_says_so_first() {
    let mut study = study("notes", 1);
    assert_eq!(opening(&study).notes, Vec::<String>::new());
    study.report.config["preset"] = json!("quick");
    study.report.missing = vec!["gr, seed 0: transfer".to_owned()];
    let notes = opening(&study).notes;
    assert!(notes[0].starts_with("This is a quick study"), "{notes:?}");
    assert!(notes[1].contains("1 unit of work is missing, the first: gr, seed 0: transfer"), "{notes:?}");
    write(&study.dir, &study.report, &study.extras).unwrap();
    for file in ["report.html", "report.md"] {
        let text = std::fs::read_to_string(study.dir.join(file)).unwrap();
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {file}"));
        assert!(place("This is a quick study") < place("ways of training"), "{file}");
        assert!(place("stand") < place("ways of training"), "{file}");
    }
}

#[test]
fn curves_go_from_the_clean_pictures_through_the_worst_case() {
    let mut study = study("curves", 3);
    let old = curves(&study.report);
    study.report.figures = figures(&study.report, &study.extras, 0).unwrap();
    let new = curves(&study.report);
    for curves in [&old, &new] {
        assert_eq!((curves.len(), curves[0].norm, curves[0].guess), (1, Norm::Linf, 0.5));
        assert_eq!(curves[0].common_radii(), [8.0]);
        let arms: Vec<&str> = curves[0].lines.iter().map(|line| line.arm.as_str()).collect();
        assert_eq!(arms, ["baseline", "gr"]);
    }
    let mean = |of: &dyn Fn(usize) -> f64| (0..3).map(of).sum::<f64>() / 3.0;
    let accuracy = mean(&|index| study.report.arms[index].eval.metrics.accuracy.unwrap().value);
    let pgd = mean(&|index| study.report.arms[index].attacks[2].robust_accuracy);
    // A report without figures has the strongest attack, one with them the worst of all.
    let close = |one: f64, other: f64| (one - other).abs() < 1e-12;
    assert!(close(old[0].lines[0].points[0].value.value, accuracy));
    assert!(close(new[0].lines[0].points[0].value.value, accuracy));
    assert!(close(old[0].lines[0].at(8.0).unwrap().value.value, pgd));
    assert_eq!(old[0].lines[0].at(8.0).unwrap().methods, ["pgd"]);
    let worst = new[0].lines[0].at(8.0).unwrap();
    assert_eq!(worst.methods.len(), 4);
    assert!(worst.value.value <= pgd && worst.value.low < worst.value.high);
    assert!(!worst.unreliable && new[0].lines[1].at(8.0).unwrap().unreliable);
}

#[test]
fn the_first_figure_is_drawn_in_the_page_and_as_files() {
    let mut study = study("figure", 3);
    study.report.figures = figures(&study.report, &study.extras, 0).unwrap();
    let written = write(&study.dir, &study.report, &study.extras).unwrap();
    let html = std::fs::read_to_string(study.dir.join("report.html")).unwrap();
    let all = curves(&study.report);
    let worst = all[0].lines[1].at(8.0).unwrap().value;
    let told = format!("{:.1} % [{:.1}, {:.1}]", 100.0 * worst.value, 100.0 * worst.low, 100.0 * worst.high);
    for name in ["radius-linf", "clean-robust"] {
        for kind in ["svg", "png"] {
            let path = study.dir.join(format!("plots/{name}.{kind}"));
            assert!(written.files.contains(&path), "{name}.{kind}");
        }
        let picture = image::open(study.dir.join(format!("plots/{name}.png"))).unwrap().to_rgb8();
        assert!(picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count() > 2000, "{name} is not empty");
        let file = std::fs::read_to_string(study.dir.join(format!("plots/{name}.svg"))).unwrap();
        assert!(file.contains(&told), "{name}.svg tells its numbers in words");
        assert!(!html.contains(&format!("plots/{name}.png")), "{name} is drawn, not linked");
        let id = format!("aria-labelledby=\"{name}-title {name}-description\"");
        assert_eq!(html.matches(&id).count(), 1, "{name}");
    }
    assert!(html.find("<svg").unwrap() < html.find("ways of training").unwrap(), "before all else");
    let dashed = html.matches("class=\"line\"").count();
    assert_eq!(dashed, 2, "a line an arm");
    assert_eq!(html.matches("class=\"band\"").count(), 2, "a band an arm");
    assert!(html.contains("guessing 50 %"));
}

#[test]
fn what_the_audit_found_is_told() {
    let checked = |study: &Study| {
        let page = Page::of(&study.report, &study.extras);
        let table = page.tables.iter().find(|table| table.name == "checklist").unwrap();
        let row = table.rows.iter().find(|row| row[0].text.starts_with("No leaks")).unwrap();
        let words = [row[1].text.clone(), row[2].text.clone()];
        (words, page.warnings.concat(), page.caveats.concat())
    };
    let mut study = study("audited", 1);
    assert!(checked(&study).0[1].starts_with("not audited"));
    let mut audit = json!({
        "data": {"path": "faces", "sha256": "", "pictures": 40, "looked_at": 30, "readable": 30},
        "verdict": "leak", "attributes": [], "parts": [],
        "findings": [
            {"check": "people", "verdict": "leak", "what": "2 of 9 persons are in two splits", "cases": []},
            {"check": "pixels", "verdict": "note", "what": "sharpness tells the classes apart", "cases": []},
            {"check": "files", "verdict": "ok", "what": "all can be read", "cases": []}
        ]
    });
    study.report.audit = Some(serde_json::from_value(audit.clone()).unwrap());
    let ([met, answer], warnings, caveats) = checked(&study);
    assert_eq!(met, "no");
    assert_eq!(answer, "2 of 9 persons are in two splits; of 40 pictures 30 were looked at");
    assert!(
        warnings.contains("The data set (people): 2 of 9 persons are in two splits. Every figure"),
        "{warnings}"
    );
    assert!(caveats.contains("sharpness tells the classes apart") && !caveats.contains("all can be read"));
    audit["findings"][0]["verdict"] = "ok".into();
    study.report.audit = Some(serde_json::from_value(audit).unwrap());
    let ([met, answer], warnings, _) = checked(&study);
    assert_eq!(
        (met.as_str(), answer.as_str()),
        ("yes", "the audit found none; of 40 pictures 30 were looked at")
    );
    assert!(!warnings.contains("The data set"), "{warnings}");
}
