//! The old spelling of `dfrt bench`, in which an option chose what to time.

use crate::failure;
use anyhow::Result;

/// The options that chose what to time, and the commands that replace them.
const SUBJECTS: [(&str, &str); 4] =
    [("--model", "model"), ("--train", "train"), ("--ceilings", "device"), ("--loading", "loading")];

/// The arguments in the new spelling; none if they are not in the old one.
///
/// # Errors
/// Wrong usage: none or several of the old options.
pub fn translated<'a>(arguments: &[&'a str]) -> Result<Option<Vec<&'a str>>> {
    let ["bench", rest @ ..] = arguments else { return Ok(None) };
    if rest.first().is_none_or(|first| !first.starts_with('-') || ["-h", "--help"].contains(first)) {
        return Ok(None);
    }
    let wrong = |what| Err(failure::usage(format!("{what}; see `dfrt bench --help`")));
    let subjects: Vec<_> = SUBJECTS.iter().filter(|(old, _)| rest.contains(old)).collect();
    let (old, new) = match subjects[..] {
        [subject] => *subject,
        [] => return wrong("name what to time: model, train, device or loading".to_owned()),
        [(first, _), (second, _), ..] => return wrong(format!("{first} and {second} exclude each other")),
    };
    // `bench model` has the option --model too.
    let kept = rest.iter().copied().filter(|argument| *argument != old || old == "--model");
    Ok(Some(["bench", new].into_iter().chain(kept).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(line: &str) -> Option<String> {
        let arguments: Vec<&str> = line.split(' ').collect();
        translated(&arguments).unwrap().map(|arguments| arguments.join(" "))
    }

    #[test]
    fn the_option_becomes_a_command_at_any_position() {
        for (old, expected) in [
            ("bench --model m --runs 2", "bench model --model m --runs 2"),
            ("bench --runs 2 --model m", "bench model --runs 2 --model m"),
            ("bench --arch a --train --profile", "bench train --arch a --profile"),
            ("bench --ceilings --json", "bench device --json"),
            ("bench --json --data d --loading", "bench loading --json --data d"),
        ] {
            assert_eq!(new(old).as_deref(), Some(expected));
        }
        for other in [
            "bench",
            "bench --help",
            "bench model --model m",
            "bench help train",
            "bench x",
            "eval --model m",
        ] {
            assert_eq!(new(other), None, "{other}");
        }
        for wrong in ["bench --runs 2", "bench --train --model m"] {
            let arguments: Vec<&str> = wrong.split(' ').collect();
            assert!(translated(&arguments).unwrap_err().is::<failure::Usage>(), "{wrong}");
        }
    }
}
