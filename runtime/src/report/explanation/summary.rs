//! Summarises what was measured on models, by arm, and compares each arm with the first.

use super::classes::{self, Chance, Statistics};
use super::radii::LARGEST_RADIUS_255;
use super::sentences::sentences;
use crate::metrics::intervals::Groups;
use crate::metrics::rank_correlation::spearman;
use crate::metrics::resampled::{Draw, Draws, Ranged, Series, mean, paired_difference};
use crate::report::ReportError;
use crate::results::explanation::one_model::Basis;
use crate::results::explanation::{
    Along, AlongFigures, ArmFigures, ClassDistance, Comparison, Counts, Distribution, Explanation, Measured,
    Measurement, Ratio, Settings, TapComparison, TapFigures, TapMeasurement,
};
use crate::sample::Label;

/// Summarises `measured`, in which models of one arm stand in any order; arms come in the order of
/// their first model, and the first is the reference of all comparisons. Intervals are those of
/// [`crate::metrics::resampled`].
///
/// # Errors
/// Models that were measured on different pictures or taps, or none.
pub fn summarise(measured: &[Measured], basis: Basis) -> Result<Explanation, ReportError> {
    check_aligned(measured)?;
    let arms = arms(measured);
    let first = &measured[0];
    let names: Vec<&str> = first.pictures.iter().map(|picture| picture.group.as_str()).collect();
    let groups = Groups::new(&names);
    let counts: Vec<usize> = arms.iter().map(|(_, models)| models.len()).collect();
    let draws = Draws::new(&groups, &counts, basis.settings.seed);
    let arms: Vec<Arm<'_>> = arms
        .into_iter()
        .enumerate()
        .map(|(place, (name, models))| Arm { place, name, models, draws: &draws, settings: &basis.settings })
        .collect();
    let mut explanation = Explanation {
        sentences: Vec::new(),
        data: basis.data.clone(),
        groups: groups.count(),
        settings: basis.settings.clone(),
        frequencies: basis.frequencies.clone(),
        arms: arms.iter().map(Arm::figures).collect(),
        comparisons: arms[1..].iter().map(|arm| arm.compared(&arms[0])).collect(),
        skipped: basis.skipped,
    };
    explanation.sentences = sentences(&explanation);
    Ok(explanation)
}

/// The arms and their models, in the order of their first model.
fn arms(measured: &[Measured]) -> Vec<(&str, Vec<&Measured>)> {
    let mut arms: Vec<(&str, Vec<&Measured>)> = Vec::new();
    for model in measured {
        match arms.iter_mut().find(|(name, _)| *name == model.arm) {
            Some((_, models)) => models.push(model),
            None => arms.push((&model.arm, vec![model])),
        }
    }
    arms
}

fn check_aligned(measured: &[Measured]) -> Result<(), ReportError> {
    let unaligned = |place: &str, reason: &str| ReportError::Unaligned {
        place: place.to_owned(),
        reason: reason.to_owned(),
    };
    let Some(first) = measured.first().filter(|first| !first.pictures.is_empty()) else {
        return Err(unaligned("explanation", "no model was measured on a picture"));
    };
    let pictures = |model: &Measured| -> Vec<(u64, Label, String)> {
        model.pictures.iter().map(|picture| (picture.id, picture.label, picture.group.clone())).collect()
    };
    let parts = |model: &Measured| -> Vec<(usize, Vec<f64>)> {
        let taps = model.taps.iter().map(|tap| tap.tap);
        let lengths = model.pictures[0].along.iter().map(|along| along.length).collect::<Vec<_>>();
        taps.map(|tap| (tap, lengths.clone())).collect()
    };
    let (known, known_parts) = (pictures(first), parts(first));
    match measured.iter().find(|model| pictures(model) != known || parts(model) != known_parts) {
        Some(other) => Err(unaligned(
            &format!("{} and {}", first.model.path, other.model.path),
            "they were measured on different pictures, taps or lengths",
        )),
        None => Ok(()),
    }
}

struct Arm<'a> {
    place: usize,
    name: &'a str,
    models: Vec<&'a Measured>,
    draws: &'a Draws,
    settings: &'a Settings,
}

type Of<'a> = &'a (dyn Fn(&Measurement) -> Option<f64> + Sync);

