//! Attacks that see labels: they start from a picture of the other class and
//! look for the nearest one. Their oracle's type keeps logits out of reach.
//!
//! They search in floats, as published, for as small a perturbation as they can.
//! Of a picture within the ball the 8-bit pictures that may stand for it are asked: it
//! itself rounded, and what lies beyond it on the edge of the ball. The first that
//! crosses is proposed, and with [`Goal::Inside`] ends the search. Where none does,
//! they come nearer still.

pub mod boundary;
pub mod hop_skip_jump;
pub mod rays;

use super::query::{Handle, Labels, Query, Stop, TOGETHER};
use super::{Goal, Proposal, planes};
use crate::detector::oracle::OracleError;
use crate::sample::Label;
use crate::threat::{Norm, Threat};
use rand::{Rng, RngExt};

/// What `search` finds for each picture within `threat`, with a budget of queries and after a
/// goal. It ends by itself, with its budget, or with a success.
fn propose(
    queries: &[Query<'_>],
    threat: Threat,
    (budget, goal): (u64, Goal),
    search: impl Fn(&mut Search<'_>) -> Result<(), Stop>,
) -> Result<Vec<Proposal>, OracleError> {
    let propose = |query: &Query<'_>| {
        let mut state =
            Search { query: query.by_labels(threat, budget), goal, nearest: None, survivor: None };
        if !state.query.idle()
            && let Err(Stop::Failed(error)) = search(&mut state)
        {
            return Err(error);
        }
        let distance = state.nearest.as_ref().map(|nearest| nearest.distance);
        let distance = distance.filter(|_| goal == Goal::Nearest);
        let queries_to_success = state.survivor.as_ref().map(|survivor| survivor.after);
        Ok(Proposal { values: state.proposal(), queries_to_success, distance, ..Proposal::default() })
    };
    queries.iter().map(propose).collect()
}

/// A picture that crosses.
struct Crossing {
    values: Vec<f32>,
    distance: f64,
}

/// An 8-bit picture within the ball that crosses.
struct Survivor {
    values: Vec<f32>,
    /// Queries spent when it was found.
    after: u64,
}

/// One picture's search, the nearest crossing so far, and the first 8-bit picture within
/// the ball that crosses.
struct Search<'a> {
    query: Handle<'a, Labels>,
    goal: Goal,
    nearest: Option<Crossing>,
    survivor: Option<Survivor>,
}

