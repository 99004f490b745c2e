//! Training steps and their times: upload of the pictures, forward, loss, backward, AdamW, the
//! loss read back. The pictures are the same noise in every step, so that a falling loss shows
//! that the steps learn.

use crate::network::{EfficientNetB0, PARAMETERS};
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::{BinaryCrossEntropyLoss, BinaryCrossEntropyLossConfig};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::time::Instant;

const LEARNING_RATE: f64 = 1e-3;
const WEIGHT_DECAY: f32 = 1e-2;
const ADAM_EPSILON: f32 = 1e-8;

/// The size of the measurement.
pub struct Settings {
    /// Side of a picture in pixels.
    pub res: usize,
    /// Pictures per step.
    pub batch: usize,
    /// Timed steps.
    pub steps: usize,
    /// Steps before them; the first is timed separately.
    pub warmup: usize,
}

/// The measured times.
pub struct Times {
    /// Number of parameters with a gradient in the first step.
    pub parameters: usize,
    /// Seconds of each step before the timed ones.
    pub warmup_s: Vec<f64>,
    /// Seconds of each timed step.
    pub step_s: Vec<f64>,
    /// The loss of every step.
    pub losses: Vec<f32>,
}

/// The network and its inputs.
struct Training {
    device: Device,
    network: EfficientNetB0,
    optimizer: ModuleOptimizer,
    loss: BinaryCrossEntropyLoss,
    pictures: TensorData,
    labels: TensorData,
}

/// Trains on `device` and times it.
///
/// # Errors
/// A network of another size than B0's, a loss that is NaN or infinite, a device that fails.
pub fn measure(device: Device, settings: &Settings) -> Result<Times, String> {
    let mut training = Training::new(device, settings);
    let mut times = Times { parameters: 0, warmup_s: Vec::new(), step_s: Vec::new(), losses: Vec::new() };
    for step in 0..settings.warmup + settings.steps {
        let start = Instant::now();
        let (loss, gradients) = training.step()?;
        let seconds = start.elapsed().as_secs_f64();
        if step < settings.warmup { &mut times.warmup_s } else { &mut times.step_s }.push(seconds);
        eprintln!("step {}: {seconds:.3} s, loss {loss:.4}", step + 1);
        if step == 0 {
            times.parameters = gradients;
            if gradients != PARAMETERS {
                return Err(format!(
                    "{gradients} parameters had a gradient, EfficientNet-B0 has {PARAMETERS}"
                ));
            }
        }
        if !loss.is_finite() {
            return Err(format!("the loss of step {} is {loss}", step + 1));
        }
        times.losses.push(loss);
    }
    Ok(times)
}

impl Training {
    fn new(device: Device, settings: &Settings) -> Self {
        device.seed(0);
        let device = device.autodiff();
        let (batch, res) = (settings.batch, settings.res);
        Self {
            network: EfficientNetB0::new(&device),
            optimizer: AdamWConfig::new().with_weight_decay(WEIGHT_DECAY).with_epsilon(ADAM_EPSILON).init(),
            loss: BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device),
            pictures: TensorData::new(noise(batch * 3 * res * res), [batch, 3, res, res]),
            labels: TensorData::new((0..batch).map(|index| (index % 2) as i32).collect(), [batch]),
            device,
        }
    }

    /// Runs a step to its end; returns its loss and the number of parameters with a gradient.
    fn step(&mut self) -> Result<(f32, usize), String> {
        let pictures = Tensor::<4>::from_data(self.pictures.clone(), &self.device);
        let labels = Tensor::<1, Int>::from_data(self.labels.clone(), &self.device);
        let loss = self.loss.forward(self.network.forward(pictures), labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let mut trained = Trained { gradients: &gradients, elements: 0 };
        self.network.visit(&mut trained);
        let elements = trained.elements;
        self.network = self.optimizer.step(LEARNING_RATE, self.network.clone(), gradients);
        let loss = loss
            .try_into_scalar::<f32>()
            .map_err(|error| format!("the loss could not be read: {error:?}"))?;
        self.device.sync().map_err(|error| format!("the device failed: {error:?}"))?;
        Ok((loss, elements))
    }
}

/// Counts the elements of the parameters that have a gradient. burn's own count includes running
/// statistics.
struct Trained<'a> {
    gradients: &'a GradientsParams,
    elements: usize,
}

impl ModuleVisitor for Trained<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if self.gradients.get::<D>(parameter.id).is_some() {
            self.elements += parameter.shape().num_elements();
        }
    }
}

/// `count` values of deviation 1 or so, evenly spread: pixels less their mean, over their
/// deviation. The generator is splitmix64.
fn noise(count: usize) -> Vec<f32> {
    let mut state = 0_u64;
    (0..count)
        .map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let unit = ((bits ^ (bits >> 31)) >> 40) as f32 / (1_u32 << 24) as f32;
            (unit - 0.5) * 12_f32.sqrt()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_learn_the_pictures_they_see() {
        let settings = Settings { res: 32, batch: 4, steps: 8, warmup: 1 };
        let times = measure(Device::flex(), &settings).expect("flex trains B0");
        assert_eq!((times.parameters, times.warmup_s.len(), times.step_s.len()), (PARAMETERS, 1, 8));
        let (first, last) = (times.losses[0], times.losses[8]);
        assert!((0.3..1.5).contains(&first), "untrained: {first}");
        assert!(last < 0.5 * first, "{:?}", times.losses);
    }

    #[test]
    fn noise_is_centred_and_of_unit_deviation() {
        let values = noise(100_000);
        let mean = values.iter().sum::<f32>() / 1e5;
        let deviation = (values.iter().map(|value| value * value).sum::<f32>() / 1e5).sqrt();
        assert!(mean.abs() < 0.01 && (deviation - 1.0).abs() < 0.01, "{mean} {deviation}");
    }
}
