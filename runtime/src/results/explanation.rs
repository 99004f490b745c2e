//! Why detectors are as robust as they are: explain.json with its summary, pictures.csv with a line
//! for each model and picture ([`table`]), and [`Measured`], what was measured on one model, from which the
//! summary is computed; a study keeps it in model.json ([`one_model`]). docs/explain.md says what each figure is.
//!
//! z: the logit. s: +1 for a fake, -1 for a real picture. t: the threshold. L: the cross-entropy
//! ln(1 + e^(-s z)) in nats. x: the pixels in \[0, 1\]. mu, sigma: the means and deviations of a tap's
//! channels over space, of each picture. Radii are Linf radii in units of 1/255.

pub mod images;
pub mod one_model;
pub mod table;

use super::evaluation::{DataInfo, ModelInfo};
use super::{ResultError, json};
use crate::metrics::resampled::Ranged;
use crate::sample::Label;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the summary.
pub const FILE: &str = "explain.json";
/// The name of its rendering in sentences.
pub const TEXT: &str = "explain.md";
/// The name of the table of pictures.
pub const TABLE: &str = "pictures.csv";
/// The folder of a model's explanation in its RUN.
pub const FOLDER: &str = "explain";
/// The folder of the pictures.
pub const IMAGES: &str = "images";

/// How it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Radius of the PGD attack whose perturbation is shown and transformed, in 1/255.
    pub eps_255: f64,
    /// Its steps.
    pub attack_steps: usize,
    /// Steps of PGD at each radius that the search for the smallest one tries.
    pub radius_steps: usize,
    /// Indices i of the `features.i` whose statistics are looked at.
    pub taps: Vec<usize>,
    /// Lengths r of the perturbation of (mu, sigma) along its gradient.
    pub lengths: Vec<f64>,
    /// Factors of the means and of the deviations in the shift test.
    pub shift: [f64; 2],
    /// Reach of the loss surface in each direction, in 1/255.
    pub surface_255: f64,
    /// Pictures that are drawn, and whose loss surface is computed.
    pub shown: usize,
    /// The seed of all draws.
    pub seed: u64,
}

/// What was measured on one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The arm; models of the same arm are its training seeds.
    pub arm: String,
    /// The model.
    pub model: ModelInfo,
    /// Logit above which a picture is called fake (t).
    pub threshold: f64,
    /// By picture.
    pub pictures: Vec<Measurement>,
    /// The statistics at each tap.
    pub taps: Vec<TapStatistics>,
    /// The loss around a few pictures.
    pub surfaces: Vec<Surface>,
}

/// What was measured on one picture. A figure that is undefined or not finite is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Its place in the split.
    pub id: u64,
    /// Its class.
    pub label: Label,
    /// The person or video.
    pub group: String,
    /// z.
    pub logit: f64,
    /// s (z - t); negative where the picture is called wrongly.
    pub margin: f64,
    /// Whether it is called rightly.
    pub right: bool,
    /// L.
    pub loss: f64,
    /// ||grad_x z||_1.
    pub input_margin_l1: Option<f64>,
    /// ||grad_x z||_2.
    pub input_margin_l2: Option<f64>,
    /// ||grad_x L||_1.
    pub input_loss_l1: Option<f64>,
    /// ||grad_x L||_2.
    pub input_loss_l2: Option<f64>,
    /// ||grad_{mu,sigma} z||_2 over all taps.
    pub statistics_margin: Option<f64>,
    /// ||grad_{mu,sigma} L||_2 over all taps.
    pub statistics_loss: Option<f64>,
    /// 255 margin / ||grad_x z||_1 of a picture that is called rightly; none with a zero gradient.
    pub first_order_255: Option<f64>,
    /// The smallest radius at which PGD turned the picture over; none where it is called wrongly
    /// anyway, or no radius of the search did.
    pub pgd_255: Option<f64>,
    /// The largest radius below that at which PGD did not; 0 where there is none.
    pub pgd_held_255: Option<f64>,
    /// z of the picture that PGD made at [`Settings::eps_255`], as 8-bit picture.
    pub attacked_logit: f64,
    /// The share of that perturbation's power at 0.25 cycles a pixel and above.
    pub high_frequency_share: Option<f64>,
    /// That perturbation's power by radial frequency, relative to its mean over all frequencies; empty
    /// where nothing was changed.
    pub spectrum: Vec<f64>,
    /// At each tap.
    pub taps: Vec<TapMeasurement>,
    /// Along the gradient of the statistics, at each length.
    pub along: Vec<Along>,
}

