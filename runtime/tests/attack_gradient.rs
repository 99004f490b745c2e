//! The white-box attacks against planted models: they find what there is, no more,
//! no farther than allowed, and what a picture gets does not depend on the others.

mod gradient_planted;

use dfrt_runtime::attack::gradient::apgd::{Apgd, ApgdSettings};
use dfrt_runtime::attack::gradient::checked::Checked;
use dfrt_runtime::attack::gradient::lockstep::Lockstep;
use dfrt_runtime::attack::gradient::transfer::Transfer;
use dfrt_runtime::attack::{Attack, Goal, Proposal, Target};
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle};
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::Norm;
use gradient_planted::{
    Constant, Curved, Linear, Model, Planted, RES, attacks, dual, noise, planes, proposed, succeeds, target,
    target_of, threat,
};
use image::RgbImage;

const NORMS: [Norm; 2] = [Norm::Linf, Norm::L2];
const LABELS: [Label; 2] = [Label::Fake, Label::Real];

#[test]
fn on_a_linear_model_linf_attacks_succeed_from_the_closed_form_on() {
    for label in LABELS {
        let target = target(3, label);
        let oracle = Planted::new(Linear::at_distance(&target, Norm::Linf, 3.5));
        for eps in [1, 3, 4, 6] {
            let threat = threat(Norm::Linf, f64::from(eps));
            for attack in attacks(&oracle, 1, Goal::Inside) {
                let proposals = proposed(&*attack, std::slice::from_ref(&target), threat);
                let success = succeeds(&oracle, threat, &target, &proposals[0]);
                // CW lowers the L2 length, so the nearest Linf ball may be too small for it.
                if attack.name() != "cw" || eps < 4 {
                    assert_eq!(success, eps >= 4, "{} at {eps}/255", attack.name());
                }
            }
        }
    }
}

#[test]
fn on_a_linear_model_l2_attacks_succeed_from_the_closed_form_on() {
    // Five levels a value in the mean, so that rounding changes little.
    let closest = 5.0 * ((3 * RES * RES) as f64).sqrt();
    for label in LABELS {
        let target = target(4, label);
        let oracle = Planted::new(Linear::at_distance(&target, Norm::L2, closest));
        for (factor, within_reach) in [(0.5, false), (0.98, false), (1.1, true), (1.5, true)] {
            let threat = threat(Norm::L2, factor * closest);
            for attack in attacks(&oracle, 1, Goal::Inside) {
                let proposals = proposed(&*attack, std::slice::from_ref(&target), threat);
                let success = succeeds(&oracle, threat, &target, &proposals[0]);
                assert_eq!(success, within_reach, "{} at {factor} of the way", attack.name());
            }
        }
    }
}

/// The distance that the attack `name` finds with room enough, in 1/255.
fn nearest(name: &str, oracle: &dyn GradientOracle, norm: Norm, target: &Target) -> f64 {
    let room = if norm == Norm::Linf { 255.0 } else { 3000.0 };
    let attacks = attacks(oracle, 1, Goal::Nearest);
    let attack = attacks.iter().find(|attack| attack.name() == name).unwrap();
    let proposals = proposed(&**attack, std::slice::from_ref(target), threat(norm, room));
    let batch = dfrt_runtime::data::batch::Batch { res: oracle.res(), values: proposals[0].values.clone() };
    let logit = oracle.logits(&batch).unwrap()[0];
    assert!(target.label.sign() * logit <= 0.0, "{name} crosses");
    let found = 255.0 * proposals[0].distance.unwrap();
    assert_eq!(attack.measures(threat(norm, room)), Some(if name == "cw" { Norm::L2 } else { norm }));
    found
}

#[test]
fn the_nearest_point_of_a_linear_model_is_found() {
    for label in LABELS {
        for (norm, closest) in [(Norm::Linf, 3.5), (Norm::L2, 70.0)] {
            let target = target(5, label);
            let oracle = Planted::new(Linear::at_distance(&target, norm, closest));
            for (name, slack) in [("fab", 1.005), ("deepfool", 1.021), ("cw", 1.03)] {
                if name == "cw" && norm == Norm::Linf {
                    continue;
                }
                let found = nearest(name, &oracle, norm, &target);
                assert!((0.9999..slack).contains(&(found / closest)), "{name}: {found} of {closest}");
            }
        }
    }
}

