//! Kinds of output: logits, probabilities by any operators, several classes and outputs.

use crate::detector_fixture::{RES, integer, integers, node, plainly, tensor, value};
use crate::disguise::{
    Disguise, ENDS, Folder, disguised, ended, logits, noise, plain, plain_logits, refusal_at, shape_tensor,
};
use dfrt_runtime::detector::oracle::Oracle;
use dfrt_runtime::detector::overrides::{Overrides, Preprocess};
use dfrt_runtime::detector::session::{Detector, TractOracle};
use dfrt_runtime::reading::{Output, Reading};
use tract_onnx::pb::TensorProto;

#[test]
fn a_closing_sigmoid_or_softmax_is_read_before_it() {
    let expected = plain_logits();
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
    for (output, outputs, shape, fake_index) in ENDS {
        let reading = Reading { output, outputs, fake_index, ..Reading::plain() };
        let path = folder.model(&disguised(&reading, shape, false));
        let overrides = Overrides { fake_index: Some(fake_index), ..open.clone() };
        let detector = Detector::load_as(&path, 2, &overrides).unwrap();
        let closing =
            (output == Output::Probability).then_some(if outputs == 1 { "Sigmoid" } else { "Softmax" });
        assert_eq!(detector.reading().logits_before.as_deref(), closing, "{shape:?}");
        assert_eq!(detector.reading().output, Output::Logit);
        for (found, expected) in logits(&path, &overrides).iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 2e-6 * expected.abs().max(1.0),
                "{shape:?}: {found}, {expected}"
            );
        }
        // Again, from the recorded reading.
        let again = Detector::load_as(&path, 2, &Overrides::recorded(detector.reading(), RES)).unwrap();
        assert_eq!(again.reading(), detector.reading());
        if output == Output::Probability {
            let deployed = Overrides { output: Some(Output::Probability), ..overrides };
            assert_eq!(Detector::load_as(&path, 2, &deployed).unwrap().reading().logits_before, None);
        }
    }
}

#[test]
fn probabilities_are_found_whatever_operators_made_them() {
    let expected = plain_logits();
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
    type End = (&'static str, fn(&mut Disguise), usize);
    let ends: [End; 9] = [
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
        let overrides = Overrides { fake_index: Some(fake_index), ..open.clone() };
        let detector =
            Detector::load_as(&path, 2, &overrides).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(detector.reading().output, Output::Probability, "{name}");
        for (found, expected) in logits(&path, &overrides).iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-3, "{name}: {found}, not {expected}");
        }
        let said = Overrides { output: Some(Output::Logit), ..overrides.clone() };
        if name.contains("exp") {
            // Where operators prove nothing, the user decides.
            assert_eq!(Detector::load_as(&path, 1, &said).unwrap().reading().output, Output::Logit, "{name}");
        } else {
            assert!(refusal_at(&path, &said).contains("contradicts"), "{name}");
        }
    }
}

/// docs/any_detector.md gives this figure: beyond it a deployed sigmoid is saturated.
#[test]
fn tracts_sigmoid_ends_at_a_logit_of_14_6() {
    let folder = Folder::new();
    let mut end = Disguise::new("logit");
    end.reshape(&[-1, 1, 1, 1]);
    end.with("Mul", &[100.0]);
    end.with("Add", &[80.0]);
    end.then("Sigmoid", &[], vec![]);
    let path = folder.model(&ended(end, &[None, None, None, None]));
    let sure = logits(&path, &Overrides { output: None, ..plainly() });
    let deployed = logits(&path, &Overrides { output: Some(Output::Probability), ..plainly() });
    let ends: Vec<(f32, f32)> =
        sure.into_iter().zip(deployed).filter(|(sure, _)| sure.abs() > 30.0).collect();
    assert!(ends.iter().any(|(sure, _)| *sure > 0.0) && ends.iter().any(|(sure, _)| *sure < 0.0), "{ends:?}");
    for (sure, deployed) in ends {
        assert!((13.8..15.5).contains(&(deployed * sure.signum())), "{sure} became {deployed}");
    }
}

