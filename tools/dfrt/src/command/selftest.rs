//! `dfrt selftest`: checks this machine.

use anyhow::Result;
use argh::FromArgs;

/// check this machine: what its GPU computes against f64 references, what an exported
/// file gives on the CPU, and attacks whose best answer is known
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "selftest",
    help_triggers("-h", "--help", "help"),
    example = "{command_name}\n{command_name} --device 1 --json"
)]
pub struct Selftest {
    /// GPU (default: the best; see dfrt devices)
    #[argh(option)]
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build has no GPU"))]
    device: Option<usize>,
    /// only checks whose name holds this
    #[argh(option)]
    only: Option<String>,
    /// print the results as JSON
    #[argh(switch)]
    json: bool,
}

/// The outcome of a check.
#[derive(serde::Serialize)]
struct Line {
    name: String,
    passed: bool,
    /// Largest relative error; none where there is nothing to measure.
    error: Option<f64>,
    fault: Option<String>,
}

impl Selftest {
    /// Does it.
    pub fn run(self) -> Result<()> {
        let mut lines = Vec::new();
        let wanted = |name: &str| self.only.as_ref().is_none_or(|part| name.contains(part.as_str()));
        for (name, check) in planted::checks().into_iter().filter(|(name, _)| wanted(name)) {
            let fault = check().err();
            self.tell(
                &mut lines,
                Line { name: name.to_owned(), passed: fault.is_none(), error: None, fault },
            );
        }
        self.device_checks(&mut lines, &wanted)?;
        let failed = lines.iter().filter(|line| !line.passed).count();
        if self.json {
            crate::output::json(&lines)?;
        } else {
            crate::output::say(format!("{} passed, {failed} failed", lines.len() - failed))?;
        }
        if lines.is_empty() {
            anyhow::bail!("no check's name holds what --only asks for; leave it out to run all");
        }
        if failed > 0 {
            anyhow::bail!(
                "{failed} of {} checks failed on this machine; update the GPU's driver or choose another --device, and do not trust figures obtained here",
                lines.len()
            );
        }
        Ok(())
    }

    fn tell(&self, lines: &mut Vec<Line>, line: Line) {
        if !self.json {
            let what = match (&line.fault, line.error) {
                (Some(fault), _) => format!("FAILED  {}: {fault}", line.name),
                (None, Some(error)) => format!("passed  {} (error {error:.1e})", line.name),
                (None, None) => format!("passed  {}", line.name),
            };
            // The count at the end is what the exit code stands on.
            let _ = crate::output::say(what);
        }
        lines.push(line);
    }

    #[cfg(feature = "train")]
    fn device_checks(&self, lines: &mut Vec<Line>, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
        let engine = crate::network::engine(self.device)?;
        crate::output::note(format!(
            "on {} ({}, {})",
            engine.info().name,
            engine.info().api,
            engine.info().driver
        ));
        for check in dfrt_trainer::selftest::checks().into_iter().filter(|check| wanted(&check.name)) {
            let (error, fault) = match check.run(&engine) {
                Ok(error) => (Some(error), None),
                Err(fault) => (None, Some(fault.to_string())),
            };
            self.tell(lines, Line { name: check.name.clone(), passed: fault.is_none(), error, fault });
        }
        Ok(())
    }

    #[cfg(not(feature = "train"))]
    fn device_checks(&self, _: &mut Vec<Line>, _: &dyn Fn(&str) -> bool) -> Result<()> {
        crate::output::note("this build has no training: the GPU is not checked");
        Ok(())
    }
}

/// Black-box attacks on models whose answer is known in closed form.
mod planted {
    use dfrt_runtime::attack::random_noise::RandomNoise;
    use dfrt_runtime::attack::square::{Square, SquareSettings};
    use dfrt_runtime::attack::threat::{Norm, Threat};
    use dfrt_runtime::attack::{Attack, Target, ledger};
    use dfrt_runtime::data::batch::Batch;
    use dfrt_runtime::data::manifest::Label;
    use dfrt_runtime::detector::oracle::{Oracle, OracleError};
    use image::{Rgb, RgbImage};

    const RES: usize = 16;

    /// A logit that is the mean pixel about grey: turning a picture of grey 128 + k
    /// needs an epsilon of k/255 and no less.
    struct Brightness;

    /// A logit that no pixel changes.
    struct Stone;

    impl Oracle for Brightness {
        fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
            let mean = |index| {
                let values = batch.picture(index);
                values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64
            };
            Ok((0..batch.len()).map(|index| (mean(index) - 127.5 / 255.0) as f32).collect())
        }

        fn res(&self) -> usize {
            RES
        }
    }

    impl Oracle for Stone {
        fn logits(&self, batch: &Batch) -> Result<Vec<f32>, OracleError> {
            Ok(vec![0.01; batch.len()])
        }

        fn res(&self) -> usize {
            RES
        }
    }

    type Verdict = Result<(), String>;
    type Check = (&'static str, fn() -> Verdict);

    pub fn checks() -> Vec<Check> {
        vec![
            ("planted/square finds what an epsilon of 6/255 allows", || brightness(6.0, true)),
            ("planted/square finds nothing where 4/255 allows nothing", || brightness(4.0, false)),
            ("planted/no attack turns a model that nothing changes", stone),
        ]
    }

    /// A picture of grey 132 lies 4.5/255 from the threshold.
    fn target() -> Target {
        let picture = RgbImage::from_pixel(RES as u32, RES as u32, Rgb([132; 3]));
        Target { id: 0, label: Label::Fake, picture }
    }

    fn final_logit(attack: &dyn Attack, oracle: &dyn Oracle, threat: Threat) -> Result<f32, String> {
        let target = target();
        let (proposals, _) = ledger::scope(1, || attack.propose(std::slice::from_ref(&target)));
        let proposal = proposals.map_err(|error| error.to_string())?.remove(0);
        let picture = threat.round(&target.picture, &proposal.values);
        let logits = oracle.logits(&Batch::of(RES, [&picture])).map_err(|error| error.to_string())?;
        Ok(logits[0])
    }

    fn brightness(eps: f64, possible: bool) -> Verdict {
        let threat = Threat::new(Norm::Linf, eps).map_err(|error| error.to_string())?;
        let settings = SquareSettings { queries: 2000, ..SquareSettings::default() };
        let attack = Square::new(&Brightness, threat, 0.0, settings);
        let logit = final_logit(&attack, &Brightness, threat)?;
        if (logit <= 0.0) == possible { Ok(()) } else { Err(format!("the logit ends at {logit:.5}")) }
    }

    fn stone() -> Verdict {
        let threat = Threat::new(Norm::Linf, 64.0).map_err(|error| error.to_string())?;
        let settings = SquareSettings { queries: 50, ..SquareSettings::default() };
        let square = Square::new(&Stone, threat, 0.0, settings);
        let noise = RandomNoise::new(&Stone, threat, 0.0, 50, 0);
        for attack in [&square as &dyn Attack, &noise] {
            let logit = final_logit(attack, &Stone, threat)?;
            if logit <= 0.0 {
                return Err(format!("{} claims to have turned it", attack.name()));
            }
        }
        Ok(())
    }
}
