//! How a file is read: what its input expects of pixels in [0, 1], and what its
//! output says about a picture. Everything else in this crate sees one logit,
//! positive for fake, and the reading alone knows how a file gave it.

use crate::names::named;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest 32-bit float below 1: where a probability of 1 is put, so that its
/// logit is finite (16.64).
const BELOW_ONE: f64 = 1.0 - f32::EPSILON as f64 / 2.0;
/// The smallest normal 32-bit float: where a probability of 0 is put (logit -87.34).
const ABOVE_ZERO: f64 = f32::MIN_POSITIVE as f64;
/// A probability may miss \[0, 1\] by this much through rounding.
const ROUNDING: f32 = 1e-3;

/// Where the three channels stand in the input's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// N x 3 x H x W, as PyTorch has it.
    Nchw,
    /// N x H x W x 3, as Keras has it.
    Nhwc,
}

/// What black and white are before mean and deviation are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Range {
    /// Black is 0, white 1.
    #[serde(rename = "0-1")]
    Unit,
    /// Black is 0, white 255.
    #[serde(rename = "0-255")]
    Bytes,
    /// Black is -1, white 1.
    #[serde(rename = "-1-1")]
    Signed,
}

/// In which order the channels go in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red first, as PyTorch and Keras load pictures.
    #[default]
    Rgb,
    /// Blue first, as OpenCV loads them and Caffe's models take them.
    Bgr,
}

/// What the output's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// Any numbers; one says fake above 0, of several the largest one wins.
    Logit,
    /// Numbers in \[0, 1\], after a sigmoid or a softmax.
    Probability,
}

named!(Channels, "channels", [Rgb = "rgb", Bgr = "bgr"]);
named!(Layout, "layout", [Nchw = "nchw", Nhwc = "nhwc"]);
named!(Range, "range", [Unit = "0-1", Bytes = "0-255", Signed = "-1-1"]);
named!(Output, "output", [Logit = "logit", Probability = "probability"]);

/// How a foreign file is read: the `reading` of a result's `model`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Where the channels stand.
    pub layout: Layout,
    /// In which order the channels go in; results from before it was recorded have them red
    /// first.
    #[serde(default)]
    pub channels: Channels,
    /// What black and white are.
    pub range: Range,
    /// Channel means (red, green, blue) subtracted, in the units of the range.
    pub mean: [f32; 3],
    /// Channel deviations that divide after that.
    pub std: [f32; 3],
    /// What the output's numbers are.
    pub output: Output,
    /// Numbers a picture: one, or one a class.
    pub outputs: usize,
    /// Which class is fake; see [`crate::detector::overrides::Overrides::fake_index`].
    pub fake_index: usize,
    /// The output that is read, where the file has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_name: Option<String>,
    /// The closing operator that was cut off, so that its logits are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logits_before: Option<String>,
}

impl Reading {
    /// That of a file that dfrt exported: N x 3 x res x res in \[0, 1\], one logit.
    pub fn plain() -> Self {
        Self {
            layout: Layout::Nchw,
            channels: Channels::Rgb,
            range: Range::Unit,
            mean: [0.0; 3],
            std: [1.0; 3],
            output: Output::Logit,
            outputs: 1,
            fake_index: 1,
            output_name: None,
            logits_before: None,
        }
    }

    /// Whether pixels go in as they are.
    pub(crate) fn takes_pixels(&self) -> bool {
        let of = |it: &Self| (it.layout, it.channels, it.range, it.mean, it.std);
        of(self) == of(&Self::plain())
    }

    /// The input of pictures of `side` x `side`: `values` are N x 3 x side x side in
    /// \[0, 1\], the result is in the file's layout and units.
    pub(crate) fn input(&self, values: &[f32], side: usize) -> Vec<f32> {
        let area = side * side;
        let mut input = vec![0.0; values.len()];
        for (picture, target) in values.chunks_exact(3 * area).zip(input.chunks_exact_mut(3 * area)) {
            for (channel, plane) in picture.chunks_exact(area).enumerate() {
                let normal = |&value: &f32| self.normalised(value, channel);
                let at = match self.channels {
                    Channels::Rgb => channel,
                    Channels::Bgr => 2 - channel,
                };
                match self.layout {
                    Layout::Nchw => {
                        let place = &mut target[at * area..][..area];
                        place.iter_mut().zip(plane).for_each(|(to, from)| *to = normal(from));
                    }
                    Layout::Nhwc => {
                        let place = target[at..].iter_mut().step_by(3);
                        place.zip(plane).for_each(|(to, from)| *to = normal(from));
                    }
                }
            }
        }
        input
    }

