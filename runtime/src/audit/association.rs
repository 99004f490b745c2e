//! How well one number or name of each picture separates real from fake, with confidence
//! intervals.
//!
//! Two figures. The *balanced accuracy* of a rule: values are put into bins, and a bin predicts
//! the class that is more frequent in it, with both classes weighted equally. The rule for a
//! picture is made from the other half of the groups (persons or videos), so that chance gives
//! one half. A rule need not be a threshold: it also separates fakes that lie between two kinds
//! of reals. The *AUC* of the number itself (0.5 chance; under 0.5 where it is smaller for
//! fakes).
//!
//! The intervals treat the pictures of a person or video as dependent: the variance is that of
//! the sum over groups (for the AUC Obuchowski 1997, Biometrics 53), and Wilson's interval is
//! computed for the number of independent pictures with that variance. Where the variance comes
//! from a few groups only (nearly all pictures right, or few people), that number is at most the
//! number of groups of the smaller class. The intervals are wider than 95 % because an audit has
//! about two hundred: all of two hundred hold with 95 %.

use crate::metrics::intervals::wilson_at;
use crate::random;
use crate::sample::Label;
use serde::Serialize;

/// Two-sided quantile of the normal distribution at 0.05 / 400.
const Z: f64 = 3.836;
/// The groups are split in two halves, and each gives the rule for the other. More folds would
/// give better rules, but without an association the figure would then mostly be a little above
/// one half, and sometimes far below.
const FOLDS: usize = 2;
/// How much more a figure of two rules varies by chance than one of as many independent pictures:
/// where a bin deviates by x in one half and by y in the other, the pictures judged rightly are
/// sign(x y) (|x| + |y|) more than half, whose variance is 1 + 2 / pi times that of x + y.
const CROSSED: f64 = 1.0 + std::f64::consts::FRAC_2_PI;
/// The variance is used where it comes from at least this many groups.
const ENOUGH_GROUPS: f64 = 20.0;
/// The most bins of a number.
const MOST_BINS: usize = 32;

/// A figure with its interval, see the module's text.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One value a picture.
#[derive(Clone, Debug)]
pub enum Values {
    /// Numbers; NaN where a picture has none.
    Numbers(Vec<f32>),
    /// Names, numbered from 0.
    Names(Vec<u32>),
}

/// The pictures' labels and groups.
#[derive(Clone, Debug)]
pub struct Design {
    labels: Vec<Label>,
    /// The group of each picture, from 0.
    groups: Vec<u32>,
    /// The fold of each group.
    folds: Vec<u8>,
}

/// How well a value separates the classes among some of the pictures.
#[derive(Clone, Debug)]
pub struct Association {
    /// The balanced accuracy of the rule made from other groups.
    pub balanced_accuracy: Interval,
    /// The AUC of the number; `None` for names and where some pictures have no number.
    pub auc: Option<Interval>,
    /// For each picture whether the rule is right (1), undecided (0.5), wrong (0), or the picture
    /// is not among those selected (NaN).
    pub right: Vec<f32>,
}

impl Association {
    /// The lower bound of its distance from chance: the larger of the lower ends of the balanced
    /// accuracy's and the AUC's interval, minus 0.5; an AUC below 0.5 is turned round.
    pub fn excess(&self) -> f64 {
        let auc = self.auc.map_or(0.0, |auc| auc.low.max(1.0 - auc.high));
        self.balanced_accuracy.low.max(auc)
    }
}

