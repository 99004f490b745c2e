//! The count of queries that the judge trusts over an attack's word. An attack
//! is given a [`Counted`] oracle; the judge opens a [`scope`] around each
//! proposal and reads what was really asked, and whether the answers ever differed.
//!
//! The scope belongs to the thread. Where a waiting thread picks up another
//! picture's proposal in between, that proposal opens its own scope, and the
//! outer one goes on where it was.

use super::tape;
use crate::data::batch::Batch;
use crate::data::manifest::Label;
use crate::detector::oracle::{AttackLoss, DecisionOracle, GradientOracle, Oracle, OracleError};
use std::cell::Cell;

thread_local! {
    static OPEN: Cell<Option<Account>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
struct Account {
    spent: u64,
    pictures: u64,
    answers: Answers,
}

/// The answers to a search, as far as it matters whether they ever differed: to the bit,
/// since a saturated probability and a label repeat exactly.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answers {
    first: Option<u64>,
    count: u64,
    differed: bool,
}

impl Answers {
    /// Takes in an answer by its bits.
    pub fn take(&mut self, bits: u64) {
        self.count += 1;
        self.differed |= *self.first.get_or_insert(bits) != bits;
    }

    /// Whether they were all the same; none where there were not several to compare.
    pub fn never_differed(&self) -> Option<bool> {
        (self.count > 1).then_some(!self.differed)
    }
}

/// Whether two sets of answers never differed, each within itself; what was not measured
/// says nothing.
pub fn together(one: Option<bool>, other: Option<bool>) -> Option<bool> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one && other),
        (one, other) => one.or(other),
    }
}

/// What was asked in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Logits, gradients and labels.
    pub queries: u64,
    /// Whether the logits or labels were all the same; none where the scope was of several
    /// pictures or there were fewer than two answers. Gradients are no part of it: a batch
    /// of them tells no picture from another, so that their attacks say it themselves.
    pub never_differed: Option<bool>,
}

/// Runs `work`, which may ask for `pictures` pictures, and says how many logits
/// (and gradients, and labels) it asked of [`Counted`] oracles on this thread.
pub fn scope<T>(pictures: usize, work: impl FnOnce() -> T) -> (T, u64) {
    let (result, spent) = audited(pictures, work);
    (result, spent.queries)
}

/// The same with what the answers were like.
pub fn audited<T>(pictures: usize, work: impl FnOnce() -> T) -> (T, Spent) {
    /// Gives the outer scope back even where `work` panics.
    struct Outer(Option<Account>);
    impl Drop for Outer {
        fn drop(&mut self) {
            OPEN.set(self.0);
        }
    }
    let account = Account { spent: 0, pictures: pictures as u64, answers: Answers::default() };
    let _outer = Outer(OPEN.replace(Some(account)));
    let result = work();
    let account = OPEN.get().unwrap_or(account);
    let never_differed = account.answers.never_differed().filter(|_| account.pictures == 1);
    (result, Spent { queries: account.spent, never_differed })
}

/// Keeps `answers`, by their bits, for the scope that is open.
fn take(answers: impl Iterator<Item = u64>) {
    if let Some(mut account) = OPEN.get() {
        answers.for_each(|bits| account.answers.take(bits));
        OPEN.set(Some(account));
    }
}

/// An oracle that counts, with a budget that cannot be overrun.
#[derive(Debug)]
pub struct Counted<'a, O: ?Sized> {
    oracle: &'a O,
    budget: Option<u64>,
}

impl<'a, O: ?Sized> Counted<'a, O> {
    /// Counts what is asked of `oracle`; more than `budget` queries a picture
    /// are refused (none: no limit).
    pub fn new(oracle: &'a O, budget: Option<u64>) -> Self {
        Self { oracle, budget }
    }

    /// The queries left to the picture in hand; none without a budget.
    pub fn left(&self) -> Option<u64> {
        let spent = OPEN.get().map_or(0, |account| account.spent);
        let pictures = OPEN.get().map_or(1, |account| account.pictures);
        self.budget.map(|budget| (budget * pictures).saturating_sub(spent))
    }

    fn charge(&self, queries: usize) -> Result<(), OracleError> {
        let Some(account) = OPEN.get() else {
            return Err(OracleError(
                "an attack asked outside of its proposal; it must ask on the thread that the judge runs it on"
                    .to_owned(),
            ));
        };
        if self.left().is_some_and(|left| queries as u64 > left) {
            return Err(OracleError(format!(
                "an attack asked beyond its budget of {} queries a picture; it must count what it spends",
                self.budget.unwrap_or_default()
            )));
        }
        OPEN.set(Some(Account { spent: account.spent + queries as u64, ..account }));
        Ok(())
    }
}

