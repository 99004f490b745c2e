//! The difference of a figure between two arms, its test, and its verdict.

use super::crossed::{Components, Scope};
use super::needed::{Needed, needed};
use super::{Estimate, LEVEL};

/// The test that gives the verdict and p of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// McNemar's exact test: every picture is its own group, one training seed.
    McNemar,
    /// The exact sign-flip test over groups, of which McNemar's is the simplest case.
    SignFlip,
    /// The paired bootstrap over groups.
    Bootstrap,
    /// The t test with the variance of seeds and groups together (`crossed.rs`); for shares the
    /// larger of its p and the sign-flip test's.
    Crossed,
}

impl Test {
    /// The name in report.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::McNemar => "mcnemar",
            Self::SignFlip => "sign-flip",
            Self::Bootstrap => "bootstrap",
            Self::Crossed => "crossed",
        }
    }
}

/// The difference of a metric between two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// arm - against, averaged over the seeds.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Two-sided p of `test`; `None` where there are too few groups for it.
    pub p: Option<f64>,
    /// The test.
    pub test: Test,
    /// The smallest true difference that these pictures and groups show with a power of 80 %;
    /// `None` where they are too few to show any.
    pub detectable: Option<f64>,
    /// [`Difference::detectable`] if every picture were its own group; `None` for metrics that
    /// are no share of pictures.
    pub detectable_pictures: Option<f64>,
    /// What interval and test speak of.
    pub scope: Scope,
    /// The standard deviation of the seeds' differences; `None` for one seed.
    pub deviation: Option<f64>,
    /// The probability that a model of the arm has a higher figure than one of the other
    /// ([`super::improvement`]).
    pub improvement: Estimate,
    /// The parts of its variance.
    pub components: Components,
    /// How many seeds it was found at.
    pub seeds: usize,
    /// The fewest groups of a study that may give a verdict, not fewer than there are.
    pub groups: usize,
}

impl Difference {
    /// The verdict of the test.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(self.value, self.p)
    }

    /// The difference with its interval cut off or extended at zero, to agree with the test.
    pub(super) fn agreeing_with_test(self) -> Self {
        self.agreeing_with(self.p)
    }

    /// The difference with its interval cut off or extended at zero, to agree with a test whose
    /// p is `p`.
    pub fn agreeing_with(self, p: Option<f64>) -> Self {
        let (low, high) = (self.low.min(self.value), self.high.max(self.value));
        match Verdict::of(self.value, p) {
            Verdict::NoEffect | Verdict::TooFew => Self { low: low.min(0.0), high: high.max(0.0), ..self },
            Verdict::Higher => Self { low: low.max(0.0), high, ..self },
            Verdict::Lower => Self { low, high: high.min(0.0), ..self },
        }
    }

    /// The study that would show a true difference of `least` at the two-sided `level` in four
    /// cases of five; `None` where none within reason would.
    pub fn needed(&self, least: f64, level: f64) -> Option<Needed> {
        let seeds = (self.scope == Scope::Method).then_some(self.seeds);
        needed(self.components, (seeds, self.groups), least, level)
    }
}

/// The verdict on a difference. It is about the number, not about better or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The difference is above zero.
    Higher,
    /// The difference is below zero.
    Lower,
    /// The difference may be zero.
    NoEffect,
    /// There are too few people or videos for a test.
    TooFew,
}

impl Verdict {
    /// Of the difference `value` under a test whose p is `p`, `None` where there are too few
    /// groups for it.
    pub fn of(value: f64, p: Option<f64>) -> Self {
        match p {
            None => Self::TooFew,
            Some(p) if p >= LEVEL || value == 0.0 => Self::NoEffect,
            Some(_) if value > 0.0 => Self::Higher,
            Some(_) => Self::Lower,
        }
    }

    /// The words of report.json.
    pub fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NoEffect => "no effect shown",
            Self::TooFew => "too few to tell",
        }
    }
}
