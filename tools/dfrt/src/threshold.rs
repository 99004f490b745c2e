//! `--threshold`: the logit above which a picture is called fake, for models whose file
//! names none or another.

use crate::output;
use crate::paths;
use crate::progress::Task;
use anyhow::{Context, Result, bail};
use dfrt_runtime::data::manifest::{Manifest, require_both_classes};
use dfrt_runtime::detector::evaluate;
use dfrt_runtime::detector::model::Model;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::TractOracle;
use dfrt_runtime::detector::threshold::Threshold;
use dfrt_runtime::results::evaluation::ThresholdSource;
use dfrt_runtime::sample::{Sample, Split};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

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

/// `0.7`, `p:0.6` and `auto:VAL`.
impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usual = "give a logit (0.7), a probability (p:0.6) or validation data (auto:val.csv)";
        if let Some(data) = text.strip_prefix("auto:").filter(|data| !data.is_empty()) {
            return Ok(Self::Auto(data.into()));
        }
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let logit = match text.strip_prefix("p:") {
            Some(share) => number(share)
                .filter(|share| *share > 0.0 && *share < 1.0)
                .map(|share| (share / (1.0 - share)).ln()),
            None => number(text),
        };
        logit.map(|logit| Self::Logit(logit, text.to_owned())).ok_or_else(|| usual.to_owned())
    }
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
    output::note_rules(&format!("{shown}"), &manifest.rules);
    let samples = manifest.split(Split::Val);
    if samples.is_empty() {
        require_both_classes(&manifest.samples, &format!("--threshold auto:{shown}"))?;
        bail!(
            "--threshold auto:{shown}: has no val split; a threshold is chosen on pictures that are neither trained nor \
            tested on: name them val (`dfrt data index … --split val --out val.csv`)"
        );
    }
    require_both_classes(&samples, &format!("--threshold auto:{shown}"))?;
    apart(&manifest, &samples, measured).with_context(|| format!("--threshold auto:{shown}"))?;
    let task = Task::new("scored for the threshold");
    let (scores, skipped) =
        evaluate::score(oracle as &dyn Oracle, &samples, &|done, total| task.set(done, total, ""))?;
    drop(task);
    output::warn_skipped("unreadable validation pictures", &skipped, None);
    let threshold = Threshold::chosen(&scores, &shown.to_string(), Split::Val.name());
    threshold.ok_or_else(|| {
        anyhow::anyhow!("--threshold auto:{shown}: no threshold parts the classes: one of them is missing among the readable pictures, or a logit is NaN")
    })
}

/// Whether none of `samples`, which are of `manifest`, is among the pictures `measured`, under
/// whatever name, or of the same video or person.
fn apart(manifest: &Manifest, samples: &[Sample], measured: &[&[Sample]]) -> Result<()> {
    let own = common(&manifest.samples)?;
    let (mut paths, mut groups) = (HashSet::new(), HashSet::new());
    for part in measured {
        // Another data set may have a video of that name: one around the other is the same set.
        let theirs = common(part)?;
        let same_set = own.starts_with(&theirs) || theirs.starts_with(&own);
        for sample in *part {
            paths.insert(real(&sample.path)?);
            if same_set && is_named(sample) {
                groups.insert(&*sample.group);
            }
        }
    }
    for sample in samples {
        let shown = sample.path.display();
        if paths.contains(&real(&sample.path)?) {
            bail!(
                "{shown} is among the pictures to be measured; a threshold is chosen on others, such as a val split"
            );
        }
        if is_named(sample) && groups.contains(&*sample.group) {
            bail!(
                "{shown} is of {:?}, of which other pictures are measured; a threshold is chosen on other videos and \
                people",
                sample.group
            );
        }
    }
    Ok(())
}

/// The deepest folder around `samples`.
fn common(samples: &[Sample]) -> Result<PathBuf> {
    let mut common: Option<PathBuf> = None;
    for sample in samples {
        let path = real(&sample.path)?;
        let around = common.get_or_insert_with(|| path.clone());
        while !path.starts_with(&*around) && around.pop() {}
    }
    Ok(common.unwrap_or_default())
}

/// Where the picture really is, links followed; one that is missing is found missing later.
fn real(path: &Path) -> Result<PathBuf> {
    path.canonicalize().or_else(|_| paths::absolute(path))
}

/// Whether the group is more than the file's own name again.
fn is_named(sample: &Sample) -> bool {
    !sample.path.ends_with(&sample.group) && !sample.path.with_extension("").ends_with(&sample.group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfrt_runtime::sample::Label;

    fn sample(dir: &Path, file: &str, group: &str, split: Split) -> Sample {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"").unwrap();
        Sample::new(path, Label::Fake, "s", group, split)
    }

    #[test]
    fn nothing_is_chosen_on_what_is_measured() {
        let dir = tempfile::tempdir().unwrap();
        let val = sample(dir.path(), "val/clip_1/0.png", "clip_1", Split::Val);
        let manifest = |test: &Sample| Manifest::new(vec![val.clone(), test.clone()], Vec::new());
        let says = |test: &Sample, measured: &[Sample]| {
            apart(&manifest(test), std::slice::from_ref(&val), &[measured]).map_err(|error| error.to_string())
        };
        let test = sample(dir.path(), "test/clip_2/0.png", "clip_2", Split::Test);
        assert_eq!(says(&test, std::slice::from_ref(&test)), Ok(()));
        let video = sample(dir.path(), "test/clip_1/1.png", "clip_1", Split::Test);
        assert!(says(&video, std::slice::from_ref(&video)).unwrap_err().contains("is of \"clip_1\""));
        // A video of that name in another data set, and two files that are numbered alike.
        let other = tempfile::tempdir().unwrap();
        let foreign = sample(other.path(), "clip_1/1.png", "clip_1", Split::Test);
        assert_eq!(says(&test, &[foreign]), Ok(()));
        #[cfg(unix)]
        {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(dir.path().join("val"), &link).unwrap();
            let linked =
                Sample { path: link.join("clip_1/0.png"), group: "other".to_owned(), ..test.clone() };
            assert!(says(&test, &[linked]).unwrap_err().contains("is among the pictures to be measured"));
        }
    }

    #[test]
    fn logits_probabilities_and_data_are_told_apart() {
        let choice = |text: &str| text.parse::<Choice>();
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