impl<O: Oracle + ?Sized> Oracle for Counted<'_, O> {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        self.charge(batch.len())?;
        let logits = tape::logits(batch, || self.oracle.logits(batch))?;
        take(logits.iter().map(|logit| u64::from(logit.to_bits())));
        Ok(logits)
    }

    fn res(&self) -> usize {
        self.oracle.res()
    }
}

impl<O: DecisionOracle + ?Sized> DecisionOracle for Counted<'_, O> {
    fn decisions(&self, batch: &Batch) -> Result<Vec<Option<Label>>, OracleError> {
        self.charge(batch.len())?;
        let labels = tape::labels(batch, || self.oracle.decisions(batch))?;
        take(labels.iter().map(|label| label.map_or(2, |label| u64::from(label == Label::Fake))));
        Ok(labels)
    }

    fn res(&self) -> usize {
        self.oracle.res()
    }
}

impl<O: GradientOracle + ?Sized> GradientOracle for Counted<'_, O> {
    fn loss_gradient(
        &self,
        batch: &Batch,
        labels: &[Label],
        loss: AttackLoss,
    ) -> Result<(Vec<f32>, Batch), OracleError> {
        self.charge(batch.len())?;
        self.oracle.loss_gradient(batch, labels, loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::oracle::Decisions;

    struct Zero;
    impl Oracle for Zero {
        fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
            Ok(vec![0.0; batch.len()])
        }
        fn res(&self) -> usize {
            1
        }
    }

    fn ask(oracle: &dyn Oracle, pictures: usize) -> Result<Vec<f32>, OracleError> {
        oracle.logits(&Batch { res: 1, values: vec![0.0; 3 * pictures] })
    }

    #[test]
    fn scopes_nest_and_count_apart() {
        let counted = Counted::new(&Zero, None);
        let (inner, outer) = scope(1, || {
            ask(&counted, 2).unwrap();
            let ((), inner) = scope(1, || drop(ask(&counted, 5).unwrap()));
            ask(&counted, 1).unwrap();
            inner
        });
        assert_eq!((inner, outer), (5, 3));
    }

    #[test]
    fn the_budget_is_hard_and_a_refused_query_is_not_charged() {
        let counted = Counted::new(&Zero, Some(3));
        let (refused, spent) = scope(1, || {
            ask(&counted, 2).unwrap();
            assert_eq!(counted.left(), Some(1));
            let refused = ask(&counted, 2).unwrap_err();
            ask(&counted, 1).unwrap();
            refused
        });
        assert_eq!(spent, 3);
        assert!(refused.to_string().contains("budget of 3 queries"));
    }

    #[test]
    fn labels_are_counted_as_logits_are() {
        let labels = Decisions::new(&Zero, 0.0);
        let counted = Counted::new(&labels, Some(4));
        let batch = Batch { res: 1, values: vec![0.0; 9] };
        let (refused, spent) = scope(1, || {
            assert_eq!(counted.decisions(&batch).unwrap(), [Some(Label::Real); 3]);
            counted.decisions(&batch).unwrap_err()
        });
        assert_eq!(spent, 3);
        assert!(refused.to_string().contains("budget of 4 queries"));
    }

    #[test]
    fn answers_that_never_differ_are_noticed_for_one_picture() {
        struct Bright;
        impl Oracle for Bright {
            fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
                Ok((0..batch.len()).map(|index| batch.picture(index)[0]).collect())
            }
            fn res(&self) -> usize {
                1
            }
        }
        let counted = Counted::new(&Bright, None);
        let labels = Decisions::new(&Bright, 0.5);
        let labels = Counted::new(&labels, None);
        let asked = |pictures, levels: &[f32], by_label: bool| {
            let values = levels.iter().flat_map(|&level| [level; 3]).collect();
            let batch = Batch { res: 1, values };
            let ask = || match by_label {
                true => drop(labels.decisions(&batch).unwrap()),
                false => drop(counted.logits(&batch).unwrap()),
            };
            audited(pictures, ask).1.never_differed
        };
        assert_eq!(asked(1, &[0.25, 0.25, 0.25], false), Some(true));
        assert_eq!(asked(1, &[0.25, 0.25, 0.26], false), Some(false));
        assert_eq!(asked(1, &[0.25, 0.26], true), Some(true));
        assert_eq!(asked(1, &[0.25, 0.75], true), Some(false));
        assert_eq!(asked(1, &[f32::NAN, f32::NAN], true), Some(true));
        assert_eq!(asked(1, &[0.25], false), None, "one answer says nothing");
        assert_eq!(asked(2, &[0.25, 0.25], false), None, "they may be of two pictures");
    }

    #[test]
    fn a_query_outside_of_any_scope_is_refused() {
        assert!(ask(&Counted::new(&Zero, None), 1).is_err());
    }
}
