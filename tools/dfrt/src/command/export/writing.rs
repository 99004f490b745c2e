//! Running `dfrt export`.

use super::Export;
use crate::failure;
use crate::output;
use crate::paths;
use anyhow::{Result, bail};
use dfrt_runtime::results::run::files;
use dfrt_trainer::model::files::onnx_import::{self, Imported};
use dfrt_trainer::model::files::weights_file;
use dfrt_trainer::model::names::Scheme;
use dfrt_trainer::train::outcome;
use std::collections::BTreeMap;

impl Export {
    /// Writes the best weights of the RUN as ONNX or safetensors.
    pub fn run(self) -> Result<()> {
        let extension = self.out.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match extension.as_str() {
            "safetensors" => self.safetensors(self.names.unwrap_or(Scheme::Torchvision)),
            "pth" | "pt" | "bin" | "ckpt" => Err(failure::usage(format!(
                "{}: PyTorch's own files are pickles; write .safetensors, which PyTorch reads (safetensors.torch.load_file)",
                self.out.display()
            ))),
            _ if self.names.is_some() => {
                Err(failure::usage("--names is for .safetensors; an ONNX file has torchvision's names"))
            }
            _ => self.onnx(),
        }
    }

    fn onnx(&self) -> Result<()> {
        paths::check_file(&self.out, self.force)?;
        let Imported { graph, weights, metadata } = self.model()?;
        outcome::export(&self.out, &graph, &weights, &metadata, self.batch)?;
        output::print(format!(
            "{}: {} at {} px, threshold {:.4}",
            self.out.display(),
            metadata.arch,
            metadata.res,
            metadata.threshold
        ))
    }

    fn safetensors(&self, scheme: Scheme) -> Result<()> {
        if self.batch.is_some() {
            return Err(failure::usage("--batch is for ONNX: a file of weights has no batch"));
        }
        paths::check_file(&self.out, self.force)?;
        let Imported { graph, weights, metadata } = self.model()?;
        let threshold = (weights_file::THRESHOLD_KEY.to_owned(), metadata.threshold.to_string());
        let properties = BTreeMap::from([threshold]);
        weights_file::save_in(&self.out, &graph, scheme, &weights, &BTreeMap::new(), &properties)?;
        output::print(format!(
            "{}: {} under {scheme}'s names, normalisation left out",
            self.out.display(),
            metadata.arch
        ))
    }

    /// The network of the RUN with its best weights.
    fn model(&self) -> Result<Imported> {
        let shown = self.run.display();
        let path = self.run.join(files::MODEL);
        if !path.is_file() {
            bail!(
                "{shown}: holds no {}, so it is not a finished RUN; finish it with `dfrt train --out {shown} --resume`",
                files::MODEL
            );
        }
        let mut model = onnx_import::load(&path)?;
        let best = self.run.join(files::BEST);
        let weights = weights_file::load(&best, &model.graph)?.weights;
        if weights.sha256(&model.graph) != model.weights.sha256(&model.graph) {
            bail!("{}: holds other weights than {}; train again with --force", best.display(), files::MODEL);
        }
        model.weights = weights;
        Ok(model)
    }
}