    fn normalised(&self, pixel: f32, channel: usize) -> f32 {
        let value = match self.range {
            Range::Unit => pixel,
            Range::Bytes => 255.0 * pixel,
            Range::Signed => 2.0 * pixel - 1.0,
        };
        (value - self.mean[channel]) / self.std[channel]
    }

    /// The logits \[N\], positive for fake, of the output's numbers, N times
    /// [`Reading::outputs`].
    ///
    /// # Errors
    /// A number that is no probability where probabilities should be.
    pub(crate) fn logits(&self, numbers: &[f32]) -> Result<Vec<f32>, String> {
        numbers.chunks_exact(self.outputs).map(|of_one| self.logit(of_one)).collect()
    }

    fn logit(&self, numbers: &[f32]) -> Result<f32, String> {
        let towards = match (self.output, numbers) {
            (Output::Logit, [logit]) => self.turned(*logit),
            (Output::Logit, [zero, one]) => self.turned(one - zero),
            (Output::Logit, classes) => {
                let (fake, others) = self.apart(classes)?;
                (f64::from(fake) - log_sum_exp(&others)) as f32
            }
            (Output::Probability, [one]) => {
                let one = probability(*one, BELOW_ONE)?;
                self.turned((one.ln() - (-one).ln_1p()) as f32)
            }
            (Output::Probability, [zero, one]) => {
                self.turned((probability(*one, 1.0)?.ln() - probability(*zero, 1.0)?.ln()) as f32)
            }
            (Output::Probability, classes) => {
                let (fake, others) = self.apart(classes)?;
                let others: Result<f64, String> =
                    others.into_iter().map(|other| probability(other, 1.0)).sum();
                (probability(fake, 1.0)?.ln() - others?.ln()) as f32
            }
        };
        Ok(towards)
    }

    /// Of one number or two, a logit towards the second class as one towards fake.
    fn turned(&self, towards_one: f32) -> f32 {
        if self.fake_index == 1 { towards_one } else { -towards_one }
    }

    /// The number of the fake class, and those of the others.
    fn apart(&self, classes: &[f32]) -> Result<(f32, Vec<f32>), String> {
        let fake = classes.get(self.fake_index).copied();
        let fake = fake.ok_or_else(|| {
            format!("it has {} classes, so --fake-index {} names none", classes.len(), self.fake_index)
        })?;
        let others = classes.iter().enumerate().filter(|(place, _)| *place != self.fake_index);
        Ok((fake, others.map(|(_, number)| *number).collect()))
    }
}

/// `ln(sum(exp(numbers)))`, without overflow.
fn log_sum_exp(numbers: &[f32]) -> f64 {
    let largest = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if !largest.is_finite() {
        return f64::from(numbers.iter().sum::<f32>());
    }
    let sum: f64 = numbers.iter().map(|&number| f64::from(number - largest).exp()).sum();
    f64::from(largest) + sum.ln()
}

