//! The checks that say when a figure must not be believed: models that hide
//! their gradients, attacks that are broken, oracles that are not functions.
//! Some look at one attack, others compare the reports of several.

use crate::results::attack::GradientCount;
use crate::results::attack::{AttackReport, Gate};

/// Beyond this a proposal left the ball by more than float rounding, in 1/255.
pub const EXCESS_TOLERANCE_255: f64 = 0.01;
/// The robust accuracy by which a weaker attack may beat a stronger one.
pub const MARGIN: f64 = 0.002;
/// The robust accuracy that may be left at 64/255.
pub const LEFT_AT_64: f64 = 0.01;
/// The share of the pictures left standing whose search may have been given one answer only.
pub const UNINFORMED: f64 = 0.1;
/// The share of all pictures whose success rounding to 8 bits may have undone.
pub const LOST: f64 = 0.02;

/// The gates that look at what became of the pictures; a suite's are of all its attacks
/// together.
pub const OF_OUTCOMES: [&str; 3] = [ANSWERS_DIFFER, SURVIVES_ROUNDING, CLEAN_AUC];
const ANSWERS_DIFFER: &str = "answers-differ";
const SURVIVES_ROUNDING: &str = "survives-rounding";
/// The gate of [`clean_auc`].
pub const CLEAN_AUC: &str = "clean-auc";

impl Gate {
    /// A gate; `reason` says what a failure would mean.
    pub fn new(name: &str, passed: bool, value: f64, reason: &str) -> Self {
        Self { name: name.to_owned(), passed, value, reason: reason.to_owned() }
    }
}

impl AttackReport {
    /// Adds a gate; one that failed makes the report unreliable.
    pub fn add_gate(&mut self, gate: Gate) {
        self.unreliable |= !gate.passed;
        self.gates.push(gate);
    }
}

/// Equal pictures, asked twice, gave the same bits. `first` and `second` are
/// the logits \[N\]; the value is their largest difference.
pub fn deterministic(first: &[f32], second: &[f32]) -> Gate {
    let pairs = || first.iter().zip(second);
    let same = first.len() == second.len() && pairs().all(|(a, b)| a.to_bits() == b.to_bits());
    let largest = pairs().map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    Gate::new(
        "deterministic",
        same,
        largest,
        "a model whose logits change between two forwards hides from an attack behind noise",
    )
}

/// No logit was NaN or infinite; the value counts those that were.
pub fn finite(non_finite: u64) -> Gate {
    Gate::new(
        "finite",
        non_finite == 0,
        non_finite as f64,
        "a logit that is no finite number is neither a right decision nor a success",
    )
}

/// No proposal lay outside the ball before it was clipped; the value is the
/// largest excess in 1/255.
pub fn within_ball(excess_255: f64) -> Gate {
    Gate::new(
        "within-ball",
        excess_255 <= EXCESS_TOLERANCE_255,
        // JSON has no infinity.
        excess_255.min(f64::from(f32::MAX)),
        "an attack that leaves the ball was looking at pictures it may not use, so clipping weakened it",
    )
}

/// What the attack says of its own device can be: no more gradients than evaluations; the
/// value is the share of pictures where it cannot. What it asks through its queries the judge
/// counts.
pub fn counted(miscounted: usize, attacked: usize) -> Gate {
    let share = miscounted as f64 / attacked.max(1) as f64;
    Gate::new(
        "queries-counted",
        miscounted == 0,
        share,
        "an attack whose own count of queries is wrong may have used more than its budget",
    )
}

/// The searches for the pictures left standing learned something: for each in `searches`
/// whether its answers were all the same, where that was measured. The value is the share of
/// those that were. None where there are such pictures and it was measured of none.
pub fn answers_differ(searches: &[Option<bool>]) -> Option<Gate> {
    let measured = || searches.iter().flatten();
    if measured().next().is_none() && !searches.is_empty() {
        return None;
    }
    let uninformed = measured().filter(|never_differed| **never_differed).count();
    let share = uninformed as f64 / measured().count().max(1) as f64;
    Some(Gate::new(
        ANSWERS_DIFFER,
        share <= UNINFORMED,
        share,
        "of these pictures left standing the search was given the same answer every time (a saturated probability, \
        hard labels, no change that crosses): it learned nothing, so that they stand is no robustness; let the file \
        give the logit before its sigmoid or softmax, or attack by labels (rays in linf, hop-skip-jump, boundary in l2)",
    ))
}

