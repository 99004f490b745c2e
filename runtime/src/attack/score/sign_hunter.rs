//! SignHunter (Al-Dujaili and O'Reilly, "Sign bits are all you need for black-box
//! attacks", ICLR 2020): the signs of the gradient by divide and conquer. Every
//! value starts at +eps; blocks of signs are flipped, all, then halves, then
//! quarters, and a flip is kept when the loss improves.
//!
//! As published: blocks are contiguous in 3 x res x res order, and no draw is
//! random. Otherwise: candidates are whole bytes, so that rounding loses nothing;
//! after the finest blocks the search begins again with the signs that it has,
//! and ends when a whole pass kept no flip, as another could not either.

use super::{Search, Stop, propose};
use crate::attack::bisection::blocks;
use crate::attack::query::Query;
use crate::attack::{Attack, Proposal, Target, planes, record};
use crate::detector::oracle::OracleError;
use crate::threat::{Norm, Threat};
use serde_json::{Map, Value, json};

const NAME: &str = "sign-hunter";

/// What a user may set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignHunterSettings {
    /// Queries a picture; hard.
    pub queries: u64,
}

impl Default for SignHunterSettings {
    /// Square's 5000 queries.
    fn default() -> Self {
        Self { queries: 5000 }
    }
}

/// The attack.
pub struct SignHunter {
    settings: SignHunterSettings,
}

impl SignHunter {
    /// The attack.
    pub fn new(settings: SignHunterSettings) -> Self {
        Self { settings }
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let (target, eps) = (search.query.target(), search.query.threat.levels());
        let mut candidate = edge(target, eps, u8::saturating_add);
        let mut other = edge(target, eps, u8::saturating_sub);
        search.offer(&candidate)?;
        let mut kept = true;
        while kept {
            kept = false;
            for block in blocks(candidate.len()) {
                candidate[block.clone()].swap_with_slice(&mut other[block.clone()]);
                if search.offer(&candidate)? {
                    kept = true;
                } else {
                    candidate[block.clone()].swap_with_slice(&mut other[block]);
                }
            }
        }
        Ok(())
    }
}

/// The picture with every byte moved by `eps`.
fn edge(target: &Target, eps: u8, moved: impl Fn(u8, u8) -> u8) -> Vec<f32> {
    let mut picture = target.picture.clone();
    picture.iter_mut().for_each(|byte| *byte = moved(*byte, eps));
    planes(&picture)
}

impl Attack for SignHunter {
    fn name(&self) -> &str {
        NAME
    }

    fn norms(&self) -> &'static [Norm] {
        &[Norm::Linf]
    }

    fn parameters(&self, _threat: Threat) -> Map<String, Value> {
        record([("queries", json!(self.settings.queries))])
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        propose(queries, threat, self.settings.queries, |search| self.search(search))
    }
}
