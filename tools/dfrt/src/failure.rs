//! How a failure reaches the user: one line, `error: what, where, and what to do`,
//! and the exit code. 1 failed, 2 wrong usage.

use std::fmt;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;

/// The command line itself is wrong: exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Something was wrong with the command line.
pub fn usage(text: impl fmt::Display) -> anyhow::Error {
    Usage(text.to_string()).into()
}

/// Prints the line and gives the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    // Whoever reads our output has gone: nobody is left to tell.
    if !error.chain().any(pipe) {
        tell(&format!("error: {}", one_line(error)));
    }
    ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
}

/// A line on standard error. Where that is closed or full the exit code alone tells.
fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The chain of causes on one line; a cause that its consequence quotes stands once.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let words = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if line.contains(&words) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&words);
    }
    line
}

static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs `work`; a panic that nothing catches becomes one line and exit code 1.
/// With RUST_BACKTRACE set, the usual report comes before it.
pub fn contained(work: impl FnOnce() -> ExitCode) -> ExitCode {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            usual(info);
        }
        if let Ok(mut first) = PANIC.lock() {
            *first = Some(info.to_string());
        }
    }));
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let text = PANIC.lock().ok().and_then(|mut text| text.take()).unwrap_or_default();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        tell(&format!(
            "error: internal fault: {words}; this is a bug in dfrt, please report it with the command"
        ));
        ExitCode::FAILURE
    })
}

/// What a command answers that needs the trainer, in a build without it.
#[cfg(not(feature = "train"))]
pub fn no_training(command: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "{command}: this build of dfrt has no training and no GPU (it was built without the feature `train`); use one built with `cargo build --release -p dfrt`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_stand_once_and_on_one_line() {
        let cause = io::Error::other("disk\nfull");
        let error =
            anyhow::Error::new(cause).context("out/eval.json: cannot be written: disk full").context("eval");
        assert_eq!(one_line(&error), "eval: out/eval.json: cannot be written: disk full");
        let error = Err::<(), _>(io::Error::other("why")).context("what").unwrap_err();
        assert_eq!(one_line(&error), "what: why");
    }
}
