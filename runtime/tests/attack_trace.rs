//! The trace of an attack: what is recorded is played again without the model, what
//! differs is found out, and Square's windows are kept and dropped as the paper's rule,
//! stated again here in f64, says.

#[allow(dead_code, reason = "other tests use the rest")]
mod attack_planted;

use attack_planted::{Planted, RES, linear, linf, on_trial, subjects, weight};
use dfrt_runtime::attack::decision::boundary::{Boundary, BoundarySettings};
use dfrt_runtime::attack::decision::hop_skip_jump::{HopSkipJump, HopSkipJumpSettings};
use dfrt_runtime::attack::decision::rays::{Rays, RaysSettings};
use dfrt_runtime::attack::judge::{JudgeError, Judgement, judge};
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::schedule::Pace;
use dfrt_runtime::attack::score::nes::{Nes, NesSettings};
use dfrt_runtime::attack::score::sign_hunter::{SignHunter, SignHunterSettings};
use dfrt_runtime::attack::score::simba::{Basis, Simba, SimbaSettings};
use dfrt_runtime::attack::score::spsa::{Spsa, SpsaSettings};
use dfrt_runtime::attack::square::{Square, SquareSettings};
use dfrt_runtime::attack::trace::{Header, Trace, TraceError};
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::attack::{Attack, Proposal};
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::results::attack::SampleResult;
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::{Norm, Threat};
use image::RgbImage;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A byte that looks random.
fn byte(place: usize) -> u8 {
    let bits = (place as u32 + 1).wrapping_mul(2_654_435_761) ^ 0x9E37_79B9;
    (bits.wrapping_mul(2_246_822_519) >> 24) as u8
}

/// Two fakes and a real of many levels, also of 0 and 255.
fn pictures(folder: &Path) -> Vec<Subject> {
    let picture = |id: usize| {
        let bytes = (0..3 * RES * RES).map(|at| byte(at + 7919 * id)).collect();
        RgbImage::from_raw(RES as u32, RES as u32, bytes).unwrap()
    };
    subjects(folder, &[(Label::Fake, picture(1)), (Label::Fake, picture(2)), (Label::Real, picture(3))])
}

/// A curved function of every value.
fn curved(values: &[f32]) -> f64 {
    let units = (0..3).map(|unit| {
        let along = values
            .iter()
            .enumerate()
            .map(|(place, &value)| f64::from(weight(place + 1000 * unit)) * (f64::from(value) - 0.5));
        (along.sum::<f64>() / 4.0).tanh() * [1.0, -0.7, 0.5][unit]
    });
    units.sum()
}

const SETTINGS: (u64, u64) = (300, 5);

fn attack(name: &str) -> Box<dyn Attack> {
    let (queries, seed) = SETTINGS;
    let simba = |basis| SimbaSettings { queries, basis, seed, ..SimbaSettings::default() };
    match name {
        "square" => Box::new(Square::new(SquareSettings { queries, seed, ..SquareSettings::default() })),
        "simba" => Box::new(Simba::new(simba(Basis::Pixel))),
        "simba-dct" => Box::new(Simba::new(simba(Basis::Dct))),
        "nes" => Box::new(Nes::new(NesSettings { queries, seed, ..NesSettings::default() })),
        "spsa" => Box::new(Spsa::new(SpsaSettings { queries, seed, ..SpsaSettings::default() })),
        "sign-hunter" => Box::new(SignHunter::new(SignHunterSettings { queries })),
        "rays" => Box::new(Rays::new(RaysSettings { queries, ..RaysSettings::default() })),
        "hop-skip-jump" => Box::new(HopSkipJump::new(HopSkipJumpSettings {
            queries,
            seed,
            ..HopSkipJumpSettings::default()
        })),
        "boundary" => {
            Box::new(Boundary::new(BoundarySettings { queries, seed, ..BoundarySettings::default() }))
        }
        _ => Box::new(RandomNoise::new(20, seed)),
    }
}

/// Every attack without gradients, with a norm that it knows.
const ALL: [(&str, Norm); 12] = [
    ("square", Norm::Linf),
    ("square", Norm::L2),
    ("simba", Norm::Linf),
    ("simba-dct", Norm::L2),
    ("nes", Norm::Linf),
    ("spsa", Norm::L2),
    ("sign-hunter", Norm::Linf),
    ("rays", Norm::Linf),
    ("hop-skip-jump", Norm::Linf),
    ("hop-skip-jump", Norm::L2),
    ("boundary", Norm::L2),
    ("random-noise", Norm::Linf),
];

