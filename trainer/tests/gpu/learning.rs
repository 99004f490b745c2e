//! That training learns what can be learned, and nothing else.

use crate::network::engine;
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::data::picture;
use dfrt_runtime::detector::evaluate::score;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::forgery::synth;
use dfrt_runtime::metrics::Metrics;
use dfrt_runtime::metrics::intervals;
use dfrt_runtime::results::run::files;
use dfrt_runtime::results::training_log::Entry;
use dfrt_runtime::sample::{Sample, Split};
use dfrt_trainer::arms::Method;
use dfrt_trainer::evaluator::Evaluator;
use dfrt_trainer::model::files::weights_file;
use dfrt_trainer::plan::resident::Resident;
use dfrt_trainer::train::augment::Augmentation;
use dfrt_trainer::train::run::{self, Observer, Overview};
use dfrt_trainer::train::settings::Settings;
use libtest_mimic::{Failed, Trial};
use std::path::Path;

/// Remembers the losses of a run.
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

/// Side of the drawn pictures and of the network's input: that of `tools/demo`.
const SIDE: usize = 32;

fn tiny(data: &Path) -> Settings {
    Settings {
        data: data.to_owned(),
        arch: "efficientnet-tiny".to_owned(),
        res: SIDE,
        batch: 16,
        lr: 2e-3,
        masks: false,
        ..Settings::default()
    }
}

fn draw(folder: &Path, count: usize) -> Result<(), Failed> {
    synth::draw(folder, count, SIDE as u32, 0, &|_, _| {})?;
    Ok(())
}

/// A network that cannot learn 32 pictures by heart has a broken gradient somewhere.
fn overfits(method: &str) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("faces");
    draw(&data, 80)?;
    let settings = Settings {
        limit: Some(32),
        epochs: 60,
        augment: Augmentation { flip: false, ..Augmentation::default() },
        weight_decay: 0.0,
        method: Method::named(method)?,
        ..tiny(&data)
    };
    let mut losses = Losses::default();
    run::train(&settings, &folder.path().join("run"), engine()?, false, &mut losses)?;
    let last = losses.0[losses.0.len() - 1];
    if last < 0.01 { Ok(()) } else { Err(format!("the loss ends at {last:.4}: {:?}", losses.0).into()) }
}

/// Test metrics of a run on drawn pictures, by tract; the GPU must agree with it on
/// every test picture.
fn trained(count: usize, shuffle_labels: bool) -> Result<Metrics, Failed> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("faces");
    draw(&data, count)?;
    let settings = Settings { epochs: 8, shuffle_labels, ..tiny(&data) };
    let at = folder.path().join("run");
    run::train(&settings, &at, engine()?, false, &mut Losses::default())?;
    let oracle = TractOracle::new(Detector::load(&at.join(files::MODEL), 1)?);
    let samples = Manifest::of(&data)?.split(Split::Test);
    let (scores, skipped) = score(&oracle, &samples, &|_, _| {})?;
    assert!(skipped.is_empty(), "{skipped:?}");
    let logits: Vec<f32> = scores.iter().map(|score| score.logit).collect();
    agrees(&settings, &at, &samples, &logits)?;
    let labels: Vec<_> = scores.iter().map(|score| score.sample.label).collect();
    let groups: Vec<&str> = scores.iter().map(|score| score.sample.group.as_str()).collect();
    Ok(intervals::metrics(&logits, &labels, &groups, 0.0, 0))
}

/// Logits of the GPU and of tract differ by at most 1e-3 of their size (or of 0.01).
fn agrees(settings: &Settings, run: &Path, samples: &[Sample], tract: &[f32]) -> Result<(), Failed> {
    let graph = settings.graph()?;
    let weights = weights_file::load(&run.join(files::BEST), &graph)?.weights;
    let network = Resident::new(engine()?, graph, &weights)?;
    let pictures: Result<Vec<_>, _> =
        samples.iter().map(|sample| picture::load(&sample.path, settings.res)).collect();
    let gpu = Evaluator::new(&network, 16)?.logits(&pictures?)?;
    for ((sample, gpu), tract) in samples.iter().zip(gpu).zip(tract) {
        if (gpu - tract).abs() > 1e-3 * tract.abs().max(0.01) {
            return Err(format!("{}: {gpu} on the GPU, {tract} by tract", sample.path.display()).into());
        }
    }
    Ok(())
}

/// Labels that mean nothing teach nothing: no leak between splits, nothing in the
/// files' names or order.
fn shuffled_labels_teach_nothing() -> Result<(), Failed> {
    let auc = trained(600, true)?.auc.ok_or("no AUC")?;
    if (auc.low..=auc.high).contains(&0.5) {
        Ok(())
    } else {
        Err(format!("the interval leaves 0.5 out: {auc:?}").into())
    }
}

/// It reaches 0.89.
fn the_demo_set_is_learned() -> Result<(), Failed> {
    let auc = trained(1600, false)?.auc.ok_or("no AUC")?;
    if auc.value >= 0.85 { Ok(()) } else { Err(format!("the test AUC is {auc:?}").into()) }
}

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("learning/32 pictures are learned by heart", || overfits("baseline")),
        Trial::test("learning/32 pictures are learned by heart with gr", || overfits("gr")),
        Trial::test("learning/shuffled labels teach nothing", shuffled_labels_teach_nothing),
        Trial::test("learning/the demo set reaches a test AUC of 0.85", the_demo_set_is_learned),
    ]
}
