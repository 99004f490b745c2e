//! The model that an attack works against, asked for many pictures at once.

use super::line::{Answer, Line, Question};
use crate::attack::Proposal;
use crate::attack::query::Query;
use crate::data::batch::Batch;
use crate::detector::oracle::{AttackLoss, GradientOracle, OracleError};
use crate::threat::Threat;
use rayon::prelude::*;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Whom to ask, and how many pictures walk together.
pub struct Lockstep<'a> {
    oracle: &'a dyn GradientOracle,
    pub(super) threshold: f32,
    pub(super) batch: usize,
}

/// An attack on one picture.
pub(super) trait Walk: Sync {
    /// What to propose for the picture at the other end of `line`: 3 x res x res
    /// finite values within the ball.
    fn walk(&self, line: &Line<'_>) -> impl Future<Output = Vec<f32>> + Send;
}

/// A walk that goes on, or what it ended with.
enum Stage<W> {
    Walking(Pin<Box<W>>),
    Ended(Vec<f32>),
}

impl<W: Future<Output = Vec<f32>>> Stage<W> {
    /// Goes on to the next question, or to the end.
    fn advance(&mut self) {
        if let Self::Walking(walk) = self {
            // Nobody needs waking: whoever has been answered is polled.
            let polled = walk.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            if let Poll::Ready(values) = polled {
                *self = Self::Ended(values);
            }
        }
    }
}

impl<'a> Lockstep<'a> {
    /// `oracle`, whose logit above `threshold` says fake, `batch` pictures at a time.
    pub fn new(oracle: &'a dyn GradientOracle, threshold: f32, batch: usize) -> Self {
        Self { oracle, threshold, batch: batch.max(1) }
    }

    /// Walks with the pictures of all `queries` within `threat`; one proposal each, in order.
    pub(super) fn attack(
        &self,
        queries: &[Query<'_>],
        threat: Threat,
        walk: &impl Walk,
    ) -> Result<Vec<Proposal>, OracleError> {
        let chunks = queries.chunks(self.batch).map(|queries| self.together(queries, threat, walk));
        Ok(chunks.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    fn together(
        &self,
        queries: &[Query<'_>],
        threat: Threat,
        walk: &impl Walk,
    ) -> Result<Vec<Proposal>, OracleError> {
        let lines: Vec<_> =
            queries.iter().map(|query| Line::new(query.target(), threat, self.threshold)).collect();
        let mut stages: Vec<_> = lines.iter().map(|line| Stage::Walking(Box::pin(walk.walk(line)))).collect();
        loop {
            stages.par_iter_mut().for_each(Stage::advance);
            let asked: Vec<_> = lines.iter().filter_map(|line| Some((line, line.question()?))).collect();
            if asked.is_empty() {
                break;
            }
            self.answer(asked)?;
        }
        let ended = stages.into_iter().map(|stage| match stage {
            Stage::Ended(values) => values,
            Stage::Walking(_) => unreachable!("a walk waits for nothing but its answers"),
        });
        Ok(ended.zip(&lines).map(|(values, line)| line.proposal(values)).collect())
    }

    /// Answers every question, those of one kind together.
    fn answer(&self, asked: Vec<(&Line<'_>, Question)>) -> Result<(), OracleError> {
        let kinds = [None, Some(AttackLoss::CrossEntropy), Some(AttackLoss::Margin)];
        for kind in kinds {
            let alike = asked.iter().filter(|(_, question)| question.loss == kind);
            let lines: Vec<_> = alike.clone().map(|(line, _)| *line).collect();
            if lines.is_empty() {
                continue;
            }
            let values = alike.flat_map(|(_, question)| question.values.iter().copied()).collect();
            let batch = Batch { res: self.oracle.res(), values };
            match kind {
                None => self.logits(&lines, &batch)?,
                Some(loss) => self.slopes(&lines, &batch, loss)?,
            }
        }
        Ok(())
    }

    fn logits(&self, lines: &[&Line<'_>], batch: &Batch) -> Result<(), OracleError> {
        let logits = self.oracle.logits(batch)?;
        expect("logits", logits.len(), lines.len())?;
        lines.iter().zip(logits).for_each(|(line, logit)| line.reply(Answer::Logit(logit)));
        Ok(())
    }

    fn slopes(&self, lines: &[&Line<'_>], batch: &Batch, loss: AttackLoss) -> Result<(), OracleError> {
        let labels: Vec<_> = lines.iter().map(|line| line.label()).collect();
        let (losses, gradients) = self.oracle.loss_gradient(batch, &labels, loss)?;
        expect("losses", losses.len(), lines.len())?;
        expect("values of a gradient", gradients.values.len(), batch.values.len())?;
        for (index, (line, loss)) in lines.iter().zip(losses).enumerate() {
            line.reply(Answer::Slope { loss, gradient: gradients.picture(index).to_vec() });
        }
        Ok(())
    }
}

fn expect(what: &str, got: usize, asked: usize) -> Result<(), OracleError> {
    if got == asked {
        return Ok(());
    }
    Err(OracleError(format!(
        "the model gave {got} {what} where {asked} were asked for; give it pictures of its own size"
    )))
}
