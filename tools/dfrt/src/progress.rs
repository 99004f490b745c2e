//! Progress of a long task, on standard error: a bar on a terminal, plain lines otherwise.

use crate::output;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// A task whose progress is shown.
pub struct Task {
    what: String,
    pace: Mutex<Pace>,
    last_line: Mutex<Instant>,
    bar: Option<ProgressBar>,
}

impl Task {
    /// A task called `what` ("evaluated", "square", …).
    pub fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}");
            let style = style.expect("the template is well formed").progress_chars("=> ");
            ProgressBar::new(0).with_style(style).with_prefix(what.clone())
        });
        Self { what, pace: Mutex::default(), last_line: Mutex::new(Instant::now()), bar }
    }

    /// Shows that `done` of `total` items are done; `remark` is shown behind that, or is empty.
    pub fn set(&self, done: usize, total: usize, remark: &str) {
        let left = self.left(done, total);
        let remark = [remark, left.as_str()].into_iter().filter(|part| !part.is_empty());
        let remark = remark.collect::<Vec<_>>().join(", ");
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_message(remark);
                bar.set_position(done as u64);
            }
            None => {
                let mut last_line = self.last_line.lock().expect("no holder panics");
                if done == total || last_line.elapsed() >= LINE_INTERVAL {
                    *last_line = Instant::now();
                    let colon = if remark.is_empty() { "" } else { ": " };
                    output::note(format!("{} {done}/{total}{colon}{remark}", self.what));
                }
            }
        }
    }

    /// Prints a line that stays, above the bar if there is one.
    #[cfg(feature = "train")]
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => output::note(text),
        }
    }

    /// The time that the rest takes at the pace of this session, in words; empty if unknown.
    pub fn left(&self, done: usize, total: usize) -> String {
        let left = self.pace.lock().expect("no holder panics").left(Instant::now(), done, total);
        left.map_or_else(String::new, |seconds| format!("{} left", output::duration(seconds)))
    }
}

/// The pace of a task: when and where this session began, known from the first report on. What
/// was prepared before and what an earlier session did do not count.
#[derive(Default)]
struct Pace(Option<(Instant, usize)>);

impl Pace {
    /// Seconds that the rest takes, `done` of `total` items being done at `now`; none if that is
    /// unknown, or all are done.
    fn left(&mut self, now: Instant, done: usize, total: usize) -> Option<f64> {
        let (begun, before) = *self.0.get_or_insert((now, done));
        let seconds = now.duration_since(begun).as_secs_f64();
        (before < done && done < total).then(|| seconds / (done - before) as f64 * (total - done) as f64)
    }
}

/// Tasks that follow one another, each with its own bar.
#[derive(Default)]
pub struct Stages(Mutex<Option<Task>>);

impl Stages {
    /// Calls [`Task::set`] of the task `what`; a task of another name ends before.
    pub fn set(&self, what: &str, done: usize, total: usize, remark: &str) {
        let mut running = self.0.lock().expect("no holder panics");
        if running.as_ref().is_none_or(|task| task.what != what) {
            // The old bar is cleared before the next one is drawn.
            drop(running.take());
        }
        running.get_or_insert_with(|| Task::new(what)).set(done, total, remark);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_rest_at_this_sessions_pace() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut whole = Pace::default();
        assert_eq!(whole.left(begun, 0, 100), None, "nothing is known yet");
        assert_eq!(whole.left(after(5), 10, 100), Some(45.0));
        assert_eq!(whole.left(after(40), 20, 100), Some(160.0), "the mean pace, of a slow part as well");
        assert_eq!(whole.left(after(41), 100, 100), None);
        // What an earlier session did took no time of this one.
        let mut resumed = Pace::default();
        assert_eq!(resumed.left(begun, 80, 100), None);
        assert_eq!(resumed.left(after(6), 90, 100), Some(6.0));
    }
}
