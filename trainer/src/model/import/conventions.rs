//! The conventions of a file's network: asked for, stated, implied by its names, or unknown.

use super::super::arch::{Architecture, IMAGENET};
use super::super::conventions::{Conventions, Family, HALF, joined};
use super::super::names::Scheme;
use super::{ImportError, Source};

impl Source {
    /// All conventions of the network: those `asked` for, else those that the file states, else those
    /// that its names imply.
    ///
    /// # Errors
    /// The file contradicts the architecture or a convention that is asked for, or a convention
    /// remains unknown.
    pub fn resolve_conventions(
        &self,
        asked: Conventions,
        architecture: &Architecture,
    ) -> Result<Conventions, ImportError> {
        let contradicts = |what| ImportError::Contradiction { path: self.path.clone(), what };
        let other = self.stated.arch.filter(|own| own.name != architecture.name);
        if let Some(own) = other.filter(|_| self.stated.arch_is_firm) {
            let (by, name) = (&self.stated.by, architecture.name);
            let what = format!("its {by} is {}, but {name} is asked for (--arch)", own.name);
            return Err(contradicts(what));
        }
        if let Some(what) = self.stated.contradiction(asked) {
            return Err(contradicts(what));
        }
        // Statements about another network do not apply to this one.
        let stated = if other.is_some() { Conventions::default() } else { self.stated.conventions };
        let found = asked.or(stated).or(self.conventions).or(self.implied(architecture));
        if found.padding.is_some() && found.bn_eps.is_some() && found.mean.is_some() && found.std.is_some() {
            return Ok(found);
        }
        Err(ImportError::Conventions { path: self.path.clone(), question: self.question(found) })
    }

    /// The conventions that the names imply: padding and epsilon of the library that made the
    /// network; mean and deviation only if no other program wraps it, which may normalise pixels
    /// in its own way.
    fn implied(&self, architecture: &Architecture) -> Conventions {
        let of = |name: &str| Family::named(name).expect("a family").conventions(architecture);
        let all = match self.scheme {
            Scheme::Torchvision => of("torchvision"),
            Scheme::Timm => Conventions::default(),
            Scheme::EfficientNetPytorch if self.is_deepfakebench() => {
                Conventions { padding: None, ..of("deepfakebench").without_pixels() }
            }
            Scheme::EfficientNetPytorch => {
                of(if architecture.squeeze.is_some() { "efficientnet-pytorch" } else { "lite" })
            }
        };
        let bare = self.prefix.split('.').all(|part| ["", "module", "_orig_mod"].contains(&part));
        if bare { all } else { all.without_pixels() }
    }

    /// Whether its names are those of DeepfakeBench's `efficientnetb4`, which has another stem.
    fn is_deepfakebench(&self) -> bool {
        let outer = self.prefix.strip_suffix("efficientnet.");
        outer.is_some_and(|outer| self.state.tensors.contains_key(&format!("{outer}last_layer.weight")))
    }

    /// The message that asks for the conventions that are unknown.
    fn question(&self, found: Conventions) -> String {
        if self.scheme == Scheme::Timm && found.padding.is_none() {
            return "timm has the same tensor names for tf_efficientnet_* and efficientnet_*; pass --family timm \
                (efficientnet_*), tf (tf_efficientnet_*), timm-ra4 or tf-ap (the same with mean and deviation 0.5), \
                or --padding, --bn-eps, --mean and --std"
                .to_owned();
        }
        if self.is_deepfakebench() && found.padding.is_none() {
            return "its names are those of DeepfakeBench's efficientnetb4, whose stem has no padding: pass --family \
                deepfakebench if it is one, else --family efficientnet-pytorch, or --padding, --mean and --std"
                .to_owned();
        }
        let pixels = |(mean, std)| format!("--mean {} --std {}", joined(mean), joined(std));
        format!(
            "it does not say how pixels are normalised: pass {} (ImageNet's), {}, or {} (pixels unchanged)",
            pixels(IMAGENET),
            pixels(HALF),
            pixels(([0.0; 3], [1.0; 3])),
        )
    }
}
