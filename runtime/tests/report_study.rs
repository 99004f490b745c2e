//! A synthetic study with known effects, stored like a real one, goes through comparisons and
//! every rendering. Set DFRT_REPORT_DIR to keep the folders.

use dfrt_runtime::metrics::intervals::{metrics, wilson};
use dfrt_runtime::random::stream;
use dfrt_runtime::report::compare::comparisons;
use dfrt_runtime::report::page::Page;
use dfrt_runtime::report::{Extras, ReportError, render, write};
use dfrt_runtime::results::ResultError;
use dfrt_runtime::results::attack::distances::MinimalDistance;
use dfrt_runtime::results::attack::{
    AttackReport, Direction, Gate, QueryStatistics, RateIntervals, SampleResult, SuccessStatistics,
};
use dfrt_runtime::results::evaluation::{DataInfo, Evaluation, ModelInfo, PartMetrics, Rates, Score};
use dfrt_runtime::results::study::{Arm, Report, attack_folder};
use dfrt_runtime::results::training_log::{Entry, TrainingLog};
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::threat::{Norm, Threat};
use image::{Rgb, RgbImage};
use rand::RngExt;
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[path = "report_study/opening.rs"]
mod opening;
#[path = "report_study/statistics.rs"]
mod statistics;
#[path = "report_study/study_tables.rs"]
mod study_tables;

const PEOPLE: usize = 60;
const PICTURES: usize = 4;
const SIDE: u32 = 96;
const THRESHOLD: f32 = 0.25;

/// The effect of an attack on the two arms.
struct Plan {
    method: &'static str,
    /// Attack success rate: baseline, gr.
    turns: [f64; 2],
    /// Queries of an attack of fixed cost; `None` where it searches.
    cost: Option<u64>,
    /// Whether a gate fails on gr.
    doubtful: bool,
}

const PLANS: [Plan; 4] = [
    Plan { method: "random-noise", turns: [0.03, 0.03], cost: Some(1), doubtful: false },
    Plan { method: "fgsm", turns: [0.62, 0.45], cost: Some(2), doubtful: false },
    Plan { method: "pgd", turns: [0.97, 0.88], cost: Some(11), doubtful: true },
    Plan { method: "square", turns: [0.85, 0.55], cost: None, doubtful: false },
];

fn model() -> ModelInfo {
    let arch = "efficientnet-tiny".into();
    ModelInfo { path: "model.onnx".into(), sha256: "0".repeat(64), arch, res: SIDE as usize, reading: None }
}

fn data() -> DataInfo {
    let half = PEOPLE * PICTURES / 2;
    DataInfo { path: "photos/manifest.csv".into(), split: "test".into(), n_real: half, n_fake: half }
}

fn scores(name: &str, seed: u64) -> Vec<Score> {
    let score = |id: usize| {
        let (person, picture) = (id / PICTURES, id % PICTURES);
        // What a person's pictures share, the same for every arm and seed.
        let shared: f32 = stream(9, &["person".into(), (person as u64).into()]).random_range(-1.2..1.2);
        let mut own = stream(seed, &["score".into(), name.into(), (id as u64).into()]);
        let noise: f32 = (0..4).map(|_| own.random_range(-1.1_f32..1.1)).sum();
        let label = if picture % 2 == 0 { Label::Real } else { Label::Fake };
        let path = format!("photos/person{person:02}/{picture}.png");
        let subset = ["photos", "swap", "photos", "blend"][picture];
        let sample = Sample::new(path, label, subset, format!("person {person:02}"), Split::Test);
        Score { id: id as u64, sample, logit: 1.62 * label.sign() + noise + shared }
    };
    (0..PEOPLE * PICTURES).map(score).collect()
}