impl Design {
    /// For pictures with `labels` in `groups`, aligned.
    pub fn new<'a>(labels: Vec<Label>, groups: impl Iterator<Item = &'a str>) -> Self {
        let mut numbers = std::collections::HashMap::new();
        let numbered = groups.map(|group| {
            let next = numbers.len() as u32;
            *numbers.entry(group).or_insert(next)
        });
        let groups: Vec<u32> = numbered.collect();
        let fold = |group: usize| {
            (random::key(0, &["audit fold".into(), (group as u64).into()]) % FOLDS as u64) as u8
        };
        let folds = (0..numbers.len()).map(fold).collect();
        assert_eq!(labels.len(), groups.len(), "one group a label");
        Self { labels, groups, folds }
    }

    /// The association of `values` with the labels among the pictures `of`; `None` where these
    /// are of one class or in one fold.
    pub fn association(&self, values: &Values, of: &dyn Fn(usize) -> bool) -> Option<Association> {
        let chosen: Vec<usize> = (0..self.labels.len()).filter(|&place| of(place)).collect();
        let tally = Tally::of(self, &chosen);
        if tally.independent() == 0 {
            return None;
        }
        let right = self.rule(values, &chosen)?;
        let auc = match values {
            Values::Numbers(numbers) if chosen.iter().all(|&place| !numbers[place].is_nan()) => {
                Some(self.auc(numbers, &chosen, &tally))
            }
            _ => None,
        };
        Some(Association { balanced_accuracy: self.balanced(&right, &chosen, &tally), auc, right })
    }

    /// For each picture whether the rule made from other folds is right.
    fn rule(&self, values: &Values, chosen: &[usize]) -> Option<Vec<f32>> {
        let (bins, count) = bins(values, chosen);
        let fold = |place: usize| usize::from(self.folds[self.groups[place] as usize]);
        let class = |place: usize| usize::from(self.labels[place] == Label::Fake);
        let mut counts = vec![[[0_u32; 2]; FOLDS]; count];
        let mut sizes = [[0_u32; 2]; FOLDS];
        for (&place, &bin) in chosen.iter().zip(&bins) {
            counts[bin as usize][fold(place)][class(place)] += 1;
            sizes[fold(place)][class(place)] += 1;
        }
        let elsewhere = |of: &[[u32; 2]; FOLDS], fold: usize, class: usize| -> u64 {
            (0..FOLDS).filter(|&other| other != fold).map(|other| u64::from(of[other][class])).sum()
        };
        let folds: Vec<usize> = (0..FOLDS).filter(|&fold| sizes[fold] != [0, 0]).collect();
        let learnable = |&fold: &usize| (0..2).all(|class| elsewhere(&sizes, fold, class) > 0);
        if folds.len() < 2 || !folds.iter().all(learnable) {
            return None;
        }
        // The prediction of each bin in each fold: its share of the fakes minus that of the
        // reals.
        let says = |bin: &[[u32; 2]; FOLDS], fold: usize| {
            let share = |class: usize| elsewhere(bin, fold, class) * elsewhere(&sizes, fold, 1 - class);
            share(1).cmp(&share(0))
        };
        let mut right = vec![f32::NAN; self.labels.len()];
        for (&place, &bin) in chosen.iter().zip(&bins) {
            let for_fake = match says(&counts[bin as usize], fold(place)) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
            right[place] = if class(place) == 1 { for_fake } else { 1.0 - for_fake };
        }
        Some(right)
    }

    fn balanced(&self, right: &[f32], chosen: &[usize], tally: &Tally) -> Interval {
        let mut sums = [0.0; 2];
        for &place in chosen {
            sums[tally.class(self, place)] += f64::from(right[place]);
        }
        let means = [sums[0] / tally.pictures[0], sums[1] / tally.pictures[1]];
        let influence = |place: usize| {
            let class = tally.class(self, place);
            (f64::from(right[place]) - means[class]) / (2.0 * tally.pictures[class])
        };
        let crossed = |place: usize| CROSSED.sqrt() * influence(place);
        self.interval(0.5 * (means[0] + means[1]), crossed, chosen, tally)
    }

    fn auc(&self, numbers: &[f32], chosen: &[usize], tally: &Tally) -> Interval {
        let mut order = chosen.to_vec();
        // `+ 0.0` makes -0 and +0 one value.
        let number = |place: usize| numbers[place] + 0.0;
        order.sort_unstable_by(|&a, &b| number(a).total_cmp(&number(b)).then(a.cmp(&b)));
        // For each picture the share of the other class that is ranked correctly against it.
        let mut placed = vec![0.0; numbers.len()];
        let mut before = [0.0; 2];
        for tied in order.chunk_by(|&a, &b| number(a) == number(b)) {
            let mut here = [0.0; 2];
            tied.iter().for_each(|&place| here[tally.class(self, place)] += 1.0);
            for &place in tied {
                placed[place] = match tally.class(self, place) {
                    1 => (before[0] + 0.5 * here[0]) / tally.pictures[0],
                    _ => (tally.pictures[1] - before[1] - 0.5 * here[1]) / tally.pictures[1],
                };
            }
            before = [before[0] + here[0], before[1] + here[1]];
        }
        let fakes = chosen.iter().filter(|&&place| tally.class(self, place) == 1);
        let auc = fakes.map(|&place| placed[place]).sum::<f64>() / tally.pictures[1];
        let influence = |place: usize| (placed[place] - auc) / tally.pictures[tally.class(self, place)];
        self.interval(auc, influence, chosen, tally)
    }

    /// Wilson's interval about `value`, whose deviation is the sum of the influences.
    fn interval(
        &self,
        value: f64,
        influence: impl Fn(usize) -> f64,
        chosen: &[usize],
        tally: &Tally,
    ) -> Interval {
        let mut by_group = vec![0.0; self.folds.len()];
        for &place in chosen {
            by_group[self.groups[place] as usize] += influence(place);
        }
        let variance: f64 = by_group.iter().map(|sum| sum.powi(2)).sum();
        let fourth: f64 = by_group.iter().map(|sum| sum.powi(4)).sum();
        // A rest from rounding counts as zero. The ratio is the effective number of groups.
        let varies = variance > 1e-20;
        let enough = varies && variance * variance / fourth >= ENOUGH_GROUPS;
        let most = if enough { f64::INFINITY } else { tally.independent() as f64 };
        let n = if varies { (value * (1.0 - value) / variance).min(most) } else { most };
        // Rounding may put a sum of many terms slightly outside [0, 1].
        let around = wilson_at(value.clamp(0.0, 1.0), n.max(1.0), Z);
        Interval { value: around.value, low: around.low, high: around.high }
    }
}