#[test]
fn the_curved_models_slope_is_that_of_differences() {
    let target = target(6, Label::Fake);
    let model = Curved::with_margin(&target, 0.5);
    let values = planes(&target);
    let slope = model.slope(&values);
    for place in (0..values.len()).step_by(17) {
        let at = |step: f32| {
            let mut moved = values.clone();
            moved[place] += step;
            (model.logit(&moved), f64::from(moved[place]))
        };
        let ((up, high), (down, low)) = (at(1e-3), at(-1e-3));
        assert!(((up - down) / (high - low) - slope[place]).abs() < 1e-5, "{place}");
    }
}

#[test]
fn a_curved_model_is_turned_over_and_no_point_is_nearer_than_its_steepness_allows() {
    for label in LABELS {
        let target = target(6, label);
        let model = Curved::with_margin(&target, 0.6);
        let least = NORMS.map(|norm| 0.6 / model.steepness(norm) * 255.0);
        let oracle = Planted::new(model);
        for (norm, least) in NORMS.into_iter().zip(least) {
            let found = ["fab", "deepfool"].map(|name| nearest(name, &oracle, norm, &target));
            assert!(found.iter().all(|&found| found >= least), "{found:?}, at least {least}");
            assert!(found[0] <= 1.001 * found[1], "FAB is no farther than DeepFool: {found:?}");
            let eps = if norm == Norm::Linf { (2.0 * found[0]).ceil() } else { 1.5 * found[0] };
            let threat = threat(norm, eps);
            for attack in attacks(&oracle, 1, Goal::Inside) {
                let proposals = proposed(&*attack, std::slice::from_ref(&target), threat);
                let success = succeeds(&oracle, threat, &target, &proposals[0]);
                assert!(success || attack.name() == "cw" && norm == Norm::Linf, "{}", attack.name());
            }
        }
        let cw = nearest("cw", &oracle, Norm::L2, &target);
        let fab = nearest("fab", &oracle, Norm::L2, &target);
        assert!((0.97..1.05).contains(&(cw / fab)), "CW {cw}, FAB {fab}");
    }
}

#[test]
fn without_gradients_nothing_succeeds_and_it_is_counted() {
    let target = target(7, Label::Fake);
    let nan = f64::NAN;
    for (logit, slope) in [(1.0, 0.0), (1.0, nan), (1.0, f64::INFINITY), (nan, nan), (nan, 0.0)] {
        let oracle = Planted::new(Constant { logit, slope });
        for norm in NORMS {
            let threat = threat(norm, 8.0);
            for attack in attacks(&oracle, 1, Goal::Inside) {
                let proposal = &proposed(&*attack, std::slice::from_ref(&target), threat)[0];
                let name = attack.name();
                assert!(proposal.values.iter().all(|value| value.is_finite()), "{name}");
                assert!(!succeeds(&oracle, threat, &target, proposal), "{name}");
                let count = proposal.gradients;
                // The cross-entropy of no number has a gradient that is none either.
                let broken = !slope.is_finite() || !logit.is_finite() && name == "apgd-ce";
                let seen = if broken { count.non_finite } else { count.zero };
                assert!(count.evaluated > 0 && seen == count.evaluated, "{name}: {count:?}");
            }
        }
    }
}

