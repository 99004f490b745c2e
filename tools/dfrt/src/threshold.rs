//! `--threshold`: the logit above which a picture is called fake, in the place of the one that
//! the model's file names.

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

/// The value of `--threshold`.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// A logit, and the text that the user wrote.
    Logit(f64, String),
    /// The best threshold on the validation split of this data set.
    Auto(PathBuf),
}

impl Choice {
    /// The choice as a part of a folder's name: "0.7", "p0.6", "auto-val".
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

/// Sets the threshold of `oracle`, which is `model` loaded, to `choice`; without a choice its own
/// stays. `measured` are the pictures to be measured; a threshold must not be chosen on them.
///
/// # Errors
/// Validation data that cannot be read, have one class only, or share pictures, videos or people
/// with `measured`.
pub fn apply(
    oracle: &mut TractOracle,
    model: &Model,
    choice: Option<&Choice>,
    measured: &[&[Sample]],
) -> Result<()> {
    let threshold = match choice {
        None => {
            if *oracle.detector().threshold_source() == ThresholdSource::Default {
                output::note(format!(
                    "note: {}: names no threshold; logits above 0 count as fake; pass another with --threshold X, \
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
            let threshold = choose(oracle, path, measured)?;
            output::note(format!("note: threshold {:.4}, {}", threshold.logit, threshold.source));
            threshold
        }
    };
    oracle.judge_by(threshold);
    Ok(())
}

/// The best threshold on the validation split of the data set at `path`.
fn choose(oracle: &TractOracle, path: &Path, measured: &[&[Sample]]) -> Result<Threshold> {
    let shown = path.display();
    let manifest = Manifest::of(path)?;
    output::note_rules(&format!("{shown}"), &manifest.rules);
    let samples = manifest.split(Split::Val);
    if samples.is_empty() {
        require_both_classes(&manifest.samples, &format!("--threshold auto:{shown}"))?;
        bail!(
            "--threshold auto:{shown}: has no val split; a threshold is chosen on pictures that are used neither for training nor \
            for testing: mark them as val (`dfrt data index … --split val --out val.csv`)"
        );
    }
    require_both_classes(&samples, &format!("--threshold auto:{shown}"))?;
    check_disjoint(&manifest, &samples, measured).with_context(|| format!("--threshold auto:{shown}"))?;
    let task = Task::new("scored for the threshold");
    let (scores, skipped) =
        evaluate::score(oracle as &dyn Oracle, &samples, &|done, total| task.set(done, total, ""))?;
    drop(task);
    output::warn_skipped("unreadable validation pictures", &skipped, None);
    let threshold = Threshold::chosen(&scores, &shown.to_string(), Split::Val.name());
    threshold.ok_or_else(|| {
        anyhow::anyhow!("--threshold auto:{shown}: no threshold separates the classes: one of them is missing among the readable pictures, or a logit is NaN")
    })
}

/// Checks that none of `samples`, which belong to `manifest`, is one of the pictures `measured` (by
/// its path with links resolved) or shows the same video or person.
fn check_disjoint(manifest: &Manifest, samples: &[Sample], measured: &[&[Sample]]) -> Result<()> {
    let own = common_folder(&manifest.samples)?;
    let (mut paths, mut groups) = (HashSet::new(), HashSet::new());
    for part in measured {
        // Two data sets may have videos of the same name. If one folder contains the other, they are
        // the same data set.
        let theirs = common_folder(part)?;
        let same_set = own.starts_with(&theirs) || theirs.starts_with(&own);
        for sample in *part {
            paths.insert(real_path(&sample.path)?);
            if same_set && has_group(sample) {
                groups.insert(&*sample.group);
            }
        }
    }
    for sample in samples {
        let shown = sample.path.display();
        if paths.contains(&real_path(&sample.path)?) {
            bail!(
                "{shown} is among the pictures to be measured; choose the threshold on others, such as a val split"
            );
        }
        if has_group(sample) && groups.contains(&*sample.group) {
            bail!(
                "{shown} is of {:?}, of which other pictures are measured; choose the threshold on other videos and \
                people",
                sample.group
            );
        }
    }
    Ok(())
}

/// The deepest folder that contains all `samples`.
fn common_folder(samples: &[Sample]) -> Result<PathBuf> {
    let mut common: Option<PathBuf> = None;
    for sample in samples {
        let path = real_path(&sample.path)?;
        let folder = common.get_or_insert_with(|| path.clone());
        while !path.starts_with(&*folder) && folder.pop() {}
    }
    Ok(common.unwrap_or_default())
}

/// The path with links resolved; for a missing picture, which is reported later, the absolute path.
fn real_path(path: &Path) -> Result<PathBuf> {
    path.canonicalize().or_else(|_| paths::absolute(path))
}

/// Whether the sample has a group of its own, not just the name of its file.
fn has_group(sample: &Sample) -> bool {
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
            check_disjoint(&manifest(test), std::slice::from_ref(&val), &[measured])
                .map_err(|error| error.to_string())
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
    fn logits_probabilities_and_data_are_parsed() {
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
