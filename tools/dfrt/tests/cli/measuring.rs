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
        plain("eval/one_table_across_data_sets", one_table_across_data_sets),
        plain("eval/some_subsets_only", some_subsets_only),
        gpu("eval/a_run_stands_for_its_model", a_run_stands_for_its_model),
        plain("bench/measures", bench_measures),
        plain("bench/counts_of_zero", bench_counts_of_zero),
        plain("bench/options_of_another_subject", bench_options_of_another_subject),
        plain("bench/loading", bench_loading),
        plain("bench/loading_that_cannot_be_timed", bench_loading_that_cannot_be_timed),
        gpu("bench/training_steps", bench_training_steps),
        gpu("bench/a_profile_of_every_kernel", bench_a_profile_of_every_kernel),
        gpu("bench/ceilings", bench_ceilings),
        gpu("bench/training_that_cannot_be_timed", bench_training_that_cannot_be_timed),
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

fn one_table_across_data_sets() {
    let other = folder().join("other");
    dfrt!["data", "synth", "--out", &other, "--count", "32", "--size", "48", "--seed", "9"].done();
    let out = folder().join("across.json");
    let said =
        dfrt!["eval", "--model", model(), "--data", faces(), "--data", &other, "--out", &out, "--json"]
            .json();
    assert_eq!(said, json(&out));
    let alone = |data: &std::path::Path| dfrt!["eval", "--model", model(), "--data", data, "--json"].json();
    assert_eq!(said["evaluations"].as_array().unwrap(), &[alone(faces()), alone(&other)]);
    let table =
        dfrt!["eval", "--model", model(), "--data", faces(), "--data", &other, "--out", &out, "--force"]
            .done();
    for word in ["AUC of videos", "other", "self-blend", "across.csv"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
    let csv = String::from_utf8(bytes(out.with_extension("csv"))).unwrap();
    assert!(csv.starts_with("data,split,part,n_real,n_fake,accuracy,accuracy_low"), "{csv}");
    assert_eq!(csv.lines().filter(|line| line.contains(",test,group,")).count(), 2);
    for index in 1..3 {
        let scores = bytes(out.with_file_name(format!("across-{index}-scores.csv")));
        assert!(String::from_utf8(scores).unwrap().starts_with("id,path,"));
    }
    dfrt!["eval", "--model", model(), "--data", faces(), "--data", &other, "--out", &out]
        .failed(1, &["--force"]);
    let absent = folder().join("absent");
    dfrt!["eval", "--model", model(), "--data", faces(), "--data", &absent].failed(1, &["absent", "no such"]);
}

fn some_subsets_only() {
    let eval = |subsets: &str| {
        dfrt!["eval", "--model", model(), "--data", faces(), "--test-subsets", subsets, "--json"]
    };
    let swaps = eval("swap").json();
    let parts = swaps["by_subset"].as_object().unwrap();
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["real", "swap"]);
    assert_eq!(swaps["data"]["n_real"], 6, "the real pictures stay");
    assert!(swaps["data"]["n_fake"].as_u64().unwrap() < 6);
    assert_eq!(eval("swap,self-blend").json()["data"]["n_fake"], 6);
    eval("swaps").failed(1, &["\"swaps\"", "self-blend, swap"]);
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
    limited("0").failed(2, &["--limit 0"]);
    let one = limited("1").json();
    assert!(one["metrics"]["auc"].is_null(), "of one class: {one}");
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
    on("0").failed(2, &["--threads 0"]);
}

fn data_that_is_not_there() {
    let absent = folder().join("absent");
    dfrt!["eval", "--model", model(), "--data", &absent].failed(1, &["absent", "no such file or folder"]);
    dfrt!["eval", "--model", model(), "--data", folder()].failed(1, &["no known layout"]);
    let one = copied(faces());
    std::fs::remove_file(one.join("split.csv")).unwrap();
    std::fs::remove_dir_all(one.join("test/real")).unwrap();
    dfrt!["eval", "--model", model(), "--data", &one].done();
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
        dfrt!["bench", "model", "--model", model(), "--runs", "5", "--threads", "2", "--out", &out, "--json"]
            .json();
    assert_eq!(bench, json(&out));
    for name in
        ["p50_ms", "p90_ms", "p99_ms", "mean_ms", "first_ms", "load_ms", "throughput_img_s", "model_mb"]
    {
        assert!(bench[name].as_f64().unwrap() > 0.0, "{name}: {bench}");
    }
    assert_eq!((bench["runs"].as_u64(), bench["threads"].as_u64()), (Some(5), Some(2)));
    assert!(bench["cpu"].as_str().is_some_and(|cpu| !cpu.is_empty()));
    dfrt!["bench", "model", "--model", model(), "--out", &out].failed(1, &["bench.json", "--force"]);
    let table = dfrt!["bench", "model", "--model", model(), "--runs", "2"].done();
    assert!(table.contains("median") && table.contains("images/s"), "{table}");
}

