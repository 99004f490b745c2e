//! Times training steps of EfficientNet-B0 in burn and prints one line of JSON:
//!
//!     cargo run --release -- --backend wgpu|flex --res 64 --batch 8 --steps 10 --warmup 5
//!
//! f32, AdamW, binary cross-entropy, noise as pictures, no dropout and no drop-path. A step
//! uploads its pictures to the device and ends when its loss is read back and the device is
//! done. `warmup` steps come before the `steps` timed ones: in the first steps burn compiles
//! its kernels, tries variants of them (autotune) and decides what to fuse. The results of
//! autotune are kept on disk, in the folder that a `cubecl.toml` in the working folder names,
//! and read by the next run.

mod network;
mod training;

use burn::tensor::Device;
use serde_json::json;
use std::process::ExitCode;
use training::{Settings, Times};

const USAGE: &str =
    "usage: burn-training --backend wgpu|flex [--res 64] [--batch 8] [--steps 10] [--warmup 5]";

/// The back end of burn.
#[derive(Clone, Copy, PartialEq)]
enum Backend {
    Wgpu,
    Flex,
}

impl Backend {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "wgpu" => Ok(Self::Wgpu),
            "flex" => Ok(Self::Flex),
            _ => Err(format!("back end `{name}` is unknown; choose wgpu or flex")),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
        }
    }

    fn device(self) -> Device {
        match self {
            Self::Wgpu => Device::wgpu(Default::default()),
            Self::Flex => Device::flex(),
        }
    }
}

/// The name of the device, and what burn compiles for; none on the CPU.
fn describe(device: &Device) -> (String, Option<String>) {
    match device.identity() {
        Some(identity) => (identity.name, Some(identity.fingerprint)),
        None => ("CPU".into(), None),
    }
}

/// The arguments, or what is wrong with them.
fn parse(arguments: impl Iterator<Item = String>) -> Result<(Backend, Settings), String> {
    let mut backend = None;
    let mut settings = Settings { res: 64, batch: 8, steps: 10, warmup: 5 };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("`{name}` wants a value"))?;
        let place = match name.as_str() {
            "--backend" => {
                backend = Some(Backend::named(&value)?);
                continue;
            }
            "--res" => &mut settings.res,
            "--batch" => &mut settings.batch,
            "--steps" => &mut settings.steps,
            "--warmup" => &mut settings.warmup,
            _ => return Err(format!("argument `{name}` is unknown")),
        };
        *place = match value.parse() {
            Ok(0) | Err(_) => return Err(format!("{name} is `{value}`; give a whole number of at least 1")),
            Ok(count) => count,
        };
    }
    if settings.res % network::STRIDE != 0 {
        return Err(format!("--res is {}; give a multiple of {}", settings.res, network::STRIDE));
    }
    Ok((backend.ok_or("no back end; give --backend wgpu or --backend flex")?, settings))
}

/// The value below which a share `q` of the `sorted` ones lies, interpolated.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// The JSON object to print.
fn report(backend: Backend, device: &Device, settings: &Settings, times: &Times) -> serde_json::Value {
    let mut sorted: Vec<f64> = times.step_s.iter().map(|seconds| 1e3 * seconds).collect();
    sorted.sort_by(f64::total_cmp);
    let [p10, median, p90] = [0.1, 0.5, 0.9].map(|q| quantile(&sorted, q));
    let (name, compiled_for) = describe(device);
    json!({
        "backend": backend.name(),
        "device": name,
        "compiled_for": compiled_for,
        "res": settings.res,
        "batch": settings.batch,
        "parameters": times.parameters,
        "first_step_s": times.warmup_s[0],
        "warmup_s": times.warmup_s.iter().sum::<f64>(),
        "warmup_steps_s": times.warmup_s,
        "steps": settings.steps,
        "step_ms": { "median": median, "p10": p10, "p90": p90 },
        "images_per_second": 1e3 * settings.batch as f64 / median,
        "first_loss": times.losses.first(),
        "last_loss": times.losses.last(),
    })
}

fn main() -> ExitCode {
    let (backend, settings) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("error: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let device = backend.device();
    match training::measure(device.clone(), &settings) {
        Ok(times) => {
            println!("{}", report(backend, &device, &settings, &times));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Backend, Settings), String> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let (backend, settings) = parsed("--backend flex --res 96 --steps 3").expect("these are right");
        assert!(backend == Backend::Flex);
        assert_eq!((settings.res, settings.batch, settings.steps, settings.warmup), (96, 8, 3, 5));
        for wrong in
            ["", "--backend cuda", "--backend flex --res 65", "--backend flex --steps 0", "--res", "--x 1"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn quantiles_are_interpolated() {
        let sorted = [1.0, 2.0, 3.0, 5.0];
        assert_eq!([0.0, 0.5, 1.0].map(|q| quantile(&sorted, q)), [1.0, 2.5, 5.0]);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
    }
}
