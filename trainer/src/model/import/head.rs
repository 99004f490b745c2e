//! The last layer of a detector of another program, which may have any name, and two logits
//! instead of one.

use super::super::graph::Graph;
use super::super::weights::{Tensor, WeightsError};
use super::{Head, ImportError, Source};

/// A linear layer of a file that could be the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Its name in the file: "fc", "backbone.last_layer".
    pub name: String,
    /// Number of outputs.
    pub outputs: usize,
}

impl Layer {
    /// The names of its weight and bias.
    pub fn tensors(&self) -> [String; 2] {
        ["weight", "bias"].map(|field| format!("{}.{field}", self.name))
    }
}

/// The last layer of a file, converted to the outputs of the network.
#[derive(Clone, Debug)]
pub(super) struct LastLayer {
    pub head: Head,
    pub layer: Layer,
    /// Whether the file has its bias; otherwise `bias` is 0.
    pub biased: bool,
    /// [outputs, channels].
    pub weight: Tensor,
    /// \[outputs\].
    pub bias: Tensor,
}

impl Source {
    /// The linear layers with `channels` inputs, which is the number of the network's features.
    pub(super) fn layers(&self, channels: usize) -> Vec<Layer> {
        let layer = |(name, tensor): (&String, &Tensor)| match tensor.shape[..] {
            [outputs, inputs] if inputs == channels => {
                Some(Layer { name: name.strip_suffix(".weight")?.to_owned(), outputs })
            }
            _ => None,
        };
        self.state
            .tensors
            .iter()
            .filter(|(name, _)| !self.is_in_other_network(name))
            .filter_map(layer)
            .collect()
    }

    /// Whether a tensor belongs to another network in the same state.
    pub(super) fn is_in_other_network(&self, name: &str) -> bool {
        let own = if name.starts_with(&self.prefix) { self.prefix.len() } else { 0 };
        self.other_prefixes.iter().any(|other| other.len() > own && name.starts_with(other))
    }

    /// The last layer of the file; none if a new one is chosen. `own` is its name in the scheme of
    /// the file.
    pub(super) fn head(&self, graph: &Graph, own: &str) -> Result<Option<LastLayer>, ImportError> {
        if self.choices.new_head {
            return Ok(None);
        }
        let layers = self.layers(graph.architecture.head);
        let layer = match &self.choices.head {
            Some(requested) => self.named_head(&layers, requested)?,
            None => self.only_head(graph, &layers, own)?,
        };
        self.converted(graph, layer).map(Some)
    }

    fn named_head(&self, layers: &[Layer], requested: &str) -> Result<Layer, ImportError> {
        let requested = requested.strip_suffix(".weight").unwrap_or(requested);
        let inside = format!("{}{requested}", self.prefix);
        let behind = format!(".{requested}");
        let exact = layers.iter().find(|layer| layer.name == requested || layer.name == inside);
        let mut ending = layers.iter().filter(|layer| layer.name.ends_with(&behind));
        match (exact, ending.next(), ending.next()) {
            (Some(layer), ..) | (None, Some(layer), None) => Ok(layer.clone()),
            _ => Err(ImportError::NoHead {
                path: self.path.clone(),
                requested: requested.to_owned(),
                known: listing(layers),
            }),
        }
    }

    /// The only layer with as many outputs as a detector has, whatever its name.
    fn only_head(&self, graph: &Graph, layers: &[Layer], own: &str) -> Result<Layer, ImportError> {
        let fits = |layer: &&Layer| match graph.outputs() {
            1 => (1..=2).contains(&layer.outputs),
            outputs => layer.outputs == outputs,
        };
        let fitting: Vec<Layer> = layers.iter().filter(fits).cloned().collect();
        match fitting.as_slice() {
            [layer] => Ok(layer.clone()),
            [] => {
                let layer = layers.iter().find(|layer| layer.name == own).or(layers.first());
                let found = match layer {
                    Some(layer) => {
                        format!("its last layer `{}` has {} outputs", layer.name, layer.outputs)
                    }
                    None => {
                        format!("no layer of it reads the network's {} features", graph.architecture.head)
                    }
                };
                Err(ImportError::NeedsNewHead { path: self.path.clone(), found })
            }
            several => Err(ImportError::SeveralHeads { path: self.path.clone(), layers: listing(several) }),
        }
    }

    /// The weight and bias of a layer, converted to the outputs of the network.
    fn converted(&self, graph: &Graph, layer: Layer) -> Result<LastLayer, ImportError> {
        let channels = graph.architecture.head;
        let [weight, name] = layer.tensors();
        let weight = self.state.tensors[&weight].clone();
        let zero = || Tensor { shape: vec![layer.outputs], values: vec![0.0; layer.outputs] };
        let held = self.state.tensors.get(&name).cloned();
        let biased = held.is_some();
        let bias = held.unwrap_or_else(zero);
        if bias.shape != [layer.outputs] {
            let (file, found, expected) = (self.path.clone(), bias.shape, vec![layer.outputs]);
            let advice = "choose another layer with --head, or a new one with --new-head".to_owned();
            return Err(WeightsError::WrongShape { file, name, found, expected, advice }.into());
        }
        let fake = self.choices.fake_index;
        if let Some(fake) = fake.filter(|&fake| fake >= layer.outputs.max(2)) {
            let (path, outputs) = (self.path.clone(), layer.outputs);
            return Err(ImportError::FakeIndex { path, fake, outputs });
        }
        match (layer.outputs, graph.outputs()) {
            (2, 1) => {
                let fake = fake.unwrap_or(1);
                let head = Head::Merged { outputs: 2, fake_index: fake };
                let difference = |values: &[f32], length: usize| {
                    let (first, second) = values.split_at(length);
                    let (fake, real) = if fake == 1 { (second, first) } else { (first, second) };
                    fake.iter().zip(real).map(|(fake, real)| fake - real).collect::<Vec<f32>>()
                };
                let weight =
                    Tensor { shape: vec![1, channels], values: difference(&weight.values, channels) };
                let bias = Tensor { shape: vec![1], values: difference(&bias.values, 1) };
                Ok(LastLayer { head, layer, biased, weight, bias })
            }
            // A single logit that is high for real.
            (1, 1) if fake == Some(0) => {
                let negated = |tensor: &Tensor| Tensor {
                    shape: tensor.shape.clone(),
                    values: tensor.values.iter().map(|value| -value).collect(),
                };
                let head = Head::Merged { outputs: 1, fake_index: 0 };
                Ok(LastLayer { head, weight: negated(&weight), bias: negated(&bias), layer, biased })
            }
            (found, wanted) if found == wanted => {
                Ok(LastLayer { head: Head::Kept, layer, biased, weight, bias })
            }
            (outputs, _) => {
                let found = format!("`{}` has {outputs} outputs", layer.name);
                Err(ImportError::NeedsNewHead { path: self.path.clone(), found })
            }
        }
    }
}

/// "`fc` [1], `classifier` [1000]".
fn listing(layers: &[Layer]) -> String {
    if layers.is_empty() {
        return "none".to_owned();
    }
    let text = |layer: &Layer| format!("`{}` with {} outputs", layer.name, layer.outputs);
    layers.iter().map(text).collect::<Vec<_>>().join(", ")
}
