//! Methods by name: `gr`, or with settings `gr:radius=0.5:per-image=true`.

use super::adversarial_training::AdversarialTraining;
use super::baseline::ComputeMatched;
use super::gradient_regularization::GradientRegularization;
use super::input_gradient::InputGradient;
use super::method::Method;
use super::sharpness::{Gnp, Sam};
use super::statistic_noise::{Dsu, MixStyle};
use super::trades::Trades;
use toml::{Table, Value};

/// The names of the methods, in the order of the docs.
pub const NAMES: [&str; 14] = [
    "baseline",
    "compute-matched",
    "gr",
    "gr-per-image",
    "sam",
    "gnp",
    "input-gr",
    "dsu",
    "mixstyle",
    "fast-at",
    "at",
    "trades",
    "at+gr",
    "trades+gr",
];

/// A method that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum BadSpec {
    /// An unknown name.
    #[error("method `{0}` is unknown; choose one of {all}", all = NAMES.join(", "))]
    Unknown(String),
    /// A setting without a value.
    #[error("`{0}` is no setting of a method; write key=value, for example gr:radius=0.5")]
    NoValue(String),
    /// A setting that the method does not have, or a value of another type.
    #[error("method `{name}`: {reason}")]
    Setting {
        /// The method.
        name: String,
        /// What is wrong, on one line.
        reason: String,
    },
}

impl Method {
    /// The method of that name with its default settings.
    ///
    /// # Errors
    /// An unknown name.
    pub fn named(name: &str) -> Result<Self, BadSpec> {
        let gr = || Some(GradientRegularization::default());
        Ok(match name {
            "baseline" => Self::Baseline,
            "compute-matched" => Self::ComputeMatched(ComputeMatched::default()),
            "gr" => Self::Gr(GradientRegularization::default()),
            "gr-per-image" => {
                Self::Gr(GradientRegularization { per_image: true, ..GradientRegularization::default() })
            }
            "sam" => Self::Sam(Sam::default()),
            "gnp" => Self::Gnp(Gnp::default()),
            "input-gr" => Self::InputGr(InputGradient::default()),
            "dsu" => Self::Dsu(Dsu::default()),
            "mixstyle" => Self::Mixstyle(MixStyle::default()),
            "fast-at" => Self::At(AdversarialTraining { steps: 1, ..AdversarialTraining::default() }),
            "at" => Self::At(AdversarialTraining::default()),
            "trades" => Self::Trades(Trades::default()),
            "at+gr" => Self::At(AdversarialTraining { gr: gr(), ..AdversarialTraining::default() }),
            "trades+gr" => Self::Trades(Trades { gr: gr(), ..Trades::default() }),
            _ => return Err(BadSpec::Unknown(name.to_owned())),
        })
    }

    /// Its name, one of [`NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::ComputeMatched(_) => "compute-matched",
            Self::Gr(arm) if arm.per_image => "gr-per-image",
            Self::Gr(_) => "gr",
            Self::Sam(_) => "sam",
            Self::Gnp(_) => "gnp",
            Self::InputGr(_) => "input-gr",
            Self::Dsu(_) => "dsu",
            Self::Mixstyle(_) => "mixstyle",
            Self::At(arm) if arm.gr.is_some() => "at+gr",
            Self::At(arm) if arm.steps == 1 => "fast-at",
            Self::At(_) => "at",
            Self::Trades(arm) if arm.gr.is_some() => "trades+gr",
            Self::Trades(_) => "trades",
        }
    }

    /// The method with some settings replaced; `at.x` names the setting x of the table `at`.
    ///
    /// # Errors
    /// A setting that the method does not have, or a value of another type.
    pub fn with<'a>(&self, settings: impl IntoIterator<Item = (&'a str, Value)>) -> Result<Self, BadSpec> {
        let mut table = Table::try_from(self).expect("settings are plain values");
        let mut any = false;
        for (path, value) in settings {
            any = true;
            let (tables, key) =
                path.rsplit_once('.').map_or((None, path), |(tables, key)| (Some(tables), key));
            let mut into = &mut table;
            for name in tables.into_iter().flat_map(|tables| tables.split('.')) {
                let below = into.entry(name).or_insert_with(|| Value::Table(Table::new()));
                into = below
                    .as_table_mut()
                    .ok_or_else(|| self.bad(format!("`{name}` has no settings of its own")))?;
            }
            // A whole number where a fraction is expected.
            let value = match (into.get(key), value) {
                (Some(Value::Float(_)), Value::Integer(number)) => Value::Float(number as f64),
                (_, value) => value,
            };
            into.insert(key.to_owned(), value);
        }
        if any && *self == Self::Baseline {
            return Err(self.bad("it has no settings".to_owned()));
        }
        table.try_into().map_err(|error: toml::de::Error| self.bad(error.message().to_owned()))
    }

    fn bad(&self, reason: String) -> BadSpec {
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        BadSpec::Setting { name: self.name().to_owned(), reason }
    }
}

/// `NAME` or `NAME:key=value:key=value`.
impl std::str::FromStr for Method {
    type Err = BadSpec;

    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let mut parts = text.split(':');
        let method = Self::named(parts.next().unwrap_or_default().trim())?;
        let mut settings = Vec::new();
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| BadSpec::NoValue(part.to_owned()))?;
            settings.push((key.trim(), parsed(value.trim())));
        }
        method.with(settings)
    }
}

/// A value as TOML has it; other words are strings.
fn parsed(text: &str) -> Value {
    let line = format!("value = {text}");
    let read = line.parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    read.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_its_methods() {
        for name in NAMES {
            assert_eq!(Method::named(name).unwrap().name(), name);
            assert_eq!(name.parse::<Method>().unwrap(), Method::named(name).unwrap());
        }
    }

    #[test]
    fn every_method_reads_back() {
        for name in NAMES {
            let method = Method::named(name).unwrap();
            let text = toml::to_string(&method).unwrap();
            assert_eq!(toml::from_str::<Method>(&text).unwrap(), method, "{text}");
        }
    }

    #[test]
    fn settings_follow_the_name() {
        let Method::Gr(gr) = "gr-per-image:radius=1:taps=[0,2]".parse().unwrap() else { panic!("gr") };
        assert!(gr.per_image && gr.radius == 1.0 && gr.taps == [0, 2]);
        let Method::At(at) = "at+gr:eps=2:steps=3:gr.radius=0.5".parse().unwrap() else { panic!("at") };
        assert_eq!((at.eps, at.steps, at.gr.unwrap().radius), (2.0, 3, 0.5));
        assert_eq!("at:steps=1".parse::<Method>().unwrap().name(), "fast-at");
    }

    #[test]
    fn bad_settings_are_named() {
        let bad = |text: &str| text.parse::<Method>().unwrap_err().to_string();
        assert!(bad("grr").contains("`grr` is unknown; choose one of baseline, compute-matched"));
        assert!(bad("gr:radius").contains("key=value"));
        assert!(bad("gr:radios=1").contains("radios"), "{}", bad("gr:radios=1"));
        assert!(bad("gr:radius=far").contains("gr"), "{}", bad("gr:radius=far"));
        assert!(bad("baseline:radius=1").contains("no settings"));
        assert!(bad("gr:radius.x=1").contains("radius"));
        for text in ["gr:radios=1", "gr:radius=far"] {
            assert_eq!(bad(text).lines().count(), 1);
        }
    }
}
