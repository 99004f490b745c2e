//! EfficientNet-B0 (Tan & Le 2019) as torchvision defines it, with one logit. It has no dropout
//! and no drop-path, which these measurements do not use, and burn's own initial weights,
//! because the time of a step does not depend on them.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::{Device, Tensor};

/// Number of parameters of a B0 with one logit.
pub const PARAMETERS: usize = 4_008_829;

/// The factor by which the network reduces the side of a picture.
pub const STRIDE: usize = 32;

const STEM: usize = 32;
const HEAD: usize = 1280;
/// The factor by which squeeze-excite reduces the input channels of a block.
const SQUEEZE: usize = 4;
const EPSILON: f64 = 1e-5;

/// A stage: `repeats` blocks, of which the first has the stride.
struct Stage {
    repeats: usize,
    kernel: usize,
    stride: usize,
    expansion: usize,
    channels: usize,
}

const fn stage(repeats: usize, kernel: usize, stride: usize, expansion: usize, channels: usize) -> Stage {
    Stage { repeats, kernel, stride, expansion, channels }
}

/// Table 1 of the paper without its first and last line.
const STAGES: [Stage; 7] = [
    stage(1, 3, 1, 1, 16),
    stage(2, 3, 2, 6, 24),
    stage(2, 5, 2, 6, 40),
    stage(3, 3, 2, 6, 80),
    stage(3, 5, 1, 6, 112),
    stage(4, 5, 2, 6, 192),
    stage(1, 3, 1, 6, 320),
];

/// A convolution without bias, and its batch-norm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// From `channels[0]` to `channels[1]`, padded so that stride 1 keeps the size.
    fn new(channels: [usize; 2], kernel: usize, stride: usize, groups: usize, device: &Device) -> Self {
        let padding = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(padding, padding, padding, padding))
            .with_groups(groups)
            .with_bias(false)
            .init(device);
        Self { conv, norm: BatchNormConfig::new(channels[1]).with_epsilon(EPSILON).init(device) }
    }

    /// [N, C, H, W] -> [N, C', H', W']
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

/// Scales each channel by a gate that a small network computes from the means of all channels.
#[derive(Module, Debug)]
struct SqueezeExcite {
    reduce: Conv2d,
    expand: Conv2d,
}

impl SqueezeExcite {
    fn new(channels: usize, squeezed: usize, device: &Device) -> Self {
        Self {
            reduce: Conv2dConfig::new([channels, squeezed], [1, 1]).init(device),
            expand: Conv2dConfig::new([squeezed, channels], [1, 1]).init(device),
        }
    }

    /// [N, C, H, W] -> [N, C, H, W]
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let means = x.clone().mean_dim(2).mean_dim(3);
        let scale = sigmoid(self.expand.forward(silu(self.reduce.forward(means))));
        x * scale
    }
}

/// A mobile inverted bottleneck.
#[derive(Module, Debug)]
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    squeeze_excite: SqueezeExcite,
    project: ConvNorm,
    skips: bool,
}

impl Block {
    fn new(channels: usize, stride: usize, of: &Stage, device: &Device) -> Self {
        let expanded = channels * of.expansion;
        let expand = (of.expansion > 1).then(|| ConvNorm::new([channels, expanded], 1, 1, 1, device));
        Self {
            expand,
            depthwise: ConvNorm::new([expanded, expanded], of.kernel, stride, expanded, device),
            squeeze_excite: SqueezeExcite::new(expanded, channels / SQUEEZE, device),
            project: ConvNorm::new([expanded, of.channels], 1, 1, 1, device),
            skips: stride == 1 && channels == of.channels,
        }
    }

    /// [N, C, H, W] -> [N, C', H', W']
    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let expanded = match &self.expand {
            Some(expand) => silu(expand.forward(input.clone())),
            None => input.clone(),
        };
        let filtered = self.squeeze_excite.forward(silu(self.depthwise.forward(expanded)));
        let output = self.project.forward(filtered);
        if self.skips { output + input } else { output }
    }
}

/// The network.
#[derive(Module, Debug)]
pub struct EfficientNetB0 {
    stem: ConvNorm,
    blocks: Vec<Block>,
    head: ConvNorm,
    classifier: Linear,
}

impl EfficientNetB0 {
    /// With weights drawn on `device`.
    pub fn new(device: &Device) -> Self {
        let mut channels = STEM;
        let mut blocks = Vec::new();
        for of in &STAGES {
            for repeat in 0..of.repeats {
                let stride = if repeat == 0 { of.stride } else { 1 };
                blocks.push(Block::new(channels, stride, of, device));
                channels = of.channels;
            }
        }
        Self {
            stem: ConvNorm::new([3, STEM], 3, 2, 1, device),
            blocks,
            head: ConvNorm::new([channels, HEAD], 1, 1, 1, device),
            classifier: LinearConfig::new(HEAD, 1).init(device),
        }
    }

    /// Logits [N] of normalised pictures [N, 3, H, W].
    pub fn forward(&self, pictures: Tensor<4>) -> Tensor<1> {
        let mut x = silu(self.stem.forward(pictures));
        for block in &self.blocks {
            x = block.forward(x);
        }
        let x = silu(self.head.forward(x));
        let means: Tensor<2> = x.mean_dim(2).mean_dim(3).flatten(1, 3);
        self.classifier.forward(means).flatten(0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_the_shape_of_the_paper() {
        let device = Device::flex().autodiff();
        let network = EfficientNetB0::new(&device);
        let mut x = silu(network.stem.forward(Tensor::zeros([2, 3, 64, 64], &device)));
        assert_eq!(x.dims(), [2, 32, 32, 32]);
        let mut shapes = Vec::new();
        for block in &network.blocks {
            x = block.forward(x);
            let [_, channels, height, width] = x.dims();
            assert_eq!(height, width);
            shapes.push((channels, height));
        }
        let expected = [
            &[(16, 32)][..],
            &[(24, 16); 2],
            &[(40, 8); 2],
            &[(80, 4); 3],
            &[(112, 4); 3],
            &[(192, 2); 4],
            &[(320, 2)],
        ];
        assert_eq!(shapes, expected.concat());
        assert_eq!(network.head.forward(x).dims(), [2, 1280, 2, 2]);
    }

    #[test]
    fn blocks_skip_where_size_and_channels_stay() {
        let network = EfficientNetB0::new(&Device::flex());
        let skips: Vec<usize> = network
            .blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| block.skips)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(skips, [2, 4, 6, 7, 9, 10, 12, 13, 14]);
    }
}