/// How many pictures and groups of each class there are, reals first.
struct Tally {
    pictures: [f64; 2],
    groups: [usize; 2],
}

impl Tally {
    fn of(design: &Design, chosen: &[usize]) -> Self {
        let mut seen = [vec![false; design.folds.len()], vec![false; design.folds.len()]];
        let mut tally = Self { pictures: [0.0; 2], groups: [0; 2] };
        for &place in chosen {
            let class = tally.class(design, place);
            let seen = &mut seen[class][design.groups[place] as usize];
            tally.pictures[class] += 1.0;
            tally.groups[class] += usize::from(!*seen);
            *seen = true;
        }
        tally
    }

    fn class(&self, design: &Design, place: usize) -> usize {
        usize::from(design.labels[place] == Label::Fake)
    }

    fn independent(&self) -> usize {
        self.groups[0].min(self.groups[1])
    }
}

/// The bin of each chosen picture, and how many bins there are. Numbers are cut into bins of
/// about equally many pictures, equal numbers together, independent of the labels; missing
/// numbers have a bin of their own.
fn bins(values: &Values, chosen: &[usize]) -> (Vec<u32>, usize) {
    let numbers = match values {
        Values::Names(names) => {
            let bins: Vec<u32> = chosen.iter().map(|&place| names[place]).collect();
            let count = bins.iter().max().map_or(0, |&last| last as usize + 1);
            return (bins, count);
        }
        Values::Numbers(numbers) => numbers,
    };
    let mut sorted: Vec<f32> =
        chosen.iter().map(|&place| numbers[place]).filter(|number| !number.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let wanted = ((sorted.len() as f64).sqrt() / 2.0) as usize;
    let wanted = wanted.clamp(2, MOST_BINS);
    // The lowest number of every bin except the first.
    let mut cuts: Vec<f32> =
        (1..wanted).filter_map(|bin| sorted.get(bin * sorted.len() / wanted).copied()).collect();
    cuts.dedup();
    let absent = cuts.len() as u32 + 1;
    let bin = |&place: &usize| match numbers[place] {
        number if number.is_nan() => absent,
        number => cuts.partition_point(|cut| *cut <= number) as u32,
    };
    (chosen.iter().map(bin).collect(), cuts.len() + 2)
}

#[cfg(test)]
mod tests;