/// Few successes were `lost` to rounding, of `n` pictures. The value is their share.
pub fn survives_rounding(lost: usize, n: usize) -> Gate {
    let share = lost as f64 / n.max(1) as f64;
    Gate::new(
        SURVIVES_ROUNDING,
        share <= LOST,
        share,
        "these pictures fall within the radius in floats and no 8-bit picture was found that does: the robust accuracy \
        counts them as standing and is too high for an attack before the pixels are saved; look at a larger radius",
    )
}

/// The classes are the right way round: of the clean logits' AUC `auc` the interval, up to
/// `high`, does not lie below one half. The value is the AUC.
pub fn clean_auc(auc: f64, high: f64) -> Gate {
    Gate::new(
        CLEAN_AUC,
        high >= 0.5,
        auc,
        "the AUC on clean pictures lies below one half: the model tells the classes apart the wrong way round, so \
        that what counts as right is mostly chance; name the class of fakes (--fake-index) or mend the labels",
    )
}

/// No input gradient was zero everywhere or not finite; the value is the share
/// of those that were. None where the attack uses no gradients.
pub fn gradient(count: GradientCount) -> Option<Gate> {
    let bad = count.zero + count.non_finite;
    (count.evaluated > 0).then(|| {
        Gate::new(
            "nonzero-gradients",
            bad == 0,
            bad as f64 / count.evaluated as f64,
            "a gradient that is zero or no number leads an attack nowhere: the loss is saturated or the model masks it",
        )
    })
}

/// Finite differences agree with the gradient; `error` is their largest relative
/// difference, `tolerance` what is allowed.
pub fn finite_difference(error: f64, tolerance: f64) -> Gate {
    Gate::new(
        "finite-differences",
        error <= tolerance,
        error,
        "a gradient that differs from finite differences is not the model's",
    )
}

/// The attack did no worse than random noise of the same radius.
pub fn beats_noise(attack: &AttackReport, noise: &AttackReport) -> Gate {
    not_beaten(
        "beats-noise",
        attack,
        noise,
        0.0,
        "an attack that plain noise beats is broken, or the model hides from it",
    )
}

/// No black-box attack (nor a transferred one) beat the white-box one.
pub fn black_box(white: &AttackReport, black: &AttackReport) -> Gate {
    not_beaten(
        "white-box-strongest",
        white,
        black,
        MARGIN,
        "an attack without gradients that beats the one with them shows that the gradients are masked",
    )
}

/// More steps did no harm: PGD-40 against PGD-10.
pub fn more_steps(many: &AttackReport, few: &AttackReport) -> Gate {
    not_beaten(
        "more-steps",
        many,
        few,
        0.0,
        "more steps that attack worse mean a step size or a gradient that is wrong",
    )
}

/// More steps go further: mean margins at the start, after a quarter of the steps, and
/// after all. They may lie apart by the swing of a last step, a twentieth of the way; the
/// value is how much higher the last margin is.
pub fn steps_go_on([start, quarter, all]: [f64; 3]) -> Gate {
    let lead = all - quarter;
    let passed = lead <= 0.05 * (start - quarter).abs();
    // JSON has no NaN.
    let value = if lead.is_finite() { lead } else { f64::from(f32::MAX) };
    Gate::new(
        "steps-go-on",
        passed,
        value,
        "more steps that end at a higher margin mean a step size or a gradient that is wrong",
    )
}

