//! Plans a forgery set: the split of each person, and the donor of each swap.

use super::options::{ForgerySetError, ForgerySetOptions, Method, SplitBy};
use super::subject::Subject;
use crate::random::stream;
use crate::sample::{Label, Split};
use rand::seq::SliceRandom;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

impl SplitBy {
    /// The usual shares.
    pub const USUAL: [f64; 3] = [60.0, 15.0, 25.0];

    /// Sets the split of every subject.
    pub(super) fn apply(
        &self,
        mut subjects: Vec<Subject>,
        order: &ForgerySetOptions,
        passed_over: &mut Vec<String>,
    ) -> Result<Vec<Subject>, ForgerySetError> {
        let splits = match self {
            Self::Kept if subjects.iter().all(|subject| subject.photograph.split.is_some()) => {
                kept(&subjects)?
            }
            Self::Kept => drawn(&subjects, Self::USUAL, order)?,
            Self::Shares(shares) => drawn(&subjects, *shares, order)?,
            Self::People(people) => people.clone(),
        };
        for subject in &mut subjects {
            subject.photograph.split = splits.get(&subject.photograph.person).copied();
        }
        subjects.retain(|subject| {
            let photograph = &subject.photograph;
            if photograph.split.is_none() {
                let person = &photograph.person;
                passed_over.push(format!("{}: {person} is in no split", photograph.path.display()));
            }
            photograph.split.is_some()
        });
        let most = Split::ALL.map(|split| people(&subjects, split).len());
        for (split, count) in Split::ALL.into_iter().zip(most) {
            if (1..people_needed(order.method)).contains(&count) {
                let what = format!("the {split} split has {count} person, and a swap needs two");
                return Err(ForgerySetError::People { what });
            }
        }
        if subjects.is_empty() {
            return Err(ForgerySetError::People { what: "no person is in a split".to_owned() });
        }
        Ok(subjects)
    }
}

/// The number of people that a split needs.
fn people_needed(method: Method) -> usize {
    match method {
        Method::Sbi => 1,
        Method::Swap => 2,
    }
}

fn people(subjects: &[Subject], split: Split) -> BTreeSet<&str> {
    let here = subjects.iter().filter(|subject| subject.photograph.split == Some(split));
    here.map(|subject| subject.photograph.person.as_str()).collect()
}

/// The data set's own splits; each person must be in one.
fn kept(subjects: &[Subject]) -> Result<BTreeMap<String, Split>, ForgerySetError> {
    let mut splits = BTreeMap::new();
    for subject in subjects {
        let person = subject.photograph.person.clone();
        let Some(split) = subject.photograph.split else { continue };
        match splits.insert(person.clone(), split) {
            Some(other) if other != split => {
                return Err(ForgerySetError::TwoSplits { person, splits: [other, split] });
            }
            _ => {}
        }
    }
    Ok(splits)
}

/// Divides people by `shares`, with every appearance (gender and ethnicity) spread over the
/// splits, in an order drawn by the seed.
fn drawn(
    subjects: &[Subject],
    shares: [f64; 3],
    order: &ForgerySetOptions,
) -> Result<BTreeMap<String, Split>, ForgerySetError> {
    let looks: BTreeMap<&str, &[String; 2]> = subjects
        .iter()
        .map(|subject| (subject.photograph.person.as_str(), &subject.photograph.look))
        .collect();
    let mut everyone: Vec<(&str, &[String; 2])> = looks.into_iter().collect();
    everyone.shuffle(&mut stream(order.seed, &["forged".into(), "split".into()]));
    // A stable sort: within an appearance the drawn order is kept.
    everyone.sort_by_key(|(_, look)| *look);
    let counts = counts(everyone.len(), shares, people_needed(order.method))?;
    let mut given = [0_usize; 3];
    let mut splits = BTreeMap::new();
    for (index, (person, _)) in everyone.iter().enumerate() {
        let lack = |place: usize| {
            counts[place] as f64 * (index + 1) as f64 / everyone.len() as f64 - given[place] as f64
        };
        let open = (0..3).filter(|&place| given[place] < counts[place]);
        let place = open.max_by(|&a, &b| lack(a).total_cmp(&lack(b))).expect("the counts add up");
        given[place] += 1;
        splits.insert((*person).to_owned(), Split::ALL[place]);
    }
    Ok(splits)
}

/// The number of people in each split: by its share, but at least as many as it needs.
fn counts(people: usize, shares: [f64; 3], people_needed: usize) -> Result<[usize; 3], ForgerySetError> {
    let total: f64 = shares.iter().sum();
    let wanted = shares.map(|share| share / total * people as f64);
    let mut counts =
        wanted.map(|count| if count > 0.0 { (count.round() as usize).max(people_needed) } else { 0 });
    loop {
        let sum: usize = counts.iter().sum();
        if sum == people {
            return Ok(counts);
        }
        // The split with the largest surplus gives one, or that with the largest deficit gets
        // one.
        let excess = |place: &usize| counts[*place] as f64 - wanted[*place];
        let by_excess = |a: &usize, b: &usize| excess(a).total_cmp(&excess(b));
        let place = if sum > people {
            (0..3).filter(|&place| counts[place] > people_needed).max_by(by_excess)
        } else {
            (0..3).filter(|&place| wanted[place] > 0.0).min_by(by_excess)
        };
        let Some(place) = place else {
            let needed = shares.iter().filter(|share| **share > 0.0).count() * people_needed;
            let what = format!("{people} people are too few for the splits, which need {needed}");
            return Err(ForgerySetError::People { what });
        };
        if sum > people {
            counts[place] -= 1;
        } else {
            counts[place] += 1;
        }
    }
}

