//! Files of other programs: every layout, range, normalisation and kind of output
//! gives the logit of the plain file; what is not said is proved by the graph or probed, and
//! asked for where neither tells.

mod detector_fixture;

use detector_fixture::{RES, bytes, integer, integers, node, plainly, tensor, tiny, value};
use dfrt_runtime::data::batch::Batch;
use dfrt_runtime::detector::asked::{Asked, Preprocess};
use dfrt_runtime::detector::evaluate::ModelInfo;
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::reading::{Channels, Layout, Output, Range, Reading};
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::random;
use rand::RngExt;
use std::path::{Path, PathBuf};
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as DimensionValue};
use tract_onnx::pb::type_proto::Value as Type;
use tract_onnx::pb::{
    ModelProto, NodeProto, StringStringEntryProto, TensorProto, TensorShapeProto, ValueInfoProto,
};

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
    let logits = logits(&folder.model(&plain()), &plainly());
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
                let reading =
                    Reading { layout, range, mean, std, output, outputs, fake_index, ..Reading::plain() };
                let path = folder.model(&disguised(&reading, shape, (place + other) % 2 == 0));
                let asked = Asked::recorded(&reading, RES);
                for (found, expected) in logits(&path, &asked).iter().zip(&expected) {
                    // One probability loses what lies beyond its last place.
                    let allowed = 2e-4 + 4e-7 * expected.abs().exp();
                    assert!((found - expected).abs() < allowed, "{reading:?}: {found}, not {expected}");
                }
                let detector = Detector::load_as(&path, 2, &asked).unwrap();
                assert_eq!((detector.reading(), detector.questions()), (&reading, &[][..]));
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

/// [`plain`] behind `front`, whose pixels stand as `layout` has them.
fn behind(mut front: Disguise, layout: Layout, producer: &str) -> ModelProto {
    let mut model = plain();
    model.producer_name = producer.to_owned();
    let graph = model.graph.as_mut().unwrap();
    front.nodes.push(node("Identity", &[&front.value], "pixels", vec![]));
    graph.node.splice(0..0, front.nodes);
    graph.initializer.extend(front.tensors);
    graph.input[0] = match layout {
        Layout::Nchw => value("input", &[None, Some(3), Some(RES), Some(RES)]),
        Layout::Nhwc => value("input", &[None, Some(RES), Some(RES), Some(3)]),
    };
    model
}

/// What is found of [`plain`] behind a first operator with one constant: the reading, or what
/// is asked.
fn found(operator: &str, numbers: &[f32], layout: Layout, producer: &str) -> Result<Reading, String> {
    let mut front = Disguise::new("input");
    if layout == Layout::Nhwc {
        front.then("Transpose", &[], vec![integers("perm", &[0, 3, 1, 2])]);
    }
    match operator {
        "" => {}
        "BatchNormalization" => {
            let (ones, spread) = (vec![1.0; 3], vec![(numbers[0] / 2.0).powi(2); 3]);
            let tensors = [("ones", ones), ("middle", numbers.to_vec()), ("spread", spread)];
            front.tensors.extend(tensors.map(|(name, numbers)| tensor(name, &[3], numbers)));
            front.then(operator, &["ones", "ones", "middle", "spread"], vec![]);
        }
        _ => front.with(operator, numbers),
    }
    let folder = Folder::new();
    let asked = Asked { output: Some(Output::Logit), ..Asked::default() };
    let path = folder.model(&behind(front, layout, producer));
    Detector::load_as(&path, 1, &asked)
        .map(|found| found.reading().clone())
        .map_err(|error| error.to_string())
}

