//! The architectures, as tables to be read against the papers.

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
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// kernel / 2 on every side (torchvision, timm).
    Symmetric,
    /// TensorFlow's SAME: as little as needed, the odd pixel at the bottom and right.
    Same,
    /// What SAME gives at the architecture's own resolution, whatever the picture's: the
    /// package efficientnet_pytorch (`Conv2dStaticSamePadding`).
    StaticSame,
    /// The same, and nothing around the stem: DeepfakeBench's `efficientnetb4`, which puts a
    /// plain convolution there.
    StaticSameBareStem,
}

impl Padding {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Symmetric, Self::Same, Self::StaticSame, Self::StaticSameBareStem];

    /// Its name at the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "symmetric",
            Self::Same => "same",
            Self::StaticSame => "static-same",
            Self::StaticSameBareStem => "static-same-bare-stem",
        }
    }
}

impl fmt::Display for Padding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
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
    /// Side of the pictures it was published for, in pixels.
    pub res: usize,
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

/// Mean and deviation of ImageNet's pixels, per channel: torchvision, most of timm.
pub(super) const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// Those of Google's Lite code: (byte - 127) / 128.
pub(super) const BYTES: ([f32; 3], [f32; 3]) = ([127.0 / 255.0; 3], [128.0 / 255.0; 3]);

const fn row(repeats: usize, kernel: usize, stride: usize, expansion: usize, channels: usize) -> Row {
    Row { repeats, kernel, stride, expansion, channels }
}

/// Tan & Le 2019, table 1.
const B0_ROWS: [Row; 7] = [
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
    res: 224,
    stem: 32,
    rows: &B0_ROWS,
    head: 1280,
    activation: Activation::Silu,
    squeeze: Some(4),
    padding: Padding::Symmetric,
    bn_eps: 1e-5,
    dropout: 0.2,
    drop_path: 0.2,
    mean: IMAGENET.0,
    std: IMAGENET.1,
};

/// `channels` of B0 times `width` tenths, to the nearest multiple of 8, but at most a
/// tenth less (Google's `round_filters`).
const fn widened(channels: usize, width: usize) -> usize {
    let rounded = (channels * width + 40) / 80 * 8;
    let rounded = if rounded < 8 { 8 } else { rounded };
    if 100 * rounded < 9 * channels * width { rounded + 8 } else { rounded }
}

/// B0's stages, `width` tenths as wide and `depth` tenths as deep.
const fn scaled(width: usize, depth: usize) -> [Row; 7] {
    let mut rows = B0_ROWS;
    let mut index = 0;
    while index < rows.len() {
        rows[index].repeats = (rows[index].repeats * depth).div_ceil(10);
        rows[index].channels = widened(rows[index].channels, width);
        index += 1;
    }
    rows
}

/// One of B1 to B7, whose `rows` are [`scaled`] by the same `width`.
const fn larger(
    name: &'static str,
    width: usize,
    rows: &'static [Row],
    (res, dropout, bn_eps): (usize, f32, f32),
) -> Architecture {
    let (stem, head) = (widened(EFFICIENTNET_B0.stem, width), widened(EFFICIENTNET_B0.head, width));
    Architecture { name, res, stem, rows, head, dropout, bn_eps, ..EFFICIENTNET_B0 }
}

/// B1 to B7: width and depth in tenths (Tan & Le 2019; Google's `efficientnet_params`),
/// then resolution and dropout, and torchvision's epsilon.
const LARGER: [Architecture; 7] = [
    larger("efficientnet-b1", 10, &scaled(10, 11), (240, 0.2, 1e-5)),
    larger("efficientnet-b2", 11, &scaled(11, 12), (260, 0.3, 1e-5)),
    larger("efficientnet-b3", 12, &scaled(12, 14), (300, 0.3, 1e-5)),
    larger("efficientnet-b4", 14, &scaled(14, 18), (380, 0.4, 1e-5)),
    larger("efficientnet-b5", 16, &scaled(16, 22), (456, 0.4, 1e-3)),
    larger("efficientnet-b6", 18, &scaled(18, 26), (528, 0.5, 1e-3)),
    larger("efficientnet-b7", 20, &scaled(20, 31), (600, 0.5, 1e-3)),
];

