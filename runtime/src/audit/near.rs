//! Near copies across splits: the same photograph encoded anew, scaled, mirrored, or with
//! a forgery in it, in two splits. Within a split that is natural (a fake is near the
//! photograph it was made of) and not looked for; exact copies are another check's.
//!
//! Crops by more than about one per cent of the side, rotations and forgeries that change
//! most of the picture are not found by this.

use super::finding::{Case, Check, Finding, Verdict};
use super::fingerprint::{self, Likeness, RADIUS};
use super::looked::{Looked, path_of};
use super::neighbours::Neighbours;
use crate::sample::Split;
use rayon::prelude::*;
use std::collections::HashMap;

/// Pictures that are compared by their thumbnails at most for each picture, nearest
/// hashes first: in sets of countless like pictures one that is found suffices.
const COMPARED: usize = 128;

/// A picture of a later split and its nearest one of an earlier split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    /// Place of the picture of the later split.
    pub later: usize,
    /// Place of that of the earlier one.
    pub earlier: usize,
    /// Bits in which their hashes differ.
    pub bits: u32,
    /// Whether one is mirrored.
    pub mirrored: bool,
    /// How much alike they are.
    pub likeness: Likeness,
}

/// What the search found.
pub(super) struct Search {
    /// At most one pair for each later picture and earlier split, in the order of splits
    /// and pictures.
    pub pairs: Vec<Pair>,
    /// Pictures with too little in them to be compared.
    pub featureless: usize,
    /// Pictures that had more candidates than were compared, none of which was the same.
    pub cut_short: usize,
}

