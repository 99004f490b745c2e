//! Every figure of every arm over its seeds: mean, spread and interval, for tables and plots. What
//! the figures are is in [`crate::results::figure`], how their intervals are made in
//! [`crate::metrics::over_seeds`].
//!
//! A figure is over the pictures that all seeds of the arm have, matched by path. One that a seed
//! does not define (an AUC of one class, a success rate where nothing was right before) is left
//! out.

use super::ReportError;
use super::compare::{in_all, scores_by_path};
use super::extras::Extras;
use crate::metrics::intervals::{Groups, Scored};
use crate::metrics::over_seeds::{Counted, OverSeeds, drawn, share};
use crate::results::attack::{AttackReport, SampleResult, attacked};
use crate::results::evaluation::Score;
use crate::results::figure::{ArmFigure, SeedFigure};
use crate::results::study::{Report, attack_key};
use crate::sample::Label;
use crate::threat::Norm;
use std::collections::HashMap;
use std::path::Path;

/// The figures of all arms of `report`, in the order of the arms and attacks; bootstrap draws
/// under `seed`.
///
/// # Errors
/// The scores of an arm or the samples of an attack are missing, or an arm's seeds have no
/// picture in common.
pub fn figures(report: &Report, extras: &Extras, seed: u64) -> Result<Vec<ArmFigure>, ReportError> {
    let mut all = Vec::new();
    for name in report.names() {
        let maker = Maker { report, extras, name, seed };
        all.extend(maker.clean()?);
        for key in report.attack_keys() {
            all.extend(maker.attack(&key)?);
        }
        for (norm, eps_255, keys) in radii(report) {
            all.extend(maker.worst_case(norm, eps_255, &keys)?);
        }
    }
    Ok(all)
}

/// The norms and radii under which every model met the same several attacks, with these.
fn radii(report: &Report) -> Vec<(Norm, f64, Vec<String>)> {
    let mut radii: Vec<(Norm, f64, Vec<String>)> = Vec::new();
    for attack in report.arms.iter().flat_map(|arm| &arm.attacks) {
        let (norm, eps_255, key) = (attack.norm, attack.eps_255, attack_key(attack));
        match radii.iter_mut().find(|(other, eps, _)| (*other, *eps) == (norm, eps_255)) {
            Some((_, _, keys)) if !keys.contains(&key) => keys.push(key),
            Some(_) => {}
            None => radii.push((norm, eps_255, vec![key])),
        }
    }
    for (norm, eps_255, keys) in &mut radii {
        let at = |attack: &AttackReport| (attack.norm, attack.eps_255) == (*norm, *eps_255);
        let met = || report.arms.iter().filter(|arm| arm.attacks.iter().any(at));
        keys.retain(|key| met().all(|arm| arm.attack_place(key).is_some()));
    }
    radii.retain(|(_, _, keys)| keys.len() > 1);
    radii
}

/// Makes the figures of the arm `name`.
struct Maker<'a> {
    report: &'a Report,
    extras: &'a Extras,
    name: &'a str,
    seed: u64,
}

/// The results of an attack at several seeds on the pictures that all have.
struct Attacked<'a> {
    /// Indices into the report's arms. \[S\]
    arms: Vec<usize>,
    /// \[S\]\[N\]
    samples: Vec<Vec<&'a SampleResult>>,
    /// Whether a picture was classified correctly before. \[S\]\[N\]
    right: Vec<Vec<bool>>,
    groups: Groups,
}

