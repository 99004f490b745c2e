//! What the user states about a model of another program, so that nothing about it is guessed.

use crate::names::named;
use crate::reading::{Channels, Layout, Output, Range, Reading};

/// ImageNet's channel means and deviations, pixels in \[0, 1\]: torchvision's, and most of timm's.
pub(super) const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// Caffe's channel means, red first, pixels in \[0, 255\].
pub(super) const CAFFE: [f32; 3] = [123.68, 116.779, 103.939];

/// The usual ways to scale pixels before a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preprocess {
    /// Pixels in \[0, 1\], ImageNet's mean and deviation: torchvision, most of timm.
    Imagenet,
    /// Pixels in \[-1, 1\]: Keras's `tf` mode, mean and deviation 0.5.
    Half,
    /// Pixels in \[0, 1\], not normalised.
    None,
    /// Pixels in \[0, 255\], blue first, Caffe's means subtracted: Keras's ResNet and VGG.
    Caffe,
}

named!(Preprocess, "preprocess", [Imagenet = "imagenet", Half = "half", None = "none", Caffe = "caffe"]);

/// How pixels are scaled and ordered for a graph.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pixels {
    pub channels: Channels,
    pub range: Range,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

impl Pixels {
    /// Pixels in `range`, red first, not normalised.
    pub fn plain(range: Range) -> Self {
        Self { channels: Channels::Rgb, range, mean: [0.0; 3], std: [1.0; 3] }
    }
}

impl Preprocess {
    /// All ways, the most frequent first.
    pub const ALL: [Self; 4] = [Self::Imagenet, Self::Half, Self::None, Self::Caffe];

    /// The scaling that it stands for.
    pub(super) fn pixels(self) -> Pixels {
        let unit = Pixels::plain(Range::Unit);
        match self {
            Self::Imagenet => Pixels { mean: IMAGENET.0, std: IMAGENET.1, ..unit },
            Self::Half => Pixels { mean: [0.5; 3], std: [0.5; 3], ..unit },
            Self::None => unit,
            Self::Caffe => {
                Pixels { channels: Channels::Bgr, range: Range::Bytes, mean: CAFFE, std: [1.0; 3] }
            }
        }
    }

    /// What it does and which programs use it, for messages.
    pub fn description(self) -> &'static str {
        match self {
            Self::Imagenet => {
                "0 to 1, mean 0.485,0.456,0.406, std 0.229,0.224,0.225: torchvision, most of timm"
            }
            Self::Half => "-1 to 1: Keras's Xception and MobileNet, timm with mean and std 0.5",
            Self::None => {
                "0 to 1 as they are: Keras with rescale=1/255, or normalisation folded into the weights"
            }
            Self::Caffe => "0 to 255, blue first, mean 103.939,116.779,123.68: Keras's ResNet and VGG",
        }
    }
}

/// What the user states about a file of another program. What is `None` has to be proved by the
/// file or found by a probe, else loading fails with the question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Side of the input in pixels, for files that do not fix it.
    pub res: Option<usize>,
    /// The axis of the channels.
    pub layout: Option<Layout>,
    /// How pixels are scaled, by name; excludes the next four.
    pub preprocess: Option<Preprocess>,
    /// The order of the channels.
    pub channels: Option<Channels>,
    /// The values of black and white.
    pub range: Option<Range>,
    /// Channel means (red, green, blue) in the units of the range.
    pub mean: Option<[f32; 3]>,
    /// Channel deviations in the units of the range.
    pub std: Option<[f32; 3]>,
    /// Whether the output is a logit or a probability.
    pub output: Option<Output>,
    /// The output to read, where the file has several.
    pub output_name: Option<String>,
    /// The class that is fake. For an output of one number, 1: a high number means fake; 0: it
    /// means real.
    pub fake_index: Option<usize>,
}

impl Overrides {
    /// The reading that a result recorded, so that nothing has to be probed or asked for again.
    pub fn recorded(reading: &Reading, res: usize) -> Self {
        Self {
            res: Some(res),
            layout: Some(reading.layout),
            preprocess: None,
            channels: Some(reading.channels),
            range: Some(reading.range),
            mean: Some(reading.mean),
            std: Some(reading.std),
            output: Some(reading.output),
            output_name: reading.output_name.clone(),
            fake_index: Some(reading.fake_index),
        }
    }

    /// These as command-line options: "--preprocess", "imagenet".
    pub fn to_options(&self) -> Vec<String> {
        let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
        let given = [
            ("--res", self.res.map(|it| it.to_string())),
            ("--layout", self.layout.map(|it| it.to_string())),
            ("--preprocess", self.preprocess.map(|it| it.to_string())),
            ("--channels", self.channels.map(|it| it.to_string())),
            ("--range", self.range.map(|it| it.to_string())),
            ("--mean", self.mean.map(list)),
            ("--std", self.std.map(list)),
            ("--output", self.output.map(|it| it.to_string())),
            ("--output-name", self.output_name.clone()),
            ("--fake-index", self.fake_index.map(|it| it.to_string())),
        ];
        given.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten().collect()
    }

    /// The name of the first given option that changes how the model is read; not allowed for a
    /// file that dfrt exported.
    pub(super) fn first_reading_option(&self) -> Option<&'static str> {
        let given = [
            ("--layout", self.layout.is_some()),
            ("--preprocess", self.preprocess.is_some()),
            ("--channels", self.channels.is_some()),
            ("--range", self.range.is_some()),
            ("--mean", self.mean.is_some()),
            ("--std", self.std.is_some()),
            ("--output", self.output.is_some()),
            ("--output-name", self.output_name.is_some()),
            ("--fake-index", self.fake_index.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// The name of the first given option that changes how pixels are scaled.
    pub(super) fn first_pixel_option(&self) -> Option<&'static str> {
        let given = [
            ("--preprocess", self.preprocess.is_some()),
            ("--range", self.range.is_some_and(|range| range != Range::Bytes)),
            ("--mean", self.mean.is_some_and(|mean| mean != [0.0; 3])),
            ("--std", self.std.is_some_and(|std| std != [1.0; 3])),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }

    /// Why these options cannot be used, on one line; `None` if they can.
    pub(super) fn problem(&self) -> Option<String> {
        let others = [
            ("--channels", self.channels.is_some()),
            ("--range", self.range.is_some()),
            ("--mean", self.mean.is_some()),
            ("--std", self.std.is_some()),
        ];
        if let (Some(preprocess), Some((name, _))) =
            (self.preprocess, others.into_iter().find(|(_, given)| *given))
        {
            return Some(format!("--preprocess {preprocess} already sets {name}; give one of the two"));
        }
        let numbers = self.mean.into_iter().chain(self.std).flatten();
        if numbers.into_iter().any(|number| !number.is_finite()) {
            return Some("--mean and --std take finite numbers".to_owned());
        }
        if self.std.is_some_and(|std| std.iter().any(|&value| value <= 0.0)) {
            return Some("--std divides, so its three numbers must be above 0".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_sets_everything_by_itself() {
        let both =
            Overrides { preprocess: Some(Preprocess::Half), mean: Some([0.5; 3]), ..Overrides::default() };
        assert!(both.problem().unwrap().contains("--mean"));
        assert!(Overrides { mean: None, ..both }.problem().is_none());
        for way in Preprocess::ALL {
            assert_eq!(way.to_string().parse(), Ok(way));
        }
        assert!("tf".parse::<Preprocess>().unwrap_err().contains("imagenet, half, none, caffe"));
    }
}
