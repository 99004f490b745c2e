//! The JSON Schema of report.json.

use crate::dfrt;
use crate::studying::finished;
use crate::workshop::{gpu, json, plain};
use libtest_mimic::Trial;
use serde_json::{Map, Value};
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("report/its_schema_is_documented", its_schema_is_documented),
        gpu("report/fits_its_schema", fits_its_schema),
    ]
}

/// `dfrt report --schema > docs/report.schema.json` writes the file.
fn its_schema_is_documented() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    assert_eq!(
        dfrt!["report", "--schema"].json(),
        json(&file),
        "docs/report.schema.json is of another version"
    );
    dfrt!["report", "--schema", "study"].failed(2, &["--schema"]);
    dfrt!["report"].failed(2, &["the folder of a study is missing"]);
}

fn fits_its_schema() {
    let schema = dfrt!["report", "--schema"].json();
    let report = json(finished().join("report.json"));
    assert!(!report["explanation"].is_null() && !report["figures"][0].is_null(), "a whole report");
    Schema(&schema).check(&schema, &report, "report").unwrap();
    let mut wrong = report.clone();
    wrong["arms"][0]["seed"] = "zero".into();
    let error = Schema(&schema).check(&schema, &wrong, "report").unwrap_err();
    assert!(error.contains("report.arms[0].seed"), "{error}");
    let mut unknown = report;
    unknown["comparisons"][0]["magic"] = 1.into();
    assert!(Schema(&schema).check(&schema, &unknown, "report").unwrap_err().contains("magic"));
}

/// The part of JSON Schema that report.json needs. A property that the schema does not name is an error
/// here, and so is a keyword that is not known.
struct Schema<'a>(&'a Value);

impl Schema<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let rules = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(rules) => rules,
            other => return Err(format!("{at}: {other} is no schema")),
        };
        for (keyword, rule) in rules {
            let fits = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "format" | "default" => Ok(()),
                "$ref" => {
                    let place = rule.as_str().unwrap().trim_start_matches('#');
                    self.check(self.0.pointer(place).ok_or(format!("{at}: no {place}"))?, value, at)
                }
                "type" => is_of_type(rule, value, at),
                "const" => same(rule == value, at, value),
                "enum" => same(rule.as_array().unwrap().contains(value), at, value),
                // These four speak of numbers and of arrays alone.
                "minimum" => same(value.as_f64().is_none_or(|found| found >= number(rule)), at, value),
                "maximum" => same(value.as_f64().is_none_or(|found| found <= number(rule)), at, value),
                "minItems" => same(len(value).is_none_or(|len| len >= number(rule)), at, value),
                "maxItems" => same(len(value).is_none_or(|len| len <= number(rule)), at, value),
                "required" => self.required(rule, value, at),
                "properties" | "additionalProperties" => self.properties(rules, value, at),
                "items" => value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .enumerate()
                    .try_for_each(|(place, item)| self.check(rule, item, &format!("{at}[{place}]"))),
                "anyOf" | "oneOf" => self.any(rule.as_array().unwrap(), value, at),
                other => Err(format!("{at}: the keyword {other} is not known to this test")),
            };
            fits?;
        }
        Ok(())
    }

    fn any(&self, schemas: &[Value], value: &Value, at: &str) -> Result<(), String> {
        let tried: Vec<_> = schemas.iter().map(|schema| self.check(schema, value, at)).collect();
        if tried.iter().any(Result::is_ok) {
            return Ok(());
        }
        Err(tried.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; or "))
    }

    fn required(&self, names: &Value, value: &Value, at: &str) -> Result<(), String> {
        let missing =
            names.as_array().unwrap().iter().find(|name| value.get(name.as_str().unwrap()).is_none());
        missing.map_or(Ok(()), |name| Err(format!("{at}: {name} is missing")))
    }

    fn properties(&self, rules: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
        let named = rules.get("properties").and_then(Value::as_object);
        value.as_object().into_iter().flatten().try_for_each(|(name, found)| {
            let own = named.and_then(|named| named.get(name)).or(rules.get("additionalProperties"));
            let at = format!("{at}.{name}");
            self.check(own.ok_or(format!("{at}: is not in the schema"))?, found, &at)
        })
    }
}

fn number(rule: &Value) -> f64 {
    rule.as_f64().expect("a number")
}

fn len(value: &Value) -> Option<f64> {
    value.as_array().map(|array| array.len() as f64)
}

fn same(fits: bool, at: &str, value: &Value) -> Result<(), String> {
    if fits { Ok(()) } else { Err(format!("{at}: {value} does not fit")) }
}

fn is_of_type(rule: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let fits = match rule {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    };
    if fits { Ok(()) } else { Err(format!("{at}: {value} is no {rule}")) }
}
