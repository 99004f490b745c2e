//! Training: settings, the making of batches, the schedule, checkpoints and the loop.

pub mod adoption;
pub mod augment;
pub mod balance;
pub mod checkpoint;
pub mod dataset;
pub mod deployed;
pub mod fakes;
pub mod feed;
pub mod fitting;
pub mod order;
pub mod outcome;
pub mod pool;
pub mod run;
pub mod schedule;
pub mod selection;
pub mod settings;
pub mod stepper;
pub mod tensorboard;
pub mod validation;
