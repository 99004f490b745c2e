//! Accuracy against radius: for each norm a line an arm, from the clean pictures (radius 0) to the
//! largest radius attacked. The opening of a report, its first figure and the table under that
//! are made of it.

use crate::metrics::{Estimate, Scope};
use crate::results::attack::AttackReport;
use crate::results::figure::{ArmFigure, SeedFigure};
use crate::results::study::{Arm, Report, attack_key};
use crate::threat::{Norm, Threat};
use std::borrow::Cow;

/// An arm's accuracy at a radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The radius in 1/255; 0 on clean pictures.
    pub eps_255: f64,
    /// Mean over seeds and its 95 % interval.
    pub value: Estimate,
    /// The attacks behind it: of several, right after every one counts. Empty on clean pictures.
    pub methods: Vec<String>,
    /// Whether a check of one of them failed on this arm.
    pub unreliable: bool,
}

/// An arm's accuracies, by rising radius.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The arm.
    pub arm: String,
    /// The clean pictures first, where they are known.
    pub points: Vec<Point>,
}

/// The accuracies of all arms under attacks of one norm.
#[derive(Clone, Debug, PartialEq)]
pub struct Curves {
    /// The norm.
    pub norm: Norm,
    /// One for each arm that was attacked, in the report's order.
    pub lines: Vec<Line>,
    /// What an answer that looks at no picture keeps under any attack: the larger class's share
    /// of the attacked pictures.
    pub guess: f64,
}

impl Line {
    /// The accuracy at a radius.
    pub fn at(&self, eps_255: f64) -> Option<&Point> {
        self.points.iter().find(|point| point.eps_255 == eps_255)
    }
}

impl Curves {
    /// The radii above 0, rising.
    pub fn radii(&self) -> Vec<f64> {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let mut radii: Vec<f64> = points.map(|point| point.eps_255).filter(|eps| *eps > 0.0).collect();
        radii.sort_by(f64::total_cmp);
        radii.dedup();
        radii
    }

    /// The radii above 0 at which every arm was attacked, rising.
    pub fn common_radii(&self) -> Vec<f64> {
        let mut radii = self.radii();
        radii.retain(|radius| self.lines.iter().all(|line| line.at(*radius).is_some()));
        radii
    }

    /// "linf 1/255", "l2 0.5".
    pub fn radius(&self, eps_255: f64) -> String {
        format!("{} {}", self.norm, self.radius_alone(eps_255))
    }

    /// "1/255", "0.5"; "clean" for 0.
    pub fn radius_alone(&self, eps_255: f64) -> String {
        match eps_255 > 0.0 {
            true => Threat { norm: self.norm, eps_255 }.radius(),
            false => "clean".to_owned(),
        }
    }
}

/// The curves of every norm that was attacked with, Linf first.
///
/// At each radius stands the worst case over the attacks ([`crate::results::figure`]), or where
/// there was one attack, or the arms did not meet the same, the arm's lowest robust accuracy.
pub fn curves(report: &Report) -> Vec<Curves> {
    let figures = figures(report);
    [Norm::Linf, Norm::L2].into_iter().filter_map(|norm| of_norm(report, &figures, norm)).collect()
}

/// The report's figures. An old report without them has its arms' clean and robust accuracies:
/// the means over seeds of value and interval ends.
fn figures(report: &Report) -> Cow<'_, [ArmFigure]> {
    if !report.figures.is_empty() {
        return Cow::Borrowed(&report.figures);
    }
    let mut all = Vec::new();
    for name in report.names() {
        let arms: Vec<&Arm> = report.seeds_of(name).into_iter().map(|index| &report.arms[index]).collect();
        all.extend(mean_figure(name, "accuracy", None, &arms, &|arm| arm.eval.metrics.accuracy));
        for key in report.attack_keys() {
            let met = |arm: &&Arm| arm.attack_place(&key).is_some();
            let arms: Vec<&Arm> = arms.iter().copied().filter(met).collect();
            let attack = |arm: &Arm| arm.attacks[arm.attack_place(&key).expect("met")].clone();
            let first = arms.first().map(|arm| attack(arm));
            all.extend(mean_figure(name, "robust_accuracy", first.as_ref(), &arms, &|arm| {
                Some(attack(arm).intervals.robust_accuracy)
            }));
        }
    }
    Cow::Owned(all)
}