fn evaluation(scores: &[Score]) -> Evaluation {
    let part = |keep: &dyn Fn(&Score) -> bool| {
        let lines: Vec<&Score> = scores.iter().filter(|line| keep(line)).collect();
        let logits: Vec<f32> = lines.iter().map(|line| line.logit).collect();
        let labels: Vec<Label> = lines.iter().map(|line| line.sample.label).collect();
        let groups: Vec<&str> = lines.iter().map(|line| line.sample.group.as_str()).collect();
        let n_fake = labels.iter().filter(|label| **label == Label::Fake).count();
        let metrics = metrics(&logits, &labels, &groups, THRESHOLD, 0);
        PartMetrics { n_real: labels.len() - n_fake, n_fake, metrics }
    };
    let of_subset =
        |subset: &str| part(&|line| line.sample.label == Label::Real || line.sample.subset == subset);
    let by_subset = ["swap", "blend"].map(|subset| (subset.to_owned(), of_subset(subset)));
    Evaluation {
        model: model(),
        data: data(),
        threshold: f64::from(THRESHOLD),
        threshold_from: None,
        metrics: part(&|_| true).metrics,
        rates: Rates::default(),
        undefined: None,
        by_subset: BTreeMap::from(by_subset),
        by_group: part(&|line| ["0.png", "1.png"].iter().any(|name| line.sample.path.ends_with(name))),
        skipped: Vec::new(),
    }
}

fn samples(scores: &[Score], plan: &Plan, arm: usize, seed: u64) -> Vec<SampleResult> {
    let sample = |(id, line): (usize, &Score)| {
        let right = Label::decided(line.logit, THRESHOLD) == line.sample.label;
        let mut random = stream(seed, &[plan.method.into(), (arm as u64).into(), (id as u64).into()]);
        let success = right && random.random_bool(plan.turns[arm]);
        let pull = if success { line.logit.abs() + 1.0 } else { 0.3 * line.logit.abs().min(1.0) };
        let searched = 4900.0 * random.random::<f64>().powi(3 - arm as i32);
        let queries = match (right, plan.cost) {
            (false, _) => 1,
            (true, Some(cost)) => cost,
            (true, None) => {
                if success {
                    searched as u64 + 5
                } else {
                    5000
                }
            }
        };
        SampleResult {
            id: id as u64,
            label: line.sample.label,
            clean_logit: line.logit,
            adv_logit: line.logit - line.sample.label.sign() * pull,
            success,
            queries,
            linf_255: 8,
            l2: 4.1,
            seconds: 0.02,
            path: line.sample.path.display().to_string(),
            clean_sha256: String::new(),
            adv_sha256: String::new(),
            attack: String::new(),
            // The search stands for one that measures, too.
            distance: (success && plan.cost.is_none()).then(|| queries as f64 / 100_000.0),
            queries_to_success: success.then_some(queries),
        }
    };
    scores.iter().enumerate().map(sample).collect()
}

fn direction(samples: &[SampleResult], keep: impl Fn(&SampleResult) -> bool) -> (Direction, usize) {
    let kept: Vec<&SampleResult> = samples.iter().filter(|sample| keep(sample)).collect();
    let right = kept.iter().filter(|one| Label::decided(one.clean_logit, THRESHOLD) == one.label).count();
    let turned = kept.iter().filter(|sample| sample.success).count();
    let direction = Direction {
        n: kept.len(),
        n_clean_correct: right,
        robust_accuracy: Some((right - turned) as f64 / kept.len() as f64),
        attack_success_rate: Some(turned as f64 / right as f64),
    };
    (direction, turned)
}

fn gates(doubtful: bool) -> Vec<Gate> {
    let gate = |name: &str, passed, value, reason: &str| Gate {
        name: name.into(),
        passed,
        value,
        reason: reason.into(),
    };
    vec![
        gate("deterministic", true, 0.0, "repeated forward passes give the same logits"),
        match doubtful {
            true => gate("nonzero-gradients", false, 0.07, "7.0 % of the input gradients are zero"),
            false => gate("nonzero-gradients", true, 0.0, "no input gradient is zero"),
        },
    ]
}

