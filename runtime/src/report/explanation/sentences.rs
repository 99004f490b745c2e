//! The explanation in sentences: every clause is a figure with its interval, and a statement that the
//! figures do not support says so.

use super::numbers::{inverse, percent, ranged, ratio, three};
use super::radii::LARGEST_RADIUS_255;
use crate::metrics::paired::FEWEST_GROUPS;
use crate::metrics::resampled::Ranged;
use crate::results::explanation::{
    ArmFigures, Comparison, Explanation, Ratio, Sentence, TapComparison, TapFigures, Topic,
};

/// A ratio whose whole interval lies within a factor of this is called unchanged (the 80 to 125 % rule
/// of bioequivalence tests).
pub const UNCHANGED: f64 = 1.25;

/// A rank correlation whose whole interval lies above this is said to be followed.
pub const FOLLOWS: f64 = 0.5;

/// What an interval says of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Lowered,
    Raised,
    Unchanged,
    Unclear,
}

fn change(found: &Ratio) -> Change {
    match (found.low, found.high) {
        (_, Some(high)) if high < 1.0 => Change::Lowered,
        (Some(low), _) if low > 1.0 => Change::Raised,
        (Some(low), Some(high)) if low >= 1.0 / UNCHANGED && high <= UNCHANGED => Change::Unchanged,
        _ => Change::Unclear,
    }
}

/// The sentences of `explanation`, from its other fields alone: what the figures rest on, then of every
/// arm how far first order carries, then of every other arm how it differs from the first, and what
/// explains its radius.
pub fn sentences(explanation: &Explanation) -> Vec<Sentence> {
    let enough = explanation.groups >= FEWEST_GROUPS;
    let mut written = vec![basis(explanation, enough)];
    for arm in &explanation.arms {
        let with = Written { arm, enough };
        written.extend([with.first_order(explanation), with.along(), with.classes()].into_iter().flatten());
        written.extend(with.masked());
    }
    for comparison in &explanation.comparisons {
        let of = |name: &str| explanation.arms.iter().find(|arm| arm.name == name);
        let (Some(arm), Some(against)) = (of(&comparison.arm), of(&comparison.against)) else { continue };
        let pair = Pair { comparison, arm, against, enough, radius_steps: explanation.settings.radius_steps };
        written
            .extend([pair.statistics_gradient(), pair.input_gradient(), pair.radius()].into_iter().flatten());
        written.extend([pair.shift(explanation.settings.shift), pair.features()].into_iter().flatten());
        written.push(pair.explanation());
    }
    written
}

fn basis(explanation: &Explanation, enough: bool) -> Sentence {
    let (reals, fakes) = (explanation.data.n_real, explanation.data.n_fake);
    let seeds = explanation.arms.iter().map(|arm| arm.models.len()).max().unwrap_or(0);
    let over = if seeds > 1 { " and over training seeds" } else { "" };
    let mut text = format!(
        "{} pictures ({reals} real, {fakes} fake) of {} people or videos; intervals are 95 % bootstrap \
        intervals over these{over}.",
        reals + fakes,
        explanation.groups
    );
    if seeds == 1 {
        text.push_str(" There is one training seed, so they say nothing about other seeds.");
    }
    if !enough {
        text.push_str(&format!(
            " These are fewer than {FEWEST_GROUPS} people or videos, over which such intervals are too narrow: \
            no change, relation or explanation is called supported."
        ));
    }
    Sentence { arm: String::new(), about: Topic::Basis, supported: enough, text }
}

/// The sentences on one arm.
struct Written<'a> {
    arm: &'a ArmFigures,
    enough: bool,
}

/// Whether the radius of PGD follows that of first order.
fn follows(correlation: Option<Ranged>) -> bool {
    correlation.and_then(|found| found.low).is_some_and(|low| low > FOLLOWS)
}

