//! The conventions of a file's network: asked for, stated, implied by its names, or open.

use super::super::arch::{Architecture, IMAGENET};
use super::super::conventions::{Conventions, Family, HALF, listed};
use super::super::names::Scheme;
use super::{ImportError, Source};

impl Source {
    /// All conventions of the network: what is asked for, what the file states, and what
    /// its names imply.
    ///
    /// # Errors
    /// An architecture or a convention that is asked for and that the file contradicts,
    /// and one that nothing tells.
    pub fn settle(
        &self,
        asked: Conventions,
        architecture: &Architecture,
    ) -> Result<Conventions, ImportError> {
        let contradicts = |what| ImportError::Contradicts { path: self.path.clone(), what };
        let other = self.stated.arch.filter(|own| own.name != architecture.name);
        if let Some(own) = other.filter(|_| self.stated.arch_is_firm) {
            let (by, name) = (&self.stated.by, architecture.name);
            let what = format!("its {by} is {}, but {name} is asked for (--arch)", own.name);
            return Err(contradicts(what));
        }
        if let Some(what) = self.stated.contradicted(asked) {
            return Err(contradicts(what));
        }
        // What is said of another network says nothing of this one.
        let stated = if other.is_some() { Conventions::default() } else { self.stated.conventions };
        let found = asked.or(stated).or(self.conventions).or(self.implied(architecture));
        if found.padding.is_some() && found.bn_eps.is_some() && found.mean.is_some() && found.std.is_some() {
            return Ok(found);
        }
        Err(ImportError::Conventions { path: self.path.clone(), question: self.question(found) })
    }

    /// What the names tell: the border rule and the epsilon of the library that made the
    /// network; what becomes of pixels only where no other program stands around it, which
    /// may do with them what it likes.
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

    /// Whether it is laid out as DeepfakeBench's `efficientnetb4`, whose stem is another.
    fn is_deepfakebench(&self) -> bool {
        let outer = self.prefix.strip_suffix("efficientnet.");
        outer.is_some_and(|outer| self.state.tensors.contains_key(&format!("{outer}last_layer.weight")))
    }

    /// Asks for what is open.
    fn question(&self, found: Conventions) -> String {
        if self.scheme == Scheme::Timm && found.padding.is_none() {
            return "timm's names do not tell tf_efficientnet_* from efficientnet_*; pass --family timm \
                (efficientnet_*), tf (tf_efficientnet_*), timm-ra4 or tf-ap (so, with mean and deviation 0.5), \
                or --padding, --bn-eps, --mean and --std"
                .to_owned();
        }
        if self.is_deepfakebench() && found.padding.is_none() {
            return "it is laid out as DeepfakeBench's efficientnetb4, whose stem has no border: pass --family \
                deepfakebench if it is one, else --family efficientnet-pytorch, or --padding, --mean and --std"
                .to_owned();
        }
        let pixels = |(mean, std)| format!("--mean {} --std {}", listed(mean), listed(std));
        format!(
            "nothing in it tells what becomes of pixels first: pass {} (ImageNet's), {}, or {} (pixels as they are)",
            pixels(IMAGENET),
            pixels(HALF),
            pixels(([0.0; 3], [1.0; 3])),
        )
    }
}