impl Maker<'_> {
    fn clean(&self) -> Result<Vec<ArmFigure>, ReportError> {
        let arms = self.report.seeds_of(self.name);
        let tables: Vec<HashMap<&Path, &Score>> =
            arms.iter().map(|&arm| self.scores(arm)).collect::<Result<_, _>>()?;
        let lines = &self.extras.arms[arms[0]].scores;
        let common = in_all(lines.iter().map(|line| line.sample.path.as_path()), &tables, self.name)?;
        let labels: Vec<Label> = common.iter().map(|path| tables[0][path].sample.label).collect();
        let names: Vec<&str> = common.iter().map(|path| tables[0][path].sample.group.as_str()).collect();
        let groups = Groups::new(&names);
        let scored = |(table, &arm): (&HashMap<&Path, &Score>, &usize)| {
            let logits: Vec<f32> = common.iter().map(|path| table[path].logit).collect();
            Scored::new(&logits, &labels, self.report.arms[arm].eval.threshold as f32)
        };
        let scored: Vec<Scored> = tables.iter().zip(&arms).map(scored).collect();
        let independent = Some(scored[0].independent_groups(&groups));
        let of = |figure: &(dyn Fn(&Scored, &[u32]) -> Option<f64> + Sync)| {
            drawn(scored.len(), &groups, self.seed, independent, |seed, weights| {
                figure(&scored[seed], weights)
            })
        };
        let accuracies: Vec<Counted> =
            scored.iter().map(|scored| Counted::of_all(scored.right().to_vec())).collect();
        let found = [
            ("auc", of(&|scored, weights| scored.auc(weights))),
            ("accuracy", share(&accuracies, &groups, self.seed)),
            ("balanced_accuracy", of(&|scored, weights| scored.balanced_accuracy(weights))),
        ];
        Ok(self.named(found, &arms, &groups, &[]))
    }

    fn attack(&self, key: &str) -> Result<Vec<ArmFigure>, ReportError> {
        let Some(attacked) = self.attacked(key)? else { return Ok(Vec::new()) };
        let labels: Vec<Label> = attacked.samples[0].iter().map(|sample| sample.label).collect();
        let all: Vec<Label> = vec![Label::Fake, Label::Real];
        let robust = |of: &[Label]| {
            attacked.share(self.seed, |sample, right| (of.contains(&sample.label), right && !sample.success))
        };
        let success = |of: &[Label]| {
            attacked.share(self.seed, |sample, right| (right && of.contains(&sample.label), sample.success))
        };
        let scored: Vec<Scored> = attacked
            .samples
            .iter()
            .map(|samples| {
                let logits: Vec<f32> = samples.iter().map(|sample| sample.adv_logit).collect();
                Scored::new(&logits, &labels, 0.0)
            })
            .collect();
        let independent = scored[0].independent_groups(&attacked.groups);
        let auc = drawn(scored.len(), &attacked.groups, self.seed, Some(independent), |seed, weights| {
            scored[seed].auc(weights)
        });
        let found = [
            ("robust_accuracy", robust(&all)),
            ("robust_accuracy_fakes", robust(&[Label::Fake])),
            ("robust_accuracy_reals", robust(&[Label::Real])),
            ("attack_success_rate", success(&all)),
            ("fake_to_real", success(&[Label::Fake])),
            ("real_to_fake", success(&[Label::Real])),
            ("auc_under_attack", auc),
            ("minimal_distance", attacked.median_distance(self.seed)),
        ];
        Ok(self.named(found, &attacked.arms, &attacked.groups, &[key.to_owned()]))
    }

    /// Right before and after every one of the attacks `keys`, over the pictures that all met.
    fn worst_case(
        &self,
        norm: Norm,
        eps_255: f64,
        keys: &[String],
    ) -> Result<Option<ArmFigure>, ReportError> {
        let attacks: Vec<Attacked<'_>> =
            keys.iter().filter_map(|key| self.attacked(key).transpose()).collect::<Result<_, _>>()?;
        let Some(first) = attacks.first() else { return Ok(None) };
        let tables: Vec<HashMap<&Path, bool>> = attacks.iter().flat_map(Attacked::stands).collect();
        let place = format!("{}, worst case of {norm} {eps_255}/255", self.name);
        let paths = first.samples[0].iter().map(|sample| Path::new(&sample.path));
        let common = in_all(paths, &tables, &place)?;
        let names = self.group_names(first.arms[0], &common, &place)?;
        let groups = Groups::new(&names);
        let seeds = first.arms.len();
        let stands = |seed: usize| {
            let every = |path: &&Path| tables.iter().skip(seed).step_by(seeds).all(|table| table[*path]);
            Counted::of_all(common.iter().map(every).collect())
        };
        let counted: Vec<Counted> = (0..seeds).map(stands).collect();
        let found = [("worst_case", share(&counted, &groups, self.seed))];
        Ok(self.named(found, &first.arms, &groups, keys).pop())
    }

    /// The results of the attack `key` at the seeds that met it; `None` where none did.
    fn attacked(&self, key: &str) -> Result<Option<Attacked<'_>>, ReportError> {
        let met = |arm: &usize| Some((*arm, self.report.arms[*arm].attack_place(key)?));
        let places: Vec<(usize, usize)> = self.report.seeds_of(self.name).iter().filter_map(met).collect();
        let Some(&(first, at)) = places.first() else { return Ok(None) };
        let place = format!("{}, {key}", self.name);
        let tables: Vec<HashMap<&Path, &SampleResult>> = places
            .iter()
            .map(|&(arm, at)| {
                let samples = &self.extras.arms[arm].attacks[at].samples;
                if samples.is_empty() {
                    return Err(ReportError::Unaligned {
                        place: format!("{}, seed {}, {key}", self.name, self.report.arms[arm].seed),
                        reason: "samples.csv is missing, empty or broken".to_owned(),
                    });
                }
                Ok(samples.iter().map(|sample| (Path::new(&sample.path), sample)).collect())
            })
            .collect::<Result<_, _>>()?;
        let samples = &self.extras.arms[first].attacks[at].samples;
        let common = in_all(samples.iter().map(|sample| Path::new(&sample.path)), &tables, &place)?;
        let names = self.group_names(first, &common, &place)?;
        let samples: Vec<Vec<&SampleResult>> =
            tables.iter().map(|table| common.iter().map(|path| table[path]).collect()).collect();
        let right = |(samples, &(arm, at)): (&Vec<&SampleResult>, &(usize, usize))| {
            let threshold = self.report.arms[arm].attacks[at].threshold as f32;
            samples.iter().map(|sample| attacked(sample, threshold)).collect()
        };
        Ok(Some(Attacked {
            right: samples.iter().zip(&places).map(right).collect(),
            arms: places.iter().map(|(arm, _)| *arm).collect(),
            samples,
            groups: Groups::new(&names),
        }))
    }

    fn scores(&self, arm: usize) -> Result<HashMap<&Path, &Score>, ReportError> {
        scores_by_path(&self.report.arms[arm], &self.extras.arms[arm])
    }

    /// The groups of attacked pictures, which the scores have.
    fn group_names(&self, arm: usize, paths: &[&Path], place: &str) -> Result<Vec<String>, ReportError> {
        let scores = self.scores(arm)?;
        let group = |path: &&Path| match scores.get(path) {
            Some(line) => Ok(line.sample.group.clone()),
            None => Err(ReportError::Unaligned {
                place: place.to_owned(),
                reason: format!("{} was attacked and is not in scores.csv", path.display()),
            }),
        };
        paths.iter().map(group).collect()
    }

    /// The figures that are defined, under their names and the attacks `keys`, all of one norm and
    /// radius.
    fn named<const N: usize>(
        &self,
        found: [(&str, Option<OverSeeds>); N],
        arms: &[usize],
        groups: &Groups,
        keys: &[String],
    ) -> Vec<ArmFigure> {
        let arm = &self.report.arms[arms[0]];
        let attack = |key: &String| arm.attack_place(key).map(|place| &arm.attacks[place]);
        let attacks: Vec<&AttackReport> = keys.iter().filter_map(attack).collect();
        let first = attacks.first();
        let under = match (&keys, first) {
            ([key], _) => Some(key.clone()),
            (_, Some(first)) => Some(format!("{} {}", first.norm, first.threat().radius())),
            _ => None,
        };
        let figure = |(name, found): (&str, Option<OverSeeds>)| {
            let found = found?;
            let seeds = arms.iter().zip(&found.values);
            let seed =
                |(&arm, &value): (&usize, &f64)| SeedFigure { seed: self.report.arms[arm].seed, value };
            Some(ArmFigure {
                arm: self.name.to_owned(),
                figure: name.to_owned(),
                attack: under.clone(),
                methods: attacks.iter().map(|attack| attack.method.clone()).collect(),
                norm: first.map(|attack| attack.norm),
                eps_255: first.map(|attack| attack.eps_255),
                mean: found.mean.value,
                deviation: found.deviation,
                low: found.mean.low,
                high: found.mean.high,
                scope: found.scope,
                seeds: seeds.map(seed).collect(),
                pictures: groups.pictures(),
                groups: groups.count(),
            })
        };
        found.into_iter().filter_map(figure).collect()
    }
}

