//! Turns the options of `dfrt train` into settings.

use super::{Batch, Rule, SubsetWeight, Train};
use crate::command::options::set;
use crate::command::values::Names;
use crate::conventions;
use crate::failure;
use crate::output;
use crate::paths;
use anyhow::Result;
use dfrt_trainer::model::import::Choices;
use dfrt_trainer::train::settings::Settings;

impl Train {
    /// Changes `settings` by the options.
    pub(super) fn apply(&self, settings: &mut Settings) -> Result<()> {
        self.apply_network(settings)?;
        self.apply_pictures(settings)?;
        self.apply_augmentation(settings)?;
        self.apply_schedule(settings)?;
        self.apply_optimizer(settings);
        self.apply_method(settings);
        let selection = &mut settings.selection;
        selection.by = self.select.or(selection.by);
        selection.eps = self.robust_eps.or(selection.eps);
        set(&mut selection.pictures, &self.robust_pictures);
        Ok(())
    }

    /// The network and the weights that it starts from.
    fn apply_network(&self, settings: &mut Settings) -> Result<()> {
        if let Some(init) = &self.init {
            settings.init = Some(paths::absolute(init)?);
        }
        if let Some(arch) = self.arch {
            arch.name.clone_into(&mut settings.arch);
            // A config names both. Otherwise the default side is that of the architecture.
            if self.config.is_none() && !self.resume {
                settings.res = arch.res;
            }
        }
        set(&mut settings.res, &self.res);
        let choices = self.choices();
        if settings.init.is_none() && choices != Choices::default() {
            return Err(failure::usage(
                "--key, --prefix, --head, --fake-index, --new-head and --leave-out need --init, which is missing",
            ));
        }
        conventions::merge_choices(&mut settings.checkpoint, choices)?;
        settings.conventions = self.conventions(&settings.arch)?.or(settings.conventions);
        Ok(())
    }

    /// The training pictures, and the weights of their parts.
    fn apply_pictures(&self, settings: &mut Settings) -> Result<()> {
        if let Some(data) = &self.data {
            settings.data = paths::absolute(data)?;
        }
        if let Some(cache) = &self.cache {
            settings.cache = Some(paths::absolute(cache)?);
        }
        settings.limit = self.limit.or(settings.limit);
        let named = Names::all(&self.train_subsets);
        if !named.is_empty() {
            settings.train_subsets = named;
        }
        settings.frames_per_video = self.frames_per_video.or(settings.frames_per_video);
        if !self.subset_weights.is_empty() {
            let weights = self.subset_weights.iter().flat_map(|list| list.0.iter().cloned());
            settings.subset_weights = weights.map(|SubsetWeight(name, weight)| (name, weight)).collect();
        }
        set(&mut settings.balance, &self.balance);
        set(&mut settings.fakes, &self.fakes);
        settings.shuffle_labels |= self.shuffle_labels;
        Ok(())
    }

    /// Epochs, learning rate, batch, memory and checkpoints.
    fn apply_schedule(&self, settings: &mut Settings) -> Result<()> {
        set(&mut settings.epochs, &self.epochs);
        if let Some(Batch::Of(batch)) = self.batch {
            settings.batch = batch;
        }
        set(&mut settings.lr, &self.lr);
        set(&mut settings.seed, &self.seed);
        set(&mut settings.weight_decay, &self.weight_decay);
        set(&mut settings.warmup_epochs, &self.warmup_epochs);
        set(&mut settings.final_lr, &self.final_lr);
        settings.memory_mb = self.memory_mb.or(settings.memory_mb);
        settings.micro_batch = self.micro_batch.or(settings.micro_batch);
        settings.patience = self.patience.or(settings.patience);
        settings.checkpoint_steps = self.checkpoint_steps.or(settings.checkpoint_steps);
        switch(&mut settings.masks, ("masks", self.masks), self.no_masks)
    }

    fn apply_augmentation(&self, settings: &mut Settings) -> Result<()> {
        let augment = &mut settings.augment;
        switch(&mut augment.flip, ("flip", self.flip), self.no_flip)?;
        switch(&mut augment.crop, ("crop", self.crop), self.no_crop)?;
        set(&mut augment.colour, &self.colour);
        set(&mut augment.jpeg, &self.jpeg);
        Ok(())
    }

    fn apply_optimizer(&self, settings: &mut Settings) {
        use dfrt_trainer::ops::optimizer::Optimizer;

        let now = settings.optimizer;
        settings.optimizer = match (self.optimizer, now) {
            (None, _)
            | (Some(Rule::Sgd), Optimizer::Sgd { .. })
            | (Some(Rule::Adamw), Optimizer::Adamw { .. }) => now,
            (Some(Rule::Sgd), _) => Optimizer::SGD,
            (Some(Rule::Adamw), _) => Optimizer::ADAMW,
        };
        let for_sgd = self.momentum.is_some() || self.nesterov;
        let for_adamw = self.beta1.is_some() || self.beta2.is_some() || self.adam_eps.is_some();
        match &mut settings.optimizer {
            Optimizer::Sgd { momentum, nesterov } => {
                set(momentum, &self.momentum);
                *nesterov |= self.nesterov;
                note_no_effect("--beta1, --beta2 and --adam-eps have", for_adamw, "sgd");
            }
            Optimizer::Adamw { beta1, beta2, eps } => {
                set(beta1, &self.beta1);
                set(beta2, &self.beta2);
                set(eps, &self.adam_eps);
                note_no_effect("--momentum and --nesterov have", for_sgd, "adamw");
            }
        }
    }

    fn apply_method(&self, settings: &mut Settings) {
        use dfrt_trainer::arms::Method;
        use dfrt_trainer::arms::adversarial_training::AdversarialTraining;
        use dfrt_trainer::arms::trades::Trades;

        if let Some(method) = &self.method {
            // A bare name keeps the settings of a config or an earlier run of that method.
            let bare = Method::named(method.name()).is_ok_and(|default| default == *method);
            if !bare || method.name() != settings.method.name() {
                settings.method.clone_from(method);
            }
        }
        let for_gr = self.taps.is_some()
            || self.r.is_some()
            || self.alpha.is_some()
            || self.r_warmup_epochs.is_some()
            || self.detach_statistics
            || self.per_image
            || self.per_tap;
        match &mut settings.method {
            Method::Gr(gr)
            | Method::At(AdversarialTraining { gr: Some(gr), .. })
            | Method::Trades(Trades { gr: Some(gr), .. }) => {
                set(&mut gr.taps, &self.taps.as_ref().map(|taps| taps.0.clone()));
                set(&mut gr.radius, &self.r);
                set(&mut gr.alpha, &self.alpha);
                set(&mut gr.warmup_epochs, &self.r_warmup_epochs);
                gr.through_statistics &= !self.detach_statistics;
                gr.per_image |= self.per_image;
                gr.per_tap |= self.per_tap;
            }
            method => note_no_effect("options of gr have", for_gr, method.name()),
        }
    }
}

/// Sets `field` by the two switches `--name` and `--no-name`.
fn switch(field: &mut bool, (name, on): (&str, bool), off: bool) -> Result<()> {
    if on && off {
        return Err(failure::usage(format!("--{name} and --no-{name} exclude each other")));
    }
    *field = (*field || on) && !off;
    Ok(())
}

fn note_no_effect(options: &str, given: bool, on: &str) {
    if given {
        output::note(format!("note: {options} no effect on {on}"));
    }
}
