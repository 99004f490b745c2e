//! SignHunter (Al-Dujaili and O'Reilly, "Sign bits are all you need for black-box
//! attacks", ICLR 2020): the signs of the gradient by divide and conquer. Every
//! value starts at +eps; blocks of signs are flipped, all, then halves, then
//! quarters, and a flip is kept when the loss improves.
//!
//! As published: blocks are contiguous in 3 x res x res order, and no draw is
//! random. Otherwise: candidates are whole bytes, so that rounding loses nothing;
//! after the finest blocks the search begins again with the signs that it has,
//! and ends when a whole pass kept no flip, as another could not either.

use super::{Field, Search, Stop};
use crate::attack::halves::halves;
use crate::attack::threat::{Norm, Threat};
use crate::attack::{Attack, NormError, Proposal, Target, planes, record};
use crate::detector::oracle::{Oracle, OracleError};
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
pub struct SignHunter<'a> {
    field: Field<'a>,
}

impl<'a> SignHunter<'a> {
    /// Attacks `oracle`, whose logit above `threshold` says fake, within `threat`.
    ///
    /// # Errors
    /// A norm other than Linf.
    pub fn new(
        oracle: &'a dyn Oracle,
        threat: Threat,
        threshold: f32,
        settings: SignHunterSettings,
    ) -> Result<Self, NormError> {
        NormError::unless(NAME, Norm::Linf, threat)?;
        Ok(Self { field: Field::new(oracle, threat, threshold, settings.queries) })
    }

    fn search(&self, search: &mut Search<'_>) -> Result<(), Stop> {
        let mut candidate = self.edge(search.inquiry.target, u8::saturating_add);
        let mut other = self.edge(search.inquiry.target, u8::saturating_sub);
        search.offer(&candidate)?;
        let mut kept = true;
        while kept {
            kept = false;
            for block in halves(candidate.len()) {
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

    /// The picture with every byte moved by epsilon.
    fn edge(&self, target: &Target, moved: impl Fn(u8, u8) -> u8) -> Vec<f32> {
        let mut picture = target.picture.clone();
        let eps = self.field.threat.levels();
        picture.iter_mut().for_each(|byte| *byte = moved(*byte, eps));
        planes(&picture)
    }
}

impl Attack for SignHunter<'_> {
    fn name(&self) -> &str {
        NAME
    }

    fn parameters(&self) -> Map<String, Value> {
        record([("queries", json!(self.field.queries))])
    }

    fn propose(&self, targets: &[Target]) -> Result<Vec<Proposal>, OracleError> {
        self.field.propose(targets, |search| self.search(search))
    }
}
