//! Which of the networks in a file is meant: those that lie there are known by the names
//! and shapes of their tensors.

use super::super::arch::{ARCHITECTURES, Architecture};
use super::super::files::Listed;
use super::super::graph::Graph;
use super::super::names::{self, BATCHES_TRACKED, Content, Scheme};
use super::error::ImportError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The shapes of tensors by name.
pub(super) type Shapes = BTreeMap<String, Vec<usize>>;

/// What the names of a network's blocks begin with, under any scheme.
pub(super) const BLOCKS: [&str; 3] = ["features.", "blocks.", "_blocks."];

/// What is asked for where a file leaves it open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Choices {
    /// The key of a checkpoint under which the network's state lies: "state_dict_ema".
    pub key: Option<String>,
    /// What stands before the network's names: "model.backbone.".
    pub prefix: Option<String>,
    /// The last layer's name, where it is not the scheme's: "fc".
    pub head: Option<String>,
    /// Which of two logits is the fake's (1), or 0 where one logit is high for real.
    pub fake_index: Option<usize>,
    /// Whether a fresh last layer takes the place of the file's.
    pub new_head: bool,
    /// What the names of tensors begin with that may be left out, though their program
    /// may have used them.
    pub leave_out: Vec<String>,
}

/// A network in a file.
#[derive(Clone, Debug)]
pub(super) struct Network {
    /// The key of its state.
    pub key: String,
    /// Whose names it has.
    pub scheme: Scheme,
    /// What stands before each of them.
    pub prefix: String,
    /// The architecture whose every tensor but the last layer's it has.
    pub arch: Option<&'static Architecture>,
}

impl Network {
    /// The networks of a state, by the scheme's first tensor.
    fn all_of(listed: &Listed) -> Vec<Self> {
        let known = listed.shapes.keys().flat_map(|name| {
            let prefix = move |scheme: Scheme| Some((scheme, name.strip_suffix(scheme.first())?));
            let whole = |&(_, prefix): &(Scheme, &str)| prefix.is_empty() || prefix.ends_with('.');
            Scheme::ALL.into_iter().filter_map(prefix).filter(whole)
        });
        let network = |(scheme, prefix): (Scheme, &str)| Self {
            key: listed.key.clone(),
            scheme,
            prefix: prefix.to_owned(),
            arch: recognise(&listed.shapes, scheme, prefix),
        };
        known.map(network).collect()
    }

    /// Whether its key or prefix calls it an exponential moving average of another.
    pub fn is_average(&self) -> bool {
        let place = format!("{}.{}", self.key, self.prefix).to_ascii_lowercase();
        place.split(['.', '_']).any(|word| word == "ema")
    }

    /// Where it lies and what it is, in words.
    pub fn told(&self) -> String {
        let options = match (self.key.as_str(), self.prefix.as_str()) {
            ("", "") => "no prefix".to_owned(),
            ("", prefix) => format!("--prefix {prefix}"),
            (key, "") => format!("--key {key}"),
            (key, prefix) => format!("--key {key} --prefix {prefix}"),
        };
        let arch = self.arch.map_or("no architecture of dfrt", |arch| arch.name);
        let average = if self.is_average() { ", a moving average" } else { "" };
        format!("{options} ({arch}{average})")
    }
}

/// The network that is meant, and the others.
///
/// # Errors
/// None, and several that nothing tells apart.
pub(super) fn choose(
    path: &Path,
    listed: &[Listed],
    choices: &Choices,
) -> Result<(Network, Vec<Network>), ImportError> {
    let all: Vec<Network> = listed.iter().flat_map(Network::all_of).collect();
    let asked = |network: &Network| {
        let key = choices.key.as_ref().is_none_or(|key| network.key == *key);
        let prefix = |prefix: &String| prefix.trim_end_matches('.') == network.prefix.trim_end_matches('.');
        key && choices.prefix.as_ref().is_none_or(prefix)
    };
    let listing = |networks: &[Network]| networks.iter().map(Network::told).collect::<Vec<_>>().join("; ");
    let mut meant: Vec<Network> = all.iter().filter(|network| asked(network)).cloned().collect();
    if meant.is_empty() {
        return Err(match all.is_empty() {
            true => unnamed(path, listed, choices),
            false => ImportError::NotThere { path: path.to_owned(), known: listing(&all) },
        });
    }
    for likelier in [|network: &Network| !network.is_average(), |network: &Network| network.arch.is_some()] {
        if meant.iter().any(likelier) {
            meant.retain(likelier);
        }
    }
    let [network] = meant.as_slice() else {
        return Err(ImportError::Several { path: path.to_owned(), networks: listing(&meant) });
    };
    let chosen = |other: &Network| (&other.key, &other.prefix) == (&network.key, &network.prefix);
    let others = all.iter().filter(|other| !chosen(other)).cloned().collect();
    Ok((network.clone(), others))
}

/// A file without a name of EfficientNet's.
fn unnamed(path: &Path, listed: &[Listed], choices: &Choices) -> ImportError {
    let state = listed.iter().find(|state| choices.key.as_ref().is_none_or(|key| state.key == *key));
    let shapes = state.or(listed.first()).map(|state| state.shapes.clone()).unwrap_or_default();
    let begins: Vec<&str> = shapes.keys().take(3).map(String::as_str).collect();
    let begins = if begins.is_empty() { "nothing".to_owned() } else { begins.join(", ") };
    ImportError::Names { path: path.to_owned(), count: shapes.len(), begins }
}

/// Whether a tensor counts what was done, by names that torch (batches of a batch-norm,
/// models of an average) and the profiler thop give to nothing else. A lone number under
/// any other name may be a temperature or the power of a pool.
pub(super) fn is_counter(name: &str) -> bool {
    const COUNTERS: [&str; 4] = [BATCHES_TRACKED, "n_averaged", "total_ops", "total_params"];
    name.rsplit('.').next().is_some_and(|field| COUNTERS.contains(&field))
}

/// The architecture whose every tensor but the last layer's is there, and no more blocks.
pub(super) fn recognise(shapes: &Shapes, scheme: Scheme, prefix: &str) -> Option<&'static Architecture> {
    let in_blocks = |name: &str| BLOCKS.iter().any(|root| name.starts_with(root));
    let own = shapes.keys().filter_map(|name| name.strip_prefix(prefix));
    let held = own.filter(|name| in_blocks(name) && !is_counter(name)).count();
    ARCHITECTURES.into_iter().find(|architecture| {
        let graph = Graph::new(architecture, 32).expect("a multiple of 32");
        let mut entries = names::state_in(&graph, scheme);
        entries.truncate(entries.len() - 2);
        entries.retain(|entry| entry.content != Content::BatchesTracked);
        let expected = entries.iter().filter(|entry| in_blocks(&entry.name)).count();
        let fits = |entry: &names::Entry| {
            shapes.get(&format!("{prefix}{}", entry.name)).is_some_and(|shape| *shape == entry.shape)
        };
        held == expected && entries.iter().all(fits)
    })
}
