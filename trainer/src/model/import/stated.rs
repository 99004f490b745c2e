//! What a checkpoint's own `arch` and `args` prove of its network.

use super::super::arch::Architecture;
use super::super::conventions::{Conventions, Family, listed};
use super::super::files::torch::Facts;
use super::super::names::Scheme;

/// What a checkpoint states.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// The architecture.
    pub arch: Option<&'static Architecture>,
    /// Side of the pictures in pixels.
    pub res: Option<usize>,
    /// Its conventions.
    pub(super) conventions: Conventions,
    /// Those of them that no option may contradict.
    firm: Conventions,
    /// Whether none may contradict the architecture.
    pub(super) arch_is_firm: bool,
    /// Who says so: "arch `tf_efficientnet_b4_ns`".
    pub(super) by: String,
}

/// A network as timm names it.
#[derive(Clone, Copy, Debug)]
struct Made<'a> {
    arch: &'static Architecture,
    /// Whether its weights came from TensorFlow.
    tf: bool,
    /// Which weights: "ns_jft_in1k", "ap", or nothing.
    tag: &'a str,
}

impl<'a> Made<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let name = name.rsplit('/').next()?;
        let (tf, rest) = match name.strip_prefix("tf_") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        let rest = rest.strip_prefix("efficientnet")?.strip_prefix(['_', '-'])?;
        let (size, tag) = rest.split_once(['.', '_']).unwrap_or((rest, ""));
        let known =
            ["", "ns", "ap", "aa", "ra", "ra2", "ra4", "ft", "sw", "in1k", "in12k", "in21k", "untrained"];
        // Others, like `_pruned` and `_gn`, are other networks.
        known.contains(&tag.split('_').next()?).then_some(())?;
        let arch = Architecture::named(&format!("efficientnet-{size}")).ok()?;
        Some(Self { arch, tf, tag })
    }

    /// timm's conventions; mean and deviation only where they are the same for all
    /// weights of that name.
    fn conventions(self) -> Conventions {
        let half = self.tag.starts_with("ap") || self.tag.starts_with("ra4");
        let lite = self.arch.squeeze.is_none();
        let family = match (self.tf, half || (self.tf && lite)) {
            (true, false) => "tf",
            (true, true) => "tf-ap",
            (false, false) => "timm",
            (false, true) => "timm-ra4",
        };
        let all = Family::named(family).expect("a family").conventions(self.arch);
        // timm has changed which weights `efficientnet_b1` stands for.
        let open = !self.tf && self.tag.is_empty() && self.arch.name == "efficientnet-b1";
        if open { all.without_pixels() } else { all }
    }
}

impl Stated {
    /// What `facts` prove of a network under a scheme's names.
    pub(super) fn of(facts: &Facts, scheme: Scheme) -> Self {
        let made = facts.arch.as_deref().and_then(Made::of);
        let own = Conventions { padding: None, bn_eps: facts.bn_eps, mean: facts.mean, std: facts.std };
        let by_name = match (scheme, made) {
            (Scheme::Timm, Some(made)) => {
                let all = made.conventions();
                let (mean, std) = (all.mean.filter(|_| facts.own_mean), all.std.filter(|_| facts.own_std));
                Conventions { mean, std, ..all }
            }
            _ => Conventions::default(),
        };
        let by = match (&facts.arch, made) {
            (Some(name), Some(_)) => format!("arch `{name}`"),
            _ => "args".to_owned(),
        };
        // A dict of settings may be any program's: what the user says goes before it.
        let firm = match (facts.options, facts.arch_is_firm) {
            (true, _) => own.or(by_name),
            (false, true) => by_name.without_pixels(),
            (false, false) => Conventions::default(),
        };
        Self {
            arch: made.map(|made| made.arch),
            res: facts.res,
            conventions: own.or(by_name),
            firm,
            arch_is_firm: facts.arch_is_firm,
            by,
        }
    }

    /// Whether something that is asked for is another.
    pub(super) fn contradicted(&self, asked: Conventions) -> Option<String> {
        let sentence = |option: &str, own: String, asked: String| {
            format!("its {} says {option} {own}, but {asked} is asked for (--{option} or --family)", self.by)
        };
        let differ = |a: f32, b: f32| (a - b).abs() > 1e-6 * b.abs().max(1e-3);
        let own = self.firm;
        if let (Some(own), Some(asked)) = (own.padding, asked.padding)
            && own != asked
        {
            return Some(sentence("padding", own.to_string(), asked.to_string()));
        }
        if let (Some(own), Some(asked)) = (own.bn_eps, asked.bn_eps)
            && differ(own, asked)
        {
            return Some(sentence("bn-eps", own.to_string(), asked.to_string()));
        }
        for (option, own, asked) in [("mean", own.mean, asked.mean), ("std", own.std, asked.std)] {
            if let (Some(own), Some(asked)) = (own, asked)
                && own.iter().zip(asked).any(|(&own, asked)| differ(own, asked))
            {
                return Some(sentence(option, listed(own), listed(asked)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timms_names_are_understood() {
        let of = |name| Made::of(name).map(|made| (made.arch.name, made.tf, made.tag));
        assert_eq!(of("tf_efficientnet_b4_ns"), Some(("efficientnet-b4", true, "ns")));
        assert_eq!(of("tf_efficientnet_b7.ap_in1k"), Some(("efficientnet-b7", true, "ap_in1k")));
        assert_eq!(of("timm/efficientnet_b0.ra4_e3600_r224_in1k").unwrap().0, "efficientnet-b0");
        assert_eq!(of("efficientnet-b4"), Some(("efficientnet-b4", false, "")));
        assert_eq!(of("tf_efficientnet_lite0"), Some(("efficientnet-lite0", true, "")));
        for other in
            ["resnet50", "efficientnet_b1_pruned", "efficientnet_b0_gn", "efficientnet_b9", "tf_", ""]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn conventions_follow_the_name() {
        let of = |name| {
            let all = Made::of(name).unwrap().conventions();
            (all.padding.unwrap().name(), all.bn_eps.unwrap(), all.mean.map(|mean| mean[0]))
        };
        assert_eq!(of("tf_efficientnet_b4_ns"), ("same", 1e-3, Some(0.485)));
        assert_eq!(of("tf_efficientnet_b4_ap"), ("same", 1e-3, Some(0.5)));
        assert_eq!(of("efficientnet_b4"), ("symmetric", 1e-5, Some(0.485)));
        assert_eq!(of("efficientnet_b0.ra4_e3600_r224_in1k"), ("symmetric", 1e-5, Some(0.5)));
        assert_eq!(of("tf_efficientnet_lite0"), ("same", 1e-3, Some(0.5)));
        assert_eq!(of("efficientnet_b1"), ("symmetric", 1e-5, None));
    }
}
