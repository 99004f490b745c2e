//! The file itself: types, shapes, separate and damaged weights, files that are no detector.

use crate::detector_fixture::{RES, integer, node, plainly, tensor, tiny, value};
use crate::disguise::{
    Disguise, Folder, SEED, behind, ended, logits, noise, plain, plain_logits, refusal, refusal_at,
    shape_tensor,
};
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::reading::{Layout, Output, Range, Reading};
use dfrt_runtime::results::evaluation::ModelInfo;
use std::path::Path;
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as DimensionValue;
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{NodeProto, StringStringEntryProto, TensorShapeProto, ValueInfoProto};

#[test]
fn an_exported_file_is_read_by_its_metadata() {
    let folder = Folder::new();
    let own = tiny(SEED, Some(&Metadata::new("efficientnet-tiny", RES, 0.0)));
    let mut own_by_pytorch = own.clone();
    own_by_pytorch.producer_name = "pytorch".to_owned();
    let path = folder.model(&own_by_pytorch);
    let detector = Detector::load(&path, 1).unwrap();
    assert_eq!((detector.reading(), detector.facts()), (&Reading::plain(), &[][..]));
    assert_eq!(detector.info().reading, None);
    let text = serde_json::to_string(detector.info()).unwrap();
    assert!(!text.contains("reading"), "{text}");
    let found = logits(&path, &Overrides::default());
    assert_eq!(found, logits(&folder.model(&tiny(SEED, None)), &plainly()));
    let overrides = Overrides { mean: Some([0.5; 3]), ..Overrides::default() };
    let path = folder.model(&own);
    let text = Detector::load_as(&path, 1, &overrides).unwrap_err().to_string();
    assert!(text.contains("exported by dfrt") && text.contains("leave --mean out"), "{text}");
}

#[test]
fn a_recorded_reading_is_read_back() {
    let folder = Folder::new();
    let detector = Detector::load_as(&folder.model(&plain()), 1, &plainly()).unwrap();
    let text = serde_json::to_string(detector.info()).unwrap();
    let back: ModelInfo = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, detector.info());
    // From before the order of the channels was recorded.
    let reading = r#"{"layout":"nchw","range":"0-1","mean":[0,0,0],"std":[1,1,1],"output":"logit","outputs":1,"fake_index":1}"#;
    assert_eq!(serde_json::from_str::<Reading>(reading).unwrap(), Reading::plain());
    let before = r#"{"path":"m.onnx","sha256":"","arch":"unknown","res":32}"#;
    assert_eq!(serde_json::from_str::<ModelInfo>(before).unwrap().reading, None);
}

#[test]
fn what_cannot_be_a_detector_is_refused_in_a_line() {
    let none = plainly();
    let mut maps = plain();
    maps.graph.as_mut().unwrap().output[0] = value("active", &[None, Some(8), None, None]);
    assert!(refusal(&maps, &none).contains("numbers a picture"), "{}", refusal(&maps, &none));
    let mut labels = ended(Disguise::new("logit"), &[None]);
    labels.graph.as_mut().unwrap().node.push(node("ArgMax", &["logit"], "label", vec![integer("axis", 1)]));
    labels.graph.as_mut().unwrap().output[0] = value("label", &[None, Some(1)]);
    assert!(refusal(&labels, &none).contains("labels"), "{}", refusal(&labels, &none));
    let mut sound = plain();
    sound.graph.as_mut().unwrap().input[0] = value("pixels", &[None, Some(16000)]);
    assert!(refusal(&sound, &none).contains("an input of shape [?, 16000]"));
    let nhwc = Overrides { layout: Some(Layout::Nhwc), ..none.clone() };
    assert!(refusal(&plain(), &nhwc).contains("[?, 3, 32, 32], not nhwc"));
    let mut open = plain();
    open.graph.as_mut().unwrap().input[0] = value("pixels", &[None, None, None, None]);
    assert!(refusal(&open, &none).contains("--res"));
    let sized = Overrides { res: Some(RES), ..none.clone() };
    let folder = Folder::new();
    assert_eq!(logits(&folder.model(&open), &sized).len(), 5);
    assert!(refusal(&plain(), &Overrides { res: Some(64), ..none.clone() }).contains("32 px, not 64 px"));
    for (overrides, word) in [
        (Overrides { std: Some([0.0, 1.0, 1.0]), preprocess: None, ..none.clone() }, "--std"),
        (Overrides { mean: Some([f32::NAN; 3]), preprocess: None, ..none.clone() }, "--mean"),
        (Overrides { mean: Some([0.5; 3]), ..none.clone() }, "--preprocess none already sets --mean"),
        (Overrides { fake_index: Some(2), ..none }, "--fake-index 0 to 1"),
    ] {
        assert!(refusal(&plain(), &overrides).contains(word));
    }
}

