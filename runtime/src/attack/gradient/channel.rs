//! The channel between one picture's search and the model: questions, answers and counts.

use crate::attack::query::{Answers, together};
use crate::attack::{Proposal, Target, planes};
use crate::detector::oracle::AttackLoss;
use crate::results::attack::GradientCount;
use crate::sample::Label;
use crate::sample::is_right;
use crate::threat::Threat;
use std::future::poll_fn;
use std::sync::Mutex;
use std::task::Poll;

/// What a search wants to know of a point.
pub(super) struct Question {
    /// The point, 3 x res x res.
    pub values: Vec<f32>,
    /// The loss whose gradient is wanted; none for the logit alone.
    pub loss: Option<AttackLoss>,
}

/// What the model says.
pub(super) enum Answer {
    Logit(f32),
    Gradient { loss: f32, gradient: Vec<f32> },
}

/// A point and the loss there.
#[derive(Clone)]
pub(super) struct Evaluated {
    /// The point, 3 x res x res.
    pub values: Vec<f32>,
    /// The loss; minus infinity where the model gave no finite number, which is
    /// neither an ascent nor a success.
    pub loss: f32,
    /// The loss's gradient, 0 where the model gave no finite number.
    pub gradient: Vec<f32>,
}

/// The channel of one picture under attack to the model.
pub(super) struct Channel<'a> {
    pub target: &'a Target,
    pub threat: Threat,
    threshold: f32,
    /// The clean values, 3 x res x res.
    pub clean: Vec<f32>,
    exchange: Mutex<Exchange>,
}

#[derive(Default)]
struct Exchange {
    question: Option<Question>,
    answer: Option<Answer>,
    queries: u64,
    gradients: GradientCount,
    /// The losses that gradients came with, and the logits.
    losses: Answers,
    logits: Answers,
    /// The length of the shortest change that crossed.
    shortest: Option<f64>,
    /// Queries when the 8-bit picture that is to be proposed was found.
    queries_to_success: Option<u64>,
}

impl<'a> Channel<'a> {
    pub fn new(target: &'a Target, threat: Threat, threshold: f32) -> Self {
        Self { target, threat, threshold, clean: planes(&target.picture), exchange: Mutex::default() }
    }

    pub fn label(&self) -> Label {
        self.target.label
    }

    /// The question that waits for an answer; it waits no longer.
    pub fn question(&self) -> Option<Question> {
        self.exchange().question.take()
    }

    /// Answers the question that was taken, at the price of a query.
    pub fn reply(&self, answer: Answer) {
        let mut exchange = self.exchange();
        exchange.queries += 1;
        match &answer {
            Answer::Gradient { loss, gradient } => {
                exchange.losses.take(u64::from(loss.to_bits()));
                exchange.gradients.evaluated += 1;
                exchange.gradients.zero += u64::from(gradient.iter().all(|&value| value == 0.0));
                exchange.gradients.non_finite += u64::from(gradient.iter().any(|value| !value.is_finite()));
            }
            Answer::Logit(logit) => exchange.logits.take(u64::from(logit.to_bits())),
        }
        exchange.answer = Some(answer);
    }

    /// The proposal of `values`, with what this picture cost.
    pub fn proposal(&self, values: Vec<f32>) -> Proposal {
        let exchange = self.exchange();
        let never_differed = together(exchange.losses.never_differed(), exchange.logits.never_differed());
        let (queries, queries_to_success) = (exchange.queries, exchange.queries_to_success);
        let (gradients, distance) = (exchange.gradients, exchange.shortest);
        Proposal { values, queries, queries_to_success, gradients, distance, never_differed }
    }

    /// Puts on record that the 8-bit picture to be proposed is found.
    pub fn record_success(&self) {
        let mut exchange = self.exchange();
        exchange.queries_to_success = Some(exchange.queries);
    }

    /// Puts on record that a change of length `distance` crossed.
    pub fn record_distance(&self, distance: f64) {
        let mut exchange = self.exchange();
        exchange.shortest = Some(exchange.shortest.map_or(distance, |shortest| shortest.min(distance)));
    }

    fn exchange(&self) -> std::sync::MutexGuard<'_, Exchange> {
        self.exchange.lock().expect("no holder panics")
    }

    async fn ask(&self, question: Question) -> Answer {
        self.exchange().question = Some(question);
        poll_fn(|_| self.exchange().answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The loss and its gradient at `values`.
    pub async fn evaluate(&self, values: Vec<f32>, loss: AttackLoss) -> Evaluated {
        let question = Question { values: values.clone(), loss: Some(loss) };
        let Answer::Gradient { loss, mut gradient } = self.ask(question).await else {
            unreachable!("a question for a gradient is answered by one");
        };
        gradient.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
        let loss = if loss.is_finite() { loss } else { f32::NEG_INFINITY };
        Evaluated { values, loss, gradient }
    }

    /// The first 8-bit picture within the ball that stands for `values` and crosses, as
    /// values: what the judge will ask.
    pub async fn survivor(&self, values: &[f32]) -> Option<Vec<f32>> {
        let clean = &self.target.picture;
        let plain = self.threat.round(clean, values);
        let rounded = planes(&plain);
        if self.crosses(&rounded).await {
            return Some(rounded);
        }
        for other in self.threat.other_roundings(clean, values, &plain) {
            let other = planes(&other);
            if self.crosses(&other).await {
                return Some(other);
            }
        }
        None
    }

    async fn crosses(&self, values: &[f32]) -> bool {
        let Answer::Logit(logit) = self.ask(Question { values: values.to_vec(), loss: None }).await else {
            unreachable!("a question for a logit is answered by one");
        };
        self.turned(logit)
    }

    fn turned(&self, logit: f32) -> bool {
        logit.is_finite() && !is_right(logit, self.label(), self.threshold)
    }

    /// How far the logit lies on the right side of the threshold, of a point that was evaluated
    /// by [`AttackLoss::Margin`]; its gradient is that of the loss, negated.
    pub fn margin(&self, evaluated: &Evaluated) -> f64 {
        let sign = f64::from(self.label().sign());
        -f64::from(evaluated.loss) - sign * f64::from(self.threshold)
    }

    /// Whether a point that was evaluated by [`AttackLoss::Margin`] lies on the wrong side of
    /// the threshold.
    pub fn crossed(&self, evaluated: &Evaluated) -> bool {
        self.turned(-self.label().sign() * evaluated.loss)
    }

    /// Whether a point that was evaluated by `loss` lies on the wrong side of the threshold. A
    /// cross-entropy shows it up to rounding, and not at all where it has underflown: ask for
    /// the logit, too, where it matters.
    pub fn crossed_by(&self, evaluated: &Evaluated, loss: AttackLoss) -> bool {
        match loss {
            AttackLoss::Margin => self.crossed(evaluated),
            AttackLoss::CrossEntropy => {
                let at = -f64::from(self.label().sign() * self.threshold);
                let on_the_threshold = at.max(0.0) + (-at.abs()).exp().ln_1p();
                f64::from(evaluated.loss) >= on_the_threshold * (1.0 - 1e-6)
            }
        }
    }

    /// Whether `values` lie within the ball and the box, but for float rounding.
    pub fn inside(&self, values: &[f32]) -> bool {
        self.threat.excess_255(&self.clean, values) < 1e-3
    }

    /// `values` moved into the ball and the box.
    pub fn clipped(&self, mut values: Vec<f32>) -> Vec<f32> {
        self.threat.clip(&self.clean, &mut values);
        values
    }
}