fn to_success(samples: &[SampleResult]) -> Option<SuccessStatistics> {
    let mut counts: Vec<u64> = samples.iter().filter_map(|sample| sample.queries_to_success).collect();
    counts.sort_unstable();
    let n = counts.len();
    (n > 0).then(|| SuccessStatistics {
        mean: counts.iter().sum::<u64>() as f64 / n as f64,
        median: counts[n / 2] as f64,
        p90: counts[n * 9 / 10] as f64,
    })
}

fn attack(samples: &[SampleResult], plan: &Plan, doubtful: bool) -> AttackReport {
    let (all, turned) = direction(samples, |_| true);
    let (n, right) = (all.n, all.n_clean_correct);
    let rate = |part: usize, whole: usize| wilson(part as u64, whole as u64);
    let mut queries: Vec<u64> = samples.iter().map(|sample| sample.queries).collect();
    queries.sort_unstable();
    let total = queries.iter().sum::<u64>();
    AttackReport {
        method: plan.method.into(),
        norm: Norm::Linf,
        eps_255: 8.0,
        eps: 8.0 / 255.0,
        params: Map::from_iter([("seed".to_owned(), json!(0))]),
        n,
        n_clean_correct: right,
        clean_accuracy: right as f64 / n as f64,
        robust_accuracy: (right - turned) as f64 / n as f64,
        attack_success_rate: Some(turned as f64 / right as f64),
        fake_to_real: direction(samples, |sample| sample.label == Label::Fake).0,
        real_to_fake: direction(samples, |sample| sample.label == Label::Real).0,
        intervals: RateIntervals {
            clean_accuracy: rate(right, n),
            robust_accuracy: rate(right - turned, n),
            attack_success_rate: Some(rate(turned, right)),
        },
        auc: Some(0.31),
        queries: QueryStatistics {
            mean: total as f64 / n as f64,
            median: queries[n / 2] as f64,
            p90: queries[n * 9 / 10] as f64,
            total,
        },
        queries_to_success: to_success(samples),
        certified_8bit: turned,
        lost_to_rounding: 2,
        minimal_distance: plan.cost.is_none().then(|| {
            let threat = Threat::new(Norm::Linf, 8.0).unwrap();
            MinimalDistance::of(samples, THRESHOLD, Norm::Linf, threat)
        }),
        gates: gates(doubtful),
        unreliable: doubtful,
        model: model(),
        data: data(),
        threshold: f64::from(THRESHOLD),
        threshold_from: None,
        skipped: Vec::new(),
        not_reached: 0,
        stages: Vec::new(),
        seconds: 12.5,
    }
}

/// A generated face, so that pictures can be distinguished by eye.
fn face(id: u64) -> RgbImage {
    let skin = 120 + (id * 37 % 90) as i32;
    RgbImage::from_fn(SIDE, SIDE, |x, y| {
        let (dx, dy) = (f64::from(x) / 48.0 - 1.0, f64::from(y) / 48.0 - 1.0);
        let inside = (dx / 0.6).powi(2) + (dy / 0.8).powi(2) < 1.0;
        let eye = (dx.abs() - 0.25).powi(2) + (dy + 0.2).powi(2) < 0.008;
        let mouth = dx.abs() < 0.25 && (dy - 0.4).abs() < 0.04;
        match (inside, eye || mouth) {
            (true, true) => Rgb([60, 35, 40]),
            (true, false) => Rgb([skin as u8, (skin - 25) as u8, (skin - 45) as u8]),
            _ => Rgb([70 + (y / 2) as u8, 90, 110 + (x / 3) as u8]),
        }
    })
}

fn perturbed(clean: &RgbImage, id: u64) -> RgbImage {
    let mut random = stream(id, &["perturbation".into()]);
    let mut sign = || if random.random_bool(0.5) { 8_i16 } else { -8 };
    let stripes: Vec<[i16; 3]> = (0..SIDE).map(|_| [sign(), sign(), sign()]).collect();
    let mut picture = clean.clone();
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        for channel in 0..3 {
            let moved = i16::from(pixel[channel]) + stripes[x as usize][channel];
            pixel[channel] = moved.clamp(0, 255) as u8;
        }
    }
    picture
}

