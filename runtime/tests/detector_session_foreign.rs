//! Files of other programs: every layout, range, normalisation and kind of output
//! gives the logit of the plain file; what is not said is guessed and told.

mod detector_fixture;

use detector_fixture::{RES, bytes, integer, integers, node, tensor, tiny, value};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::evaluate::ModelInfo;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::reading::{Asked, Layout, Output, Range, Reading};
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::random;
use rand::RngExt;
use std::path::{Path, PathBuf};
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{ModelProto, NodeProto, StringStringEntryProto, TensorProto};

const SEED: u64 = 21;
const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
const NONE: ([f32; 3], [f32; 3]) = ([0.0; 3], [1.0; 3]);

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn model(&self, model: &ModelProto) -> PathBuf {
        let path = self.0.path().join("foreign.onnx");
        std::fs::write(&path, bytes(model)).unwrap();
        path
    }
}

fn noise(pictures: usize) -> Batch {
    let mut random = random::stream(6, &["noise".into()]);
    let mut values = Vec::new();
    for picture in 0..pictures {
        // Of different brightness, so that their logits lie apart.
        let scale = 0.2 + 0.8 * picture as f32 / pictures as f32;
        values.extend((0..3 * RES * RES).map(|_| scale * random.random::<f32>()));
    }
    Batch { res: RES, values }
}

fn logits(path: &Path, asked: &Asked) -> Vec<f32> {
    let oracle = TractOracle::new(Detector::load_as(path, 2, asked).unwrap());
    oracle.logits(&noise(5)).unwrap()
}

/// A small plain model whose logits lie within a few units of 0.
fn plain() -> ModelProto {
    let mut plain = tiny(SEED, None);
    let graph = plain.graph.as_mut().unwrap();
    graph.initializer[2] = tensor("head", &[1, 8], (0..8).map(|place| (place as f32 - 3.5) * 0.8).collect());
    plain
}

fn plain_logits() -> Vec<f32> {
    let folder = Folder::new();
    let logits = logits(&folder.model(&plain()), &Asked::default());
    assert!(logits.windows(2).all(|pair| (pair[0] - pair[1]).abs() > 1e-2), "{logits:?}");
    assert!(logits.iter().all(|logit| logit.abs() < 6.0), "{logits:?}");
    logits
}

/// The graph of [`plain`] behind another front and before another end.
struct Disguise {
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    value: String,
}

impl Disguise {
    fn new(value: &str) -> Self {
        Self { nodes: Vec::new(), tensors: Vec::new(), value: value.to_owned() }
    }

    /// The value, a node of `operator` later.
    fn then(&mut self, operator: &str, more: &[&str], attributes: Vec<tract_onnx::pb::AttributeProto>) {
        let output = format!("{}.{operator}", self.value);
        let inputs: Vec<&str> = std::iter::once(self.value.as_str()).chain(more.iter().copied()).collect();
        let made = node(operator, &inputs, &output, attributes);
        self.nodes.push(NodeProto { name: output.clone(), ..made });
        self.value = output;
    }

    /// The value with a constant of three channels, or one number.
    fn with(&mut self, operator: &str, numbers: &[f32]) {
        let name = format!("{}.{operator}.by", self.value);
        self.tensors.push(tensor(&name, &[1, numbers.len(), 1, 1], numbers.to_vec()));
        self.then(operator, &[&name], vec![]);
    }

    fn reshape(&mut self, shape: &[i64]) {
        let name = format!("{}.shape", self.value);
        self.tensors.push(shape_tensor(&name, shape));
        self.then("Reshape", &[&name], vec![]);
    }
}

fn shape_tensor(name: &str, shape: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![shape.len() as i64],
        data_type: tract_onnx::pb::tensor_proto::DataType::Int64 as i32,
        raw_data: shape.iter().flat_map(|size| size.to_le_bytes()).collect(),
        ..TensorProto::default()
    }
}

/// Takes what `reading` makes of the pixels, and undoes it inside.
fn front(reading: &Reading) -> Disguise {
    let mut front = Disguise::new("input");
    if reading.layout == Layout::Nhwc {
        front.then("Transpose", &[], vec![integers("perm", &[0, 3, 1, 2])]);
    }
    front.with("Mul", &reading.std);
    front.with("Add", &reading.mean);
    match reading.range {
        Range::Unit => {}
        Range::Bytes => front.with("Div", &[255.0]),
        Range::Signed => {
            front.with("Sub", &[-1.0]);
            front.with("Div", &[2.0]);
        }
    }
    front
}