#[test]
fn the_first_operators_prove_range_and_normalisation_or_it_is_asked() {
    use Layout::{Nchw, Nhwc};
    let table: [(&str, &[f32], Layout, &str, Option<Range>); 15] = [
        ("", &[], Nchw, "pytorch", None),
        ("", &[], Nchw, "", None),
        ("", &[], Nhwc, "tf2onnx", None),
        ("Sub", &IMAGENET.0, Nchw, "pytorch", Some(Range::Unit)),
        ("Sub", &[123.68, 116.78, 103.94], Nchw, "pytorch", Some(Range::Bytes)),
        ("Div", &[255.0], Nchw, "pytorch", Some(Range::Bytes)),
        ("Div", &[0.5], Nchw, "pytorch", None),
        ("Mul", &[1.0 / 255.0], Nhwc, "tf2onnx", Some(Range::Bytes)),
        ("Mul", &[1.0 / 127.5], Nhwc, "", Some(Range::Bytes)),
        ("Mul", &[2.0], Nchw, "pytorch", None),
        ("Add", &[1.0], Nchw, "pytorch", None),
        ("Add", &[-0.5], Nchw, "pytorch", Some(Range::Unit)),
        ("BatchNormalization", &[0.4, 0.5, 0.5], Nchw, "pytorch", Some(Range::Unit)),
        ("BatchNormalization", &[120.0, 110.0, 90.0], Nhwc, "", Some(Range::Bytes)),
        ("BatchNormalization", &[2.0, 2.1, 2.2], Nhwc, "", None),
    ];
    for (operator, numbers, layout, producer, range) in table {
        match (found(operator, numbers, layout, producer), range) {
            (Ok(reading), Some(range)) => {
                assert_eq!(reading, Reading { layout, range, ..Reading::plain() }, "{operator} {numbers:?}");
            }
            (Err(line), None) => {
                assert!(line.contains("--preprocess imagenet"), "{operator} {numbers:?}: {line}");
                assert!(line.contains("--mean and --std") && line.contains("dfrt inspect"), "{line}");
            }
            (other, _) => panic!("{operator} {numbers:?} by {producer:?}: {other:?}"),
        }
    }
}

/// Pixels that a wrapper clips, reorders, splits, pads or casts before it normalises them.
#[test]
fn normalisation_is_found_behind_everything_that_keeps_pixels_affine() {
    let expected = plain_logits();
    let minus = |front: &mut Disguise| {
        // What the wrapper does inside is undone, so that the plain logit comes out: 2 x - 1,
        // and back behind an operator that the walk does not look through.
        front.with("Mul", &[2.0]);
        front.with("Sub", &[1.0]);
    };
    let undo = |front: &mut Disguise| {
        front.tensors.push(tensor("eye", &[3, 3, 1, 1], vec![0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.5]));
        front.tensors.push(tensor("half", &[3], vec![0.5; 3]));
        front.then("Conv", &["eye", "half"], vec![integers("kernel_shape", &[1, 1])]);
    };
    let swapped = |front: &mut Disguise, place: &str| {
        front.tensors.push(shape_tensor(&format!("order{place}"), &[2, 1, 0]));
        front.then("Gather", &[&format!("order{place}")], vec![integer("axis", 1)]);
    };
    let reversed = |front: &mut Disguise, place: &str| {
        for (name, number) in [("start", -1), ("end", i64::MIN + 1), ("axis", 1), ("step", -1)] {
            front.tensors.push(shape_tensor(&format!("{name}{place}"), &[number]));
        }
        let names = ["start", "end", "axis", "step"].map(|name| format!("{name}{place}"));
        front.then("Slice", &names.each_ref().map(String::as_str), vec![]);
    };
    let kinds = ["Clip", "Gather", "Slice", "Split", "Cast", "Concat"];
    for kind in kinds {
        let mut front = Disguise::new("input");
        match kind {
            "Clip" => {
                front.tensors.push(tensor("low", &[], vec![-4.0]));
                front.tensors.push(tensor("high", &[], vec![4.0]));
                front.then("Clip", &["low", "high"], vec![]);
                minus(&mut front);
                undo(&mut front);
            }
            "Gather" | "Slice" => {
                let turn: &dyn Fn(&mut Disguise, &str) = if kind == "Gather" { &swapped } else { &reversed };
                turn(&mut front, "1");
                minus(&mut front);
                undo(&mut front);
                turn(&mut front, "2");
            }
            "Split" | "Concat" => {
                let planes = ["red", "green", "blue"];
                let input = front.value.clone();
                front.nodes.push(NodeProto {
                    output: planes.map(str::to_owned).to_vec(),
                    ..node("Split", &[&input], "red", vec![integer("axis", 1)])
                });
                let mut ends = Vec::new();
                for plane in planes {
                    front.value = plane.to_owned();
                    minus(&mut front);
                    ends.push(front.value.clone());
                }
                let ends: Vec<&str> = ends.iter().map(String::as_str).collect();
                front.nodes.push(node("Concat", &ends, "joined", vec![integer("axis", 1)]));
                front.value = "joined".to_owned();
                undo(&mut front);
            }
            _ => {
                front.then("Cast", &[], vec![integer("to", 1)]);
                minus(&mut front);
                undo(&mut front);
            }
        }
        let folder = Folder::new();
        let path = folder.model(&behind(front, Layout::Nchw, "any"));
        let detector = Detector::load_as(&path, 2, &Asked::default());
        let detector = detector.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(detector.reading(), &Reading::plain(), "{kind}");
        for (found, expected) in logits(&path, &Asked::default()).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{kind}: {found}, not {expected}");
        }
        let text = refusal_at(&path, &Asked { preprocess: Some(Preprocess::Imagenet), ..Asked::default() });
        assert!(text.contains("--preprocess imagenet contradicts"), "{text}");
    }
}