impl Arm<'_> {
    fn series(&self, of: Of<'_>) -> Series {
        let values = self.models.iter().map(|model| model.pictures.iter().map(of).collect());
        Series { arm: self.place, values: values.collect() }
    }

    fn distribution(&self, of: Of<'_>) -> Distribution {
        let series = self.series(of);
        let all: Vec<f64> = series.values.iter().flatten().copied().flatten().collect();
        let logarithms = series.map(logarithm);
        let whole = Draw { pictures: vec![1; self.models[0].pictures.len()], models: self.draws_models() };
        let quartile = |q| series.quantile(&whole, q);
        Distribution {
            n: all.len(),
            zero: all.iter().filter(|value| **value == 0.0).count(),
            undefined: series.values.iter().flatten().filter(|value| value.is_none()).count(),
            mean: self.draws.estimate(|draw| series.mean(draw)),
            median: self.draws.estimate(|draw| series.quantile(draw, 0.5)),
            quartiles: quartile(0.25).zip(quartile(0.75)).map(|(low, high)| [low, high]),
            geometric_mean: self.draws.estimate(|draw| logarithms.mean(draw).map(f64::exp)),
        }
    }

    /// Every model once, as a draw has them: arms before this one are not looked at.
    fn draws_models(&self) -> Vec<Vec<u32>> {
        (0..=self.place).map(|_| vec![1; self.models.len()]).collect()
    }

    fn figures(&self) -> ArmFigures {
        let of = |of: Of<'_>| self.distribution(of);
        let bands = self.models[0].pictures.iter().map(|picture| picture.spectrum.len()).max().unwrap_or(0);
        let band = |band: usize| {
            let power = self.series(&|picture| picture.spectrum.get(band).copied());
            self.draws.estimate(|draw| power.mean(draw))
        };
        let first = &self.models[0];
        let taps = 0..first.taps.len();
        let lengths = 0..first.pictures[0].along.len();
        ArmFigures {
            name: self.name.to_owned(),
            models: self.models.iter().map(|model| model.model.clone()).collect(),
            thresholds: self.models.iter().map(|model| model.threshold).collect(),
            counts: self.counts(),
            margin: of(&|picture| Some(picture.margin)),
            loss: of(&|picture| Some(picture.loss)),
            input_margin_l1: of(&|picture| picture.input_margin_l1),
            input_margin_l2: of(&|picture| picture.input_margin_l2),
            input_loss_l1: of(&|picture| picture.input_loss_l1),
            input_loss_l2: of(&|picture| picture.input_loss_l2),
            statistics_margin: of(&|picture| picture.statistics_margin),
            statistics_loss: of(&|picture| picture.statistics_loss),
            first_order_255: of(&|picture| picture.first_order_255),
            pgd_255: of(&|picture| picture.pgd_255),
            pgd_over_first_order: of(&|picture| {
                Some(picture.pgd_255? / picture.first_order_255.filter(|radius| *radius > 0.0)?)
            }),
            rank_correlation: self.draws.estimate(|draw| self.rank_correlation(draw)),
            high_frequency_share: of(&|picture| picture.high_frequency_share),
            spectrum: (0..bands).map(band).collect(),
            taps: taps.map(|tap| self.tap(tap)).collect(),
            along: lengths.map(|length| self.along(length)).collect(),
            surfaces: self.models.iter().map(|model| model.surfaces.clone()).collect(),
        }
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for picture in self.models.iter().flat_map(|model| &model.pictures) {
            let input = picture.input_margin_l1;
            counts.n += 1;
            counts.right += usize::from(picture.right);
            counts.zero_input_gradient += usize::from(input == Some(0.0));
            counts.zero_statistics_gradient += usize::from(picture.statistics_margin == Some(0.0));
            counts.not_finite += usize::from(input.is_none() || picture.statistics_margin.is_none());
            counts.not_reached += usize::from(picture.right && picture.pgd_255.is_none());
            counts.unperturbed += usize::from(picture.spectrum.is_empty());
        }
        counts
    }

    /// The mean over the models of the rank correlation of the two radii.
    fn rank_correlation(&self, draw: &Draw) -> Option<f64> {
        let of = |model: &Measured| {
            let pairs = model.pictures.iter().zip(&draw.pictures).filter(|(picture, _)| picture.right);
            let repeated = pairs.filter_map(|(picture, &count)| {
                let pair = (picture.first_order_255?, picture.pgd_255.unwrap_or(f64::INFINITY));
                Some(std::iter::repeat_n(pair, count as usize))
            });
            spearman(&repeated.flatten().collect::<Vec<_>>())
        };
        let models = self.models.iter().zip(&draw.models[self.place]).filter(|(_, weight)| **weight > 0);
        mean(models.filter_map(|(model, &weight)| Some((of(model)?, weight))))
    }

    fn at_tap(&self, tap: usize, of: impl Fn(&TapMeasurement) -> Option<f64> + Sync) -> Distribution {
        self.distribution(&|picture| of(&picture.taps[tap]))
    }

    /// 1 where the shift test at `tap` leaves a decision as it was, else 0.
    fn kept(&self, tap: usize) -> Series {
        let model = |model: &&Measured| {
            let kept = |picture: &Measurement| {
                let [before, after] = [picture.logit, picture.taps[tap].shifted_logit];
                Some(f64::from(u8::from((before > model.threshold) == (after > model.threshold))))
            };
            model.pictures.iter().map(kept).collect()
        };
        Series { arm: self.place, values: self.models.iter().map(model).collect() }
    }

    fn tap(&self, tap: usize) -> TapFigures {
        let kept = self.kept(tap);
        TapFigures {
            tap: self.models[0].taps[tap].tap,
            statistics_margin: self.at_tap(tap, |at| at.statistics_margin),
            statistics_loss: self.at_tap(tap, |at| at.statistics_loss),
            shift_kept: self.draws.share(|draw| kept.mean(draw)),
            shift_loss_rise: self.distribution(&|picture| loss_rise(picture, tap)),
            classes: self.classes(tap),
        }
    }

    fn along(&self, place: usize) -> AlongFigures {
        let of = |of: fn(&Along) -> Option<f64>| self.distribution(&|picture| of(&picture.along[place]));
        AlongFigures {
            length: self.models[0].pictures[0].along[place].length,
            loss: of(|along| along.loss),
            margin: of(|along| along.margin),
        }
    }

    fn labels(&self) -> Vec<Label> {
        self.models[0].pictures.iter().map(|picture| picture.label).collect()
    }

    fn statistics(&self, model: usize, tap: usize) -> Statistics<'_> {
        let tap = &self.models[model].taps[tap];
        Statistics { values: &tap.values, width: 2 * tap.channels }
    }

    /// The mean over the models of a figure of the classes' distance at `tap`.
    fn distance(&self, tap: usize, draw: &Draw, of: fn(&classes::Distance) -> f64) -> Option<f64> {
        let labels = self.labels();
        let models = draw.models[self.place].iter().enumerate().filter(|(_, weight)| **weight > 0);
        let one = |model| classes::distance(self.statistics(model, tap), &labels, &draw.pictures);
        mean(models.filter_map(|(model, &weight)| Some((of(&one(model)?), weight))))
    }

    fn classes(&self, tap: usize) -> Option<ClassDistance> {
        let labels = self.labels();
        let models = 0..self.models.len();
        let constant = models.clone().filter_map(|model| {
            let found = classes::distance(self.statistics(model, tap), &labels, &vec![1; labels.len()]);
            Some((found?.constant as f64, 1))
        });
        let chances: Vec<Chance> = models
            .filter_map(|model| {
                classes::effect_by_chance(self.statistics(model, tap), &labels, self.settings.seed)
            })
            .collect();
        let chance = |of: fn(&Chance) -> f64| mean(chances.iter().map(|chance| (of(chance), 1)));
        Some(ClassDistance {
            effect: self.draws.estimate(|draw| self.distance(tap, draw, |found| found.effect))?,
            effect_by_chance: chance(|chance| chance.mean)?,
            effect_by_chance_95: chance(|chance| chance.upper)?,
            frechet: self.draws.estimate(|draw| self.distance(tap, draw, |found| found.frechet))?,
            constant: mean(constant)?,
        })
    }

    fn compared(&self, against: &Self) -> Comparison {
        let ratio = |of: Of<'_>| self.ratio(against, of);
        let difference = |of: Of<'_>| {
            let (arm, other) = (self.series(of), against.series(of));
            self.draws.estimate(|draw| paired_difference(&arm, &other, draw))
        };
        let not_reached = |arm: &Self| arm.counts().not_reached;
        let tap = |tap: usize| {
            let (kept, kept_before) = (self.kept(tap), against.kept(tap));
            let effect = |arm: &Self, draw: &Draw| arm.distance(tap, draw, |found| found.effect);
            TapComparison {
                tap: self.models[0].taps[tap].tap,
                statistics_loss: ratio(&|picture| picture.taps[tap].statistics_loss),
                statistics_margin: ratio(&|picture| picture.taps[tap].statistics_margin),
                shift_kept: self.draws.estimate(|draw| paired_difference(&kept, &kept_before, draw)),
                shift_loss_rise: difference(&|picture| loss_rise(picture, tap)),
                class_effect: self.draws.estimate(|draw| Some(effect(self, draw)? - effect(against, draw)?)),
            }
        };
        Comparison {
            arm: self.name.to_owned(),
            against: against.name.to_owned(),
            statistics_loss: ratio(&|picture| picture.statistics_loss),
            statistics_margin: ratio(&|picture| picture.statistics_margin),
            input_loss_l1: ratio(&|picture| picture.input_loss_l1),
            input_loss_l2: ratio(&|picture| picture.input_loss_l2),
            input_margin_l1: ratio(&|picture| picture.input_margin_l1),
            input_margin_l2: ratio(&|picture| picture.input_margin_l2),
            first_order_255: ratio(&first_order),
            right_margin: ratio(&|picture| first_order(picture).map(|_| picture.margin)),
            right_input_margin_l1: ratio(&|picture| first_order(picture).and(picture.input_margin_l1)),
            pgd_255: ratio(&radius),
            radius_by_statistics: self.moves_with_radius(against, &|picture| picture.statistics_margin),
            radius_by_input: self.moves_with_radius(against, &|picture| picture.input_margin_l1),
            not_reached: [not_reached(self), not_reached(against)],
            high_frequency_share: difference(&|picture| picture.high_frequency_share),
            taps: (0..self.models[0].taps.len()).map(tap).collect(),
        }
    }

    /// Spearman's correlation over pictures of the ratios of a figure and of the radii of PGD.
    fn moves_with_radius(&self, against: &Self, of: Of<'_>) -> Option<Ranged> {
        let logarithms = |arm: &Self, of: Of<'_>| arm.series(of).map(logarithm);
        let [of, of_before] = [self, against].map(|arm| logarithms(arm, of));
        let [radii, radii_before] = [self, against].map(|arm| logarithms(arm, &radius));
        let changes = |arm: &Series, before: &Series, draw: &Draw| -> Vec<Option<f64>> {
            let pairs = arm.by_picture(draw).into_iter().zip(before.by_picture(draw));
            pairs.map(|(arm, before)| Some(arm? - before?)).collect()
        };
        self.draws.estimate(|draw| {
            let pairs = changes(&of, &of_before, draw).into_iter().zip(changes(&radii, &radii_before, draw));
            let repeated = pairs.zip(&draw.pictures).filter_map(|((of, radius), &count)| {
                Some(std::iter::repeat_n((of?, radius?), count as usize))
            });
            spearman(&repeated.flatten().collect::<Vec<_>>())
        })
    }

    fn ratio(&self, against: &Self, of: Of<'_>) -> Option<Ratio> {
        let (arm, other) = (self.series(of).map(logarithm), against.series(of).map(logarithm));
        let found = self.draws.estimate(|draw| paired_difference(&arm, &other, draw).map(f64::exp))?;
        let defined =
            |series: &Series, picture: usize| series.values.iter().any(|model| model[picture].is_some());
        let pictures = self.models[0].pictures.len();
        let n = (0..pictures).filter(|&picture| defined(&arm, picture) && defined(&other, picture)).count();
        Some(Ratio { value: found.value, low: found.low, high: found.high, n, left_out: pictures - n })
    }
}

