//! An attack of one's own against a model of one's own, put to dfrt's judge:
//!
//!     cargo run --release --example own_attack
//!
//! The attack makes a picture brighter or darker. What it has to do is propose; whether a
//! proposal lies within the ball, survives 8 bits and crosses is the judge's to say, and so is
//! the count of queries.

use dfrt_runtime::attack::judge::{Judgement, judge};
use dfrt_runtime::attack::query::{Query, Stop};
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::attack::{Attack, Proposal};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::threat::{Norm, Threat};
use serde_json::{Map, Value};

/// Shifts all values of a picture alike.
struct Brightness {
    queries: u64,
}

impl Attack for Brightness {
    fn name(&self) -> &str {
        "brightness"
    }

    fn parameters(&self, _: Threat) -> Map<String, Value> {
        Map::from_iter([("queries".to_owned(), self.queries.into())])
    }

    fn propose(&self, queries: &[Query<'_>], threat: Threat) -> Result<Vec<Proposal>, OracleError> {
        queries.iter().map(|query| self.one(query, threat)).collect()
    }
}

impl Brightness {
    fn one(&self, query: &Query<'_>, threat: Threat) -> Result<Proposal, OracleError> {
        let mut model = query.by_logits(threat, self.queries);
        let mut best = (f32::INFINITY, model.clean.clone());
        for shift in [threat.eps(), -threat.eps()] {
            let moved: Vec<f32> = model.clean.iter().map(|value| (value + shift).clamp(0.0, 1.0)).collect();
            let logit = match model.logits(moved.clone()) {
                Ok(logits) => logits[0],
                Err(Stop::Over) => break,
                Err(Stop::Failed(error)) => return Err(error),
            };
            if model.margin(logit) < best.0 {
                best = (model.margin(logit), moved);
            }
        }
        Ok(Proposal { values: best.1, ..Proposal::default() })
    }
}

/// A model that calls bright pictures fake: its logit is the mean over the pixels, less 0.5.
struct Bright;

impl Oracle for Bright {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        let mean = |place| {
            let values = batch.picture(place);
            values.iter().sum::<f32>() / values.len() as f32 - 0.5
        };
        Ok((0..batch.len()).map(mean).collect())
    }

    fn res(&self) -> usize {
        16
    }
}

/// Attacks greys of several levels within 8/255.
fn attacked() -> Result<Judgement, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let subject = |(id, level): (u64, u8)| {
        let path = folder.path().join(format!("{level}.png"));
        image::RgbImage::from_pixel(16, 16, image::Rgb([level; 3])).save(&path)?;
        let label = if level > 127 { Label::Fake } else { Label::Real };
        let sample = Sample::new(path, label, "grey".to_owned(), level.to_string(), Split::Test);
        Ok::<_, image::ImageError>(Subject { id, sample })
    };
    let subjects: Vec<Subject> =
        (0..).zip([100, 120, 124, 130, 140, 200]).map(subject).collect::<Result<_, _>>()?;
    let model = ModelInfo {
        path: "bright".to_owned(),
        sha256: String::new(),
        arch: "mean".to_owned(),
        res: 16,
        reading: None,
    };
    let trial = Trial::new(&model, "greys", Threat::new(Norm::Linf, 8.0)?);
    Ok(judge(&Brightness { queries: 2 }, &Bright, &subjects, &trial)?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let report = attacked()?.report;
    println!(
        "{}: accuracy {:.3}, robust accuracy {:.3}, {} queries",
        report.method, report.clean_accuracy, report.robust_accuracy, report.queries.total
    );
    Ok(())
}

#[test]
fn levels_within_eight_of_the_threshold_turn_over() {
    let Judgement { report, samples, .. } = attacked().unwrap();
    let turned: Vec<bool> = samples.iter().map(|sample| sample.success).collect();
    assert_eq!(turned, [false, true, true, true, false, false]);
    assert_eq!((report.queries.total, report.robust_accuracy), (12, 0.5));
}
