//! Loading and running ONNX files: valid detectors, and a one-line error for everything else.

mod detector_fixture;

use detector_fixture::{RES, bytes, model, node, plainly, tensor, tiny, value};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::bench::bench;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::{random, storage};
use rand::{Rng, RngExt};
use std::path::PathBuf;
use tract_onnx::pb::{GraphProto, ModelProto};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    fn model(&self, model: &ModelProto) -> PathBuf {
        self.write("model.onnx", &bytes(model))
    }
}

/// The error of loading `contents`: one line that names the file.
fn refusal(contents: &[u8]) -> String {
    let folder = Folder::new();
    let path = folder.write("victim.onnx", contents);
    let text = Detector::load(&path, 1).expect_err("a bad file").to_string();
    assert!(text.contains("victim.onnx"), "{text}");
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
    text
}

fn noise(pictures: usize, res: usize) -> Batch {
    let mut random = random::stream(5, &["noise".into()]);
    let values = (0..pictures * 3 * res * res).map(|_| random.random()).collect();
    Batch { res, values }
}

#[test]
fn logits_are_those_computed_by_hand() {
    // One logit: twice the mean red minus the mean blue, plus a quarter.
    let graph = GraphProto {
        node: vec![
            node("GlobalAveragePool", &["pixels"], "pooled", vec![]),
            node("Flatten", &["pooled"], "flat", vec![]),
            node("MatMul", &["flat", "head"], "product", vec![]),
            node("Add", &["product", "bias"], "logit", vec![]),
        ],
        name: "mean".to_owned(),
        initializer: vec![tensor("head", &[3, 1], vec![2.0, 0.0, -1.0]), tensor("bias", &[1], vec![0.25])],
        input: vec![value("pixels", &[None, Some(3), Some(4), Some(4)])],
        output: vec![value("logit", &[None, Some(1)])],
        ..GraphProto::default()
    };
    let folder = Folder::new();
    let path = folder.model(&model(graph, None));
    let oracle = TractOracle::new(Detector::load_as(&path, 2, &plainly()).unwrap());
    let batch = noise(5, 4);
    let mean = |plane: &[f32]| plane.iter().map(|&value| f64::from(value)).sum::<f64>() / 16.0;
    for (index, logit) in oracle.logits(&batch).unwrap().into_iter().enumerate() {
        let picture = batch.picture(index);
        let expected = 2.0 * mean(&picture[..16]) - mean(&picture[32..]) + 0.25;
        assert!((f64::from(logit) - expected).abs() < 1e-5, "{logit} instead of {expected}");
    }
    assert_eq!(oracle.detector().info().arch, "unknown");
    assert_eq!(oracle.detector().threshold(), 0.0);
}

#[test]
fn a_logit_does_not_depend_on_its_neighbours_or_threads() {
    let folder = Folder::new();
    let path = folder.model(&tiny(1, None));
    let batch = noise(13, RES);
    for size in [1, 4] {
        let oracle = TractOracle::new(Detector::load_as(&path, size, &plainly()).unwrap());
        let together = oracle.logits(&batch).unwrap();
        assert_eq!(together, oracle.logits(&batch).unwrap(), "asked again");
        for (index, &logit) in together.iter().enumerate() {
            let alone = Batch { res: RES, values: batch.picture(index).to_vec() };
            assert_eq!(oracle.logits(&alone).unwrap()[0].to_bits(), logit.to_bits());
        }
        let spread =
            together.iter().copied().fold(0.0, f32::max) - together.iter().copied().fold(0.0, f32::min);
        assert!(spread > 0.0, "the model tells pictures apart");
    }
}

#[test]
fn an_empty_batch_and_a_wrong_size_are_answered() {
    let folder = Folder::new();
    let oracle = TractOracle::new(Detector::load_as(&folder.model(&tiny(1, None)), 1, &plainly()).unwrap());
    assert!(oracle.logits(&Batch::new(RES)).unwrap().is_empty());
    let text = oracle.logits(&noise(1, 16)).unwrap_err().to_string();
    assert!(text.contains("takes pictures of 32 px, got 16 px"), "{text}");
}