fn bench_counts_of_zero() {
    for option in ["--runs", "--threads", "--batch"] {
        dfrt!["bench", "model", "--model", model(), option, "0"]
            .failed(2, &[&format!("{option} 0"), "1 or more"]);
    }
}

fn bench_options_of_another_subject() {
    for option in ["--arch", "--steps", "--device", "--cache"] {
        dfrt!["bench", "model", "--model", "m.onnx", option, "1"]
            .failed(2, &["Unrecognized", option, "`dfrt bench model --help`"]);
    }
    for option in ["--runs", "--threads", "--layout", "--data"] {
        dfrt!["bench", "train", option, "2"]
            .failed(2, &["Unrecognized", option, "`dfrt bench train --help`"]);
    }
    dfrt!["bench", "device", "--batch", "8"].failed(2, &["--batch", "`dfrt bench device --help`"]);
    dfrt!["bench", "train", "--method", "magic"]
        .failed(2, &["magic", "baseline, compute-matched, gr", "input-gradient"]);
    let model = |options: &[&str]| {
        let arguments = ["bench", "model", "--model", "m.onnx"].into_iter().chain(options.iter().copied());
        crate::workshop::run(&arguments.map(std::ffi::OsString::from).collect::<Vec<_>>())
    };
    model(&["--queries", "9"]).failed(2, &["--queries needs --square"]);
    model(&["--square", "--runs", "9"]).failed(2, &["--runs and --square exclude each other"]);
    model(&["--square", "--batch", "9"]).failed(2, &["--batch and --square exclude each other"]);
}

