//! What families of weights of one architecture disagree on: the border rule, the
//! batch-norms' epsilon, and what becomes of pixels first.

use super::arch::{Architecture, BYTES, IMAGENET, Padding};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// Settings that take the place of an architecture's own; none where its own hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Conventions {
    /// How convolutions meet the border.
    pub padding: Option<Padding>,
    /// Under the root of every batch-norm.
    pub bn_eps: Option<f32>,
    /// Subtracted from pixels in \[0, 1\], per channel.
    pub mean: Option<[f32; 3]>,
    /// Divides them after that.
    pub std: Option<[f32; 3]>,
}

/// A convention that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadConvention {
    /// An unknown family.
    #[error("family `{0}` is unknown; choose one of {names}", names = FAMILIES.map(|family| family.name).join(", "))]
    Family(String),
    /// An unknown border rule.
    #[error(
        "padding `{0}` is unknown; choose symmetric or same (timm's tf_*), static-same (efficientnet_pytorch) or static-same-bare-stem (DeepfakeBench)"
    )]
    Padding(String),
    /// A number out of range.
    #[error("{name} = {value} cannot be used; choose {wanted}")]
    Number {
        /// Its name.
        name: &'static str,
        /// What was asked for.
        value: f32,
        /// What is allowed.
        wanted: &'static str,
    },
}

impl FromStr for Padding {
    type Err = BadConvention;

    fn from_str(name: &str) -> Result<Self, BadConvention> {
        let found = Self::ALL.into_iter().find(|padding| padding.name() == name);
        found.ok_or_else(|| BadConvention::Padding(name.to_owned()))
    }
}

/// Weights that agree in all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Family {
    /// Its name at the command line.
    pub name: &'static str,
    /// Weights that belong to it.
    pub members: &'static str,
    padding: Padding,
    /// None for the architecture's own: torchvision has another one from B5 on.
    bn_eps: Option<f32>,
    mean: [f32; 3],
    std: [f32; 3],
}

/// Mean and deviation that take pixels to [-1, 1].
pub(super) const HALF: ([f32; 3], [f32; 3]) = ([0.5; 3], [0.5; 3]);
const fn family(
    name: &'static str,
    members: &'static str,
    padding: Padding,
    bn_eps: Option<f32>,
    (mean, std): ([f32; 3], [f32; 3]),
) -> Family {
    Family { name, members, padding, bn_eps, mean, std }
}

/// Every family: torchvision's transforms and constructors, timm's `default_cfgs`, the
/// package efficientnet_pytorch, Google's Lite code, DeepfakeBench's `efficientnetb4`.
pub const FAMILIES: [Family; 8] = [
    family("torchvision", "torchvision's efficientnet_b0 to _b7", Padding::Symmetric, None, IMAGENET),
    family(
        "timm",
        "timm's efficientnet_b0.ra_in1k, efficientnet_lite0.ra_in1k",
        Padding::Symmetric,
        Some(1e-5),
        IMAGENET,
    ),
    family("timm-ra4", "timm's efficientnet_b0.ra4_*", Padding::Symmetric, Some(1e-5), HALF),
    family(
        "tf",
        "timm's tf_efficientnet_b0.in1k, .aa_*, .ns_*, and so to b7",
        Padding::Same,
        Some(1e-3),
        IMAGENET,
    ),
    family(
        "tf-ap",
        "timm's tf_efficientnet_b0.ap_* to b7, tf_efficientnet_lite0",
        Padding::Same,
        Some(1e-3),
        HALF,
    ),
    family(
        "efficientnet-pytorch",
        "the package efficientnet_pytorch",
        Padding::StaticSame,
        Some(1e-3),
        IMAGENET,
    ),
    family("lite", "Google's EfficientNet-Lite, efficientnet_lite_pytorch", Padding::Same, Some(1e-3), BYTES),
    family("deepfakebench", "DeepfakeBench's efficientnetb4", Padding::StaticSameBareStem, Some(1e-3), HALF),
];

impl Family {
    /// The family of that name.
    pub fn named(name: &str) -> Result<Self, BadConvention> {
        let found = FAMILIES.into_iter().find(|family| family.name == name);
        found.ok_or_else(|| BadConvention::Family(name.to_owned()))
    }

    /// Its conventions for `architecture`, all of them set.
    pub fn conventions(&self, architecture: &Architecture) -> Conventions {
        Conventions {
            padding: Some(self.padding),
            bn_eps: Some(self.bn_eps.unwrap_or(architecture.bn_eps)),
            mean: Some(self.mean),
            std: Some(self.std),
        }
    }
}

