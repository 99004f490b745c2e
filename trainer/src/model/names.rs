//! The entries of a network's `state_dict` (the learned tensors and, after those of each
//! batch-norm, its running statistics and counter), with the names of torchvision, timm and
//! EfficientNet-PyTorch.

use super::graph::{Graph, Node, Op, ParamId};
use std::fmt;
use std::str::FromStr;

/// The content of an entry of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A learned tensor.
    Param(ParamId),
    /// The running mean of that batch-norm, \[C\].
    RunningMean(usize),
    /// The running variance of that batch-norm, \[C\].
    RunningVar(usize),
    /// The number of training batches of that batch-norm, one integer of shape [].
    BatchesTracked,
}

/// torch's name of a batch-norm's batch counter, in every scheme.
pub const BATCHES_TRACKED: &str = "num_batches_tracked";

/// One entry of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the chosen scheme: "features.0.1.running_mean".
    pub name: String,
    /// torch's shape.
    pub shape: Vec<usize>,
    /// Its content.
    pub content: Content,
}

/// A naming scheme of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// torchvision's `efficientnet_b0`: `features.1.0.block.0.0.weight`. dfrt uses it, too.
    Torchvision,
    /// timm's `efficientnet_b0`, `tf_efficientnet_b0`, …: `blocks.0.0.conv_dw.weight`.
    Timm,
    /// The packages `efficientnet_pytorch` and `efficientnet_lite_pytorch`:
    /// `_blocks.0._depthwise_conv.weight`.
    EfficientNetPytorch,
}

/// A scheme's name is unknown.
#[derive(Debug, thiserror::Error)]
#[error("names `{0}` are unknown; choose torchvision, timm or efficientnet-pytorch")]
pub struct UnknownScheme(String);

impl Scheme {
    /// All schemes, that of dfrt first.
    pub const ALL: [Self; 3] = [Self::Torchvision, Self::Timm, Self::EfficientNetPytorch];

    /// Its name at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torchvision => "torchvision",
            Self::Timm => "timm",
            Self::EfficientNetPytorch => "efficientnet-pytorch",
        }
    }

    /// The name of the first tensor of a state, by which the scheme is recognised.
    pub fn first(self) -> &'static str {
        match self {
            Self::Torchvision => "features.0.0.weight",
            Self::Timm => "conv_stem.weight",
            Self::EfficientNetPytorch => "_conv_stem.weight",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        let found = Self::ALL.into_iter().find(|scheme| scheme.name() == name);
        found.ok_or_else(|| UnknownScheme(name.to_owned()))
    }
}

/// Every entry with torchvision's names and in its order: 360 for EfficientNet-B0.
pub fn state(graph: &Graph) -> Vec<Entry> {
    state_in(graph, Scheme::Torchvision)
}

/// Every entry with the names of `scheme`, in the order of [`state`], which is also that of the
/// scheme's `state_dict`.
pub fn state_in(graph: &Graph, scheme: Scheme) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut walk = Walk::default();
    for node in &graph.nodes {
        let module = walk.module(node, graph.architecture.rows.len());
        let Some(module) = module.map(|module| module.name(node, scheme)) else { continue };
        for &id in &node.params {
            let param = &graph.params[id.0];
            let field = param.name.rsplit('.').next().expect("a name has a last part");
            let (name, shape) = (format!("{module}.{field}"), param.shape.clone());
            entries.push(Entry { name, shape, content: Content::Param(id) });
        }
        if let Some(index) = node.statistics {
            entries.extend(statistics(graph, index, &module));
        }
    }
    entries
}

fn statistics(graph: &Graph, index: usize, module: &str) -> [Entry; 3] {
    let channels = graph.statistics[index].channels;
    let entry = |field: &str, shape: Vec<usize>, content: Content| {
        let name = format!("{module}.{field}");
        Entry { name, shape, content }
    };
    [
        entry("running_mean", vec![channels], Content::RunningMean(index)),
        entry("running_var", vec![channels], Content::RunningVar(index)),
        entry(BATCHES_TRACKED, vec![], Content::BatchesTracked),
    ]
}