/// Gives the logit as `reading` has it, in `shape`.
fn end(reading: &Reading, shape: &[i64]) -> Disguise {
    let mut end = Disguise::new("logit");
    let sign = if reading.fake_index == 1 { 1.0 } else { -1.0 };
    match (reading.outputs, reading.output) {
        (1, Output::Logit) => end.with("Mul", &[sign]),
        (1, Output::Probability) => {
            end.with("Mul", &[sign]);
            end.reshape(&[-1, 1]);
            end.then("Sigmoid", &[], vec![]);
        }
        (_, output) => {
            // Two numbers, the second larger by the logit.
            end.tensors.push(tensor("halves", &[1, 2], vec![-0.25 * sign, 0.75 * sign]));
            end.then("MatMul", &["halves"], vec![]);
            if output == Output::Probability {
                end.then("Softmax", &[], vec![integer("axis", -1)]);
            }
        }
    }
    end.reshape(shape);
    end
}

/// [`plain`] so disguised that `reading` reads it.
fn disguised(reading: &Reading, shape: &[i64], open: bool) -> ModelProto {
    let mut model = plain();
    let graph = model.graph.as_mut().unwrap();
    let (mut front, end) = (front(reading), end(reading, shape));
    front.nodes.push(node("Identity", &[&front.value], "pixels", vec![]));
    graph.node.splice(0..0, front.nodes);
    graph.node.extend(end.nodes);
    graph.initializer.extend(front.tensors.into_iter().chain(end.tensors));
    let (batch, side) = if open { (None, None) } else { (Some(2), Some(RES)) };
    graph.input[0] = match reading.layout {
        Layout::Nchw => value("input", &[batch, Some(3), side, side]),
        Layout::Nhwc => value("input", &[batch, side, side, Some(3)]),
    };
    graph.output[0] = value(&end.value, &vec![None; shape.len()]);
    model
}

/// How the output may look: what it is, its shape, which class is fake.
const ENDS: [(Output, usize, &[i64], usize); 11] = [
    (Output::Logit, 1, &[-1], 1),
    (Output::Logit, 1, &[-1, 1], 0),
    (Output::Logit, 1, &[-1, 1, 1, 1], 1),
    (Output::Logit, 2, &[-1, 2], 1),
    (Output::Logit, 2, &[-1, 2], 0),
    (Output::Logit, 2, &[-1, 2, 1, 1], 1),
    (Output::Probability, 1, &[-1], 1),
    (Output::Probability, 1, &[-1, 1], 0),
    (Output::Probability, 2, &[-1, 2], 1),
    (Output::Probability, 2, &[-1, 2], 0),
    (Output::Probability, 2, &[-1, 2, 1, 1], 0),
];

/// A mean and a deviation a channel.
type Normal = ([f32; 3], [f32; 3]);

/// What the input may want.
const FRONTS: [(Range, Normal); 5] = [
    (Range::Unit, NONE),
    (Range::Unit, IMAGENET),
    (Range::Bytes, NONE),
    (Range::Bytes, ([123.68, 116.78, 103.94], [58.4, 57.12, 57.38])),
    (Range::Signed, NONE),
];

#[test]
fn every_way_of_reading_gives_the_plain_logit() {
    let expected = plain_logits();
    let folder = Folder::new();
    for (place, (output, outputs, shape, fake_index)) in ENDS.into_iter().enumerate() {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            for (other, (range, (mean, std))) in FRONTS.into_iter().enumerate() {
                let reading = Reading { layout, range, mean, std, output, outputs, fake_index };
                let path = folder.model(&disguised(&reading, shape, (place + other) % 2 == 0));
                let asked = Asked::recorded(&reading, RES);
                for (found, expected) in logits(&path, &asked).iter().zip(&expected) {
                    // One probability loses what lies beyond its last place.
                    let allowed = 2e-4 + 4e-7 * expected.abs().exp();
                    assert!((found - expected).abs() < allowed, "{reading:?}: {found}, not {expected}");
                }
                let detector = Detector::load_as(&path, 2, &asked).unwrap();
                assert_eq!((detector.reading(), detector.guesses()), (&reading, &[][..]));
                assert_eq!(detector.info().reading.as_ref(), Some(&reading));
            }
        }
    }
}