#[test]
fn a_saturated_cross_entropy_stops_apgd_ce_alone() {
    for label in LABELS {
        let target = target(8, label);
        let weights = Linear::with_margin(&target, 100.0, 0.0).weights;
        // In the corner of the ball the margin is just below 0, elsewhere far above 17.
        let margin = 7.5 / 255.0 * dual(Norm::Linf, &weights);
        assert!(margin > 200.0);
        let oracle = Planted::new(Linear::with_margin(&target, 100.0, margin));
        let threat = threat(Norm::Linf, 8.0);
        for attack in attacks(&oracle, 1, Goal::Inside) {
            let proposal = &proposed(&*attack, std::slice::from_ref(&target), threat)[0];
            let success = succeeds(&oracle, threat, &target, proposal);
            let count = proposal.gradients;
            match attack.name() {
                "apgd-ce" => {
                    assert!(!success);
                    assert_eq!((count.evaluated, count.zero), (101, 101));
                }
                "cw" => {}
                name => assert!(success && count.zero == 0, "{name}: {count:?}"),
            }
        }
    }
}

#[test]
fn a_picture_gets_the_same_in_every_batch_and_every_time() {
    let targets: Vec<_> = (0..5).map(|id| target(id, LABELS[id as usize % 2])).collect();
    let oracle = Planted::new(Curved::with_margin(&targets[0], 0.4));
    for norm in NORMS {
        let threat = threat(norm, if norm == Norm::Linf { 4.0 } else { 40.0 });
        let of = |batch: usize, targets: &[Target]| -> Vec<Vec<Proposal>> {
            let attacks = attacks(&oracle, batch, Goal::Inside);
            attacks.iter().map(|attack| proposed(&**attack, targets, threat)).collect()
        };
        let (all, again, alone) = (of(8, &targets), of(2, &targets), of(1, &targets[3..4]));
        for ((all, again), alone) in all.iter().zip(&again).zip(&alone) {
            for (all, again) in all.iter().zip(again) {
                assert_eq!((&all.values, all.queries), (&again.values, again.queries));
                assert_eq!(all.gradients, again.gradients);
            }
            assert_eq!((&all[3].values, all[3].queries), (&alone[0].values, alone[0].queries));
        }
    }
}

#[test]
fn another_seed_draws_another_start() {
    let target = target(1, Label::Fake);
    let oracle = Planted::new(Curved::with_margin(&target, 2.0));
    let values = |seed| {
        let lockstep = Lockstep::new(&oracle, 0.0, 1);
        let settings = ApgdSettings { seed, steps: 1, ..ApgdSettings::new(AttackLoss::Margin) };
        let apgd = Apgd::new(lockstep, settings);
        assert_eq!(apgd.parameters(threat(Norm::Linf, 2.0))["seed"], seed);
        proposed(&apgd, std::slice::from_ref(&target), threat(Norm::Linf, 2.0)).remove(0).values
    };
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
}

#[test]
fn pictures_that_are_done_leave_the_batch() {
    // Of id 0 the logit is all but turned over; some of the others are out of reach.
    let targets: Vec<_> = (0..8).map(|id| target(id, Label::Fake)).collect();
    let model = Linear::at_distance(&targets[0], Norm::Linf, 0.6);
    let reach = dual(Norm::Linf, &model.weights) / 255.0;
    let stays: Vec<_> = targets.iter().map(|target| model.logit(&planes(target)) > reach).collect();
    let staying = stays.iter().filter(|&&stays| stays).count();
    let oracle = Planted::new(model);
    let lockstep = Lockstep::new(&oracle, 0.0, 8);
    let apgd = Apgd::new(lockstep, ApgdSettings::new(AttackLoss::Margin));
    assert!(!stays[0] && staying > 0, "{stays:?}");
    let proposals = proposed(&apgd, &targets, threat(Norm::Linf, 1.0));
    let asked = oracle.asked.lock().unwrap();
    assert_eq!((asked[0], *asked.last().unwrap()), (8, staying));
    for (&stays, proposal) in stays.iter().zip(&proposals) {
        assert_eq!(proposal.queries == 101, stays, "{}", proposal.queries);
    }
}

