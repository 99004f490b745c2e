//! The conventions of a network whose weights come from elsewhere: what the user
//! asked for, then what the file says, then the architecture's own.

use crate::failure;
use crate::output;
use anyhow::{Context, Result};
use dfrt_trainer::model::arch::Architecture;
use dfrt_trainer::model::conventions::{Conventions, Family};
use dfrt_trainer::model::import::{Head, Imported, Source};
use dfrt_trainer::train::settings::Settings;

/// What the options ask for; one of its own goes before the family's.
///
/// # Errors
/// Wrong usage: an unknown family or border rule.
pub fn asked(
    family: Option<&str>,
    padding: Option<&str>,
    bn_eps: Option<f32>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
) -> Result<Conventions> {
    let family = family.map(Family::named).transpose().map_err(failure::usage)?;
    let padding = padding.map(str::parse).transpose().map_err(failure::usage)?;
    let own = Conventions { padding, bn_eps, mean, std };
    Ok(own.or(family.map(|family| family.conventions()).unwrap_or_default()))
}

/// Sets what is left open by what `source` says, and tells what will be taken of it.
///
/// # Errors
/// Weights that do not fit the network.
pub fn settle(settings: &mut Settings, source: &Source) -> Result<()> {
    settings.conventions = settings.conventions.or(source.conventions);
    settings.conventions.check().map_err(failure::usage)?;
    let graph = settings.graph().map_err(failure::usage)?;
    let imported = source.weights(&graph, settings.seed)?;
    output::note(told(source, &imported));
    tell_used(settings)?;
    Ok(())
}

/// What is taken from a file, in a line.
pub fn told(source: &Source, imported: &Imported) -> String {
    let head = match imported.head {
        Head::Kept => String::new(),
        Head::Replaced { outputs } => {
            format!("; its last layer of {outputs} outputs is replaced by a fresh one of 1")
        }
        Head::Absent => "; it has no last layer: a fresh one is put there".to_owned(),
    };
    let left_out = match &imported.left_out[..] {
        [] => String::new(),
        [one] => format!("; {one} is left out"),
        [first, rest @ ..] => format!("; {first} and {} more entries are left out", rest.len()),
    };
    let uncounted = match imported.uncounted {
        0 => String::new(),
        count => format!(" (its {count} batch-norms count no batches)"),
    };
    let found_in = source.found_in.as_ref().map(|key| format!(" in its {key}")).unwrap_or_default();
    format!(
        "{}: {} of {} entries under {}'s names{found_in}{uncounted}{head}{left_out}",
        source.path.display(),
        imported.found,
        imported.entries,
        source.scheme,
    )
}

/// The conventions that hold, for the user to compare with those of the weights' family.
fn tell_used(settings: &Settings) -> Result<()> {
    let architecture = settings.conventions.applied(Architecture::named(&settings.arch).context("--arch")?);
    let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
    output::note(format!(
        "padding {}, batch-norm eps {}, mean {}, std {} (--family changes them)",
        architecture.padding,
        architecture.bn_eps,
        list(architecture.mean),
        list(architecture.std)
    ));
    Ok(())
}
