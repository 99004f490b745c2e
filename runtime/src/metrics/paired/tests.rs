use super::super::LEVEL;
use super::*;
use crate::metrics::{FEWEST_SEEDS, Scope};
use crate::sample::Label::{self, Fake, Real};
use rand::Rng;

fn alone(n: usize) -> Groups {
    Groups::new(&(0..n).map(|index| index.to_string()).collect::<Vec<_>>())
}

#[test]
fn seeds_do_not_add_up_to_evidence() {
    // One picture in six differs the same way at every seed: however many
    // seeds, six pictures show nothing.
    let (arm, against) = ([true; 6], [true, true, true, true, true, false]);
    let pair = || Pair { arm: &arm[..], against: &against[..] };
    let one = rate_difference(&[pair()], &alone(6)).unwrap();
    let nine: Vec<_> = (0..9).map(|_| pair()).collect();
    let nine = rate_difference(&nine, &alone(6)).unwrap();
    assert_eq!(one.p, Some(1.0));
    assert!(nine.low <= one.low && nine.high >= one.high, "six people are six, of {one:?} {nine:?}");
    assert!(nine.p.unwrap() > 0.5, "{nine:?}");
}

#[test]
fn bootstrap_p_by_hand() {
    // One of nine at or below zero: 2 * (1 + 1) / 10.
    let draws = [-1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    assert!((bootstrap_p(&draws) - 0.4).abs() < 1e-12);
    assert_eq!(bootstrap_p(&[0.0; 20]), 1.0);
    assert!((bootstrap_p(&[1.0; 999]) - 2.0 / 1000.0).abs() < 1e-12);
}

#[test]
fn an_arm_against_itself_shows_no_effect() {
    let labels: Vec<Label> = (0..40).map(|i| if i % 3 == 0 { Fake } else { Real }).collect();
    let logits: Vec<f32> = (0..40).map(|i| (i * 7 % 11) as f32).collect();
    let scored = Scored::new(&logits, &labels, 5.0);
    let pair = Pair { arm: scored.clone(), against: scored };
    let auc = auc_difference(&[pair], &alone(40), 0).unwrap();
    assert_eq!((auc.value, auc.p), (0.0, Some(1.0)));
    assert!(auc.low < 0.0 && auc.high > 0.0, "what is not seen may be there: {auc:?}");
    assert_eq!(auc.verdict(), Verdict::NoEffect);
}

#[test]
fn a_clear_gain_is_higher_and_its_mirror_lower() {
    let labels: Vec<Label> = (0..60).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
    let good: Vec<f32> = labels.iter().map(|label| label.sign()).collect();
    let poor: Vec<f32> = (0..60).map(|i| if i % 5 == 0 { -good[i] } else { good[i] }).collect();
    let scored = |logits: &[f32]| Scored::new(logits, &labels, 0.0);
    let (better, worse) = (scored(&good), scored(&poor));
    let of = |arm: &Scored, against: &Scored| {
        let pair = Pair { arm: arm.clone(), against: against.clone() };
        auc_difference(&[pair], &alone(60), 7).unwrap()
    };
    let gain = of(&better, &worse);
    assert_eq!(gain.verdict(), Verdict::Higher);
    assert!((gain.value - 0.2).abs() < 1e-12, "{gain:?}");
    let loss = of(&worse, &better);
    assert_eq!(loss.verdict().words(), "lower");
    assert!((loss.low + gain.high).abs() < 1e-12);
    let flags = [Pair { arm: better.right(), against: worse.right() }];
    let rate = rate_difference(&flags, &alone(60)).unwrap();
    assert_eq!(rate.test, Test::McNemar);
    assert!((rate.p.unwrap() * f64::from(1 << 12) - 2.0).abs() < 1e-9, "{rate:?}");
    assert!((rate.value - 0.2).abs() < 1e-12);
}

#[test]
fn of_few_people_there_is_no_verdict_on_an_auc() {
    let labels: Vec<Label> = (0..54).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
    let good: Vec<f32> = labels.iter().map(|label| label.sign()).collect();
    let poor: Vec<f32> = good.iter().map(|logit| -logit).collect();
    let of = |people: usize| {
        let names: Vec<String> = (0..54).map(|picture| (picture / 2 % people).to_string()).collect();
        let scored = |logits: &[f32]| Scored::new(logits, &labels, 0.0);
        let pair = Pair { arm: scored(&good), against: scored(&poor) };
        auc_difference(&[pair], &Groups::new(&names), 0).unwrap()
    };
    let few = of(9);
    assert_eq!((few.p, few.detectable, few.verdict()), (None, None, Verdict::TooFew), "{few:?}");
    assert!(few.value == 1.0 && few.low <= 0.0, "an interval without a verdict holds zero: {few:?}");
    let enough = of(10);
    assert_eq!(enough.verdict(), Verdict::Higher, "{enough:?}");
    assert!(enough.p.is_some() && enough.detectable.is_some(), "{enough:?}");
}

#[test]
fn several_seeds_are_averaged() {
    let (yes, no) = ([true; 10], [false; 10]);
    let half = [true, true, true, true, true, false, false, false, false, false];
    let pairs = [Pair { arm: &yes[..], against: &no[..] }, Pair { arm: &half[..], against: &no[..] }];
    let rate = rate_difference(&pairs, &alone(10)).unwrap();
    assert!((rate.value - 0.75).abs() < 1e-12);
    assert_eq!((rate.verdict(), rate.test), (Verdict::Higher, Test::SignFlip));
    // Ten pictures, five of them with twice the difference.
    assert!(rate.low > 0.3 && rate.low < 0.6 && rate.high > 0.8 && rate.high <= 1.0, "{rate:?}");
}

#[test]
fn pairing_cancels_what_the_pictures_share() {
    // Both arms fail on the same hard half; one fails on two pictures more.
    let against: Vec<bool> = (0..100).map(|i| i % 2 == 0).collect();
    let mut arm = against.clone();
    for hard in [1, 3, 5, 7, 9, 11] {
        arm[hard] = true;
    }
    let pair = [Pair { arm: &arm[..], against: &against[..] }];
    let rate = rate_difference(&pair, &alone(100)).unwrap();
    // Unpaired, the standard error would be 0.07; paired it is 0.024.
    assert_eq!(rate.verdict(), Verdict::Higher, "{rate:?}");
    assert!(rate.high - rate.low < 0.12, "{rate:?}");
}

#[test]
fn what_is_undefined_is_none() {
    let fakes = Scored::new(&[1.0, 2.0], &[Fake, Fake], 0.0);
    let pair = [Pair { arm: fakes.clone(), against: fakes }];
    assert_eq!(auc_difference(&pair, &alone(2), 0), None);
    assert_eq!(rate_difference(&[], &alone(2)), None);
    let empty: [Pair<&[bool]>; 1] = [Pair { arm: &[], against: &[] }];
    assert_eq!(rate_difference(&empty, &Groups::new::<&str>(&[])), None);
}

#[test]
fn nothing_seen_is_not_nothing_there() {
    // Both arms fail on every one of fifty pictures.
    let none = [false; 50];
    let pair = [Pair { arm: &none[..], against: &none[..] }];
    let alone = rate_difference(&pair, &alone(50)).unwrap();
    assert_eq!((alone.value, alone.p, alone.verdict()), (0.0, Some(1.0), Verdict::NoEffect));
    // The rule of three says 3 / 50, Wilson a little more.
    assert!(alone.low < -0.06 && alone.high > 0.06 && alone.high < 0.1, "{alone:?}");
    let least = alone.detectable.unwrap();
    assert!(least > 0.1 && least < 0.2 && alone.detectable_pictures == Some(least), "{alone:?}");
    // Of ten people with five pictures each far less is known.
    let names: Vec<String> = (0..50).map(|picture| (picture / 5).to_string()).collect();
    let people = rate_difference(&pair, &Groups::new(&names)).unwrap();
    assert!(people.high > 2.0 * alone.high && people.detectable > alone.detectable, "{people:?}");
    assert_eq!(people.detectable_pictures, Some(least));
    // Of three people nothing could be shown at all.
    let three: Vec<String> = (0..50).map(|picture| (picture % 3).to_string()).collect();
    assert_eq!(rate_difference(&pair, &Groups::new(&three)).unwrap().detectable, None);
}

#[test]
fn verdict_p_and_interval_never_disagree() {
    let mut random = random::stream(4, &["agree".into()]);
    for trial in 0..400 {
        let n = random.random_range(4..60);
        let names: Vec<String> = (0..n).map(|picture| (picture / (1 + trial % 3)).to_string()).collect();
        let (often, seldom) = (random.random_range(0.0..1.0), random.random_range(0.0..1.0));
        let mut flags = |share: f64| (0..n).map(|_| random.random_bool(share)).collect::<Vec<bool>>();
        let flags: Vec<[Vec<bool>; 2]> = (0..4).map(|_| [flags(often), flags(seldom)]).collect();
        let pairs = pairs(&flags);
        let found = rate_difference(&pairs[..1 + trial % 4], &Groups::new(&names)).unwrap();
        assert!(found.low < found.high && found.low <= found.value && found.value <= found.high);
        let strictly_within = found.low < 0.0 && found.high > 0.0;
        let shown = found.verdict() != Verdict::NoEffect;
        assert_eq!(shown, found.p.unwrap() < LEVEL && found.value != 0.0, "{found:?}");
        assert!(!(shown && strictly_within), "{found:?}");
        assert!(shown || found.low <= 0.0 && found.high >= 0.0, "{found:?}");
        // That every picture shows another person can only help.
        let of = |least: Option<f64>| least.unwrap_or(f64::INFINITY);
        assert!(of(found.detectable_pictures) <= of(found.detectable), "{found:?}");
    }
}

#[test]
fn people_who_differ_as_groups_are_called_different_one_time_in_twenty() {
    let mut random = random::stream(12, &["people".into()]);
    let names: Vec<String> = (0..200).map(|picture| (picture / 10).to_string()).collect();
    let groups = Groups::new(&names);
    let mut called = 0;
    for _ in 0..400 {
        // Ten pictures of a person are right or wrong together, so McNemar's test over
        // pictures would call nearly every second difference of chance an effect.
        let mut flags = || -> Vec<bool> {
            let people: Vec<bool> = (0..20).map(|_| random.random_bool(0.5)).collect();
            (0..200).map(|picture| people[picture / 10]).collect()
        };
        let (arm, against) = (flags(), flags());
        let found = rate_difference(&[Pair { arm: &arm[..], against: &against[..] }], &groups).unwrap();
        assert_eq!(found.test, Test::SignFlip);
        called += usize::from(found.verdict() != Verdict::NoEffect);
    }
    assert!(called <= 34, "{called} of 400");
}

#[test]
fn chance_differences_are_called_effects_about_one_time_in_twenty() {
    let mut random = random::stream(11, &["test".into()]);
    let mut called = 0;
    for _ in 0..200 {
        let mut flags = || (0..80).map(|_| random.random_bool(0.6)).collect::<Vec<bool>>();
        let (arm, against) = (flags(), flags());
        let pair = [Pair { arm: &arm[..], against: &against[..] }];
        let rate = rate_difference(&pair, &alone(80)).unwrap();
        called += usize::from(rate.verdict() != Verdict::NoEffect);
    }
    assert!((2..=22).contains(&called), "{called} of 200");
}

/// Right decisions of two arms at several seeds: every arm and seed has its own skill, and a
/// person is as hard for all.
fn seeds_of(
    random: &mut impl Rng,
    seeds: usize,
    names: usize,
    each: usize,
    spread: f64,
) -> Vec<[Vec<bool>; 2]> {
    let hard: Vec<f64> = (0..names).map(|_| random.random_range(-0.2..0.2)).collect();
    let mut flags = || {
        let skill = 0.6 + random.random_range(-spread..=spread);
        let right = |id: usize| random.random_bool((skill + hard[id / each]).clamp(0.0, 1.0));
        (0..names * each).map(right).collect::<Vec<bool>>()
    };
    (0..seeds).map(|_| [flags(), flags()]).collect()
}

fn people(names: usize, each: usize) -> Groups {
    Groups::new(&(0..names * each).map(|id| (id / each).to_string()).collect::<Vec<_>>())
}

fn pairs(flags: &[[Vec<bool>; 2]]) -> Vec<Pair<&[bool]>> {
    flags.iter().map(|[arm, against]| Pair { arm: &arm[..], against: &against[..] }).collect()
}

#[test]
fn seeds_that_train_unlike_are_not_called_a_better_method() {
    let mut random = random::stream(13, &["method".into()]);
    let groups = people(30, 5);
    for seeds in [3, 5] {
        let (mut called, mut of_models, trials) = (0, 0, 200);
        for trial in 0..trials {
            // No method is better, but no two seeds are alike.
            let flags = seeds_of(&mut random, seeds, 30, 5, 0.15);
            let flags = pairs(&flags);
            let flips = sign_flip(&groups.sums(|picture| seeds_gained(&flags, picture)));
            let p = flips.max(crossed(&flags, &groups).p().unwrap());
            called += usize::from(p < LEVEL);
            of_models += usize::from(flips < LEVEL);
            if trial < 5 {
                let found = rate_difference(&flags, &groups).unwrap();
                assert_eq!((found.scope, found.test, found.p), (Scope::Method, Test::Crossed, Some(p)));
            }
        }
        // Three standard deviations of 200 trials at 0.05 are 0.046.
        assert!(called <= 19, "{seeds} seeds: {called} of {trials}");
        assert!(of_models > 3 * 19, "the same models do differ: {of_models} of {trials}");
    }
}

#[test]
fn a_better_method_is_found_at_every_number_of_seeds() {
    let mut random = random::stream(14, &["better".into()]);
    let groups = people(30, 5);
    for seeds in [1, 2, 3, 5, 10] {
        let mut flags = seeds_of(&mut random, seeds, 30, 5, 0.02);
        for [arm, against] in &mut flags {
            arm.iter_mut().step_by(3).for_each(|right| *right = true);
            against.iter_mut().step_by(3).for_each(|right| *right = false);
        }
        let found = rate_difference(&pairs(&flags), &groups).unwrap();
        assert_eq!(found.verdict(), Verdict::Higher, "{seeds} seeds: {found:?}");
        assert!(found.improvement.value > 0.99 && found.improvement.low < 1.0, "{found:?}");
        assert_eq!(found.scope, Scope::of(seeds));
        assert_eq!(found.deviation.is_some(), seeds > 1);
        assert_eq!(found.needed(0.05, 0.05).unwrap().seeds.is_some(), seeds >= FEWEST_SEEDS);
    }
}

#[test]
fn three_seeds_by_numpy() {
    // What of four pictures each of six people the arm alone has right, less what the other alone
    // has: NumPy and SciPy with the same formulas, the sign flips counted one by one.
    let gained: [[i64; 6]; 3] = [[2, 1, 3, 0, 1, 2], [1, 2, 2, 1, 0, 1], [3, 1, 1, -1, 2, 2]];
    let flags: Vec<[Vec<bool>; 2]> = gained
        .iter()
        .map(|people| {
            let arm = |id: usize| people[id / 4] > (id % 4) as i64;
            let against = |id: usize| -people[id / 4] > (id % 4) as i64;
            [(0..24).map(arm).collect(), (0..24).map(against).collect()]
        })
        .collect();
    let found = rate_difference(&pairs(&flags), &people(6, 4)).unwrap();
    let [value, deviation, t_p, flips] = [1.0 / 3.0, 1.0 / 24.0, 0.005_206_376_687_047, 0.0625];
    assert!((found.value - value).abs() < 1e-9, "{found:?}");
    assert!((found.deviation.unwrap() - deviation).abs() < 1e-9, "{found:?}");
    assert!((found.p.unwrap() - t_p.max(flips)).abs() < 1e-9, "{found:?}");
    let by_seeds = crossed(&pairs(&flags), &people(6, 4));
    assert!((by_seeds.p().unwrap() - t_p).abs() < 1e-9, "{}", by_seeds.p().unwrap());
}

#[test]
fn an_auc_that_hangs_on_the_seed_is_not_a_methods() {
    let labels: Vec<Label> = (0..60).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
    let scored = |wrong: usize| {
        // Every fifth pair or so is the wrong way round.
        let logits: Vec<f32> = (0..60)
            .map(|i| if (i * 7) % 60 < wrong { -labels[i].sign() } else { labels[i].sign() })
            .collect();
        Scored::new(&logits, &labels, 0.0)
    };
    let groups = alone(60);
    let of = |wrong: &[[usize; 2]]| {
        let pairs: Vec<Pair<Scored>> = wrong
            .iter()
            .map(|[arm, against]| Pair { arm: scored(*arm), against: scored(*against) })
            .collect();
        auc_difference(&pairs, &groups, 0).unwrap()
    };
    let alike = of(&[[4, 20], [5, 20], [4, 21]]);
    assert_eq!((alike.verdict(), alike.scope), (Verdict::Higher, Scope::Method), "{alike:?}");
    assert_eq!(alike.test, Test::Crossed);
    let (mean, apart) = (of(&[[4, 20]]), of(&[[0, 4], [4, 4], [8, 52]]));
    assert!((apart.value / mean.value - 1.0).abs() < 0.2, "as large a mean: {apart:?} {mean:?}");
    assert_eq!((mean.verdict(), mean.scope), (Verdict::Higher, Scope::Models), "{mean:?}");
    assert_eq!(apart.verdict(), Verdict::NoEffect, "{apart:?}");
    assert!(apart.high - apart.low > 2.0 * (mean.high - mean.low), "{apart:?} {mean:?}");
    assert!(apart.detectable > mean.detectable || apart.detectable.is_none());
    // Perfect arms at all seeds: nothing seen, and nothing proved.
    let none = of(&[[0, 0], [0, 0], [0, 0]]);
    assert_eq!((none.value, none.p, none.verdict()), (0.0, Some(1.0), Verdict::NoEffect));
    assert!(none.low < 0.0 && none.high > 0.0);
}

#[test]
fn a_small_p_is_counted_finely() {
    let labels: Vec<Label> = (0..80).map(|i| if i % 2 == 0 { Fake } else { Real }).collect();
    let good: Vec<f32> = labels.iter().map(|label| label.sign()).collect();
    let poor: Vec<f32> = (0..80).map(|i| if i % 4 == 0 { -good[i] } else { good[i] }).collect();
    let [good, poor] = [good, poor].map(|logits| Scored::new(&logits, &labels, 0.0));
    let found = auc_difference(&[Pair { arm: good, against: poor }], &alone(80), 0).unwrap();
    assert!(found.p.unwrap() < 0.0005, "{found:?}");
}
