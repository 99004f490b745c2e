//! An architecture expanded, once, into the list of nodes that forward,
//! backward, the CPU reference, the weight names and the ONNX writer all walk.

use super::arch::{ARCHITECTURES, Activation, Architecture, Padding};

/// An intermediate result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub usize);

/// A learned tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(pub usize);

/// The geometry of a spatial convolution, without the batch. H, W: input; OH, OW: output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Input height.
    pub h: usize,
    /// Input width.
    pub w: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Stride in both directions.
    pub stride: usize,
    /// Rows of zeros above.
    pub pad_top: usize,
    /// Columns of zeros to the left.
    pub pad_left: usize,
    /// Rows of zeros below.
    pub pad_bottom: usize,
    /// Columns of zeros to the right.
    pub pad_right: usize,
    /// Output height.
    pub oh: usize,
    /// Output width.
    pub ow: usize,
}

impl Window {
    /// A `kernel` x `kernel` convolution over h x w with kernel / 2 zeros on every side.
    pub fn symmetric((h, w): (usize, usize), kernel: usize, stride: usize) -> Self {
        let pads = (kernel / 2, kernel / 2);
        Self::padded((h, w), kernel, stride, pads, pads)
    }

    /// A `kernel` x `kernel` convolution over h x w with TensorFlow's SAME padding.
    pub fn same((h, w): (usize, usize), kernel: usize, stride: usize) -> Self {
        Self::padded((h, w), kernel, stride, same(h, kernel, stride), same(w, kernel, stride))
    }

    /// A `kernel` x `kernel` convolution over h x w with the given pads (before, after) along each axis.
    fn padded(
        (h, w): (usize, usize),
        kernel: usize,
        stride: usize,
        (pad_top, pad_bottom): (usize, usize),
        (pad_left, pad_right): (usize, usize),
    ) -> Self {
        let oh = (h + pad_top + pad_bottom - kernel) / stride + 1;
        let ow = (w + pad_left + pad_right - kernel) / stride + 1;
        Self { h, w, kernel, stride, pad_top, pad_left, pad_bottom, pad_right, oh, ow }
    }
}

/// TensorFlow's SAME pads (before, after) along an axis of `size`.
fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let out = size.div_ceil(stride);
    let total = ((out - 1) * stride + kernel).saturating_sub(size);
    (total / 2, total - total / 2)
}

/// What a node computes. Inputs and parameters are listed in this order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// (pixel - mean) / std.
    Normalise,
    /// Dense convolution; parameters: weight.
    Convolution(Window),
    /// 1x1 convolution; parameters: weight.
    Pointwise,
    /// Depthwise convolution; parameters: weight.
    Depthwise(Window),
    /// Batch-norm, then the activation; parameters: weight (gamma), bias (beta).
    BatchNorm(Activation),
    /// Mean over all positions.
    GlobalAveragePool,
    /// x W^T + b; parameters: weight, bias. In squeeze-excite these are 1x1 convolutions.
    Linear,
    /// An activation, element by element.
    Activation(Activation),
    /// Features times one gate for each channel; inputs: features, gate.
    Scale,
    /// skip + branch; in training the branch is dropped at this rate; inputs: skip, branch.
    Residual {
        /// Probability that a sample's branch is dropped.
        drop_path: f32,
    },
    /// Dropout in training at this rate.
    Dropout {
        /// Probability that an element is dropped.
        rate: f32,
    },
}

/// Height, width and channels of a value for one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Height; 1 after the pool.
    pub h: usize,
    /// Width; 1 after the pool.
    pub w: usize,
    /// Channels.
    pub c: usize,
}

impl Extent {
    /// h * w.
    pub fn area(self) -> usize {
        self.h * self.w
    }

    /// h * w * c.
    pub fn len(self) -> usize {
        self.h * self.w * self.c
    }

    /// Whether it has no elements; never in a graph.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// One operation of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// torchvision's name of the module: "features.0.1", "features.1.0.block.2.fc1", …
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// The values that it reads.
    pub inputs: Vec<ValueId>,
    /// The value that it computes.
    pub output: ValueId,
    /// Its learned tensors, in the op's order.
    pub params: Vec<ParamId>,
    /// For a batch-norm: its index into [`Graph::statistics`].
    pub statistics: Option<usize>,
}

