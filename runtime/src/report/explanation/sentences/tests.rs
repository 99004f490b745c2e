use super::super::planted::{PICTURES, Planted, explained, measured};
use super::*;
use crate::results::explanation::Measured;

fn reference() -> Measured {
    measured("baseline", Planted::default(), PICTURES)
}

/// The explanation of an arm called `gr` against the reference, on `pictures` pictures.
fn against(planted: Planted, pictures: u64) -> Explanation {
    explained(&[
        measured("baseline", Planted::default(), pictures),
        measured("gr", Planted { seed: 1, ..planted }, pictures),
    ])
}

#[track_caller]
fn of(explanation: &Explanation, arm: &str, about: Topic) -> Sentence {
    let found = explanation.sentences.iter().find(|sentence| sentence.arm == arm && sentence.about == about);
    found.cloned().unwrap_or_else(|| panic!("no {about:?} of {arm} in {:#?}", explanation.sentences))
}

#[track_caller]
fn says(sentence: &Sentence, supported: bool, words: &[&str]) {
    assert_eq!(sentence.supported, supported, "{sentence:?}");
    for word in words {
        assert!(sentence.text.contains(word), "{word:?} is not in {:?}", sentence.text);
    }
}

#[test]
fn a_smaller_gradient_of_the_statistics_alone_explains_nothing() {
    let explanation = against(Planted { statistics: 1.0 / 3.0, ..Planted::default() }, PICTURES);
    let ratio = explanation.comparisons[0].statistics_margin.unwrap();
    assert!(ratio.low.unwrap() > 0.31 && ratio.high.unwrap() < 0.36, "{ratio:?}");
    let lowered = of(&explanation, "gr", Topic::StatisticsGradient);
    says(&lowered, true, &["gr lowered ||grad_{mu,sigma} L|| by a factor ", "z||, which does not saturate,"]);
    let input = of(&explanation, "gr", Topic::InputGradient);
    says(&input, false, &["left ||grad_x L||_1 unchanged (factor ", "left ||grad_x z||_1 unchanged"]);
    says(
        &of(&explanation, "gr", Topic::Radius),
        false,
        &["left the radius at which PGD-20 succeeds unchanged"],
    );
    let why = of(&explanation, "gr", Topic::Explanation);
    says(
        &why,
        false,
        &["no explanation is supported", "although ||grad_{mu,sigma} L|| was lowered by a factor "],
    );
    for arm in ["baseline", "gr"] {
        let first = of(&explanation, arm, Topic::FirstOrder);
        says(&first, true, &["PGD-20 succeeds follows the first-order radius", "over 40 of 40", "it is 1.2"]);
    }
}

#[test]
fn a_radius_that_grows_with_that_of_first_order_is_explained_by_its_factor() {
    let by_gradients = against(Planted { input: 0.5, ..Planted::default() }, PICTURES);
    says(
        &of(&by_gradients, "gr", Topic::Explanation),
        true,
        &["grew by a factor ", "by its gradients, not shown by its margins", "||grad_x z||_1 0."],
    );
    let by_margins = against(Planted { margin: 3.0, ..Planted::default() }, PICTURES);
    says(&of(&by_margins, "gr", Topic::Explanation), true, &["by its margins, not shown by its gradients"]);
    let by_both = against(Planted { margin: 2.0, input: 0.5, ..Planted::default() }, PICTURES);
    says(&of(&by_both, "gr", Topic::Explanation), true, &["by its margins and by its gradients"]);
    let smaller = against(Planted { input: 2.0, ..Planted::default() }, PICTURES);
    says(&of(&smaller, "gr", Topic::Explanation), true, &["shrank by a factor ", "by its gradients"]);
    says(&of(&smaller, "gr", Topic::Radius), true, &["gr lowered the radius"]);
}

#[test]
fn what_first_order_does_not_show_is_not_explained_by_it() {
    let beyond = against(Planted { beyond: 3.0, ..Planted::default() }, PICTURES);
    says(&of(&beyond, "gr", Topic::Radius), true, &["gr raised the radius", "by a factor 2."]);
    says(
        &of(&beyond, "gr", Topic::Explanation),
        false,
        &["no explanation is supported", "did not do so with it (factor "],
    );
    let unrelated = against(Planted { beyond: 9.0, unrelated: true, ..Planted::default() }, PICTURES);
    says(&of(&unrelated, "gr", Topic::FirstOrder), false, &["is not shown to follow"]);
    says(&of(&unrelated, "gr", Topic::Explanation), false, &["does not rank the pictures by it"]);
}