/// Accuracy falls as epsilon grows; `reports` by rising epsilon. The value is
/// the largest rise.
pub fn monotone(reports: &[&AttackReport]) -> Gate {
    let rises = reports.windows(2).map(|pair| pair[1].robust_accuracy - pair[0].robust_accuracy);
    let largest = rises.fold(0.0, f64::max);
    Gate::new(
        "falls-with-epsilon",
        largest <= 0.0,
        largest,
        "a larger ball holds the smaller one, so an accuracy that rises means that the attack failed to search it",
    )
}

/// Nearly nothing survives 64/255, where a grey picture is within reach of most.
pub fn breaks_at_64(report: &AttackReport) -> Gate {
    Gate::new(
        "breaks-at-64",
        report.robust_accuracy <= LEFT_AT_64,
        report.robust_accuracy,
        "no detector withstands 64/255: what is left there was not attacked well",
    )
}

/// What a suite's attacks found of the same check, as one gate: passed where all
/// passed, by the largest value. The reason of a failure names the attack.
///
/// # Panics
/// There are none.
pub fn together(found: &[(&str, &Gate)]) -> Gate {
    let (_, first) = found.first().expect("a check that somebody made");
    let value = found.iter().map(|(_, gate)| gate.value).fold(f64::NEG_INFINITY, f64::max);
    let failed = found.iter().find(|(_, gate)| !gate.passed);
    let reason = failed.map_or(first.reason.clone(), |(method, gate)| format!("{method}: {}", gate.reason));
    Gate { name: first.name.clone(), passed: failed.is_none(), value, reason }
}

/// One gate of a check where an attack that passes makes up for another that failed, as a
/// margin loss does for a saturated cross-entropy: passed where one passed.
///
/// # Panics
/// There are none.
pub fn at_best(found: &[(&str, &Gate)]) -> Gate {
    let best = found.iter().find(|(_, gate)| gate.passed);
    best.map_or_else(|| together(found), |(_, gate)| (*gate).clone())
}

/// Of the `n` pictures of a suite, attacks without gradients turned over `broken`
/// that those with them had left.
pub fn masked(broken: usize, n: usize) -> Gate {
    let share = broken as f64 / n.max(1) as f64;
    Gate::new(
        "white-box-strongest",
        share <= MARGIN,
        share,
        "attacks without gradients broke pictures that those with them had left: the gradients are masked, or the steps too few",
    )
}

/// Of the `n` pictures of a suite, plain noise turned over `broken` that every
/// attack had left.
pub fn noise_breaks_nothing(broken: usize, n: usize) -> Gate {
    Gate::new(
        "beats-noise",
        broken == 0,
        broken as f64 / n.max(1) as f64,
        "plain noise broke pictures that the attacks had left: they are broken, or the model hides from them",
    )
}

