//! The conventions of a network whose weights come from another program: those of the options, else
//! those that the file states, else those of the architecture.

use crate::failure;
use crate::output;
use anyhow::{Context, Result};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::conventions::{Conventions, Family, joined};
use dfrt_trainer::model::import::{Choices, Head, Imported, Source};
use dfrt_trainer::train::settings::Settings;

/// The conventions that the options name for the architecture `arch`: those of `own`, and where
/// they are unset those of `family`.
///
/// # Errors
/// An unknown architecture.
pub fn from_options(arch: &str, family: Option<Family>, own: Conventions) -> Result<Conventions> {
    let Some(family) = family else { return Ok(own) };
    Ok(own.or(family.conventions(Architecture::named(arch)?)))
}

/// Replaces in `choices` what the options `given` name.
///
/// # Errors
/// Wrong usage: options that exclude each other.
pub fn merge_choices(choices: &mut Choices, given: Choices) -> Result<()> {
    if given.new_head && (given.head.is_some() || given.fake_index.is_some()) {
        return Err(failure::usage(
            "--new-head makes a new last layer, --head and --fake-index keep the file's: give one of them",
        ));
    }
    if let Some(fake) = given.fake_index.filter(|&fake| fake > 1) {
        return Err(failure::usage(format!("--fake-index {fake}: a detector has two classes, give 0 or 1")));
    }
    let earlier = std::mem::take(choices);
    *choices = Choices {
        key: given.key.or(earlier.key),
        prefix: given.prefix.or(earlier.prefix),
        head: given.head.or(earlier.head),
        fake_index: given.fake_index.or(earlier.fake_index),
        new_head: given.new_head || earlier.new_head,
        leave_out: if given.leave_out.is_empty() { earlier.leave_out } else { given.leave_out },
    };
    Ok(())
}

/// Completes the conventions of `settings` with those that `source` states or implies, and notes
/// which weights will be used.
///
/// # Errors
/// Weights that do not fit the network; conventions that the file contradicts, or that neither
/// options nor file name.
pub fn resolve(settings: &mut Settings, source: &Source) -> Result<()> {
    settings.conventions.check().map_err(failure::usage)?;
    // Weights that do not fit are reported first: their conventions do not matter then.
    let graph = settings.graph().map_err(failure::usage)?;
    let imported = source.weights(&graph, settings.seed)?;
    settings.conventions =
        source.resolve_conventions(settings.conventions, Architecture::named(&settings.arch)?)?;
    settings.conventions.check()?;
    settings.graph()?;
    output::note(summary(source, &imported));
    note_conventions(settings)?;
    Ok(())
}

/// One line on the weights that are used from a file.
pub fn summary(source: &Source, imported: &Imported) -> String {
    let head = match imported.head {
        Head::Kept => {
            imported.head_name.as_ref().map(|name| format!("; last layer {name}")).unwrap_or_default()
        }
        Head::Merged { outputs: 1, .. } => {
            "; the sign of its logit is changed, so that high means fake".to_owned()
        }
        Head::Merged { fake_index, .. } => format!(
            "; the two logits of its last layer become one, {} minus {} (--fake-index changes it)",
            fake_index,
            1 - fake_index
        ),
        Head::Replaced { outputs } => {
            format!("; its last layer of {outputs} outputs is replaced by a new one of 1")
        }
        Head::Absent => "; it has no last layer: a new one is added".to_owned(),
    };
    let bias = if imported.no_bias { "; that layer has no bias: 0 is used" } else { "" };
    let left_out = match &imported.left_out[..] {
        [] => String::new(),
        [one] => format!("; {one} is left out"),
        [first, rest @ ..] => format!("; {first} and {} more entries are left out", rest.len()),
    };
    let uncounted = match imported.missing_counters {
        0 => String::new(),
        count => format!(" (its {count} batch-norms count no batches)"),
    };
    let others = match &source.others[..] {
        [] => String::new(),
        others => format!("; also in the file: {}", others.join("; ")),
    };
    let found_in = source.found_in.as_ref().map(|key| format!(" in its {key}")).unwrap_or_default();
    format!(
        "{}: {} of {} entries under {}'s names{found_in}{uncounted}{head}{bias}{left_out}{others}",
        source.path.display(),
        imported.found,
        imported.entries,
        source.scheme,
    )
}

/// Notes the conventions that are used, to be compared with those of the weights' family.
fn note_conventions(settings: &Settings) -> Result<()> {
    let architecture = settings.conventions.applied(Architecture::named(&settings.arch).context("--arch")?);
    output::note(format!(
        "padding {}, batch-norm eps {}, mean {}, std {} (--family changes them)",
        architecture.padding,
        architecture.bn_eps,
        joined(architecture.mean),
        joined(architecture.std)
    ));
    Ok(())
}