#[test]
fn a_search_that_goes_on_tells_when_it_landed() {
    let target = target(5, Label::Fake);
    for (norm, closest) in [(Norm::Linf, 3.5), (Norm::L2, 70.0)] {
        let oracle = Planted::new(Linear::at_distance(&target, norm, closest));
        let of = |goal| attacks(&oracle, 1, goal);
        for (on, first) in of(Goal::Nearest).iter().zip(&of(Goal::Inside)) {
            let threat = threat(norm, 12.0 * closest);
            let found =
                |attack: &dyn Attack| proposed(attack, std::slice::from_ref(&target), threat).remove(0);
            let (name, on, first) = (on.name(), found(&**on), found(&**first));
            let expected = matches!(name, "fab" | "cw").then_some(first.queries);
            assert_eq!(on.queries_to_success, expected, "{name}");
            assert_eq!(on.values, first.values, "{name}");
            assert_eq!(on.queries > first.queries, expected.is_some(), "{name} goes on");
        }
    }
}

#[test]
fn the_bounds_0_and_1_are_kept_and_made_up_for() {
    for byte in [0, 255] {
        let picture = RgbImage::from_pixel(RES as u32, RES as u32, image::Rgb([byte; 3]));
        let target = Target { id: 0, label: Label::Fake, picture };
        // Only weights that lead away from the bound can be followed.
        let free = |weight: &f64| if byte == 0 { *weight < 0.0 } else { *weight > 0.0 };
        let weights = Linear::with_margin(&target, 1.0, 0.0).weights;
        let weights: Vec<f64> = weights.into_iter().filter(free).collect();
        for (norm, closest, eps) in [(Norm::Linf, 5.5, 6.0), (Norm::L2, 60.0, 68.0)] {
            let margin = closest / 255.0 * dual(norm, &weights);
            let oracle = Planted::new(Linear::with_margin(&target, 1.0, margin));
            let found = nearest("fab", &oracle, norm, &target);
            assert!((0.9999..1.005).contains(&(found / closest)), "{found} of {closest}");
            // DeepFool does not know of the bound, and nears the boundary by halves.
            let found = nearest("deepfool", &oracle, norm, &target);
            assert!((0.9999..1.03).contains(&(found / closest)), "{found} of {closest}");
            for attack in attacks(&oracle, 1, Goal::Inside) {
                let room = threat(norm, eps);
                let proposal = &proposed(&*attack, std::slice::from_ref(&target), room)[0];
                assert!(proposal.values.iter().all(|value| (0.0..=1.0).contains(value)));
                let success = succeeds(&oracle, room, &target, proposal);
                // MI-FGSM's L2 steps are as long as the radius together, and lose to the bound.
                let excused = attack.name() == "cw" || attack.name() == "mi-fgsm" && norm == Norm::L2;
                assert!(success || excused, "{} from {byte}", attack.name());
            }
            for attack in attacks(&oracle, 1, Goal::Inside) {
                let less = threat(norm, (closest * 0.98).floor());
                let proposal = &proposed(&*attack, std::slice::from_ref(&target), less)[0];
                assert!(!succeeds(&oracle, less, &target, proposal), "{} from {byte}", attack.name());
            }
        }
    }
}

#[test]
fn rounding_is_outdone_where_the_ball_has_room() {
    let target = target(9, Label::Real);
    let oracle = Planted::new(Linear::at_distance(&target, Norm::Linf, 0.3));
    let threat = threat(Norm::Linf, 1.0);
    for goal in [Goal::Inside, Goal::Nearest] {
        for attack in attacks(&oracle, 1, goal) {
            let proposal = &proposed(&*attack, std::slice::from_ref(&target), threat)[0];
            let success = succeeds(&oracle, threat, &target, proposal);
            match attack.name() {
                "cw" => {}
                name => assert!(success, "{name}"),
            }
        }
    }
}

#[test]
fn pictures_of_one_pixel_are_pictures() {
    let target = target_of(1, 2, Label::Fake);
    for (norm, closest, eps) in [(Norm::Linf, 9.5, 10.0), (Norm::L2, 20.0, 22.0)] {
        let oracle = Planted { res: 1, ..Planted::new(Linear::at_distance(&target, norm, closest)) };
        for attack in attacks(&oracle, 1, Goal::Inside) {
            let room = threat(norm, eps);
            let proposal = &proposed(&*attack, std::slice::from_ref(&target), room)[0];
            let success = succeeds(&oracle, room, &target, proposal);
            assert!(success || attack.name() == "cw", "{}", attack.name());
        }
    }
}

