//! How far a long task is: a bar on a terminal, plain lines now and then elsewhere.
//! Always on standard error.

use crate::output;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two plain lines.
const QUIET: Duration = Duration::from_secs(5);

/// A task that is counted.
pub struct Task {
    what: String,
    start: Instant,
    /// What an earlier session had done.
    done_before: Mutex<Option<usize>>,
    spoken: Mutex<Instant>,
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
        Self { what, start: now, done_before: Mutex::new(None), spoken: Mutex::new(now), bar }
    }

    /// `done` of `total` are done; `remark` says what else there is to say.
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
                let mut spoken = self.spoken.lock().expect("no holder panics");
                if done == total || spoken.elapsed() >= QUIET {
                    *spoken = Instant::now();
                    let colon = if remark.is_empty() { "" } else { ": " };
                    output::note(format!("{} {done}/{total}{colon}{remark}", self.what));
                }
            }
        }
    }

    /// A line that stays, above the bar where there is one.
    #[cfg(feature = "train")]
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => output::note(text),
        }
    }

    /// How long the rest will take at this session's pace.
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

/// Tasks one after another, as one call tells of them: a bar at a time.
#[derive(Default)]
pub struct Stages(Mutex<Option<Task>>);

impl Stages {
    /// As [`Task::set`] of the task called `what`; the one before it, of another name, is over.
    pub fn set(&self, what: &str, done: usize, total: usize, remark: &str) {
        let mut running = self.0.lock().expect("no holder panics");
        if running.as_ref().is_none_or(|task| task.what != what) {
            // Its bar goes before the next one comes.
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