#[test]
fn another_reading_gives_another_logit() {
    let expected = plain_logits();
    let folder = Folder::new();
    let reading = Reading { mean: IMAGENET.0, std: IMAGENET.1, outputs: 2, ..Reading::plain() };
    let path = folder.model(&disguised(&reading, &[-1, 2], false));
    let right = Asked::recorded(&reading, RES);
    let wrong = [
        Asked { mean: Some([0.5; 3]), ..right.clone() },
        Asked { std: Some([0.5; 3]), ..right.clone() },
        Asked { range: Some(Range::Signed), ..right.clone() },
        Asked { range: Some(Range::Bytes), ..right.clone() },
        Asked { fake_index: Some(0), ..right.clone() },
    ];
    for asked in wrong {
        let apart = logits(&path, &asked).iter().zip(&expected).any(|(one, two)| (one - two).abs() > 0.02);
        assert!(apart, "{asked:?} changes nothing");
    }
    let turned: Vec<f32> = logits(&path, &right).iter().map(|logit| -logit).collect();
    assert_eq!(logits(&path, &Asked { fake_index: Some(0), ..right }), turned);
}

/// The guess for [`plain`] behind a first operator with one constant.
fn guessed(operator: &str, numbers: &[f32], layout: Layout, producer: &str) -> (Reading, Vec<String>) {
    let mut model = plain();
    model.producer_name = producer.to_owned();
    let graph = model.graph.as_mut().unwrap();
    let mut front = Disguise::new("input");
    if layout == Layout::Nhwc {
        front.then("Transpose", &[], vec![integers("perm", &[0, 3, 1, 2])]);
    }
    match operator {
        "" => {}
        "BatchNormalization" => {
            let ones = tensor("ones", &[3], vec![1.0; 3]);
            front.tensors.extend([ones, tensor("middle", &[3], numbers.to_vec())]);
            front.then(operator, &["ones", "ones", "middle", "ones"], vec![]);
        }
        _ => front.with(operator, numbers),
    }
    front.nodes.push(node("Identity", &[&front.value], "pixels", vec![]));
    graph.node.splice(0..0, front.nodes);
    graph.initializer.extend(front.tensors);
    graph.input[0] = match layout {
        Layout::Nchw => value("input", &[None, Some(3), Some(RES), Some(RES)]),
        Layout::Nhwc => value("input", &[None, Some(RES), Some(RES), Some(3)]),
    };
    let folder = Folder::new();
    let detector = Detector::load(&folder.model(&model), 1).unwrap();
    (detector.reading().clone(), detector.guesses().to_vec())
}

#[test]
fn the_first_operator_tells_range_and_normalisation() {
    use Layout::{Nchw, Nhwc};
    let table: [(&str, &[f32], Layout, &str, Range, _); 14] = [
        ("", &[], Nchw, "pytorch", Range::Unit, IMAGENET),
        ("", &[], Nchw, "", Range::Unit, NONE),
        ("", &[], Nhwc, "tf2onnx", Range::Unit, NONE),
        ("Sub", &IMAGENET.0, Nchw, "pytorch", Range::Unit, NONE),
        ("Sub", &[123.68, 116.78, 103.94], Nchw, "pytorch", Range::Bytes, NONE),
        ("Div", &[255.0], Nchw, "pytorch", Range::Bytes, NONE),
        ("Div", &[0.5], Nchw, "pytorch", Range::Unit, NONE),
        ("Mul", &[1.0 / 255.0], Nhwc, "tf2onnx", Range::Bytes, NONE),
        ("Mul", &[1.0 / 127.5], Nhwc, "", Range::Bytes, NONE),
        ("Mul", &[2.0], Nchw, "pytorch", Range::Unit, NONE),
        ("Add", &[1.0], Nchw, "pytorch", Range::Signed, NONE),
        ("Add", &[-0.5], Nchw, "pytorch", Range::Unit, NONE),
        ("BatchNormalization", &[0.4, 0.5, 0.5], Nchw, "pytorch", Range::Unit, NONE),
        ("BatchNormalization", &[120.0, 110.0, 90.0], Nhwc, "", Range::Bytes, NONE),
    ];
    for (operator, numbers, layout, producer, range, (mean, std)) in table {
        let (reading, guesses) = guessed(operator, numbers, layout, producer);
        let expected = Reading { layout, range, mean, std, ..Reading::plain() };
        assert_eq!(reading, expected, "{operator} {numbers:?} by {producer:?}: {guesses:?}");
        for option in ["--layout", "--range", "--mean", "--output", "--fake-index"] {
            let lines = guesses.iter().filter(|line| line.contains(&format!("({option} ")));
            assert_eq!(lines.count(), 1, "{option} in {guesses:?}");
        }
        if !operator.is_empty() {
            assert!(guesses.iter().any(|line| line.contains(operator)), "{guesses:?}");
        }
    }
}

