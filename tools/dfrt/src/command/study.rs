//! `dfrt study`: trains, evaluates and attacks every arm with several seeds, and writes one report.

#[cfg(feature = "train")]
mod plan;
#[cfg(feature = "train")]
mod run;
#[cfg(feature = "train")]
mod table;
#[cfg(feature = "train")]
mod watch;

use super::attack::Radii;
use super::options::options;
use super::values::{List, Names, Seeds, count, trained};
use dfrt_runtime::attack::catalog;
use std::path::PathBuf;

options! {
/// train every arm with every seed, measure it clean and attacked, and report the
/// difference with its interval
#[argh(
    name = "study",
    example = "{command_name} --data faces --arch efficientnet-b0 --res 224 --epochs 20 --out study\n\
    {command_name} --data faces --config study.toml --out study --resume",
    note = "The folder holds report.html, report.json, jobs.json, one RUN for each arm and seed, and the .onnx of \
    each arm. --resume continues an interrupted study, also with more arms, seeds, attacks, radii or data sets: \
    what is done is not done again."
)]
pub struct Study {
    training_data,
    /// folder for the results
    #[argh(option)]
    out: PathBuf,
    /// settings of the study, overridden by the options (see a finished study's study.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// settings to start from: quick (a first look within 15 minutes on two cores) or paper (eleven
    /// arms, five seeds, a suite of attacks at five radii, corruptions)
    #[argh(option)]
    preset: Option<trained::Preset>,
    /// arms, the baseline first (default baseline,gr): methods of dfrt train, also with settings:
    /// baseline,gr:radius=0.5,at:eps=2:steps=3
    #[argh(option)]
    arms: Option<List<trained::ArmSpec>>,
    /// training seeds (default 0,1,2)
    #[argh(option)]
    seeds: Option<Seeds>,
    /// attacks and suites (default fgsm,pgd,square,random-noise)
    #[argh(option)]
    attacks: Option<List<catalog::Choice>>,
    /// radii: in linf in 1/255 (default 8), in l2 lengths of pixels in [0, 1] (default 3 at
    /// 224 px, in proportion to the side, at least 0.5); 128/255 is the same in both
    #[argh(option)]
    eps: Option<Radii>,
    /// linf or l2 (default linf)
    #[argh(option)]
    norm: Option<dfrt_runtime::threat::Norm>,
    /// steps of pgd (default 10)
    #[argh(option, from_str_fn(count))]
    steps: Option<usize>,
    /// random starts of pgd (default 1)
    #[argh(option, from_str_fn(count))]
    restarts: Option<usize>,
    /// queries a picture of square (default 300; published figures have 1000 to 10000)
    #[argh(option, from_str_fn(count))]
    queries: Option<u64>,
    /// test pictures that are attacked (default 32)
    #[argh(option, from_str_fn(count))]
    attack_limit: Option<usize>,
    /// test pictures on which it is measured why the models are as robust as they are, as dfrt explain
    /// does (default 32; 0 to leave it out)
    #[argh(option)]
    explain: Option<usize>,
    /// evaluate on corrupted pictures, too
    #[argh(switch)]
    corruptions: bool,
    /// other data sets to evaluate on, a,b,…
    #[argh(option)]
    cross_data: Vec<Names>,
    /// list the units of work and how long they may take, and do none
    #[argh(switch)]
    plan: bool,
    /// list the units of work and which of them are done, and do none
    #[argh(switch)]
    status: bool,
    /// do this unit of work alone, by its number in --plan; dfrt report merges what is done
    #[argh(option, from_str_fn(count))]
    job: Option<usize>,
    limit, arch, side, epochs,
    /// pictures a step (default 32)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    lr, no_masks,
    /// weights to start from; see dfrt train --help
    #[argh(option)]
    init: Option<PathBuf>,
    checkpoint, selection, perturbation, device, resume, force, tensorboard, json,
}
}

impl Study {
    /// Fails: this build has no training.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(crate::failure::no_training("study"))
    }
}