impl std::str::FromStr for Family {
    type Err = BadConvention;

    fn from_str(name: &str) -> Result<Self, BadConvention> {
        Self::named(name)
    }
}

/// Numbers of the channels as options have them: "0.485,0.456,0.406".
pub fn listed(channels: [f32; 3]) -> String {
    channels.map(|value| value.to_string()).join(",")
}

impl Conventions {
    /// Those of an architecture, all of them set.
    pub fn of(architecture: &Architecture) -> Self {
        Self {
            padding: Some(architecture.padding),
            bn_eps: Some(architecture.bn_eps),
            mean: Some(architecture.mean),
            std: Some(architecture.std),
        }
    }

    /// These, and where they are unset the others.
    pub fn or(self, others: Self) -> Self {
        Self {
            padding: self.padding.or(others.padding),
            bn_eps: self.bn_eps.or(others.bn_eps),
            mean: self.mean.or(others.mean),
            std: self.std.or(others.std),
        }
    }

    /// These, with what becomes of pixels left open.
    #[must_use]
    pub fn without_pixels(self) -> Self {
        Self { mean: None, std: None, ..self }
    }

    /// The architecture with these in the place of its own.
    pub fn applied(self, architecture: &Architecture) -> Architecture {
        Architecture {
            padding: self.padding.unwrap_or(architecture.padding),
            bn_eps: self.bn_eps.unwrap_or(architecture.bn_eps),
            mean: self.mean.unwrap_or(architecture.mean),
            std: self.std.unwrap_or(architecture.std),
            ..architecture.clone()
        }
    }

    /// Whether every number is in range.
    pub fn check(&self) -> Result<(), BadConvention> {
        let number = |name, value: f32, fits: bool, wanted| {
            if fits { Ok(()) } else { Err(BadConvention::Number { name, value, wanted }) }
        };
        if let Some(eps) = self.bn_eps {
            number("bn-eps", eps, eps > 0.0 && eps <= 1.0, "a number above 0, at most 1")?;
        }
        for value in self.mean.into_iter().flatten() {
            number("mean", value, (0.0..=1.0).contains(&value), "numbers from 0 to 1: pixels are in [0, 1]")?;
        }
        for value in self.std.into_iter().flatten() {
            let fits = value > 0.0 && value <= 1.0;
            number("std", value, fits, "numbers above 0, at most 1: pixels are in [0, 1]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::arch::{EFFICIENTNET_B0, EFFICIENTNET_LITE0};

    #[test]
    fn the_tables_own_conventions_are_a_familys() {
        for (architecture, name) in [(&EFFICIENTNET_B0, "torchvision"), (&EFFICIENTNET_LITE0, "lite")] {
            let family = Family::named(name).unwrap();
            assert_eq!(Conventions::of(architecture), family.conventions(architecture));
            assert_eq!(Conventions::default().applied(architecture), *architecture);
        }
    }

    #[test]
    fn the_first_to_be_set_holds() {
        let tf = Family::named("tf").unwrap().conventions(&EFFICIENTNET_B0);
        let asked = Conventions { bn_eps: Some(1e-4), ..Conventions::default() };
        let architecture = asked.or(tf).applied(&EFFICIENTNET_B0);
        assert_eq!((architecture.padding, architecture.bn_eps), (Padding::Same, 1e-4));
        assert_eq!(architecture.mean, EFFICIENTNET_B0.mean);
    }

    #[test]
    fn torchvision_has_another_epsilon_from_b5_on() {
        let of = |name, arch| {
            Family::named(name).unwrap().conventions(Architecture::named(arch).unwrap()).bn_eps.unwrap()
        };
        assert_eq!(
            (of("torchvision", "efficientnet-b4"), of("torchvision", "efficientnet-b5")),
            (1e-5, 1e-3)
        );
        assert_eq!((of("timm", "efficientnet-b5"), of("tf", "efficientnet-b4")), (1e-5, 1e-3));
    }

    #[test]
    fn bad_ones_are_named() {
        let bad = |conventions: Conventions| conventions.check().unwrap_err().to_string();
        assert!(bad(Conventions { bn_eps: Some(0.0), ..Conventions::default() }).contains("bn-eps = 0"));
        assert!(bad(Conventions { bn_eps: Some(f32::NAN), ..Conventions::default() }).contains("NaN"));
        assert!(bad(Conventions { mean: Some([123.7; 3]), ..Conventions::default() }).contains("123.7"));
        assert!(bad(Conventions { std: Some([0.0; 3]), ..Conventions::default() }).contains("std = 0"));
        assert!(Family::named("keras").unwrap_err().to_string().contains("tf-ap"));
    }
}