#[test]
fn a_wrapper_that_brings_each_picture_to_its_own_scale_needs_no_more() {
    let mut front = Disguise::new("input");
    let mean = |from: &str, to: &str| NodeProto {
        name: to.to_owned(),
        ..node("ReduceMean", &[from], to, vec![integers("axes", &[1, 2, 3]), integer("keepdims", 1)])
    };
    front.nodes.extend([
        mean("input", "mean"),
        node("Sub", &["input", "mean"], "centred", vec![]),
        node("Mul", &["centred", "centred"], "squares", vec![]),
        mean("squares", "variance"),
        node("Sqrt", &["variance"], "deviation", vec![]),
        node("Add", &["deviation", "small"], "divisor", vec![]),
        node("Div", &["centred", "divisor"], "standard", vec![]),
    ]);
    front.tensors.push(tensor("small", &[1], vec![1e-6]));
    front.value = "standard".to_owned();
    let folder = Folder::new();
    let path = folder.model(&behind(front, Layout::Nchw, "any"));
    let asked = Asked { output: Some(Output::Logit), ..Asked::default() };
    assert_eq!(Detector::load_as(&path, 1, &asked).unwrap().reading(), &Reading::plain());
}

#[test]
fn a_usual_way_is_what_its_numbers_say() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let numbers = |range, mean: [f32; 3], std: [f32; 3], channels| {
        let asked = Asked { channels: Some(channels), ..plainly() };
        logits(
            &path,
            &Asked { preprocess: None, range: Some(range), mean: Some(mean), std: Some(std), ..asked },
        )
    };
    let way = |preprocess| logits(&path, &Asked { preprocess: Some(preprocess), ..plainly() });
    let rgb = Channels::Rgb;
    assert_eq!(way(Preprocess::Imagenet), numbers(Range::Unit, IMAGENET.0, IMAGENET.1, rgb));
    assert_eq!(way(Preprocess::Half), numbers(Range::Unit, [0.5; 3], [0.5; 3], rgb));
    assert_eq!(way(Preprocess::None), plain_logits());
    let caffe = way(Preprocess::Caffe);
    assert_eq!(caffe, numbers(Range::Bytes, [123.68, 116.779, 103.939], [1.0; 3], Channels::Bgr));
    assert_ne!(caffe, numbers(Range::Bytes, [123.68, 116.779, 103.939], [1.0; 3], rgb));
}

