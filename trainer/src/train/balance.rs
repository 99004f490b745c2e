//! Balancing of unequal classes and subsets.

use dfrt_runtime::sample::{Label, Sample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How unequal classes and subsets (generators, sources) are balanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Not at all.
    None,
    /// Each class has the same weight in the loss: n / (2 n_class) per picture.
    Loss,
    /// Each class is sampled equally often: the smaller one is repeated.
    Sampling,
    /// Each class has the same weight in the loss, and so has each subset of a class.
    SubsetLoss,
    /// Each class is sampled equally often, and so is each subset of a class.
    SubsetSampling,
}

/// An unknown name of a balance.
#[derive(Debug, thiserror::Error)]
#[error("balance `{0}` is unknown; choose none, loss, sampling, subset-loss or subset-sampling")]
pub struct UnknownBalance(String);

impl std::str::FromStr for Balance {
    type Err = UnknownBalance;

    fn from_str(name: &str) -> Result<Self, UnknownBalance> {
        match name {
            "none" => Ok(Self::None),
            "loss" => Ok(Self::Loss),
            "sampling" => Ok(Self::Sampling),
            "subset-loss" => Ok(Self::SubsetLoss),
            "subset-sampling" => Ok(Self::SubsetSampling),
            _ => Err(UnknownBalance(name.to_owned())),
        }
    }
}

/// The weight of each picture in the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct LossWeights {
    /// Weight of each class.
    real: f32,
    fake: f32,
    /// Weight of each sample within its class, with mean 1 over the class; empty if all are 1.
    within: Vec<f32>,
}

impl LossWeights {
    /// The weights of `samples` (of both classes). `balance` determines whether classes and subsets
    /// have equal weights; each subset's weight is then multiplied by that in `subsets` (1 if it is
    /// absent), which does not change the weight of its class.
    pub fn of(samples: &[Sample], balance: Balance, subsets: &BTreeMap<String, f32>) -> Self {
        let of = |label: Label| samples.iter().filter(move |sample| sample.label == label);
        let class = |label: Label| match balance {
            Balance::Loss | Balance::SubsetLoss => {
                samples.len() as f32 / (2.0 * of(label).count().max(1) as f32)
            }
            Balance::None | Balance::Sampling | Balance::SubsetSampling => 1.0,
        };
        let within = if balance == Balance::SubsetLoss || !subsets.is_empty() {
            within_classes(samples, balance, subsets)
        } else {
            Vec::new()
        };
        Self { real: class(Label::Real), fake: class(Label::Fake), within }
    }

    /// The same weight for all reals, and the same for all fakes.
    pub fn of_classes(real: f32, fake: f32) -> Self {
        Self { real, fake, within: Vec::new() }
    }

    /// The weight of the sample at index `place` with the label `label`.
    pub fn weight(&self, label: Label, place: usize) -> f32 {
        let class = match label {
            Label::Real => self.real,
            Label::Fake => self.fake,
        };
        class * self.within.get(place).copied().unwrap_or(1.0)
    }
}

fn within_classes(samples: &[Sample], balance: Balance, subsets: &BTreeMap<String, f32>) -> Vec<f32> {
    let mut sizes: BTreeMap<(Label, &str), f32> = BTreeMap::new();
    for sample in samples {
        *sizes.entry((sample.label, &sample.subset)).or_default() += 1.0;
    }
    let share = |label: Label, subset: &str| {
        let size = if balance == Balance::SubsetLoss { sizes[&(label, subset)] } else { 1.0 };
        subsets.get(subset).copied().unwrap_or(1.0) / size
    };
    // The sum over a class is its number of pictures, whatever the subsets weigh.
    let mut totals: BTreeMap<Label, (f32, f32)> = BTreeMap::new();
    for (&(label, subset), &size) in &sizes {
        let (shares, count) = totals.entry(label).or_default();
        *shares += size * share(label, subset);
        *count += size;
    }
    let weight = |sample: &Sample| {
        let (shares, count) = totals[&sample.label];
        share(sample.label, &sample.subset) * count / shares
    };
    samples.iter().map(weight).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::sample::Split;

    /// 6 reals of one source, 2 fakes of `swap` and 10 of `gan`.
    fn samples() -> Vec<Sample> {
        let counts = [("ffhq", Label::Real, 6), ("swap", Label::Fake, 2), ("gan", Label::Fake, 10)];
        let of = |(subset, label, count): (&'static str, Label, usize)| {
            (0..count)
                .map(move |index| Sample::new(format!("{subset}{index}"), label, subset, "", Split::Train))
        };
        counts.into_iter().flat_map(of).collect()
    }

    fn weights(balance: Balance, subsets: &[(&str, f32)]) -> [f32; 3] {
        let subsets = subsets.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect();
        let samples = samples();
        let weights = LossWeights::of(&samples, balance, &subsets);
        let sum = |subset: &str| {
            let of = samples.iter().enumerate().filter(|(_, sample)| sample.subset == subset);
            of.map(|(place, sample)| weights.weight(sample.label, place)).sum()
        };
        ["ffhq", "swap", "gan"].map(sum)
    }

    #[test]
    fn each_class_and_each_subset_counts_as_it_should() {
        assert_eq!(weights(Balance::None, &[]), [6.0, 2.0, 10.0]);
        assert_eq!(weights(Balance::Loss, &[]), [9.0, 1.5, 7.5]);
        assert_eq!(weights(Balance::Sampling, &[]), [6.0, 2.0, 10.0]);
        assert_eq!(weights(Balance::SubsetLoss, &[]), [9.0, 4.5, 4.5]);
        let near = |got: [f32; 3], wanted: [f32; 3]| {
            assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-4), "{got:?}");
        };
        near(weights(Balance::SubsetLoss, &[("swap", 2.0)]), [9.0, 6.0, 3.0]);
        near(weights(Balance::None, &[("swap", 5.0)]), [6.0, 6.0, 6.0]);
        near(weights(Balance::Loss, &[("gan", 0.0)]), [9.0, 9.0, 0.0]);
    }
}
