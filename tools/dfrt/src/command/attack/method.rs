//! The attacks and suites by their names at the command line.

use dfrt_runtime::attack::threat::Norm;
use std::str::FromStr;

/// What `--method` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One attack.
    One(Method),
    /// The worst case of the strongest attacks with gradients, and Square.
    Suite,
    /// The worst case of attacks that need none.
    SuiteBlack,
}

impl Choice {
    /// Its name at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(method) => method.name(),
            Self::Suite => "suite",
            Self::SuiteBlack => "suite-black",
        }
    }

    /// Its attacks, in their order. A suite is AutoAttack's way for two classes, where
    /// its DLR loss is undefined and the margin stands for it; or, without gradients,
    /// searches of different kinds by logits and by labels. Both end with plain noise:
    /// what it still breaks shows that the others failed.
    pub fn methods(self, norm: Norm) -> Vec<Method> {
        match (self, norm) {
            (Self::One(method), _) => vec![method],
            (Self::Suite, _) => {
                vec![Method::ApgdCe, Method::ApgdMargin, Method::Fab, Method::Square, Method::RandomNoise]
            }
            (Self::SuiteBlack, Norm::Linf) => {
                vec![Method::Square, Method::SignHunter, Method::Rays, Method::RandomNoise]
            }
            (Self::SuiteBlack, Norm::L2) => {
                vec![Method::Square, Method::SimbaDct, Method::HopSkipJump, Method::RandomNoise]
            }
        }
    }

    /// Whether any of its attacks `is` so.
    pub fn any(self, is: impl Fn(Method) -> bool) -> bool {
        self.methods(Norm::Linf).into_iter().any(is)
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "suite" => Ok(Self::Suite),
            "suite-black" => Ok(Self::SuiteBlack),
            _ => name.parse().map(Self::One).map_err(|error| format!("{error}, suite, suite-black")),
        }
    }
}

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

    /// The one norm whose balls it searches; none where it searches both.
    pub fn searches(self) -> Option<Norm> {
        match self {
            Self::SignHunter | Self::Rays => Some(Norm::Linf),
            Self::Boundary => Some(Norm::L2),
            _ => None,
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

    /// Whether it looks for the shortest change over the threshold.
    pub fn has_goal(self) -> bool {
        matches!(
            self,
            Self::Fab | Self::Cw | Self::DeepFool | Self::Boundary | Self::HopSkipJump | Self::Rays
        )
    }

    /// Whether what it makes on one model is worth trying on another: it goes as far
    /// as the ball allows, not only just across the threshold.
    #[cfg(feature = "train")]
    pub fn transfers(self) -> bool {
        matches!(self, Self::Fgsm | Self::Pgd | Self::MiFgsm | Self::ApgdCe | Self::ApgdMargin)
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
