//! Finds groups that may show the same face and must stay together where splits are drawn. A swap
//! `000_003` shows the faces of the videos `000` and `003`, for every method.

use super::grouping::Grouping;
use super::media::Media;
use crate::sample::Sample;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

/// Something that two groups may have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Identity<'a> {
    Group(&'a str),
    Person(&'a str),
    /// The name of a video, in any folder.
    Video(&'a str),
    /// `01` of DeepFakeDetection's `01_02__walking_outside__YVGY8LOK`.
    Actor(&'a str),
}

/// The indices into `samples` of each part, by the first of its groups' names. Two samples are in
/// one part where their groups, people, videos' names (`swap/007` and `007`) or parts of these
/// (`007_012`, `id3_id7_0001`) are the same; where every file is its own group by `grouping`,
/// parts of names are not compared.
pub(super) fn parts(samples: &[Sample], grouping: Grouping) -> BTreeMap<&str, Vec<usize>> {
    let videos: HashSet<&str> = samples.iter().map(|sample| video(&sample.group)).collect();
    let mut joined = UnionFind::default();
    let mut of_group: HashMap<&str, usize> = HashMap::new();
    for sample in samples {
        let group = &*sample.group;
        let known = of_group.get(group).copied();
        let at = known.unwrap_or_else(|| joined.at(Identity::Group(group)));
        if known.is_none() {
            of_group.insert(group, at);
            joined.join(at, Identity::Video(video(group)));
            if grouping != Grouping::File {
                shared(video(group), &videos).into_iter().for_each(|shared| joined.join(at, shared));
            }
        }
        sample.people.iter().for_each(|person| joined.join(at, Identity::Person(person)));
    }
    let mut names: HashMap<usize, &str> = HashMap::new();
    for (&group, &at) in &of_group {
        let name = names.entry(joined.root(at)).or_insert(group);
        *name = group.min(name);
    }
    let mut parts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, sample) in samples.iter().enumerate() {
        let root = joined.root(of_group[&*sample.group]);
        parts.entry(names[&root]).or_default().push(place);
    }
    parts
}

/// The last component of a group's name, without a file extension.
fn video(group: &str) -> &str {
    let name = group.rsplit(['/', '\\']).next().unwrap_or(group);
    let is_file = [Media::Pictures, Media::Videos].iter().any(|media| media.holds(Path::new(name)));
    name.rsplit_once('.').filter(|_| is_file).map_or(name, |(stem, _)| stem)
}

/// The identities that the video `name` may share with others of `videos`.
fn shared<'a>(name: &'a str, videos: &HashSet<&str>) -> Vec<Identity<'a>> {
    let tokens: Vec<&str> = name.split(['_', '-']).collect();
    let digits = |text: &str| text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut shared = Vec::new();
    if let Some((actors, _)) = name.split_once("__")
        && actors.split('_').all(|actor| actor.len() == 2 && digits(actor))
    {
        shared.extend(actors.split('_').map(Identity::Actor));
    }
    if let [first, second] = tokens[..]
        && first.len() == second.len()
        && digits(first)
        && digits(second)
    {
        shared.extend([first, second].map(Identity::Video));
    }
    let numbered = |token: &&&str| token.strip_prefix("id").is_some_and(|id| id.parse::<u32>().is_ok());
    shared.extend(tokens.iter().filter(numbered).map(|id| Identity::Video(id)));
    let cuts = name.match_indices(['_', '-']).map(|(at, _)| at);
    let pieces = cuts.flat_map(|at| [&name[..at], &name[at + 1..]]).chain(tokens.iter().copied());
    shared.extend(pieces.filter(|piece| videos.contains(piece)).map(Identity::Video));
    shared
}

/// Identities that belong together: a union-find forest, each tree of which is a part.
#[derive(Default)]
struct UnionFind<'a> {
    places: HashMap<Identity<'a>, usize>,
    above: Vec<usize>,
}

impl<'a> UnionFind<'a> {
    fn at(&mut self, identity: Identity<'a>) -> usize {
        let next = self.above.len();
        let at = *self.places.entry(identity).or_insert(next);
        if at == next {
            self.above.push(next);
        }
        at
    }

    fn join(&mut self, at: usize, identity: Identity<'a>) {
        let other = self.at(identity);
        let (first, second) = (self.root(at), self.root(other));
        self.above[first.max(second)] = first.min(second);
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.above[at] != at {
            // Path halving.
            self.above[at] = self.above[self.above[at]];
            at = self.above[at];
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Label, Split};

    fn names(groups: &[&str], grouping: Grouping) -> Vec<Vec<String>> {
        let of = |group: &&str| Sample::new(format!("{group}/0.png"), Label::Fake, "s", *group, Split::Train);
        let samples: Vec<Sample> = groups.iter().map(of).collect();
        let name = |place: usize| samples[place].group.clone();
        parts(&samples, grouping).into_values().map(|part| part.into_iter().map(name).collect()).collect()
    }

    #[test]
    fn a_swap_stays_with_both_of_its_videos() {
        let groups = ["000", "003", "012", "Deepfakes/000_003", "FaceSwap/000_003", "NeuralTextures/012_045"];
        let parts = names(&groups, Grouping::Auto);
        assert_eq!(
            parts,
            [
                vec!["000", "003", "Deepfakes/000_003", "FaceSwap/000_003"],
                vec!["012", "NeuralTextures/012_045"]
            ]
        );
        // Two swaps share a target of which no video is there.
        assert_eq!(names(&["a/071_054", "b/054_100"], Grouping::Auto).len(), 1);
    }

    #[test]
    fn people_in_names_are_joined() {
        let one = [
            &["id0_0000", "id1_0004", "id0_id1_0002"][..],
            &["01__walking", "02__talking", "01_02__walking__YVGY8LOK"],
            &["alice", "bob", "alice_bob"],
            &["anna-maria", "swap/anna-maria-by-eve", "real/anna-maria"],
            &["000.mp4", "003.mp4", "000_003.mp4"],
        ];
        one.iter().for_each(|groups| assert_eq!(names(groups, Grouping::Auto).len(), 1, "{groups:?}"));
        let apart = [
            &["n01440764_10026", "n01440764_2"][..],
            &["seed_1", "seed_2"],
            &["7_1", "7_2"],
            &["id0", "id1"],
        ];
        apart.iter().for_each(|groups| assert_eq!(names(groups, Grouping::Auto).len(), 2, "{groups:?}"));
        // Where every file is its own group, only equal names are joined.
        assert_eq!(names(&["real/00012", "fake/00012", "fake/00012_00013"], Grouping::File).len(), 2);
    }

    #[test]
    fn people_join_whatever_their_groups_are() {
        let of = |group: &str, people: &[&str]| {
            Sample::new(group, Label::Real, "s", group, Split::Train).showing(people.iter().copied())
        };
        let samples = [of("v1", &["7"]), of("v2", &["8"]), of("v3", &["7", "8"]), of("v4", &["9"])];
        let parts: Vec<_> = parts(&samples, Grouping::Auto).into_iter().collect();
        assert_eq!(parts, [("v1", vec![0, 1, 2]), ("v4", vec![3])]);
    }
}