#[test]
fn metadata_and_hash_are_read_from_the_file() {
    let mut metadata = Metadata::new("efficientnet-tiny", RES, -0.75);
    metadata.data_path = Some("demo/data".to_owned());
    let contents = bytes(&tiny(2, Some(&metadata)));
    let folder = Folder::new();
    let path = folder.write("own.onnx", &contents);
    let detector = Detector::load(&path, 1).unwrap();
    assert_eq!(detector.metadata(), Some(&metadata));
    assert_eq!(detector.threshold(), -0.75);
    assert_eq!(detector.info().sha256, storage::sha256(&contents));
    assert_eq!(detector.info().arch, "efficientnet-tiny");
}

#[test]
fn a_size_left_open_is_taken_from_metadata_or_caller() {
    let mut open = tiny(3, None);
    open.graph.as_mut().unwrap().input[0] = value("pixels", &[None, Some(3), None, None]);
    let folder = Folder::new();
    let path = folder.model(&open);
    let text = Detector::load_as(&path, 1, &plainly()).unwrap_err().to_string();
    assert!(text.contains("does not fix the size of its input"), "{text}");
    let overrides = Overrides { res: Some(48), ..plainly() };
    assert_eq!(Detector::load_as(&path, 1, &overrides).unwrap().res(), 48);
    let closed = folder.model(&tiny(3, Some(&Metadata::new("x", 64, 0.0))));
    let text = Detector::load(&closed, 1).unwrap_err().to_string();
    assert!(text.contains("takes pictures of 32 px, not 64 px"), "{text}");
}

#[test]
fn a_fixed_batch_is_kept_and_padded() {
    let mut fixed = tiny(4, None);
    let graph = fixed.graph.as_mut().unwrap();
    graph.input[0] = value("pixels", &[Some(3), Some(3), Some(RES), Some(RES)]);
    let folder = Folder::new();
    let fixed = folder.write("fixed.onnx", &bytes(&fixed));
    let free = folder.write("free.onnx", &bytes(&tiny(4, None)));
    let fixed = TractOracle::new(Detector::load_as(&fixed, 1, &plainly()).unwrap());
    assert_eq!(fixed.detector().batch(), 3);
    let free = TractOracle::new(Detector::load_as(&free, 3, &plainly()).unwrap());
    let batch = noise(4, RES);
    assert_eq!(fixed.logits(&batch).unwrap(), free.logits(&batch).unwrap());
}

#[test]
fn one_logit_may_have_one_dimension() {
    let mut flat = tiny(6, None);
    let graph = flat.graph.as_mut().unwrap();
    graph.node.pop();
    graph.initializer.clear();
    let with = tiny(6, None).graph.unwrap().initializer;
    graph.initializer.extend(with.into_iter().filter(|it| it.name != "head" && it.name != "bias"));
    graph.initializer.push(tensor("head", &[8], vec![1.0; 8]));
    graph.node.push(node("MatMul", &["flat", "head"], "logit", vec![]));
    graph.output[0] = value("logit", &[None]);
    let folder = Folder::new();
    let oracle = TractOracle::new(Detector::load_as(&folder.model(&flat), 2, &plainly()).unwrap());
    assert_eq!(oracle.logits(&noise(3, RES)).unwrap().len(), 3);
}

#[test]
fn files_that_are_no_model_are_refused() {
    assert!(refusal(b"").contains("the file is empty"));
    let mut garbage = vec![0; 4096];
    random::stream(9, &["garbage".into()]).fill_bytes(&mut garbage);
    assert!(refusal(&garbage).contains("no ONNX model"));
    assert!(refusal(b"\x89PNG\r\n\x1a\n0000").contains("no ONNX model"));
    assert!(refusal(b"PK\x03\x04 a torch checkpoint").contains("no ONNX model"));
    let missing = Detector::load(std::path::Path::new("nowhere/m.onnx"), 1).unwrap_err();
    assert!(missing.to_string().contains("nowhere/m.onnx"));
}

#[test]
fn a_model_cut_short_anywhere_is_refused() {
    let metadata = Metadata::new("efficientnet-tiny", RES, 0.0);
    let whole = bytes(&tiny(7, Some(&metadata)));
    for length in (0..whole.len()).step_by(7) {
        refusal(&whole[..length]);
    }
}

