//! `dfrt train` and `dfrt export`.

use crate::dfrt;
use crate::workshop::{bytes, ended, faces, folder, gpu, json, plain, program, train, trained, training};
use libtest_mimic::Trial;
use std::path::Path;

pub fn trials() -> Vec<Trial> {
    vec![
        gpu("train/a_run_holds_its_files", a_run_holds_its_files),
        gpu("train/options_go_over_the_config", options_go_over_the_config),
        gpu("train/json_alone_on_standard_output", json_alone_on_standard_output),
        gpu("train/a_run_is_replaced_by_force_alone", a_run_is_replaced_by_force_alone),
        gpu("train/starts_from_given_weights", starts_from_given_weights),
        gpu("train/stops_early_for_want_of_progress", stops_early_for_want_of_progress),
        gpu("train/a_device_that_is_not_there", a_device_that_is_not_there),
        gpu("train/memory_changes_no_bit", memory_changes_no_bit),
        gpu("train/the_largest_batch_that_fits", the_largest_batch_that_fits),
        gpu("train/a_batch_in_parts", a_batch_in_parts),
        gpu("train/some_subsets_only", some_subsets_only),
        gpu("train/a_cache_changes_no_bit", a_cache_changes_no_bit),
        plain("bench/loading_from_a_cache", loading_from_a_cache),
        gpu("export/the_runs_model_again", the_runs_model_again),
        gpu("export/a_fixed_batch", a_fixed_batch),
        plain("train/settings_that_cannot_be_used", settings_that_cannot_be_used),
        plain("train/a_config_that_cannot_be_read", a_config_that_cannot_be_read),
        plain("train/data_that_cannot_be_used", data_that_cannot_be_used),
        plain("export/folders_that_are_no_run", folders_that_are_no_run),
        #[cfg(target_os = "linux")]
        plain("train/no_device", no_device),
    ]
}

const FILES: [&str; 6] =
    ["best.safetensors", "config.toml", "last.safetensors", "log.jsonl", "model.onnx", "summary.json"];

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn a_run_holds_its_files() {
    let run = trained();
    assert_eq!(names(run), FILES);
    let log = String::from_utf8(bytes(run.join("log.jsonl"))).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).count();
    assert_eq!((of("step"), of("epoch")), (6, 2), "28 pictures in batches of 8, two epochs");
    let summary = json(run.join("summary.json"));
    assert_eq!((summary["n_train"].as_u64(), summary["n_val"].as_u64()), (Some(28), Some(8)));
    assert_eq!(summary["arch"], "efficientnet-tiny");
}

fn some_subsets_only() {
    let run = |more: &[&str]| {
        let out = folder().join("run");
        train(faces(), &out, &[&["--epochs", "1"], more].concat()).done();
        (json(out.join("summary.json")), String::from_utf8(bytes(out.join("config.toml"))).unwrap())
    };
    let (whole, _) = run(&["--balance", "subset-sampling"]);
    let (swaps, config) = run(&["--train-subsets", "swap", "--subset-weights", "swap=2,real=0.5"]);
    assert_eq!((&whole["n_train"], &whole["n_val"]), (&28.into(), &8.into()));
    let n_train = swaps["n_train"].as_u64().unwrap();
    assert!((15..28).contains(&n_train), "14 reals and some of 14 fakes, not {n_train}");
    assert!(config.contains("train-subsets = [\"swap\"]") && config.contains("swap = 2.0"), "{config}");
    assert_ne!(whole["weights_sha256"], swaps["weights_sha256"]);
    // Both photographs of a person are one group here: half of each class.
    let (half, _) = run(&["--frames-per-video", "1", "--batch", "4"]);
    let steps = half["steps"].as_u64().unwrap();
    assert!(steps < 7, "28 pictures are 7 steps, fewer of each person {steps}");
    let out = folder().join("run");
    train(faces(), &out, &["--train-subsets", "gan"]).failed(1, &["\"gan\"", "real, self-blend, swap"]);
    train(faces(), &out, &["--subset-weights", "gan=2"]).failed(1, &["\"gan\""]);
    train(faces(), &out, &["--subset-weights", "swap"]).failed(2, &["swap=2"]);
    assert!(!out.exists());
}

fn a_cache_changes_no_bit() {
    let cache = folder().join("faces.pack");
    let cache = cache.to_str().unwrap();
    let mut results = Vec::new();
    for (more, said) in
        [(&[][..], ""), (&["--cache", cache], "decoded into the cache 36/36"), (&["--cache", cache], "")]
    {
        let out = folder().join("run");
        let ran = train(faces(), &out, &[&["--epochs", "2", "--crop"], more].concat());
        assert_eq!(ran.err.contains("decoded into the cache"), !said.is_empty(), "{ran:?}");
        assert!(ran.err.contains(said), "{ran:?}");
        ran.done();
        results
            .push((bytes(out.join("best.safetensors")), json(out.join("summary.json"))["val_loss"].clone()));
    }
    assert!(results[0] == results[1] && results[1] == results[2]);
    std::fs::write(cache, "mine").unwrap();
    let out = folder().join("run");
    train(faces(), &out, &["--epochs", "1", "--cache", cache]).failed(1, &["faces.pack", "--cache"]);
    assert_eq!(bytes(cache), b"mine");
}

