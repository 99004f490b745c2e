//! `dfrt study`: baseline and regularised, several seeds, clean and attacked, one report.

#[cfg(feature = "train")]
mod table;
#[cfg(feature = "train")]
mod watch;

use super::attack::Radii;
use super::options::options;
use super::values::{List, Seeds, trained};
use dfrt_runtime::attack::catalog;
use std::path::PathBuf;

options! {
/// train every arm with every seed, measure it clean and attacked, and report the
/// difference with its interval
#[argh(
    name = "study",
    example = "{command_name} --data faces --arch efficientnet-b0 --res 224 --epochs 20 --out study\n\
    {command_name} --data faces --config study.toml --out study --resume",
    note = "The folder holds report.html, report.json, one RUN an arm and seed, and each arm's .onnx. An \
    interrupted study goes on with --resume."
)]
pub struct Study {
    training_data,
    /// folder for the results
    #[argh(option)]
    out: PathBuf,
    /// settings of the study, overridden by the options (see a finished study's study.toml)
    #[argh(option)]
    config: Option<PathBuf>,
    /// arms, the baseline first (default baseline,gr)
    #[argh(option)]
    arms: Option<List<trained::Method>>,
    /// training seeds (default 0,1,2)
    #[argh(option)]
    seeds: Option<Seeds>,
    /// attacks (default fgsm,pgd,square,random-noise)
    #[argh(option)]
    attacks: Option<List<catalog::Method>>,
    /// radii: in linf in 1/255 (default 8), in l2 lengths of pixels in [0, 1] (default 3 at
    /// 224 px, in proportion to the side, at least 0.5); 128/255 means that in both
    #[argh(option)]
    eps: Option<Radii>,
    /// linf or l2 (default linf)
    #[argh(option)]
    norm: Option<dfrt_runtime::threat::Norm>,
    /// steps of pgd (default 10)
    #[argh(option)]
    steps: Option<usize>,
    /// random starts of pgd (default 1)
    #[argh(option)]
    restarts: Option<usize>,
    /// queries a picture of square (default 300; published figures have 1000 to 10000)
    #[argh(option)]
    queries: Option<u64>,
    /// test pictures that are attacked (default 32)
    #[argh(option)]
    attack_limit: Option<usize>,
    limit, arch, side, epochs,
    /// pictures a step (default 32)
    #[argh(option)]
    batch: Option<usize>,
    lr, no_masks,
    /// weights to start from, as dfrt train takes them
    #[argh(option)]
    init: Option<PathBuf>,
    checkpoint, perturbation, device, resume, force, json,
}
}

impl Study {
    /// Says that it cannot be done.
    #[cfg(not(feature = "train"))]
    pub fn run(self) -> anyhow::Result<()> {
        Err(crate::failure::no_training("study"))
    }
}

#[cfg(feature = "train")]
mod running {
    use super::Study;
    use super::{table, watch::Watch};
    use crate::command::attack::Radius;
    use crate::command::options::check_resume;
    use crate::command::values::{List, Numbers};
    use crate::dataset;
    use crate::lock;
    use crate::{conventions, failure, network, output, place, training};
    use anyhow::{Result, bail};
    use dfrt_runtime::differing::differing;
    use dfrt_runtime::results::study::CONFIG;
    use dfrt_runtime::sample::Split;
    use dfrt_trainer::gpu::engine::Engine;
    use dfrt_trainer::model::conventions::Conventions;
    use dfrt_trainer::model::import::{Choices, Source};
    use dfrt_trainer::study;
    use dfrt_trainer::study::settings::StudySettings;

    impl Study {
        /// Does it.
        pub fn run(self) -> Result<()> {
            check_resume("study", self.resume, self.force)?;
            let mut settings = self.settings()?;
            settings.check().map_err(|error| failure::usage(format!("{error:#}")))?;
            let _lock = lock::of(&self.out)?;
            if !self.resume && !self.force && !place::is_free(&self.out)? {
                bail!(
                    "{}: exists already; pass --resume to go on with it, --force to replace it, or choose another --out",
                    self.out.display()
                );
            }
            let engine = network::engine(self.device)?;
            fit(&mut settings, &engine)?;
            let test = dataset::open(Some(&settings.train.data), None, Split::Test, settings.train.limit)?;
            let study = study::Study::open(&settings, &self.out, engine, test)?;
            if self.force {
                let arms = study::run_folders(&settings);
                let own: Vec<&str> = study::OWN.into_iter().chain(arms.iter().map(String::as_str)).collect();
                place::clear(&self.out, &own)?;
            }
            let (report, written) = study.run(&mut Watch::default())?;
            output::passed_over("parts of the report", &written.missing, None);
            if self.json {
                return output::json(&report);
            }
            output::say(table::table(&report))?;
            output::say(format!("report: {}", self.out.join("report.html").display()))
        }

