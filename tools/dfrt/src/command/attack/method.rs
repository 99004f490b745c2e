//! The attacks by their names at the command line.

use std::str::FromStr;

/// Which attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Random search by squares; asks for logits.
    Square,
    /// Single pixels up and down; asks for logits.
    Simba,
    /// The same with cosines.
    SimbaDct,
    /// Gradients estimated from normal draws; asks for logits.
    Nes,
    /// Gradients estimated from random signs; asks for logits.
    Spsa,
    /// Signs flipped in ever smaller parts; asks for logits.
    SignHunter,
    /// The nearest boundary along rays of signs; asks for labels.
    Rays,
    /// Jumps along the boundary; asks for labels.
    HopSkipJump,
    /// A random walk along the boundary; asks for labels.
    Boundary,
    /// The floor; asks for logits.
    RandomNoise,
    /// One gradient step.
    Fgsm,
    /// Several gradient steps from a random start.
    Pgd,
    /// Gradient steps with momentum.
    MiFgsm,
    /// Gradient steps that shorten themselves, on the cross-entropy.
    ApgdCe,
    /// The same on the margin.
    ApgdMargin,
    /// The nearest point of the linearised boundary, again and again.
    Fab,
    /// The shortest change by descent on it and the margin.
    Cw,
    /// Steps to the linearised boundary.
    DeepFool,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Square,
        Self::Simba,
        Self::SimbaDct,
        Self::Nes,
        Self::Spsa,
        Self::SignHunter,
        Self::Rays,
        Self::HopSkipJump,
        Self::Boundary,
        Self::RandomNoise,
        Self::Fgsm,
        Self::Pgd,
        Self::MiFgsm,
        Self::ApgdCe,
        Self::ApgdMargin,
        Self::Fab,
        Self::Cw,
        Self::DeepFool,
    ];

    /// Its name at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Square => "square",
            Self::Simba => "simba",
            Self::SimbaDct => "simba-dct",
            Self::Nes => "nes",
            Self::Spsa => "spsa",
            Self::SignHunter => "sign-hunter",
            Self::Rays => "rays",
            Self::HopSkipJump => "hop-skip-jump",
            Self::Boundary => "boundary",
            Self::RandomNoise => "random-noise",
            Self::Fgsm => "fgsm",
            Self::Pgd => "pgd",
            Self::MiFgsm => "mi-fgsm",
            Self::ApgdCe => "apgd-ce",
            Self::ApgdMargin => "apgd-margin",
            Self::Fab => "fab",
            Self::Cw => "cw",
            Self::DeepFool => "deepfool",
        }
    }

    /// Whether it needs gradients, and so a GPU.
    pub fn needs_gradients(self) -> bool {
        matches!(
            self,
            Self::Fgsm
                | Self::Pgd
                | Self::MiFgsm
                | Self::ApgdCe
                | Self::ApgdMargin
                | Self::Fab
                | Self::Cw
                | Self::DeepFool
        )
    }

    /// Whether its number of steps can be chosen.
    pub fn has_steps(self) -> bool {
        self.needs_gradients() && self != Self::Fgsm
    }

    /// Whether it starts anew as often as it is told.
    pub fn has_restarts(self) -> bool {
        matches!(self, Self::Pgd | Self::ApgdCe | Self::ApgdMargin | Self::Fab)
    }

    /// Whether it spends as many queries as it is given.
    #[cfg(feature = "train")]
    pub fn has_budget(self) -> bool {
        !self.needs_gradients() && self != Self::RandomNoise
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|method| method.name() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("method {name:?} is unknown; choose one of {known}")
        })
    }
}