fn loading_from_a_cache() {
    let cache = folder().join("faces.pack");
    let bench = || {
        dfrt![
            "bench",
            "loading",
            "--data",
            faces(),
            "--res",
            "32",
            "--batch",
            "4",
            "--cache",
            &cache,
            "--json"
        ]
        .json()
    };
    let (first, second) = (bench(), bench());
    assert_eq!([&first["pack"]["was_current"], &second["pack"]["was_current"]], [false, true]);
    assert_eq!(second["pack"]["images"], 28);
    assert_eq!(second["cached_images"], 0, "what is packed is not kept again");
    assert!(second["first_epoch_images_per_second"].as_f64().unwrap() > 0.0);
}

fn options_go_over_the_config() {
    let config = folder().join("study.toml");
    let text = "epochs = 1\nlr = 0.25\nbatch = 4\n[method]\nname = \"gr\"\nradius = 0.2\n[optimizer]\nname = \"sgd\"\nmomentum = 0.5\nnesterov = false\n";
    std::fs::write(&config, text).unwrap();
    let out = folder().join("run");
    let options = [
        "--config",
        config.to_str().unwrap(),
        "--lr",
        "0.001",
        "--alpha",
        "0.5",
        "--taps",
        "0,1",
        "--per-tap",
        "--momentum",
        "0.8",
        "--no-flip",
        "--crop",
        "--colour",
        "0.1",
        "--jpeg",
        "0.5",
        "--no-masks",
        "--balance",
        "sampling",
        "--weight-decay",
        "0.01",
        "--warmup-epochs",
        "0.5",
        "--final-lr",
        "0.1",
        "--seed",
        "9",
        "--limit",
        "8",
        "--patience",
        "3",
        "--shuffle-labels",
    ];
    train(faces(), &out, &options).done();
    let resolved = String::from_utf8(bytes(out.join("config.toml"))).unwrap();
    for line in [
        "epochs = 1",
        "batch = 8",
        "lr = 0.001",
        "name = \"gr\"",
        "radius = 0.2",
        "alpha = 0.5",
        "taps = [0, 1]",
        "per-tap = true",
        "name = \"sgd\"",
        "momentum = 0.8",
        "flip = false",
        "crop = true",
        "colour = 0.1",
        "jpeg = 0.5",
        "masks = false",
        "balance = \"sampling\"",
        "weight-decay = 0.01",
        "warmup-epochs = 0.5",
        "final-lr = 0.1",
        "seed = 9",
        "limit = 8",
        "patience = 3",
        "shuffle-labels = true",
    ] {
        assert!(resolved.lines().any(|found| found == line), "{line} is not in {resolved}");
    }
    let again = folder().join("again");
    dfrt!["train", "--config", &out.join("config.toml"), "--out", &again].done();
    assert_eq!(bytes(again.join("model.onnx")), bytes(out.join("model.onnx")), "config.toml is re-runnable");
}

fn json_alone_on_standard_output() {
    let outcome =
        train(faces(), &folder().join("run"), &["--epochs", "1", "--method", "gr", "--json"]).json();
    assert_eq!((outcome["method"].as_str(), outcome["epochs"].as_u64()), (Some("gr"), Some(1)));
    assert_eq!(outcome["parameters"], 95_129);
}

fn a_run_is_replaced_by_force_alone() {
    let out = folder().join("run");
    train(faces(), &out, &["--epochs", "1"]).done();
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let before = bytes(out.join("model.onnx"));
    train(faces(), &out, &["--epochs", "1", "--seed", "5"])
        .failed(1, &["exists already", "--force", "--resume"]);
    train(faces(), &out, &["--force", "--res", "33"]).failed(2, &["resolution 33"]);
    train(&folder(), &out, &["--force"]).failed(1, &["no known layout"]);
    assert_eq!(bytes(out.join("model.onnx")), before, "a mistake costs no earlier run");
    train(faces(), &out, &["--epochs", "1", "--seed", "5", "--force"]).done();
    assert_ne!(bytes(out.join("model.onnx")), before);
    assert_eq!(bytes(out.join("notes.txt")), b"mine", "what is not ours stays");
}