impl Search<'_> {
    fn id(&self) -> u64 {
        self.query.target().id
    }

    fn clean(&self) -> &[f32] {
        &self.query.clean
    }

    /// The 8-bit picture that crosses, or else the nearest crossing moved into the ball, or else the clean
    /// picture.
    fn proposal(self) -> Vec<f32> {
        match (self.survivor, self.nearest) {
            (Some(survivor), _) => survivor.values,
            (None, Some(nearest)) => self.query.rounded(&nearest.values),
            (None, None) => self.query.clean,
        }
    }

    /// The distance from the clean picture in the norm of the threat model.
    fn distance(&self, values: &[f32]) -> f64 {
        let changes = values.iter().zip(self.clean()).map(|(a, b)| f64::from(a - b));
        match self.query.threat.norm {
            Norm::Linf => changes.map(f64::abs).fold(0.0, f64::max),
            Norm::L2 => changes.map(|change| change * change).sum::<f64>().sqrt(),
        }
    }

    /// Whether each of up to [`TOGETHER`] pictures crosses. None is kept.
    fn sides(&mut self, values: Vec<f32>) -> Result<Vec<bool>, Stop> {
        let label = self.query.target().label;
        let crosses = |found: Option<Label>| found.is_some_and(|found| found != label);
        Ok(self.query.labels(values)?.into_iter().map(crosses).collect())
    }

    /// Whether `values` cross, however far away; keeps them where they are the
    /// nearest so far. With [`Goal::Inside`] over once an 8-bit picture within the ball
    /// crosses.
    fn crosses(&mut self, values: &[f32]) -> Result<bool, Stop> {
        if !self.sides(values.to_vec())?[0] {
            return Ok(false);
        }
        let distance = self.distance(values);
        let nearer = self.nearest.as_ref().is_none_or(|nearest| distance < nearest.distance);
        if self.query.kept(nearer) {
            self.nearest = Some(Crossing { values: values.to_vec(), distance });
            self.land(values, distance)?;
        }
        Ok(true)
    }

    /// Keeps the first 8-bit picture that stands for a crossing within the ball and
    /// crosses too. What lies further along its ray is asked first: it is further
    /// behind the boundary where that is flat.
    fn land(&mut self, values: &[f32], distance: f64) -> Result<(), Stop> {
        let eps = f64::from(self.query.threat.eps());
        if distance > eps || self.survivor.is_some() {
            return Ok(());
        }
        let (threat, clean) = (self.query.threat, &self.query.target().picture);
        let plain = threat.round(clean, values);
        let itself = planes(&plain);
        if itself == values {
            return self.keep(itself);
        }
        let further = ray(self.clean(), values, eps / distance.max(1e-12));
        let edge = (threat.norm == Norm::Linf).then(|| threat.round(clean, &further));
        let edge = edge.filter(|edge| *edge != plain);
        for other in edge.into_iter().chain(threat.other_roundings(clean, values, &plain)) {
            let other = planes(&other);
            if self.sides(other.clone())?[0] {
                return self.keep(other);
            }
        }
        if self.sides(itself.clone())?[0] {
            return self.keep(itself);
        }
        Ok(())
    }

    fn keep(&mut self, values: Vec<f32>) -> Result<(), Stop> {
        self.survivor = Some(Survivor { values, after: self.query.spent() });
        match self.goal {
            Goal::Inside => Err(Stop::Over),
            Goal::Nearest => Ok(()),
        }
    }

    /// A picture of the other class, however far away: uniform noise, and every
    /// other draw a blend of it with the clean picture, since a detector may call
    /// all noise by one name. Draws until one crosses or the budget is spent.
    fn start(&mut self, random: &mut impl Rng) -> Result<Vec<f32>, Stop> {
        let mut pure = true;
        loop {
            let share = if pure { 1.0 } else { random.random::<f32>() };
            pure = !pure;
            let blend = |clean: &f32| clean + share * (random.random::<f32>() - clean);
            let values: Vec<f32> = self.clean().iter().map(blend).collect();
            if self.crosses(&values)? {
                return Ok(values);
            }
        }
    }

    /// The crossing nearest to the clean picture on the way to `far`, which
    /// crosses: halves the interval until it is `tolerance` of the way long. The
    /// way is a line in L2; in Linf a ball that shrinks over `far`.
    fn approach(&mut self, far: &[f32], tolerance: f64) -> Result<Vec<f32>, Stop> {
        let reach = self.distance(far);
        let mut nearest = far.to_vec();
        let (mut low, mut high) = (0.0, 1.0);
        while high - low > tolerance {
            let middle = 0.5 * (low + high);
            let candidate = match self.query.threat.norm {
                Norm::L2 => ray(self.clean(), far, middle),
                Norm::Linf => within(self.clean(), far, (middle * reach) as f32),
            };
            if self.crosses(&candidate)? {
                (nearest, high) = (candidate, middle);
            } else {
                low = middle;
            }
        }
        Ok(nearest)
    }
}

/// The point `share` of the way from `clean` to `far`, within \[0, 1\].
fn ray(clean: &[f32], far: &[f32], share: f64) -> Vec<f32> {
    let point = |(clean, far): (&f32, &f32)| {
        let (clean, far) = (f64::from(*clean), f64::from(*far));
        (clean + share * (far - clean)).clamp(0.0, 1.0) as f32
    };
    clean.iter().zip(far).map(point).collect()
}

/// `far` with no change above `radius`.
fn within(clean: &[f32], far: &[f32], radius: f32) -> Vec<f32> {
    clean.iter().zip(far).map(|(clean, far)| far.clamp(clean - radius, clean + radius)).collect()
}