#[test]
fn the_last_operator_tells_logits_from_probabilities() {
    let folder = Folder::new();
    for (output, outputs, shape, _) in ENDS {
        let reading = Reading { output, outputs, ..Reading::plain() };
        let path = folder.model(&disguised(&reading, shape, false));
        assert_eq!(Detector::load(&path, 1).unwrap().reading().output, output, "{shape:?}");
    }
}

#[test]
fn what_is_said_is_not_guessed_and_tells_the_rest() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let load = |asked: Asked| Detector::load_as(&path, 1, &asked).unwrap();
    let caffe = load(Asked { mean: Some([123.68, 116.78, 103.94]), ..Asked::default() });
    assert_eq!((caffe.reading().range, caffe.reading().std), (Range::Bytes, [1.0; 3]));
    let halves = load(Asked { mean: Some([0.5; 3]), std: Some([0.5; 3]), ..Asked::default() });
    assert_eq!(halves.reading().range, Range::Unit);
    assert!(!halves.guesses().iter().any(|line| line.contains("--mean and")), "{:?}", halves.guesses());
    let signed = load(Asked { range: Some(Range::Signed), ..Asked::default() });
    assert_eq!((signed.reading().mean, signed.reading().std), NONE);
    assert!(!signed.guesses().iter().any(|line| line.contains("--range")), "{:?}", signed.guesses());
}

#[test]
fn a_file_of_ours_is_read_as_it_says() {
    let folder = Folder::new();
    let own = tiny(SEED, Some(&Metadata::new("efficientnet-tiny", RES, 0.0)));
    let mut own_by_pytorch = own.clone();
    own_by_pytorch.producer_name = "pytorch".to_owned();
    let path = folder.model(&own_by_pytorch);
    let detector = Detector::load(&path, 1).unwrap();
    assert_eq!((detector.reading(), detector.guesses()), (&Reading::plain(), &[][..]));
    assert_eq!(detector.info().reading, None);
    let text = serde_json::to_string(detector.info()).unwrap();
    assert!(!text.contains("reading"), "{text}");
    let found = logits(&path, &Asked::default());
    assert_eq!(found, logits(&folder.model(&tiny(SEED, None)), &Asked::default()));
    let asked = Asked { mean: Some([0.5; 3]), ..Asked::default() };
    let path = folder.model(&own);
    let text = Detector::load_as(&path, 1, &asked).unwrap_err().to_string();
    assert!(text.contains("exported by dfrt") && text.contains("leave --mean out"), "{text}");
}

#[test]
fn a_recorded_reading_is_read_back() {
    let folder = Folder::new();
    let detector = Detector::load(&folder.model(&plain()), 1).unwrap();
    let text = serde_json::to_string(detector.info()).unwrap();
    let back: ModelInfo = serde_json::from_str(&text).unwrap();
    assert_eq!(&back, detector.info());
    let before = r#"{"path":"m.onnx","sha256":"","arch":"unknown","res":32}"#;
    assert_eq!(serde_json::from_str::<ModelInfo>(before).unwrap().reading, None);
}

/// The error of loading `model`.
fn refusal(model: &ModelProto, asked: &Asked) -> String {
    let folder = Folder::new();
    let text = Detector::load_as(&folder.model(model), 1, asked).unwrap_err().to_string();
    assert!(text.contains("foreign.onnx") && !text.contains('\n'), "{text}");
    text
}