#[test]
fn where_graph_and_probe_disagree_the_user_must_say() {
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
    // A logit that stays between 0 and 1, and a probability in percent.
    let mut weak = Disguise::new("logit");
    weak.with("Mul", &[0.01]);
    weak.with("Add", &[0.5]);
    let mut percent = Disguise::new("logit");
    percent.then("Sigmoid", &[], vec![]);
    percent.with("Mul", &[100.0]);
    for (end, words) in [(weak, "look like probabilities"), (percent, "a multiple of a probability")] {
        let path = folder.model(&ended(end, &[None, None, None, None]));
        let text = refusal_at(&path, &open);
        assert!(text.contains(words) && text.contains("--output logit"), "{text}");
        let said = Overrides { output: Some(Output::Logit), ..open.clone() };
        assert_eq!(Detector::load_as(&path, 1, &said).unwrap().reading().output, Output::Logit);
    }
}

#[test]
fn of_several_classes_the_user_must_name_the_fake_one() {
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
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
        assert!(refusal_at(&path, &Overrides { fake_index: Some(3), ..open.clone() }).contains("class 3"));
        for fake in 0..3 {
            let found = logits(&path, &Overrides { fake_index: Some(fake), ..open.clone() });
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
fn one_of_several_scores_is_no_decision() {
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
    let picked = |closing: Option<&str>| {
        let mut end = Disguise::new("logit");
        end.tensors.push(tensor("spread", &[1, 2], vec![-3.0, 3.0]));
        end.tensors.push(tensor("shift", &[2], vec![0.5, 3.5]));
        end.then("Gemm", &["spread", "shift"], vec![]);
        if let Some(operator) = closing {
            end.then(operator, &[], vec![integer("axis", 1)]);
        }
        end.tensors.push(TensorProto { dims: vec![], ..shape_tensor("second", &[1]) });
        end.then("Gather", &["second"], vec![integer("axis", 1)]);
        folder.model(&ended(end, &[None]))
    };
    let text = refusal_at(&picked(None), &open);
    assert!(
        text.contains("Gather, which takes some of a linear layer's numbers")
            && text.contains("--output logit"),
        "{text}"
    );
    let text =
        refusal_at(&picked(Some("LogSoftmax")), &Overrides { output: Some(Output::Logit), ..open.clone() });
    assert!(text.contains("the logarithm of one class's probability (LogSoftmax)"), "{text}");
    // One probability of a softmax is enough.
    let detector = Detector::load_as(&picked(Some("Softmax")), 1, &open).unwrap();
    assert_eq!(detector.reading().output, Output::Probability);
}

/// The value with one number, whatever its rank.
fn by(end: &mut Disguise, operator: &str, number: f32) {
    let name = format!("{}.{operator}.by", end.value);
    end.tensors.push(tensor(&name, &[], vec![number]));
    end.then(operator, &[&name], vec![]);
}

/// [N, 1] logits as those of two classes, shifted by 6.
fn two_classes(end: &mut Disguise) {
    end.tensors.push(tensor("spread", &[1, 2], vec![-3.0, 3.0]));
    end.tensors.push(tensor("shift", &[2], vec![0.5, 3.5]));
    end.then("Gemm", &["spread", "shift"], vec![]);
}

#[test]
fn an_output_of_no_class_is_a_question_whatever_its_numbers() {
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
    // Each stays within [0, 1] on all pictures, as a probability does.
    type Tail = fn(&mut Disguise);
    let tails: [(&str, Tail); 5] = [
        ("the largest or smallest", |end| {
            two_classes(end);
            end.then("Softmax", &[], vec![integer("axis", 1)]);
            end.then("ReduceMax", &[], vec![integers("axes", &[1]), integer("keepdims", 1)]);
        }),
        ("mixes the numbers behind a Softmax", |end| {
            two_classes(end);
            end.then("Softmax", &[], vec![integer("axis", 1)]);
            end.tensors.push(tensor("difference", &[2, 1], vec![-0.5, 0.5]));
            end.then("MatMul", &["difference"], vec![]);
        }),
        ("nothing but 0 and 1", |end| {
            end.then("Sigmoid", &[], vec![]);
            by(end, "Sub", 0.5);
            by(end, "Mul", 1e30);
            end.then("Tanh", &[], vec![]);
            end.then("Relu", &[], vec![]);
            // Rounding may miss 1 by its last place.
            end.tensors.push(tensor("most", &[], vec![0.5]));
            end.then("Min", &["most"], vec![]);
            by(end, "Div", 0.5);
        }),
        ("a multiple of a probability", |end| {
            end.then("Sigmoid", &[], vec![]);
            by(end, "Div", 0.5);
        }),
        ("takes some of a linear layer's numbers", |end| {
            // The weights' width is not written down where the product is made.
            end.tensors.push(tensor("spread", &[2, 1], vec![-3.0, 3.0]));
            end.nodes.push(node("Transpose", &["spread"], "turned", vec![]));
            end.then("MatMul", &["turned"], vec![]);
            end.tensors.push(shape_tensor("second", &[1]));
            end.then("Gather", &["second"], vec![integer("axis", 1)]);
        }),
    ];
    for (words, tail) in tails {
        let mut end = Disguise::new("logit");
        tail(&mut end);
        let path = folder.model(&ended(end, &[None, None]));
        let text = refusal_at(&path, &open);
        assert!(text.contains(words) && text.contains("pass --output logit"), "{words}: {text}");
        let passed = Overrides { output: Some(Output::Logit), ..open.clone() };
        assert_eq!(Detector::load_as(&path, 1, &passed).unwrap().reading().output, Output::Logit);
    }
}

#[test]
fn one_number_of_a_layer_that_gives_one_is_its_logit() {
    let folder = Folder::new();
    let open = Overrides { preprocess: Some(Preprocess::None), ..Overrides::default() };
    let mut end = Disguise::new("logit");
    end.tensors.push(tensor("same", &[1, 1], vec![1.0]));
    end.then("MatMul", &["same"], vec![]);
    by(&mut end, "Add", 0.0);
    end.tensors.push(shape_tensor("first", &[0]));
    end.then("Gather", &["first"], vec![integer("axis", 1)]);
    let path = folder.model(&ended(end, &[None, None]));
    assert_eq!(logits(&path, &open), plain_logits());
}

#[test]
fn of_several_outputs_one_is_named() {
    let folder = Folder::new();
    let mut model = plain();
    model.graph.as_mut().unwrap().output.push(value("flat", &[None, Some(8)]));
    let path = folder.model(&model);
    let text = refusal_at(&path, &plainly());
    assert!(text.contains("2 outputs: logit, flat") && text.contains("--output-name"), "{text}");
    let named = Overrides { output_name: Some("logit".to_owned()), ..plainly() };
    assert_eq!(logits(&path, &named), plain_logits());
    let recorded = Detector::load_as(&path, 1, &named).unwrap().reading().clone();
    assert_eq!(logits(&path, &Overrides::recorded(&recorded, RES)), plain_logits());
    let text = refusal_at(&path, &Overrides { output_name: Some("score".to_owned()), ..plainly() });
    assert!(text.contains("no output \"score\"") && text.contains("logit, flat"), "{text}");
}

#[test]
fn logits_read_as_probabilities_are_refused_on_a_run() {
    let folder = Folder::new();
    let overrides = Overrides { output: Some(Output::Probability), ..plainly() };
    let oracle = TractOracle::new(Detector::load_as(&folder.model(&plain()), 1, &overrides).unwrap());
    let text = oracle.logits(&noise(5)).unwrap_err().to_string();
    assert!(text.contains("foreign.onnx") && text.contains("--output logit"), "{text}");
}
