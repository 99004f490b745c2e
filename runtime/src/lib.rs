//! Everything of dfrt that needs no GPU: pictures and data sets, detectors run
//! by tract, black-box attacks and their judge, metrics, the CPU bench and reports.
//!
//! Conventions that every module keeps: pixels are in \[0, 1\] (or 8-bit) outside
//! the network; a fake has label 1, a real 0; a detector gives one logit and a
//! logit above its threshold says fake; an epsilon is counted in 1/255, whole ones in Linf.

pub mod attack;
pub mod audit;
pub mod data;
pub mod detector;
pub mod differing;
pub mod faces;
pub mod forgery;
pub mod metrics;
pub mod names;
pub mod random;
pub mod reading;
pub mod report;
pub mod results;
pub mod sample;
pub mod storage;
pub mod threat;
