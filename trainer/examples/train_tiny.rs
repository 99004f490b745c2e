//! Trains a tiny network for a few steps on drawn faces, on whatever device is there, and
//! asks the exported file about a picture on the CPU:
//!
//!     cargo run --release --example train_tiny

use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::forgery::synth;
use dfrt_runtime::results::run::files;
use dfrt_runtime::results::training_log::Entry;
use dfrt_runtime::sample::Split;
use dfrt_trainer::arms::Method;
use dfrt_trainer::gpu::device::{self, Device};
use dfrt_trainer::gpu::engine::Engine;
use dfrt_trainer::train::run::{self, Observer, Overview};
use dfrt_trainer::train::settings::Settings;
use std::error::Error;
use std::sync::Arc;

/// Keeps the mean loss of every epoch.
#[derive(Default)]
struct Losses(Vec<f64>);

impl Observer for Losses {
    fn begin(&mut self, _: &Overview) {}

    fn steps(&mut self, _: usize, _: f32, _: f64) {}

    fn epoch(&mut self, entry: &Entry) {
        if let Entry::Epoch { train_loss, .. } = entry {
            self.0.push(*train_loss);
        }
    }
}

/// The mean loss of every epoch, and what the exported file says of a picture.
fn trained() -> Result<(Vec<f64>, f32), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (data, run) = (folder.path().join("faces"), folder.path().join("run"));
    synth::draw(&data, 80, 32, 0, &|_, _| {})?;
    let settings = Settings {
        data: data.clone(),
        arch: "efficientnet-tiny".to_owned(),
        res: 32,
        epochs: 6,
        batch: 16,
        lr: 2e-3,
        masks: false,
        method: Method::named("gr")?,
        ..Settings::default()
    };
    let engine = Arc::new(Engine::new(Device::open(None)?, false));
    let mut losses = Losses::default();
    run::train(&settings, &run, engine, false, &mut losses)?;

    let oracle = TractOracle::new(Detector::load(&run.join(files::MODEL), 1)?);
    let sample = Manifest::of(&data)?.split(Split::Test).remove(0);
    let batch = Batch::of(oracle.res(), [&picture::load(&sample.path, oracle.res())?]);
    Ok((losses.0, oracle.logits(&batch)?[0]))
}

#[cfg(not(test))]
fn main() -> Result<(), Box<dyn Error>> {
    if device::list().is_empty() {
        println!(
            "no Vulkan, Metal or DX12 device: nothing is trained (tools/driver installs a software one)"
        );
        return Ok(());
    }
    let (losses, logit) = trained()?;
    println!("mean loss of each epoch: {losses:.3?}; the file's logit of a picture: {logit:.3}");
    Ok(())
}

/// Its own main, so that without a device the test is reported as ignored.
#[cfg(test)]
fn main() -> std::process::ExitCode {
    let learns = || match trained() {
        Ok((losses, logit)) if losses.last() < losses.first() && logit.is_finite() => Ok(()),
        Ok(figures) => Err(format!("losses and logit are {figures:?}").into()),
        Err(error) => Err(error.to_string().into()),
    };
    let trial = libtest_mimic::Trial::test("a_few_steps_lower_the_loss", learns).with_kind("gpu");
    let trial = trial.with_ignored_flag(device::list().is_empty());
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), vec![trial]).exit_code()
}
