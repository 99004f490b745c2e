//! `dfrt explain`.

use crate::bright;
use crate::dfrt;
use crate::workshop::{Ran, bytes, ended, faces, folder, gpu, json, model, plain, program, trained};
use dfrt_runtime::detector::metadata::Metadata;
use dfrt_trainer::model::arch::EFFICIENTNET_TINY;
use dfrt_trainer::model::graph::Graph;
use dfrt_trainer::model::weights::Weights;
use dfrt_trainer::train::outcome;
use libtest_mimic::Trial;
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub fn trials() -> Vec<Trial> {
    vec![
        plain("explain/wrong_usage", wrong_usage),
        gpu("explain/two_models_are_explained", two_models_are_explained),
        gpu("explain/the_attack_is_that_of_attack", the_attack_is_that_of_attack),
        gpu("explain/batches_change_no_figure", batches_change_no_figure),
        gpu("explain/seeds_are_one_arm", seeds_are_one_arm),
        gpu("explain/a_picture_of_unknown_class", a_picture_of_unknown_class),
        gpu("explain/models_without_gradients", models_without_gradients),
        gpu("explain/what_does_not_fit_a_model", what_does_not_fit_a_model),
    ]
}

/// The smallest network with drawn weights for pictures of `res` px.
fn drawn(name: &str, seed: u64, res: usize) -> PathBuf {
    let path = folder().join(name);
    let graph = Graph::new(&EFFICIENTNET_TINY, res).unwrap();
    let weights = Weights::initial(&graph, seed);
    let mut metadata = Metadata::new(EFFICIENTNET_TINY.name, res, 0.0);
    metadata.data_path = Some(faces().to_string_lossy().into_owned());
    outcome::export(&path, &graph, &weights, &metadata, None).unwrap();
    path
}

fn explain(models: &[(&str, &Path)], out: &Path, more: &[&str]) -> Ran {
    let mut command = program();
    command.arg("explain").arg("--out").arg(out).args(more);
    for (name, path) in models {
        let path = path.display();
        command.arg("--model").arg(if name.is_empty() { path.to_string() } else { format!("{name}={path}") });
    }
    ended(command)
}

/// The lines of pictures.csv, by column.
fn lines(out: &Path) -> Vec<HashMap<String, String>> {
    let text = String::from_utf8(bytes(out.join("pictures.csv"))).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|line| header.iter().cloned().zip(line).collect()).collect()
}

fn number(line: &HashMap<String, String>, column: &str) -> f64 {
    line[column].parse().unwrap_or_else(|_| panic!("{column} is {:?}", line[column]))
}

#[track_caller]
fn close(got: f64, expected: f64, share: f64) {
    assert!((got - expected).abs() <= share * expected.abs() + 1e-12, "{got} is not {expected}");
}

