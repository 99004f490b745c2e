//! Checks whether a detector could separate the classes by something other than the forgery: the
//! encoder, the size, the metadata, the brightness. For each attribute it measures a rule that
//! uses nothing else.

use super::association::{Association, Design, Interval, Values};
use super::attributes::{ATTRIBUTES, Attribute, Column};
use super::finding::{Check, Finding, Verdict};
use super::inspected::Inspected;
use crate::sample::{Label, Split};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// An attribute of the file, or of the picture's frame, whose [`Association::excess`] over chance
/// is at least this is a warning: a forged face affects neither.
pub const WARNING: f64 = 0.55;
/// A statistic of the whole picture with at least this excess is a note: the forgery itself may
/// have changed it, as blending softens a face.
pub const PIXELS_NOTE: f64 = 0.55;
/// From this excess on it is a warning: any detector can use so clear a trace.
pub const PIXELS_WARNING: f64 = 0.8;
/// The most names of an attribute that are listed; the others are counted.
const LISTED: usize = 8;

/// How well one attribute alone separates real from fake.
#[derive(Clone, Debug, Serialize)]
pub struct Shortcut {
    /// The attribute: `size`, `area`, `aspect`; `format`, `coding`, `jpeg_quality`,
    /// `jpeg_tables`, `chroma_subsampling`, `colours`; `exif`, `camera`,
    /// `colour_profile`, `metadata`; `bytes_per_pixel`, `brightness`, `contrast`,
    /// `saturation`, `warmth`, `sharpness`, `blockiness`, and the last six again with
    /// `frame_` before them, of the outer eighth of the picture; `edge_step`, `border`.
    pub attribute: &'static str,
    /// The check that it belongs to.
    pub check: Check,
    /// Ok, note or warning.
    pub verdict: Verdict,
    /// Whether all pictures have one value.
    pub constant: bool,
    /// Balanced accuracy of a rule that sees only this attribute and was made from other
    /// persons or videos. Absent where all pictures have one value, or there are too few
    /// groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced_accuracy: Option<Interval>,
    /// AUC of the number as a logit; absent for names too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<Interval>,
    /// Balanced accuracy of the same rule in each split.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_split: BTreeMap<Split, f64>,
    /// The same figures for the fakes of each subset against all reals, where there are several
    /// subsets of fakes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_subset: BTreeMap<String, BySubset>,
    /// The values of reals.
    pub real: Spread,
    /// The values of fakes.
    pub fake: Spread,
}

/// A subset's fakes against all reals.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct BySubset {
    /// See [`Shortcut::balanced_accuracy`].
    pub balanced_accuracy: Interval,
    /// See [`Shortcut::auc`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auc: Option<Interval>,
}

/// The values of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Spread {
    /// Numbers.
    Numbers {
        /// 5 % of the pictures have less.
        p5: Option<f64>,
        /// Half of them have less.
        median: Option<f64>,
        /// 95 % have less.
        p95: Option<f64>,
        /// Pictures without a number.
        without: usize,
    },
    /// Names: the most frequent ones.
    Names {
        /// Pictures by name, the most frequent first.
        pictures: serde_json::Map<String, serde_json::Value>,
        /// Pictures with other names.
        others: usize,
    },
}

impl Spread {
    /// "median 92", "mostly png".
    fn typical(&self) -> String {
        match self {
            Self::Numbers { median: Some(median), .. } => format!("median {}", short(*median)),
            Self::Numbers { median: None, .. } => "none".to_owned(),
            Self::Names { pictures, .. } => {
                format!("mostly {}", pictures.keys().next().map_or("none", String::as_str))
            }
        }
    }
}

