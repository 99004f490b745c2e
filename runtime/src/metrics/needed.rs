//! How many seeds and groups would show a difference: the size of a study with a power of 80 %,
//! from the parts of the variance that this one found.

use super::crossed::Components;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most seeds and groups that are looked at: more is no advice.
const MOST_SEEDS: usize = 200;
const MOST_GROUPS: usize = 1_000_000;

/// A study that would show a difference in four cases of five.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Needed {
    /// Training seeds; none where this study has too few to know how training varies, and
    /// the groups are for a verdict on these models.
    pub seeds: Option<usize>,
    /// People or videos.
    pub groups: usize,
    /// The difference.
    pub difference: f64,
}

/// The study that shows a true `difference` at the two-sided `level`, larger than one of `seeds`
/// seeds (`None`: of these models alone) and `groups` groups by as little as can be: the product
/// of how many times the seeds and the groups are more is the smallest, then the seeds.
/// `None` where no study within reason would.
pub(super) fn needed(
    parts: Components,
    (seeds, groups): (Option<usize>, usize),
    difference: f64,
    level: f64,
) -> Option<Needed> {
    let groups = groups.max(2);
    let enough = |seeds: Option<usize>| {
        let shows = |groups: usize| parts.show(difference, level, seeds, groups);
        let mut high = groups;
        while !shows(high) {
            high = (2 * high <= MOST_GROUPS).then_some(2 * high)?;
        }
        let mut low = if high == groups { groups } else { high / 2 };
        while low < high {
            let middle = low.midpoint(high);
            if shows(middle) { high = middle } else { low = middle + 1 }
        }
        Some(high)
    };
    let Some(from) = seeds else {
        return enough(None).map(|groups| Needed { seeds: None, groups, difference });
    };
    let sizes = (from..=MOST_SEEDS.max(from)).filter_map(|seeds| Some((seeds, enough(Some(seeds))?)));
    let (seeds, groups) = sizes.min_by_key(|(seeds, groups)| (seeds * groups, *seeds))?;
    Some(Needed { seeds: Some(seeds), groups, difference })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seeds: f64, groups: f64, both: f64) -> Components {
        Components { seeds, groups, both }
    }

    #[test]
    fn groups_by_hand() {
        // A standard deviation of 0.4 a group and a difference of 0.05: (2.8 * 0.4 / 0.05)^2 is
        // 502 with the normal quantiles, a few more with those of t.
        let found = needed(parts(0.0, 0.16, 0.0), (None, 21), 0.05, 0.05).unwrap();
        assert_eq!(found.seeds, None);
        assert!((502..=506).contains(&found.groups), "{found:?}");
        // A stricter level needs more, by ((3.29 + 0.84) / 2.80)^2.
        let strict = needed(parts(0.0, 0.16, 0.0), (None, 21), 0.05, 0.001).unwrap();
        let ratio = strict.groups as f64 / found.groups as f64;
        assert!((ratio - 2.175).abs() < 0.03, "{ratio}");
    }

    #[test]
    fn more_groups_do_not_help_against_seeds() {
        // All variance is the seeds': a standard deviation of 0.05, a difference of 0.05. The t
        // test of one sample needs ten (R: power.t.test(delta = 1, sd = 1, power = 0.8,
        // type = "one.sample") gives 9.94); with the sum of two quantiles of t it is one more.
        let found = needed(parts(0.0025, 0.0, 0.0), (Some(3), 21), 0.05, 0.05).unwrap();
        assert_eq!(found.groups, 21);
        assert!((10..=11).contains(&found.seeds.unwrap()), "{found:?}");
    }

    #[test]
    fn what_is_had_is_kept_and_what_is_least_more_is_chosen() {
        let enough = needed(parts(1e-6, 1e-6, 1e-6), (Some(4), 30), 0.05, 0.05).unwrap();
        assert_eq!((enough.seeds, enough.groups), (Some(4), 30));
        let parts = parts(0.001, 0.09, 0.05);
        let found = needed(parts, (Some(3), 21), 0.05, 0.05).unwrap();
        let (seeds, groups) = (found.seeds.unwrap(), found.groups);
        assert!(parts.show(0.05, 0.05, Some(seeds), groups));
        assert!(!parts.show(0.05, 0.05, Some(seeds), groups - 1));
        for other in (3..30).step_by(3) {
            for more in (21..1500).step_by(50) {
                let fits = parts.show(0.05, 0.05, Some(other), more);
                assert!(!fits || other * more >= seeds * groups, "{found:?} {other} {more}");
            }
        }
    }

    #[test]
    fn no_study_shows_nothing() {
        assert_eq!(needed(parts(0.0, 0.5, 0.0), (None, 10), 0.0, 0.05), None);
        assert_eq!(needed(parts(1e9, 0.5, 0.0), (Some(3), 10), 0.05, 0.05), None);
    }
}
