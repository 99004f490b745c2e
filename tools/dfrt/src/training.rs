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
use dfrt_trainer::train::tensorboard::{EventFile, Unwritable};
use std::path::Path;

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
/// Writes TensorBoard's event file as well, if one is wanted.
pub struct Watch {
    task: Task,
    packing: Option<Task>,
    events: Option<EventFile>,
    done: usize,
    total: usize,
    epochs: usize,
    /// The validation AUC of the last epoch of this session.
    auc: Option<f64>,
    /// The best epoch of all sessions, in words.
    best: Option<String>,
}

impl Watch {
    /// For a run of `epochs` epochs, with an event file in the folder `tensorboard`.
    ///
    /// # Errors
    /// The event file cannot be written.
    pub fn new(epochs: usize, tensorboard: Option<&Path>) -> Result<Self, Unwritable> {
        let events = tensorboard.map(EventFile::create).transpose()?;
        let task = Task::new("trained");
        Ok(Self { task, packing: None, events, done: 0, total: 0, epochs, auc: None, best: None })
    }
}

impl Observer for Watch {
    fn packing(&mut self, done: usize, total: usize) {
        let task = self.packing.get_or_insert_with(|| Task::new("decoded into the cache"));
        task.set(done, total, "");
    }

    fn begin(&mut self, plan: &Overview) {
        self.packing = None;
        (self.done, self.total) = (plan.done_steps, plan.total_steps);
        self.best = plan.best.map(|best| {
            format!("best in epoch {}: {}", best.epoch, figures(best.auc, None, best.robust_accuracy))
        });
        plan.rules.iter().for_each(|rule| self.task.line(&format!("note: {rule}")));
        let from = match plan.done_steps {
            0 => String::new(),
            done => format!(", resumed after step {done}"),
        };
        let best = self.best.as_ref().map_or_else(String::new, |best| format!(" ({best})"));
        self.task.line(&format!(
            "{} steps of {} pictures ({} to train on, {} to validate), {:.0} MB on the device{from}{best}",
            plan.total_steps, plan.batch, plan.n_train, plan.n_val, plan.gpu_mb
        ));
        self.task.set(plan.done_steps, plan.total_steps, "");
        if let Some(events) = &mut self.events {
            events.begin(plan.done_steps);
        }
    }

    fn steps(&mut self, done: usize, loss: f32, images_per_second: f64) {
        self.done = done;
        let auc = self.auc.map_or_else(String::new, |auc| format!("validation AUC {auc:.4}, "));
        self.task.set(done, self.total, &format!("loss {loss:.4}, {auc}{images_per_second:.0} images/s"));
        if let Some(events) = &mut self.events {
            events.speed(images_per_second);
        }
    }

    fn epoch(&mut self, entry: &Entry) {
        let Entry::Epoch {
            epoch,
            train_loss,
            val_loss,
            val_auc,
            val_balanced_accuracy,
            val_robust_accuracy,
            val_robust_auc: _,
            best,
            seconds,
            images_per_second,
        } = *entry
        else {
            return;
        };
        self.auc = val_auc;
        let standing = if best {
            let figures = figures(val_auc, None, val_robust_accuracy);
            self.best = Some(format!("best in epoch {epoch}: {figures}"));
            "best so far"
        } else {
            self.best.as_deref().unwrap_or("not the best")
        };
        let figures = figures(val_auc, val_balanced_accuracy, val_robust_accuracy);
        let left = self.task.left(self.done, self.total);
        let left = if left.is_empty() { left } else { format!(", {left}") };
        self.task.line(&format!(
            "epoch {epoch}/{}: loss {train_loss:.4}, validation loss {val_loss:.4}, {figures} ({standing}), {} at {images_per_second:.0} images/s{left}",
            self.epochs,
            output::duration(seconds)
        ));
    }

    fn logged(&mut self, entry: &Entry) -> Result<(), Unwritable> {
        self.events.as_mut().map_or(Ok(()), |events| events.write(entry))
    }
}

/// "AUC 0.9312, balanced accuracy 85.0 %, robust accuracy 40.0 %", of those that are known.
fn figures(auc: Option<f64>, balanced: Option<f64>, robust: Option<f64>) -> String {
    let auc = auc.map_or_else(|| "AUC undefined".to_owned(), |auc| format!("AUC {auc:.4}"));
    let share = |name, share: Option<f64>| Some(format!("{name} {}", output::percent(share?)));
    let parts = [Some(auc), share("balanced accuracy", balanced), share("robust accuracy", robust)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