fn save_csv<T: serde::Serialize>(path: &Path, lines: &[T]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = csv::Writer::from_path(path).unwrap();
    lines.iter().for_each(|line| writer.serialize(line).unwrap());
    writer.flush().unwrap();
}

fn save_log(path: &Path, name: &str, seed: u64) {
    let mut random = stream(seed, &["log".into(), name.into()]);
    let floor = if name == "gr" { 0.22 } else { 0.15 };
    let mut log = TrainingLog::open(path, 0, 0).unwrap();
    for step in 1..=600_usize {
        let fall = (-(step as f64) / 150.0).exp();
        let loss = floor + 0.6 * fall + random.random_range(-0.05..0.05);
        let epoch = (step - 1) / 60 + 1;
        let entry = Entry::Step { step, epoch, loss: loss as f32, perturbed_loss: None, lr: 0.1 };
        log.write(&entry).unwrap();
        if step % 60 == 0 {
            let val_loss = floor + 0.12 + 0.5 * fall + random.random_range(0.0..0.03);
            let entry = Entry::Epoch {
                val_robust_accuracy: None,
                val_robust_auc: None,
                epoch,
                train_loss: loss,
                val_loss,
                val_auc: Some(0.9),
                val_balanced_accuracy: None,
                best: false,
                seconds: 1.0,
                images_per_second: 100.0,
            };
            log.write(&entry).unwrap();
        }
    }
}

fn save_pictures(folder: &Path, samples: &[SampleResult]) {
    for kind in ["clean", "adversarial"] {
        std::fs::create_dir_all(folder.join(kind)).unwrap();
    }
    for sample in samples {
        let clean = face(sample.id);
        let file = format!("{}.png", sample.id);
        perturbed(&clean, sample.id).save(folder.join("adversarial").join(&file)).unwrap();
        clean.save(folder.join("clean").join(&file)).unwrap();
    }
}

/// Writes the study into `dir`; comparisons are left to the code under test.
fn lay_out(dir: &Path, seeds: u64) -> Report {
    let mut arms = Vec::new();
    for (place, name) in ["baseline", "gr"].into_iter().enumerate() {
        for seed in 0..seeds {
            let run = format!("{name}-seed{seed}");
            let scores = scores(name, seed);
            save_csv(&dir.join(&run).join("scores.csv"), &scores);
            save_log(&dir.join(&run).join("log.jsonl"), name, seed);
            let mut attacks = Vec::new();
            for plan in &PLANS {
                let samples = samples(&scores, plan, place, seed);
                let report = attack(&samples, plan, plan.doubtful && place == 1 && seed == 0);
                let folder = dir.join(&run).join("attacks").join(attack_folder(&report));
                save_csv(&folder.join("samples.csv"), &samples);
                if seed == 0 {
                    save_pictures(&folder, &samples);
                }
                attacks.push(report);
            }
            arms.push(Arm::new(name, seed, &run, evaluation(&scores), attacks));
        }
    }
    Report {
        arms,
        comparisons: Vec::new(),
        figures: Vec::new(),
        config: json!({"arch": "efficientnet-tiny", "epochs": 10, "note": "<b>not & markup</b>"}),
        environment: json!({"dfrt": "0.1.0", "command": "dfrt study --data photos --out out", "device": "llvmpipe"}),
        ..Report::default()
    }
}

struct Study {
    _temporary: Option<tempfile::TempDir>,
    dir: PathBuf,
    report: Report,
    extras: Extras,
}

/// The study with its comparisons; `test` names its folder where it is kept.
fn study(test: &str, seeds: u64) -> Study {
    let (temporary, dir) = match std::env::var_os("DFRT_REPORT_DIR") {
        Some(kept) => (None, PathBuf::from(kept).join(test)),
        None => {
            let temporary = tempfile::tempdir().unwrap();
            let dir = temporary.path().to_owned();
            (Some(temporary), dir)
        }
    };
    let mut report = lay_out(&dir, seeds);
    let extras = Extras::load(&dir, &report);
    report.comparisons = comparisons(&report, &extras, 0).unwrap();
    Study { _temporary: temporary, dir, report, extras }
}