impl Written<'_> {
    fn sentence(&self, about: Topic, supported: bool, text: String) -> Sentence {
        Sentence { arm: self.arm.name.clone(), about, supported: supported && self.enough, text }
    }

    fn first_order(&self, explanation: &Explanation) -> Option<Sentence> {
        let (arm, steps) = (self.arm, explanation.settings.radius_steps);
        let what = format!("the radius at which PGD-{steps} succeeds");
        let Some(correlation) = arm.rank_correlation else {
            let text = format!(
                "{}: whether {what} follows the first-order radius margin/||grad_x z||_1 cannot be said: fewer \
                than three of {} pictures are called rightly with a gradient, or all have one radius.",
                arm.name, arm.counts.n
            );
            return Some(self.sentence(Topic::FirstOrder, false, text));
        };
        let verb = match correlation.low {
            Some(low) if low > FOLLOWS => "follows",
            Some(low) if low > 0.0 => "is related to, but does not closely follow,",
            _ => "is not shown to follow",
        };
        let mut text = format!(
            "{}: {what} {verb} the first-order radius margin/||grad_x z||_1 (rank correlation {} over {} of {} \
            pictures, those called rightly)",
            arm.name,
            ranged(&correlation),
            arm.counts.right,
            arm.counts.n,
        );
        if let Some(median) = arm.pgd_over_first_order.median {
            text.push_str(&format!("; it is {} times as large in the median", ranged(&median)));
        }
        if arm.counts.not_reached > 0 {
            text.push_str(&format!(
                "; {} pictures were turned over at no radius up to {}/255 and share the highest rank",
                arm.counts.not_reached, LARGEST_RADIUS_255
            ));
        }
        text.push('.');
        Some(self.sentence(Topic::FirstOrder, follows(arm.rank_correlation), text))
    }

    fn along(&self) -> Option<Sentence> {
        let parts: Vec<String> = self
            .arm
            .along
            .iter()
            .filter_map(|along| {
                let (loss, margin) = (along.loss.median?, along.margin.median?);
                Some(format!("{} (of the margin {}) at r = {}", ranged(&loss), ranged(&margin), along.length))
            })
            .collect();
        if parts.is_empty() {
            return None;
        }
        // First order holds where the whole interval at the shortest length is within the factor.
        let shortest = self.arm.along.first().and_then(|along| along.margin.median);
        let linear = shortest
            .and_then(|median| median.interval())
            .is_some_and(|(low, high)| low >= 1.0 / UNCHANGED && high <= UNCHANGED);
        let text = format!(
            "{}: along the gradient of the statistics the loss rises by {} times what first order says, in the \
            median.",
            self.arm.name,
            parts.join(", ")
        );
        Some(self.sentence(Topic::Shift, linear, text))
    }

    fn classes(&self) -> Option<Sentence> {
        // Not the bootstrap's lower end: drawing pictures twice makes the effect larger.
        let apart = |tap: &TapFigures| {
            tap.classes.as_ref().is_some_and(|found| found.effect.value > found.effect_by_chance_95)
        };
        let part = |tap: &TapFigures| {
            let found = tap.classes.as_ref()?;
            Some(format!(
                "{} at tap {} ({} by chance, at most {} in 95 %)",
                ranged(&found.effect),
                tap.tap,
                three(found.effect_by_chance),
                three(found.effect_by_chance_95)
            ))
        };
        let parts: Vec<String> = self.arm.taps.iter().filter_map(part).collect();
        let text = match parts.is_empty() {
            true => format!(
                "{}: the distance between the classes' statistics is undefined: it needs two pictures of each class.",
                self.arm.name
            ),
            false => format!(
                "{}: reals and fakes lie {} pooled standard deviations apart in the mean over (mu, sigma).",
                self.arm.name,
                parts.join(", ")
            ),
        };
        Some(self.sentence(Topic::Features, self.arm.taps.iter().all(apart), text))
    }

    /// Tells of gradients that are zero or not finite: what is said of radii does not hold there.
    fn masked(&self) -> Option<Sentence> {
        let counts = &self.arm.counts;
        let parts = [
            (counts.zero_input_gradient, "have a zero gradient of the logit with respect to the pixels"),
            (counts.zero_statistics_gradient, "have one with respect to the statistics"),
            (counts.not_finite, "have a gradient that is not finite"),
        ];
        let told = parts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
        let text = format!(
            "{}: of {} pictures {}: attacks by gradients find no way there, and their figures say nothing.",
            self.arm.name,
            counts.n,
            told.join(", ")
        );
        (!told.is_empty()).then(|| self.sentence(Topic::FirstOrder, false, text))
    }
}

/// The sentences on an arm against the reference.
struct Pair<'a> {
    comparison: &'a Comparison,
    arm: &'a ArmFigures,
    against: &'a ArmFigures,
    enough: bool,
    radius_steps: usize,
}

/// "lowered X by a factor 3.10 [2.80, 3.50]" and its like; without a ratio that it is undefined.
fn clause(found: Option<&Ratio>, what: &str) -> String {
    let Some(found) = found else { return format!("cannot be compared in {what}") };
    match change(found) {
        Change::Lowered => format!("lowered {what} by a factor {}", inverse(found)),
        Change::Raised => format!("raised {what} by a factor {}", ratio(found)),
        Change::Unchanged => format!("left {what} unchanged (factor {})", ratio(found)),
        Change::Unclear => format!("is not shown to change {what} (factor {})", ratio(found)),
    }
}

fn changed(found: Option<&Ratio>) -> bool {
    found.is_some_and(|found| matches!(change(found), Change::Lowered | Change::Raised))
}

