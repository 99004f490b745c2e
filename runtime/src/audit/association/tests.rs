use super::*;
use crate::metrics::ranking;
use crate::random::stream;
use proptest::prelude::*;
use rand::RngExt;

/// `n` pictures, every second a fake, `of` of them in each group.
fn design(n: usize, of: usize) -> Design {
    let labels = (0..n).map(|place| if place % 2 == 0 { Label::Real } else { Label::Fake }).collect();
    let groups: Vec<String> = (0..n).map(|place| (place / of).to_string()).collect();
    Design::new(labels, groups.iter().map(String::as_str))
}

fn numbers(n: usize, of: impl Fn(usize) -> f32) -> Values {
    Values::Numbers((0..n).map(of).collect())
}

fn all(design: &Design, values: &Values) -> Association {
    design.association(values, &|_| true).unwrap()
}

#[test]
fn what_parts_the_classes_is_seen() {
    let design = design(400, 4);
    let found = all(&design, &numbers(400, |place| if place % 2 == 0 { 95.0 } else { 75.0 }));
    assert_eq!((found.balanced_accuracy.value, found.balanced_accuracy.high), (1.0, 1.0));
    assert_eq!(found.auc.unwrap().value, 0.0, "smaller for fakes");
    // A hundred groups, all right: as a hundred pictures.
    let expected = 100.0 / (100.0 + Z * Z);
    assert!((found.balanced_accuracy.low - expected).abs() < 1e-12);
    assert!((found.excess() - expected).abs() < 1e-12);
    let names = Values::Names((0..400).map(|place| (place % 2) as u32).collect());
    assert_eq!(all(&design, &names).balanced_accuracy.value, 1.0);
    assert!(all(&design, &names).auc.is_none());
}

#[test]
fn fakes_between_two_kinds_of_reals_are_separated() {
    let design = design(800, 1);
    let found = all(
        &design,
        &numbers(800, |place| match place % 4 {
            0 => 1.0,
            2 => 3.0,
            _ => 2.0,
        }),
    );
    assert_eq!(found.balanced_accuracy.value, 1.0);
    assert!((found.auc.unwrap().value - 0.5).abs() < 1e-9);
}

#[test]
fn what_is_equal_for_all_or_paired_separates_nothing() {
    let design = design(200, 2);
    for values in [numbers(200, |_| 7.0), numbers(200, |place| (place / 2) as f32)] {
        let found = all(&design, &values);
        assert!(found.excess() < 0.5, "{:?} {:?}", found.balanced_accuracy, found.auc);
        assert_eq!(found.balanced_accuracy.value, 0.5);
        assert_eq!(found.auc.unwrap().value, 0.5);
    }
    let own = Values::Names((0..200).collect());
    assert_eq!(all(&design, &own).balanced_accuracy.value, 0.5, "a name seen once says nothing of others");
}

#[test]
fn absent_numbers_are_a_value_of_their_own() {
    let design = design(200, 2);
    let found = all(&design, &numbers(200, |place| if place % 2 == 0 { f32::NAN } else { 80.0 }));
    assert_eq!(found.balanced_accuracy.value, 1.0);
    assert!(found.auc.is_none());
}

#[test]
fn pictures_that_are_not_selected_do_not_count() {
    let design = design(400, 2);
    let values = numbers(400, |place| if place < 200 { 5.0 } else { (place % 2) as f32 });
    let late = design.association(&values, &|place| place >= 200).unwrap();
    assert_eq!(late.balanced_accuracy.value, 1.0);
    assert!(late.right[..200].iter().all(|right| right.is_nan()));
    assert!(design.association(&values, &|place| place % 2 == 0).is_none(), "one class");
    assert!(design.association(&values, &|_| false).is_none());
    assert!(
        self::design(6, 6).association(&numbers(6, |place| place as f32), &|_| true).is_none(),
        "one group"
    );
}

#[test]
fn chance_is_not_taken_for_more() {
    // By how many of its deviations a figure is off one half where nothing is to be found.
    let deviations = |figure: Interval| (figure.value - 0.5) / ((figure.high - figure.low) / (2.0 * Z));
    let (mut squares, mut sum, mut highest) = ([0.0; 2], [0.0; 2], 0.0_f64);
    const SETS: u64 = 300;
    for seed in 0..SETS {
        let design = design([200, 400][seed as usize % 2], [1, 4][seed as usize / 2 % 2]);
        let mut random = stream(seed, &["chance".into()]);
        // Numbers of a picture, and numbers of a group that its pictures are near.
        let of_group: Vec<f32> = (0..400).map(|_| random.random()).collect();
        let share = [0.0, 0.8][seed as usize / 4 % 2];
        let drawn =
            design.groups.iter().map(|&group| random.random::<f32>() + share * of_group[group as usize]);
        let found = all(&design, &Values::Numbers(drawn.collect()));
        for (place, figure) in [found.balanced_accuracy, found.auc.unwrap()].into_iter().enumerate() {
            squares[place] += deviations(figure).powi(2) / SETS as f64;
            sum[place] += deviations(figure) / SETS as f64;
        }
        highest = highest.max(found.excess());
    }
    assert!(highest < 0.5, "{highest}");
    assert!(squares.iter().all(|square| *square < 1.2), "intervals are wide enough: {squares:?}");
    assert!(squares.iter().all(|square| *square > 0.5), "and not far too wide: {squares:?}");
    assert!(sum.iter().all(|mean| mean.abs() < 0.2), "{sum:?}");
}

#[test]
fn few_groups_do_not_suffice() {
    let perfect = |n: usize, of: usize| all(&design(n, of), &numbers(n, |place| (place % 2) as f32)).excess();
    assert!(perfect(400, 40) < 0.55, "ten persons, whatever the number of pictures: {}", perfect(400, 40));
    assert!(perfect(400, 10) > 0.7);
}

proptest! {
    #[test]
    fn the_auc_is_the_one_of_ranking(values in prop::collection::vec(0_u8..9, 24..60)) {
        let design = design(values.len(), 1);
        let numbers: Vec<f32> = values.iter().map(|&value| f32::from(value)).collect();
        let expected = ranking::auc(&numbers, &design.labels).unwrap();
        if let Some(found) = design.association(&Values::Numbers(numbers), &|_| true) {
            let auc = found.auc.unwrap();
            prop_assert!((auc.value - expected).abs() < 1e-12);
            prop_assert!(auc.low <= auc.value && auc.value <= auc.high);
            prop_assert!((0.0..=1.0).contains(&found.balanced_accuracy.value));
        }
    }
}