fn two_models_are_explained() {
    let out = folder().join("why");
    let models = [("baseline", model()), ("gr", trained())];
    let printed = explain(&models, &out, &["--limit", "8", "--pictures", "2", "--json"]).json();
    let report = json(out.join("explain.json"));
    assert_eq!(printed, report);
    assert_eq!((&report["data"]["n_real"], &report["data"]["n_fake"]), (&4.into(), &4.into()));
    assert_eq!(report["settings"]["taps"], serde_json::json!([0, 1, 2]));
    let lines = lines(&out);
    assert_eq!(lines.len(), 16);
    lines.iter().for_each(fits);
    let names: Vec<&Value> = report["arms"].as_array().unwrap().iter().map(|arm| &arm["name"]).collect();
    assert_eq!(names, ["baseline", "gr"]);
    for arm in report["arms"].as_array().unwrap() {
        let name = arm["name"].as_str().unwrap();
        let of = |column: &str| -> Vec<f64> {
            lines.iter().filter(|line| line["arm"] == name).map(|line| number(line, column)).collect()
        };
        let mean = of("input_loss_l1").iter().sum::<f64>() / 8.0;
        close(arm["input_loss_l1"]["mean"]["value"].as_f64().unwrap(), mean, 1e-9);
        assert_eq!((&arm["counts"]["n"], &arm["counts"]["not_finite"]), (&8.into(), &0.into()));
        let spectrum = arm["spectrum"].as_array().unwrap();
        assert_eq!((spectrum.len(), report["frequencies"].as_array().unwrap().len()), (16, 16));
        let surface = &arm["surfaces"][0][0];
        let centre = surface["logits"][10][10].as_f64().unwrap();
        let id = surface["id"].to_string();
        let line = lines.iter().find(|line| line["arm"] == name && line["id"] == id);
        close(centre, number(line.unwrap(), "logit"), 1e-4);
    }
    assert_eq!(report["comparisons"][0]["against"], "baseline");
    assert!(report["sentences"][0]["text"].as_str().unwrap().contains("fewer than 10 people"), "{report}");
    let text = String::from_utf8(bytes(out.join("explain.md"))).unwrap();
    assert!(text.contains("gr: no explanation is supported") && text.contains("| figure | baseline | gr |"));
    pictures_of(&out, &["baseline", "gr"]);
}

/// A line of pictures.csv says nothing that contradicts itself.
fn fits(line: &HashMap<String, String>) {
    let sign = if line["label"] == "fake" { 1.0 } else { -1.0 };
    let (logit, right) = (number(line, "logit"), line["right"] == "true");
    assert_eq!(right, number(line, "margin") > 0.0);
    let slope = 1.0 / (1.0 + (sign * logit).exp());
    for norm in ["input", "statistics"] {
        let columns = if norm == "input" { ["_l1", "_l2"].as_slice() } else { &[""] };
        for of in columns {
            let [margin, loss] = ["margin", "loss"].map(|what| number(line, &format!("{norm}_{what}{of}")));
            assert!(margin > 0.0);
            close(loss, slope * margin, 1e-9);
        }
    }
    close(number(line, "loss"), (-sign * logit).exp().ln_1p(), 1e-6);
    let taps = (0..3).map(|tap| number(line, &format!("tap{tap}_statistics_margin")).powi(2)).sum::<f64>();
    close(number(line, "statistics_margin"), taps.sqrt(), 1e-6);
    assert!((0..3).all(|tap| number(line, &format!("tap{tap}_shifted_logit")) != logit));
    // The margin is nearly linear on so short a way.
    assert!((number(line, "along_0.05_margin") - 1.0).abs() < 0.5, "{line:?}");
    let share = number(line, "high_frequency_share");
    assert!((0.0..=1.0).contains(&share));
    assert!(sign * number(line, "attacked_logit") < sign * logit, "the attack lowers the margin: {line:?}");
    if !right {
        assert!(line["first_order_255"].is_empty() && line["pgd_255"].is_empty(), "{line:?}");
        return;
    }
    close(
        number(line, "first_order_255"),
        255.0 * number(line, "margin") / number(line, "input_margin_l1"),
        1e-9,
    );
    if !line["pgd_255"].is_empty() {
        let (found, held) = (number(line, "pgd_255"), number(line, "pgd_held_255"));
        assert!(found > held, "{line:?}");
        // With 1/255 the same attack, rounded to whole levels, turns over what PGD did well below.
        assert!(found > 0.3 || sign * number(line, "attacked_logit") < sign * logit);
    }
}

/// The same pictures under every model: two ids with all parts and a sheet.
fn pictures_of(out: &Path, models: &[&str]) {
    let listed = std::fs::read_dir(out.join("images")).unwrap();
    let names: Vec<String> = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.len(), 2 * (2 + 5 * models.len()), "{names:?}");
    for name in &names {
        let picture = image::open(out.join("images").join(name)).unwrap();
        let sheet = name.ends_with("-sheet.png");
        assert!(sheet && picture.width() > 900 || (picture.width(), picture.height()) == (32, 32), "{name}");
    }
    for (model, part) in models.iter().flat_map(|model| ["adversarial", "cam"].map(|part| (model, part))) {
        let of = |name: &&String| name.ends_with(&format!("-{model}-{part}.png"));
        assert_eq!(names.iter().filter(of).count(), 2, "{names:?}");
    }
}