/// [`plain`] with other nodes behind its logit.
fn ended(end: Disguise, shape: &[Option<usize>]) -> ModelProto {
    let mut model = plain();
    let graph = model.graph.as_mut().unwrap();
    graph.node.extend(end.nodes);
    graph.initializer.extend(end.tensors);
    graph.output[0] = value(&end.value, shape);
    model
}

#[test]
fn a_closing_sigmoid_or_softmax_is_read_before_it() {
    let expected = plain_logits();
    let folder = Folder::new();
    let open = Asked { preprocess: Some(Preprocess::None), ..Asked::default() };
    for (output, outputs, shape, fake_index) in ENDS {
        let reading = Reading { output, outputs, fake_index, ..Reading::plain() };
        let path = folder.model(&disguised(&reading, shape, false));
        let asked = Asked { fake_index: Some(fake_index), ..open.clone() };
        let detector = Detector::load_as(&path, 2, &asked).unwrap();
        let closing =
            (output == Output::Probability).then_some(if outputs == 1 { "Sigmoid" } else { "Softmax" });
        assert_eq!(detector.reading().logits_before.as_deref(), closing, "{shape:?}");
        assert_eq!(detector.reading().output, Output::Logit);
        for (found, expected) in logits(&path, &asked).iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 2e-6 * expected.abs().max(1.0),
                "{shape:?}: {found}, {expected}"
            );
        }
        // The same once more from what was recorded.
        let again = Detector::load_as(&path, 2, &Asked::recorded(detector.reading(), RES)).unwrap();
        assert_eq!(again.reading(), detector.reading());
        if output == Output::Probability {
            let deployed = Asked { output: Some(Output::Probability), ..asked };
            assert_eq!(Detector::load_as(&path, 2, &deployed).unwrap().reading().logits_before, None);
        }
    }
}

#[test]
fn probabilities_are_found_whatever_operators_made_them() {
    let expected = plain_logits();
    let folder = Folder::new();
    let open = Asked { preprocess: Some(Preprocess::None), ..Asked::default() };
    let ends: [(&str, fn(&mut Disguise), usize); 9] = [
        ("p * 1", |end| end.with("Mul", &[1.0]), 1),
        ("p + 0", |end| end.with("Add", &[0.0]), 1),
        ("p / 1", |end| end.with("Div", &[1.0]), 1),
        (
            "clipped",
            |end| {
                end.tensors.push(tensor("least", &[], vec![1e-6]));
                end.tensors.push(tensor("most", &[], vec![1.0 - 1e-6]));
                end.then("Clip", &["least", "most"], vec![]);
            },
            1,
        ),
        (
            "1 - p",
            |end| {
                end.tensors.push(tensor("one", &[1, 1, 1, 1], vec![1.0]));
                let value = end.value.clone();
                end.nodes.push(node("Sub", &["one", &value], "other", vec![]));
                end.value = "other".to_owned();
            },
            0,
        ),
        (
            "[1 - p, p]",
            |end| {
                end.tensors.push(tensor("one", &[1, 1, 1, 1], vec![1.0]));
                let value = end.value.clone();
                end.nodes.push(node("Sub", &["one", &value], "other", vec![]));
                end.nodes.push(node("Concat", &["other", &value], "both", vec![integer("axis", 1)]));
                end.value = "both".to_owned();
            },
            1,
        ),
        (
            "mean of two",
            |end| {
                let value = end.value.clone();
                end.nodes.push(node("Add", &[&value, &value], "sum", vec![]));
                end.value = "sum".to_owned();
                end.with("Div", &[2.0]);
            },
            1,
        ),
        ("1 / (1 + exp(-z))", |_| (), 1),
        ("exp / sum", |_| (), 1),
    ];
    for (name, more, fake_index) in ends {
        let mut end = Disguise::new("logit");
        end.reshape(&[-1, 1, 1, 1]);
        match name {
            "1 / (1 + exp(-z))" => {
                end.then("Neg", &[], vec![]);
                end.then("Exp", &[], vec![]);
                end.with("Add", &[1.0]);
                let value = end.value.clone();
                end.tensors.push(tensor("one", &[1, 1, 1, 1], vec![1.0]));
                end.nodes.push(node("Div", &["one", &value], "p", vec![]));
                end.value = "p".to_owned();
            }
            "exp / sum" => {
                end.tensors.push(tensor("halves", &[1, 2, 1, 1], vec![-0.5, 0.5]));
                end.then("Mul", &["halves"], vec![]);
                end.then("Exp", &[], vec![]);
                let value = end.value.clone();
                let axes = vec![integers("axes", &[1]), integer("keepdims", 1)];
                end.nodes.push(node("ReduceMean", &[&value], "sum", axes));
                end.nodes.push(node("Add", &["sum", "sum"], "total", vec![]));
                end.nodes.push(node("Div", &[&value, "total"], "p", vec![]));
                end.value = "p".to_owned();
            }
            _ => end.then("Sigmoid", &[], vec![]),
        }
        more(&mut end);
        let path = folder.model(&ended(end, &[None, None, None, None]));
        let asked = Asked { fake_index: Some(fake_index), ..open.clone() };
        let detector = Detector::load_as(&path, 2, &asked).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(detector.reading().output, Output::Probability, "{name}");
        for (found, expected) in logits(&path, &asked).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-3, "{name}: {found}, not {expected}");
        }
        let said = Asked { output: Some(Output::Logit), ..asked.clone() };
        if name.contains("exp") {
            // Operators that do not tell leave the user the last word.
            assert_eq!(Detector::load_as(&path, 1, &said).unwrap().reading().output, Output::Logit, "{name}");
        } else {
            assert!(refusal_at(&path, &said).contains("contradicts"), "{name}");
        }
    }
}

