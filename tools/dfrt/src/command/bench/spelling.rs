//! The old spelling of `dfrt bench`, whose subject was an option.

use crate::failure;
use anyhow::Result;

/// The options that were the subject, and the commands that are.
const SUBJECTS: [(&str, &str); 4] =
    [("--model", "model"), ("--train", "train"), ("--ceilings", "device"), ("--loading", "loading")];

/// The arguments of the old spelling in the new one; none where they are not of the old one.
///
/// # Errors
/// No subject or several.
pub fn renewed<'a>(arguments: &[&'a str]) -> Result<Option<Vec<&'a str>>> {
    let ["bench", rest @ ..] = arguments else { return Ok(None) };
    if rest.first().is_none_or(|first| !first.starts_with('-') || ["-h", "--help"].contains(first)) {
        return Ok(None);
    }
    let wrong = |what| Err(failure::usage(format!("{what}; see `dfrt bench --help`")));
    let subjects: Vec<_> = SUBJECTS.iter().filter(|(old, _)| rest.contains(old)).collect();
    let (old, new) = match subjects[..] {
        [subject] => *subject,
        [] => return wrong("what is to be timed is missing: model, train, device or loading".to_owned()),
        [(first, _), (second, _), ..] => return wrong(format!("{first} and {second} exclude each other")),
    };
    // The model's file follows its option, which the command has, too.
    let kept = rest.iter().copied().filter(|argument| *argument != old || old == "--model");
    Ok(Some(["bench", new].into_iter().chain(kept).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(line: &str) -> Option<String> {
        let arguments: Vec<&str> = line.split(' ').collect();
        renewed(&arguments).unwrap().map(|arguments| arguments.join(" "))
    }

    #[test]
    fn the_subject_becomes_a_command_wherever_it_stands() {
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
            assert!(renewed(&arguments).unwrap_err().is::<failure::Usage>(), "{wrong}");
        }
    }
}