        /// An earlier study's settings, those of `--config`, or the defaults, with
        /// the options over them.
        fn settings(&self) -> Result<StudySettings> {
            let earlier = self.out.join(CONFIG);
            let mut settings = match &self.config {
                Some(path) => StudySettings::read(path)?,
                None if self.resume && earlier.exists() => StudySettings::read(&earlier)?,
                None => StudySettings::default(),
            };
            self.apply(&mut settings)?;
            self.check_units(&settings)?;
            if settings.train.data.as_os_str().is_empty() {
                return Err(failure::usage("--data is missing; see `dfrt study --help`"));
            }
            if let Some(init) = settings.train.init.clone() {
                let source = Source::open(&init, &settings.train.checkpoint)?;
                conventions::settle(&mut settings.train, &source)?;
            }
            if self.resume && earlier.exists() {
                let begun = StudySettings::read(&earlier)?;
                // What the device decided then holds on.
                settings.train.micro_batch = settings.train.micro_batch.or(begun.train.micro_batch);
                if begun != settings {
                    bail!(
                        "{}: the study was begun with other settings: {}; leave the options out, or choose another --out",
                        earlier.display(),
                        difference(&begun, &settings)
                    );
                }
            }
            Ok(settings)
        }

        /// The radii as they were written, here or in the file of `--config`. An earlier
        /// study's were checked when it began.
        fn check_units(&self, settings: &StudySettings) -> Result<()> {
            let radii: Vec<Radius> = match (&self.eps, &self.config) {
                (Some(List(radii)), _) => radii.clone(),
                (None, Some(_)) => settings.eps.iter().copied().map(Radius::Number).collect(),
                (None, None) => Vec::new(),
            };
            radii.iter().try_for_each(|radius| radius.check_unit(settings.norm, settings.train.res))
        }

        fn apply(&self, settings: &mut StudySettings) -> Result<()> {
            if let Some(List(arms)) = &self.arms {
                settings.arms = arms.iter().map(|arm| arm.name().to_owned()).collect();
            }
            if let Some(Numbers(seeds)) = &self.seeds {
                settings.seeds.clone_from(seeds);
            }
            if let Some(List(attacks)) = &self.attacks {
                settings.attacks.clone_from(attacks);
            }
            put(&mut settings.norm, &self.norm);
            if let Some(List(radii)) = &self.eps {
                for radius in radii {
                    radius.threat(settings.norm)?;
                }
                settings.eps = radii.iter().map(|radius| radius.number(settings.norm)).collect();
            }
            put(&mut settings.steps, &self.steps);
            put(&mut settings.restarts, &self.restarts);
            put(&mut settings.queries, &self.queries);
            put(&mut settings.attack_limit, &self.attack_limit);
            put(&mut settings.gr.taps, &self.taps.as_ref().map(|taps| taps.0.clone()));
            put(&mut settings.gr.radius, &self.r);
            put(&mut settings.gr.alpha, &self.alpha);
            let train = &mut settings.train;
            if let Some(data) = &self.data {
                train.data = place::absolute(data)?;
            }
            if let Some(init) = &self.init {
                train.init = Some(place::absolute(init)?);
            }
            if let Some(arch) = self.arch {
                arch.name.clone_into(&mut train.arch);
                if self.config.is_none() && !self.resume {
                    train.res = arch.res;
                }
            }
            let choices = Choices {
                key: self.key.clone(),
                prefix: self.prefix.clone(),
                new_head: self.new_head,
                ..Choices::default()
            };
            if train.init.is_none() && choices != Choices::default() {
                return Err(failure::usage(
                    "--key, --prefix and --new-head are of the file of --init, which is missing",
                ));
            }
            conventions::choose(&mut train.checkpoint, choices)?;
            let asked = conventions::asked(&train.arch, self.family, Conventions::default())?;
            train.conventions = asked.or(train.conventions);
            put(&mut train.res, &self.res);
            put(&mut train.epochs, &self.epochs);
            put(&mut train.batch, &self.batch);
            put(&mut train.lr, &self.lr);
            train.limit = self.limit.or(train.limit);
            train.masks &= !self.no_masks;
            settings.settle_eps();
            Ok(())
        }
    }

    /// All arms take the same pictures at once: as many as fit the largest of them.
    fn fit(settings: &mut StudySettings, engine: &Engine) -> Result<()> {
        for arm in settings.arms.clone() {
            let mut training = settings.training(&arm, 0)?;
            training::fit(&mut training, false, engine)?;
            let smaller = [settings.train.micro_batch, training.micro_batch].into_iter().flatten().min();
            settings.train.micro_batch = smaller;
        }
        Ok(())
    }

    /// Every setting that differs.
    fn difference(then: &StudySettings, now: &StudySettings) -> String {
        let fields = |settings| match serde_json::to_value(settings) {
            Ok(serde_json::Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        differing(&fields(then), &fields(now)).unwrap_or_default()
    }

    fn put<T: Clone>(place: &mut T, value: &Option<T>) {
        if let Some(value) = value {
            place.clone_from(value);
        }
    }
}
