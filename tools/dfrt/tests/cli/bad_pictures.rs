//! Pictures of every kind in a data set: those that can be decoded are used, the
//! others are counted, listed and passed over.

use crate::dfrt;
use crate::workshop::{bytes, copied, faces, folder, gpu, json, model, plain, train};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("bad_picture/eval_passes_over", eval_passes_over),
        plain("bad_picture/attack_passes_over", attack_passes_over),
        gpu("bad_picture/train_passes_over", train_passes_over),
        plain("bad_picture/unusual_kinds_are_read", unusual_kinds_are_read),
        plain("bad_picture/none_can_be_read", none_can_be_read),
        gpu("bad_picture/none_of_a_class_can_be_trained_on", none_of_a_class_can_be_trained_on),
    ]
}

/// A JPEG of 8 x 8 pixels in four inks (Adobe's marker, no transform): full magenta
/// and yellow, no cyan, no black.
const CMYK: &str = "ffd8ffee000e41646f626500640000000000ffdb004300080808080808080808080808080808\
0808080808080808080808080808080808080808080808080808080808080808080808080808080808080808080808\
0808ffc00014080008000804011100021100031100041100ffc4001c00000000090000000000000000000000000001\
02030405060708ffc40014100100000000000000000000000000000000ffda000e040100020003000400003f007fe8\
7f43f9ff00bfffd9";

fn cmyk() -> Vec<u8> {
    let digits: Vec<u8> = CMYK.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The pictures of `split/label`, sorted.
fn pictures(data: &Path, below: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folders = vec![data.join(below)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { paths.push(path) }
        }
    }
    paths.sort();
    paths
}

/// [`faces`] with three bad pictures in every split: cut short, empty, and a text.
fn damaged() -> PathBuf {
    let data = copied(faces());
    for split in ["train", "val", "test"] {
        let reals = pictures(&data, &format!("{split}/real"));
        let fakes = pictures(&data, &format!("{split}/fake"));
        let whole = bytes(&reals[0]);
        std::fs::write(&reals[0], &whole[..whole.len() / 3]).unwrap();
        std::fs::write(&fakes[0], b"").unwrap();
        std::fs::write(&fakes[1], b"a text that calls itself a picture").unwrap();
    }
    data
}

fn lists_three(report: &serde_json::Value) {
    let skipped: Vec<&str> =
        report["skipped"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(skipped.iter().all(|line| line.contains("not a readable picture")), "{skipped:?}");
}

fn eval_passes_over() {
    let out = folder().join("eval.json");
    let ran = dfrt!["eval", "--model", model(), "--data", damaged(), "--out", &out];
    assert!(ran.err.contains("3 unreadable pictures skipped"), "{ran:?}");
    assert_eq!(ran.err.matches("not a readable picture").count(), 3, "{ran:?}");
    ran.done();
    let evaluation = json(&out);
    lists_three(&evaluation);
    assert_eq!(
        (evaluation["data"]["n_real"].as_u64(), evaluation["data"]["n_fake"].as_u64()),
        (Some(5), Some(4))
    );
}

fn attack_passes_over() {
    let out = folder().join("attack");
    let ran = dfrt![
        "attack",
        "--model",
        model(),
        "--method",
        "square",
        "--queries",
        "5",
        "--data",
        damaged(),
        "--out",
        &out
    ];
    assert!(ran.err.contains("3 unreadable pictures skipped"), "{ran:?}");
    ran.done();
    let report = json(out.join("attack.json"));
    lists_three(&report);
    assert_eq!(report["n"], 9);
    dfrt!["verify", &out].done();
}

fn train_passes_over() {
    let out = folder().join("run");
    // 28 pictures in batches of 7: every one is asked for.
    let ran = train(&damaged(), &out, &["--epochs", "1", "--batch", "7"]);
    assert!(ran.err.contains("6 files skipped"), "{ran:?}");
    ran.done();
    let summary = json(out.join("summary.json"));
    assert_eq!(summary["skipped"].as_array().unwrap().len(), 6, "three to train on, three to validate");
}

fn unusual_kinds_are_read() {
    let data = copied(faces());
    std::fs::remove_file(data.join("split.csv")).unwrap();
    let (reals, fakes) = (pictures(&data, "test/real"), pictures(&data, "test/fake"));
    let side = 40;
    let kinds: [DynamicImage; 4] = [
        ImageBuffer::from_fn(side, side, |x, y| Rgb([(x * 1600) as u16, (y * 1600) as u16, 9])).into(),
        ImageBuffer::from_fn(side, side, |x, _| Luma([(x * 6) as u8])).into(),
        ImageBuffer::from_fn(side, side, |x, y| Rgba([200, 100, 50, (x * y) as u8])).into(),
        ImageBuffer::from_fn(side, side, |x, y| LumaA([(x * 900) as u16, (y * 900) as u16])).into(),
    ];
    for (picture, path) in kinds.iter().zip(reals.iter().chain(&fakes).skip(4)) {
        std::fs::remove_file(path).unwrap();
        picture.save_with_format(path.with_extension("png"), ImageFormat::Png).unwrap();
    }
    std::fs::write(&fakes[4], cmyk()).unwrap();
    let evaluation = dfrt!["eval", "--model", model(), "--data", &data, "--json"].json();
    assert_eq!(evaluation["skipped"], serde_json::json!([]));
    assert_eq!(
        (evaluation["data"]["n_real"].as_u64(), evaluation["data"]["n_fake"].as_u64()),
        (Some(6), Some(6))
    );
}

fn none_can_be_read() {
    let data = copied(faces());
    for path in pictures(&data, "test") {
        std::fs::write(path, b"nothing").unwrap();
    }
    let out = folder().join("eval.json");
    dfrt!["eval", "--model", model(), "--data", &data, "--out", &out]
        .failed(1, &["none of the 12 pictures", "can be read"]);
    let folder = folder().join("attack");
    dfrt!["attack", "--model", model(), "--method", "square", "--data", &data, "--out", &folder]
        .failed(1, &["nothing to attack", "not a readable picture"]);
    assert!(!out.exists() && !folder.join("attack.json").exists());
}

fn none_of_a_class_can_be_trained_on() {
    let data = copied(faces());
    for path in pictures(&data, "train/fake") {
        std::fs::write(path, b"nothing").unwrap();
    }
    let out = folder().join("run");
    train(&data, &out, &["--epochs", "1"])
        .failed(1, &["labelled fake can be read", "not a readable picture"]);
    assert!(!out.join("model.onnx").exists());
}