fn the_attack_is_that_of_attack() {
    let (out, attacked) = (folder().join("why"), folder().join("attack"));
    explain(&[("", model())], &out, &["--pictures", "12", "--eps", "2"]).done();
    let mut attack = program();
    attack
        .args(["attack", "--method", "pgd", "--eps", "2", "--model"])
        .arg(model())
        .arg("--out")
        .arg(&attacked);
    ended(attack).done();
    let samples = String::from_utf8(bytes(attacked.join("samples.csv"))).unwrap();
    let mut same = 0;
    for line in lines(&out) {
        let id = &line["id"];
        let sample = samples.lines().find(|sample| sample.starts_with(&format!("{id},"))).unwrap();
        let fields: Vec<&str> = sample.split(',').collect();
        close(number(&line, "logit"), fields[2].parse().unwrap(), 1e-3);
        if line["right"] == "true" {
            close(number(&line, "attacked_logit"), fields[3].parse().unwrap(), 1e-3);
            same += 1;
        }
    }
    assert!(same > 2, "{samples}");
}

fn batches_change_no_figure() {
    let runs = ["1", "5", "16"].map(|batch| {
        let out = folder().join("why");
        explain(&[("", model())], &out, &["--limit", "6", "--batch", batch, "--pictures", "1"]).done();
        lines(&out)
    });
    for other in &runs[1..] {
        for (line, other) in runs[0].iter().zip(other) {
            assert_eq!(line["id"], other["id"]);
            for column in
                ["logit", "input_margin_l1", "statistics_margin", "tap1_shifted_logit", "attacked_logit"]
            {
                close(number(line, column), number(other, column), 1e-3);
            }
            assert_eq!(line["pgd_255"].is_empty(), other["pgd_255"].is_empty());
        }
    }
}

fn seeds_are_one_arm() {
    let out = folder().join("why");
    let (first, second) = (drawn("a.onnx", 1, 32), drawn("b.onnx", 2, 32));
    let models = [("gr", first.as_path()), ("", model()), ("gr", &second)];
    let report = explain(&models, &out, &["--limit", "6", "--pictures", "1", "--json"]).json();
    let arms = report["arms"].as_array().unwrap();
    assert_eq!((arms.len(), &arms[0]["name"], &arms[1]["name"]), (2, &"gr".into(), &"drawn".into()));
    assert_eq!((&arms[0]["counts"]["n"], arms[0]["models"].as_array().unwrap().len()), (&12.into(), 2));
    assert!(out.join("images").read_dir().unwrap().count() == 2 + 15);
    assert_eq!(lines(&out).len(), 18);
    // Earlier results stay.
    explain(&models, &out, &[]).failed(1, &["holds an explanation already", "--force"]);
    explain(&models[1..2], &out, &["--limit", "4", "--pictures", "1", "--force"]).done();
    assert_eq!(lines(&out).len(), 4);
    assert!(out.join("images").read_dir().unwrap().count() == 2 + 5, "the earlier pictures are gone");
}

