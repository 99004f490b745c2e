//! Attacks on models whose best attack is known in closed form: attacks find what can be found and
//! nothing else, and a model that hides its gradients is detected.

use anyhow::{Result, ensure};
use dfrt_runtime::attack::Attack;
use dfrt_runtime::attack::decision::boundary::{Boundary, BoundarySettings};
use dfrt_runtime::attack::decision::hop_skip_jump::{HopSkipJump, HopSkipJumpSettings};
use dfrt_runtime::attack::decision::rays::{Rays, RaysSettings};
use dfrt_runtime::attack::gradient::apgd::{Apgd, ApgdSettings};
use dfrt_runtime::attack::gradient::carlini_wagner::{CarliniWagner, CarliniWagnerSettings};
use dfrt_runtime::attack::gradient::checked::Checked;
use dfrt_runtime::attack::gradient::deep_fool::{DeepFool, DeepFoolSettings};
use dfrt_runtime::attack::gradient::fab::{Fab, FabSettings};
use dfrt_runtime::attack::gradient::lockstep::Lockstep;
use dfrt_runtime::attack::gradient::momentum::{Momentum, MomentumSettings};
use dfrt_runtime::attack::judge::{self, Judgement};
use dfrt_runtime::attack::random_noise::RandomNoise;
use dfrt_runtime::attack::score::nes::{Nes, NesSettings};
use dfrt_runtime::attack::score::sign_hunter::{SignHunter, SignHunterSettings};
use dfrt_runtime::attack::score::simba::{Basis, Simba, SimbaSettings};
use dfrt_runtime::attack::score::spsa::{Spsa, SpsaSettings};
use dfrt_runtime::attack::square::{Square, SquareSettings};
use dfrt_runtime::attack::suite::Suite;
use dfrt_runtime::attack::trial::{Subject, Trial};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::oracle::{AttackLoss, GradientOracle, Oracle, OracleError};
use dfrt_runtime::results::evaluation::ModelInfo;
use dfrt_runtime::sample::{Label, Sample, Split};
use dfrt_runtime::threat::{Norm, Threat};
use image::RgbImage;

const RES: usize = 16;
const VALUES: usize = 3 * RES * RES;
/// The queries of a search.
const QUERIES: u64 = 6000;

/// A model given by formulas for its logit and its gradient.
#[derive(Clone, Copy)]
enum Model {
    /// The mean over all values of weight (1 or -1) times level above 128, minus a half. A picture
    /// of mean k changes its class at a distance of k - 1/2 levels in Linf, and of that times the
    /// root of the number of values in L2.
    Linear,
    /// [`Model::Linear`] rounded to hundredths: its gradient is zero everywhere.
    Masked,
    /// The same logit for every picture.
    Constant,
    /// The logit falls with the distance of the values from the 256 levels of a saved picture: fakes
    /// between the levels are called real, saved pictures never are.
    OffGrid,
}

/// The weight of a value in the linear model: 1 or -1.
fn weight(place: usize) -> f32 {
    if place.wrapping_mul(2_654_435_761) >> 7 & 1 == 0 { 1.0 } else { -1.0 }
}

fn level(values: &[f32]) -> f64 {
    let along = values
        .iter()
        .enumerate()
        .map(|(place, &value)| f64::from(weight(place)) * (f64::from(value) * 255.0 - 128.0));
    along.sum::<f64>() / values.len() as f64 - 0.5
}

fn off_grid(value: f32) -> f64 {
    let level = f64::from(value) * 255.0;
    level - level.round()
}

impl Model {
    fn logit(self, values: &[f32]) -> f32 {
        let logit = match self {
            Self::Linear => level(values),
            Self::Masked => (level(values) * 100.0).floor() / 100.0 + 0.005,
            Self::Constant => 0.01,
            Self::OffGrid => {
                let mean = values.iter().map(|&value| off_grid(value).abs()).sum::<f64>() / VALUES as f64;
                // 0.05 of a level is far above the rounding of a float.
                0.05 - mean
            }
        };
        logit as f32
    }

    fn slope(self, values: &[f32]) -> Vec<f32> {
        let of = |(place, &value): (usize, &f32)| match self {
            Self::Linear => weight(place) * 255.0 / VALUES as f32,
            Self::Masked | Self::Constant => 0.0,
            Self::OffGrid if off_grid(value) < 0.0 => 255.0 / VALUES as f32,
            Self::OffGrid => -255.0 / VALUES as f32,
        };
        values.iter().enumerate().map(of).collect()
    }
}

impl Oracle for Model {
    fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
        Ok((0..batch.len()).map(|index| self.logit(batch.picture(index))).collect())
    }

    fn res(&self) -> usize {
        RES
    }
}

