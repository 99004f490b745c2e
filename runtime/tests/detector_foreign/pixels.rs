//! How pixels are scaled: by the first operators, by sidecar files, or by the user.

use crate::detector_fixture::{integer, integers, node, plainly, tensor};
use crate::disguise::{
    Disguise, Folder, IMAGENET, NONE, behind, logits, plain, plain_logits, refusal, refusal_at, shape_tensor,
};
use dfrt_runtime::detector::overrides::{Overrides, Preprocess};
use dfrt_runtime::detector::session::Detector;
use dfrt_runtime::detector::settle::Source;
use dfrt_runtime::reading::{Channels, Layout, Output, Range, Reading};
use tract_onnx::pb::NodeProto;

/// The reading of [`plain`] after a first operator with one constant, or the question.
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
    let overrides = Overrides { output: Some(Output::Logit), ..Overrides::default() };
    let path = folder.model(&behind(front, layout, producer));
    Detector::load_as(&path, 1, &overrides)
        .map(|found| found.reading().clone())
        .map_err(|error| error.to_string())
}

#[test]
fn the_first_operators_prove_range_and_normalisation_or_leave_a_question() {
    use Layout::{Nchw, Nhwc};
    type Row<'a> = (&'a str, &'a [f32], Layout, &'a str, Option<Range>);
    let table: [Row; 15] = [
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
        // What the wrapper does inside is undone, so that the plain logit comes out: 2 x - 1, and
        // back after an operator that the walk does not follow.
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
        let detector = Detector::load_as(&path, 2, &Overrides::default());
        let detector = detector.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(detector.reading(), &Reading::plain(), "{kind}");
        for (found, expected) in logits(&path, &Overrides::default()).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-4, "{kind}: {found}, not {expected}");
        }
        let text =
            refusal_at(&path, &Overrides { preprocess: Some(Preprocess::Imagenet), ..Overrides::default() });
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
    let overrides = Overrides { output: Some(Output::Logit), ..Overrides::default() };
    assert_eq!(Detector::load_as(&path, 1, &overrides).unwrap().reading(), &Reading::plain());
}

#[test]
fn a_picture_s_own_mean_alone_or_width_alone_leaves_the_scale_unknown() {
    let all = |operator: &str, to: &str| NodeProto {
        name: to.to_owned(),
        ..node(operator, &["input"], to, vec![integers("axes", &[1, 2, 3]), integer("keepdims", 1)])
    };
    let overrides = Overrides { output: Some(Output::Logit), ..Overrides::default() };
    let fronts = [
        vec![all("ReduceMean", "mean"), node("Sub", &["input", "mean"], "made", vec![])],
        vec![all("ReduceMax", "most"), node("Div", &["input", "most"], "made", vec![])],
        // A gate.
        vec![all("ReduceMean", "mean"), node("Mul", &["input", "mean"], "made", vec![])],
    ];
    for nodes in fronts {
        let mut front = Disguise::new("input");
        let operators: Vec<String> = nodes.iter().map(|node| node.op_type.clone()).collect();
        front.nodes.extend(nodes);
        front.value = "made".to_owned();
        let text = refusal(&behind(front, Layout::Nchw, "any"), &overrides);
        assert!(text.contains("--preprocess imagenet"), "{operators:?}: {text}");
    }
}

#[test]
fn a_plane_takes_pixels_as_they_are_and_an_idle_operator_proves_nothing() {
    let folder = Folder::new();
    let overrides = Overrides { output: Some(Output::Logit), ..Overrides::default() };
    let mut idle = Disguise::new("input");
    idle.with("Sub", &[0.0, 0.0, 0.0]);
    assert!(refusal(&behind(idle, Layout::Nchw, "any"), &overrides).contains("--preprocess"));
    // Without its ReLU the model is a plane.
    let mut plane = plain();
    let graph = plane.graph.as_mut().unwrap();
    graph
        .node
        .iter_mut()
        .filter(|node| node.op_type == "Relu")
        .for_each(|node| node.op_type = "Identity".to_owned());
    let detector = Detector::load_as(&folder.model(&plane), 1, &overrides).unwrap();
    let custom = detector.facts().iter().find(|fact| fact.part == "pixels").unwrap();
    assert_eq!((detector.reading(), custom.source), (&Reading::plain(), Source::Convention));
    assert!(refusal(&plain(), &overrides).contains("--preprocess"));
}

#[test]
fn a_usual_way_is_what_its_numbers_say() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let numbers = |range, mean: [f32; 3], std: [f32; 3], channels| {
        let overrides = Overrides { channels: Some(channels), ..plainly() };
        logits(
            &path,
            &Overrides {
                preprocess: None,
                range: Some(range),
                mean: Some(mean),
                std: Some(std),
                ..overrides
            },
        )
    };
    let way = |preprocess| logits(&path, &Overrides { preprocess: Some(preprocess), ..plainly() });
    let rgb = Channels::Rgb;
    assert_eq!(way(Preprocess::Imagenet), numbers(Range::Unit, IMAGENET.0, IMAGENET.1, rgb));
    assert_eq!(way(Preprocess::Half), numbers(Range::Unit, [0.5; 3], [0.5; 3], rgb));
    assert_eq!(way(Preprocess::None), plain_logits());
    let caffe = way(Preprocess::Caffe);
    assert_eq!(caffe, numbers(Range::Bytes, [123.68, 116.779, 103.939], [1.0; 3], Channels::Bgr));
    assert_ne!(caffe, numbers(Range::Bytes, [123.68, 116.779, 103.939], [1.0; 3], rgb));
}

#[test]
fn overrides_imply_the_rest() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let load = |overrides: Overrides| {
        Detector::load_as(&path, 1, &Overrides { output: Some(Output::Logit), ..overrides }).unwrap()
    };
    let caffe = load(Overrides { mean: Some([123.68, 116.78, 103.94]), ..Overrides::default() });
    assert_eq!((caffe.reading().range, caffe.reading().std), (Range::Bytes, [1.0; 3]));
    let halves = load(Overrides { mean: Some([0.5; 3]), std: Some([0.5; 3]), ..Overrides::default() });
    assert_eq!(halves.reading().range, Range::Unit);
    let signed = load(Overrides { range: Some(Range::Signed), ..Overrides::default() });
    assert_eq!((signed.reading().mean, signed.reading().std), NONE);
    let unit = Overrides { range: Some(Range::Unit), ..Overrides::default() };
    assert!(refusal_at(&path, &unit).contains("--preprocess"), "0 to 1 alone leaves mean and deviation open");
}

#[test]
fn a_sidecar_configuration_says_how_pixels_are_scaled() {
    let folder = Folder::new();
    let path = folder.model(&plain());
    let open = Overrides { output: Some(Output::Logit), ..Overrides::default() };
    let text = r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_rescale": true}"#;
    std::fs::write(path.with_file_name("preprocessor_config.json"), text).unwrap();
    assert_eq!(
        logits(&path, &open),
        logits(&path, &Overrides { preprocess: Some(Preprocess::Half), ..plainly() })
    );
}