#[test]
fn weights_in_a_separate_file_are_loaded() {
    let expected = plain_logits();
    let folder = Folder::new();
    let mut split = plain();
    let mut sidecar: Vec<u8> = vec![0; 16];
    for tensor in &mut split.graph.as_mut().unwrap().initializer {
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        tensor.external_data = vec![
            entry("location", "weights.data".to_owned()),
            entry("offset", sidecar.len().to_string()),
            entry("length", tensor.raw_data.len().to_string()),
        ];
        sidecar.extend(tensor.raw_data.iter());
        tensor.raw_data = Default::default();
        tensor.data_location = Some(DataLocation::External as i32);
    }
    let path = folder.model(&split);
    let text = Detector::load(&path, 1).unwrap_err().to_string();
    assert!(text.contains("weights.data") && text.contains("keep both files together"), "{text}");
    let data = path.with_file_name("weights.data");
    std::fs::write(&data, &sidecar).unwrap();
    assert_eq!(logits(&path, &plainly()), expected);
    let hash = || Detector::load_as(&path, 1, &plainly()).unwrap().info().sha256.clone();
    let before = hash();
    sidecar[20] ^= 1;
    std::fs::write(&data, &sidecar).unwrap();
    assert_ne!(hash(), before, "the hash covers the weights");
    std::fs::write(&data, &sidecar[..40]).unwrap();
    let text = Detector::load(&path, 1).unwrap_err().to_string();
    assert!(text.contains("beyond the end of weights.data"), "{text}");
    // Some exporters write the place with a dot before it.
    std::fs::write(&data, &sidecar).unwrap();
    split.graph.as_mut().unwrap().initializer.iter_mut().for_each(|tensor| {
        tensor.external_data[0].value = "./weights.data".to_owned();
    });
    sidecar[20] ^= 1;
    std::fs::write(&data, &sidecar).unwrap();
    assert_eq!(logits(&folder.model(&split), &plainly()), expected);
    for location in ["../weights.data", "/etc/hostname", ""] {
        let tensor = &mut split.graph.as_mut().unwrap().initializer[0];
        tensor.external_data[0].value = location.to_owned();
        let text = refusal(&split, &Overrides::default());
        assert!(text.contains("not next to the model"), "{text}");
    }
}

#[test]
fn what_tract_cannot_run_is_named_by_its_operator() {
    let mut broken = plain();
    broken.graph.as_mut().unwrap().initializer[2] = tensor("head", &[1, 5], vec![0.0; 5]);
    assert!(refusal(&broken, &Overrides::default()).contains("operator Gemm (node \"Gemm_1\")"));
    // Without names, as some exporters leave them.
    let graph = broken.graph.as_mut().unwrap();
    graph.node.iter_mut().for_each(|node| node.name.clear());
    assert!(refusal(&broken, &Overrides::default()).contains("operator Gemm (node \"logit\")"));
}

