//! The model that an attack works against, asked for many pictures at once.

use super::channel::{Answer, Channel, Question};
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
    /// What to propose for the picture at the other end of `channel`: 3 x res x res
    /// finite values within the ball.
    fn walk(&self, channel: &Channel<'_>) -> impl Future<Output = Vec<f32>> + Send;
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
        let channels: Vec<_> =
            queries.iter().map(|query| Channel::new(query.target(), threat, self.threshold)).collect();
        let mut stages: Vec<_> =
            channels.iter().map(|channel| Stage::Walking(Box::pin(walk.walk(channel)))).collect();
        loop {
            stages.par_iter_mut().for_each(Stage::advance);
            let asked: Vec<_> =
                channels.iter().filter_map(|channel| Some((channel, channel.question()?))).collect();
            if asked.is_empty() {
                break;
            }
            self.answer(asked)?;
        }
        let ended = stages.into_iter().map(|stage| match stage {
            Stage::Ended(values) => values,
            Stage::Walking(_) => unreachable!("a walk waits for nothing but its answers"),
        });
        Ok(ended.zip(&channels).map(|(values, channel)| channel.proposal(values)).collect())
    }

    /// Answers every question, those of one kind together.
    fn answer(&self, asked: Vec<(&Channel<'_>, Question)>) -> Result<(), OracleError> {
        let kinds = [None, Some(AttackLoss::CrossEntropy), Some(AttackLoss::Margin)];
        for kind in kinds {
            let of_kind = asked.iter().filter(|(_, question)| question.loss == kind);
            let channels: Vec<_> = of_kind.clone().map(|(channel, _)| *channel).collect();
            if channels.is_empty() {
                continue;
            }
            let values = of_kind.flat_map(|(_, question)| question.values.iter().copied()).collect();
            let batch = Batch { res: self.oracle.res(), values };
            match kind {
                None => self.logits(&channels, &batch)?,
                Some(loss) => self.gradients(&channels, &batch, loss)?,
            }
        }
        Ok(())
    }

    fn logits(&self, channels: &[&Channel<'_>], batch: &Batch) -> Result<(), OracleError> {
        let logits = self.oracle.logits(batch)?;
        expect("logits", logits.len(), channels.len())?;
        channels.iter().zip(logits).for_each(|(channel, logit)| channel.reply(Answer::Logit(logit)));
        Ok(())
    }

    fn gradients(
        &self,
        channels: &[&Channel<'_>],
        batch: &Batch,
        loss: AttackLoss,
    ) -> Result<(), OracleError> {
        let labels: Vec<_> = channels.iter().map(|channel| channel.label()).collect();
        let (losses, gradients) = self.oracle.loss_gradient(batch, &labels, loss)?;
        expect("losses", losses.len(), channels.len())?;
        expect("values of a gradient", gradients.values.len(), batch.values.len())?;
        for (index, (channel, loss)) in channels.iter().zip(losses).enumerate() {
            channel.reply(Answer::Gradient { loss, gradient: gradients.picture(index).to_vec() });
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
