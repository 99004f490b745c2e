//! The arms of a study by name: a method, alone or with settings.

use super::bad::BadStudy;
use crate::arms::Method;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmSpec {
    /// Its name in results: letters, digits, and `-`, `_`, `+` or `.`.
    pub name: String,
    /// Its method.
    pub method: Method,
}

/// In study.toml: `"gr"`, `"at:eps=2"` or `{ name = "strong", method = "at:eps=2" }`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Named { name: String, method: Spelled },
}

/// A method as a text, or as a table with its `name` and settings.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Spelled {
    Text(String),
    Table(toml::Table),
}

impl ArmSpec {
    /// Whether it is a method of that name with its default settings.
    pub fn is_bare(&self) -> bool {
        Method::named(&self.name).is_ok_and(|method| method == self.method)
    }

    /// Checks the name.
    ///
    /// # Errors
    /// It is empty, or has other letters: it is part of a folder's name.
    pub fn check(&self) -> Result<(), BadStudy> {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_+.".contains(letter);
        if self.name.is_empty() || self.name.starts_with('.') || !self.name.chars().all(fits) {
            return Err(BadStudy::of(format!(
                "arm {:?}: cannot be the name of a folder; take letters, digits, -, _ and +",
                self.name
            )));
        }
        Ok(())
    }
}

/// A method's text names its arm: `at:eps=2` is called `at-eps-2`.
impl std::str::FromStr for ArmSpec {
    type Err = crate::arms::BadSpec;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let method = text.parse()?;
        let fold = |letter: char| match letter {
            ':' | '=' | ',' => Some('-'),
            letter if letter.is_ascii_alphanumeric() || "-_+.".contains(letter) => Some(letter),
            _ => None,
        };
        Ok(Self { name: text.trim().chars().filter_map(fold).collect(), method })
    }
}

impl Serialize for ArmSpec {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.is_bare() {
            return self.name.serialize(to);
        }
        let table = toml::Table::try_from(&self.method).map_err(serde::ser::Error::custom)?;
        Written::Named { name: self.name.clone(), method: Spelled::Table(table) }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for ArmSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from)? {
            Written::Text(text) => text.parse().map_err(D::Error::custom),
            Written::Named { name, method: Spelled::Text(text) } => {
                Ok(Self { name, method: text.parse().map_err(D::Error::custom)? })
            }
            Written::Named { name, method: Spelled::Table(table) } => {
                let base = table.get("name").and_then(toml::Value::as_str).unwrap_or_default();
                let base = Method::named(base).map_err(D::Error::custom)?;
                let settings = table.iter().filter(|(key, _)| *key != "name");
                let settings = settings.map(|(key, value)| (key.as_str(), value.clone()));
                Ok(Self { name, method: base.with(settings).map_err(D::Error::custom)? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct File {
        arms: Vec<ArmSpec>,
    }

    #[test]
    fn arms_are_texts_or_tables() {
        let file: File = toml::from_str(
            r#"arms = ["gr", "at+gr:eps=2:gr.radius=0.5", { name = "strong", method = "fast-at:eps=4" },
                { name = "own", method = { name = "gr-per-image", radius = 1 } }]"#,
        )
        .unwrap();
        let names: Vec<&str> = file.arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["gr", "at+gr-eps-2-gr.radius-0.5", "strong", "own"]);
        assert!(file.arms.iter().all(|arm| arm.check().is_ok()));
        assert_eq!(file.arms[2].method, "at:steps=1:eps=4".parse().unwrap());
        assert_eq!(file.arms[3].method, "gr:per-image=true:radius=1".parse().unwrap());
        let text = toml::to_string(&file).unwrap();
        assert!(text.contains("arms = [\"gr\""), "{text}");
        assert_eq!(toml::from_str::<File>(&text).unwrap(), file);
    }

    #[test]
    fn bad_arms_are_named() {
        let bad = |text: &str| toml::from_str::<File>(text).unwrap_err().to_string();
        assert!(bad("arms = [\"grr\"]").contains("`grr` is unknown"));
        assert!(bad("arms = [{ name = \"a\", method = { name = \"gr\", radios = 1 } }]").contains("radios"));
        let slash = ArmSpec { name: "a/b".to_owned(), method: Method::Baseline };
        assert!(slash.check().unwrap_err().to_string().contains("a/b"));
    }
}