fn starts_from_given_weights() {
    let init = trained().join("best.safetensors");
    let out = folder().join("run");
    let init = init.to_str().unwrap();
    train(faces(), &out, &["--epochs", "1", "--lr", "1e-9", "--init", init]).done();
    let loss = |run: &Path, place: usize| {
        let log = String::from_utf8(bytes(run.join("log.jsonl"))).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["kind"] == "step").nth(place).unwrap()["loss"].as_f64().unwrap()
    };
    let fresh = folder().join("fresh");
    train(faces(), &fresh, &["--epochs", "1", "--lr", "1e-9"]).done();
    assert_ne!(loss(&out, 0), loss(&fresh, 0), "other weights, another loss");
    let other = ["--init", init, "--arch", "efficientnet-lite0"];
    train(faces(), &folder().join("run"), &other)
        .failed(1, &["best.safetensors", "the file fits --arch efficientnet-tiny"]);
}

fn memory_changes_no_bit() {
    let run = |megabytes: &str| {
        let out = folder().join("run");
        let more = ["--epochs", "2", "--method", "gr", "--memory-mb", megabytes];
        train(faces(), &out, &more).done();
        let device_mb = json(out.join("summary.json"))["gpu_mb"].as_f64().unwrap();
        (bytes(out.join("last.safetensors")), bytes(out.join("model.onnx")), device_mb)
    };
    let (plenty, none) = (run("2048"), run("4"));
    assert!(plenty.0 == none.0 && plenty.1 == none.1, "other weights with less memory");
    assert!(none.2 < plenty.2, "{} MB, then {} MB", plenty.2, none.2);
}

fn a_batch_in_parts() {
    let run = |more: &[&str]| {
        let out = folder().join("run");
        let ran = train(faces(), &out, &[&["--epochs", "2", "--no-masks"], more].concat());
        let told = ran.err.clone();
        ran.done();
        let log = std::fs::read_to_string(out.join("log.jsonl")).unwrap();
        let losses: Vec<f64> = log
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .filter(|line| line["kind"] == "step")
            .map(|line| line["loss"].as_f64().unwrap())
            .collect();
        (told, losses, std::fs::read_to_string(out.join("config.toml")).unwrap())
    };
    let (_, parts, _) = run(&["--micro-batch", "2"]);
    let (_, whole, _) = run(&[]);
    assert_eq!(parts.len(), whole.len());
    // Batch-norm sees two pictures instead of eight: other losses, but not wildly so.
    assert!(parts.iter().zip(&whole).all(|(part, whole)| part != whole && (part - whole).abs() < 1.0));
    let (told, short, config) = run(&["--memory-mb", "2"]);
    assert!(told.contains("a batch of 8 does not fit: it is taken"), "{told}");
    assert!(config.contains("micro-batch = "), "{config}");
    assert_eq!(short.len(), whole.len());
    let out = folder().join("run");
    train(faces(), &out, &["--micro-batch", "0"]).failed(2, &["--micro-batch 0"]);
}

fn the_largest_batch_that_fits() {
    let out = folder().join("run");
    let auto = |megabytes: &str| {
        train(faces(), &out, &["--epochs", "1", "--batch", "auto", "--memory-mb", megabytes, "--force"])
    };
    let ran = auto("4");
    assert!(ran.err.contains("the largest that fits into 4 MB"), "{ran:?}");
    ran.done();
    let config = std::fs::read_to_string(out.join("config.toml")).unwrap();
    let batch = config.lines().find_map(|line| line.strip_prefix("batch = ")).unwrap();
    assert!((1..28).contains(&batch.parse::<usize>().unwrap()), "{config}");
    auto("0").failed(1, &["not one picture of 32 px fits into 0 MB", "--memory-mb"]);
    train(faces(), &out, &["--batch", "many", "--force"]).failed(2, &["--batch many", "1 or more, or auto"]);
}

fn stops_early_for_want_of_progress() {
    let out = folder().join("run");
    let outcome =
        train(faces(), &out, &["--epochs", "30", "--lr", "1e-9", "--patience", "1", "--json"]).json();
    assert_eq!(outcome["stopped_early"], true);
    assert!(outcome["epochs"].as_u64().unwrap() < 30);
}

fn a_device_that_is_not_there() {
    let out = folder().join("run");
    train(faces(), &out, &["--device", "99"]).failed(1, &["device 99 does not exist", "dfrt devices"]);
    assert!(!out.exists());
}

fn the_runs_model_again() {
    let out = folder().join("model.onnx");
    assert!(dfrt!["export", trained(), "--out", &out].done().contains("efficientnet-tiny at 32 px"));
    assert_eq!(bytes(&out), bytes(trained().join("model.onnx")));
    std::fs::write(&out, "mine").unwrap();
    dfrt!["export", trained(), "--out", &out].failed(1, &["model.onnx", "--force"]);
    assert_eq!(bytes(&out), b"mine");
    dfrt!["export", trained(), "--out", &out, "--force"].done();
    assert_eq!(bytes(&out), bytes(trained().join("model.onnx")));
}

