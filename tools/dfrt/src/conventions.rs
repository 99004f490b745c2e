//! The conventions of a network whose weights come from elsewhere: what the user
//! asked for, then what the file says, then the architecture's own.

use crate::failure;
use crate::output;
use anyhow::{Context, Result};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::conventions::{Conventions, Family, listed};
use dfrt_trainer::model::import::{Choices, Head, Imported, Source};
use dfrt_trainer::train::settings::Settings;

/// What the options ask for of the architecture `arch`: its `own` go before the family's.
///
/// # Errors
/// An unknown architecture.
pub fn asked(arch: &str, family: Option<Family>, own: Conventions) -> Result<Conventions> {
    let Some(family) = family else { return Ok(own) };
    Ok(own.or(family.conventions(Architecture::named(arch)?)))
}

/// Puts what the options say of a checkpoint over `choices`.
///
/// # Errors
/// Wrong usage: options that exclude each other.
pub fn choose(choices: &mut Choices, asked: Choices) -> Result<()> {
    if asked.new_head && (asked.head.is_some() || asked.fake_index.is_some()) {
        return Err(failure::usage(
            "--new-head takes a fresh last layer, --head and --fake-index keep the file's: give one of them",
        ));
    }
    if let Some(fake) = asked.fake_index.filter(|&fake| fake > 1) {
        return Err(failure::usage(format!("--fake-index {fake}: a detector has two classes, give 0 or 1")));
    }
    let earlier = std::mem::take(choices);
    *choices = Choices {
        key: asked.key.or(earlier.key),
        prefix: asked.prefix.or(earlier.prefix),
        head: asked.head.or(earlier.head),
        fake_index: asked.fake_index.or(earlier.fake_index),
        new_head: asked.new_head || earlier.new_head,
        leave_out: if asked.leave_out.is_empty() { earlier.leave_out } else { asked.leave_out },
    };
    Ok(())
}

/// Sets what is left open by what `source` says, and tells what will be taken of it.
///
/// # Errors
/// Weights that do not fit the network, and conventions that the file contradicts or that
/// nothing tells.
pub fn settle(settings: &mut Settings, source: &Source) -> Result<()> {
    settings.conventions.check().map_err(failure::usage)?;
    // What does not fit is told first: its conventions are of no interest.
    let graph = settings.graph().map_err(failure::usage)?;
    let imported = source.weights(&graph, settings.seed)?;
    settings.conventions = source.settle(settings.conventions, Architecture::named(&settings.arch)?)?;
    settings.conventions.check()?;
    settings.graph()?;
    output::note(told(source, &imported));
    tell_used(settings)?;
    Ok(())
}

/// What is taken from a file, in a line.
pub fn told(source: &Source, imported: &Imported) -> String {
    let head = match imported.head {
        Head::Kept => {
            imported.head_name.as_ref().map(|name| format!("; last layer {name}")).unwrap_or_default()
        }
        Head::Merged { outputs: 1, .. } => {
            "; the logit of its last layer is turned, high for fake".to_owned()
        }
        Head::Merged { fake_index, .. } => format!(
            "; the two logits of its last layer become one, {} minus {} (--fake-index changes it)",
            fake_index,
            1 - fake_index
        ),
        Head::Replaced { outputs } => {
            format!("; its last layer of {outputs} outputs is replaced by a fresh one of 1")
        }
        Head::Absent => "; it has no last layer: a fresh one is put there".to_owned(),
    };
    let bias = if imported.unbiased { "; that layer has no bias there: 0 is taken" } else { "" };
    let left_out = match &imported.left_out[..] {
        [] => String::new(),
        [one] => format!("; {one} is left out"),
        [first, rest @ ..] => format!("; {first} and {} more entries are left out", rest.len()),
    };
    let uncounted = match imported.uncounted {
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

/// The conventions that hold, for the user to compare with those of the weights' family.
fn tell_used(settings: &Settings) -> Result<()> {
    let architecture = settings.conventions.applied(Architecture::named(&settings.arch).context("--arch")?);
    output::note(format!(
        "padding {}, batch-norm eps {}, mean {}, std {} (--family changes them)",
        architecture.padding,
        architecture.bn_eps,
        listed(architecture.mean),
        listed(architecture.std)
    ));
    Ok(())
}