#[test]
fn planted_effects_are_found_and_planted_nulls_are_called_nulls() {
    let study = study("effects", 1);
    assert_eq!(study.extras.missing, Vec::<String>::new());
    let verdict = |metric: &str| {
        let found = study.report.comparisons.iter().find(|one| one.metric == metric);
        found.unwrap_or_else(|| panic!("{metric} is compared")).verdict.as_str()
    };
    assert_eq!(study.report.comparisons.len(), 6);
    assert_eq!(verdict("robust_accuracy[square linf 8/255]"), "higher");
    assert_eq!(verdict("robust_accuracy[random-noise linf 8/255]"), "no effect shown");
    assert_eq!(verdict("auc"), "no effect shown");
}

/// Reads a figure off an arm.
type Figure<'a> = &'a dyn Fn(&Arm) -> f64;

#[test]
fn a_comparison_is_the_difference_of_the_reported_figures() {
    let study = study("differences", 3);
    let mean = |name: &str, of: Figure<'_>| {
        let arms = study.report.arms.iter().filter(|arm| arm.name == name);
        arms.map(of).sum::<f64>() / 3.0
    };
    let figures: [(&str, Figure<'_>); 3] = [
        ("auc", &|arm| arm.eval.metrics.auc.unwrap().value),
        ("accuracy", &|arm| arm.eval.metrics.accuracy.unwrap().value),
        ("robust_accuracy[fgsm linf 8/255]", &|arm| arm.attacks[1].robust_accuracy),
    ];
    for (metric, of) in figures {
        let one = study.report.comparisons.iter().find(|one| one.metric == metric).unwrap();
        assert!((one.difference - (mean("gr", of) - mean("baseline", of))).abs() < 1e-9, "{metric}");
        assert!(one.low <= one.difference && one.difference <= one.high);
    }
}

#[test]
fn every_rendering_is_written_and_the_page_needs_no_network() {
    let study = study("renderings", 3);
    let written = write(&study.dir, &study.report, &study.extras).unwrap();
    assert!(written.missing.is_empty());
    for file in ["report.json", "report.html", "report.md", "clean.csv", "attacks.csv", "comparisons.csv"] {
        assert!(written.files.contains(&study.dir.join(file)), "{file}");
    }
    for plot in ["accuracy", "roc", "scores", "training", "queries-square-linf-8"] {
        let picture = image::open(study.dir.join(format!("plots/{plot}.png"))).unwrap().to_rgb8();
        let inked = picture.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        assert!(inked > 2000, "{plot} is not empty");
    }
    let html = std::fs::read_to_string(study.dir.join("report.html")).unwrap();
    for foreign in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!html.contains(foreign), "{foreign}");
    }
    let tables = ["comparisons", "clean", "attacks", "gates", "by-group", "by-subset"];
    let parts = ["warnings", "answers", "plots", "pictures", "caveats", "reproduce", "config", "environment"];
    for id in tables.iter().chain(&parts) {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
    }
    assert!(html.contains("&lt;b&gt;not &amp; markup&lt;/b&gt;") && !html.contains("<b>not"));
    for tag in ["table", "tr", "td", "figure", "details", "div", "ul"] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    // Plots, and per attack three pictures of either arm, each in three states.
    assert_eq!(html.matches("data:image/png;base64,").count(), 5 + 4 * 3 * 2 * 3);
}

