//! The formula that weights, pictures and labels come from: an integer hash, and
//! arithmetic that rounds the same everywhere. `Formula` in `tools/reference.py` is
//! the other half.

use super::file::Golden;
use dfrt_trainer::model::graph::{Graph, Parameter, Role};
use dfrt_trainer::model::names::{self, Content};
use dfrt_trainer::model::weights::{Running, Weights};
use image::RgbImage;

/// What a number is for.
#[derive(Clone, Copy)]
pub enum Purpose {
    Weight = 1,
    Picture = 2,
    Noise = 3,
    Direction = 4,
    Place = 5,
    Draw = 6,
    Key = 7,
}

/// Three rounds of shift and multiplication modulo 2^32.
fn mix(mut value: u32) -> u32 {
    for _ in 0..3 {
        value ^= value >> 15;
        value = value.wrapping_mul(0x9E37_79B1);
    }
    value ^ (value >> 16)
}

/// The hashes of indices 0 to `count` - 1.
pub fn hashes(purpose: Purpose, number: usize, count: usize) -> impl Iterator<Item = u32> {
    let key = mix(mix(purpose as u32).wrapping_add(number as u32));
    (0..count as u32).map(move |index| mix(key.wrapping_add(index)))
}

/// Multiples of 2^-23 in [-1, 1).
pub fn uniform(purpose: Purpose, number: usize, count: usize) -> impl Iterator<Item = f64> {
    hashes(purpose, number, count).map(|hash| f64::from(hash >> 8) / f64::from(1 << 23) - 1.0)
}

/// The formula's constants for an architecture.
struct Constants {
    classifier: f64,
    /// Middle and reach.
    gamma: (f64, f64),
    beta: (f64, f64),
}

fn constants(arch: &str) -> Constants {
    match arch {
        "efficientnet-b0" | "efficientnet-b4" => {
            Constants { classifier: 4.0, gamma: (0.7, 0.3), beta: (1.0, 0.3) }
        }
        "efficientnet-lite0" => Constants { classifier: 6.0, gamma: (1.5, 0.5), beta: (3.0, 0.3) },
        other => panic!("there are no goldens of {other}"),
    }
}

/// Numbers of the state's entries in torch's order: what the formula knows a tensor by.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Of the learned tensors.
    pub params: Vec<usize>,
    /// Of the running means; the variance has the next.
    pub means: Vec<usize>,
}

impl Numbers {
    pub fn of(graph: &Graph) -> Self {
        let mut numbers =
            Self { params: vec![0; graph.params.len()], means: vec![0; graph.statistics.len()] };
        for (number, entry) in names::state(graph).into_iter().enumerate() {
            match entry.content {
                Content::Param(id) => numbers.params[id.0] = number,
                Content::RunningMean(index) => numbers.means[index] = number,
                Content::RunningVar(_) | Content::BatchesTracked => {}
            }
        }
        numbers
    }
}

/// The weights of `graph`; running statistics with the golden's steps and exponents.
pub fn weights(graph: &Graph, golden: &Golden) -> Weights {
    let numbers = Numbers::of(graph);
    let constants = constants(graph.architecture.name);
    let params = graph.params.iter().zip(&numbers.params);
    Weights {
        params: params.map(|(param, &number)| learned(&constants, param, number)).collect(),
        running: running(graph, &numbers, golden),
        batches_tracked: 0,
    }
}

fn learned(constants: &Constants, param: &Parameter, number: usize) -> Vec<f32> {
    let fan_in: usize = param.shape[1..].iter().product();
    let scale = |gain: f64| (0.0, 3.0_f64.sqrt() * gain / (fan_in as f64).sqrt());
    let (middle, reach) = match (param.role, param.shape.len()) {
        (Role::Gamma, _) => constants.gamma,
        (Role::Beta, _) => constants.beta,
        (Role::Bias, _) => (0.0, 0.3),
        (Role::Convolution | Role::Pointwise | Role::Depthwise, _) => scale(0.25),
        // Squeeze-excite's convolutions have four axes.
        (Role::Linear, 4) => scale(0.5),
        (Role::Linear, _) => scale(constants.classifier),
    };
    uniform(Purpose::Weight, number, param.len()).map(|u| (middle + reach * u) as f32).collect()
}

fn running(graph: &Graph, numbers: &Numbers, golden: &Golden) -> Vec<Running> {
    let exponents = golden.values("running_exponents");
    let mut steps = golden.values("running_mean_steps");
    let mut all = Vec::new();
    for (index, statistics) in graph.statistics.iter().enumerate() {
        let (own, rest) = steps.split_at(statistics.channels);
        steps = rest;
        let power = |exponent: f64| 2.0_f64.powi(exponent as i32);
        let (of_step, of_variance) = (power(exponents[2 * index]), power(exponents[2 * index + 1]));
        let u = uniform(Purpose::Weight, numbers.means[index] + 1, statistics.channels);
        all.push(Running {
            mean: own.iter().map(|step| (step * of_step) as f32).collect(),
            var: u.map(|u| (of_variance * (1.0 + 0.5 * u)) as f32).collect(),
        });
    }
    assert!(steps.is_empty(), "the golden has a step for every channel");
    all
}

/// A triangular wave in every channel, and noise.
pub fn picture(number: usize, res: usize) -> RgbImage {
    let draws: Vec<i64> = hashes(Purpose::Picture, number, 18).map(i64::from).collect();
    let mut noise = hashes(Purpose::Noise, number, 3 * res * res).map(|hash| i64::from(hash) % 41 - 20);
    let mut bytes = Vec::with_capacity(3 * res * res);
    for y in 0..res as i64 {
        for x in 0..res as i64 {
            for channel in 0..3 {
                let draw = |kind: usize| draws[3 * kind + channel];
                let half = 8 + draw(0) % 40;
                let along = x * (draw(1) % 5) + y * (draw(2) % 5) + draw(3) % 97;
                let wave = (along % (2 * half) - half).abs();
                let (middle, reach) = (60 + draw(4) % 110, 20 + draw(5) % 90);
                let noise = noise.next().expect("one a value");
                // Rounded down, as Python divides.
                let value = middle + ((2 * wave - half) * reach).div_euclid(half) + noise;
                bytes.push(value.clamp(0, 255) as u8);
            }
        }
    }
    RgbImage::from_raw(res as u32, res as u32, bytes).expect("3 bytes a pixel")
}

/// Target and weight of a picture by its place in the batch.
pub fn label(index: usize) -> (f64, f64) {
    ((index % 2) as f64, 0.5 + 0.25 * (index % 3) as f64)
}
