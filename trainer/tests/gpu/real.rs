//! Weights that others trained: EfficientNet-Lite0 on ImageNet must name photographs
//! rightly. `tools/real-weights` brings the files; without them the test is ignored.

use crate::network::engine;
use dfrt_runtime::data::picture;
use dfrt_trainer::evaluator::Evaluator;
use dfrt_trainer::model::arch::EFFICIENTNET_LITE0;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::import::{Choices, Head, Source};
use dfrt_trainer::plan::resident::Resident;
use libtest_mimic::Trial;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// A photograph, and the classes of ImageNet that are right.
const PHOTOGRAPHS: &[(&str, &[RangeInclusive<usize>])] = &[
    // tabby, tiger cat, Persian, Siamese, Egyptian
    ("chelsea.png", &[281..=285]),
    // espresso, coffee mug
    ("coffee.png", &[967..=967, 504..=504]),
    // missile
    ("rocket.jpg", &[657..=657]),
];

const WEIGHTS: &str = "efficientnet-lite0.pth";

fn folder() -> PathBuf {
    crate::places::repository().join("target/real-weights")
}

pub fn trials() -> Vec<Trial> {
    let missing = !folder().join(WEIGHTS).is_file();
    let name = "real/lite0_names_photographs (needs tools/real-weights)";
    vec![Trial::test(name, || Ok(lite0_names_photographs()?)).with_ignored_flag(missing)]
}

fn lite0_names_photographs() -> Result<(), String> {
    let fail = |error: &dyn std::fmt::Display| error.to_string();
    let graph = Graph::with_outputs(&EFFICIENTNET_LITE0, 224, 1000).map_err(|error| fail(&error))?;
    let source = Source::open(&folder().join(WEIGHTS), &Choices::default()).map_err(|error| fail(&error))?;
    let imported = source.weights(&graph, 0).map_err(|error| fail(&error))?;
    assert_eq!((imported.head, imported.found), (Head::Kept, imported.entries));
    let network = Resident::new(engine()?, graph, &imported.weights).map_err(|error| fail(&error))?;
    let load = |&(name, _): &(&str, _)| picture::load(&folder().join(name), 224);
    let pictures: Result<Vec<_>, _> = PHOTOGRAPHS.iter().map(load).collect();
    let pictures = pictures.map_err(|error| fail(&error))?;
    let evaluator = Evaluator::new(&network, pictures.len()).map_err(|error| fail(&error))?;
    let scores = evaluator.logits(&pictures).map_err(|error| fail(&error))?;
    for (&(name, right), scores) in PHOTOGRAPHS.iter().zip(scores.chunks(1000)) {
        let best = (0..1000).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).expect("1000 classes");
        if !right.iter().any(|classes| classes.contains(&best)) {
            return Err(format!("{name} is taken for class {best}"));
        }
    }
    Ok(())
}
