//! Running `dfrt export`.

use super::Export;
use crate::output;
use crate::place;
use anyhow::{Context, Result, bail};
use dfrt_runtime::storage;
use dfrt_trainer::model::weights_file;
use dfrt_trainer::train::checkpoint::Best;
use dfrt_trainer::train::outcome;
use dfrt_trainer::train::run::files;
use dfrt_trainer::train::settings::Settings;
use serde::Deserialize;
use std::path::Path;

/// What of summary.json goes into the file.
#[derive(Deserialize)]
struct Summary {
    best_epoch: usize,
    val_auc: Option<f64>,
    val_loss: f64,
    threshold: f32,
    data_sha256: String,
    weights_sha256: String,
}

impl Export {
    /// Does it.
    pub fn run(self) -> Result<()> {
        place::file(&self.out, self.force)?;
        if self.batch == Some(0) {
            bail!("--batch 0: no picture would fit; ask for at least 1, or leave it out for any number");
        }
        let run = &self.run;
        let summary = summary(run)?;
        let settings = Settings::read(&run.join(files::CONFIG))?;
        let graph = settings.graph()?;
        let path = run.join(files::BEST);
        let weights = weights_file::load(&path, &graph)?.weights;
        if weights.sha256(&graph) != summary.weights_sha256 {
            bail!(
                "{}: holds other weights than {} tells of; train again with --force",
                path.display(),
                files::SUMMARY
            );
        }
        let best = Best {
            epoch: summary.best_epoch,
            auc: summary.val_auc,
            loss: summary.val_loss,
            threshold: summary.threshold,
        };
        let metadata = outcome::metadata(&settings, &graph, &best, &weights, &summary.data_sha256);
        outcome::export(&self.out, &graph, &weights, &metadata, self.batch)?;
        output::say(format!(
            "{}: {} at {} px, epoch {}, threshold {:.4}",
            self.out.display(),
            settings.arch,
            settings.res,
            best.epoch,
            best.threshold
        ))
    }
}

fn summary(run: &Path) -> Result<Summary> {
    let path = run.join(files::SUMMARY);
    if !path.is_file() {
        let shown = run.display();
        bail!(
            "{shown}: has no {}, so it is no finished RUN; finish it with `dfrt train --out {shown} --resume`",
            files::SUMMARY
        );
    }
    serde_json::from_slice(&storage::read(&path)?)
        .with_context(|| format!("{}: cannot be understood; train again with --force", path.display()))
}
