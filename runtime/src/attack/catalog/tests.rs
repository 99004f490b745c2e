use super::*;
use crate::attack::Target;
use crate::attack::query::Query;
use crate::attack::recorder::{Answer, Event, Recorder};
use crate::data::batch::Batch;
use crate::detector::oracle::{Oracle, OracleError};
use crate::sample::Label;

#[test]
fn names_are_unique_and_come_back() {
    for method in Method::all() {
        assert_eq!(method.name.parse::<Method>().unwrap(), method);
        assert_eq!(Method::all().filter(|other| *other == method).count(), 1, "{method}");
        assert!(!method.norms.is_empty(), "{method}");
    }
    for suite in &SUITES {
        let found: Choice = suite.name.parse().unwrap();
        for norm in [Norm::Linf, Norm::L2] {
            let methods = found.methods(norm);
            assert!(methods.last().unwrap().floor, "{}", suite.name);
            assert!(methods.iter().all(|method| method.norms.contains(&norm)), "{}", suite.name);
            assert_eq!(found.methods_with_surrogate(norm).len(), methods.len() + 1);
        }
    }
    let error = "pdg".parse::<Choice>().unwrap_err().to_string();
    assert!(
        error.contains("\"pdg\"") && error.contains("square, ") && error.ends_with("suite, suite-black"),
        "{error}"
    );
}

#[test]
fn folders_are_named_by_attack_norm_and_radii() {
    let at = |norm, eps| Threat::new(norm, eps).unwrap();
    let square: Choice = "square".parse().unwrap();
    assert_eq!(square.folder(&[at(Norm::Linf, 8.0)]), "square-linf-8");
    assert_eq!(square.folder(&[at(Norm::L2, 127.5)]), "square-l2-0.5");
    assert_eq!(square.folder(&[at(Norm::Linf, 1.0), at(Norm::Linf, 2.0)]), "square-linf-1-2");
}

#[test]
fn attacks_are_what_their_rows_say() {
    let threat = Threat::new(Norm::L2, 255.0).unwrap();
    for method in Method::all() {
        let Build::Queries(build) = method.build else { continue };
        for seed in [0, 7] {
            let attack = build(&Plan { seed, queries: Some(17), ..Plan::new(method, Norm::L2) });
            assert_eq!((attack.name(), attack.norms()), (method.name, method.norms));
            assert_eq!(attack.parameters(threat)["queries"], 17, "{method}");
            assert_eq!(attack.measures(threat).is_some(), method.has_goal, "{method}");
            assert!(attack.parameters(threat).get("seed").is_none_or(|found| *found == seed), "{method}");
        }
    }
}

struct Bright;
impl Oracle for Bright {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        Ok((0..batch.len()).map(|place| batch.picture(place).iter().sum::<f32>() - 90.0).collect())
    }
    fn res(&self) -> usize {
        8
    }
}

#[test]
fn attacks_ask_for_what_their_rows_say_they_see() {
    let picture = image::RgbImage::from_pixel(8, 8, image::Rgb([130; 3]));
    let target = Target { id: 0, label: Label::Fake, picture };
    for method in Method::all() {
        let (Build::Queries(build), norm) = (method.build, method.norms[0]) else { continue };
        let attack = build(&Plan { queries: Some(30), ..Plan::new(method, norm) });
        let query = Query::new(&target, &Bright, 0.0).recorded(Recorder::new(None));
        let threat = Threat::new(norm, 2.0).unwrap();
        attack.propose(std::slice::from_ref(&query), threat).unwrap();
        assert!((1..=30).contains(&query.spent()), "{method}");
        for event in query.into_recorder().unwrap().ended().unwrap() {
            let Event::Asked(asked) = event else { continue };
            let seen = match asked.answer {
                Answer::Logits(_) => Access::Logits,
                Answer::Labels(_) => Access::Labels,
            };
            assert_eq!(seen, method.access, "{method}");
        }
    }
}

#[test]
fn what_can_be_set_fits_what_is_seen() {
    for method in Method::all() {
        let gradients = method.needs_gradients();
        assert_eq!(gradients, matches!(method.build, Build::Gradients(_) | Build::Steps(_)), "{method}");
        assert_eq!(gradients, method.queries == 0, "{method}");
        assert!(gradients || !(method.has_steps || method.has_restarts || method.transfers), "{method}");
    }
}
