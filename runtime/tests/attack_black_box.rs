//! Attacks from scores and from labels on planted models, whose best attack is
//! known in closed form.

mod attack_planted;

use attack_planted::{Planted, RES, judged, ladder, levelled, linear, linf, subjects, weight};
use dfrt_runtime::attack::decision::boundary::{Boundary, BoundarySettings};
use dfrt_runtime::attack::decision::hop_skip_jump::{HopSkipJump, HopSkipJumpSettings};
use dfrt_runtime::attack::decision::rays::{Rays, RaysSettings};
use dfrt_runtime::attack::judge::Judgement;
use dfrt_runtime::attack::query::Query;
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::score::nes::{Nes, NesSettings};
use dfrt_runtime::attack::score::sign_hunter::{SignHunter, SignHunterSettings};
use dfrt_runtime::attack::score::simba::{Basis, Simba, SimbaSettings};
use dfrt_runtime::attack::score::spsa::{Spsa, SpsaSettings};
use dfrt_runtime::attack::{Attack, Goal, Target};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::results::attack::SampleResult;
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::{Norm, Threat};
use std::sync::atomic::{AtomicU64, Ordering};

const VALUES: usize = 3 * RES * RES;

type Attacks = Vec<Box<dyn Attack>>;

/// Every score-based attack that takes `threat`.
fn from_scores(threat: Threat, queries: u64, seed: u64) -> Attacks {
    let simba = |basis| {
        // The planted weights have no low frequencies, so all of them are tried.
        let settings = SimbaSettings { queries, basis, frequencies: 1.0, seed, ..SimbaSettings::default() };
        Box::new(Simba::new(settings))
    };
    let nes = NesSettings { queries, seed, ..NesSettings::default() };
    let spsa = SpsaSettings { queries, seed, ..SpsaSettings::default() };
    let mut attacks: Attacks =
        vec![simba(Basis::Pixel), simba(Basis::Dct), Box::new(Nes::new(nes)), Box::new(Spsa::new(spsa))];
    attacks.push(Box::new(SignHunter::new(SignHunterSettings { queries })));
    attacks.retain(|attack| attack.norms().contains(&threat.norm));
    attacks
}

/// Every decision-based attack that takes `threat`.
fn from_labels(threat: Threat, queries: u64, seed: u64) -> Attacks {
    let jump = HopSkipJumpSettings { queries, seed, ..HopSkipJumpSettings::default() };
    let rays = RaysSettings { queries, ..RaysSettings::default() };
    let walk = BoundarySettings { queries, seed, ..BoundarySettings::default() };
    let mut attacks: Attacks =
        vec![Box::new(HopSkipJump::new(jump)), Box::new(Rays::new(rays)), Box::new(Boundary::new(walk))];
    attacks.retain(|attack| attack.norms().contains(&threat.norm));
    attacks
}

/// Runs `check` on every attack that takes `threat`, with `queries` and `seed`.
fn on_each(threat: Threat, (queries, seed): (u64, u64), check: impl Fn(&dyn Attack)) {
    let labels = from_labels(threat, queries, seed);
    from_scores(threat, queries, seed).iter().chain(&labels).for_each(|attack| check(attack.as_ref()));
}

/// What `attack` proposes for each of `targets`, and what it asked for them.
fn proposed(
    attack: &dyn Attack,
    targets: &[Target],
    oracle: &dyn Oracle,
    threat: Threat,
) -> Vec<(Vec<f32>, u64)> {
    let queries: Vec<_> = targets.iter().map(|target| Query::new(target, oracle, 0.0)).collect();
    let proposals = attack.propose(&queries, threat).unwrap();
    assert!(proposals.iter().all(|proposal| proposal.queries == 0), "they have no device of their own");
    proposals.into_iter().zip(&queries).map(|(proposal, query)| (proposal.values, query.spent())).collect()
}

fn l2(eps_255: f64) -> Threat {
    Threat::new(Norm::L2, eps_255).unwrap()
}

