//! How far an attack is, on standard error.

use crate::output;
use crate::progress::Task;
use dfrt_runtime::attack::trial::Progress;
use std::sync::Mutex;
use std::time::Instant;

/// Tells how far the attack in hand is; and once, what of an earlier run does not hold.
#[derive(Default)]
pub struct Teller(Mutex<Option<InHand>>);

struct InHand {
    name: String,
    task: Task,
    start: Instant,
    changed_told: bool,
}

impl Teller {
    /// The attack `name` is so far.
    pub fn say(&self, name: &str, at: Progress) {
        let mut in_hand = self.0.lock().expect("no holder panics");
        if in_hand.as_ref().is_none_or(|one| one.name != name) {
            // The bar of the one before ends before the next begins.
            in_hand.take();
        }
        let one = in_hand.get_or_insert_with(|| InHand {
            name: name.to_owned(),
            task: Task::new(name),
            start: Instant::now(),
            changed_told: false,
        });
        if at.changed > 0 && !one.changed_told {
            one.changed_told = true;
            output::note(format!(
                "note: {} pictures have changed since, or are damaged: they are attacked anew",
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
