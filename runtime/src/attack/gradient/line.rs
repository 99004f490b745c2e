//! One picture's line to the model: its questions, its answers and its account.

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

/// What a walk wants to know of a point.
pub(super) struct Question {
    /// The point, 3 x res x res.
    pub values: Vec<f32>,
    /// The loss whose gradient is wanted; none for the logit alone.
    pub loss: Option<AttackLoss>,
}

/// What the model says.
pub(super) enum Answer {
    Logit(f32),
    Slope { loss: f32, gradient: Vec<f32> },
}

/// A point and the loss there.
#[derive(Clone)]
pub(super) struct Look {
    /// The point, 3 x res x res.
    pub values: Vec<f32>,
    /// The loss; minus infinity where the model gave no finite number, which is
    /// neither an ascent nor a success.
    pub loss: f32,
    /// The loss's gradient, 0 where the model gave no finite number.
    pub gradient: Vec<f32>,
}

/// A picture under attack, and the model at the other end.
pub(super) struct Line<'a> {
    pub target: &'a Target,
    pub threat: Threat,
    threshold: f32,
    /// The clean values, 3 x res x res.
    pub clean: Vec<f32>,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
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
    landed_after: Option<u64>,
}

impl<'a> Line<'a> {
    pub fn new(target: &'a Target, threat: Threat, threshold: f32) -> Self {
        Self { target, threat, threshold, clean: planes(&target.picture), desk: Mutex::default() }
    }

    pub fn label(&self) -> Label {
        self.target.label
    }

    /// The question that waits, taken off the desk.
    pub fn question(&self) -> Option<Question> {
        self.desk().question.take()
    }

    /// Answers the question that was taken, at the price of a query.
    pub fn reply(&self, answer: Answer) {
        let mut desk = self.desk();
        desk.queries += 1;
        match &answer {
            Answer::Slope { loss, gradient } => {
                desk.losses.take(u64::from(loss.to_bits()));
                desk.gradients.evaluated += 1;
                desk.gradients.zero += u64::from(gradient.iter().all(|&value| value == 0.0));
                desk.gradients.non_finite += u64::from(gradient.iter().any(|value| !value.is_finite()));
            }
            Answer::Logit(logit) => desk.logits.take(u64::from(logit.to_bits())),
        }
        desk.answer = Some(answer);
    }

    /// The proposal of `values`, with what this picture cost.
    pub fn proposal(&self, values: Vec<f32>) -> Proposal {
        let desk = self.desk();
        let never_differed = together(desk.losses.never_differed(), desk.logits.never_differed());
        let (queries, landed_after) = (desk.queries, desk.landed_after);
        let (gradients, distance) = (desk.gradients, desk.shortest);
        Proposal { values, queries, landed_after, gradients, distance, never_differed }
    }

    /// Puts on record that the 8-bit picture to be proposed is found.
    pub fn landed(&self) {
        let mut desk = self.desk();
        desk.landed_after = Some(desk.queries);
    }

    /// Puts on record that a change of length `distance` crossed.
    pub fn crossed_at(&self, distance: f64) {
        let mut desk = self.desk();
        desk.shortest = Some(desk.shortest.map_or(distance, |shortest| shortest.min(distance)));
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().expect("no holder panics")
    }

    async fn ask(&self, question: Question) -> Answer {
        self.desk().question = Some(question);
        poll_fn(|_| self.desk().answer.take().map_or(Poll::Pending, Poll::Ready)).await
    }

    /// The loss and its gradient at `values`.
    pub async fn look(&self, values: Vec<f32>, loss: AttackLoss) -> Look {
        let question = Question { values: values.clone(), loss: Some(loss) };
        let Answer::Slope { loss, mut gradient } = self.ask(question).await else {
            unreachable!("a question for a slope is answered by one");
        };
        gradient.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = 0.0);
        let loss = if loss.is_finite() { loss } else { f32::NEG_INFINITY };
        Look { values, loss, gradient }
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

    /// How far the logit of a look at the margin lies on the right side of the
    /// threshold; its gradient is the look's, negated.
    pub fn margin(&self, look: &Look) -> f64 {
        let sign = f64::from(self.label().sign());
        -f64::from(look.loss) - sign * f64::from(self.threshold)
    }

    /// Whether a look at the margin lies on the wrong side of the threshold.
    pub fn crossed(&self, look: &Look) -> bool {
        self.turned(-self.label().sign() * look.loss)
    }

    /// The same by `loss`. A cross-entropy tells it up to rounding, and not at all
    /// where it has underflown: whoever goes by it asks for the logit too.
    pub fn crossed_by(&self, look: &Look, loss: AttackLoss) -> bool {
        match loss {
            AttackLoss::Margin => self.crossed(look),
            AttackLoss::CrossEntropy => {
                let at = -f64::from(self.label().sign() * self.threshold);
                let on_the_threshold = at.max(0.0) + (-at.abs()).exp().ln_1p();
                f64::from(look.loss) >= on_the_threshold * (1.0 - 1e-6)
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