#[test]
fn with_no_radius_nobody_is_asked() {
    let target = target(0, Label::Fake);
    let oracle = Planted::new(Curved::with_margin(&target, 0.1));
    for norm in NORMS {
        for attack in attacks(&oracle, 1, Goal::Inside) {
            let none = threat(norm, 0.0);
            let proposal = &proposed(&*attack, std::slice::from_ref(&target), none)[0];
            assert_eq!((proposal.queries, &proposal.values), (0, &planes(&target)), "{}", attack.name());
        }
    }
}

#[test]
fn a_transfer_crafts_on_the_surrogate_and_names_it() {
    let target = target(2, Label::Fake);
    let surrogate = Planted::new(Linear::at_distance(&target, Norm::Linf, 3.5));
    let mut judged = Linear::at_distance(&target, Norm::Linf, 3.5);
    // Another model, most of whose weights agree.
    judged.weights.iter_mut().enumerate().for_each(|(place, weight)| *weight += 0.2 * noise(place + 500));
    judged.bias -= judged.logit(&planes(&target)) - 3.0 / 255.0 * dual(Norm::Linf, &judged.weights);
    let judged = Planted::new(judged);
    let threat = threat(Norm::Linf, 4.0);
    let apgd = || {
        let settings = ApgdSettings { stop_early: false, ..ApgdSettings::new(AttackLoss::Margin) };
        Apgd::new(Lockstep::new(&surrogate, 0.0, 3), settings)
    };
    let transfer = Transfer::new(Box::new(apgd()), "other.onnx");
    assert_eq!((transfer.name(), transfer.batch()), ("transfer", 3));
    assert_eq!(transfer.parameters(threat)["surrogate"], "other.onnx");
    assert_eq!(transfer.parameters(threat)["crafted_by"], "apgd-margin");
    assert_eq!(transfer.parameters(threat)["steps"], 100);
    let proposal = proposed(&transfer, std::slice::from_ref(&target), threat).remove(0);
    assert_eq!(proposal.values, proposed(&apgd(), std::slice::from_ref(&target), threat)[0].values);
    assert_eq!(proposal.queries, 101, "every step is taken");
    assert!(judged.asked.lock().unwrap().is_empty());
    assert!(succeeds(&judged, threat, &target, &proposal));
}

/// A model whose gradient is another's.
struct Liar(Linear);

impl Model for Liar {
    fn logit(&self, values: &[f32]) -> f64 {
        self.0.logit(values)
    }

    fn slope(&self, values: &[f32]) -> Vec<f64> {
        self.0.slope(values).into_iter().rev().collect()
    }
}

#[test]
fn gradients_are_checked_against_differences() {
    let target = target(5, Label::Fake);
    let threat = threat(Norm::Linf, 2.0);
    let gates = |oracle: &dyn GradientOracle| {
        let apgd = Apgd::new(Lockstep::new(oracle, 0.0, 1), ApgdSettings::new(AttackLoss::Margin));
        let checked = Checked::new(Box::new(apgd), oracle);
        let gates = checked.checks(std::slice::from_ref(&target), threat).unwrap();
        gates.into_iter().map(|gate| (gate.name, gate.passed)).collect::<Vec<_>>()
    };
    let name = || "finite-differences".to_owned();
    let linear = || Linear::at_distance(&target, Norm::Linf, 3.5);
    assert_eq!(gates(&Planted::new(linear())), [(name(), true)]);
    assert_eq!(gates(&Planted::new(Curved::with_margin(&target, 0.1))), [(name(), true)]);
    assert_eq!(gates(&Planted::new(Liar(linear()))), [(name(), false)]);
    // A gradient of zero is another gate's matter.
    assert_eq!(gates(&Planted::new(Constant { logit: 1.0, slope: 0.0 })), []);
}