/// A fake (levels above 0) or a real of the linear model.
fn target(id: u64, level: i32) -> Target {
    let label = if level > 0 { Label::Fake } else { Label::Real };
    Target { id, label, picture: levelled(level) }
}

/// Two cues, each the linear model over a half of the values; either alone makes
/// a fake: the logarithm of the mean of their exponentials, less a half. Grey of
/// `level` gets level - 0.5, as from the linear model.
fn two_cues(values: &[f32]) -> f32 {
    let cue = |places: std::ops::Range<usize>| {
        let count = places.len() as f64;
        let along = places.map(|at| f64::from(weight(at)) * (f64::from(values[at]) * 255.0 - 128.0));
        along.sum::<f64>() / count
    };
    let (a, b) = (cue(0..VALUES / 2), cue(VALUES / 2..VALUES));
    (((a.exp() + b.exp()) / 2.0).ln() - 0.5) as f32
}

/// The samples without what may differ between two runs.
fn untimed(judgement: Judgement) -> Vec<SampleResult> {
    let untimed = |sample| SampleResult { seconds: 0.0, ..sample };
    judgement.samples.into_iter().map(untimed).collect()
}

#[test]
fn linf_succeeds_well_above_the_distance_of_a_linear_model_and_never_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 3);
    let oracle = Planted(linear);
    for (eps, queries) in [(1, 500), (2, 500), (10, 6000)] {
        on_each(linf(eps), (queries, 1), |attack| {
            let Judgement { report, samples, .. } =
                judged(attack, &oracle, &subjects, linf(eps), None).unwrap();
            // A fake of level k needs k levels, a real of level -k needs k + 1.
            for sample in &samples {
                let needed = if sample.id < 3 { sample.id + 1 } else { sample.id - 3 + 1 };
                let (above, below) = (eps == 10, u64::from(eps) < needed);
                assert!(!(below && sample.success), "{} {sample:?}, eps {eps}", attack.name());
                assert!(!above || sample.success, "{} {sample:?}, eps {eps}", attack.name());
                assert!(!above || sample.queries < queries, "{} stops early", attack.name());
            }
            assert!(!report.unreliable, "{}: {:?}", attack.name(), report.gates);
        });
    }
}

#[test]
fn l2_succeeds_well_above_the_distance_of_a_linear_model_and_never_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(1)), (Label::Real, levelled(0))]);
    let oracle = Planted(linear);
    // Both are half a level, in the mean, from the boundary.
    let distance = 0.5 * (VALUES as f64).sqrt();
    for (share, queries, successes) in [(0.99, 500, 0), (6.0, 8000, 2)] {
        let threat = l2(share * distance);
        on_each(threat, (queries, 1), |attack| {
            let Judgement { report, samples, .. } = judged(attack, &oracle, &subjects, threat, None).unwrap();
            assert_eq!(report.certified_8bit, successes, "{} {share}: {samples:?}", attack.name());
            assert!(!report.unreliable, "{}: {:?}", attack.name(), report.gates);
        });
    }
}

#[test]
fn every_attack_turns_over_what_random_noise_does_not_where_two_cues_must_go() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = [(Label::Fake, 2), (Label::Fake, 3), (Label::Real, -1), (Label::Real, -2)];
    let subjects = subjects(folder.path(), &pictures.map(|(label, level)| (label, levelled(level))));
    let oracle = Planted(two_cues);
    for threat in [linf(10), l2(250.0)] {
        let noise = RandomNoise::new(2000, 0);
        let floor = judged(&noise, &oracle, &subjects, threat, None).unwrap().report;
        assert_eq!(floor.certified_8bit, 0, "{threat:?}");
        on_each(threat, (8000, 2), |attack| {
            let Judgement { report, samples, .. } = judged(attack, &oracle, &subjects, threat, None).unwrap();
            assert_eq!(report.certified_8bit, 4, "{} {threat:?}: {samples:?}", attack.name());
        });
    }
}

