//! Selects pictures of a data set: some subsets, or a few frames of each video. The trainer
//! weights them.

use super::manifest::{Manifest, ManifestError};
use crate::random;
use crate::sample::{Label, Sample, Split};
use rand::seq::SliceRandom;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The pictures of one split of a data set, and those of them that are used.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The path of the data set as given by the user or the model.
    pub name: String,
    /// The split.
    pub split: Split,
    /// All pictures of the split, in the manifest's order.
    pub all: Vec<Sample>,
    /// The pictures that are used.
    pub chosen: Vec<Sample>,
}

impl Chosen {
    /// The pictures that are used, each with its index in the split: its id in results and the key
    /// of its random draws, so that a limit changes no picture's draws.
    ///
    /// # Panics
    /// A picture that is used is not in the split.
    pub fn with_ids(&self) -> Vec<(u64, &Sample)> {
        let ids: HashMap<_, _> =
            self.all.iter().enumerate().map(|(place, sample)| (&sample.path, place as u64)).collect();
        self.chosen.iter().map(|sample| (ids[&sample.path], sample)).collect()
    }
}

impl Manifest {
    /// Keeps the subsets called one of `names`. A name that is one component of a subset's name
    /// selects all such subsets: `Deepfakes` and `c23` both select `Deepfakes/c23`.
    ///
    /// # Errors
    /// A name matches no subset.
    pub fn only(mut self, names: &[impl AsRef<str>]) -> Result<Self, ManifestError> {
        let matching_subsets = self.matching_subsets(names)?;
        self.samples.retain(|sample| matching_subsets.contains(&sample.subset));
        Ok(self)
    }

    /// [`Manifest::only`], except that no names select everything, and a class without a named
    /// subset is kept: naming some generators keeps the real pictures, and naming all but one is
    /// leave-one-generator-out.
    ///
    /// # Errors
    /// Those of [`Manifest::only`].
    pub fn of_subsets(&self, names: &[impl AsRef<str>]) -> Result<Cow<'_, Self>, ManifestError> {
        if names.is_empty() {
            return Ok(Cow::Borrowed(self));
        }
        let matching_subsets = self.matching_subsets(names)?;
        let named = |sample: &&Sample| matching_subsets.contains(&sample.subset);
        let classes: BTreeSet<Label> = self.samples.iter().filter(named).map(|sample| sample.label).collect();
        let kept = |sample: &&Sample| named(sample) || !classes.contains(&sample.label);
        let samples = self.samples.iter().filter(kept).cloned().collect();
        let (skipped, rules) = (self.skipped.clone(), self.rules.clone());
        Ok(Cow::Owned(Self { samples, skipped, rules }))
    }

    /// The subsets that `names` match.
    fn matching_subsets(&self, names: &[impl AsRef<str>]) -> Result<BTreeSet<String>, ManifestError> {
        let known: BTreeSet<&str> = self.samples.iter().map(|sample| sample.subset.as_str()).collect();
        let mut matching_subsets = BTreeSet::new();
        for name in names {
            let name = name.as_ref();
            let matches_name = |subset: &&str| *subset == name || subset.split('/').any(|part| part == name);
            let mut found = known.iter().copied().filter(matches_name).peekable();
            if found.peek().is_none() {
                let known = known.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(ManifestError::NoSubset { name: name.to_owned(), known });
            }
            matching_subsets.extend(found.map(str::to_owned));
        }
        Ok(matching_subsets)
    }
}

/// The indices into `samples` of at most `n` pictures of each video (group, subset and class),
/// ascending. The draw differs for each `epoch`; the draw of one video does not depend on other
/// videos.
pub fn frames_of_each_video(samples: &[Sample], n: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut videos: BTreeMap<(&str, &str, Label), Vec<usize>> = BTreeMap::new();
    for (place, sample) in samples.iter().enumerate() {
        videos.entry((&sample.group, &sample.subset, sample.label)).or_default().push(place);
    }
    let mut chosen = Vec::new();
    for ((group, subset, label), mut places) in videos {
        if places.len() > n {
            let label = label.to_string();
            let name =
                ["frames".into(), group.into(), subset.into(), label.as_str().into(), (epoch as u64).into()];
            places.shuffle(&mut random::stream(seed, &name));
            places.truncate(n);
        }
        chosen.extend(places);
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Split;

    /// Reals of two sources, fakes of three generators, six frames of each of two videos.
    fn samples() -> Vec<Sample> {
        let subsets = [
            ("youtube", Label::Real),
            ("actors", Label::Real),
            ("swap", Label::Fake),
            ("gan", Label::Fake),
            ("diffusion", Label::Fake),
        ];
        let of = |(subset, label): (&'static str, Label)| {
            (0..12).map(move |frame| {
                let group = format!("v{}", frame / 6);
                Sample::new(format!("{subset}/{frame}.png"), label, subset, group, Split::Test)
            })
        };
        subsets.into_iter().flat_map(of).collect()
    }

    fn subsets(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let manifest = Manifest::new(samples(), Vec::new());
        let chosen = manifest.of_subsets(&names).unwrap();
        let left: BTreeSet<String> = chosen.samples.iter().map(|sample| sample.subset.clone()).collect();
        left.into_iter().collect()
    }

    #[test]
    fn a_class_of_which_nothing_is_named_stays() {
        assert_eq!(subsets(&[]).len(), 5);
        assert_eq!(subsets(&["swap", "gan"]), ["actors", "gan", "swap", "youtube"]);
        assert_eq!(subsets(&["actors"]), ["actors", "diffusion", "gan", "swap"]);
        assert_eq!(subsets(&["actors", "gan"]), ["actors", "gan"]);
        let manifest = Manifest::new(samples(), Vec::new());
        let error = manifest.of_subsets(&["Swap".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("\"Swap\"") && error.contains("actors, diffusion, gan, swap, youtube"),
            "{error}"
        );
    }

    #[test]
    fn as_many_frames_of_each_video_and_others_each_epoch() {
        let samples = samples();
        let first = frames_of_each_video(&samples, 2, 7, 0);
        assert_eq!(first.len(), 5 * 2 * 2);
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]));
        for video in first.chunks(2) {
            assert_eq!(video[0] / 6, video[1] / 6, "both of one video");
        }
        assert_eq!(first, frames_of_each_video(&samples, 2, 7, 0));
        let epochs: BTreeSet<usize> =
            (0..20).flat_map(|epoch| frames_of_each_video(&samples, 2, 7, epoch)).collect();
        assert_eq!(epochs.len(), samples.len(), "in time every frame is seen");
        assert_eq!(frames_of_each_video(&samples, 9, 7, 0).len(), samples.len());
        // Another video more changes nothing for the first.
        let fewer = frames_of_each_video(&samples[..6], 2, 7, 3);
        assert_eq!(fewer, frames_of_each_video(&samples, 2, 7, 3)[..2]);
    }
}