/// What was measured on one picture at one tap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TapMeasurement {
    /// The index i of `features.i`.
    pub tap: usize,
    /// ||grad_{mu,sigma} z||_2 at this tap.
    pub statistics_margin: Option<f64>,
    /// ||grad_{mu,sigma} L||_2 at this tap.
    pub statistics_loss: Option<f64>,
    /// z after the shift test at this tap.
    pub shifted_logit: f64,
    /// L after it.
    pub shifted_loss: f64,
}

/// The rise along the gradient of the statistics, r grad / ||grad||, relative to that of first order,
/// r ||grad||: 1 where the loss is linear. None with a zero gradient.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Along {
    /// r.
    pub length: f64,
    /// Of the loss L.
    pub loss: Option<f64>,
    /// Of -s z, which does not saturate.
    pub margin: Option<f64>,
}

/// The statistics of all pictures at one tap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TapStatistics {
    /// The index i of `features.i`.
    pub tap: usize,
    /// C.
    pub channels: usize,
    /// mu and sigma of each picture, [N, 2, C].
    pub values: Vec<f32>,
}

/// The loss around a picture: along the sign of the input gradient of the loss, and along random
/// signs that are orthogonal to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Surface {
    /// The picture.
    pub id: u64,
    /// Places along each direction in 1/255, from -reach to reach.
    pub steps_255: Vec<f64>,
    /// z, by place along the gradient's sign, then along the random signs.
    pub logits: Vec<Vec<f64>>,
    /// L at the same places.
    pub losses: Vec<Vec<f64>>,
    /// Whether the input gradient is zero, so that the first direction leads nowhere.
    pub zero_gradient: bool,
}

/// The object of explain.json.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// The explanation in sentences.
    pub sentences: Vec<Sentence>,
    /// The pictures.
    pub data: DataInfo,
    /// Persons or videos among them: the unit of every interval.
    pub groups: usize,
    /// How it was measured.
    pub settings: Settings,
    /// Middle of each band of [`ArmFigures::spectrum`], in cycles a pixel.
    pub frequencies: Vec<f64>,
    /// The arms, the first being the reference.
    pub arms: Vec<ArmFigures>,
    /// Each other arm against the first.
    pub comparisons: Vec<Comparison>,
    /// Pictures that could not be read, a line each.
    pub skipped: Vec<String>,
}

/// A statement with its figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentence {
    /// The arm that it is about.
    pub arm: String,
    /// What it is about.
    pub about: Topic,
    /// Whether the figures support what was looked for: a change, a relation, an explanation.
    pub supported: bool,
    /// The sentence.
    pub text: String,
}

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// What the figures rest on.
    Basis,
    /// ||grad_{mu,sigma} L||.
    StatisticsGradient,
    /// ||grad_x L|| and ||grad_x z||.
    InputGradient,
    /// The radius at which PGD succeeds.
    Radius,
    /// Whether the first-order radius predicts it.
    FirstOrder,
    /// The shift test and the perturbation along the gradient of the statistics.
    Shift,
    /// The distance between the classes, and the spectrum of the perturbation.
    Features,
    /// What explains the change of the radius.
    Explanation,
}