#[test]
fn a_model_that_never_changes_its_mind_costs_the_budget_and_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 2);
    let oracle = Planted(|_: &[f32]| 1.0);
    for threat in [linf(8), l2(255.0)] {
        on_each(threat, (301, 0), |attack| {
            let Judgement { report, samples, .. } = judged(attack, &oracle, &subjects, threat, None).unwrap();
            assert_eq!(report.certified_8bit, 0);
            let queries: Vec<_> = samples.iter().map(|sample| sample.queries).collect();
            // Pairs of points may leave one query over.
            assert!((300..=301).contains(&queries[0]), "{} {queries:?}", attack.name());
            assert_eq!(queries, [queries[0], queries[0], 0, 0]);
            let failed = report.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str());
            assert_eq!(failed.collect::<Vec<_>>(), ["answers-differ"], "{}", attack.name());
        });
        // Without a start there is nothing to propose but the picture itself.
        for attack in from_labels(threat, 301, 0) {
            let samples = judged(attack.as_ref(), &oracle, &subjects, threat, None).unwrap().samples;
            assert!(samples.iter().all(|sample| sample.linf_255 == 0), "{}", attack.name());
        }
    }
}

#[test]
fn searches_end_where_nothing_is_left_to_try() {
    let oracle = Planted(|_: &[f32]| 1.0);
    let spent = |attack: &dyn Attack| proposed(attack, &[target(0, 2)], &oracle, linf(8))[0].1;
    let simba = Simba::new(SimbaSettings { queries: 9000, ..SimbaSettings::default() });
    assert_eq!(spent(&simba), 1 + 2 * VALUES as u64, "up and down along every value");
    // 768 values: 1, 2, 4, .. 256 blocks, then ones of two values, then singles.
    let blocks = 511 + 384 + 768;
    let hunter = SignHunter::new(SignHunterSettings { queries: 9000 });
    assert_eq!(spent(&hunter), 1 + blocks);
    let rays = Rays::new(RaysSettings { queries: 9000, ..RaysSettings::default() });
    assert_eq!(spent(&rays), 1 + blocks);
}

#[test]
fn every_query_is_counted_whatever_the_budget() {
    let asked = AtomicU64::new(0);
    let oracle = Planted(|values: &[f32]| {
        asked.fetch_add(1, Ordering::Relaxed);
        two_cues(values)
    });
    for threat in [linf(3), l2(60.0)] {
        for queries in [0, 1, 2, 3, 17, 150, 700] {
            on_each(threat, (queries, 3), |attack| {
                asked.store(0, Ordering::Relaxed);
                let (values, spent) = proposed(attack, &[target(5, 3)], &oracle, threat).remove(0);
                assert_eq!(asked.load(Ordering::Relaxed), spent, "{}", attack.name());
                assert!(spent <= queries, "{}: {spent} of {queries}", attack.name());
                let clean = Batch::of(RES, [&levelled(3)]).values;
                assert!(threat.excess_255(&clean, &values) < 0.01, "{}", attack.name());
            });
        }
    }
}