impl<'a> Attacked<'a> {
    /// The share of the pictures for which `of` gives (counts, is of the share).
    fn share(&self, seed: u64, of: impl Fn(&SampleResult, bool) -> (bool, bool)) -> Option<OverSeeds> {
        let counted = |(samples, right): (&Vec<&SampleResult>, &Vec<bool>)| {
            let (counts, good) = samples.iter().zip(right).map(|(sample, &right)| of(sample, right)).unzip();
            Counted { counts, good }
        };
        let counted: Vec<Counted> = self.samples.iter().zip(&self.right).map(counted).collect();
        share(&counted, &self.groups, seed)
    }

    /// For each seed, which pictures are right before and after.
    fn stands(&self) -> Vec<HashMap<&'a Path, bool>> {
        let of = |(samples, right): (&Vec<&'a SampleResult>, &Vec<bool>)| {
            let stands = |(sample, &right): (&'a SampleResult, &bool)| {
                (Path::new(&sample.path), right && !sample.success)
            };
            samples.iter().copied().zip(right).map(stands).collect()
        };
        self.samples.iter().zip(&self.right).map(of).collect()
    }

    /// The median distance over the pictures right before, of which those that nothing turned over
    /// are farther than any that was; `None` where the attack looks for none, or fewer than half
    /// were turned over at a seed. On a draw with fewer, the longest distance found stands for the
    /// median: the interval's upper end is then a lower bound.
    fn median_distance(&self, seed: u64) -> Option<OverSeeds> {
        let sorted = |(samples, right): (&Vec<&SampleResult>, &Vec<bool>)| {
            let of = |place: usize| (samples[place].distance.unwrap_or(f64::INFINITY), place);
            let mut sorted: Vec<(f64, usize)> =
                (0..samples.len()).filter(|&place| right[place]).map(of).collect();
            sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
            sorted
        };
        let seeds: Vec<Vec<(f64, usize)>> = self.samples.iter().zip(&self.right).map(sorted).collect();
        let found = |seed: &[(f64, usize)]| -> Vec<f64> {
            seed.iter().map(|(distance, _)| *distance).filter(|distance| distance.is_finite()).collect()
        };
        let once = vec![1; self.groups.pictures()];
        if !seeds.iter().all(|seed| median(seed, &once).is_some_and(f64::is_finite)) {
            return None;
        }
        let longest: Vec<f64> =
            seeds.iter().map(|seed| found(seed).into_iter().fold(0.0, f64::max)).collect();
        let of = |seed: usize, weights: &[u32]| Some(median(&seeds[seed], weights)?.min(longest[seed]));
        let mut over = drawn(seeds.len(), &self.groups, seed, None, of)?;
        if over.mean.low == over.mean.high {
            // No draw differs: all that is known is what was found.
            let all = || seeds.iter().flat_map(|seed| found(seed));
            over.mean.low = all().fold(over.mean.low, f64::min);
            over.mean.high = all().fold(over.mean.high, f64::max);
        }
        Some(over)
    }
}

