//! Takes every entry of a network's state from a file, and checks that every tensor of the file is
//! used or may be ignored.

use super::super::arch::{self, Architecture};
use super::super::files::weights_file;
use super::super::graph::Graph;
use super::super::names::{self, Content, Entry};
use super::super::weights::{Origin, Tensor, Weights, WeightsError};
use super::choosing::{self, BLOCKS, is_counter};
use super::head::{LastLayer, Layer};
use super::{Head, ImportError, Imported, Source};
use std::collections::{BTreeMap, BTreeSet};

impl Source {
    /// The weights for `graph`. A new last layer, if chosen, is drawn from `seed`.
    ///
    /// # Errors
    /// A tensor that is missing, has another shape, belongs to another architecture or holds NaN,
    /// infinity or a negative variance; a last layer that cannot be used or is ambiguous. Messages
    /// have the names of the file.
    pub fn weights(&self, graph: &Graph, seed: u64) -> Result<Imported, ImportError> {
        let entries = names::state_in(graph, self.scheme);
        let last = graph.last_layer();
        let of_head = |content: Content| matches!(content, Content::Param(id) if last.params.contains(&id));
        let (mut tensors, mut found, mut missing_counters) = (BTreeMap::new(), 0, 0);
        let (mut head_names, mut head_entries) = (Vec::new(), Vec::new());
        for (entry, own) in entries.iter().zip(names::state(graph)) {
            let name = format!("{}{}", self.prefix, entry.name);
            if entry.content == Content::BatchesTracked {
                let held = usize::from(self.state.integers.contains_key(&name));
                found += held;
                missing_counters += 1 - held;
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
        let no_bias = taken.as_ref().is_some_and(|taken| !taken.biased);
        let made = match taken {
            Some(LastLayer { weight, bias, .. }) => [weight, bias],
            None => {
                let mut fresh = Weights::initial(graph, seed).to_tensors(graph);
                let drawn =
                    |entry: &Entry| fresh.remove(&entry.name).expect("initial weights have every entry");
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
        Ok(Imported { weights, head, head_name, no_bias, found, missing_counters, entries, left_out })
    }

    /// The last layer of the file that a new one replaces.
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
        if tensor.shape == entry.shape {
            Ok(tensor)
        } else {
            Err(self.wrong_shape(graph, entry, name, tensor))
        }
    }

    fn wrong_shape(&self, graph: &Graph, entry: &Entry, name: &str, tensor: &Tensor) -> ImportError {
        WeightsError::WrongShape {
            file: self.path.clone(),
            name: name.to_owned(),
            found: tensor.shape.clone(),
            expected: entry.shape.clone(),
            advice: self.advice(graph),
        }
        .into()
    }

    /// The tensors that the network does not use.
    ///
    /// # Errors
    /// One of them is among the blocks of the network, so the file holds a larger network; or the
    /// detector's program may use it.
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
        let (mut left_out, mut unknown) = (Vec::new(), Vec::new());
        for (name, shape) in self.state.shapes() {
            let extra = name.starts_with(weights_file::EXTRA_PREFIX);
            if known.contains(&name) || extra || self.is_in_other_network(&name) {
                continue;
            }
            let inside = name.strip_prefix(&self.prefix).unwrap_or(&name);
            let among_own =
                name.starts_with(&self.prefix) && BLOCKS.iter().any(|root| inside.starts_with(root));
            if among_own && !is_counter(&name) {
                let (file, advice) = (self.path.clone(), self.advice(graph));
                return Err(WeightsError::Unexpected { file, name, found: shape, advice }.into());
            }
            let is_named = |begin: &String| name.starts_with(begin) || inside.starts_with(begin);
            let unused = is_counter(&name) || is_of_loss(&name) || other_heads.contains(&name);
            if !unused && !self.choices.leave_out.iter().any(is_named) {
                unknown.push(format!("`{name}` {shape:?}"));
            }
            left_out.push(name);
        }
        if head.is_some() && !unknown.is_empty() {
            let names = match &unknown[..] {
                [first, rest @ ..] if rest.len() > 2 => format!("{first} and {} more", rest.len()),
                few => few.join(", "),
            };
            return Err(ImportError::UnusedTensors { path: self.path.clone(), names });
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
                format!("the file fits none of {}: it is of another network, or incomplete", arch::names())
            }
        }
    }

    /// The architecture of which the file holds all tensors except the last layer.
    pub fn recognise(&self) -> Option<&'static Architecture> {
        choosing::recognise(&self.state.shapes(), self.scheme, &self.prefix)
    }
}

/// Whether a tensor belongs to a loss or metric, on which no logit depends. Only complete words
/// count, because "symmetric" contains "metric".
fn is_of_loss(name: &str) -> bool {
    const WORDS: [&str; 5] = ["loss", "losses", "criterion", "metric", "metrics"];
    name.split(['.', '_']).any(|word| WORDS.contains(&word))
}