#[test]
fn proposals_depend_on_seed_and_id_and_not_on_the_company() {
    let oracle = Planted(two_cues);
    let targets = [target(0, 2), target(1, 2), target(2, -2)];
    for threat in [linf(4), l2(120.0)] {
        on_each(threat, (400, 4), |attack| {
            let propose = |targets: &[Target]| -> Vec<Vec<f32>> {
                proposed(attack, targets, &oracle, threat).into_iter().map(|(values, _)| values).collect()
            };
            let together = propose(&targets);
            assert_eq!(together, propose(&targets), "{}", attack.name());
            for (target, expected) in targets.iter().zip(&together) {
                assert_eq!(&propose(std::slice::from_ref(target))[0], expected, "{}", attack.name());
            }
            // The first two pictures are the same under different ids.
            let drawn = attack.parameters(threat).contains_key("seed");
            assert_eq!(together[0] != together[1], drawn, "{}", attack.name());
        });
        let seeded = |seed| {
            let all = std::cell::RefCell::new(Vec::new());
            on_each(threat, (400, seed), |attack| {
                let values = proposed(attack, &targets[..1], &oracle, threat).remove(0).0;
                let drawn = attack.parameters(threat).contains_key("seed");
                all.borrow_mut().push((drawn, values));
            });
            all.into_inner()
        };
        for ((drawn, first), (_, second)) in seeded(4).into_iter().zip(seeded(5)) {
            assert_eq!(first != second, drawn);
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 4);
    let oracle = Planted(two_cues);
    for threat in [linf(3), l2(80.0)] {
        on_each(threat, (300, 6), |attack| {
            let run = |threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                untimed(pool.install(|| judged(attack, &oracle, &subjects, threat, None)).unwrap())
            };
            assert_eq!(run(1), run(4), "{}", attack.name());
        });
    }
}

#[test]
fn how_sure_a_model_is_cannot_change_an_attack_from_labels() {
    let scales: [fn(f32) -> f32; 3] = [|z| 1e6 * z, |z| 1e-3 * z.tanh(), |z| z * z * z];
    let plain = Planted(two_cues);
    for threat in [linf(4), l2(120.0)] {
        let proposals = |oracle: &dyn Oracle| {
            let targets = [target(0, 2), target(1, -2)];
            let propose = |attack: Box<dyn Attack>| proposed(attack.as_ref(), &targets, oracle, threat);
            from_labels(threat, 600, 7).into_iter().map(propose).collect::<Vec<_>>()
        };
        let expected = proposals(&plain);
        for scale in scales {
            assert_eq!(proposals(&Planted(move |values: &[f32]| scale(two_cues(values)))), expected);
        }
    }
}

#[test]
fn a_model_that_breaks_is_no_success() {
    // No number as soon as anything moves.
    let fragile = |values: &[f32]| {
        let still = values.iter().enumerate().all(|(at, value)| {
            let clean = (128.0 + 2.0 * weight(at)) / 255.0;
            (value - clean).abs() < 1e-6
        });
        if still { 1.5 } else { f32::NAN }
    };
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(2))]);
    let oracle = Planted(fragile);
    for threat in [linf(8), l2(255.0)] {
        on_each(threat, (200, 0), |attack| {
            let Judgement { samples, .. } = judged(attack, &oracle, &subjects, threat, None).unwrap();
            assert_eq!((samples[0].success, samples[0].linf_255), (false, 0), "{}", attack.name());
        });
    }
}

#[test]
fn a_crossing_that_rounding_undoes_does_not_end_a_search() {
    // Real where the values lie between the levels of an 8-bit picture.
    let between = |values: &[f32]| {
        let off = |value: &f32| (value * 255.0 - (value * 255.0).round()).abs();
        1.0 - 50.0 * values.iter().map(off).sum::<f32>() / values.len() as f32
    };
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(0))]);
    let oracle = Planted(between);
    let settings = SimbaSettings { basis: Basis::Dct, queries: 200, frequencies: 1.0, ..Default::default() };
    let simba = Simba::new(settings);
    let jump = HopSkipJumpSettings { queries: 200, ..Default::default() };
    let jump = HopSkipJump::new(jump);
    for attack in [&simba as &dyn Attack, &jump] {
        let Judgement { report, samples, .. } = judged(attack, &oracle, &subjects, linf(8), None).unwrap();
        assert_eq!(report.certified_8bit, 0);
        assert_eq!(samples[0].queries, 200, "{} goes on", attack.name());
    }
}