/// The median of `sorted` (value, picture) where picture i counts `weights[i]` times, on the line
/// between the two in the middle; infinite where one of these is, `None` without any.
fn median(sorted: &[(f64, usize)], weights: &[u32]) -> Option<f64> {
    let total: u64 = sorted.iter().map(|(_, picture)| u64::from(weights[*picture])).sum();
    let at = |place: u64| {
        let mut passed = 0;
        sorted.iter().find_map(|(value, picture)| {
            passed += u64::from(weights[*picture]);
            (passed > place).then_some(*value)
        })
    };
    let last = total.checked_sub(1)?;
    Some(0.5 * (at(last / 2)? + at(last.div_ceil(2))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_by_hand() {
        let of = |values: &[f64], weights: &[u32]| {
            let sorted: Vec<(f64, usize)> =
                values.iter().enumerate().map(|(place, value)| (*value, place)).collect();
            median(&sorted, weights)
        };
        let endless = f64::INFINITY;
        assert_eq!(of(&[1.0, 2.0, 4.0], &[1; 3]), Some(2.0));
        assert_eq!(of(&[1.0, 2.0, 4.0, 8.0], &[1; 4]), Some(3.0));
        assert_eq!(of(&[1.0, 2.0, 4.0, 8.0], &[3, 0, 1, 1]), Some(1.0));
        assert_eq!(of(&[1.0, 2.0, 4.0], &[0, 1, 1]), Some(3.0));
        assert_eq!(of(&[1.0, 2.0, endless], &[1; 3]), Some(2.0));
        assert_eq!(of(&[1.0, endless], &[1; 2]), Some(endless));
        assert_eq!(of(&[1.0], &[0]), None);
        assert_eq!(of(&[], &[]), None);
    }
}