/// The position of a module with parameters in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Module {
    Stem { norm: bool },
    Block { stage: usize, repeat: usize, index: usize, expands: bool, part: Part, norm: bool },
    Head { norm: bool },
    Classifier,
}

/// The parts of an inverted residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Expand,
    Depthwise,
    Squeeze,
    Excite,
    Project,
}

/// The position of a walk over the nodes: the current block, and the part in it.
#[derive(Debug, Default)]
struct Walk {
    /// (stage, repeat) of the block.
    block: Option<(usize, usize)>,
    /// Number of blocks so far.
    begun: usize,
    expands: bool,
    part: Option<Part>,
}

impl Walk {
    /// The module of `node`; none if it has no parameters.
    fn module(&mut self, node: &Node, stages: usize) -> Option<Module> {
        if node.params.is_empty() {
            return None;
        }
        let norm = matches!(node.op, Op::BatchNorm(_));
        let mut parts = node.name.split('.');
        if parts.next() != Some("features") {
            return Some(Module::Classifier);
        }
        let mut number = || parts.next().and_then(|part| part.parse::<usize>().ok()).expect("features.i.j");
        let (stage, repeat) = (number(), number());
        if stage == 0 {
            return Some(Module::Stem { norm });
        }
        if stage > stages {
            return Some(Module::Head { norm });
        }
        if self.block != Some((stage, repeat)) {
            *self = Self { block: Some((stage, repeat)), begun: self.begun + 1, expands: false, part: None };
        }
        let part = self.next_part(node.op);
        self.part = Some(part);
        let index = self.begun - 1;
        Some(Module::Block { stage, repeat, index, expands: self.expands, part, norm })
    }

    fn next_part(&mut self, op: Op) -> Part {
        match (op, self.part) {
            (Op::Pointwise, None) => {
                self.expands = true;
                Part::Expand
            }
            (Op::Depthwise(_), _) => Part::Depthwise,
            (Op::Linear, Some(Part::Squeeze)) => Part::Excite,
            (Op::Linear, _) => Part::Squeeze,
            (Op::Pointwise, _) => Part::Project,
            (_, part) => part.expect("a batch-norm follows a convolution"),
        }
    }
}

impl Module {
    fn name(self, node: &Node, scheme: Scheme) -> String {
        match scheme {
            Scheme::Torchvision => node.name.clone(),
            Scheme::Timm => self.timm(),
            Scheme::EfficientNetPytorch => self.efficientnet_pytorch(),
        }
    }

    /// timm counts stages from 0, and its batch-norms within a block.
    fn timm(self) -> String {
        match self {
            Self::Stem { norm: false } => "conv_stem".to_owned(),
            Self::Stem { norm: true } => "bn1".to_owned(),
            Self::Head { norm: false } => "conv_head".to_owned(),
            Self::Head { norm: true } => "bn2".to_owned(),
            Self::Classifier => "classifier".to_owned(),
            Self::Block { stage, repeat, expands, part, norm, .. } => {
                let name = match (part, norm, expands) {
                    (Part::Expand, false, _) => "conv_pw",
                    (Part::Expand, true, _) | (Part::Depthwise, true, false) => "bn1",
                    (Part::Depthwise, false, _) => "conv_dw",
                    (Part::Depthwise, true, true) | (Part::Project, true, false) => "bn2",
                    (Part::Squeeze, ..) => "se.conv_reduce",
                    (Part::Excite, ..) => "se.conv_expand",
                    (Part::Project, false, true) => "conv_pwl",
                    (Part::Project, false, false) => "conv_pw",
                    (Part::Project, true, true) => "bn3",
                };
                format!("blocks.{}.{repeat}.{name}", stage - 1)
            }
        }
    }

