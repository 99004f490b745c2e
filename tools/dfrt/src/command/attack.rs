//! `dfrt attack`: attacks a model; the judge counts the successes.

mod check;
mod folder;
#[cfg(feature = "train")]
mod networks;
#[cfg(not(feature = "train"))]
#[path = "attack/no_gradients.rs"]
mod networks;
mod progress;
mod radius;
mod run;
mod table;

#[cfg(feature = "train")]
pub use progress::AttackProgress;
pub use radius::Radii;
#[cfg(feature = "train")]
pub use radius::Radius;

use super::options::options;
use super::values::{List, Time, count};
use dfrt_runtime::attack::Goal;
use dfrt_runtime::attack::catalog::{Choice, Method, Plan};
use dfrt_runtime::attack::schedule::Windows;
use dfrt_runtime::sample::Label;
use dfrt_runtime::threat::Norm;
use std::path::PathBuf;

options! {
/// attack a model, judge what survives as 8-bit PNG, and report robust accuracy
#[argh(
    name = "attack",
    example = "{command_name} --model gr.onnx --method square\n\
    {command_name} --model gr --method suite --eps 1,2,4,8 --limit 200\n\
    {command_name} --model theirs.onnx --method suite-black --data faces --queries 1000\n\
    {command_name} --model theirs.onnx --method mi-fgsm --surrogate gr --data faces\n\
    {command_name} --model gr --method cw --norm l2 --eps 0.5 --only fake",
    note = "Attacks by logits or labels run on any ONNX file. Those by gradients need a RUN, or an ONNX file \
    that dfrt exported, and a GPU. sign-hunter and rays search linf balls only, boundary l2 balls only. \
    The folder holds attack.json, samples.csv, the pictures before and after, and a few of them in grid.png; for \
    an attack that searches the shortest change plots/distance.png; for several radii a folder each, sweep.json \
    and plots."
)]
pub struct Attack {
    model,
    /// by logits square, simba, simba-dct, nes, spsa, sign-hunter, random-noise; by labels
    /// rays, hop-skip-jump, boundary; by gradients fgsm, pgd, mi-fgsm, apgd-ce, apgd-margin,
    /// fab, cw, deepfool; suite (apgd-ce, apgd-margin, fab, square, and random-noise as a floor) or, without gradients,
    /// suite-black: for each picture the worst case
    #[argh(option)]
    method: Choice,
    /// manifest or folder (default: the data set that the model names)
    #[argh(option)]
    data: Option<PathBuf>,
    split, threshold,
    /// radius, or several: 1,2,4,8. In linf in 1/255 (default 8); in l2 a length of pixels in
    /// [0, 1] (default 3 at 224 px, in proportion to the side, at least 0.5). 128/255 is the same
    /// in both
    #[argh(option, default = "List(Vec::new())")]
    eps: Radii,
    /// linf or l2 (default linf)
    #[argh(option, default = "Norm::Linf")]
    norm: Norm,
    /// goal of fab, cw, deepfool, boundary, hop-skip-jump and rays: nearest (default) searches the
    /// shortest change and reports its distances; inside stops at the first success within the
    /// radius, as suites do
    #[argh(option)]
    goal: Option<Goal>,
    /// queries a picture, without gradients (default 5000, random-noise 100)
    #[argh(option, from_str_fn(count))]
    queries: Option<u64>,
    /// square's window sizes: rescaled (default: AutoAttack's, from 80 % of the picture,
    /// stretched to the budget), autoattack (the same at its query numbers) or published
    /// (from 5 %, L2 10 %, stretched to the budget)
    #[argh(option)]
    schedule: Option<Windows>,
    /// gradient steps (default: pgd and mi-fgsm 10, deepfool 50, apgd and fab 100, cw 1000)
    #[argh(option, from_str_fn(count))]
    steps: Option<usize>,
    /// random starts, for pgd and apgd (default 1) and fab (default 5)
    #[argh(option, from_str_fn(count))]
    restarts: Option<usize>,
    /// RUN, or ONNX file that dfrt exported, whose gradients are used instead: a transfer attack by
    /// fgsm, pgd, mi-fgsm, apgd-ce or apgd-margin; in a suite one more attack, by mi-fgsm
    #[argh(option)]
    surrogate: Option<PathBuf>,
    /// pictures at once on the GPU, with gradients (default 16)
    #[argh(option, from_str_fn(count))]
    batch: Option<usize>,
    device, limit,
    /// the class to attack, fake or real (default: both)
    #[argh(option)]
    only: Option<Label>,
    seed,
    /// time after which no further picture is started: 90s, 30m, 2h; --resume continues later
    #[argh(option)]
    time_budget: Option<Time>,
    /// file to record every random draw, answer and decision of an attack without gradients
    #[argh(option)]
    tape: Option<PathBuf>,
    /// file that --tape recorded: its answers are used instead of the model's, to repeat the search
    #[argh(option)]
    replay: Option<PathBuf>,
    /// folder for the results (default MODEL-METHOD-NORM-EPS and the other options: -queries-300,
    /// -seed-1, …)
    #[argh(option)]
    out: Option<PathBuf>,
    resume, force, threads, json, reading,
}
}

impl Attack {
    /// The attacks to run, in order.
    fn methods(&self) -> Vec<Method> {
        match self.surrogate {
            Some(_) => self.method.methods_with_surrogate(self.norm),
            None => self.method.methods(self.norm),
        }
    }

    /// The settings of one attack.
    fn plan(&self, method: Method) -> Plan {
        let plan = Plan::new(method, self.norm);
        let suite = matches!(self.method, Choice::Suite(_));
        Plan {
            // The query budget of a suite is not that of its baseline, random noise.
            queries: self.queries.filter(|_| !(suite && method.floor)),
            windows: self.schedule.unwrap_or(plan.windows),
            steps: self.steps,
            restarts: self.restarts,
            seed: self.seed,
            goal: if suite { Goal::Inside } else { self.goal.unwrap_or(Goal::Nearest) },
            ..plan
        }
    }
}