impl GradientOracle for Model {
    fn loss_gradient(
        &self,
        batch: &Batch,
        labels: &[Label],
        loss: AttackLoss,
    ) -> Result<(Vec<f32>, Batch), OracleError> {
        let mut losses = Vec::with_capacity(batch.len());
        let mut gradient = Batch::new(batch.res);
        for (index, &label) in labels.iter().enumerate() {
            let away = -label.sign() * self.logit(batch.picture(index));
            let (value, factor) = match loss {
                AttackLoss::Margin => (away, -label.sign()),
                AttackLoss::CrossEntropy => {
                    (away.max(0.0) + (-away.abs()).exp().ln_1p(), -label.sign() / (1.0 + (-away).exp()))
                }
            };
            losses.push(value);
            let slope = self.slope(batch.picture(index));
            gradient.values.extend(slope.into_iter().map(|slope| factor * slope));
        }
        Ok((losses, gradient))
    }
}

/// The name of a check, and its function, whose error says what is wrong.
pub type Check = (&'static str, fn() -> Result<()>);

pub fn checks() -> Vec<Check> {
    vec![
        ("planted/linf: every attack breaks a linear model beyond its distance, none before", linear_linf),
        ("planted/l2: every attack breaks a linear model beyond its distance, none before", linear_l2),
        ("planted/no attack breaks a model that nothing changes", constant),
        ("planted/masked gradients are found out: square breaks what they hide", masked),
        ("planted/no success off the 8-bit grid is counted", off_the_grid),
    ]
}

/// Every attack that supports the norm: by gradients, logits and labels.
fn attacks(model: &Model, norm: Norm) -> Vec<Box<dyn Attack + '_>> {
    let lockstep = || Lockstep::new(model, 0.0, 4);
    let queries = QUERIES;
    // The weights have no low frequencies, so SimBA tries all frequencies.
    let simba = |basis| SimbaSettings { queries, basis, frequencies: 1.0, ..SimbaSettings::default() };
    let hop = HopSkipJumpSettings { queries, ..HopSkipJumpSettings::default() };
    let mut attacks: Vec<Box<dyn Attack + '_>> = vec![
        Box::new(Momentum::new(lockstep(), MomentumSettings::default())),
        Box::new(Apgd::new(lockstep(), ApgdSettings::new(AttackLoss::CrossEntropy))),
        Box::new(Apgd::new(lockstep(), ApgdSettings::new(AttackLoss::Margin))),
        Box::new(Fab::new(lockstep(), FabSettings::default())),
        Box::new(CarliniWagner::new(lockstep(), CarliniWagnerSettings::default())),
        Box::new(DeepFool::new(lockstep(), DeepFoolSettings::default())),
        Box::new(Square::new(SquareSettings { queries, ..SquareSettings::default() })),
        Box::new(Simba::new(simba(Basis::Pixel))),
        Box::new(Simba::new(simba(Basis::Dct))),
        Box::new(Nes::new(NesSettings { queries, ..NesSettings::default() })),
        Box::new(Spsa::new(SpsaSettings { queries, ..SpsaSettings::default() })),
        Box::new(HopSkipJump::new(hop)),
    ];
    match norm {
        Norm::Linf => {
            attacks.push(Box::new(SignHunter::new(SignHunterSettings { queries })));
            let rays = RaysSettings { queries, ..RaysSettings::default() };
            attacks.push(Box::new(Rays::new(rays)));
        }
        Norm::L2 => {
            let walk = BoundarySettings { queries: 2 * queries, ..BoundarySettings::default() };
            attacks.push(Box::new(Boundary::new(walk)));
        }
    }
    attacks
}

/// A fake of level 3 and a real of level -2, each 2.5 levels from the threshold, as files in a
/// temporary folder.
struct Pictures {
    _folder: tempfile::TempDir,
    subjects: Vec<Subject>,
}