#[test]
fn searches_by_label_measure_the_distance_and_still_land_within_the_ball() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = subjects(folder.path(), &[(Label::Fake, levelled(2)), (Label::Real, levelled(-1))]);
    let oracle = Planted(linear);
    let (queries, goal) = (6000, Goal::Nearest);
    let jump = HopSkipJumpSettings { queries, goal, ..HopSkipJumpSettings::default() };
    let rays = RaysSettings { queries, goal, ..RaysSettings::default() };
    let walk = BoundarySettings { queries, goal, ..BoundarySettings::default() };
    // Both pictures lie a level and a half, in the mean, from the boundary.
    for (threat, nearest) in [(linf(12), 1.5), (l2(800.0), 1.5 * (VALUES as f64).sqrt())] {
        let mut attacks: Attacks = vec![Box::new(HopSkipJump::new(jump))];
        match threat.norm {
            Norm::Linf => attacks.push(Box::new(Rays::new(rays))),
            Norm::L2 => attacks.push(Box::new(Boundary::new(walk))),
        }
        let until_inside = |name: &str| -> Vec<Option<u64>> {
            let attacks = from_labels(threat, queries, 0);
            let attack = attacks.iter().find(|attack| attack.name() == name).unwrap();
            let samples = judged(attack.as_ref(), &oracle, &subjects, threat, None).unwrap().samples;
            assert!(samples.iter().all(|sample| sample.queries_to_success == Some(sample.queries)));
            samples.iter().map(|sample| sample.queries_to_success).collect()
        };
        for attack in attacks {
            let name = attack.name().to_owned();
            let Judgement { report, samples, .. } =
                judged(attack.as_ref(), &oracle, &subjects, threat, None).unwrap();
            assert_eq!((report.certified_8bit, report.unreliable), (2, false), "{name} {:?}", report.gates);
            for sample in &samples {
                let found = 255.0 * sample.distance.unwrap() / nearest;
                assert!((0.999..19.0).contains(&found), "{name}: {found} times the distance");
                let turned =
                    if threat.norm == Norm::L2 { sample.l2 * 255.0 } else { f64::from(sample.linf_255) };
                assert!(sample.distance.unwrap() * 255.0 <= turned + 1e-9, "{name}: nearer than what landed");
                assert!(sample.queries > 5000 || name == "rays", "{name} goes on after it landed");
            }
            // It lands with the query that ends the same search for a success alone.
            let first = until_inside(&name);
            let landed: Vec<_> = samples.iter().map(|sample| sample.queries_to_success).collect();
            assert_eq!(landed, first, "{name}");
            let until = report.queries_to_success.unwrap();
            assert_eq!(until.mean, landed.iter().flatten().sum::<u64>() as f64 / 2.0);
            assert!(until.p90 < report.queries.median, "{name}: {until:?}, {:?}", report.queries);
            let found = report.minimal_distance.unwrap();
            assert_eq!((found.norm, found.n, found.n_found), (threat.norm, 2, 2));
            let mean = (samples[0].distance.unwrap() + samples[1].distance.unwrap()) / 2.0;
            assert!((found.median.unwrap() - mean).abs() < 1e-12);
        }
        // What stops at the first success measures nothing.
        let jump = HopSkipJumpSettings { goal: Goal::Inside, ..jump };
        let jump = HopSkipJump::new(jump);
        let Judgement { report, samples, .. } = judged(&jump, &oracle, &subjects, threat, None).unwrap();
        assert!(report.minimal_distance.is_none() && samples.iter().all(|sample| sample.distance.is_none()));
    }
}

#[test]
fn a_norm_that_a_search_does_not_know_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let subjects = ladder(folder.path(), 1);
    let refused = |attack: &dyn Attack, threat| {
        judged(attack, &Planted(linear), &subjects, threat, None).unwrap_err().to_string()
    };
    let boundary = refused(&Boundary::new(BoundarySettings::default()), linf(8));
    assert!(boundary.contains("boundary searches l2"), "{boundary}");
    let rays = refused(&Rays::new(RaysSettings::default()), l2(8.0));
    assert!(rays.contains("rays searches linf") && rays.contains("--norm linf"), "{rays}");
    assert!(refused(&SignHunter::new(SignHunterSettings::default()), l2(8.0)).contains("sign-hunter"));
}