    /// EfficientNet-PyTorch counts blocks through the network.
    fn efficientnet_pytorch(self) -> String {
        match self {
            Self::Stem { norm: false } => "_conv_stem".to_owned(),
            Self::Stem { norm: true } => "_bn0".to_owned(),
            Self::Head { norm: false } => "_conv_head".to_owned(),
            Self::Head { norm: true } => "_bn1".to_owned(),
            Self::Classifier => "_fc".to_owned(),
            Self::Block { index, part, norm, .. } => {
                let name = match (part, norm) {
                    (Part::Expand, false) => "_expand_conv",
                    (Part::Expand, true) => "_bn0",
                    (Part::Depthwise, false) => "_depthwise_conv",
                    (Part::Depthwise, true) => "_bn1",
                    (Part::Squeeze, _) => "_se_reduce",
                    (Part::Excite, _) => "_se_expand",
                    (Part::Project, false) => "_project_conv",
                    (Part::Project, true) => "_bn2",
                };
                format!("_blocks.{index}.{name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{ARCHITECTURES, EFFICIENTNET_B0, EFFICIENTNET_B4, EFFICIENTNET_LITE0};
    use std::collections::BTreeSet;

    /// The `state_dict` of torchvision's, timm's and EfficientNet-PyTorch's B0 with one
    /// class: lines of the three names and the sizes joined by "x" (nothing for a
    /// counter), tabs between.
    const B0: &str = include_str!("../../../fixtures/efficientnet_b0_state.tsv");
    /// The `state_dict` of B4 in the same form; it has a stage of two blocks without expansion.
    const B4: &str = include_str!("../../../fixtures/efficientnet_b4_state.tsv");
    /// The `state_dict` of Lite0 in the same form, for timm and EfficientNet-PyTorch.
    const LITE0: &str = include_str!("../../../fixtures/efficientnet_lite0_state.tsv");

    /// Lines of a scheme's name, tab, sizes.
    fn listed(graph: &Graph, scheme: Scheme) -> Vec<String> {
        let line = |entry: &Entry| {
            let sizes: Vec<String> = entry.shape.iter().map(usize::to_string).collect();
            format!("{}\t{}", entry.name, sizes.join("x"))
        };
        state_in(graph, scheme).iter().map(line).collect()
    }

    /// Lines of the name in column `scheme`, tab, sizes.
    fn known(table: &str, scheme: usize) -> Vec<String> {
        let line = |line: &str| {
            let columns: Vec<&str> = line.split('\t').collect();
            format!("{}\t{}", columns[scheme], columns.last().expect("a line has columns"))
        };
        table.lines().filter(|line| !line.starts_with('#')).map(line).collect()
    }

    #[test]
    fn b0_and_b4_list_the_known_states_in_their_order() {
        for (architecture, table, len) in [(&EFFICIENTNET_B0, B0, 360), (EFFICIENTNET_B4, B4, 706)] {
            let graph = Graph::new(architecture, 32).unwrap();
            for (column, scheme) in Scheme::ALL.into_iter().enumerate() {
                let listed = listed(&graph, scheme);
                assert_eq!(listed.len(), len);
                assert_eq!(listed, known(table, column), "{scheme}");
            }
        }
    }

    #[test]
    fn lite0_lists_the_known_states_in_their_order() {
        let graph = Graph::new(&EFFICIENTNET_LITE0, 32).unwrap();
        for (column, scheme) in [Scheme::Timm, Scheme::EfficientNetPytorch].into_iter().enumerate() {
            assert_eq!(listed(&graph, scheme), known(LITE0, column), "{scheme}");
        }
    }

    #[test]
    fn every_tensor_is_listed_once() {
        for architecture in ARCHITECTURES {
            let graph = Graph::new(architecture, 32).unwrap();
            for scheme in Scheme::ALL {
                let entries = state_in(&graph, scheme);
                let names: BTreeSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
                assert_eq!(names.len(), entries.len(), "{}", architecture.name);
                assert_eq!(entries.len(), graph.params.len() + 3 * graph.statistics.len());
                assert_eq!(entries[0].name, scheme.first());
            }
        }
    }

    #[test]
    fn schemes_are_named() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.name().parse::<Scheme>().unwrap(), scheme);
        }
        assert!("keras".parse::<Scheme>().unwrap_err().to_string().contains("timm"));
    }
}