/// docs/any_detector.md gives this figure: beyond it a deployed sigmoid says no more.
#[test]
fn tracts_sigmoid_ends_at_a_logit_of_14_6() {
    let folder = Folder::new();
    let mut end = Disguise::new("logit");
    end.reshape(&[-1, 1, 1, 1]);
    end.with("Mul", &[100.0]);
    end.with("Add", &[80.0]);
    end.then("Sigmoid", &[], vec![]);
    let path = folder.model(&ended(end, &[None, None, None, None]));
    let sure = logits(&path, &Asked { output: None, ..plainly() });
    let deployed = logits(&path, &Asked { output: Some(Output::Probability), ..plainly() });
    let ends: Vec<(f32, f32)> =
        sure.into_iter().zip(deployed).filter(|(sure, _)| sure.abs() > 30.0).collect();
    assert!(ends.iter().any(|(sure, _)| *sure > 0.0) && ends.iter().any(|(sure, _)| *sure < 0.0), "{ends:?}");
    for (sure, deployed) in ends {
        assert!((13.8..15.5).contains(&(deployed * sure.signum())), "{sure} became {deployed}");
    }
}

#[test]
fn where_graph_and_probe_disagree_it_is_asked() {
    let folder = Folder::new();
    let open = Asked { preprocess: Some(Preprocess::None), ..Asked::default() };
    // A logit that stays between 0 and 1, and a probability in percent.
    let mut weak = Disguise::new("logit");
    weak.with("Mul", &[0.01]);
    weak.with("Add", &[0.5]);
    let mut percent = Disguise::new("logit");
    percent.then("Sigmoid", &[], vec![]);
    percent.with("Mul", &[100.0]);
    for (end, words) in [(weak, "look like probabilities"), (percent, "is no probability")] {
        let path = folder.model(&ended(end, &[None, None, None, None]));
        let text = refusal_at(&path, &open);
        assert!(text.contains(words) && text.contains("--output logit"), "{text}");
        let said = Asked { output: Some(Output::Logit), ..open.clone() };
        assert_eq!(Detector::load_as(&path, 1, &said).unwrap().reading().output, Output::Logit);
    }
}