fn a_picture_of_unknown_class() {
    let picture = std::fs::read_dir(faces().join("test/real")).unwrap().next().unwrap().unwrap().path();
    let out = folder().join("shown.png");
    let shown = |more: &[&str]| {
        let mut command = program();
        command.args(["explain", "--image"]).arg(&picture).arg("--out").arg(&out).args(more);
        for model in [model(), trained()] {
            command.arg("--model").arg(model);
        }
        ended(command)
    };
    let report = shown(&["--json", "--eps", "4"]).json();
    let models = report["models"].as_array().unwrap();
    assert_eq!((models.len(), &models[0]["name"], &models[1]["name"]), (2, &"drawn".into(), &"run".into()));
    for model in models {
        let [before, after, threshold] =
            ["logit", "attacked_logit", "threshold"].map(|name| model[name].as_f64().unwrap());
        assert_eq!(model["called"], if before > threshold { "fake" } else { "real" });
        // Away from what it calls the picture.
        assert!(if before > threshold { after < before } else { after > before }, "{model}");
    }
    let sheet = image::open(&out).unwrap();
    assert!(sheet.width() > 900 && sheet.height() > 300);
    shown(&[]).failed(1, &["exists already", "--force"]);
    let table = shown(&["--force"]).done();
    assert!(table.contains("after PGD at 1/255") && table.contains("run"), "{table}");
    let text = folder().join("no.png");
    std::fs::write(&text, "no picture").unwrap();
    let out = folder().join("n.png");
    dfrt!["explain", "--model", model(), "--image", &text, "--out", &out]
        .failed(1, &["no.png", "not a readable"]);
}

fn models_without_gradients() {
    let (out, foreign) = (folder().join("why"), folder().join("bright.onnx"));
    std::fs::write(&foreign, bright::model(1.0, 32)).unwrap();
    explain(&[("", &foreign)], &out, &["--data", faces().to_str().unwrap()])
        .failed(1, &["explain needs the gradients of a network that dfrt trained", "RUN"]);
    assert!(!out.join("explain.json").exists());
}

fn what_does_not_fit_a_model() {
    let out = folder().join("why");
    let taps = explain(&[("", model())], &out, &["--taps", "0,99"]);
    taps.failed(2, &["no taps [0, 99]", "0 to "]);
    explain(&[("", model())], &out, &["--taps", "1,1"]).failed(2, &["each once"]);
    let larger = drawn("larger.onnx", 1, 64);
    explain(&[("", model()), ("larger", &larger)], &out, &[]).failed(2, &["takes 32 px", "64", "of one"]);
    explain(&[("a/b", model())], &out, &[]).failed(2, &["\"a/b\"", "letters"]);
    explain(&[("", model())], &out, &["--data", "nowhere"]).failed(1, &["nowhere"]);
    assert!(!out.join("explain.json").exists());
}

fn wrong_usage() {
    dfrt!["explain"].failed(2, &["--model is missing", "`dfrt explain --help`"]);
    dfrt!["explain", "--model", "nowhere.onnx"].failed(1, &["nowhere.onnx"]);
    dfrt!["explain", "--model", "gr="].failed(2, &["--model gr=", "NAME=PATH"]);
    let file = model();
    let [a, b] = ["a", "b"].map(|name| {
        let place = folder().join(name).join("drawn.onnx");
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(file, &place).unwrap();
        place
    });
    dfrt!["explain", "--model", &a, "--model", &a].failed(2, &["is given twice"]);
    dfrt!["explain", "--model", &a, "--model", &b]
        .failed(2, &["another model is called drawn", "drawn=PATH"]);
    for (option, value, words) in [
        ("--eps", "0.5", "whole number"),
        ("--eps", "1,2", "one radius"),
        ("--limit", "1", "too few"),
        ("--pictures", "0", "1 or more"),
        ("--batch", "0", "1 or more"),
    ] {
        dfrt!["explain", "--model", file, option, value].failed(2, &[option, words]);
    }
    for (option, value) in [("--data", "d"), ("--limit", "4"), ("--taps", "0"), ("--split", "val")] {
        dfrt!["explain", "--model", file, "--image", "p.png", option, value]
            .failed(2, &["--image", option, "exclude each other"]);
    }
    dfrt!["explain", "--model", file, "--image", "p.png", "--out", "folder"].failed(2, &["ends with .png"]);
}