#[test]
fn few_people_support_nothing() {
    let few = against(Planted { input: 0.5, statistics: 0.1, ..Planted::default() }, 16);
    assert!(few.sentences.iter().all(|sentence| !sentence.supported), "{:#?}", few.sentences);
    says(&few.sentences[0], false, &["fewer than 10 people", "16 pictures (8 real, 8 fake) of 8 people"]);
    says(&of(&few, "gr", Topic::Explanation), false, &["there are fewer than 10 people"]);
}

#[test]
fn seeds_are_told() {
    let seeds = [1, 2, 3]
        .map(|seed| measured("gr", Planted { seed, statistics: 0.5, ..Planted::default() }, PICTURES));
    let explanation = explained(&[[reference()].as_slice(), &seeds].concat());
    says(&explanation.sentences[0], true, &["and over training seeds"]);
    assert_eq!(explanation.arms[1].counts.n, 120);
    says(&of(&explanation, "gr", Topic::StatisticsGradient), true, &["lowered", "paired over 40 pictures"]);
    let one = explained(&[reference()]);
    says(&one.sentences[0], true, &["one training seed"]);
    assert!(one.comparisons.is_empty() && one.sentences.iter().all(|it| it.about != Topic::Explanation));
}

#[test]
fn zero_and_infinite_gradients_are_told() {
    let mut model = reference();
    for picture in &mut model.pictures[..3] {
        (picture.input_margin_l1, picture.first_order_255, picture.pgd_255) = (Some(0.0), None, None);
        (picture.input_loss_l1, picture.statistics_margin) = (Some(0.0), Some(0.0));
    }
    model.pictures[3].input_margin_l1 = None;
    let explanation = explained(&[model]);
    let counts = &explanation.arms[0].counts;
    assert_eq!((counts.zero_input_gradient, counts.zero_statistics_gradient, counts.not_finite), (3, 3, 1));
    let input = &explanation.arms[0].input_margin_l1;
    assert_eq!((input.n, input.zero, input.undefined), (39, 3, 1));
    let told =
        explanation.sentences.iter().find(|it| it.text.contains("zero gradient of the logit")).unwrap();
    says(
        told,
        false,
        &["of 40 pictures 3 have a zero gradient", "3 have one with respect", "1 have a gradient"],
    );
}

#[test]
fn the_shift_test_says_at_how_many_taps_it_hurts_less() {
    let less = against(Planted { shifted: 0.3, ..Planted::default() }, PICTURES);
    says(&of(&less, "gr", Topic::Shift), true, &["along the gradient"]);
    let found = less.sentences.iter().find(|it| it.text.contains("The shift test")).unwrap();
    says(
        found,
        true,
        &["hurts gr less at 1 and more at 0 of 1 taps", "means x 1.2, deviations x 0.65", "100.0 %"],
    );
    let more = against(Planted { shifted: 3.0, ..Planted::default() }, PICTURES);
    let found = more.sentences.iter().find(|it| it.text.contains("The shift test")).unwrap();
    says(found, false, &["hurts gr less at 0 and more at 1 of 1 taps"]);
}

#[test]
fn classes_that_lie_no_farther_apart_than_by_chance_are_not_called_so() {
    let apart = explained(&[reference()]);
    says(&of(&apart, "baseline", Topic::Features), true, &["reals and fakes lie", "by chance, at most"]);
    let mut mixed = reference();
    let taken = mixed.taps[0].values.clone();
    // Two pictures, a real and a fake, exchange their statistics in every second pair.
    for (place, row) in mixed.taps[0].values.chunks_mut(2).enumerate().filter(|(place, _)| place % 4 < 2) {
        row.copy_from_slice(&taken[2 * (place ^ 1)..2 * (place ^ 1) + 2]);
    }
    says(&of(&explained(&[mixed]), "baseline", Topic::Features), false, &["reals and fakes lie"]);
}

#[test]
fn every_sentence_of_a_change_has_an_interval() {
    let explanation = against(Planted { input: 0.5, statistics: 0.2, ..Planted::default() }, PICTURES);
    for sentence in explanation.sentences.iter().filter(|sentence| sentence.about != Topic::Basis) {
        assert!(sentence.text.contains('[') && sentence.text.contains(']'), "{}", sentence.text);
        assert!(!sentence.text.contains("NaN") && !sentence.text.contains("inf"), "{}", sentence.text);
    }
}
