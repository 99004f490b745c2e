//! Progress of attacks, on standard error.

use crate::output;
use crate::progress::Task;
use dfrt_runtime::attack::trial::Progress;
use std::sync::Mutex;
use std::time::Instant;

/// Shows the progress of the running attack, and warns once of pictures that changed since an
/// earlier run.
#[derive(Default)]
pub struct AttackProgress(Mutex<Option<Running>>);

struct Running {
    name: String,
    task: Task,
    start: Instant,
    warned: bool,
}

impl AttackProgress {
    /// Shows that the attack `name` is at `at`.
    pub fn set(&self, name: &str, at: Progress) {
        let mut running = self.0.lock().expect("no holder panics");
        if running.as_ref().is_none_or(|one| one.name != name) {
            // The bar of the attack before is cleared before the next one is drawn.
            running.take();
        }
        let one = running.get_or_insert_with(|| Running {
            name: name.to_owned(),
            task: Task::new(name),
            start: Instant::now(),
            warned: false,
        });
        if at.changed > 0 && !one.warned {
            one.warned = true;
            output::note(format!(
                "note: {} pictures have changed since, or are damaged: they are attacked again",
                at.changed
            ));
        }
        let robust = (at.attacked - at.successes) as f64 / at.done.max(1) as f64;
        let spent = (at.queries - at.queries_before) as f64;
        let pace = spent / one.start.elapsed().as_secs_f64().max(1e-3);
        let remark = match at.done {
            0 => String::new(),
            _ => format!("robust accuracy {} so far, {pace:.0} queries/s", output::percent(robust)),
        };
        one.task.set(at.done, at.total, &remark);
    }
}
