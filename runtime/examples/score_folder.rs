//! Scores a folder of pictures with an ONNX file and prints the AUC with its 95 % interval:
//!
//!     cargo run --release --example score_folder -- gr.onnx faces
//!
//! The folder holds `test/real` and `test/fake`, or is in another layout of docs/datasets.md.
//! The file is one that `dfrt export` wrote, or any program's whose pixels and output are
//! proved by its graph; where they are not, the error says what to put into [`Overrides`].

use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::detector::evaluate::{Subject, evaluate};
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::results::evaluation::Evaluation;
use dfrt_runtime::sample::Split;
use std::error::Error;
use std::path::Path;

/// The clean metrics of `model` on the test split of `data`.
fn scored(model: &Path, data: &Path) -> Result<Evaluation, Box<dyn Error>> {
    let oracle = TractOracle::new(Detector::load_as(model, 1, &Overrides::default())?);
    let pictures = Manifest::of(data)?.split(Split::Test);
    let detector = oracle.detector();
    let subject = Subject {
        model: detector.info(),
        data: &data.to_string_lossy(),
        split: Split::Test,
        threshold: detector.threshold(),
        threshold_from: Some(detector.threshold_source()),
        seed: 0,
    };
    let (evaluation, _scores) = evaluate(&oracle, &pictures, &subject, &|_, _| {})?;
    Ok(evaluation)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data] = &arguments[..] else { return Err("usage: score_folder MODEL.onnx FOLDER".into()) };
    let Evaluation { data, metrics, undefined, skipped, .. } = scored(model.as_ref(), data.as_ref())?;
    skipped.iter().for_each(|line| eprintln!("passed over: {line}"));
    println!("{} real and {} fake pictures", data.n_real, data.n_fake);
    match (metrics.auc, undefined) {
        (Some(auc), _) => println!("AUC {:.3} ({:.3} to {:.3})", auc.value, auc.low, auc.high),
        (None, reason) => println!("no AUC: {}", reason.unwrap_or_default()),
    }
    Ok(())
}

#[cfg(test)]
#[path = "../tests/detector_fixture/mod.rs"]
#[allow(dead_code, reason = "the model of this test is one of its own")]
mod detector_fixture;

#[test]
fn a_detector_of_brightness_ranks_eight_of_nine_pairs_rightly() -> Result<(), Box<dyn Error>> {
    use detector_fixture::{RES, bytes, integer, model, node, tensor, value};
    use dfrt_runtime::detector::metadata::Metadata;
    use tract_onnx::pb::GraphProto;

    // The logit is the sum of the mean red, green and blue.
    let graph = GraphProto {
        node: vec![
            node("GlobalAveragePool", &["pixels"], "means", vec![]),
            node("Flatten", &["means"], "flat", vec![integer("axis", 1)]),
            node("Gemm", &["flat", "ones", "zero"], "logit", vec![integer("transB", 1)]),
        ],
        initializer: vec![tensor("ones", &[1, 3], vec![1.0; 3]), tensor("zero", &[1], vec![0.0])],
        input: vec![value("pixels", &[None, Some(3), Some(RES), Some(RES)])],
        output: vec![value("logit", &[None, Some(1)])],
        ..GraphProto::default()
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("bright.onnx");
    std::fs::write(&file, bytes(&model(graph, Some(&Metadata::new("bright", RES, 0.0)))))?;
    let faces = folder.path().join("faces");
    for (class, greys) in [("real", [40, 60, 120]), ("fake", [100, 140, 160])] {
        let class = faces.join("test").join(class);
        std::fs::create_dir_all(&class)?;
        for grey in greys {
            let picture = image::RgbImage::from_pixel(RES as u32, RES as u32, image::Rgb([grey; 3]));
            picture.save(class.join(format!("{grey}.png")))?;
        }
    }
    let evaluation = scored(&file, &faces)?;
    assert_eq!((evaluation.data.n_real, evaluation.data.n_fake), (3, 3));
    let auc = evaluation.metrics.auc.ok_or("an AUC")?;
    assert!((auc.value - 8.0 / 9.0).abs() < 1e-9, "{auc:?}");
    assert!(auc.low <= auc.value && auc.value <= auc.high && auc.low < auc.high, "{auc:?}");
    Ok(())
}
