//! `dfrt eval`, `dfrt bench` and `dfrt report`.

use crate::dfrt;
use crate::workshop::{bytes, copied, faces, folder, gpu, json, model, plain, trained};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("eval/metrics_with_intervals", metrics_with_intervals),
        plain("eval/json_alone_on_standard_output", json_alone_on_standard_output),
        plain("eval/earlier_results_stay", earlier_results_stay),
        plain("eval/a_limit_is_balanced", a_limit_is_balanced),
        plain("eval/threads_change_nothing", threads_change_nothing),
        plain("eval/data_that_is_not_there", data_that_is_not_there),
        gpu("eval/a_run_stands_for_its_model", a_run_stands_for_its_model),
        plain("bench/measures", bench_measures),
        plain("bench/counts_of_zero", bench_counts_of_zero),
        plain("report/folders_that_are_no_study", folders_that_are_no_study),
    ]
}

fn metrics_with_intervals() {
    let out = folder().join("new/eval.json");
    let table = dfrt!["eval", "--model", model(), "--data", faces(), "--out", &out].done();
    for word in ["accuracy", "AUC", "6 real, 6 fake"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
    let evaluation = json(&out);
    for name in [
        "accuracy",
        "balanced_accuracy",
        "auc",
        "average_precision",
        "eer",
        "tpr_at_fpr_1",
        "log_loss",
        "ece",
    ] {
        let figure = &evaluation["metrics"][name];
        let [value, low, high] = ["value", "low", "high"].map(|key| figure[key].as_f64().unwrap());
        assert!(low <= value && value <= high, "{name}: {figure}");
    }
    assert_eq!(evaluation["data"]["split"], "test");
    assert_eq!(evaluation["model"]["res"], 32);
    let scores = String::from_utf8(bytes(out.with_file_name("scores.csv"))).unwrap();
    assert_eq!(scores.lines().next(), Some("id,path,label,subset,group,split,logit"));
    assert_eq!(scores.lines().count(), 13);
}

fn json_alone_on_standard_output() {
    // The model names its data set.
    let evaluation = dfrt!["eval", "--model", model(), "--json"].json();
    assert_eq!(evaluation["data"]["n_fake"], 6);
    let val = dfrt!["eval", "--model", model(), "--split", "val", "--json"].json();
    assert_eq!((val["data"]["split"].as_str(), val["data"]["n_real"].as_u64()), (Some("val"), Some(4)));
}

fn earlier_results_stay() {
    let out = folder().join("eval.json");
    let eval = |more: &str| dfrt!["eval", "--model", model(), "--out", &out, more];
    std::fs::write(&out, "mine").unwrap();
    eval("--json").failed(1, &["eval.json", "--force"]);
    assert_eq!(bytes(&out), b"mine");
    eval("--force").done();
    std::fs::remove_file(&out).unwrap();
    eval("--json").failed(1, &["scores.csv", "--force"]);
    let other = out.with_file_name("other.json");
    dfrt!["eval", "--model", model(), "--out", &other].done();
    assert!(out.with_file_name("other-scores.csv").exists());
    dfrt!["eval", "--model", model(), "--out", folder()].failed(1, &["is a folder"]);
}

fn a_limit_is_balanced() {
    let limited = |limit: &str| dfrt!["eval", "--model", model(), "--limit", limit, "--json"];
    let four = limited("4").json();
    assert_eq!((four["data"]["n_real"].as_u64(), four["data"]["n_fake"].as_u64()), (Some(2), Some(2)));
    limited("1").failed(1, &["--limit 1"]);
    let out = folder().join("eval.json");
    dfrt!["eval", "--model", model(), "--limit", "4", "--out", &out].done();
    let whole = folder().join("eval.json");
    dfrt!["eval", "--model", model(), "--out", &whole].done();
    let scores = |out: &std::path::Path| {
        let text = String::from_utf8(bytes(out.with_file_name("scores.csv"))).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = scores(&whole);
    let limited = scores(&out);
    assert!(limited.iter().all(|line| whole.contains(line)), "ids are places in the split: {limited:?}");
}

fn threads_change_nothing() {
    let on = |threads: &str| dfrt!["eval", "--model", model(), "--threads", threads, "--json"];
    assert_eq!(on("1").json(), on("3").json());
    on("0").failed(1, &["--threads 0"]);
}

fn data_that_is_not_there() {
    let absent = folder().join("absent");
    dfrt!["eval", "--model", model(), "--data", &absent].failed(1, &["absent", "no such file or folder"]);
    dfrt!["eval", "--model", model(), "--data", folder()].failed(1, &["no known layout"]);
    let one = copied(faces());
    std::fs::remove_file(one.join("split.csv")).unwrap();
    std::fs::remove_dir_all(one.join("test/real")).unwrap();
    dfrt!["eval", "--model", model(), "--data", &one].failed(1, &["all 6 pictures are fake"]);
    std::fs::remove_dir_all(one.join("test")).unwrap();
    dfrt!["eval", "--model", model(), "--data", &one].failed(1, &["the test split", "no pictures"]);
}

fn a_run_stands_for_its_model() {
    let [run, file] = [trained().to_owned(), trained().join("model.onnx")].map(|model| {
        let evaluation = dfrt!["eval", "--model", &model, "--json"].json();
        assert_eq!(evaluation["model"]["path"], model.to_str().unwrap());
        evaluation
    });
    assert_eq!(run["metrics"], file["metrics"]);
    assert_eq!(run["model"]["sha256"], file["model"]["sha256"]);
    assert_eq!(
        run["threshold"].as_f64().unwrap() as f32,
        json(trained().join("summary.json"))["threshold"].as_f64().unwrap() as f32
    );
}

fn bench_measures() {
    let out = folder().join("bench.json");
    let bench =
        dfrt!["bench", "--model", model(), "--runs", "5", "--threads", "2", "--out", &out, "--json"].json();
    assert_eq!(bench, json(&out));
    for name in
        ["p50_ms", "p90_ms", "p99_ms", "mean_ms", "first_ms", "load_ms", "throughput_img_s", "model_mb"]
    {
        assert!(bench[name].as_f64().unwrap() > 0.0, "{name}: {bench}");
    }
    assert_eq!((bench["runs"].as_u64(), bench["threads"].as_u64()), (Some(5), Some(2)));
    assert!(bench["cpu"].as_str().is_some_and(|cpu| !cpu.is_empty()));
    dfrt!["bench", "--model", model(), "--out", &out].failed(1, &["bench.json", "--force"]);
    let table = dfrt!["bench", "--model", model(), "--runs", "2"].done();
    assert!(table.contains("median") && table.contains("images/s"), "{table}");
}

fn bench_counts_of_zero() {
    for option in ["--runs", "--threads", "--batch"] {
        dfrt!["bench", "--model", model(), option, "0"].failed(1, &[option]);
    }
}

fn folders_that_are_no_study() {
    dfrt!["report", folder()].failed(1, &["report.json"]);
    let broken = folder();
    std::fs::write(broken.join("report.json"), "{}").unwrap();
    dfrt!["report", &broken].failed(1, &["report.json", "not the report of a study"]);
    dfrt!["report", &broken, "--json"].failed(1, &["report.json"]);
}