/// The radius of PGD of a picture that is called rightly, or the largest that was tried.
fn radius(picture: &Measurement) -> Option<f64> {
    picture.right.then(|| picture.pgd_255.unwrap_or(LARGEST_RADIUS_255))
}

/// The logarithm of a positive number.
fn logarithm(value: f64) -> Option<f64> {
    (value > 0.0).then(|| value.ln())
}

/// The first-order radius where it is positive.
fn first_order(picture: &Measurement) -> Option<f64> {
    picture.first_order_255.filter(|radius| *radius > 0.0)
}

fn loss_rise(picture: &Measurement, tap: usize) -> Option<f64> {
    Some(picture.taps[tap].shifted_loss - picture.loss)
}

#[cfg(test)]
mod tests {
    use super::super::planted::{PICTURES, Planted, explained, measured};
    use super::*;
    use crate::results::evaluation::DataInfo;

    fn close(got: f64, expected: f64, tolerance: f64) {
        assert!((got - expected).abs() <= tolerance, "{got} is not {expected}");
    }

    #[test]
    fn a_distribution_is_that_of_its_values() {
        let mut model = measured("baseline", Planted::default(), 8);
        for (picture, margin) in model.pictures.iter_mut().zip([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 100.0]) {
            picture.margin = margin;
        }
        let margin = explained(&[model]).arms[0].margin.clone();
        assert_eq!((margin.n, margin.zero, margin.undefined), (8, 0, 0));
        close(margin.mean.unwrap().value, 16.0, 1e-12);
        close(margin.median.unwrap().value, 4.5, 1e-12);
        assert_eq!(margin.quartiles, Some([2.75, 6.25]));
        // (7! * 100)^(1/8).
        close(margin.geometric_mean.unwrap().value, 504_000.0_f64.powf(0.125), 1e-9);
        let (low, high) = margin.median.unwrap().interval().unwrap();
        assert!(low < 4.5 && high > 4.5, "{margin:?}");
    }

