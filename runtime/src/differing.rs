//! Which settings differ between a run and its continuation, in words.

use serde_json::{Map, Value};

/// Digits of a hash that are shown.
const SHOWN: usize = 12;

/// Every setting in which `now` differs from `then`, with both values; none where nothing
/// does. Those of inner objects stand under their own names.
pub fn differing(then: &Map<String, Value>, now: &Map<String, Value>) -> Option<String> {
    let mut found = Vec::new();
    differences(then, now, &mut found);
    (!found.is_empty()).then(|| found.join("; "))
}

fn differences(then: &Map<String, Value>, now: &Map<String, Value>, found: &mut Vec<String>) {
    let added = now.keys().filter(|name| !then.contains_key(*name));
    for name in then.keys().chain(added) {
        match (then.get(name), now.get(name)) {
            (Some(Value::Object(then)), Some(Value::Object(now))) => differences(then, now, found),
            (then, now) if then != now => {
                found.push(format!("{name} was {} and is {}", shown(then), shown(now)));
            }
            _ => {}
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "not set".to_owned(),
        Some(Value::String(text)) if text.len() == 64 && text.is_ascii() => format!("{}…", &text[..SHOWN]),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_setting_that_differs_is_named() {
        let differing = |then: Value, now: Value| match (then, now) {
            (Value::Object(then), Value::Object(now)) => differing(&then, &now),
            _ => panic!("objects"),
        };
        let then = json!({"method": "square", "params": {"seed": 0, "queries": 60}, "eps": 8});
        assert_eq!(differing(then.clone(), then.clone()), None);
        let now = json!({"method": "square", "params": {"seed": 1, "queries": 60}, "eps": 4});
        assert_eq!(differing(then.clone(), now).unwrap(), "seed was 0 and is 1; eps was 8 and is 4");
        let more = json!({"method": "square", "params": {"seed": 0, "queries": 60, "p": 0.8}, "eps": 8});
        assert_eq!(differing(then.clone(), more.clone()).unwrap(), "p was not set and is 0.8");
        assert_eq!(differing(more, then).unwrap(), "p was 0.8 and is not set");
        let model = |digit: &str| json!({"model": digit.repeat(64)});
        let found = differing(model("a"), model("b")).unwrap();
        assert_eq!(found, "model was aaaaaaaaaaaa… and is bbbbbbbbbbbb…");
    }
}