/// The role of a learned tensor, which determines its memory layout and initialisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weight of a dense convolution, torch shape [CO, CI, K, K].
    Convolution,
    /// Weight of a 1x1 convolution, torch shape [CO, CI, 1, 1].
    Pointwise,
    /// Weight of a depthwise convolution, torch shape [C, 1, K, K].
    Depthwise,
    /// Weight of a linear layer [M, K], or of a squeeze-excite 1x1 convolution [M, K, 1, 1].
    Linear,
    /// Bias \[M\].
    Bias,
    /// Batch-norm's gamma \[C\].
    Gamma,
    /// Batch-norm's beta \[C\].
    Beta,
}

/// A learned tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// torchvision's name: "features.0.0.weight".
    pub name: String,
    /// torch's shape.
    pub shape: Vec<usize>,
    /// Its role.
    pub role: Role,
}

impl Parameter {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements; never in a graph.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A batch-norm's running statistics: `<name>.running_mean`, `<name>.running_var`, each \[C\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningStatistics {
    /// torchvision's name of the batch-norm.
    pub name: String,
    /// Channels.
    pub channels: usize,
}

/// An architecture at a resolution.
#[derive(Clone, Debug)]
pub struct Graph {
    /// The table it was expanded from.
    pub architecture: Architecture,
    /// Side of the input in pixels; see [`BadResolution`] for the allowed ones.
    pub res: usize,
    /// The nodes, each after those that it reads.
    pub nodes: Vec<Node>,
    /// Extents of the values, by [`ValueId`].
    pub values: Vec<Extent>,
    /// The learned tensors, by [`ParamId`].
    pub params: Vec<Parameter>,
    /// The batch-norms' running statistics, by [`Node::statistics`].
    pub statistics: Vec<RunningStatistics>,
    /// The pixels, res x res x 3.
    pub input: ValueId,
    /// The logit, 1 x 1 x 1 (or 1 x 1 x outputs).
    pub logit: ValueId,
    /// Outputs of `features.0`, `features.1`, …: the taps at which statistics can be perturbed.
    pub features: Vec<ValueId>,
}

/// The resolution does not fit the strides.
#[derive(Debug, thiserror::Error)]
#[error("resolution {0} cannot be used; choose a multiple of 32 from 32 up to 2048 (from 64 if the stem has no padding), or one of {sides}", sides = sides())]
pub struct BadResolution(pub usize);

/// Sides that are not multiples of 32, but that EfficientNets were published for.
fn published() -> impl Iterator<Item = usize> {
    ARCHITECTURES.into_iter().map(|architecture| architecture.res).filter(|res| !res.is_multiple_of(32))
}

fn sides() -> String {
    published().map(|side| side.to_string()).collect::<Vec<_>>().join(", ")
}

impl BadResolution {
    /// Checks that an architecture can take pictures of side `res`.
    fn check(res: usize, padding: Padding) -> Result<(), Self> {
        // Without padding the last stride would have fewer pixels than its kernel.
        let least = if padding == Padding::StaticSameBareStem { 64 } else { 32 };
        let multiple = res.is_multiple_of(32) && (least..=2048).contains(&res);
        if multiple || published().any(|side| side == res) { Ok(()) } else { Err(Self(res)) }
    }
}

impl Graph {
    /// Expands `architecture` for pictures of side `res`, with one logit.
    ///
    /// # Errors
    /// A resolution that the architecture cannot have.
    pub fn new(architecture: &Architecture, res: usize) -> Result<Self, BadResolution> {
        Self::with_outputs(architecture, res, 1)
    }

    /// Expands `architecture` for pictures of side `res`, with `outputs` outputs. Detectors have one
    /// logit; only evaluation supports more.
    ///
    /// # Errors
    /// A resolution that the architecture cannot have.
    pub fn with_outputs(
        architecture: &Architecture,
        res: usize,
        outputs: usize,
    ) -> Result<Self, BadResolution> {
        BadResolution::check(res, architecture.padding)?;
        let mut graph = Self {
            architecture: architecture.clone(),
            res,
            nodes: Vec::new(),
            values: vec![Extent { h: res, w: res, c: 3 }],
            params: Vec::new(),
            statistics: Vec::new(),
            input: ValueId(0),
            logit: ValueId(0),
            features: Vec::new(),
        };
        graph.expand(outputs);
        Ok(graph)
    }

    /// Number of learned values.
    pub fn parameter_count(&self) -> usize {
        self.params.iter().map(Parameter::len).sum()
    }

    /// The extent of a value.
    pub fn extent(&self, value: ValueId) -> Extent {
        self.values[value.0]
    }

    /// Number of outputs for one picture: 1 for a detector.
    pub fn outputs(&self) -> usize {
        self.extent(self.logit).len()
    }