    #[test]
    fn the_first_order_radius_is_the_product_of_its_factors() {
        let arm = Planted { margin: 1.5, input: 0.8, seed: 1, ..Planted::default() };
        let models = [measured("baseline", Planted::default(), PICTURES), measured("gr", arm, PICTURES)];
        let explanation = explained(&models);
        let found = &explanation.comparisons[0];
        let [first, margin, gradient] =
            [found.first_order_255, found.right_margin, found.right_input_margin_l1].map(Option::unwrap);
        close(first.value, margin.value / gradient.value, 1e-9);
        close(margin.value, 1.5, 0.1);
        close(gradient.value, 0.8, 0.05);
        assert_eq!((first.n, first.left_out), (PICTURES as usize, 0));
        assert!(margin.low.unwrap() > 1.4 && margin.high.unwrap() < 1.6, "paired by picture: {margin:?}");
        assert!(explanation.arms[1].rank_correlation.unwrap().low.unwrap() > 0.9);
    }

    #[test]
    fn models_of_an_arm_are_put_together_whatever_their_order() {
        let seeds = [1, 2].map(|seed| measured("gr", Planted { seed, ..Planted::default() }, PICTURES));
        let baseline = measured("baseline", Planted::default(), PICTURES);
        let [first, second] = seeds;
        let explanation = explained(&[first.clone(), baseline, second]);
        let names: Vec<(&str, usize)> =
            explanation.arms.iter().map(|arm| (arm.name.as_str(), arm.models.len())).collect();
        assert_eq!(names, [("gr", 2), ("baseline", 1)]);
        assert_eq!(explanation.comparisons[0].against, "gr");
        let one = explained(&[first]).arms[0].margin.mean.unwrap().value;
        close(explanation.arms[0].margin.mean.unwrap().value, one, 0.1);
    }