fn mean_figure(
    name: &str,
    figure: &str,
    attack: Option<&AttackReport>,
    arms: &[&Arm],
    of: &dyn Fn(&Arm) -> Option<Estimate>,
) -> Option<ArmFigure> {
    let found: Vec<(u64, Estimate)> = arms.iter().filter_map(|arm| Some((arm.seed, of(arm)?))).collect();
    let (first, n) = (arms.first()?, found.len() as f64);
    if found.is_empty() {
        return None;
    }
    let mean = |part: fn(&Estimate) -> f64| found.iter().map(|(_, one)| part(one)).sum::<f64>() / n;
    let data = &first.eval.data;
    Some(ArmFigure {
        arm: name.to_owned(),
        figure: figure.to_owned(),
        attack: attack.map(attack_key),
        methods: attack.iter().map(|attack| attack.method.clone()).collect(),
        norm: attack.map(|attack| attack.norm),
        eps_255: attack.map(|attack| attack.eps_255),
        mean: mean(|one| one.value),
        deviation: None,
        low: mean(|one| one.low),
        high: mean(|one| one.high),
        scope: Scope::Models,
        seeds: found.iter().map(|&(seed, one)| SeedFigure { seed, value: one.value }).collect(),
        pictures: attack.map_or(data.n_real + data.n_fake, |attack| attack.n),
        groups: 0,
    })
}

fn of_norm(report: &Report, figures: &[ArmFigure], norm: Norm) -> Option<Curves> {
    let lines: Vec<Line> =
        report.names().into_iter().filter_map(|name| line(report, figures, norm, name)).collect();
    let attacks = || report.arms.iter().flat_map(|arm| &arm.attacks).filter(|attack| attack.norm == norm);
    let share = |attack: &AttackReport| {
        attack.fake_to_real.n.max(attack.real_to_fake.n) as f64 / attack.n.max(1) as f64
    };
    let guess = attacks().map(share).reduce(f64::max)?;
    (!lines.is_empty()).then_some(Curves { norm, lines, guess })
}

fn line(report: &Report, figures: &[ArmFigure], norm: Norm, name: &str) -> Option<Line> {
    let of_arm = || figures.iter().filter(|figure| figure.arm == name);
    let under = || of_arm().filter(|figure| figure.norm == Some(norm));
    let mut radii: Vec<f64> = under().filter_map(|figure| figure.eps_255).filter(|eps| *eps > 0.0).collect();
    radii.sort_by(f64::total_cmp);
    radii.dedup();
    let at = |eps: f64| {
        let of = |kind: &'static str| {
            under().filter(move |figure| figure.figure == kind && figure.eps_255 == Some(eps))
        };
        let lowest = of("robust_accuracy").min_by(|one, other| one.mean.total_cmp(&other.mean));
        of("worst_case").next().or(lowest)
    };
    let attacked: Vec<Point> = radii.iter().filter_map(|&eps| Some(point(report, at(eps)?, eps))).collect();
    if attacked.is_empty() {
        return None;
    }
    let clean = of_arm().find(|figure| figure.figure == "accuracy" && figure.attack.is_none());
    let points = clean.map(|figure| point(report, figure, 0.0)).into_iter().chain(attacked).collect();
    Some(Line { arm: name.to_owned(), points })
}

fn point(report: &Report, figure: &ArmFigure, eps_255: f64) -> Point {
    let behind = |attack: &&AttackReport| {
        Some(attack.norm) == figure.norm
            && Some(attack.eps_255) == figure.eps_255
            && figure.methods.contains(&attack.method)
    };
    let arms = report.arms.iter().filter(|arm| arm.name == figure.arm);
    let mut attacks = arms.flat_map(|arm| &arm.attacks).filter(behind);
    Point {
        eps_255,
        value: Estimate { value: figure.mean, low: figure.low, high: figure.high },
        methods: figure.methods.clone(),
        unreliable: attacks.any(|attack| attack.unreliable),
    }
}