#[test]
fn null_results_and_doubts_are_as_visible_as_gains() {
    let study = study("words", 1);
    write(&study.dir, &study.report, &study.extras).unwrap();
    for file in ["report.html", "report.md"] {
        let text = std::fs::read_to_string(study.dir.join(file)).unwrap();
        assert!(text.contains("no effect shown") && text.contains("the interval holds zero"), "{file}");
        assert!(
            text.contains("UNRELIABLE") && text.contains("7.0 % of the input gradients are zero"),
            "{file}"
        );
        assert!(text.contains("1 training seed an arm"), "{file}");
        assert!(text.contains("6 comparisons were made"), "{file}");
    }
    let markdown = std::fs::read_to_string(study.dir.join("report.md")).unwrap();
    let clean: Vec<&str> =
        markdown.lines().filter(|line| line.starts_with("| baseline, seed 0 | ")).collect();
    assert_eq!(clean.len(), 2, "single pictures and groups");
    for line in clean {
        assert_eq!(line.matches(" | ").count(), 8, "{line}");
    }
}

#[test]
fn the_page_shows_the_distances_that_were_found() {
    let study = study("distances", 1);
    let page = Page::of(&study.report, &study.extras);
    let table = page.tables.iter().find(|table| table.name == "distances").unwrap();
    assert_eq!(table.rows.len(), 2, "one attack measures, on two arms");
    let found = study.report.arms[1].attacks[3].minimal_distance.as_ref().unwrap();
    let texts: Vec<&str> = table.rows[1].iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!(texts[..2], ["square", "gr, seed 0"]);
    assert_eq!(texts[2], format!("{} of {}", found.n_found, found.n));
    assert_eq!(texts[4], format!("{:.2}/255", 255.0 * found.median.unwrap()));
    // More than a tenth was never turned over.
    assert_eq!(texts[6], "–");
    let detail = table.rows[1][8].detail.as_deref();
    assert_eq!(detail, Some("8.00/255"), "the attacked radius stands between half and twice of it");
}

#[test]
fn the_tables_hold_the_figures_of_the_report() {
    let study = study("tables", 1);
    write(&study.dir, &study.report, &study.extras).unwrap();
    let rows = |file: &str| -> Vec<BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(study.dir.join(file)).unwrap();
        reader.deserialize().collect::<Result<_, _>>().unwrap()
    };
    let clean = rows("clean.csv");
    assert_eq!(clean.len(), 2 * 4, "all, group and two subsets of two arms");
    let auc = study.report.arms[0].eval.metrics.auc.unwrap();
    assert_eq!(clean[0]["auc"], auc.value.to_string());
    assert_eq!(clean[0]["auc_high"], auc.high.to_string());
    let attacks = rows("attacks.csv");
    assert_eq!(attacks.len(), 2 * 4);
    assert_eq!(attacks[6]["attack"], "pgd linf 8/255");
    assert_eq!(attacks[6]["unreliable"], "true");
    assert_eq!(attacks[6]["failed_gates"], "nonzero-gradients");
    let robust = study.report.arms[1].attacks[2].robust_accuracy;
    assert_eq!(attacks[6]["robust_accuracy"], robust.to_string());
    assert_eq!(rows("comparisons.csv").len(), 6);
}

#[test]
fn rendering_again_gives_the_same_files_and_leaves_the_report() {
    let study = study("again", 1);
    let written = write(&study.dir, &study.report, &study.extras).unwrap();
    let contents =
        || -> Vec<Vec<u8>> { written.files.iter().map(|file| std::fs::read(file).unwrap()).collect() };
    let before = contents();
    std::fs::remove_file(study.dir.join("report.html")).unwrap();
    let again = render(&study.dir).unwrap();
    assert_eq!(again.files, written.files[1..]);
    for ((file, before), after) in written.files.iter().zip(before).zip(contents()) {
        if file.extension().is_some_and(|kind| kind == "csv") {
            continue; // Its numbers went through JSON, whose parser may turn a last bit.
        }
        assert!(before == after, "{} changed", file.display());
    }
}