#[test]
fn damaged_weights_are_refused() {
    let number = |value: f32| value.to_le_bytes().to_vec();
    for (value, words) in [(f32::NAN, "holds NaN"), (f32::INFINITY, "holds infinite numbers")] {
        let mut model = plain();
        let kernel = &mut model.graph.as_mut().unwrap().initializer[0];
        let mut raw = kernel.raw_data.to_vec();
        raw[4..8].copy_from_slice(&number(value));
        kernel.raw_data = raw;
        let text = refusal(&model, &plainly());
        assert!(text.contains("\"kernel\"") && text.contains(words), "{text}");
    }
    let mut front = Disguise::new("input");
    let tensors = [("ones", vec![1.0; 3]), ("middle", vec![0.5; 3]), ("spread", vec![0.1, -0.2, 0.1])];
    front.tensors.extend(tensors.map(|(name, numbers)| tensor(name, &[3], numbers)));
    front.then("BatchNormalization", &["ones", "ones", "middle", "spread"], vec![]);
    let text = refusal(&behind(front, Layout::Nchw, "any"), &plainly());
    assert!(text.contains("\"spread\"") && text.contains("below 0"), "{text}");
}

#[test]
fn a_batch_norm_in_training_mode_is_folded_over_weights_and_refused_over_pictures() {
    let folder = Folder::new();
    let mut model = plain();
    let graph = model.graph.as_mut().unwrap();
    // A kernel that is standardised in the graph, as in networks without batch-norm over
    // features.
    graph.initializer.push(shape_tensor("rows", &[1, -1, 27]));
    graph.initializer.push(shape_tensor("whole", &[-1, 3, 3, 3]));
    graph.initializer.push(tensor("gain", &[8], vec![0.2; 8]));
    graph.initializer.push(tensor("none", &[8], vec![0.0; 8]));
    let training = node(
        "BatchNormalization",
        &["flat_kernel", "gain", "none", "none", "gain"],
        "standard",
        vec![integer("training_mode", 1)],
    );
    let nodes = [
        node("Reshape", &["kernel", "rows"], "flat_kernel", vec![]),
        training.clone(),
        node("Reshape", &["standard", "whole"], "standard_kernel", vec![]),
    ];
    graph.node[0].input[1] = "standard_kernel".to_owned();
    graph.node.splice(0..0, nodes);
    let found = logits(&folder.model(&model), &plainly());
    let mut by_hand = plain();
    let kernel = &mut by_hand.graph.as_mut().unwrap().initializer[0];
    let raw = kernel.raw_data.to_vec();
    let numbers: Vec<f32> =
        raw.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    let standard = numbers.chunks_exact(27).flat_map(|row| {
        let mean = row.iter().sum::<f32>() / 27.0;
        let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / 27.0;
        row.iter().map(move |value| 0.2 * (value - mean) / (variance + 1e-5).sqrt()).collect::<Vec<_>>()
    });
    kernel.raw_data = standard.flat_map(f32::to_le_bytes).collect();
    for (found, expected) in found.iter().zip(logits(&folder.model(&by_hand), &plainly())) {
        assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
    }
    let mut front = Disguise::new("input");
    let tensors = [("ones", vec![1.0; 3]), ("zeros", vec![0.0; 3])];
    front.tensors.extend(tensors.map(|(name, numbers)| tensor(name, &[3], numbers)));
    front.then("BatchNormalization", &["ones", "zeros", "zeros", "ones"], vec![integer("training_mode", 1)]);
    let text = refusal(&behind(front, Layout::Nchw, "any"), &plainly());
    assert!(text.contains("training mode") && text.contains("model.eval()"), "{text}");
}

#[test]
fn a_model_that_quantises_its_batch_takes_one_picture_at_a_time() {
    let mut quantised = plain();
    let graph = quantised.graph.as_mut().unwrap();
    let three = NodeProto {
        output: ["small", "scale", "zero"].map(str::to_owned).to_vec(),
        ..node("DynamicQuantizeLinear", &["pixels"], "small", vec![])
    };
    let float = |from: &str, to: &str| NodeProto {
        name: to.to_owned(),
        ..node("Cast", &[from], to, vec![integer("to", 1)])
    };
    let back = [
        float("small", "numbers"),
        float("zero", "black"),
        node("Sub", &["numbers", "black"], "shifted", vec![]),
        node("Mul", &["shifted", "scale"], "large", vec![]),
    ];
    graph.node[0].input[0] = "large".to_owned();
    graph.node.splice(0..0, std::iter::once(three).chain(back));
    let folder = Folder::new();
    let path = folder.model(&quantised);
    for (found, expected) in logits_one_by_one(&path).iter().zip(plain_logits()) {
        assert!((found - expected).abs() < 0.05, "{found}, not {expected}");
    }
    let text = Detector::load_as(&path, 8, &plainly()).unwrap_err().to_string();
    assert!(text.contains("one picture at a time instead of 8"), "{text}");
    quantised.graph.as_mut().unwrap().input[0] = value("pixels", &[Some(4), Some(3), Some(RES), Some(RES)]);
    let text = refusal(&quantised, &plainly());
    assert!(text.contains("batch of 4") && text.contains("open batch"), "{text}");
}

