//! What is attacked with, and how hard.

use super::method::{Choice, Method};
use dfrt_runtime::attack::Goal;
use dfrt_runtime::attack::schedule::Pace;
use dfrt_runtime::attack::square::SquareSettings;
use dfrt_runtime::attack::threat::{Norm, Threat};

/// How square's windows shrink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// AutoAttack's, at its query numbers whatever the budget.
    Autoattack,
    /// The same stretched to the budget, as AutoAttack's code can, too.
    Rescaled,
    /// The paper's.
    Published,
}

impl Schedule {
    /// Its name at the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Autoattack => "autoattack",
            Self::Rescaled => "rescaled",
            Self::Published => "published",
        }
    }
}

pub fn schedule(name: &str) -> Result<Schedule, String> {
    match name {
        "autoattack" => Ok(Schedule::Autoattack),
        "rescaled" => Ok(Schedule::Rescaled),
        "published" => Ok(Schedule::Published),
        _ => Err(format!("schedule {name:?} is unknown; choose autoattack, rescaled or published")),
    }
}

pub fn norm(name: &str) -> Result<Norm, String> {
    match name.to_ascii_lowercase().as_str() {
        "linf" => Ok(Norm::Linf),
        "l2" => Ok(Norm::L2),
        _ => Err(format!("norm {name:?} is unknown; choose linf or l2")),
    }
}

/// What is attacked with, and how hard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The attack.
    pub method: Method,
    /// The threat model.
    pub threat: Threat,
    /// Queries a picture; none for the method's default.
    pub queries: Option<u64>,
    /// Square's windows.
    pub schedule: Schedule,
    /// Gradient steps; none for the method's default.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for gradients"))]
    pub steps: Option<usize>,
    /// Random starts; none for the method's default.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for gradients"))]
    pub restarts: Option<usize>,
    /// Pictures at once on the GPU.
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for gradients"))]
    pub batch: usize,
    /// Of all draws.
    pub seed: u64,
    /// What a search for the shortest change is after.
    pub goal: Goal,
}

impl Plan {
    /// The attack with every default; one that looks for the shortest change goes on to
    /// its end.
    pub fn new(method: Method, threat: Threat) -> Self {
        Self {
            method,
            threat,
            queries: None,
            schedule: Schedule::Rescaled,
            steps: None,
            restarts: None,
            batch: 16,
            seed: 0,
            goal: Goal::Nearest,
        }
    }

    /// The folder's name within a study: "square-linf-8".
    #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "for studies"))]
    pub fn folder(&self) -> String {
        folder(Choice::One(self.method), &[self.threat])
    }

    /// Square's settings.
    pub fn square(&self) -> SquareSettings {
        let queries = self.queries.unwrap_or(5000);
        let (p, pace) = match (self.schedule, self.threat.norm) {
            (Schedule::Autoattack, _) => (0.8, Pace::Unscaled),
            (Schedule::Rescaled, _) => (0.8, Pace::Scaled),
            (Schedule::Published, Norm::Linf) => (0.05, Pace::Scaled),
            (Schedule::Published, Norm::L2) => (0.1, Pace::Scaled),
        };
        SquareSettings { queries, p, pace, seed: self.seed }
    }
}

/// The name of the folder of an attack at one radius or several: "square-linf-8",
/// "square-l2-0.5", "suite-linf-1-2-4".
///
/// # Panics
/// There are none.
pub fn folder(choice: Choice, threats: &[Threat]) -> String {
    let norm = match threats.first().expect("a radius").norm {
        Norm::Linf => "linf",
        Norm::L2 => "l2",
    };
    let radii: Vec<String> = threats.iter().map(Threat::in_names).collect();
    format!("{}-{norm}-{}", choice.name(), radii.join("-"))
}
