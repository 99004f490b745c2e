//! The architectures, as tables to be read against the papers.

use super::conventions::BadConvention;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The non-linearity after a batch-norm and inside squeeze-excite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// y = x.
    Identity,
    /// y = x * sigmoid(x) (Swish).
    Silu,
    /// y = min(max(x, 0), 6).
    Relu6,
    /// y = 1 / (1 + exp(-x)).
    Sigmoid,
}

/// How a convolution meets the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// kernel / 2 on every side (torchvision, timm).
    Symmetric,
    /// TensorFlow's SAME: as little as needed, the odd pixel at the bottom and right.
    Same,
}

impl fmt::Display for Padding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Symmetric => "symmetric",
            Self::Same => "same",
        })
    }
}

impl FromStr for Padding {
    type Err = BadConvention;

    fn from_str(name: &str) -> Result<Self, BadConvention> {
        match name {
            "symmetric" => Ok(Self::Symmetric),
            "same" => Ok(Self::Same),
            _ => Err(BadConvention::Padding(name.to_owned())),
        }
    }
}

/// A stage of inverted residual blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Blocks in the stage.
    pub repeats: usize,
    /// Side of the depthwise kernel.
    pub kernel: usize,
    /// Stride of the first block.
    pub stride: usize,
    /// Expanded channels / input channels.
    pub expansion: usize,
    /// Output channels.
    pub channels: usize,
}

/// An EfficientNet as a table. Channel counts are multiples of 4.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Its name at the command line.
    pub name: &'static str,
    /// Channels of the stem's 3x3 stride-2 convolution.
    pub stem: usize,
    /// The stages.
    pub rows: &'static [Row],
    /// Channels of the 1x1 convolution before the pool.
    pub head: usize,
    /// After every batch-norm but the projections'.
    pub activation: Activation,
    /// Squeezed channels = block's input channels / this; none without squeeze-excite.
    pub squeeze: Option<usize>,
    /// Border rule of every spatial convolution.
    pub padding: Padding,
    /// Under the root of every batch-norm.
    pub bn_eps: f32,
    /// Dropout rate before the last linear layer.
    pub dropout: f32,
    /// Drop-path rate of the last block; block i of n gets rate * i / n.
    pub drop_path: f32,
    /// Subtracted from pixels in \[0, 1\], per channel.
    pub mean: [f32; 3],
    /// Divides them after that.
    pub std: [f32; 3],
}

const fn row(repeats: usize, kernel: usize, stride: usize, expansion: usize, channels: usize) -> Row {
    Row { repeats, kernel, stride, expansion, channels }
}

/// Tan & Le 2019, table 1.
const B0_ROWS: &[Row] = &[
    row(1, 3, 1, 1, 16),
    row(2, 3, 2, 6, 24),
    row(2, 5, 2, 6, 40),
    row(3, 3, 2, 6, 80),
    row(3, 5, 1, 6, 112),
    row(4, 5, 2, 6, 192),
    row(1, 3, 1, 6, 320),
];

/// Ours, for tests and the demo: every kind of block once, about 0.1 M parameters.
const TINY_ROWS: &[Row] =
    &[row(1, 3, 1, 1, 16), row(1, 3, 2, 4, 24), row(1, 5, 2, 4, 40), row(2, 3, 2, 4, 64)];

/// EfficientNet-B0 with one logit: 4,008,829 parameters.
pub const EFFICIENTNET_B0: Architecture = Architecture {
    name: "efficientnet-b0",
    stem: 32,
    rows: B0_ROWS,
    head: 1280,
    activation: Activation::Silu,
    squeeze: Some(4),
    padding: Padding::Symmetric,
    bn_eps: 1e-5,
    dropout: 0.2,
    drop_path: 0.2,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
};

/// EfficientNet-Lite0 (Google 2020): no squeeze-excite, ReLU6.
pub const EFFICIENTNET_LITE0: Architecture = Architecture {
    name: "efficientnet-lite0",
    activation: Activation::Relu6,
    squeeze: None,
    padding: Padding::Same,
    bn_eps: 1e-3,
    mean: [127.0 / 255.0; 3],
    std: [128.0 / 255.0; 3],
    ..EFFICIENTNET_B0
};

/// The small one for tests and the demo.
pub const EFFICIENTNET_TINY: Architecture = Architecture {
    name: "efficientnet-tiny",
    stem: 16,
    rows: TINY_ROWS,
    head: 192,
    dropout: 0.1,
    drop_path: 0.1,
    ..EFFICIENTNET_B0
};

/// Every architecture, the default first.
pub const ARCHITECTURES: [&Architecture; 3] = [&EFFICIENTNET_B0, &EFFICIENTNET_LITE0, &EFFICIENTNET_TINY];

/// An architecture was asked for that is not in the tables.
#[derive(Debug, thiserror::Error)]
#[error("architecture `{0}` is unknown; choose one of {names}", names = names())]
pub struct UnknownArchitecture(pub String);

fn names() -> String {
    ARCHITECTURES.map(|architecture| architecture.name).join(", ")
}

impl Architecture {
    /// The architecture of that name.
    pub fn named(name: &str) -> Result<&'static Self, UnknownArchitecture> {
        let found = ARCHITECTURES.into_iter().find(|architecture| architecture.name == name);
        found.ok_or_else(|| UnknownArchitecture(name.to_owned()))
    }
}
