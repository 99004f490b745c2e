//! Near copies across splits: the same photograph encoded again, scaled, mirrored, or forged, in
//! two splits. Within a split this is normal (a fake is near the photograph that it was made
//! from) and not searched. For exact copies see `copies`.
//!
//! Not found: crops by more than about one per cent of the side, rotations, and forgeries that
//! change most of the picture.

use super::finding::{Case, Check, Finding, Verdict};
use super::fingerprint::{self, RADIUS, Similarity};
use super::inspected::{Inspected, path_of};
use super::neighbours::Neighbours;
use crate::sample::Split;
use rayon::prelude::*;
use std::collections::HashMap;

/// The most pictures whose thumbnails are compared with one picture's, nearest hashes first: one
/// match is enough.
const COMPARED: usize = 128;

/// A picture of a later split and the nearest one of an earlier split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pair {
    /// Index of the picture of the later split.
    pub later: usize,
    /// Index of the picture of the earlier split.
    pub earlier: usize,
    /// Bits in which their hashes differ.
    pub bits: u32,
    /// Whether one is mirrored.
    pub mirrored: bool,
    /// How similar they are.
    pub similarity: Similarity,
}

/// The result of the search.
pub(super) struct Search {
    /// At most one pair for each later picture and earlier split, in the order of splits
    /// and pictures.
    pub pairs: Vec<Pair>,
    /// Pictures with too little detail to be compared.
    pub featureless: usize,
    /// Pictures without a match that had more candidates than were compared.
    pub cut_short: usize,
}

/// Searches for every picture of val and test among those of earlier splits.
pub(super) fn search(inspected: &[Inspected<'_>]) -> Search {
    let of = |split: Split| -> Vec<usize> {
        let places = 0..inspected.len();
        let usable = |&place: &usize| {
            inspected[place].0.split == split && !inspected[place].1.fingerprint.is_featureless()
        };
        places.into_par_iter().filter(usable).collect()
    };
    let splits = Split::ALL.map(of);
    let mut found = Search {
        pairs: Vec::new(),
        featureless: inspected.len() - splits.iter().map(Vec::len).sum::<usize>(),
        cut_short: 0,
    };
    for (number, earlier) in splits.iter().enumerate() {
        let index = Index::new(inspected, earlier);
        for later in &splits[number + 1..] {
            let searched: Vec<(Option<Pair>, bool)> =
                later.par_iter().map(|&place| index.nearest(inspected, place)).collect();
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
    fn new(inspected: &[Inspected<'_>], of: &[usize]) -> Self {
        let mut known: HashMap<u64, usize> = HashMap::new();
        let (mut hashes, mut places) = (Vec::new(), Vec::<Vec<usize>>::new());
        for &place in of {
            let hash = inspected[place].1.fingerprint.hash;
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
    fn nearest(&self, inspected: &[Inspected<'_>], place: usize) -> (Option<Pair>, bool) {
        let own = &inspected[place].1;
        let mut candidates: Vec<(u32, bool, u32)> = Vec::new();
        for (hash, mirrored) in [(own.fingerprint.hash, false), (own.fingerprint.mirrored, true)] {
            self.hashes.search(hash, |number, bits| candidates.push((bits, mirrored, number)));
        }
        candidates.sort_unstable();
        let mut compared = 0;
        for (bits, mirrored, number) in candidates {
            for &earlier in &self.places[number as usize] {
                let other = &inspected[earlier].1;
                if own.pixels.is_some() && other.pixels == own.pixels {
                    continue;
                }
                if compared == COMPARED {
                    return (None, true);
                }
                compared += 1;
                let similarity = fingerprint::compare(&own.fingerprint, &other.fingerprint, mirrored);
                if similarity.is_one_photograph() {
                    return (Some(Pair { later: place, earlier, bits, mirrored, similarity }), false);
                }
            }
        }
        (None, false)
    }
}

/// The finding of the check.
pub(super) fn check(inspected: &[Inspected<'_>], search: &Search) -> Finding {
    let split = |place: usize| inspected[place].0.split;
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
            (Verdict::Ok, "no photograph of one split is in another, encoded again or altered".to_owned())
        }
        false => (
            Verdict::Leak,
            format!(
                "photographs of one split are in another, encoded again, mirrored or altered: {}",
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
    let cases = search.pairs.iter().map(|pair| case(inspected, pair));
    finding
        .figure("featureless", search.featureless)
        .figure("cut_short", search.cut_short)
        .cases(cases.collect())
}

fn case(inspected: &[Inspected<'_>], pair: &Pair) -> Case {
    let (later, earlier) = (inspected[pair.later].0, inspected[pair.earlier].0);
    let Similarity { correlation, same_blocks } = pair.similarity;
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

/// DFFD's FaceApp pictures of val and test are made from FFHQ's photographs of train (its lists
/// were drawn for each subset apart), so people are in two splits though no file is. `None` where
/// the set does not have both subsets in such splits.
pub(super) fn faceapp(inspected: &[Inspected<'_>], search: &Search) -> Option<Finding> {
    let is = |place: usize, subset: &str| inspected[place].0.subset.eq_ignore_ascii_case(subset);
    let later = |place: usize| inspected[place].0.split != Split::Train;
    let faceapp = (0..inspected.len()).filter(|&place| is(place, "faceapp") && later(place)).count();
    let ffhq = (0..inspected.len()).filter(|&place| is(place, "ffhq") && !later(place)).count();
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
    Some(finding.cases(found.into_iter().map(|pair| case(inspected, pair)).collect()))
}