fn logits_one_by_one(path: &Path) -> Vec<f32> {
    TractOracle::new(Detector::load_as(path, 1, &plainly()).unwrap()).logits(&noise(5)).unwrap()
}

#[test]
fn a_pointer_is_named_as_one() {
    let folder = Folder::new();
    let path = folder.0.path().join("foreign.onnx");
    std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 17\n").unwrap();
    assert!(refusal_at(&path, &plainly()).contains("git lfs pull"));
}

#[test]
fn other_types_and_shapes_of_the_input_are_taken() {
    let expected = plain_logits();
    let near = |path: &Path, overrides: &Overrides, allowed: f32| {
        for (found, expected) in logits(path, overrides).iter().zip(&expected) {
            assert!((found - expected).abs() < allowed, "{found}, not {expected}");
        }
    };
    let folder = Folder::new();
    // Bytes.
    let mut front = Disguise::new("input");
    front.then("Cast", &[], vec![integer("to", 1)]);
    front.with("Div", &[255.0]);
    let mut bytes = behind(front, Layout::Nchw, "any");
    element(&mut bytes.graph.as_mut().unwrap().input[0], 2);
    let path = folder.model(&bytes);
    let reading =
        Detector::load_as(&path, 1, &Overrides { output: Some(Output::Logit), ..Overrides::default() });
    assert_eq!(reading.unwrap().reading().range, Range::Bytes);
    near(&path, &Overrides::default(), 0.02);
    let halves = Overrides { mean: Some([0.5; 3]), ..Overrides::default() };
    assert!(refusal_at(&path, &halves).contains("takes 8-bit numbers"));
    // 16-bit floats, of the input and of every weight.
    let mut half = plain();
    let graph = half.graph.as_mut().unwrap();
    element(&mut graph.input[0], 10);
    for tensor in &mut graph.initializer {
        let four = tensor.raw_data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        tensor.raw_data = four.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect();
        tensor.data_type = 10;
    }
    let path = folder.model(&half);
    near(&path, &plainly(), 0.02);
    let facts = Detector::load_as(&path, 1, &plainly()).unwrap();
    assert!(facts.facts().iter().any(|fact| fact.why.contains("16-bit floats")), "{:?}", facts.facts());
    // A batch of -1 or 0, and no shape at all.
    for batch in [-1, 0] {
        let mut odd = plain();
        let shape = [batch, 3, RES as i64, RES as i64];
        sizes(&mut odd.graph.as_mut().unwrap().input[0], Some(&shape));
        near(&folder.model(&odd), &plainly(), 1e-6);
    }
    let mut none = plain();
    sizes(&mut none.graph.as_mut().unwrap().input[0], None);
    let path = folder.model(&none);
    assert!(refusal_at(&path, &plainly()).contains("--res"));
    near(&path, &Overrides { res: Some(RES), ..plainly() }, 1e-6);
}

fn element(input: &mut ValueInfoProto, kind: i32) {
    if let Some(Type::TensorType(tensor)) = input.r#type.as_mut().and_then(|it| it.value.as_mut()) {
        tensor.elem_type = kind;
    }
}

fn sizes(input: &mut ValueInfoProto, shape: Option<&[i64]>) {
    let Some(Type::TensorType(tensor)) = input.r#type.as_mut().and_then(|it| it.value.as_mut()) else {
        return;
    };
    tensor.shape = shape.map(|sizes| TensorShapeProto {
        dim: sizes
            .iter()
            .map(|&size| Dimension { value: Some(DimensionValue::DimValue(size)), ..Dimension::default() })
            .collect(),
    });
}