fn threat(norm: Norm) -> Threat {
    match norm {
        Norm::Linf => linf(6),
        Norm::L2 => Threat::new(Norm::L2, 60.0).unwrap(),
    }
}

enum Use<'a> {
    Record(&'a Path, bool),
    Play(&'a Path),
}

fn taped(
    attack: &dyn Attack,
    oracle: &dyn Oracle,
    subjects: &[Subject],
    threat: Threat,
    trace: &Use<'_>,
) -> Result<Judgement, Box<dyn std::error::Error>> {
    on_trial(threat, |trial| {
        let header = Header::of(attack, trial.threat, trial.threshold, trial.model);
        let trace = match trace {
            Use::Record(path, resume) => Trace::record(path, &header, *resume)?,
            Use::Play(path) => Trace::play(path, &header)?,
        };
        Ok(judge(attack, oracle, subjects, &Trial { trace: Some(&trace), ..trial })?)
    })
}

fn untimed(judgement: &Judgement) -> Vec<SampleResult> {
    judgement.samples.iter().map(|sample| SampleResult { seconds: 0.0, ..sample.clone() }).collect()
}

#[test]
fn every_attack_is_played_again_to_the_bit_without_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = pictures(folder.path());
    let asked = AtomicU64::new(0);
    let model = Planted(|values: &[f32]| {
        asked.fetch_add(1, Ordering::Relaxed);
        curved(values) as f32
    });
    for (name, norm) in ALL {
        let path = folder.path().join(format!("{name}-{norm:?}.trace"));
        let recorded = attack(name);
        let first =
            taped(recorded.as_ref(), &model, &subjects, threat(norm), &Use::Record(&path, false)).unwrap();
        assert!(first.report.n_clean_correct > 0, "{name}: nothing to attack");
        let in_all = asked.swap(0, Ordering::Relaxed);
        let again = taped(recorded.as_ref(), &model, &subjects, threat(norm), &Use::Play(&path)).unwrap();
        // What is left is what the judge asks.
        let by_search: u64 = first.samples.iter().map(|sample| sample.queries).sum();
        assert!(by_search > 0, "{name}");
        assert_eq!(asked.swap(0, Ordering::Relaxed), in_all - by_search, "{name}: the model was asked");
        assert_eq!(untimed(&first), untimed(&again), "{name}");
        let text = std::fs::read_to_string(&path).unwrap();
        for kind in ["asked", "kept"] {
            assert!(text.contains(&format!("{{\"{kind}\":")), "{name}: nothing {kind} on its trace");
        }
        assert_eq!(text.contains("{\"drawn\":"), !matches!(name, "sign-hunter" | "rays"), "{name}");
    }
}

#[test]
fn a_tape_that_says_otherwise_ends_with_the_first_difference() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = pictures(folder.path());
    let model = Planted(|values: &[f32]| curved(values) as f32);
    let path = folder.path().join("square.trace");
    let square = attack("square");
    taped(square.as_ref(), &model, &subjects, threat(Norm::Linf), &Use::Record(&path, false)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let play = |text: &str| {
        let path = folder.path().join("changed.trace");
        std::fs::write(&path, text).unwrap();
        let played = taped(square.as_ref(), &model, &subjects, threat(Norm::Linf), &Use::Play(&path));
        played.map(|judgement| judgement.report.n).map_err(|error| error.to_string())
    };
    assert_eq!(play(&text), Ok(3));
    // A decision, a window, and a candidate.
    let (kept, dropped) = ("{\"kept\":true}", "{\"kept\":false}");
    assert!(text.contains(kept) && text.contains(dropped));
    for (from, to) in [(kept, dropped), ("\"row\":", "\"row\":1"), ("\"sha256\":\"", "\"sha256\":\"0")] {
        let error = play(&text.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains("event") && error.contains("changed.trace"), "{from}: {error}");
    }
    let error = play(&text.replacen("\"queries\":300", "\"queries\":301", 1)).unwrap_err();
    assert!(error.contains("another attack") && error.contains("301"), "{error}");
    let error = play(&format!("{}\n", text.lines().next().unwrap())).unwrap_err();
    assert!(error.contains("not on the trace"), "{error}");
    let error = play("\n").unwrap_err();
    assert!(error.contains("line 1"), "{error}");
}