#[test]
fn what_cannot_be_a_detector_is_refused_in_a_line() {
    let none = Asked::default();
    let mut three = plain();
    let graph = three.graph.as_mut().unwrap();
    graph.initializer[2] = tensor("head", &[3, 8], vec![0.5; 24]);
    assert!(refusal(&three, &none).contains("3 numbers a picture"), "{}", refusal(&three, &none));
    let mut both = plain();
    let graph = both.graph.as_mut().unwrap();
    graph.output.push(value("flat", &[None, Some(8)]));
    assert!(refusal(&both, &none).contains("2 outputs"));
    let mut sound = plain();
    sound.graph.as_mut().unwrap().input[0] = value("pixels", &[None, Some(16000)]);
    assert!(refusal(&sound, &none).contains("an input of shape [?, 16000]"));
    let nhwc = Asked { layout: Some(Layout::Nhwc), ..none.clone() };
    assert!(refusal(&plain(), &nhwc).contains("[?, 3, 32, 32], not nhwc"));
    let mut open = plain();
    open.graph.as_mut().unwrap().input[0] = value("pixels", &[None, None, None, None]);
    assert!(refusal(&open, &none).contains("--res"));
    let sized = Asked { res: Some(RES), ..none.clone() };
    let folder = Folder::new();
    assert_eq!(logits(&folder.model(&open), &sized).len(), 5);
    assert!(refusal(&plain(), &Asked { res: Some(64), ..none.clone() }).contains("32 px, not 64 px"));
    for (asked, word) in [
        (Asked { std: Some([0.0, 1.0, 1.0]), ..none.clone() }, "--std"),
        (Asked { mean: Some([f32::NAN; 3]), ..none.clone() }, "--mean"),
        (Asked { fake_index: Some(2), ..none }, "--fake-index 2"),
    ] {
        assert!(refusal(&plain(), &asked).contains(word));
    }
}

#[test]
fn logits_read_as_probabilities_are_refused_when_asked() {
    let folder = Folder::new();
    let asked = Asked { output: Some(Output::Probability), ..Asked::default() };
    let oracle = TractOracle::new(Detector::load_as(&folder.model(&plain()), 1, &asked).unwrap());
    let text = oracle.logits(&noise(5)).unwrap_err().to_string();
    assert!(text.contains("foreign.onnx") && text.contains("--output logit"), "{text}");
}

#[test]
fn weights_beside_the_file_are_brought_in() {
    let expected = plain_logits();
    let folder = Folder::new();
    let mut split = plain();
    let mut beside: Vec<u8> = vec![0; 16];
    for tensor in &mut split.graph.as_mut().unwrap().initializer {
        let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
        tensor.external_data = vec![
            entry("location", "weights.data".to_owned()),
            entry("offset", beside.len().to_string()),
            entry("length", tensor.raw_data.len().to_string()),
        ];
        beside.extend(tensor.raw_data.iter());
        tensor.raw_data = Default::default();
        tensor.data_location = Some(DataLocation::External as i32);
    }
    let path = folder.model(&split);
    let text = Detector::load(&path, 1).unwrap_err().to_string();
    assert!(text.contains("weights.data") && text.contains("keep both files together"), "{text}");
    let data = path.with_file_name("weights.data");
    std::fs::write(&data, &beside).unwrap();
    assert_eq!(logits(&path, &Asked::default()), expected);
    let hash = || Detector::load(&path, 1).unwrap().info().sha256.clone();
    let before = hash();
    beside[20] ^= 1;
    std::fs::write(&data, &beside).unwrap();
    assert_ne!(hash(), before, "the hash covers the weights");
    std::fs::write(&data, &beside[..40]).unwrap();
    let text = Detector::load(&path, 1).unwrap_err().to_string();
    assert!(text.contains("beyond the end of weights.data"), "{text}");
    for location in ["../weights.data", "/etc/hostname", ""] {
        let tensor = &mut split.graph.as_mut().unwrap().initializer[0];
        tensor.external_data[0].value = location.to_owned();
        let text = refusal(&split, &Asked::default());
        assert!(text.contains("not beside the model"), "{text}");
    }
}

#[test]
fn what_tract_cannot_run_is_named_by_its_operator() {
    let mut broken = plain();
    broken.graph.as_mut().unwrap().initializer[2] = tensor("head", &[1, 5], vec![0.0; 5]);
    assert!(refusal(&broken, &Asked::default()).contains("operator Gemm (node \"Gemm_1\")"));
    // Without names, as some exporters leave them.
    let graph = broken.graph.as_mut().unwrap();
    graph.node.iter_mut().for_each(|node| node.name.clear());
    assert!(refusal(&broken, &Asked::default()).contains("operator Gemm (node \"logit\")"));
}