fn a_fixed_batch() {
    let out = folder().join("four.onnx");
    dfrt!["export", trained(), "--out", &out, "--batch", "4"].done();
    assert_eq!(dfrt!["bench", "model", "--model", &out, "--runs", "1", "--json"].json()["batch"], 4);
    let of = |model: &Path| {
        let evaluation = dfrt!["eval", "--model", model, "--data", faces(), "--json"].json();
        evaluation["metrics"]["accuracy"]["value"].as_f64().unwrap()
    };
    assert_eq!(of(&out), of(trained()));
    dfrt!["export", trained(), "--out", folder().join("none.onnx"), "--batch", "0"].failed(2, &["--batch 0"]);
}

fn settings_that_cannot_be_used() {
    let out = folder().join("run");
    let bad = |option: &str, value: &str, words: &[&str]| {
        train(faces(), &out, &[option, value]).failed(2, words);
    };
    bad("--res", "0", &["resolution 0", "multiple of 32"]);
    bad("--res", "100", &["resolution 100", "multiple of 32"]);
    bad("--arch", "resnet50", &["resnet50", "efficientnet-b0"]);
    bad("--epochs", "0", &["--epochs 0", "1 or more"]);
    bad("--batch", "0", &["--batch 0", "1 or more, or auto"]);
    bad("--lr", "NaN", &["lr = NaN"]);
    bad("--lr", "-1", &["lr = -1"]);
    bad("--limit", "1", &["limit = 1"]);
    for option in ["--checkpoint-steps", "--micro-batch", "--frames-per-video"] {
        bad(option, "0", &[&format!("{option} 0"), "1 or more"]);
    }
    train(faces(), &out, &["--method", "gr", "--taps", "0,99"]).failed(2, &["taps [0, 99]"]);
    train(faces(), &out, &["--method", "gr", "--r", "-1"]).failed(2, &["r = -1"]);
    train(faces(), &out, &["--method", "gr", "--alpha", "2"]).failed(2, &["alpha = 2"]);
    assert!(!out.exists(), "a run that never began leaves nothing");
}

fn a_config_that_cannot_be_read() {
    let (out, config) = (folder().join("run"), folder().join("config.toml"));
    let train = || dfrt!["train", "--data", faces(), "--out", &out, "--config", &config];
    train().failed(1, &["config.toml", "No such file"]);
    for (text, word) in [("epochs = \"many\"", "epochs"), ("epoks = 3", "epoks"), ("[[[", "config.toml")] {
        std::fs::write(&config, text).unwrap();
        train().failed(1, &["config.toml", word]);
    }
    assert!(!out.exists());
}

fn data_that_cannot_be_used() {
    let out = folder().join("run");
    train(&folder().join("absent"), &out, &[]).failed(1, &["absent", "no such file or folder"]);
    train(&folder(), &out, &[]).failed(1, &["no known layout"]);
    let manifest = folder().join("manifest.csv");
    for (text, words) in [
        ("", "the file is empty"),
        ("path,label\nx.png,real\n", "\"subset\" is missing"),
        ("path,label,subset,group,split\nx.png,real,s,g,train\n", "all 1 pictures are real"),
        ("path,label,subset,group,split\nx.png,true,s,g,train\n", "line 2"),
        ("path,label,subset,group,split\nx.png,real,s,g,test\ny.png,fake,s,g,test\n", "train split"),
    ] {
        std::fs::write(&manifest, text).unwrap();
        train(&manifest, &out, &[]).failed(1, &["manifest.csv", words]);
    }
    assert!(!out.exists());
}

fn folders_that_are_no_run() {
    let out = folder().join("model.onnx");
    dfrt!["export", folder(), "--out", &out].failed(1, &["not a finished RUN", "--resume"]);
    dfrt!["export", folder().join("absent"), "--out", &out].failed(1, &["absent"]);
    assert!(!out.exists());
}

#[cfg(target_os = "linux")]
fn no_device() {
    let blind = |arguments: &[std::ffi::OsString]| {
        let mut command = program();
        command.args(arguments);
        for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
            command.env(name, "/nonexistent");
        }
        ended(command)
    };
    let out = folder().join("run");
    blind(&training(faces(), &out, &[])).failed(1, &["no GPU", "driver"]);
    assert!(!out.exists());
    let attack =
        ["attack", "--model", crate::workshop::model().to_str().unwrap(), "--method", "pgd", "--out"];
    let mut attack: Vec<std::ffi::OsString> = attack.map(Into::into).to_vec();
    attack.push((&out).into());
    blind(&attack).failed(1, &["no GPU", "driver"]);
    assert!(!out.exists());
    let list = blind(&["devices".into()]);
    assert!(list.done().contains("no GPU that can train"));
    assert_eq!(blind(&["devices".into(), "--json".into()]).json(), serde_json::json!([]));
}
