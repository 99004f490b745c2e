//! Logits, losses, gradients, running statistics and ten steps of training on the GPU.

use super::scene::{Pass, Scene, settings};
use super::verdict::{Found, LIMIT, Verdict};
use super::{row, scene};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle};
use dfrt_trainer::arms::{Method, step};
use dfrt_trainer::attack::gpu_oracle::GpuOracle;
use dfrt_trainer::evaluator::Evaluator;
use dfrt_trainer::ops::optimizer::Optimizer;
use dfrt_trainer::plan::names;
use dfrt_trainer::train::schedule::Schedule;
use dfrt_trainer::train::settings::Settings;
use libtest_mimic::{Failed, Trial};

/// The golden files of this subject.
pub const CASES: [&str; 4] = ["b0_64", "b0_224", "b4_64", "lite0_96"];

/// Weights move by little more than float32 tells apart, so that PyTorch's own error
/// there is above [`LIMIT`]. A decay left out is seen under this one too.
const MOVEMENT_LIMIT: f64 = 1e-2;

type Test = fn(&Scene) -> Result<(), Failed>;

const SUBJECTS: &[(&str, Test)] = &[
    ("evaluation logits", evaluation_logits),
    ("input gradient of the margin", |scene| input_gradient(scene, AttackLoss::Margin)),
    ("input gradient of the cross-entropy", |scene| input_gradient(scene, AttackLoss::CrossEntropy)),
    ("training logits", training_logits),
    ("training loss", training_loss),
    ("parameter gradient", parameter_gradient),
    ("running statistics", running_statistics),
    ("ten steps of sgd with momentum", sgd),
    ("ten steps of adamw", adamw),
];

pub fn trials() -> Vec<Trial> {
    let trial = |case: &'static str| {
        SUBJECTS.iter().map(move |&(subject, test)| {
            Trial::test(format!("goldens/{case}, {subject}"), move || test(&*Scene::of(case)?))
        })
    };
    CASES.into_iter().flat_map(trial).collect()
}

/// Judges a subject of the scene's golden file.
fn judge(scene: &Scene, subject: &str, limit: f64, verdict: Verdict) -> Result<(), Failed> {
    verdict.close(&scene.golden, ("", ""), subject, limit)
}

fn evaluation_logits(scene: &Scene) -> Result<(), Failed> {
    let logits = Evaluator::new(&*scene.network()?, scene.case.batch)?.logits(&scene.pictures)?;
    let golden = scene.golden.values("evaluation_logits");
    judge(scene, "evaluation_logits", LIMIT, Verdict::vector(&scene::wide(logits), golden))
}

fn input_gradient(scene: &Scene, loss: AttackLoss) -> Result<(), Failed> {
    let subject = match loss {
        AttackLoss::Margin => "margin_pixel_gradient",
        AttackLoss::CrossEntropy => "cross_entropy_pixel_gradient",
    };
    let oracle = GpuOracle::new(&*scene.network()?, scene.case.batch)?;
    let batch = Batch::of(scene.case.res, &scene.pictures);
    let (_, gradient) = oracle.loss_gradient(&batch, &scene.labels(), loss)?;
    let picture = |number: usize| Found {
        name: format!("picture {number}"),
        number,
        values: gradient.picture(number).iter().map(|&value| value.into()).collect(),
    };
    let found: Vec<Found> = (0..scene.case.batch).map(picture).collect();
    judge(scene, subject, LIMIT, Verdict::rows(&found, scene.golden.values(subject)))
}

fn training_logits(scene: &Scene) -> Result<(), Failed> {
    let logits = scene::wide(scene.training()?[names::LOGITS].clone());
    let golden = scene.golden.values("training_logits");
    judge(scene, "training_logits", LIMIT, Verdict::vector(&logits, golden))
}

fn training_loss(scene: &Scene) -> Result<(), Failed> {
    let loss = scene::wide(scene.training()?[step::HISTORY][..1].to_vec());
    let golden = scene.golden.values("training_loss");
    judge(scene, "training_loss", LIMIT, Verdict::numbers(&loss, golden))
}

fn parameter_gradient(scene: &Scene) -> Result<(), Failed> {
    let found = scene.gradients(scene.training()?)?;
    let golden = scene.golden.values("parameter_gradient");
    judge(scene, "parameter_gradient", LIMIT, Verdict::gradients(&found, golden))
}

fn running_statistics(scene: &Scene) -> Result<(), Failed> {
    let [means, variances] = scene.running(scene.training()?)?;
    for (subject, found) in [("running_mean", means), ("running_var", variances)] {
        judge(scene, subject, LIMIT, Verdict::rows(&found, scene.golden.values(subject)))?;
    }
    Ok(())
}

fn sgd(scene: &Scene) -> Result<(), Failed> {
    let how = &scene.case.optimizers.sgd;
    let optimizer = Optimizer::Sgd { momentum: how.momentum, nesterov: false };
    train(scene, "sgd", optimizer, how.learning_rate, how.weight_decay)
}

fn adamw(scene: &Scene) -> Result<(), Failed> {
    let how = &scene.case.optimizers.adamw;
    let optimizer = Optimizer::Adamw { beta1: how.beta1, beta2: how.beta2, eps: how.eps };
    train(scene, "adamw", optimizer, how.learning_rate, how.weight_decay)
}

/// Steps over one batch at a constant rate: their losses, and how far they moved the
/// weights that decay.
fn train(scene: &Scene, name: &str, optimizer: Optimizer, lr: f32, weight_decay: f32) -> Result<(), Failed> {
    let steps = scene.case.steps;
    let settings = Settings {
        optimizer,
        lr,
        weight_decay,
        warmup_epochs: 0.0,
        final_lr: 1.0,
        epochs: 1,
        ..settings(Method::Baseline)
    };
    let schedule = Schedule::new(&settings, steps);
    let pass = Pass::step(scene, &settings)?;
    for step in 0..steps {
        pass.run(schedule.step(step, step))?;
    }
    let after = pass.read()?;
    let losses = scene::wide(after[step::HISTORY][..steps].to_vec());
    let subject = format!("{name}_loss");
    judge(scene, &subject, LIMIT, Verdict::numbers(&losses, scene.golden.values(&subject)))?;
    let subject = format!("{name}_movement");
    let moved = movement(scene, &after)?;
    judge(scene, &subject, MOVEMENT_LIMIT, Verdict::rows(&moved, scene.golden.values(&subject)))
}

/// Of the tensors with more than one axis: after - before.
fn movement(scene: &Scene, after: &scene::Buffers) -> Result<Vec<Found>, String> {
    let layout = &scene.network()?.layout;
    let after = layout.unpack_params(&scene.graph, &after[names::PARAMS]);
    let mut moved = scene.tensors(after);
    for (tensor, before) in moved.iter_mut().zip(&scene.weights.params) {
        tensor.values.iter_mut().zip(before).for_each(|(after, &before)| *after -= f64::from(before));
    }
    let decays = |(tensor, param): (Found, &dfrt_trainer::model::graph::Parameter)| {
        (param.shape.len() > 1).then_some(tensor)
    };
    let moved: Vec<Found> = moved.into_iter().zip(&scene.graph.params).filter_map(decays).collect();
    assert!(moved.iter().all(|tensor| row::norm(&tensor.values) > 0.0), "every weight has moved");
    Ok(moved)
}
