//! The catalog's square attack against a detector of one's own, here one that is no network:
//!
//!     cargo run --release --example own_oracle
//!
//! All that an attack without gradients needs is an [`Oracle`], one logit a picture. It may
//! stand for a service, another program's model, or a rule, as here.

use dfrt_runtime::attack::catalog::Plan;
use dfrt_runtime::attack::judge::{Judgement, judge};
use dfrt_runtime::attack::networks::Networks;
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{Oracle, OracleError};
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::threat::{Norm, Threat};
use std::error::Error;

const RES: usize = 16;

/// A detector of any function of a picture's values, 3 x RES x RES in \[0, 1\].
struct Rule<F>(F);

impl<F: Fn(&[f32]) -> f32 + Sync> Oracle for Rule<F> {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        Ok((0..batch.len()).map(|place| (self.0)(batch.picture(place))).collect())
    }

    fn res(&self) -> usize {
        RES
    }
}

/// How much redder than blue a picture is, in 1/255, counted from 20.
fn redness(values: &[f32]) -> f32 {
    let mean = |plane: &[f32]| plane.iter().sum::<f32>() / plane.len() as f32;
    let plane = RES * RES;
    255.0 * (mean(&values[..plane]) - mean(&values[2 * plane..])) - 20.0
}

/// Attacks pictures that are redder than blue by so many levels, within 4/255.
fn attacked(levels: &[u8]) -> Result<Judgement, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let subject = |(id, &level): (u64, &u8)| {
        let path = folder.path().join(format!("{level}.png"));
        image::RgbImage::from_pixel(RES as u32, RES as u32, image::Rgb([100 + level, 90, 100]))
            .save(&path)?;
        let label = if level > 20 { Label::Fake } else { Label::Real };
        let sample = Sample::new(path, label, "tint", level.to_string(), Split::Test);
        Ok::<_, image::ImageError>(Subject { id, sample })
    };
    let subjects: Vec<Subject> = (0..).zip(levels).map(subject).collect::<Result<_, _>>()?;
    let (path, arch) = ("redness".to_owned(), "rule".to_owned());
    let model = ModelInfo { path, sha256: String::new(), arch, res: RES, reading: None };
    let trial = Trial::new(&model, "tints", Threat::new(Norm::Linf, 4.0)?);
    let plan = Plan { queries: Some(300), ..Plan::new("square".parse()?, Norm::Linf) };
    let none = Networks::default();
    let square = none.attack(&plan)?;
    Ok(judge(&*square, &Rule(redness), &subjects, &trial)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let report = attacked(&[5, 17, 18, 22, 23, 35])?.report;
    let (clean, robust) = (report.clean_accuracy, report.robust_accuracy);
    println!("square: accuracy {clean:.3}, robust accuracy {robust:.3}, {} queries", report.queries.total);
    Ok(())
}

#[test]
fn square_turns_over_what_lies_near_the_rule_and_nothing_out_of_reach() {
    // Red and blue can be moved apart, or together, by 8 levels at most.
    let Judgement { report, samples, .. } = attacked(&[5, 17, 18, 22, 23, 35]).unwrap();
    let turned: Vec<bool> = samples.iter().map(|sample| sample.success).collect();
    assert_eq!(turned, [false, true, true, true, true, false]);
    assert_eq!((report.clean_accuracy, report.robust_accuracy), (1.0, 1.0 / 3.0));
    assert_eq!(samples[0].queries, 300, "the budget is spent where nothing is found");
}