/// One picture of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub split: Split,
    pub label: Label,
    /// The file, relative to the split's and label's folder, with forward slashes.
    pub file: String,
    /// The index of the subject whose photograph it is.
    pub target: usize,
    /// For a swap, the index of the subject whose face is used.
    pub donor: Option<usize>,
}

impl Entry {
    pub fn below(&self) -> PathBuf {
        PathBuf::from(self.split.to_string()).join(self.label.to_string()).join(&self.file)
    }

    pub fn below_slashed(&self) -> String {
        format!("{}/{}/{}", self.split, self.label, self.file)
    }
}

/// All pictures: for each photograph the real and its fakes.
pub(super) fn entries(subjects: &[Subject], order: &ForgerySetOptions) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (target, subject) in subjects.iter().enumerate() {
        let photograph = &subject.photograph;
        let split = photograph.split.expect("everybody has been put into a split");
        let name = &photograph.name;
        let fake = |file: String, donor| Entry { split, label: Label::Fake, file, target, donor };
        entries.push(Entry { split, label: Label::Real, file: format!("{name}.jpg"), target, donor: None });
        match order.method {
            Method::Sbi => {
                entries
                    .extend((0..order.per_photo).map(|index| fake(format!("sbi/{name}_{index}.jpg"), None)));
            }
            Method::Swap => entries.extend(donors(subjects, target, order).into_iter().map(|donor| {
                let from = &subjects[donor].photograph.person;
                fake(format!("swap/{name}_from_{from}.jpg"), Some(donor))
            })),
        }
    }
    entries
}

/// The donors for the photograph `target`: other people of the split with the same kind of
/// landmarks, first those of the same gender and ethnicity, then of the same gender, then others;
/// for each the photograph with the same expression where there is one.
fn donors(subjects: &[Subject], target: usize, order: &ForgerySetOptions) -> Vec<usize> {
    let photograph = &subjects[target].photograph;
    let mut by_person: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, subject) in subjects.iter().enumerate() {
        let other = &subject.photograph;
        let fits = other.split == photograph.split
            && other.person != photograph.person
            && subject.face.points.len() == subjects[target].face.points.len()
            && subject.face.outline == subjects[target].face.outline;
        if fits {
            by_person.entry(&other.person).or_default().push(index);
        }
    }
    let mut people: Vec<Vec<usize>> = by_person.into_values().collect();
    people.shuffle(&mut stream(
        order.seed,
        &["forged".into(), "donors".into(), photograph.name.as_str().into()],
    ));
    let unlike = |photographs: &Vec<usize>| {
        let [gender, ethnicity] = &subjects[photographs[0]].photograph.look;
        (*gender != photograph.look[0], *ethnicity != photograph.look[1])
    };
    people.sort_by_key(unlike);
    let best = |photographs: Vec<usize>| {
        let same = |index: &&usize| subjects[**index].photograph.shot == photograph.shot;
        photographs.iter().find(same).copied().unwrap_or(photographs[0])
    };
    people.into_iter().take(order.per_photo).map(best).collect()
}

/// The split.csv of the entries that were written.
pub(super) fn split_csv(subjects: &[Subject], entries: &[&Entry]) -> Vec<u8> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(["split", "label", "file", "target", "donor"]).expect("memory takes every byte");
    for entry in entries {
        let target = &subjects[entry.target].photograph.person;
        let donor = entry.donor.map_or(target, |donor| &subjects[donor].photograph.person);
        let (split, label) = (entry.split.to_string(), entry.label.to_string());
        out.write_record([&split, &label, &entry.file, target, donor]).expect("memory takes every byte");
    }
    out.into_inner().expect("memory takes every byte")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_has_as_many_people_as_it_needs() {
        let of = |people, shares, people_needed| counts(people, shares, people_needed).unwrap();
        assert_eq!(of(102, SplitBy::USUAL, 2), [61, 15, 26]);
        assert_eq!(of(6, SplitBy::USUAL, 2), [2, 2, 2]);
        assert_eq!(of(7, [100.0, 0.0, 0.0], 2), [7, 0, 0]);
        assert_eq!(of(5, [1.0, 1.0, 0.0], 1), [3, 2, 0]);
        for people in 3..60 {
            assert_eq!(of(people, [0.8, 0.1, 0.1], 1).iter().sum::<usize>(), people);
        }
        assert!(counts(5, SplitBy::USUAL, 2).unwrap_err().to_string().contains("need 6"));
    }
}