#[test]
fn a_report_comes_back_from_its_file() {
    let mut study = study("round-trip", 1);
    // Short decimals are read back exactly; others may turn a last bit.
    for one in &mut study.report.comparisons {
        (one.difference, one.low, one.high, one.p) = (0.125, -0.25, 0.5, None);
    }
    study.report.arms.truncate(1);
    study.report.arms[0].attacks.truncate(1);
    let attack = &mut study.report.arms[0].attacks[0];
    for rate in [&mut attack.intervals.clean_accuracy, &mut attack.intervals.robust_accuracy] {
        (rate.value, rate.low, rate.high) = (0.75, 0.5, 0.875);
    }
    attack.intervals.attack_success_rate = None;
    let extras = Extras::none(&study.report);
    write(&study.dir, &study.report, &extras).unwrap();
    let back = Report::read(&study.dir).unwrap();
    assert_eq!(back.comparisons, study.report.comparisons);
    assert_eq!(back.arms[0].attacks[0].intervals, study.report.arms[0].attacks[0].intervals);
    assert_eq!(back.arms[0].attacks[0].gates, study.report.arms[0].attacks[0].gates);
    assert_eq!(back.config, study.report.config);
    assert_eq!(back.environment, study.report.environment);
    let close = |one: f64, other: f64| (one - other).abs() < 1e-12;
    let (one, other) = (&back.arms[0].eval, &study.report.arms[0].eval);
    assert!(close(one.metrics.auc.unwrap().low, other.metrics.auc.unwrap().low));
    assert_eq!(one.by_subset.len(), other.by_subset.len());
}

#[test]
fn without_the_extras_the_report_lists_what_is_missing() {
    let study = study("without-extras", 1);
    let empty = tempfile::tempdir().unwrap();
    let extras = Extras::load(empty.path(), &study.report);
    let written = write(empty.path(), &study.report, &extras).unwrap();
    assert!(written.missing.iter().any(|line| line.contains("gr-seed0") && line.contains("scores.csv")));
    let html = std::fs::read_to_string(empty.path().join("report.html")).unwrap();
    assert!(html.contains("id=\"missing\"") && html.contains("samples.csv"));
    assert!(!html.contains("id=\"pictures\"") && html.contains("id=\"attacks\""));
    let error = comparisons(&study.report, &extras, 0).unwrap_err();
    assert!(matches!(error, ReportError::Unaligned { .. }));
    assert!(error.to_string().contains("gr-seed0/scores.csv"), "{error}");
}

#[test]
fn broken_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = render(folder.path()).unwrap_err().to_string();
    assert!(error.contains("report.json") && error.contains("cannot be read"), "{error}");
    std::fs::write(folder.path().join("report.json"), "{\"arms\": [").unwrap();
    let error = render(folder.path()).unwrap_err().to_string();
    assert!(error.contains("report.json") && error.contains("line 1"), "{error}");
    assert!(!error.contains('\n'));
    assert!(!folder.path().join("report.html").exists());
}

#[test]
fn a_figure_that_json_cannot_hold_is_refused() {
    let mut study = study("not-finite", 1);
    let folder = tempfile::tempdir().unwrap();
    study.report.comparisons[0].difference = f64::NAN;
    let error = write(folder.path(), &study.report, &study.extras).unwrap_err();
    assert!(matches!(error, ReportError::Result(ResultError::NotFinite { .. })), "{error}");
    assert!(!folder.path().join("report.json").exists());
}

#[test]
fn pictures_of_other_data_are_not_compared() {
    let mut study = study("other-data", 1);
    for line in &mut study.extras.arms[1].scores {
        line.sample.path = Path::new("elsewhere").join(&line.sample.path);
    }
    let error = comparisons(&study.report, &study.extras, 0).unwrap_err().to_string();
    assert!(error.contains("gr against baseline") && error.contains("no picture is common"), "{error}");
}

#[test]
fn a_report_may_have_one_arm_or_none() {
    let mut study = study("one-arm", 1);
    study.report.arms.truncate(1);
    study.extras.arms.truncate(1);
    assert_eq!(comparisons(&study.report, &study.extras, 0).unwrap(), []);
    study.report.comparisons.clear();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &study.report, &study.extras).unwrap();
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("Nothing was compared"));
    let nothing = Report { config: json!({}), environment: json!({}), ..Report::default() };
    write(folder.path(), &nothing, &Extras::load(folder.path(), &nothing)).unwrap();
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("no trained model"));
}
