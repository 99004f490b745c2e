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
    start: Instant,
    /// Items that were done before this session, known from the first call of `set`.
    done_before: Mutex<Option<usize>>,
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
        let now = Instant::now();
        Self { what, start: now, done_before: Mutex::new(None), last_line: Mutex::new(now), bar }
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
    fn left(&self, done: usize, total: usize) -> String {
        let mut before = self.done_before.lock().expect("no holder panics");
        let before = *before.get_or_insert(done);
        if done <= before || done >= total {
            return String::new();
        }
        let pace = self.start.elapsed().as_secs_f64() / (done - before) as f64;
        format!("{} left", output::duration(pace * (total - done) as f64))
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
