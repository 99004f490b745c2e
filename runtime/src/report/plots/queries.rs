//! The attack success rate against the number of queries.

use super::{Key, Plot, as_percent, chart, colour, drawn, headed, line};
use crate::report::{Extras, ReportError};
use crate::results::attack::{SampleResult, attacked};
use crate::results::study::{Arm, Report};

/// The queries until each success, ascending, and how many pictures were attacked.
#[derive(Default)]
pub(super) struct Spent {
    queries: Vec<u64>,
    of: usize,
    most: u64,
}

impl Spent {
    /// Adds an attack's `samples`, decided at `threshold`.
    pub(super) fn add(&mut self, samples: &[SampleResult], threshold: f32) {
        self.of += samples.iter().filter(|sample| attacked(sample, threshold)).count();
        self.queries
            .extend(samples.iter().filter(|sample| sample.success).map(SampleResult::queries_until_turned));
        self.queries.sort_unstable();
        self.most = samples.iter().map(|sample| sample.queries).fold(self.most, u64::max);
    }

    /// The success rate as a step function from 0 to `end` queries.
    fn steps(&self, end: f64) -> Vec<(f64, f64)> {
        let mut points = vec![(0.0, 0.0)];
        for (turned, &queries) in self.queries.iter().enumerate() {
            points.push((queries as f64, turned as f64 / self.of as f64));
            points.push((queries as f64, (turned + 1) as f64 / self.of as f64));
        }
        points.push((end, self.queries.len() as f64 / self.of as f64));
        points
    }
}

/// The plot of an attack on every arm.
pub(super) fn plot(report: &Report, extras: &Extras, key: &str) -> Result<Option<Plot>, ReportError> {
    let of_arm = |name: &str| {
        let mut spent = Spent::default();
        for index in report.seeds_of(name) {
            let arm: &Arm = &report.arms[index];
            if let Some(place) = arm.attack_place(key) {
                spent.add(&extras.arms[index].attacks[place].samples, arm.attacks[place].threshold as f32);
            }
        }
        spent
    };
    let arms: Vec<_> = report.names().into_iter().map(|name| (name.to_owned(), of_arm(name))).collect();
    let file = format!("queries-{}.png", key.replace("/255", "").replace(' ', "-"));
    let title = format!("Success against queries: {key}");
    let caption = "Share of the rightly classified pictures turned over within so many queries, all seeds \
        together.";
    staircases((&file, &title, caption), &arms)
}

/// The plot of success rates; `None` unless the numbers of queries differ between pictures.
/// `words` are file, title and caption.
pub(super) fn staircases(
    (file, title, caption): (&str, &str, &str),
    all: &[(String, Spent)],
) -> Result<Option<Plot>, ReportError> {
    let mut costs: Vec<u64> = all.iter().flat_map(|(_, spent)| &spent.queries).copied().collect();
    costs.sort_unstable();
    costs.dedup();
    if costs.len() < 3 {
        return Ok(None);
    }
    let end = all.iter().map(|(_, spent)| spent.most).max().unwrap_or(1).max(1) as f64;
    let plot = drawn(file, title, caption, (1100, 720), |area| {
        let shown = || all.iter().enumerate().filter(|(_, (_, spent))| spent.of > 0);
        let keys: Vec<Key> = shown().map(|(place, (name, _))| Key::new(name, colour(place))).collect();
        let below = headed(area, title, &keys)?;
        let axes = ("queries", "success rate");
        let chart = chart(&below, 0.0..end, 0.0..1.0, axes, (&|x| format!("{x:.0}"), &as_percent))?;
        for (place, (_, spent)) in shown() {
            chart.plotting_area().draw(&line(spent.steps(end), colour(place), 4))?;
        }
        Ok(())
    })?;
    Ok(Some(plot))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Label;

    #[test]
    fn a_picture_counts_from_its_success_on_not_from_the_end_of_its_search() {
        let sample = |queries_to_success| SampleResult {
            id: 0,
            label: Label::Fake,
            clean_logit: 1.0,
            adv_logit: -1.0,
            success: true,
            queries: 5000,
            linf_255: 8,
            l2: 1.0,
            seconds: 0.0,
            path: String::new(),
            clean_sha256: String::new(),
            adv_sha256: String::new(),
            attack: "rays".to_owned(),
            distance: Some(0.01),
            queries_to_success,
        };
        let mut spent = Spent::default();
        spent.add(&[sample(Some(300)), sample(None), sample(Some(20))], 0.0);
        // Results of earlier versions do not have it: the total is used.
        assert_eq!(spent.queries, [20, 300, 5000]);
        assert_eq!((spent.of, spent.most), (3, 5000));
    }
}
