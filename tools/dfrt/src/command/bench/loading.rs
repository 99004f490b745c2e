//! `dfrt bench loading`: how fast training pictures are fed.

use super::{Destination, Loading};
use crate::command::options::use_threads;
use crate::failure;
use crate::output::{self, Lines};
use anyhow::Result;
use dfrt_trainer::bench::loading::{self, LoadingBench, Stage, Stages};
use dfrt_trainer::train::fakes::Fakes;
use dfrt_trainer::train::pool::allowance::Allowance;
use dfrt_trainer::train::settings::Settings;
use std::sync::Arc;

impl Loading {
    /// Measures how fast pictures are fed; prints the result and writes it to `--out`.
    pub fn run(self) -> Result<()> {
        let to = Destination::open(self.out.as_deref(), self.force, self.json)?;
        use_threads(self.threads)?;
        let usual = Settings::default();
        let settings = Settings {
            data: self.data,
            res: self.res.unwrap_or(usual.res),
            batch: self.batch.unwrap_or(usual.batch),
            epochs: self.epochs,
            cache: self.cache,
            fakes: self.fakes.unwrap_or(usual.fakes),
            ..usual
        };
        settings.check().map_err(failure::usage)?;
        let allowance = match self.cache_mb {
            Some(mb) => Arc::new(Allowance::new(mb.saturating_mul(1 << 20))),
            None => Allowance::of_this_process(),
        };
        let bench = loading::measure(&settings, allowance)?;
        to.write(&bench, || text(&bench))
    }
}

fn text(bench: &LoadingBench) -> String {
    let LoadingBench { data, res, batch, .. } = bench;
    format!("{} at {res} px, batches of {batch}\n{}", data.display(), lines(bench))
}

fn lines(bench: &LoadingBench) -> Lines {
    let rate = |rate: f64| format!("{} images/s", output::thousands(rate.round() as u64));
    let mut lines = Lines::default();
    lines.add("first epoch", rate(bench.first_epoch_images_per_second));
    if let Some(later) = bench.later_epochs_images_per_second {
        lines.add("later epochs", rate(later));
    }
    let unreadable =
        if bench.unreadable == 0 { String::new() } else { format!(", {} unreadable", bench.unreadable) };
    lines.add("pictures", format!("{} for training{unreadable}", bench.n_train));
    if let Some(pack) = &bench.pack {
        let how = if pack.was_current { "found current" } else { "decoded and written" };
        let time = output::duration(pack.seconds);
        lines.add("packed", format!("{} pictures, {:.0} MB, {how} in {time}", pack.images, pack.mb));
    }
    lines.add(
        "kept decoded",
        format!("{}, {:.0} MB of at most {:.0}", bench.cached_images, bench.cached_mb, bench.cache_limit_mb),
    );
    let memory = bench.peak_rss_mb.map_or_else(|| "unknown".to_owned(), |mb| format!("{mb:.0} MB"));
    lines.add("peak memory", memory);
    lines.add("threads", bench.threads.to_string());
    let Stages { images, read, decode, resize, blend, augment, pack } = bench.stages;
    let before = [("read", read), ("decode", decode), ("resize", resize)];
    let after = [("augment", augment), ("pack", pack)];
    let stage = |stage: Stage| format!("{:.3} ms a picture, {}", stage.ms, output::percent(stage.share));
    before.into_iter().for_each(|(name, taken)| lines.add(name, stage(taken)));
    if bench.fakes == Fakes::Sbi {
        let times = blend.ms / decode.ms.max(1e-9);
        lines.add("self-blend", format!("{}: {times:.1} times the decoding", stage(blend)));
    }
    after.into_iter().for_each(|(name, taken)| lines.add(name, stage(taken)));
    lines.add("measured", format!("stages: {images} pictures on one thread; epochs: {}", bench.epochs));
    lines
}
