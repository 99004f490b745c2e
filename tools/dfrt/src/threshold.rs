//! `--threshold`: the logit above which a picture is called fake, for models whose file
//! names none or another.

use crate::model::Model;
use crate::output;
use crate::place;
use crate::progress::Task;
use anyhow::{Result, bail};
use dfrt_runtime::data::manifest::{Manifest, Sample, Split, require_both_classes};
use dfrt_runtime::detector::evaluate;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::detector::threshold::{Threshold, ThresholdSource};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What the user says.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A logit, and how it was written.
    Logit(f64, String),
    /// The best one on this data set.
    Auto(PathBuf),
}

impl Choice {
    /// The choice in a folder's name: "0.7", "p0.6", "auto-val".
    pub fn in_names(&self) -> String {
        match self {
            Self::Logit(_, text) => text.replace(':', ""),
            Self::Auto(data) => format!("auto-{}", data.file_stem().unwrap_or_default().to_string_lossy()),
        }
    }
}

/// Understands `0.7`, `p:0.6` and `auto:VAL`.
pub fn choice(text: &str) -> Result<Choice, String> {
    let usual = "give a logit (0.7), a probability (p:0.6) or validation data (auto:val.csv)";
    if let Some(data) = text.strip_prefix("auto:") {
        return match data.is_empty() {
            true => Err(format!("threshold {text:?} names no data; {usual}")),
            false => Ok(Choice::Auto(data.into())),
        };
    }
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let logit = match text.strip_prefix("p:") {
        Some(share) => number(share)
            .filter(|share| *share > 0.0 && *share < 1.0)
            .map(|share| (share / (1.0 - share)).ln()),
        None => number(text),
    };
    logit
        .map(|logit| Choice::Logit(logit, text.to_owned()))
        .ok_or_else(|| format!("threshold {text:?} is none; {usual}"))
}

/// Has `oracle`, which is `model`, judge by the threshold of `choice`, or else by its own;
/// `measured` are the pictures that it will judge, on which none may be chosen.
///
/// # Errors
/// Validation data that cannot be read, are of one class, or are among `measured`.
pub fn settle(
    oracle: &mut TractOracle,
    model: &Model,
    choice: Option<&Choice>,
    measured: &[&[Sample]],
) -> Result<()> {
    let threshold = match choice {
        None => {
            if *oracle.detector().threshold_source() == ThresholdSource::Default {
                output::note(format!(
                    "note: {}: names no threshold; logits above 0 are taken as fake; pass others with --threshold X, \
                    p:0.6 or auto:VAL",
                    model.given.display()
                ));
            }
            return Ok(());
        }
        Some(Choice::Logit(logit, text)) => {
            Threshold { logit: *logit, source: ThresholdSource::Given { text: text.clone() } }
        }
        Some(Choice::Auto(path)) => {
            let threshold = chosen(oracle, path, measured)?;
            output::note(format!("note: threshold {:.4}, {}", threshold.logit, threshold.source));
            threshold
        }
    };
    oracle.judge_by(threshold);
    Ok(())
}

fn chosen(oracle: &TractOracle, path: &Path, measured: &[&[Sample]]) -> Result<Threshold> {
    let shown = path.display();
    let manifest = Manifest::of(path)?;
    output::ruled(&format!("{shown}"), &manifest.rules);
    let (samples, split) = match manifest.split(Split::Val) {
        val if val.is_empty() => (manifest.samples, "all"),
        val => (val, Split::Val.name()),
    };
    require_both_classes(&samples, &format!("--threshold auto:{shown}"))?;
    let mut theirs = HashSet::new();
    for sample in measured.iter().copied().flatten() {
        theirs.insert(place::absolute(&sample.path)?);
    }
    for sample in &samples {
        if theirs.contains(&place::absolute(&sample.path)?) {
            bail!(
                "--threshold auto:{shown}: {} is among the pictures to be measured; a threshold is chosen on others, \
                such as a val split",
                sample.path.display()
            );
        }
    }
    let task = Task::new("scored for the threshold");
    let (scores, skipped) =
        evaluate::score(oracle as &dyn Oracle, &samples, &|done, total| task.set(done, total, ""))?;
    drop(task);
    output::passed_over("unreadable validation pictures", &skipped, None);
    let threshold = Threshold::chosen(&scores, &shown.to_string(), split);
    threshold.ok_or_else(|| {
        anyhow::anyhow!("--threshold auto:{shown}: no threshold parts the classes: one of them is missing among the readable pictures, or a logit is NaN")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_probabilities_and_data_are_told_apart() {
        assert_eq!(choice("-1.5"), Ok(Choice::Logit(-1.5, "-1.5".to_owned())));
        assert_eq!(choice("p:0.5"), Ok(Choice::Logit(0.0, "p:0.5".to_owned())));
        let Ok(Choice::Logit(logit, _)) = choice("p:0.7") else { panic!("a probability") };
        assert!((logit - 0.847_297_860_387_203_6).abs() < 1e-12, "{logit}");
        assert_eq!(choice("auto:val.csv"), Ok(Choice::Auto("val.csv".into())));
        for wrong in ["", "p:0", "p:1", "p:1.2", "nan", "inf", "auto:", "half"] {
            assert!(choice(wrong).unwrap_err().contains("p:0.6"), "{wrong}");
        }
    }
}
