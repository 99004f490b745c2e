//! Measurements whose summary is known: for tests.

use super::radii::radii_255;
use super::{Basis, summarise};
use crate::random;
use crate::results::evaluation::{DataInfo, ModelInfo};
use crate::results::explanation::{
    Along, Explanation, Measured, Measurement, Settings, TapMeasurement, TapStatistics,
};
use crate::sample::Label;

/// Pictures, two of each person, a real and a fake.
pub const PICTURES: u64 = 40;

/// A planted model: what its figures are, in factors of those of a model of ones.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    pub margin: f64,
    pub input: f64,
    pub statistics: f64,
    /// The radius of PGD over that of first order.
    pub beyond: f64,
    /// Whether the radius of PGD has nothing to do with that of first order.
    pub unrelated: bool,
    /// The loss after the shift test.
    pub shifted: f64,
    /// Of the draws.
    pub seed: u64,
}

impl Default for Planted {
    fn default() -> Self {
        Self {
            margin: 1.0,
            input: 1.0,
            statistics: 1.0,
            beyond: 1.2,
            unrelated: false,
            shifted: 1.0,
            seed: 0,
        }
    }
}

/// A number around 1 that belongs to a picture, its name and a seed.
fn around(name: &str, id: u64, seed: u64, spread: f64) -> f64 {
    let mut random = random::stream(seed, &[name.into(), id.into()]);
    (spread * f64::from(random::normal(&mut random))).exp()
}

/// What is measured on `planted` as a model of `arm`.
pub fn measured(arm: &str, planted: Planted, pictures: u64) -> Measured {
    let Planted { seed, .. } = planted;
    let measurement = |id: u64| {
        let label = if id.is_multiple_of(2) { Label::Real } else { Label::Fake };
        // Pictures differ alike under all models, and a little by model.
        let own = |name: &str, spread| around(name, id, 0, spread) * around(name, id, seed + 1, 0.05);
        let margin = planted.margin * own("margin", 0.5);
        let input = planted.input * 300.0 * own("input", 0.3);
        let statistics = planted.statistics * own("statistics", 0.3);
        let slope = 1.0 / (1.0 + margin.exp());
        let first = 255.0 * margin / input;
        let reached = match planted.unrelated {
            true => planted.beyond * own("radius", 0.5),
            false => planted.beyond * first,
        };
        let loss = (-margin).exp().ln_1p();
        Measurement {
            id,
            label,
            group: format!("person {}", id / 2),
            logit: f64::from(label.sign()) * margin,
            margin,
            right: true,
            loss,
            input_margin_l1: Some(input),
            input_margin_l2: Some(0.1 * input),
            input_loss_l1: Some(slope * input),
            input_loss_l2: Some(0.1 * slope * input),
            statistics_margin: Some(statistics),
            statistics_loss: Some(slope * statistics),
            first_order_255: Some(first),
            pgd_255: radii_255().into_iter().find(|radius| *radius >= reached),
            pgd_held_255: Some(0.0),
            attacked_logit: 0.0,
            high_frequency_share: Some(0.5 * own("high", 0.1)),
            spectrum: vec![1.5, 0.5],
            taps: vec![TapMeasurement {
                tap: 1,
                statistics_margin: Some(statistics),
                statistics_loss: Some(slope * statistics),
                shifted_logit: f64::from(label.sign()) * margin / 2.0,
                shifted_loss: loss + planted.shifted * own("shifted", 0.2),
            }],
            along: vec![Along {
                length: 0.1,
                loss: Some(own("along", 0.02)),
                margin: Some(own("margin along", 0.02)),
            }],
        }
    };
    let pictures: Vec<Measurement> = (0..pictures).map(measurement).collect();
    let statistics = |picture: &Measurement| {
        let far = f64::from(picture.label.target()) * 2.0;
        [far + around("mu", picture.id, seed, 1.0), around("sigma", picture.id, seed, 1.0)]
            .map(|it| it as f32)
    };
    let values = pictures.iter().flat_map(statistics).collect();
    Measured {
        arm: arm.to_owned(),
        model: ModelInfo {
            path: format!("{arm}-{seed}.onnx"),
            sha256: String::new(),
            arch: "planted".to_owned(),
            res: 32,
            reading: None,
        },
        threshold: 0.0,
        pictures,
        taps: vec![TapStatistics { tap: 1, channels: 1, values }],
        surfaces: Vec::new(),
    }
}

/// The explanation of `models`.
pub fn explained(models: &[Measured]) -> Explanation {
    let n = models[0].pictures.len();
    let basis = Basis {
        data: DataInfo { path: "planted".to_owned(), split: "test".to_owned(), n_real: n / 2, n_fake: n / 2 },
        settings: Settings {
            eps_255: 1.0,
            attack_steps: 10,
            radius_steps: 20,
            taps: vec![1],
            lengths: vec![0.1],
            shift: [1.2, 0.65],
            surface_255: 4.0,
            shown: 0,
            seed: 0,
        },
        frequencies: vec![0.1, 0.4],
        skipped: Vec::new(),
    };
    summarise(models, basis).unwrap()
}