/// `number` away from 0 and not above `most`. NaN stays, for the judge to see.
fn probability(number: f32, most: f64) -> Result<f64, String> {
    if !number.is_nan() && !(-ROUNDING..=1.0 + ROUNDING).contains(&number) {
        return Err(format!("its output {number} is no probability: read it with --output logit"));
    }
    Ok(f64::from(number).clamp(ABOVE_ZERO, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(output: Output, outputs: usize, fake_index: usize) -> Reading {
        Reading { output, outputs, fake_index, ..Reading::plain() }
    }

    fn sigmoid(logit: f64) -> f64 {
        1.0 / (1.0 + (-logit).exp())
    }

    #[test]
    fn one_and_two_probabilities_give_the_logit_back() {
        for logit in [-80.0, -12.0, -1.5, 0.0, 0.25, 3.0, 8.0] {
            let (fake, real) = (sigmoid(logit) as f32, sigmoid(-logit) as f32);
            // A probability near 1 is known to half a unit in its last place.
            let tolerance = |given: f32| 1e-6 + 6e-8 / f64::from(1.0 - given).max(1e-30) * f64::from(given);
            let near = |found: Vec<f32>, allowed: f64| {
                let off = (f64::from(found[0]) - logit).abs();
                assert!(off <= allowed.max(1e-6 * logit.abs()), "{logit}: {found:?}");
            };
            near(reading(Output::Probability, 1, 1).logits(&[fake]).unwrap(), tolerance(fake));
            near(reading(Output::Probability, 2, 1).logits(&[real, fake]).unwrap(), 1e-6);
            near(reading(Output::Probability, 2, 0).logits(&[fake, real]).unwrap(), 1e-6);
        }
        let real = reading(Output::Probability, 1, 0);
        assert_eq!(real.logits(&[0.25]).unwrap(), [3f32.ln()]);
    }

    #[test]
    fn certain_probabilities_stay_finite() {
        let one = reading(Output::Probability, 1, 1).logits(&[0.0, 1.0]).unwrap();
        assert!((one[0] + 87.336_55).abs() < 1e-4 && (one[1] - 16.635_532).abs() < 1e-4, "{one:?}");
        let two = reading(Output::Probability, 2, 1).logits(&[1.0, 0.0, 0.0, 1.0]).unwrap();
        assert!(two[0] == -two[1] && (two[1] - 87.336_55).abs() < 1e-4, "{two:?}");
        // Rounding may go a little beyond.
        assert_eq!(reading(Output::Probability, 1, 1).logits(&[1.000_001]).unwrap()[0], one[1]);
    }

    #[test]
    fn what_is_no_probability_is_refused_and_no_number_is_kept() {
        let one = reading(Output::Probability, 1, 1);
        assert!(one.logits(&[0.5, 3.25]).unwrap_err().contains("3.25"));
        assert!(one.logits(&[-0.5]).unwrap_err().contains("--output logit"));
        assert!(one.logits(&[f32::NAN]).unwrap()[0].is_nan());
    }

    #[test]
    fn two_logits_are_subtracted_and_turned() {
        let numbers = [1.5, -2.0, 0.25, 4.0];
        assert_eq!(reading(Output::Logit, 2, 1).logits(&numbers).unwrap(), [-3.5, 3.75]);
        assert_eq!(reading(Output::Logit, 2, 0).logits(&numbers).unwrap(), [3.5, -3.75]);
        assert_eq!(reading(Output::Logit, 1, 0).logits(&numbers).unwrap(), [-1.5, 2.0, -0.25, -4.0]);
    }

    #[test]
    fn pixels_are_put_in_their_places_and_units() {
        // Two pictures of 1 x 1 and one of 2 x 2.
        let signed = Reading { range: Range::Signed, layout: Layout::Nhwc, ..Reading::plain() };
        assert_eq!(signed.input(&[0.0, 0.5, 1.0, 1.0, 0.25, 0.0], 1), [-1.0, 0.0, 1.0, 1.0, -0.5, -1.0]);
        let planes: Vec<f32> = (0..12).map(|place| place as f32 / 255.0).collect();
        let bytes = Reading { range: Range::Bytes, mean: [1.0, 2.0, 3.0], std: [1.0, 2.0, 4.0], ..signed };
        let expected: [f32; 12] = [-1.0, 1.0, 1.25, 0.0, 1.5, 1.5, 1.0, 2.0, 1.75, 2.0, 2.5, 2.0];
        for (found, expected) in bytes.input(&planes, 2).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} instead of {expected}");
        }
        let nchw = Reading { layout: Layout::Nchw, ..bytes };
        assert!((nchw.input(&planes, 2)[5] - 1.5).abs() < 1e-5);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for range in [Range::Unit, Range::Bytes, Range::Signed] {
            assert_eq!(range.to_string().parse(), Ok(range));
            assert_eq!(serde_json::to_string(&range).unwrap(), format!("\"{range}\""));
        }
        for layout in [Layout::Nchw, Layout::Nhwc] {
            assert_eq!(serde_json::to_string(&layout).unwrap(), format!("\"{layout}\""));
        }
        for output in [Output::Logit, Output::Probability] {
            assert_eq!(serde_json::to_string(&output).unwrap(), format!("\"{output}\""));
        }
        assert!("0-2".parse::<Range>().unwrap_err().contains("0-1, 0-255, -1-1"));
    }

    #[test]
    fn a_reading_is_recorded_bit_for_bit() {
        let reading =
            Reading { mean: [0.485, 0.1 + 0.2, 1e-7], std: [0.229, 58.395, 1.0], ..Reading::plain() };
        let text = serde_json::to_string(&reading).unwrap();
        assert_eq!(serde_json::from_str::<Reading>(&text).unwrap(), reading);
    }
}