/// Passed when `weak` leaves no less robust accuracy than `strong`, up to `margin`.
fn not_beaten(name: &str, strong: &AttackReport, weak: &AttackReport, margin: f64, reason: &str) -> Gate {
    let lead = strong.robust_accuracy - weak.robust_accuracy;
    Gate::new(name, lead <= margin, lead, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::summary::{Summary, Tally};
    use crate::results::evaluation::{DataInfo, ModelInfo};
    use crate::threat::Norm;

    /// A report of which only the robust accuracy matters.
    fn left(robust_accuracy: f64) -> AttackReport {
        let summary = Summary::of(&[], 0.0, Vec::new());
        AttackReport {
            method: "planted".to_owned(),
            norm: Norm::Linf,
            eps_255: 8.0,
            eps: 8.0 / 255.0,
            params: serde_json::Map::new(),
            n: 1000,
            n_clean_correct: 1000,
            clean_accuracy: 1.0,
            robust_accuracy,
            attack_success_rate: Some(1.0 - robust_accuracy),
            fake_to_real: summary.fake_to_real,
            real_to_fake: summary.real_to_fake,
            intervals: Tally::default().intervals(),
            auc: None,
            queries: summary.queries,
            queries_to_success: None,
            certified_8bit: 0,
            lost_to_rounding: 0,
            minimal_distance: None,
            gates: Vec::new(),
            unreliable: false,
            model: ModelInfo {
                path: String::new(),
                sha256: String::new(),
                arch: String::new(),
                res: 32,
                reading: None,
            },
            data: DataInfo { path: String::new(), split: String::new(), n_real: 0, n_fake: 0 },
            threshold: 0.0,
            threshold_from: None,
            skipped: Vec::new(),
            not_reached: 0,
            stages: Vec::new(),
            seconds: 0.0,
        }
    }

    #[test]
    fn a_stronger_attack_may_not_leave_more_than_a_weaker_one() {
        assert!(beats_noise(&left(0.4), &left(0.4)).passed);
        assert!(!beats_noise(&left(0.41), &left(0.4)).passed);
        assert!(black_box(&left(0.402), &left(0.4005)).passed);
        assert!(!black_box(&left(0.403), &left(0.4)).passed);
        assert!(more_steps(&left(0.3), &left(0.4)).passed);
        assert!(!more_steps(&left(0.4), &left(0.3)).passed);
    }

    #[test]
    fn more_steps_may_swing_but_not_turn_back() {
        assert!(steps_go_on([1.0, 0.0, -1.0]).passed);
        assert!(steps_go_on([1.0, 0.0, 0.05]).passed);
        assert!(!steps_go_on([1.0, 0.0, 0.06]).passed);
        assert!(!steps_go_on([1.0, 0.0, f64::NAN]).passed);
    }

    #[test]
    fn accuracy_must_fall_with_epsilon_and_reach_the_ground() {
        assert!(monotone(&[&left(0.9), &left(0.5), &left(0.5), &left(0.0)]).passed);
        let rise = monotone(&[&left(0.9), &left(0.5), &left(0.6), &left(0.0)]);
        assert!(!rise.passed && (rise.value - 0.1).abs() < 1e-12);
        assert!(breaks_at_64(&left(0.01)).passed);
        assert!(!breaks_at_64(&left(0.02)).passed);
    }

    #[test]
    fn zero_and_broken_gradients_fail_and_none_is_no_gate() {
        let count = |evaluated, zero, non_finite| GradientCount { evaluated, zero, non_finite };
        assert!(gradient(count(0, 0, 0)).is_none());
        assert!(gradient(count(40, 0, 0)).unwrap().passed);
        let masked = gradient(count(40, 9, 1)).unwrap();
        assert!(!masked.passed && masked.value == 0.25);
        assert!(!finite_difference(0.2, 0.05).passed);
    }

    #[test]
    fn a_tenth_may_be_uninformed_and_a_fiftieth_lost() {
        let searches = |uninformed: usize, informed: usize, unknown: usize| {
            let several = |search, count| std::iter::repeat_n(search, count);
            let searches = several(Some(true), uninformed).chain(several(Some(false), informed));
            answers_differ(&searches.chain(several(None, unknown)).collect::<Vec<_>>())
        };
        assert!(searches(0, 0, 0).unwrap().passed && searches(1, 9, 0).unwrap().passed);
        let two = searches(2, 17, 0).unwrap();
        assert!(!two.passed && two.reason.contains("by labels"), "{two:?}");
        assert_eq!(searches(2, 2, 96).unwrap().value, 0.5, "of those that are known");
        assert_eq!(searches(0, 0, 3), None, "nobody looked");
        assert!(survives_rounding(2, 100).passed && !survives_rounding(3, 100).passed);
        assert!(clean_auc(0.4, 0.5).passed && !clean_auc(0.4, 0.499).passed);
    }

    #[test]
    fn one_failed_gate_makes_a_report_unreliable_for_good() {
        let mut report = left(0.5);
        report.add_gate(finite(0));
        assert!(!report.unreliable);
        report.add_gate(finite(3));
        report.add_gate(within_ball(0.0));
        assert!(report.unreliable);
        assert_eq!(report.gates.len(), 3);
        assert!(!deterministic(&[0.0], &[-0.0]).passed, "bits, not values");
    }
}
