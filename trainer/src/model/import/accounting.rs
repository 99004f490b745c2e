//! Every entry of a network's state taken from a file, and every tensor of the file
//! accounted for.

use super::super::arch::{self, Architecture};
use super::super::files::weights_file;
use super::super::graph::Graph;
use super::super::names::{self, Content, Entry};
use super::super::weights::{Origin, Tensor, Weights, WeightsError};
use super::choosing::{self, BLOCKS, is_counter};
use super::head::{Layer, Taken};
use super::{Head, ImportError, Imported, Source};
use std::collections::{BTreeMap, BTreeSet};

impl Source {
    /// The weights for `graph`. Where a fresh last layer is asked for, `seed` draws it.
    ///
    /// # Errors
    /// A tensor that is missing, misshapen, of another architecture or no number, named as
    /// the file does; a last layer that cannot be kept, or that nothing tells from others.
    pub fn weights(&self, graph: &Graph, seed: u64) -> Result<Imported, ImportError> {
        let entries = names::state_in(graph, self.scheme);
        let last = graph.last_layer();
        let of_head = |content: Content| matches!(content, Content::Param(id) if last.params.contains(&id));
        let (mut tensors, mut found, mut uncounted) = (BTreeMap::new(), 0, 0);
        let (mut head_names, mut head_entries) = (Vec::new(), Vec::new());
        for (entry, own) in entries.iter().zip(names::state(graph)) {
            let name = format!("{}{}", self.prefix, entry.name);
            if entry.content == Content::BatchesTracked {
                let held = usize::from(self.state.integers.contains_key(&name));
                found += held;
                uncounted += 1 - held;
            } else if of_head(entry.content) {
                head_names.push(name);
                head_entries.push(own);
            } else {
                found += 1;
                let tensor = self.tensor(graph, entry, &name)?;
                entry.content.check(&self.path, &name, &tensor.values)?;
                tensors.insert(own.name, tensor.clone());
            }
        }
        let own = head_names[0].strip_suffix(".weight").expect("the weight comes first");
        let taken = self.head(graph, own)?;
        let head = taken.as_ref().map_or_else(|| self.replaced(graph, own), |taken| taken.head);
        let layer = taken.as_ref().map(|taken| taken.layer.clone());
        let unbiased = taken.as_ref().is_some_and(|taken| !taken.biased);
        let made = match taken {
            Some(Taken { weight, bias, .. }) => [weight, bias],
            None => {
                let mut fresh = Weights::initial(graph, seed).to_tensors(graph);
                let drawn = |entry: &Entry| fresh.remove(&entry.name).expect("initial weights are whole");
                let [weight, bias] = &head_entries[..] else {
                    unreachable!("a linear layer has two tensors")
                };
                [weight, bias].map(drawn)
            }
        };
        let held = layer.as_ref().map_or_else(|| head_names.clone(), |layer| layer.tensors().to_vec());
        for ((entry, name), tensor) in head_entries.into_iter().zip(held).zip(made) {
            found += usize::from(self.state.tensors.contains_key(&name));
            entry.content.check(&self.path, &name, &tensor.values)?;
            tensors.insert(entry.name, tensor);
        }
        let left_out = self.left_out(graph, &entries, layer.as_ref())?;
        let origin = Origin { file: self.path.clone(), arch: self.arch.clone() };
        let mut weights = Weights::from_tensors(graph, tensors, &origin)?;
        weights.batches_tracked = self.state.batches_tracked();
        let head_name = layer.map(|layer| layer.name);
        let entries = entries.len();
        Ok(Imported { weights, head, head_name, unbiased, found, uncounted, entries, left_out })
    }

    /// What a fresh last layer takes the place of.
    fn replaced(&self, graph: &Graph, own: &str) -> Head {
        let layers = self.layers(graph.architecture.head);
        let layer = layers.iter().find(|layer| layer.name == own).or(layers.first());
        layer.map_or(Head::Absent, |layer| Head::Replaced { outputs: layer.outputs })
    }