impl Pictures {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut subjects = Vec::new();
        for (id, label) in [Label::Fake, Label::Real].into_iter().enumerate() {
            let level = if label == Label::Fake { 3 } else { -2 };
            let byte = |at: usize| {
                let place = at % 3 * RES * RES + at / 3;
                (128 + level * weight(place) as i32) as u8
            };
            let picture = RgbImage::from_raw(RES as u32, RES as u32, (0..VALUES).map(byte).collect());
            let path = folder.path().join(format!("{id}.png"));
            picture.expect("three bytes a pixel").save(&path)?;
            let (subset, group) = (label.to_string(), id.to_string());
            let sample = Sample::new(path, label, subset, group, Split::Test);
            subjects.push(Subject { id: id as u64, sample });
        }
        Ok(Self { _folder: folder, subjects })
    }

    /// Calls `work` with a trial on these pictures that writes nothing.
    fn trial<T>(&self, threat: Threat, work: impl FnOnce(Trial<'_>) -> T) -> T {
        let model = ModelInfo {
            path: "planted".to_owned(),
            sha256: String::new(),
            arch: "planted".to_owned(),
            res: RES,
            reading: None,
        };
        work(Trial::new(&model, "planted", threat))
    }

    /// The judgement of every attack on `model`.
    fn judge(&self, model: Model, threat: Threat) -> Result<Vec<Judgement>> {
        let attacks = attacks(&model, threat.norm);
        self.trial(threat, |trial| {
            let judge = |attack: &dyn Attack| Ok(judge::judge(attack, &model, &self.subjects, &trial)?);
            attacks.iter().map(|attack| judge(attack.as_ref())).collect()
        })
    }
}

/// Checks that every attack succeeds on `expected` of the two pictures.
fn expect(judgements: &[Judgement], expected: usize) -> Result<()> {
    for Judgement { report, .. } in judgements {
        ensure!(report.n_clean_correct == 2, "clean pictures are misclassified");
        ensure!(
            report.certified_8bit == expected,
            "{} at {}/255 succeeded on {} of 2 pictures, not {expected}",
            report.method,
            report.eps_255,
            report.certified_8bit
        );
    }
    Ok(())
}

fn linear_linf() -> Result<()> {
    let pictures = Pictures::new()?;
    expect(&pictures.judge(Model::Linear, Threat::new(Norm::Linf, 2.0)?)?, 0)?;
    expect(&pictures.judge(Model::Linear, Threat::new(Norm::Linf, 16.0)?)?, 2)
}

fn linear_l2() -> Result<()> {
    let pictures = Pictures::new()?;
    let distance = 2.5 * (VALUES as f64).sqrt();
    expect(&pictures.judge(Model::Linear, Threat::new(Norm::L2, 0.99 * distance)?)?, 0)?;
    expect(&pictures.judge(Model::Linear, Threat::new(Norm::L2, 6.0 * distance)?)?, 2)
}

fn constant() -> Result<()> {
    let mut pictures = Pictures::new()?;
    // The constant logit is positive, so every picture is called fake.
    pictures.subjects.iter_mut().for_each(|subject| subject.sample.label = Label::Fake);
    for threat in [Threat::new(Norm::Linf, 64.0)?, Threat::new(Norm::L2, 2000.0)?] {
        expect(&pictures.judge(Model::Constant, threat)?, 0)?;
    }
    Ok(())
}

fn masked() -> Result<()> {
    let pictures = Pictures::new()?;
    let (model, threat) = (Model::Masked, Threat::new(Norm::Linf, 16.0)?);
    let settings = SquareSettings { queries: QUERIES, ..SquareSettings::default() };
    let apgd = Apgd::new(Lockstep::new(&model, 0.0, 2), ApgdSettings::new(AttackLoss::Margin));
    let gradients = Checked::new(Box::new(apgd), &model);
    let square = Square::new(settings);
    let noise = RandomNoise::new(100, 0);
    let judgement = pictures.trial(threat, |trial| {
        let mut suite = Suite::new(&model, &pictures.subjects, trial);
        for attack in [&gradients as &dyn Attack, &square, &noise] {
            suite.stage(attack)?;
        }
        suite.finish("suite", 0)
    })?;
    let report = &judgement.report;
    let broken: Vec<_> = report.stages.iter().map(|stage| stage.n_broken).collect();
    ensure!(broken[..2] == [0, 2], "gradients and square succeeded on {broken:?}, not 0 and 2");
    ensure!(report.unreliable, "the result is not flagged as unreliable");
    for name in ["white-box-strongest", "nonzero-gradients"] {
        let gate = report.gates.iter().find(|gate| gate.name == name);
        ensure!(gate.is_some_and(|gate| !gate.passed), "the gate {name} passed");
    }
    Ok(())
}

fn off_the_grid() -> Result<()> {
    let mut pictures = Pictures::new()?;
    pictures.subjects.iter_mut().for_each(|subject| subject.sample.label = Label::Fake);
    let judgements = pictures.judge(Model::OffGrid, Threat::new(Norm::Linf, 4.0)?)?;
    expect(&judgements, 0)?;
    let lost: usize = judgements.iter().map(|judgement| judgement.report.lost_to_rounding).sum();
    ensure!(lost > 0, "no attack left the 8-bit grid, so the check shows nothing");
    Ok(())
}