/// `text` with the first query of its first picture changed.
fn with_query(text: &str, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut picture: Value = serde_json::from_str(&lines[1]).unwrap();
    let events = picture["events"].as_array_mut().unwrap();
    change(events.iter_mut().find_map(|event| event.get_mut("asked")?.as_object_mut()).unwrap());
    lines[1] = picture.to_string();
    lines.join("\n") + "\n"
}

#[test]
fn a_damaged_answer_is_told_and_the_model_is_not_asked_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = pictures(folder.path());
    let asked = AtomicU64::new(0);
    let model = Planted(|values: &[f32]| {
        asked.fetch_add(1, Ordering::Relaxed);
        curved(values) as f32
    });
    for (name, answer, other) in [("square", "logits", "labels"), ("rays", "labels", "logits")] {
        let (path, attack) = (folder.path().join(name), attack(name));
        taped(attack.as_ref(), &model, &subjects, threat(Norm::Linf), &Use::Record(&path, false)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let play = |text: &str| {
            std::fs::write(&path, text).unwrap();
            asked.store(0, Ordering::Relaxed);
            let played = taped(attack.as_ref(), &model, &subjects, threat(Norm::Linf), &Use::Play(&path));
            (played.map(|_| ()).map_err(|error| error.to_string()), asked.load(Ordering::Relaxed))
        };
        let (played, by_judge) = play(&with_query(&text, |_| ()));
        assert_eq!(played, Ok(()), "{name}");
        let broken = |change: fn(&mut Map<String, Value>, &str, &str), expected: &str| {
            let (played, asked) = play(&with_query(&text, |query| change(query, answer, other)));
            let error = played.unwrap_err();
            assert!(error.contains(expected) && error.contains(name), "{name}: {error}");
            assert!(asked <= by_judge, "{name}, {expected}: the model was asked {asked} times");
        };
        broken(|query, answer, _| drop(query.remove(answer)), "line 2");
        broken(|query, answer, _| query[answer].as_array_mut().unwrap().clear(), "line 2");
        broken(|query, answer, _| query[answer].as_array_mut().unwrap().push(Value::Null), "line 2");
        broken(|query, answer, other| drop(query.insert(other.to_owned(), query[answer].clone())), "line 2");
        // An answer that can be understood, of the other kind.
        broken(
            |query, answer, other| {
                let count = query.remove(answer).unwrap().as_array().unwrap().len();
                let value = if other == "labels" { Value::from("fake") } else { Value::from(0.5) };
                query.insert(other.to_owned(), vec![value; count].into());
            },
            "another kind",
        );
    }
}

#[test]
fn a_tape_goes_on_behind_a_torn_line_and_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = pictures(folder.path());
    let model = Planted(linear);
    let path = folder.path().join("square.trace");
    let square = attack("square");
    let record =
        |resume| taped(square.as_ref(), &model, &subjects, threat(Norm::Linf), &Use::Record(&path, resume));
    let first = record(false).unwrap();
    let error = record(false).unwrap_err();
    assert!(error.downcast_ref::<TraceError>().is_some_and(|error| matches!(error, TraceError::Occupied(_))));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    record(true).unwrap();
    let again = taped(square.as_ref(), &model, &subjects, threat(Norm::Linf), &Use::Play(&path)).unwrap();
    assert_eq!(untimed(&first), untimed(&again));
}

/// Looks at two pictures at once.
struct Together;

impl Attack for Together {
    fn name(&self) -> &str {
        "together"
    }

    fn parameters(&self, _: Threat) -> Map<String, Value> {
        Map::new()
    }

    fn batch(&self) -> usize {
        2
    }

    fn propose(&self, _: &[Query<'_>], _: Threat) -> Result<Vec<Proposal>, OracleError> {
        unreachable!("it is refused before")
    }
}

#[test]
fn attacks_on_several_pictures_at_once_have_no_tape() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = pictures(folder.path());
    let model = Planted(|values: &[f32]| curved(values) as f32);
    let path = folder.path().join("together.trace");
    let error = taped(&Together, &model, &subjects, linf(6), &Use::Record(&path, false)).unwrap_err();
    assert!(matches!(error.downcast_ref::<JudgeError>(), Some(JudgeError::Oracle(_))), "{error}");
}