#[test]
fn of_several_classes_the_fake_one_is_asked_for() {
    let folder = Folder::new();
    let open = Asked { preprocess: Some(Preprocess::None), ..Asked::default() };
    for closing in [None, Some("Softmax"), Some("LogSoftmax")] {
        let mut end = Disguise::new("logit");
        end.tensors.push(tensor("spread", &[1, 3], vec![1.0, -0.5, 0.25]));
        end.tensors.push(tensor("shift", &[3], vec![0.5, 0.0, -0.25]));
        end.then("Gemm", &["spread", "shift"], vec![]);
        if let Some(operator) = closing {
            end.then(operator, &[], vec![integer("axis", 1)]);
        }
        let path = folder.model(&ended(end, &[None, Some(3)]));
        let text = refusal_at(&path, &open);
        assert!(text.contains("3 numbers a picture") && text.contains("--fake-index 0 to 2"), "{text}");
        assert!(refusal_at(&path, &Asked { fake_index: Some(3), ..open.clone() }).contains("class 3"));
        for fake in 0..3 {
            let found = logits(&path, &Asked { fake_index: Some(fake), ..open.clone() });
            for (found, logit) in found.iter().zip(plain_logits()) {
                let z = [logit + 0.5, -0.5 * logit, 0.25 * logit - 0.25].map(f64::from);
                let others: f64 = (0..3).filter(|&it| it != fake).map(|it| z[it].exp()).sum();
                let expected = z[fake] - others.ln();
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "{closing:?} {fake}: {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn of_several_outputs_one_is_named() {
    let folder = Folder::new();
    let mut model = plain();
    model.graph.as_mut().unwrap().output.push(value("flat", &[None, Some(8)]));
    let path = folder.model(&model);
    let text = refusal_at(&path, &plainly());
    assert!(text.contains("2 outputs: logit, flat") && text.contains("--output-name"), "{text}");
    let named = Asked { output_name: Some("logit".to_owned()), ..plainly() };
    assert_eq!(logits(&path, &named), plain_logits());
    let recorded = Detector::load_as(&path, 1, &named).unwrap().reading().clone();
    assert_eq!(logits(&path, &Asked::recorded(&recorded, RES)), plain_logits());
    let text = refusal_at(&path, &Asked { output_name: Some("score".to_owned()), ..plainly() });
    assert!(text.contains("no output \"score\"") && text.contains("logit, flat"), "{text}");
}

#[test]
fn other_types_and_shapes_of_the_input_are_taken() {
    let expected = plain_logits();
    let near = |path: &Path, asked: &Asked, allowed: f32| {
        for (found, expected) in logits(path, asked).iter().zip(&expected) {
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
    let reading = Detector::load_as(&path, 1, &Asked { output: Some(Output::Logit), ..Asked::default() });
    assert_eq!(reading.unwrap().reading().range, Range::Bytes);
    near(&path, &Asked::default(), 0.02);
    // Half floats, of the input and of every weight.
    let mut half = plain();
    let graph = half.graph.as_mut().unwrap();
    element(&mut graph.input[0], 10);
    for tensor in &mut graph.initializer {
        let four = tensor.raw_data.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        tensor.raw_data =
            four.flat_map(|value| half::f16::from_f32(value).to_le_bytes()).collect::<Vec<_>>().into();
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
    near(&path, &Asked { res: Some(RES), ..plainly() }, 1e-6);
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

#[test]
fn damaged_weights_are_refused() {
    let number = |value: f32| value.to_le_bytes().to_vec();
    for (value, words) in [(f32::NAN, "holds NaN"), (f32::INFINITY, "holds infinite numbers")] {
        let mut model = plain();
        let kernel = &mut model.graph.as_mut().unwrap().initializer[0];
        let mut raw = kernel.raw_data.to_vec();
        raw[4..8].copy_from_slice(&number(value));
        kernel.raw_data = raw.into();
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
    // A kernel that standardises itself, as networks without batch-norm over features have it.
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
    kernel.raw_data = standard.flat_map(f32::to_le_bytes).collect::<Vec<_>>().into();
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
fn a_pointer_is_named_as_one() {
    let folder = Folder::new();
    let path = folder.0.path().join("foreign.onnx");
    std::fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 17\n").unwrap();
    assert!(refusal_at(&path, &plainly()).contains("git lfs pull"));
}

#[test]
fn a_configuration_beside_the_file_says_how_pixels_go_in() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let open = Asked { output: Some(Output::Logit), ..Asked::default() };
    let text = r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_rescale": true}"#;
    std::fs::write(path.with_file_name("preprocessor_config.json"), text).unwrap();
    assert_eq!(
        logits(&path, &open),
        logits(&path, &Asked { preprocess: Some(Preprocess::Half), ..plainly() })
    );
}

#[test]
fn what_is_said_tells_the_rest() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let load =
        |asked: Asked| Detector::load_as(&path, 1, &Asked { output: Some(Output::Logit), ..asked }).unwrap();
    let caffe = load(Asked { mean: Some([123.68, 116.78, 103.94]), ..Asked::default() });
    assert_eq!((caffe.reading().range, caffe.reading().std), (Range::Bytes, [1.0; 3]));
    let halves = load(Asked { mean: Some([0.5; 3]), std: Some([0.5; 3]), ..Asked::default() });
    assert_eq!(halves.reading().range, Range::Unit);
    let signed = load(Asked { range: Some(Range::Signed), ..Asked::default() });
    assert_eq!((signed.reading().mean, signed.reading().std), NONE);
    let unit = Asked { range: Some(Range::Unit), ..Asked::default() };
    assert!(refusal_at(&path, &unit).contains("--preprocess"), "0 to 1 alone leaves mean and deviation open");
}

#[test]
fn a_file_of_ours_is_read_as_it_says() {
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
    let found = logits(&path, &Asked::default());
    assert_eq!(found, logits(&folder.model(&tiny(SEED, None)), &plainly()));
    let asked = Asked { mean: Some([0.5; 3]), ..Asked::default() };
    let path = folder.model(&own);
    let text = Detector::load_as(&path, 1, &asked).unwrap_err().to_string();
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

/// The error of loading `model`.
fn refusal(model: &ModelProto, asked: &Asked) -> String {
    let folder = Folder::new();
    refusal_at(&folder.model(model), asked)
}

/// The error of loading the file at `path`.
fn refusal_at(path: &Path, asked: &Asked) -> String {
    let text = Detector::load_as(path, 1, asked).unwrap_err().to_string();
    assert!(text.contains("foreign.onnx") && !text.contains('\n'), "{text}");
    text
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
        (Asked { std: Some([0.0, 1.0, 1.0]), preprocess: None, ..none.clone() }, "--std"),
        (Asked { mean: Some([f32::NAN; 3]), preprocess: None, ..none.clone() }, "--mean"),
        (Asked { mean: Some([0.5; 3]), ..none.clone() }, "--preprocess none says all of --mean"),
        (Asked { fake_index: Some(2), ..none }, "--fake-index 0 to 1"),
    ] {
        assert!(refusal(&plain(), &asked).contains(word));
    }
}

#[test]
fn logits_read_as_probabilities_are_refused_when_asked() {
    let folder = Folder::new();
    let asked = Asked { output: Some(Output::Probability), ..plainly() };
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
    assert_eq!(logits(&path, &plainly()), expected);
    let hash = || Detector::load_as(&path, 1, &plainly()).unwrap().info().sha256.clone();
    let before = hash();
    beside[20] ^= 1;
    std::fs::write(&data, &beside).unwrap();
    assert_ne!(hash(), before, "the hash covers the weights");
    std::fs::write(&data, &beside[..40]).unwrap();
    let text = Detector::load(&path, 1).unwrap_err().to_string();
    assert!(text.contains("beyond the end of weights.data"), "{text}");
    // Some exporters write the place with a dot before it.
    std::fs::write(&data, &beside).unwrap();
    split.graph.as_mut().unwrap().initializer.iter_mut().for_each(|tensor| {
        tensor.external_data[0].value = "./weights.data".to_owned();
    });
    logits(&folder.model(&split), &plainly());
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