    /// The linear layer that computes the logit.
    pub fn last_layer(&self) -> &Node {
        let made = self.nodes.iter().find(|node| node.output == self.logit);
        made.expect("a node computes the logit")
    }

    /// The learned tensor with that torchvision name.
    pub fn param_named(&self, name: &str) -> Option<ParamId> {
        self.params.iter().position(|param| param.name == name).map(ParamId)
    }

    /// Multiply-adds of one forward pass of one picture, convolutions and linear layers.
    pub fn multiply_adds(&self) -> u64 {
        let node = |node: &Node| {
            let out = self.extent(node.output);
            let weight = node.params.first().map(|&param| &self.params[param.0]);
            match (node.op, weight) {
                (Op::Linear, Some(weight)) => weight.len() as u64,
                (Op::Convolution(_) | Op::Pointwise | Op::Depthwise(_), Some(weight)) => {
                    (out.area() * weight.len()) as u64
                }
                _ => 0,
            }
        };
        self.nodes.iter().map(node).sum()
    }

    fn expand(&mut self, outputs: usize) {
        let table = self.architecture.clone();
        let pixels = self.node("normalise", Op::Normalise, &[self.input], vec![], self.extent(self.input));
        let mut x = self.convolution("features.0.0", pixels, table.stem, 3, 2);
        x = self.batch_norm("features.0.1", x, table.activation);
        self.features.push(x);
        let blocks: usize = table.rows.iter().map(|row| row.repeats).sum();
        let mut index = 0;
        for (stage, row) in table.rows.iter().enumerate() {
            for repeat in 0..row.repeats {
                let stride = if repeat == 0 { row.stride } else { 1 };
                let drop_path = table.drop_path * index as f32 / blocks as f32;
                let name = format!("features.{}.{repeat}.block", stage + 1);
                x = self.block(&name, x, (row.kernel, stride, row.expansion, row.channels), drop_path);
                index += 1;
            }
            self.features.push(x);
        }
        let head = format!("features.{}", table.rows.len() + 1);
        x = self.pointwise(&format!("{head}.0"), x, table.head);
        x = self.batch_norm(&format!("{head}.1"), x, table.activation);
        self.features.push(x);
        x = self.pool("avgpool", x);
        let extent = self.extent(x);
        x = self.node("classifier.0", Op::Dropout { rate: table.dropout }, &[x], vec![], extent);
        self.logit = self.linear("classifier.1", x, outputs, false);
    }

    /// An inverted residual block; `shape` is kernel, stride, expansion, channels.
    fn block(
        &mut self,
        name: &str,
        input: ValueId,
        (kernel, stride, expansion, channels): (usize, usize, usize, usize),
        drop_path: f32,
    ) -> ValueId {
        let table = self.architecture.clone();
        let entering = self.extent(input).c;
        let mut part = 0..;
        let mut next = || format!("{name}.{}", part.next().expect("endless"));
        let mut x = input;
        if expansion != 1 {
            let name = next();
            x = self.pointwise(&format!("{name}.0"), x, entering * expansion);
            x = self.batch_norm(&format!("{name}.1"), x, table.activation);
        }
        let depthwise = next();
        x = self.depthwise(&format!("{depthwise}.0"), x, kernel, stride);
        x = self.batch_norm(&format!("{depthwise}.1"), x, table.activation);
        if let Some(ratio) = table.squeeze {
            x = self.squeeze_excite(&next(), x, (entering / ratio).max(1));
        }
        let project = next();
        x = self.pointwise(&format!("{project}.0"), x, channels);
        x = self.batch_norm(&format!("{project}.1"), x, Activation::Identity);
        if stride == 1 && entering == channels {
            let name = name.trim_end_matches(".block");
            let extent = self.extent(x);
            x = self.node(name, Op::Residual { drop_path }, &[input, x], vec![], extent);
        }
        x
    }

    fn squeeze_excite(&mut self, name: &str, x: ValueId, squeezed: usize) -> ValueId {
        let extent = self.extent(x);
        let mut gate = self.pool(&format!("{name}.avgpool"), x);
        gate = self.linear(&format!("{name}.fc1"), gate, squeezed, true);
        gate = self.activation(&format!("{name}.activation"), gate, self.architecture.activation);
        gate = self.linear(&format!("{name}.fc2"), gate, extent.c, true);
        gate = self.activation(&format!("{name}.scale_activation"), gate, Activation::Sigmoid);
        self.node(name, Op::Scale, &[x, gate], vec![], extent)
    }