fn bench_loading() {
    let out = folder().join("bench.json");
    let table = dfrt!["bench", "loading", "--data", faces(), "--res", "32", "--batch", "4"].done();
    for word in ["first epoch", "later epochs", "images/s", "kept decoded", "decode"] {
        assert!(table.contains(word), "{word} is not in {table}");
    }
    let with = |[option, value]: [&str; 2]| {
        let ran = dfrt![
            "bench",
            "loading",
            "--data",
            faces(),
            "--res",
            "32",
            "--batch",
            "4",
            "--threads",
            "2",
            "--out",
            &out,
            "--force",
            "--json",
            option,
            value
        ];
        ran.json()
    };
    let bench = with(["--epochs", "3"]);
    assert_eq!(bench, json(&out));
    for (name, expected) in [("res", 32), ("batch", 4), ("epochs", 3), ("threads", 2), ("unreadable", 0)] {
        assert_eq!(bench[name], expected, "{name}: {bench}");
    }
    assert_eq!(bench["cached_images"], bench["n_train"]);
    for name in ["first_epoch_images_per_second", "later_epochs_images_per_second", "cached_mb"] {
        assert!(bench[name].as_f64().unwrap() > 0.0, "{name}: {bench}");
    }
    let stages = ["read", "decode", "resize", "augment", "pack"].map(|name| &bench["stages"][name]);
    let shares: f64 = stages.iter().map(|stage| stage["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{bench}");
    assert!(stages.iter().all(|stage| stage["ms"].as_f64().unwrap() > 0.0), "{bench}");
    let once = with(["--epochs", "1"]);
    assert!(once["later_epochs_images_per_second"].is_null(), "{once}");
    let without = with(["--cache-mb", "0"]);
    assert_eq!((&without["cached_images"], &without["cache_limit_mb"]), (&0.into(), &0.0.into()));
}

fn bench_loading_that_cannot_be_timed() {
    dfrt!["bench", "loading"].failed(2, &["--data", "`dfrt bench loading --help`"]);
    let loading = |option: &str, value: &str| dfrt!["bench", "loading", "--data", faces(), option, value];
    loading("--res", "100").failed(2, &["100", "multiple of 32"]);
    loading("--batch", "0").failed(2, &["--batch 0"]);
    loading("--epochs", "0").failed(2, &["--epochs 0"]);
    loading("--threads", "0").failed(2, &["--threads 0"]);
    let absent = folder().join("absent");
    dfrt!["bench", "loading", "--data", &absent].failed(1, &["absent", "no such file or folder"]);
}

/// The arguments of a short bench of the smallest network's training.
fn timed(method: &str, more: &[&str]) -> crate::workshop::Ran {
    let usual = "bench train --arch efficientnet-tiny --res 32 --batch 4 --steps 3 --method";
    let arguments = usual.split(' ').chain([method]).chain(more.iter().copied());
    crate::workshop::run(&arguments.map(std::ffi::OsString::from).collect::<Vec<_>>())
}

fn bench_training_steps() {
    for method in ["baseline", "gr", "input-gradient"] {
        let out = folder().join("new/bench.json");
        let bench = timed(method, &["--json", "--out", out.to_str().unwrap()]).json();
        assert_eq!(bench, json(&out));
        for (name, expected) in [("res", 32), ("batch", 4), ("steps", 3)] {
            assert_eq!(bench[name], expected, "{name}");
        }
        assert_eq!((&bench["arch"], &bench["method"]), (&"efficientnet-tiny".into(), &method.into()));
        let positive =
            ["images_per_second", "first_step_s", "peak_gpu_mb", "dispatches", "traffic_mb", "gflop"];
        for name in positive.into_iter().chain(["queued_images_per_second", "lower_bound_mb"]) {
            assert!(bench[name].as_f64().unwrap() > 0.0, "{name}: {bench}");
        }
        let [low, middle, high] =
            ["p10", "median", "p90"].map(|name| bench["step_ms"][name].as_f64().unwrap());
        assert!(0.0 < low && low <= middle && middle <= high, "{bench}");
        let rate = bench["images_per_second"].as_f64().unwrap();
        assert!((rate * middle / 4000.0 - 1.0).abs() < 1e-9, "{bench}");
        for name in ["name", "api", "driver", "type"] {
            assert!(bench["device"][name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {bench}");
        }
        assert!(bench.get("kernels").is_none(), "nobody asked for a profile: {bench}");
    }
    let table = timed("gr", &[]).done();
    for word in
        ["efficientnet-tiny gr at 32 px, batch 4", "images/s", "first step", "GPU memory", "times the least"]
    {
        assert!(table.contains(word), "{word} is not in {table}");
    }
}

fn bench_a_profile_of_every_kernel() {
    let ran = timed("gr", &["--profile", "--json"]);
    if !timestamps(&ran) {
        return;
    }
    let bench = ran.json();
    let kernels = bench["kernels"].as_array().unwrap();
    let sum = |name: &str| kernels.iter().map(|kernel| kernel[name].as_f64().unwrap()).sum::<f64>();
    assert!((sum("share") - 1.0).abs() < 1e-9, "{bench}");
    assert_eq!(sum("calls"), bench["dispatches"].as_f64().unwrap());
    assert!((sum("ms") / bench["kernels_ms"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!((sum("traffic_mb") / bench["traffic_mb"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    let flops: f64 = kernels.iter().map(|k| k["gflops"].as_f64().unwrap() * k["ms"].as_f64().unwrap()).sum();
    assert!((1e-3 * flops / bench["gflop"].as_f64().unwrap() - 1.0).abs() < 1e-6, "{bench}");
    let ceiling = |what: &str, rate: &str| bench["ceilings"][what][rate].as_f64().unwrap();
    let (copy, product) = (ceiling("copy", "gb_s"), ceiling("product", "gflops"));
    for kernel in kernels {
        let number = |name: &str| kernel[name].as_f64().unwrap();
        let [of_copy, of_product] = [number("gb_s") / copy, number("gflops") / product];
        assert!((number("fraction_of_ceiling") - of_copy.max(of_product)).abs() < 1e-9, "{kernel}");
        assert_eq!(kernel["bound"], if of_product > of_copy { "product" } else { "copy" }, "{kernel}");
    }
    for share in ["idle_share", "gap_share"] {
        assert!((0.0..1.0).contains(&bench[share].as_f64().unwrap()), "{share}: {bench}");
    }
}

/// Whether the device has timestamps; where not, the command has said so and failed.
fn timestamps(ran: &crate::workshop::Ran) -> bool {
    let without = ran.err.contains("timestamp queries");
    assert!(!without || ran.code == Some(1), "{ran:?}");
    !without
}

fn bench_ceilings() {
    let ceilings = dfrt!["bench", "device", "--json"].json();
    let number = |what: &str, name: &str| ceilings[what][name].as_f64().unwrap();
    assert!(number("copy", "gb_s") >= number("copy", "kernel_gb_s"), "{ceilings}");
    assert!(number("copy", "kernel_gb_s") > 0.0 && number("product", "gflops") > 0.0, "{ceilings}");
    assert!(ceilings["product"]["kernel"].as_str().unwrap().starts_with("pointwise"), "{ceilings}");
    assert!(ceilings["device"]["name"].is_string(), "{ceilings}");
}

fn bench_training_that_cannot_be_timed() {
    let train = |option: &str, value: &str| dfrt!["bench", "train", option, value];
    train("--arch", "resnet").failed(2, &["resnet", "efficientnet-b0"]);
    train("--res", "100").failed(2, &["100", "multiple of 32"]);
    train("--batch", "0").failed(2, &["--batch 0"]);
    train("--steps", "0").failed(2, &["--steps 0"]);
    train("--device", "99").failed(1, &["device 99", "dfrt devices"]);
    let out = folder().join("bench.json");
    std::fs::write(&out, "mine").unwrap();
    dfrt!["bench", "train", "--out", &out].failed(1, &["bench.json", "--force"]);
    assert_eq!(bytes(&out), b"mine");
}

fn folders_that_are_no_study() {
    dfrt!["report", folder()].failed(1, &["report.json"]);
    let broken = folder();
    std::fs::write(broken.join("report.json"), "{}").unwrap();
    dfrt!["report", &broken].failed(1, &["report.json", "not the report of a study"]);
    dfrt!["report", &broken, "--json"].failed(1, &["report.json"]);
}