/// Searches every picture of val and test among those of the splits before.
pub(super) fn search(looked: &[Looked<'_>]) -> Search {
    let of = |split: Split| -> Vec<usize> {
        let places = 0..looked.len();
        let usable =
            |&place: &usize| looked[place].0.split == split && !looked[place].1.fingerprint.is_featureless();
        places.into_par_iter().filter(usable).collect()
    };
    let splits = Split::ALL.map(of);
    let mut found = Search {
        pairs: Vec::new(),
        featureless: looked.len() - splits.iter().map(Vec::len).sum::<usize>(),
        cut_short: 0,
    };
    for (number, earlier) in splits.iter().enumerate() {
        let index = Index::new(looked, earlier);
        for later in &splits[number + 1..] {
            let searched: Vec<(Option<Pair>, bool)> =
                later.par_iter().map(|&place| index.nearest(looked, place)).collect();
            found.cut_short += searched.iter().filter(|(_, cut)| *cut).count();
            found.pairs.extend(searched.into_iter().filter_map(|(pair, _)| pair));
        }
    }
    found
}

/// The pictures of one split by their hashes.
struct Index {
    hashes: Neighbours,
    /// The pictures of each different hash.
    places: Vec<Vec<usize>>,
}

impl Index {
    fn new(looked: &[Looked<'_>], of: &[usize]) -> Self {
        let mut known: HashMap<u64, usize> = HashMap::new();
        let (mut hashes, mut places) = (Vec::new(), Vec::<Vec<usize>>::new());
        for &place in of {
            let hash = looked[place].1.fingerprint.hash;
            let number = *known.entry(hash).or_insert_with(|| {
                hashes.push(hash);
                places.push(Vec::new());
                hashes.len() - 1
            });
            places[number].push(place);
        }
        Self { hashes: Neighbours::new(&hashes, RADIUS), places }
    }

    /// The nearest picture that shows the same photograph as the one at `place`, and
    /// whether the search ended before all candidates were compared.
    fn nearest(&self, looked: &[Looked<'_>], place: usize) -> (Option<Pair>, bool) {
        let own = &looked[place].1;
        let mut candidates: Vec<(u32, bool, u32)> = Vec::new();
        for (hash, mirrored) in [(own.fingerprint.hash, false), (own.fingerprint.mirrored, true)] {
            self.hashes.search(hash, |number, bits| candidates.push((bits, mirrored, number)));
        }
        candidates.sort_unstable();
        let mut compared = 0;
        for (bits, mirrored, number) in candidates {
            for &earlier in &self.places[number as usize] {
                let other = &looked[earlier].1;
                if own.pixels.is_some() && other.pixels == own.pixels {
                    continue;
                }
                if compared == COMPARED {
                    return (None, true);
                }
                compared += 1;
                let likeness = fingerprint::alike(&own.fingerprint, &other.fingerprint, mirrored);
                if likeness.is_one_photograph() {
                    return (Some(Pair { later: place, earlier, bits, mirrored, likeness }), false);
                }
            }
        }
        (None, false)
    }
}

/// The check.
pub(super) fn check(looked: &[Looked<'_>], search: &Search) -> Finding {
    let split = |place: usize| looked[place].0.split;
    let count = |earlier: Split, later: Split| {
        search
            .pairs
            .iter()
            .filter(|pair| split(pair.earlier) == earlier && split(pair.later) == later)
            .count()
    };
    let counts = [(Split::Train, Split::Test), (Split::Train, Split::Val), (Split::Val, Split::Test)]
        .map(|(earlier, later)| (earlier, later, count(earlier, later)));
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, _, count)| *count > 0)
        .map(|(earlier, later, count)| format!("{count} of {later} from {earlier}"))
        .collect();
    let (verdict, what) = match parts.is_empty() {
        true => {
            (Verdict::Ok, "no photograph of one split stands encoded anew or altered in another".to_owned())
        }
        false => (
            Verdict::Leak,
            format!(
                "photographs of one split stand encoded anew, mirrored or altered in another: {}",
                parts.join(", ")
            ),
        ),
    };
    let cut = match search.cut_short {
        0 => String::new(),
        count => {
            format!("; {count} pictures look like too many others, only {COMPARED} of which were compared")
        }
    };
    let mut finding = Finding::new(Check::NearCopies, verdict, what + &cut).advice(
        "put a photograph, its copies and the fakes made from it into one split: a detector knows the rest of the \
         picture from training",
    );
    for (earlier, later, count) in counts {
        finding = finding.figure(&format!("{earlier}_{later}"), count);
    }
    let cases = search.pairs.iter().map(|pair| case(looked, pair));
    finding
        .figure("featureless", search.featureless)
        .figure("cut_short", search.cut_short)
        .cases(cases.collect())
}

fn case(looked: &[Looked<'_>], pair: &Pair) -> Case {
    let (later, earlier) = (looked[pair.later].0, looked[pair.earlier].0);
    let Likeness { correlation, same_blocks } = pair.likeness;
    Case {
        paths: vec![path_of(later), path_of(earlier)],
        note: format!(
            "{}/{} is near {}/{}{}: {} bits apart, correlation {correlation:.2}, {:.0} % of the blocks the same",
            later.split,
            later.subset,
            earlier.split,
            earlier.subset,
            if pair.mirrored { ", mirrored" } else { "" },
            pair.bits,
            100.0 * same_blocks
        ),
    }
}

/// DFFD's FaceApp pictures of val and test are made from FFHQ's photographs of train (its
/// lists were drawn for each subset apart), so people are in two splits though no file
/// is. `None` where not both subsets are there in that way.
pub(super) fn faceapp(looked: &[Looked<'_>], search: &Search) -> Option<Finding> {
    let is = |place: usize, subset: &str| looked[place].0.subset.eq_ignore_ascii_case(subset);
    let later = |place: usize| looked[place].0.split != Split::Train;
    let faceapp = (0..looked.len()).filter(|&place| is(place, "faceapp") && later(place)).count();
    let ffhq = (0..looked.len()).filter(|&place| is(place, "ffhq") && !later(place)).count();
    if faceapp == 0 || ffhq == 0 {
        return None;
    }
    let found: Vec<&Pair> = search
        .pairs
        .iter()
        .filter(|pair| is(pair.later, "faceapp") && is(pair.earlier, "ffhq") && !later(pair.earlier))
        .collect();
    let (verdict, evidence) = match found.len() {
        0 => (Verdict::Warning, "no near copy among them shows it".to_owned()),
        count => (Verdict::Leak, format!("{count} of them are near one of its pictures")),
    };
    let what = format!(
        "{faceapp} pictures of val and test are faceapp's, which DFFD made from ffhq's photographs of train \
         ({ffhq} here); {evidence}"
    );
    let finding = Finding::new(Check::Faceapp, verdict, what)
        .advice("give figures of test without faceapp, or leave out of train the photographs that its pictures were made from")
        .figure("faceapp_val_test", faceapp)
        .figure("ffhq_train", ffhq)
        .figure("near_copies", found.len());
    Some(finding.cases(found.into_iter().map(|pair| case(looked, pair)).collect()))
}