/// p of the published schedule (section 3.2 of the paper): halved past these steps of
/// 10,000, which are stretched to the budget.
fn published_p(p: f64, query: u64, budget: u64) -> f64 {
    let at = query as f64 / budget as f64 * 10_000.0;
    let passed = [10.0, 50.0, 200.0, 500.0, 1000.0, 2000.0, 4000.0, 6000.0, 8000.0].iter();
    p / 2f64.powi(passed.filter(|&&halving| at.floor() > halving).count() as i32)
}

#[test]
fn square_keeps_and_drops_the_windows_that_the_paper_does() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = pictures(folder.path());
    let model = Planted(|values: &[f32]| curved(values) as f32);
    let (queries, p) = (400, 0.3);
    // So small a ball that no picture is turned over and every search goes to its end.
    let threat = linf(2);
    let settings = SquareSettings { queries, p, pace: Pace::Scaled, seed: 3 };
    let square = Square::new(settings);
    let path = folder.path().join("square.trace");
    let judgement = taped(&square, &model, &subjects, threat, &Use::Record(&path, false)).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut windows, mut kept) = (0, 0);
    for line in text.lines().skip(1) {
        let picture: Value = serde_json::from_str(line).unwrap();
        let id = picture["id"].as_u64().unwrap();
        let subject = subjects.iter().find(|subject| subject.id == id).unwrap();
        let clean = image::open(&subject.sample.path).unwrap().to_rgb8();
        let clean = |c: usize, y: usize, x: usize| f64::from(clean.get_pixel(x as u32, y as u32)[c]) / 255.0;
        let eps = 2.0 / 255.0;
        let moved = |c, y, x, up: bool| (clean(c, y, x) + if up { eps } else { -eps }).clamp(0.0, 1.0);
        let sign = f64::from(subject.sample.label.sign());
        let loss =
            |values: &[f64]| sign * curved(&values.iter().map(|&value| value as f32).collect::<Vec<_>>());
        let events = picture["events"].as_array().unwrap();
        let steps = || events.iter().filter_map(|event| event.get("step"));
        let decisions: Vec<bool> = events.iter().filter_map(|event| event.get("kept")?.as_bool()).collect();
        // x_hat: a vertical stripe of +-eps a column and channel.
        let ups: Vec<bool> = serde_json::from_value(steps().next().unwrap()["stripes"].clone()).unwrap();
        let mut best = vec![0.0; 3 * RES * RES];
        for (at, value) in best.iter_mut().enumerate() {
            let (c, y, x) = (at / (RES * RES), at / RES % RES, at % RES);
            *value = moved(c, y, x, ups[c * RES + x]);
        }
        let mut lowest = loss(&best);
        assert_eq!(steps().count(), decisions.len() + 1);
        for (query, (step, &decision)) in steps().skip(1).zip(&decisions).enumerate() {
            let number = |name: &str| step[name].as_u64().unwrap() as usize;
            let (row, column, side) = (number("row"), number("column"), number("side"));
            let area = published_p(p, query as u64, queries) * (RES * RES) as f64;
            assert_eq!(side, (area.sqrt().round() as usize).clamp(1, RES - 1), "query {query}");
            assert!(row + side <= RES && column + side <= RES);
            let ups: [bool; 3] = serde_json::from_value(step["up"].clone()).unwrap();
            let mut candidate = best.clone();
            for (c, up) in ups.into_iter().enumerate() {
                for y in row..row + side {
                    for x in column..column + side {
                        candidate[c * RES * RES + y * RES + x] = moved(c, y, x, up);
                    }
                }
            }
            assert_ne!(candidate, best, "a window that changes nothing is drawn again");
            let next = loss(&candidate);
            // The model answers in f32: only what it can tell apart is compared.
            assert!(
                decision == (next < lowest) || (next - lowest).abs() < 1e-6,
                "query {query}: {lowest} {next}"
            );
            windows += 1;
            if decision {
                kept += 1;
                (best, lowest) = (candidate, next);
            }
        }
    }
    assert_eq!(judgement.report.certified_8bit, 0);
    assert!(windows >= 399 && kept > 20 && kept < windows, "{kept} of {windows}");
}