    #[test]
    fn an_explanation_is_read_as_it_was_written() {
        let models = [
            measured("baseline", Planted::default(), PICTURES),
            measured("gr", Planted { seed: 1, ..Planted::default() }, PICTURES),
        ];
        let explanation = explained(&models);
        let folder = tempfile::tempdir().unwrap();
        explanation.write(folder.path()).unwrap();
        assert_eq!(Explanation::read(folder.path()).unwrap(), explanation);
        let mut broken = explanation;
        broken.arms[0].spectrum[0].as_mut().unwrap().value = f64::NAN;
        let error = broken.write(folder.path()).unwrap_err().to_string();
        assert!(error.contains("explain.json") && error.contains("not finite"), "{error}");
        crate::results::explanation::table::write(folder.path(), &models).unwrap();
        let table = std::fs::read_to_string(folder.path().join("pictures.csv")).unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 2 * PICTURES as usize);
        assert!(lines[0].ends_with("tap1_shifted_loss,along_0.1_loss,along_0.1_margin"), "{}", lines[0]);
        assert!(lines.iter().all(|line| line.split(',').count() == 26), "{}", lines[1]);
    }

    #[test]
    fn models_of_different_pictures_are_refused() {
        let models = [measured("baseline", Planted::default(), 8), measured("gr", Planted::default(), 10)];
        let basis = |model: &Measured| Basis {
            data: DataInfo { path: String::new(), split: String::new(), n_real: 4, n_fake: 4 },
            settings: explained(std::slice::from_ref(model)).settings,
            frequencies: Vec::new(),
            skipped: Vec::new(),
        };
        let error = summarise(&models, basis(&models[0])).unwrap_err().to_string();
        assert!(error.contains("different pictures") && error.contains("baseline-0.onnx"), "{error}");
        assert!(summarise(&[], basis(&models[0])).is_err());
    }
}