/// Three significant digits; integers without decimals.
fn short(value: f64) -> String {
    let digits = (2.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Measures every attribute.
pub(super) fn measure(inspected: &[Inspected<'_>]) -> Vec<Shortcut> {
    let labels = inspected.iter().map(|(sample, _)| sample.label).collect();
    let design = Design::new(labels, inspected.iter().map(|(sample, _)| sample.group.as_str()));
    let subsets: BTreeSet<&str> = inspected
        .iter()
        .filter(|(sample, _)| sample.label == Label::Fake)
        .map(|(sample, _)| sample.subset.as_str())
        .collect();
    let subsets: Vec<&str> = if subsets.len() > 1 { subsets.into_iter().collect() } else { Vec::new() };
    ATTRIBUTES.par_iter().map(|attribute| shortcut(attribute, inspected, &design, &subsets)).collect()
}

fn shortcut(
    attribute: &Attribute,
    inspected: &[Inspected<'_>],
    design: &Design,
    subsets: &[&str],
) -> Shortcut {
    let column = attribute.of(inspected.iter().map(|(_, inspection)| inspection));
    let spread = |label: Label| spread(&column, inspected, label);
    let mut found = Shortcut {
        attribute: attribute.name,
        check: attribute.check,
        verdict: Verdict::Ok,
        constant: column.is_constant(),
        balanced_accuracy: None,
        auc: None,
        by_split: BTreeMap::new(),
        by_subset: BTreeMap::new(),
        real: spread(Label::Real),
        fake: spread(Label::Fake),
    };
    if found.constant {
        return found;
    }
    let mut excess: f64 = 0.0;
    if let Some(all) = design.association(&column.values, &|_| true) {
        excess = all.excess();
        found.by_split = by_split(&all, inspected);
        (found.balanced_accuracy, found.auc) = (Some(all.balanced_accuracy), all.auc);
    }
    for subset in subsets {
        let of = |place: usize| {
            let sample = inspected[place].0;
            sample.label == Label::Real || sample.subset == *subset
        };
        if let Some(one) = design.association(&column.values, &of) {
            excess = excess.max(one.excess());
            let by = BySubset { balanced_accuracy: one.balanced_accuracy, auc: one.auc };
            found.by_subset.insert((*subset).to_owned(), by);
        }
    }
    found.verdict = verdict(attribute.check, excess);
    found
}

fn verdict(check: Check, excess: f64) -> Verdict {
    match check {
        Check::Pixels if excess >= PIXELS_WARNING => Verdict::Warning,
        Check::Pixels if excess >= PIXELS_NOTE => Verdict::Note,
        Check::Pixels => Verdict::Ok,
        _ if excess >= WARNING => Verdict::Warning,
        _ => Verdict::Ok,
    }
}

/// Balanced accuracy in the splits that have both classes.
fn by_split(association: &Association, inspected: &[Inspected<'_>]) -> BTreeMap<Split, f64> {
    let mean = |split: Split, label: Label| {
        let of = inspected.iter().zip(&association.right);
        let of = of.filter(|((sample, _), _)| sample.split == split && sample.label == label);
        let (sum, count) =
            of.fold((0.0, 0_u32), |(sum, count), (_, &right)| (sum + f64::from(right), count + 1));
        (count > 0).then(|| sum / f64::from(count))
    };
    let both = |split: Split| Some((split, 0.5 * (mean(split, Label::Real)? + mean(split, Label::Fake)?)));
    Split::ALL.into_iter().filter_map(both).collect()
}

fn spread(column: &Column, inspected: &[Inspected<'_>], label: Label) -> Spread {
    let of_label = (0..inspected.len()).filter(|&place| inspected[place].0.label == label);
    match &column.values {
        Values::Numbers(numbers) => {
            let all: Vec<f32> = of_label.map(|place| numbers[place]).collect();
            let mut there: Vec<f32> = all.iter().copied().filter(|number| !number.is_nan()).collect();
            there.sort_unstable_by(f32::total_cmp);
            let at = |share: f64| {
                let place = (share * there.len().saturating_sub(1) as f64).round() as usize;
                there.get(place).map(|&number| f64::from(number))
            };
            Spread::Numbers { p5: at(0.05), median: at(0.5), p95: at(0.95), without: all.len() - there.len() }
        }
        Values::Names(names) => {
            let mut counts = vec![0_usize; column.names.len()];
            of_label.for_each(|place| counts[names[place] as usize] += 1);
            let mut order: Vec<usize> = (0..counts.len()).filter(|&name| counts[name] > 0).collect();
            order.sort_by_key(|&name| (std::cmp::Reverse(counts[name]), &column.names[name]));
            let listed =
                order.iter().take(LISTED).map(|&name| (column.names[name].clone(), counts[name].into()));
            let others = order.iter().skip(LISTED).map(|&name| counts[name]).sum();
            Spread::Names { pictures: listed.collect(), others }
        }
    }
}

/// The findings of the five checks.
pub(super) fn check(shortcuts: &[Shortcut]) -> [Finding; 5] {
    let of = |check: Check, what: &str, advice: &str| finding(check, what, advice, shortcuts);
    [
        of(
            Check::Size,
            "size",
            "resize all pictures to one size with the same code; upscaling leaves traces, so crop all in the same way too",
        ),
        of(
            Check::Encoder,
            "encoder",
            "decode all pictures and encode them anew, format, quality and subsampling drawn from one distribution \
             for both classes; a detector trained as it is learns the encoder",
        ),
        of(
            Check::Metadata,
            "metadata",
            "no pixel shows it, but it tells that the classes came by different ways: write both by the same code \
             and look at what else differs",
        ),
        of(
            Check::Frame,
            "the pictures' outer eighth",
            "a forged face leaves the frame as it was, so the classes come from other sources or went other ways \
             (but for forgeries that make whole pictures): take both from one source and crop, scale and encode \
             them alike",
        ),
        of(
            Check::Pixels,
            "statistics of whole pictures",
            "if the frame tells nothing, it is the forgery's own trace, and one that is easily seen: say in the \
             report how well it does alone, and compare detectors with it",
        ),
    ]
}

fn finding(check: Check, noun: &str, advice: &str, shortcuts: &[Shortcut]) -> Finding {
    let of: Vec<&Shortcut> = shortcuts.iter().filter(|shortcut| shortcut.check == check).collect();
    let verdict = of.iter().map(|shortcut| shortcut.verdict).max().unwrap_or(Verdict::Ok);
    let mut figures = serde_json::Map::new();
    for shortcut in &of {
        let auc = shortcut.auc.map(|auc| auc.value);
        let balanced = shortcut.balanced_accuracy.map(|balanced| balanced.value);
        figures.insert(shortcut.attribute.to_owned(), json!({ "balanced_accuracy": balanced, "auc": auc }));
    }
    let mut strongest: Vec<Strongest<'_>> =
        of.iter().filter_map(|shortcut| Strongest::of(shortcut)).collect();
    strongest.sort_by(|a, b| b.excess().total_cmp(&a.excess()));
    let flagged: Vec<&Strongest<'_>> =
        strongest.iter().filter(|strong| strong.shortcut.verdict > Verdict::Ok).collect();
    let what = match (flagged.as_slice(), strongest.first()) {
        ([first, rest @ ..], _) => {
            let others: Vec<&str> = rest.iter().map(|other| other.shortcut.attribute).collect();
            let also =
                if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
            format!("{}{also}", first.sentence())
        }
        ([], Some(most)) => {
            format!(
                "{noun}: nothing separates real from fake for certain; the strongest is {}",
                most.figure()
            )
        }
        ([], None) if of.iter().all(|shortcut| shortcut.constant) => {
            format!("{noun} the same for all pictures")
        }
        ([], None) => format!("{noun}: too few persons or videos to tell"),
    };
    let mut finding = Finding::new(check, verdict, what).advice(advice);
    finding.figures = figures;
    finding
}

/// The figure with the largest excess of an attribute: over all pictures or for one subset, of
/// the rule or of the AUC.
struct Strongest<'a> {
    shortcut: &'a Shortcut,
    subset: Option<&'a str>,
    interval: Interval,
    is_auc: bool,
}

impl<'a> Strongest<'a> {
    fn of(shortcut: &'a Shortcut) -> Option<Self> {
        let whole = (None, shortcut.balanced_accuracy, shortcut.auc);
        let subsets = shortcut.by_subset.iter();
        let subsets = subsets.map(|(name, by)| (Some(name.as_str()), Some(by.balanced_accuracy), by.auc));
        let figures = std::iter::once(whole).chain(subsets).flat_map(|(subset, balanced, auc)| {
            let strong = move |interval, is_auc| Self { shortcut, subset, interval, is_auc };
            [balanced.map(|interval| strong(interval, false)), auc.map(|interval| strong(interval, true))]
        });
        // Of equals the first: all pictures before a subset, the rule before the AUC.
        figures.flatten().reduce(|best, other| if other.excess() > best.excess() { other } else { best })
    }

    fn excess(&self) -> f64 {
        let Interval { low, high, .. } = self.interval;
        if self.is_auc { low.max(1.0 - high) } else { low }
    }

    fn figure(&self) -> String {
        let Interval { value, low, high } = self.interval;
        let of = self.subset.map(|subset| format!(" of subset {subset}")).unwrap_or_default();
        let name = self.shortcut.attribute;
        match self.is_auc {
            true => format!("{name}{of} (AUC {value:.3}, {low:.3} to {high:.3})"),
            false => format!(
                "{name}{of} (balanced accuracy {:.1} %, {:.1} to {:.1})",
                100.0 * value,
                100.0 * low,
                100.0 * high
            ),
        }
    }

    fn sentence(&self) -> String {
        let (real, fake) = (self.shortcut.real.typical(), self.shortcut.fake.typical());
        let typical = if real == fake { String::new() } else { format!(": reals {real}, fakes {fake}") };
        format!("real and fake are told apart by {} alone{typical}", self.figure())
    }
}