#[test]
fn damaged_bytes_never_panic() {
    let whole = bytes(&tiny(8, None));
    let folder = Folder::new();
    let mut random = random::stream(10, &["damage".into()]);
    for _ in 0..300 {
        let mut damaged = whole.clone();
        for _ in 0..3 {
            let place = random.random_range(0..damaged.len());
            damaged[place] = random.random();
        }
        let path = folder.write("damaged.onnx", &damaged);
        if let Err(error) = Detector::load(&path, 1) {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn an_operator_that_tract_lacks_is_named() {
    let mut foreign = tiny(11, None);
    let graph = foreign.graph.as_mut().unwrap();
    graph.node[1].op_type = "FancyActivation".to_owned();
    let text = refusal(&bytes(&foreign));
    assert!(text.contains("FancyActivation") && text.contains("Relu_1"), "{text}");
}

#[test]
fn a_graph_that_does_not_fit_together_is_refused_with_its_node() {
    let mut broken = tiny(12, None);
    broken.graph.as_mut().unwrap().initializer[2] = tensor("head", &[1, 5], vec![0.0; 5]);
    let text = refusal(&bytes(&broken));
    assert!(text.contains("tract cannot run this graph") && text.contains("Gemm_1"), "{text}");
}

#[test]
fn other_inputs_and_outputs_are_refused() {
    let shaped = |dims: &[Option<usize>]| {
        let mut other = tiny(13, None);
        other.graph.as_mut().unwrap().input[0] = value("pixels", dims);
        refusal(&bytes(&other))
    };
    assert!(shaped(&[None, Some(1), Some(32), Some(32)]).contains("[?, 1, 32, 32]"));
    assert!(shaped(&[None, Some(3), Some(32), Some(48)]).contains("[?, 3, 32, 48]"));
    assert!(shaped(&[None, Some(3), Some(1024)]).contains("[?, 3, 1024]"));
    assert!(shaped(&[None, Some(3), Some(0), Some(0)]).contains("does not fix the size of its input"));
    let metadata = Metadata::new("efficientnet-tiny", RES, 0.0);
    let mut two_logits = tiny(13, Some(&metadata));
    let graph = two_logits.graph.as_mut().unwrap();
    graph.initializer[2] = tensor("head", &[2, 8], vec![0.0; 16]);
    assert!(refusal(&bytes(&two_logits)).contains("one logit a picture"));
    let mut two_inputs = tiny(13, None);
    let graph = two_inputs.graph.as_mut().unwrap();
    graph.input.push(value("mask", &[Some(1)]));
    assert!(refusal(&bytes(&two_inputs)).contains("2 inputs"));
    let mut nowhere = tiny(13, None);
    nowhere.graph.as_mut().unwrap().output[0].name = "score".to_owned();
    assert!(refusal(&bytes(&nowhere)).contains("which no node computes"));
}

#[test]
fn the_bench_measures_every_figure() {
    let folder = Folder::new();
    let path = folder.model(&tiny(14, None));
    let bench = bench(&path, 2, 3, 10).unwrap();
    assert!(0.0 < bench.p50_ms && bench.p50_ms <= bench.p90_ms && bench.p90_ms <= bench.p99_ms);
    assert!(bench.mean_ms > 0.0 && bench.first_ms > 0.0 && bench.load_ms > 0.0);
    assert!(bench.throughput_img_s > 0.0);
    assert_eq!((bench.threads, bench.batch, bench.runs), (2, 3, 10));
    let file = std::fs::metadata(&path).unwrap().len();
    assert_eq!(bench.model_mb, file as f64 / 1e6);
    assert_eq!(bench.peak_rss_mb.is_some(), cfg!(target_os = "linux"));
    assert!(!bench.cpu.is_empty());
}

#[test]
fn a_bench_of_nothing_is_refused() {
    let path = std::path::Path::new("model.onnx");
    assert!(bench(path, 0, 1, 1).unwrap_err().to_string().contains("--threads"));
    assert!(bench(path, 1, 1, 0).unwrap_err().to_string().contains("--runs"));
}