    fn convolution(
        &mut self,
        name: &str,
        x: ValueId,
        channels: usize,
        kernel: usize,
        stride: usize,
    ) -> ValueId {
        let from = self.extent(x);
        let window = self.window(from, kernel, stride);
        let weight = self.param(name, "weight", vec![channels, from.c, kernel, kernel], Role::Convolution);
        let extent = Extent { h: window.oh, w: window.ow, c: channels };
        self.node(name, Op::Convolution(window), &[x], vec![weight], extent)
    }

    fn pointwise(&mut self, name: &str, x: ValueId, channels: usize) -> ValueId {
        let from = self.extent(x);
        let weight = self.param(name, "weight", vec![channels, from.c, 1, 1], Role::Pointwise);
        self.node(name, Op::Pointwise, &[x], vec![weight], Extent { c: channels, ..from })
    }

    fn depthwise(&mut self, name: &str, x: ValueId, kernel: usize, stride: usize) -> ValueId {
        let from = self.extent(x);
        let window = self.window(from, kernel, stride);
        let weight = self.param(name, "weight", vec![from.c, 1, kernel, kernel], Role::Depthwise);
        let extent = Extent { h: window.oh, w: window.ow, c: from.c };
        self.node(name, Op::Depthwise(window), &[x], vec![weight], extent)
    }

    /// The window of the next spatial convolution, whose input has the extent `from`.
    fn window(&self, from: Extent, kernel: usize, stride: usize) -> Window {
        let spatial = self.nodes.iter().filter_map(|node| match node.op {
            Op::Convolution(window) | Op::Depthwise(window) => Some(window),
            _ => None,
        });
        let strides: Vec<usize> = spatial.map(|window| window.stride).collect();
        let extent = (from.h, from.w);
        let pads = match self.architecture.padding {
            Padding::Symmetric => return Window::symmetric(extent, kernel, stride),
            Padding::Same => return Window::same(extent, kernel, stride),
            Padding::StaticSameBareStem if strides.is_empty() => (0, 0),
            Padding::StaticSame | Padding::StaticSameBareStem => {
                let size = strides.iter().fold(self.architecture.res, |size, &stride| size.div_ceil(stride));
                same(size, kernel, stride)
            }
        };
        Window::padded(extent, kernel, stride, pads, pads)
    }

    fn batch_norm(&mut self, name: &str, x: ValueId, activation: Activation) -> ValueId {
        let extent = self.extent(x);
        let gamma = self.param(name, "weight", vec![extent.c], Role::Gamma);
        let beta = self.param(name, "bias", vec![extent.c], Role::Beta);
        let output = self.node(name, Op::BatchNorm(activation), &[x], vec![gamma, beta], extent);
        let node = self.nodes.last_mut().expect("just added");
        node.statistics = Some(self.statistics.len());
        self.statistics.push(RunningStatistics { name: name.to_owned(), channels: extent.c });
        output
    }

    fn pool(&mut self, name: &str, x: ValueId) -> ValueId {
        let extent = Extent { h: 1, w: 1, c: self.extent(x).c };
        self.node(name, Op::GlobalAveragePool, &[x], vec![], extent)
    }

    fn activation(&mut self, name: &str, x: ValueId, activation: Activation) -> ValueId {
        let extent = self.extent(x);
        self.node(name, Op::Activation(activation), &[x], vec![], extent)
    }

    fn linear(&mut self, name: &str, x: ValueId, outputs: usize, as_convolution: bool) -> ValueId {
        let inputs = self.extent(x).c;
        let shape = if as_convolution { vec![outputs, inputs, 1, 1] } else { vec![outputs, inputs] };
        let weight = self.param(name, "weight", shape, Role::Linear);
        let bias = self.param(name, "bias", vec![outputs], Role::Bias);
        self.node(name, Op::Linear, &[x], vec![weight, bias], Extent { h: 1, w: 1, c: outputs })
    }

    fn param(&mut self, module: &str, field: &str, shape: Vec<usize>, role: Role) -> ParamId {
        self.params.push(Parameter { name: format!("{module}.{field}"), shape, role });
        ParamId(self.params.len() - 1)
    }

    fn node(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[ValueId],
        params: Vec<ParamId>,
        extent: Extent,
    ) -> ValueId {
        let output = ValueId(self.values.len());
        self.values.push(extent);
        self.nodes.push(Node {
            name: name.to_owned(),
            op,
            inputs: inputs.to_vec(),
            output,
            params,
            statistics: None,
        });
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_B0, EFFICIENTNET_B4, EFFICIENTNET_TINY};