impl Pair<'_> {
    fn sentence(&self, about: Topic, supported: bool, text: String) -> Sentence {
        Sentence { arm: self.comparison.arm.clone(), about, supported: supported && self.enough, text }
    }

    fn names(&self) -> (&str, &str) {
        (&self.comparison.arm, &self.comparison.against)
    }

    fn statistics_gradient(&self) -> Option<Sentence> {
        let ((arm, against), of) = (self.names(), self.comparison);
        let found = of.statistics_loss.as_ref()?;
        let text = format!(
            "{arm} {} against {against} and {} (geometric means, paired over {} pictures).",
            clause(Some(found), "||grad_{mu,sigma} L||"),
            clause(of.statistics_margin.as_ref(), "||grad_{mu,sigma} z||, which does not saturate,"),
            found.n
        );
        Some(self.sentence(Topic::StatisticsGradient, changed(Some(found)), text))
    }

    fn input_gradient(&self) -> Option<Sentence> {
        let ((arm, against), of) = (self.names(), self.comparison);
        let found = of.input_loss_l1.as_ref()?;
        let text = format!(
            "{arm} {} against {against} and {} (paired over {} pictures).",
            clause(Some(found), "||grad_x L||_1"),
            clause(of.input_margin_l1.as_ref(), "||grad_x z||_1"),
            found.n
        );
        Some(self.sentence(Topic::InputGradient, changed(Some(found)), text))
    }

    fn radius(&self) -> Option<Sentence> {
        let ((arm, against), of) = (self.names(), self.comparison);
        let Some(found) = &of.pgd_255 else {
            let text = format!(
                "{arm}: no picture is called rightly by it and by {against}, so no radius can be compared."
            );
            return Some(self.sentence(Topic::Radius, false, text));
        };
        let what = format!("the radius at which PGD-{} succeeds", self.radius_steps);
        let mut text = format!(
            "{arm} {} against {against} (over {} pictures that both call rightly",
            clause(Some(found), &what),
            found.n
        );
        let [own, other] = of.not_reached;
        if own + other > 0 {
            text.push_str(&format!(
                "; {own} of {arm} and {other} of {against} count with {}/255, at which they still held",
                LARGEST_RADIUS_255
            ));
        }
        text.push_str(").");
        Some(self.sentence(Topic::Radius, changed(Some(found)), text))
    }

    fn shift(&self, [means, deviations]: [f64; 2]) -> Option<Sentence> {
        let (arm, against) = self.names();
        let part = |(tap, of): (&TapComparison, (&TapFigures, &TapFigures))| {
            let (own, other) = (of.0.shift_kept?, of.1.shift_kept?);
            Some(format!(
                "at tap {} {} of the decisions against {}, and a loss that rises by {} against {} (difference {})",
                tap.tap,
                percent(&own),
                percent(&other),
                ranged(&of.0.shift_loss_rise.mean?),
                ranged(&of.1.shift_loss_rise.mean?),
                ranged(&tap.shift_loss_rise?)
            ))
        };
        let taps = self.comparison.taps.iter().zip(self.arm.taps.iter().zip(&self.against.taps));
        let parts: Vec<String> = taps.filter_map(part).collect();
        if parts.is_empty() {
            return None;
        }
        let below = |found: Option<Ranged>| found.and_then(|found| found.high).is_some_and(|high| high < 0.0);
        let above = |found: Option<Ranged>| found.and_then(|found| found.low).is_some_and(|low| low > 0.0);
        let count = |of: &dyn Fn(Option<Ranged>) -> bool| {
            self.comparison.taps.iter().filter(|tap| of(tap.shift_loss_rise)).count()
        };
        let (less, more, all) = (count(&below), count(&above), self.comparison.taps.len());
        let says = format!("The shift test hurts {arm} less at {less} and more at {more} of {all} taps");
        let text = format!(
            "{says} than {against} (means x {means}, deviations x {deviations}): {arm} keeps {}.",
            parts.join("; ")
        );
        Some(self.sentence(Topic::Shift, less > 0 && more == 0, text))
    }

    fn features(&self) -> Option<Sentence> {
        let (arm, against) = self.names();
        let varies = |found: &Ranged| found.interval().is_some_and(|(low, high)| low > 0.0 || high < 0.0);
        let mut parts = Vec::new();
        let mut shown = false;
        for tap in &self.comparison.taps {
            let Some(found) = &tap.class_effect else { continue };
            shown |= varies(found);
            parts.push(format!("{} at tap {}", ranged(found), tap.tap));
        }
        let mut clauses = Vec::new();
        if !parts.is_empty() {
            clauses.push(format!(
                "the distance between the classes by {} pooled standard deviations",
                parts.join(", ")
            ));
        }
        if let Some(found) = &self.comparison.high_frequency_share {
            shown |= varies(found);
            let points = Ranged {
                value: 100.0 * found.value,
                low: found.low.map(|low| 100.0 * low),
                high: found.high.map(|high| 100.0 * high),
            };
            clauses.push(format!(
                "the share of the perturbation's power at high frequencies by {} percentage points",
                ranged(&points)
            ));
        }
        if clauses.is_empty() {
            return None;
        }
        let text = format!("{arm} differs from {against} in {}.", clauses.join(" and in "));
        Some(self.sentence(Topic::Features, shown, text))
    }

    /// What explains the change of the radius: that of first order, if it changed alike and predicts
    /// the radius in both arms, and its two factors.
    fn explanation(&self) -> Sentence {
        let ((arm, against), of) = (self.names(), self.comparison);
        let about = Topic::Explanation;
        let unsupported =
            |why: String| self.sentence(about, false, format!("{arm}: no explanation is supported: {why}."));
        if !self.enough {
            return unsupported(format!("there are fewer than {FEWEST_GROUPS} people or videos"));
        }
        let (Some(radius), Some(first)) = (&of.pgd_255, &of.first_order_255) else {
            return unsupported(format!("the radii of {arm} and {against} cannot be compared"));
        };
        let moved = change(radius);
        if matches!(moved, Change::Unchanged | Change::Unclear) {
            let mut why =
                format!("no change of the radius at which PGD succeeds is shown (factor {})", ratio(radius));
            if let Some(lowered) =
                of.statistics_loss.as_ref().filter(|found| change(found) == Change::Lowered)
            {
                why.push_str(&format!(
                    ", although ||grad_{{mu,sigma}} L|| was lowered by a factor {}: a smaller gradient of the \
                    statistics did not by itself give a larger radius",
                    inverse(lowered)
                ));
            }
            return unsupported(why);
        }
        let told = |figures: &ArmFigures| {
            figures.rank_correlation.map_or_else(|| "undefined".to_owned(), |found| ranged(&found))
        };
        let correlations = format!("{} for {arm}, {} for {against}", told(self.arm), told(self.against));
        let (grew, by) = match moved {
            Change::Raised => ("grew", ratio(radius)),
            _ => ("shrank", inverse(radius)),
        };
        if !(follows(self.arm.rank_correlation) && follows(self.against.rank_correlation)) {
            return unsupported(format!(
                "the radius at which PGD succeeds {grew} by a factor {by}, but the first-order radius does not \
                rank the pictures by it (rank correlation {correlations})"
            ));
        }
        if change(first) != moved {
            return unsupported(format!(
                "the radius at which PGD succeeds {grew} by a factor {by}, but the first-order radius did not do \
                so with it (factor {})",
                ratio(first)
            ));
        }
        let by_first = if moved == Change::Raised { ratio(first) } else { inverse(first) };
        let text = format!(
            "{arm}: the radius at which PGD succeeds {grew} by a factor {by}, and the first-order radius, which \
            ranks the pictures by it (rank correlation {correlations}), by {by_first}; {}{}.",
            self.factors(moved),
            self.association()
        );
        self.sentence(about, true, text)
    }

    /// Which of the first-order radius's two factors moved it.
    fn factors(&self, moved: Change) -> String {
        let of = self.comparison;
        let (margin, gradient) = (of.right_margin.as_ref(), of.right_input_margin_l1.as_ref());
        let opposite = if moved == Change::Raised { Change::Lowered } else { Change::Raised };
        let by_margin = margin.is_some_and(|found| change(found) == moved);
        let by_gradient = gradient.is_some_and(|found| change(found) == opposite);
        let because = match (by_margin, by_gradient) {
            (true, true) => "by its margins and by its gradients",
            (true, false) => "by its margins, not shown by its gradients",
            (false, true) => "by its gradients, not shown by its margins",
            (false, false) => "by margins and gradients together, neither being shown alone",
        };
        let told = |found: Option<&Ratio>| found.map_or_else(|| "undefined".to_owned(), ratio);
        format!("{because} (factor of the margins {}, of ||grad_x z||_1 {})", told(margin), told(gradient))
    }

    /// Whether the radius grew more on the pictures whose gradient of the statistics fell more.
    fn association(&self) -> String {
        let Some(found) = self.comparison.radius_by_statistics else { return String::new() };
        let says = match found.interval() {
            Some((_, high)) if high < 0.0 => {
                "moved more on pictures whose ||grad_{mu,sigma} z|| moved more the other way"
            }
            Some((low, _)) if low > 0.0 => "moved the same way as ||grad_{mu,sigma} z|| over pictures",
            _ => "is not shown to move with ||grad_{mu,sigma} z|| over pictures",
        };
        format!("; the radius {says} (rank correlation {})", ranged(&found))
    }
}

#[cfg(test)]
mod tests;