/// A figure over the pictures of an arm's models.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Distribution {
    /// Values: pictures times models.
    pub n: usize,
    /// Those that are exactly zero; they count in all but the geometric mean.
    pub zero: usize,
    /// Pictures times models that have no value.
    pub undefined: usize,
    /// Their mean.
    pub mean: Option<Ranged>,
    /// Their median.
    pub median: Option<Ranged>,
    /// The first and third quartile.
    pub quartiles: Option<[f64; 2]>,
    /// The geometric mean of the positive ones.
    pub geometric_mean: Option<Ranged>,
}

/// What was counted over an arm's pictures and models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Pictures times models.
    pub n: usize,
    /// Called rightly.
    pub right: usize,
    /// With a zero gradient of the logit with respect to the pixels.
    pub zero_input_gradient: usize,
    /// With a zero gradient of the logit with respect to the statistics.
    pub zero_statistics_gradient: usize,
    /// With a gradient that is not finite.
    pub not_finite: usize,
    /// Called rightly, and turned over by PGD at no radius of the search.
    pub not_reached: usize,
    /// Left unchanged by the attack at [`Settings::eps_255`].
    pub unperturbed: usize,
}

/// The figures of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmFigures {
    /// Its name.
    pub name: String,
    /// Its models: one for each training seed.
    pub models: Vec<ModelInfo>,
    /// Their thresholds.
    pub thresholds: Vec<f64>,
    /// What was counted.
    pub counts: Counts,
    /// [`Measurement::margin`].
    pub margin: Distribution,
    /// [`Measurement::loss`].
    pub loss: Distribution,
    /// [`Measurement::input_margin_l1`].
    pub input_margin_l1: Distribution,
    /// [`Measurement::input_margin_l2`].
    pub input_margin_l2: Distribution,
    /// [`Measurement::input_loss_l1`].
    pub input_loss_l1: Distribution,
    /// [`Measurement::input_loss_l2`].
    pub input_loss_l2: Distribution,
    /// [`Measurement::statistics_margin`].
    pub statistics_margin: Distribution,
    /// [`Measurement::statistics_loss`].
    pub statistics_loss: Distribution,
    /// [`Measurement::first_order_255`].
    pub first_order_255: Distribution,
    /// [`Measurement::pgd_255`].
    pub pgd_255: Distribution,
    /// The radius of PGD over that of first order, where both are known.
    pub pgd_over_first_order: Distribution,
    /// Spearman's correlation of the two, over pictures called rightly, averaged over the models.
    /// Pictures that PGD did not turn over share the highest rank.
    pub rank_correlation: Option<Ranged>,
    /// [`Measurement::high_frequency_share`].
    pub high_frequency_share: Distribution,
    /// The mean of [`Measurement::spectrum`], by band.
    pub spectrum: Vec<Option<Ranged>>,
    /// At each tap.
    pub taps: Vec<TapFigures>,
    /// [`Measurement::along`], at each length.
    pub along: Vec<AlongFigures>,
    /// The loss around a few pictures, by model.
    pub surfaces: Vec<Vec<Surface>>,
}

/// The figures of an arm at a tap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TapFigures {
    /// The index i of `features.i`.
    pub tap: usize,
    /// [`TapMeasurement::statistics_margin`].
    pub statistics_margin: Distribution,
    /// [`TapMeasurement::statistics_loss`].
    pub statistics_loss: Distribution,
    /// The share of decisions that the shift test does not change.
    pub shift_kept: Option<Ranged>,
    /// The rise of L by the shift test.
    pub shift_loss_rise: Distribution,
    /// The distance between reals and fakes in (mu, sigma); none of one class.
    pub classes: Option<ClassDistance>,
}

/// The distance between the classes at a tap, averaged over the models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClassDistance {
    /// The mean over all 2C statistics of |Cohen's d|: the difference of the classes' means in pooled
    /// standard deviations.
    pub effect: Ranged,
    /// The same with the labels shuffled, in the mean: what so few pictures give by chance.
    pub effect_by_chance: f64,
    /// What it exceeds by chance in one shuffle of twenty.
    pub effect_by_chance_95: f64,
    /// The Fréchet distance of two Gaussians with diagonal covariance.
    pub frechet: Ranged,
    /// Statistics that do not vary, and so have no effect size, averaged over the models.
    pub constant: f64,
}

