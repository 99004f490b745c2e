//! White-box attacks on a detector with one logit: all they need is a
//! [`GradientOracle`], so they run against the GPU and against planted models.
//!
//! Each attack is written for one picture, as an asynchronous function that awaits
//! the model's answers; [`lockstep`] puts the questions of all pictures that wait
//! into one batch. A picture that is done asks no more and so leaves the batch, and
//! its result cannot depend on the others.

pub mod apgd;
pub mod carlini_wagner;
mod channel;
pub mod checked;
pub mod deep_fool;
pub mod fab;
mod geometry;
mod hyperplane;
pub mod lockstep;
pub mod momentum;
pub mod steps;
mod survivor;
pub mod transfer;

#[cfg(doc)]
use crate::detector::oracle::GradientOracle;