/// EfficientNet-B4 with one logit: 17,550,409 parameters.
pub const EFFICIENTNET_B4: &Architecture = ARCHITECTURES[4];

/// EfficientNet-Lite0 (Google 2020): no squeeze-excite, ReLU6.
pub const EFFICIENTNET_LITE0: Architecture = Architecture {
    name: "efficientnet-lite0",
    activation: Activation::Relu6,
    squeeze: None,
    padding: Padding::Same,
    bn_eps: 1e-3,
    mean: BYTES.0,
    std: BYTES.1,
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
pub const ARCHITECTURES: [&Architecture; 10] = [
    &EFFICIENTNET_B0,
    &LARGER[0],
    &LARGER[1],
    &LARGER[2],
    &LARGER[3],
    &LARGER[4],
    &LARGER[5],
    &LARGER[6],
    &EFFICIENTNET_LITE0,
    &EFFICIENTNET_TINY,
];

/// Those whose weights a test can afford to draw; a stage of several blocks without
/// expansion is among them.
#[cfg(test)]
pub(crate) const LIGHT: [&Architecture; 4] =
    [&EFFICIENTNET_B0, &LARGER[0], &EFFICIENTNET_LITE0, &EFFICIENTNET_TINY];

/// An architecture was asked for that is not in the tables.
#[derive(Debug, thiserror::Error)]
#[error("architecture `{0}` is unknown; choose one of {names}", names = names())]
pub struct UnknownArchitecture(pub String);

/// All names, for messages.
pub(super) fn names() -> String {
    ARCHITECTURES.map(|architecture| architecture.name).join(", ")
}

impl Architecture {
    /// The architecture of that name.
    pub fn named(name: &str) -> Result<&'static Self, UnknownArchitecture> {
        let found = ARCHITECTURES.into_iter().find(|architecture| architecture.name == name);
        found.ok_or_else(|| UnknownArchitecture(name.to_owned()))
    }
}

impl FromStr for &'static Architecture {
    type Err = UnknownArchitecture;

    fn from_str(name: &str) -> Result<Self, UnknownArchitecture> {
        Architecture::named(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::Graph;

    /// torchvision's numbers of parameters with 1000 classes.
    const PUBLISHED: [usize; 8] =
        [5_288_548, 7_794_184, 9_109_994, 12_233_232, 19_341_616, 30_389_784, 43_040_704, 66_347_960];

    #[test]
    fn b0_to_b7_have_the_published_sizes() {
        for (number, parameters) in PUBLISHED.into_iter().enumerate() {
            let architecture = Architecture::named(&format!("efficientnet-b{number}")).unwrap();
            let graph = Graph::with_outputs(architecture, architecture.res, 1000).unwrap();
            assert_eq!(graph.parameter_count(), parameters, "{}", architecture.name);
        }
    }

    #[test]
    fn b4_is_the_published_table() {
        let rows: Vec<(usize, usize)> =
            EFFICIENTNET_B4.rows.iter().map(|row| (row.repeats, row.channels)).collect();
        assert_eq!(rows, [(2, 24), (4, 32), (4, 56), (6, 112), (6, 160), (8, 272), (2, 448)]);
        assert_eq!((EFFICIENTNET_B4.stem, EFFICIENTNET_B4.head, EFFICIENTNET_B4.res), (48, 1792, 380));
        assert_eq!(EFFICIENTNET_B4.name, "efficientnet-b4");
    }

    #[test]
    fn channels_are_multiples_of_4() {
        for architecture in ARCHITECTURES {
            let rows = architecture.rows.iter().map(|row| row.channels);
            let mut channels = rows.chain([architecture.stem, architecture.head]);
            assert!(channels.all(|channels| channels % 4 == 0), "{}", architecture.name);
        }
    }

    #[test]
    fn border_rules_are_named() {
        for padding in Padding::ALL {
            assert_eq!(padding.name().parse::<Padding>().unwrap(), padding);
            assert_eq!(serde_json::to_value(padding).unwrap(), padding.name());
        }
    }
}