/// [`Along`] over the pictures of an arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlongFigures {
    /// r.
    pub length: f64,
    /// [`Along::loss`].
    pub loss: Distribution,
    /// [`Along::margin`].
    pub margin: Distribution,
}

/// The ratio of two arms' geometric means, paired by picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// The arm's over the reference's.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    pub high: Option<f64>,
    /// Pictures with a positive value in both arms.
    pub n: usize,
    /// The other pictures.
    pub left_out: usize,
}

/// An arm against the reference. Ratios are of geometric means, differences of means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// The reference.
    pub against: String,
    /// Of [`Measurement::statistics_loss`].
    pub statistics_loss: Option<Ratio>,
    /// Of [`Measurement::statistics_margin`].
    pub statistics_margin: Option<Ratio>,
    /// Of [`Measurement::input_loss_l1`].
    pub input_loss_l1: Option<Ratio>,
    /// Of [`Measurement::input_loss_l2`].
    pub input_loss_l2: Option<Ratio>,
    /// Of [`Measurement::input_margin_l1`].
    pub input_margin_l1: Option<Ratio>,
    /// Of [`Measurement::input_margin_l2`].
    pub input_margin_l2: Option<Ratio>,
    /// Of [`Measurement::first_order_255`], where both call the picture rightly. It is the next ratio
    /// over the one after.
    pub first_order_255: Option<Ratio>,
    /// Of the margins of the same pictures.
    pub right_margin: Option<Ratio>,
    /// Of [`Measurement::input_margin_l1`] of the same pictures.
    pub right_input_margin_l1: Option<Ratio>,
    /// Of [`Measurement::pgd_255`], where both call the picture rightly. One that was not turned over
    /// counts with the largest radius of the search.
    pub pgd_255: Option<Ratio>,
    /// Pictures times models that so count, of the arm and of the reference.
    pub not_reached: [usize; 2],
    /// Over pictures, Spearman's correlation of the ratios of [`Measurement::statistics_margin`] and of
    /// the radii of PGD: below zero where the radius grew more as the gradient fell more.
    pub radius_by_statistics: Option<Ranged>,
    /// The same with the ratios of [`Measurement::input_margin_l1`].
    pub radius_by_input: Option<Ranged>,
    /// Difference of [`Measurement::high_frequency_share`].
    pub high_frequency_share: Option<Ranged>,
    /// At each tap.
    pub taps: Vec<TapComparison>,
}

/// An arm against the reference at a tap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TapComparison {
    /// The index i of `features.i`.
    pub tap: usize,
    /// Ratio of [`TapMeasurement::statistics_loss`].
    pub statistics_loss: Option<Ratio>,
    /// Ratio of [`TapMeasurement::statistics_margin`].
    pub statistics_margin: Option<Ratio>,
    /// Difference of the shares of decisions kept in the shift test.
    pub shift_kept: Option<Ranged>,
    /// Difference of the rises of L by the shift test.
    pub shift_loss_rise: Option<Ranged>,
    /// Difference of [`ClassDistance::effect`].
    pub class_effect: Option<Ranged>,
}

impl Explanation {
    /// Writes explain.json into the folder `dir`.
    ///
    /// # Errors
    /// A figure that is not finite, or a file that cannot be written.
    pub fn write(&self, dir: &Path) -> Result<(), ResultError> {
        json::write(&dir.join(FILE), self)
    }

    /// Reads explain.json in the folder `dir`.
    ///
    /// # Errors
    /// The file is missing or holds something else.
    pub fn read(dir: &Path) -> Result<Self, ResultError> {
        json::read(&dir.join(FILE))
    }
}
