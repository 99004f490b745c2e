//! Fits a training run to the device, and shows its progress.

use crate::output;
use crate::progress::Task;
use anyhow::{Result, bail};
use dfrt_runtime::results::training_log::Entry;
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::train::fitting::{self, Memory};
use dfrt_trainer::train::run::{Observer, Overview};
use dfrt_trainer::train::settings::{self, Settings};
use dfrt_trainer::train::stepper;

/// Sets the largest batch (`auto`), or else the largest part of the batch of `settings`, that fits
/// the device and `memory_mb`.
///
/// # Errors
/// Not even one picture fits.
pub fn fit(settings: &mut Settings, auto: bool, engine: &Engine) -> Result<()> {
    let pool = settings.memory_mb.map(|megabytes| (megabytes as u64) << 20);
    let kept = (stepper::KEPT_MB as u64) << 20;
    let limit = if auto { pool.unwrap_or(kept) } else { pool.unwrap_or(u64::MAX) };
    let memory = Memory { pool: limit, tensor: engine.tensor_limit() };
    if !auto && (settings.micro_batch.is_some() || fitting::demand(settings, settings.batch)?.fits(memory)) {
        return Ok(());
    }
    let Some(fitting) = fitting::largest_batch(settings, memory)? else {
        bail!(
            "not one picture of {} px fits into {} MB; raise --memory-mb, or lower --res",
            settings.res,
            memory.pool >> 20
        );
    };
    if auto {
        settings.batch = fitting;
        output::note(format!("batch {fitting}: the largest that fits into {} MB", memory.pool >> 20));
    } else {
        let part = settings::part(settings.batch, Some(fitting));
        settings.micro_batch = Some(part);
        output::note(format!(
            "a batch of {} does not fit: it is taken {part} pictures at a time, and so batch-norm sees {part}",
            settings.batch
        ));
    }
    Ok(())
}

/// Shows the progress of a run on standard error: a bar on a terminal, and a line for each epoch.
pub struct Watch {
    task: Task,
    packing: Option<Task>,
    total: usize,
    epochs: usize,
}

impl Watch {
    /// For a run of `epochs` epochs.
    pub fn new(epochs: usize) -> Self {
        Self { task: Task::new("trained"), packing: None, total: 0, epochs }
    }
}

impl Observer for Watch {
    fn packing(&mut self, done: usize, total: usize) {
        let task = self.packing.get_or_insert_with(|| Task::new("decoded into the cache"));
        task.set(done, total, "");
    }

    fn begin(&mut self, plan: &Overview) {
        self.packing = None;
        self.total = plan.total_steps;
        plan.rules.iter().for_each(|rule| self.task.line(&format!("note: {rule}")));
        let from = match plan.done_steps {
            0 => String::new(),
            done => format!(", resumed after step {done}"),
        };
        self.task.line(&format!(
            "{} steps of {} pictures ({} to train on, {} to validate), {:.0} MB on the device{from}",
            plan.total_steps, plan.batch, plan.n_train, plan.n_val, plan.gpu_mb
        ));
        self.task.set(plan.done_steps, plan.total_steps, "");
    }

    fn steps(&mut self, done: usize, loss: f32, images_per_second: f64) {
        self.task.set(done, self.total, &format!("loss {loss:.4}, {images_per_second:.0} images/s"));
    }

    fn epoch(&mut self, entry: &Entry) {
        let Entry::Epoch {
            epoch,
            train_loss,
            val_loss,
            val_auc,
            val_robust_accuracy,
            best,
            seconds,
            images_per_second,
            ..
        } = entry
        else {
            return;
        };
        let auc = val_auc.map_or_else(|| "undefined".to_owned(), |auc| format!("{auc:.4}"));
        let robust = val_robust_accuracy
            .map_or_else(String::new, |robust| format!(", robust accuracy {:.1} %", 100.0 * robust));
        let best = if *best { " (best so far)" } else { "" };
        self.task.line(&format!(
            "epoch {epoch}/{}: loss {train_loss:.4}, validation loss {val_loss:.4}, AUC {auc}{robust}{best}, {} at {images_per_second:.0} images/s",
            self.epochs,
            output::duration(*seconds)
        ));
    }
}
