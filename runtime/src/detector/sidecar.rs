//! Files beside a model that state how pixels are scaled: the `preprocessor_config.json` of
//! Hugging Face's exporters, and the `config.json` of timm and of Hugging Face.

use super::overrides::Pixels;
use crate::reading::{Channels, Range};
use crate::storage;
use serde_json::Value;
use std::path::Path;

/// The contents of the files beside a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sidecar {
    /// How pixels are scaled, and the file that states it.
    pub pixels: Option<(Pixels, String)>,
    /// The names of the classes in order, and the file that holds them.
    pub names: Option<(Vec<String>, String)>,
    /// The side of the input in pixels, and the file that states it.
    pub res: Option<(usize, String)>,
}

/// Reads the files beside the model at `path`. What is missing or not understood is `None`.
pub(super) fn read(path: &Path) -> Sidecar {
    let mut found = Sidecar::default();
    for name in ["preprocessor_config.json", "config.json"] {
        let file = path.with_file_name(name);
        let Some(config) =
            storage::read(&file).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok())
        else {
            continue;
        };
        // timm puts these into an object of their own.
        let own = ["pretrained_cfg", "default_cfg"].into_iter().find_map(|key| config.get(key));
        let part = own.unwrap_or(&config);
        let named = |it| (it, name.to_owned());
        found.pixels = found.pixels.or_else(|| pixels(part).map(named));
        let classes = || names(&config).or_else(|| names(part));
        found.names = found.names.or_else(|| classes().map(|it| (it, name.to_owned())));
        found.res = found.res.or_else(|| side(part).map(|it| (it, name.to_owned())));
    }
    found
}

fn triple(value: Option<&Value>) -> Option<[f32; 3]> {
    let numbers: Option<Vec<f32>> = value?.as_array()?.iter().map(|it| Some(it.as_f64()? as f32)).collect();
    <[f32; 3]>::try_from(numbers?).ok()
}

fn pixels(config: &Value) -> Option<Pixels> {
    let of = |names: [&str; 2]| triple(names.iter().find_map(|name| config.get(name)));
    let flag = |name: &str| config.get(name).and_then(Value::as_bool);
    let (mean, std) = (of(["image_mean", "mean"]), of(["image_std", "std"]));
    if flag("do_normalize") == Some(false) {
        let range = if flag("do_rescale") == Some(false) { Range::Bytes } else { Range::Unit };
        return Some(Pixels::plain(range));
    }
    let (mean, std) = (mean?, std?);
    if std.iter().any(|&value| value.is_nan() || value <= 0.0) || mean.iter().any(|value| !value.is_finite())
    {
        return None;
    }
    let factor = config.get("rescale_factor").and_then(Value::as_f64);
    let range = match (flag("do_rescale"), factor) {
        (Some(false), _) => Range::Bytes,
        (_, Some(factor)) if (factor * 255.0 - 1.0).abs() > 1e-3 => return None,
        _ => Range::Unit,
    };
    Some(Pixels { channels: Channels::Rgb, range, mean, std })
}

/// The names of the classes in order; `None` for fewer than two.
fn names(config: &Value) -> Option<Vec<String>> {
    let text = |name: &Value| name.as_str().map(str::to_owned);
    let names: Vec<String> = match (config.get("id2label"), config.get("label_names")) {
        (Some(Value::Object(names)), _) => {
            (0..names.len()).map(|index| text(names.get(&index.to_string())?)).collect::<Option<_>>()?
        }
        (_, Some(Value::Array(names))) => names.iter().map(text).collect::<Option<_>>()?,
        _ => return None,
    };
    // Hugging Face writes these names where nobody named the classes.
    let numbered = names.iter().enumerate().all(|(index, name)| *name == format!("LABEL_{index}"));
    (names.len() > 1 && !numbered).then_some(names)
}

fn side(config: &Value) -> Option<usize> {
    let integer = |value: &Value| value.as_u64().map(|side| side as usize);
    if let Some(Value::Array(sizes)) = config.get("input_size") {
        return sizes.last().and_then(integer);
    }
    let size = ["crop_size", "size"].into_iter().find_map(|name| config.get(name))?;
    integer(size).or_else(|| {
        let (height, width) = (integer(size.get("height")?)?, integer(size.get("width")?)?);
        (height == width).then_some(height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::overrides::IMAGENET;

    fn of(name: &str, text: &str) -> Sidecar {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        read(&folder.path().join("model.onnx"))
    }

    #[test]
    fn a_processor_and_a_configuration_say_how_pixels_go_in() {
        let unit = Pixels::plain(Range::Unit);
        let text = r#"{"do_normalize": true, "do_rescale": true, "rescale_factor": 0.00392156862745098,
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "size": {"height": 96, "width": 96}}"#;
        let found = of("preprocessor_config.json", text);
        let half = Pixels { mean: [0.5; 3], std: [0.5; 3], ..unit };
        assert_eq!(found.pixels, Some((half, "preprocessor_config.json".to_owned())));
        assert_eq!(found.res.unwrap().0, 96);
        let text = r#"{"architecture": "efficientnet_b0", "pretrained_cfg": {"input_size": [3, 224, 224],
            "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "label_names": ["fake", "real"]}}"#;
        let found = of("config.json", text);
        assert_eq!(found.pixels.unwrap().0, Pixels { mean: IMAGENET.0, std: IMAGENET.1, ..unit });
        assert_eq!(found.res.unwrap().0, 224);
        assert_eq!(found.names.unwrap().0, ["fake", "real"]);
        let raw = of("preprocessor_config.json", r#"{"do_normalize": false, "do_rescale": false}"#);
        assert_eq!(raw.pixels.unwrap().0.range, Range::Bytes);
    }

    #[test]
    fn what_is_not_understood_is_ignored() {
        for text in [
            "not json",
            "{}",
            r#"{"image_mean": [0.5], "image_std": [0.5]}"#,
            r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0, 0.5, 0.5]}"#,
            r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "rescale_factor": 0.5}"#,
            r#"{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}"#,
            r#"{"id2label": {"0": "fake", "2": "real"}}"#,
            r#"{"label_names": ["fake"]}"#,
        ] {
            assert_eq!(of("preprocessor_config.json", text), Sidecar::default(), "{text}");
        }
        let named = of("config.json", r#"{"id2label": {"1": "Real", "0": "Fake"}}"#).names.unwrap();
        assert_eq!(named, (vec!["Fake".to_owned(), "Real".to_owned()], "config.json".to_owned()));
    }
}
