//! What must not change between an attack and its continuation, as the first line of its
//! journal holds it. Which pictures are judged may change: more of them later is no other
//! attack, and a picture is known by its content, not by its name.

use crate::differing::differing;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The settings of an attack on trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Settings(Map<String, Value>);

impl Settings {
    /// The setting `name`; null where there is none.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// Every setting in which `now` differs, with both values; none where nothing does.
    /// The name of the data set is no setting: its pictures are known by their content.
    pub fn difference(&self, now: &Self) -> Option<String> {
        let named = |settings: &Self| {
            let mut settings = settings.0.clone();
            settings.remove("data");
            settings
        };
        differing(&named(self), &named(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Settings {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_data_set_under_another_name_may_be_the_same() {
        let then = parsed(r#"{"params":{"seed":0},"data":"faces"}"#);
        assert_eq!(then.difference(&parsed(r#"{"params":{"seed":0},"data":"moved/faces"}"#)), None);
        let now = parsed(r#"{"params":{"seed":1},"data":"faces"}"#);
        assert_eq!(then.difference(&now).unwrap(), "seed was 0 and is 1");
    }
}
