//! Exact copies: pictures whose decoded pixels are equal, bit for bit, whatever their files'
//! bytes, by SHA-256. Copies that were encoded again are near copies, see `near`.

use super::finding::{Case, Check, Finding, Verdict, counted};
use super::inspected::{Inspected, Progress, path_of};
use super::inspection::pixels_sha256;
use crate::sample::{Label, Split};
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The share of copies within a split that gives a warning.
const MANY: f64 = 0.01;

/// The three checks.
pub(super) fn check(inspected: &[Inspected<'_>]) -> [Finding; 3] {
    let sets = sets(inspected);
    [within(inspected, &sets), across_splits(inspected, &sets), across_labels(inspected, &sets)]
}

/// Hashes the pixels of all pictures with the same thumbnail and statistics as another one. A set
/// has few of those, so reading them again costs less than hashing every picture.
pub(super) fn hash(inspected: &mut [Inspected<'_>], progress: &(dyn Fn(Progress) + Sync)) {
    let mut by_key: HashMap<u64, Vec<usize>> = HashMap::new();
    for (place, (_, inspection)) in inspected.iter().enumerate() {
        by_key.entry(inspection.pixel_key()).or_default().push(place);
    }
    let compare: Vec<usize> = by_key.into_values().filter(|places| places.len() > 1).flatten().collect();
    let (done, total) = (AtomicUsize::new(0), compare.len());
    let hashed = |&place: &usize| {
        let pixels = pixels_sha256(&inspected[place].0.path).ok();
        progress(Progress::Hashed { done: done.fetch_add(1, Ordering::Relaxed) + 1, total });
        pixels
    };
    let hashes: Vec<Option<[u8; 32]>> = compare.par_iter().map(hashed).collect();
    for (place, pixels) in compare.into_iter().zip(hashes) {
        inspected[place].1.pixels = pixels;
    }
}

/// Indices of pictures with equal pixels, in sets of two or more, in the order of the first.
fn sets(inspected: &[Inspected<'_>]) -> Vec<Vec<usize>> {
    let mut by_pixels: HashMap<&[u8; 32], Vec<usize>> = HashMap::new();
    for (place, (_, inspection)) in inspected.iter().enumerate() {
        if let Some(pixels) = &inspection.pixels {
            by_pixels.entry(pixels).or_default().push(place);
        }
    }
    let mut sets: Vec<Vec<usize>> = by_pixels.into_values().filter(|set| set.len() > 1).collect();
    sets.sort_unstable();
    sets
}

fn case(inspected: &[Inspected<'_>], set: &[usize]) -> Case {
    let samples = || set.iter().map(|&place| inspected[place].0);
    let places: Vec<String> =
        samples().map(|sample| format!("{}/{}/{}", sample.split, sample.subset, sample.label)).collect();
    Case { paths: samples().map(path_of).collect(), note: format!("equal pixels: {}", places.join(", ")) }
}

fn within(inspected: &[Inspected<'_>], sets: &[Vec<usize>]) -> Finding {
    let mut surplus = 0;
    let mut cases = Vec::new();
    for set in sets {
        let kinds: BTreeSet<(Split, Label)> =
            set.iter().map(|&place| (inspected[place].0.split, inspected[place].0.label)).collect();
        if set.len() > kinds.len() {
            surplus += set.len() - kinds.len();
            cases.push(case(inspected, set));
        }
    }
    let share = surplus as f64 / inspected.len().max(1) as f64;
    let verdict = match surplus {
        0 => Verdict::Ok,
        _ if share < MANY => Verdict::Note,
        _ => Verdict::Warning,
    };
    let what = match surplus {
        0 => "no picture is twice in a split with one label".to_owned(),
        _ => format!(
            "{} ({:.2} %) of others of the same split and label, pixel for pixel",
            counted(surplus, "copy"),
            100.0 * share
        ),
    };
    Finding::new(Check::Copies, verdict, what)
        .advice("keep one of each: copies weigh double in training and make intervals too narrow")
        .figure("sets", cases.len())
        .figure("surplus", surplus)
        .figure("share", share)
        .cases(cases)
}

fn across_splits(inspected: &[Inspected<'_>], sets: &[Vec<usize>]) -> Finding {
    let splits =
        |set: &[usize]| -> BTreeSet<Split> { set.iter().map(|&place| inspected[place].0.split).collect() };
    let across: Vec<&Vec<usize>> = sets.iter().filter(|set| splits(set).len() > 1).collect();
    // A picture counts in the later split, where it is tested.
    let mut repeated = 0;
    let mut tested = 0;
    for set in &across {
        let first = splits(set).first().copied();
        repeated += set.iter().filter(|&&place| Some(inspected[place].0.split) != first).count();
        tested += set.iter().filter(|&&place| inspected[place].0.split == Split::Test).count();
    }
    let (verdict, what) = match repeated {
        0 => (Verdict::Ok, "no picture is in two splits".to_owned()),
        _ => (
            Verdict::Leak,
            format!(
                "{} of an earlier split, pixel for pixel ({tested} in test)",
                if repeated == 1 {
                    "1 picture is one".to_owned()
                } else {
                    format!("{repeated} pictures are ones")
                }
            ),
        ),
    };
    Finding::new(Check::CopiesAcrossSplits, verdict, what)
        .advice(
            "take them out of val and test, or out of train: what is tested on must not have been trained on",
        )
        .figure("sets", across.len())
        .figure("repeated", repeated)
        .figure("in_test", tested)
        .cases(across.into_iter().map(|set| case(inspected, set)).collect())
}

fn across_labels(inspected: &[Inspected<'_>], sets: &[Vec<usize>]) -> Finding {
    let both = |set: &&Vec<usize>| {
        [Label::Real, Label::Fake]
            .iter()
            .all(|label| set.iter().any(|&place| inspected[place].0.label == *label))
    };
    let cases: Vec<Case> = sets.iter().filter(both).map(|set| case(inspected, set)).collect();
    let (verdict, what) = match cases.len() {
        0 => (Verdict::Ok, "no picture is labelled both real and fake".to_owned()),
        count => (
            Verdict::Error,
            format!("{} labelled real and, pixel for pixel, also fake", counted(count, "picture")),
        ),
    };
    Finding::new(Check::CopiesAcrossLabels, verdict, what)
        .advice("find out which label is right; a forgery that changes no pixel is none")
        .figure("pictures", cases.len())
        .cases(cases)
}