    fn tensor(&self, graph: &Graph, entry: &Entry, name: &str) -> Result<&Tensor, ImportError> {
        let Some(tensor) = self.state.tensors.get(name) else {
            return Err(WeightsError::Missing {
                file: self.path.clone(),
                name: name.to_owned(),
                expected: entry.shape.clone(),
                advice: self.advice(graph),
            }
            .into());
        };
        if tensor.shape == entry.shape { Ok(tensor) } else { Err(self.misshapen(graph, entry, name, tensor)) }
    }

    fn misshapen(&self, graph: &Graph, entry: &Entry, name: &str, tensor: &Tensor) -> ImportError {
        WeightsError::Misshapen {
            file: self.path.clone(),
            name: name.to_owned(),
            found: tensor.shape.clone(),
            expected: entry.shape.clone(),
            advice: self.advice(graph),
        }
        .into()
    }

    /// Tensors that no entry claims. One that lies among the network's own is an error:
    /// the file holds a larger network. So is one that a detector's program may use.
    fn left_out(
        &self,
        graph: &Graph,
        entries: &[Entry],
        head: Option<&Layer>,
    ) -> Result<Vec<String>, ImportError> {
        let mut known: BTreeSet<String> =
            entries.iter().map(|entry| format!("{}{}", self.prefix, entry.name)).collect();
        known.extend(head.iter().flat_map(|head| head.tensors()));
        let other_heads: BTreeSet<String> =
            self.layers(graph.architecture.head).iter().flat_map(Layer::tensors).collect();
        let (mut left_out, mut strangers) = (Vec::new(), Vec::new());
        for (name, shape) in self.state.shapes() {
            let extra = name.starts_with(weights_file::EXTRA_PREFIX);
            if known.contains(&name) || extra || self.is_of_another(&name) {
                continue;
            }
            let inside = name.strip_prefix(&self.prefix).unwrap_or(&name);
            let among_own =
                name.starts_with(&self.prefix) && BLOCKS.iter().any(|root| inside.starts_with(root));
            if among_own && !is_counter(&name) {
                let (file, advice) = (self.path.clone(), self.advice(graph));
                return Err(WeightsError::Unexpected { file, name, found: shape, advice }.into());
            }
            let may_go = |begin: &String| name.starts_with(begin) || inside.starts_with(begin);
            let idle = is_counter(&name) || is_of_loss(&name) || other_heads.contains(&name);
            if !idle && !self.choices.leave_out.iter().any(may_go) {
                strangers.push(format!("`{name}` {shape:?}"));
            }
            left_out.push(name);
        }
        if head.is_some() && !strangers.is_empty() {
            let names = match &strangers[..] {
                [first, rest @ ..] if rest.len() > 2 => format!("{first} and {} more", rest.len()),
                few => few.join(", "),
            };
            return Err(ImportError::Strangers { path: self.path.clone(), names });
        }
        left_out.extend(self.state.ignored.iter().cloned());
        Ok(left_out)
    }

    /// What to do about tensors that do not fit `graph`.
    fn advice(&self, graph: &Graph) -> String {
        let wanted = graph.architecture.name;
        match self.recognise() {
            Some(found) if found.name != wanted => format!("the file fits --arch {}", found.name),
            Some(_) => "the file is of another version; save the state_dict again".to_owned(),
            None => {
                format!("the file fits none of {}: it is of another network, or not whole", arch::names())
            }
        }
    }

    /// The architecture whose every tensor but the last layer's the file holds.
    pub fn recognise(&self) -> Option<&'static Architecture> {
        choosing::recognise(&self.state.shapes(), self.scheme, &self.prefix)
    }
}

/// Whether a tensor belongs to a loss or a measurement, which no logit depends on. Whole
/// words only: "symmetric" holds "metric".
fn is_of_loss(name: &str) -> bool {
    const WORDS: [&str; 5] = ["loss", "losses", "criterion", "metric", "metrics"];
    name.split(['.', '_']).any(|word| WORDS.contains(&word))
}