    #[test]
    fn b0_has_the_published_size() {
        let graph = Graph::new(&EFFICIENTNET_B0, 224).unwrap();
        assert_eq!(graph.parameter_count(), 4_008_829);
        // 385.8 M with the 1000-class layer, of which one logit keeps 1280.
        let published = 385.8e6 - 1280.0 * 999.0;
        assert!((graph.multiply_adds() as f64 / published - 1.0).abs() < 2e-3);
    }

    #[test]
    fn b0_names_are_torchvisions() {
        let graph = Graph::new(&EFFICIENTNET_B0, 32).unwrap();
        // 213 learned tensors, 49 batch-norms with 3 state entries each.
        assert_eq!(graph.params.len() + 3 * graph.statistics.len(), 360);
        for (name, shape) in [
            ("features.0.0.weight", vec![32, 3, 3, 3]),
            ("features.1.0.block.1.fc1.weight", vec![8, 32, 1, 1]),
            ("features.2.1.block.2.fc2.bias", vec![144]),
            ("features.7.0.block.3.0.weight", vec![320, 1152, 1, 1]),
            ("features.8.1.weight", vec![1280]),
            ("classifier.1.weight", vec![1, 1280]),
        ] {
            let id = graph.param_named(name).unwrap_or_else(|| panic!("{name} is missing"));
            assert_eq!(graph.params[id.0].shape, shape, "{name}");
        }
    }

    #[test]
    fn tiny_has_about_a_tenth_of_a_million_parameters() {
        let graph = Graph::new(&EFFICIENTNET_TINY, 64).unwrap();
        assert_eq!(graph.parameter_count(), 95_129);
    }

    #[test]
    fn resolutions_are_multiples_of_32() {
        for architecture in ARCHITECTURES {
            for res in [32, 64, 96, 224, 260, 380] {
                let graph = Graph::new(architecture, res).unwrap();
                assert_eq!(graph.extent(graph.logit).len(), 1);
            }
            for res in [0, 16, 33, 100, 4096] {
                assert!(Graph::new(architecture, res).is_err());
            }
        }
    }

    #[test]
    fn static_pads_are_those_of_the_published_resolution() {
        let of = |padding, res| {
            let architecture = Architecture { padding, ..EFFICIENTNET_B4.clone() };
            let graph = Graph::new(&architecture, res).unwrap();
            let halving = graph.nodes.iter().filter_map(|node| match node.op {
                Op::Convolution(window) | Op::Depthwise(window) if window.stride == 2 => Some(window),
                _ => None,
            });
            halving.map(|window| (window.pad_top, window.pad_bottom, window.oh)).collect::<Vec<_>>()
        };
        // 380 -> 190 -> 95 -> 48: SAME pads the third on both sides, at 256 it would not.
        let own = [(0, 1, 190), (0, 1, 95), (2, 2, 48), (0, 1, 24), (1, 2, 12)];
        assert_eq!(of(Padding::StaticSame, 380), own);
        assert_eq!(of(Padding::Same, 380), own);
        assert_eq!(
            of(Padding::StaticSame, 256),
            [(0, 1, 128), (0, 1, 64), (2, 2, 32), (0, 1, 16), (1, 2, 8)]
        );
        assert_eq!(of(Padding::Same, 256), [(0, 1, 128), (0, 1, 64), (1, 2, 32), (0, 1, 16), (1, 2, 8)]);
        assert_eq!(
            of(Padding::StaticSameBareStem, 256),
            [(0, 0, 127), (0, 1, 63), (2, 2, 32), (0, 1, 16), (1, 2, 8)]
        );
    }

    #[test]
    fn every_resolution_has_a_picture_left_at_the_end() {
        for architecture in ARCHITECTURES {
            for padding in Padding::ALL {
                let architecture = Architecture { padding, ..architecture.clone() };
                for res in [32, 64, 96, 128, 260, 380, 600] {
                    let bare = padding == Padding::StaticSameBareStem;
                    let made = Graph::new(&architecture, res);
                    assert_eq!(made.is_ok(), !(bare && res == 32), "{} {padding} {res}", architecture.name);
                }
            }
        }
    }

    #[test]
    fn same_padding_puts_the_odd_pixel_last() {
        let window = Window::same((96, 95), 3, 2);
        assert_eq!((window.oh, window.pad_top, window.pad_bottom), (48, 0, 1));
        assert_eq!((window.ow, window.pad_left, window.pad_right), (48, 1, 1));
        let window = Window::same((7, 7), 5, 1);
        assert_eq!((window.oh, window.pad_top, window.pad_bottom), (7, 2, 2));
    }
}
