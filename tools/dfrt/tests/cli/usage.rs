//! Help, exit codes of wrong usage, and what becomes of results that nobody reads.

use crate::dfrt;
use crate::workshop::{self, ended, folder, gpu, plain, program};
use libtest_mimic::Trial;
use std::process::Stdio;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("usage/every_command_helps_with_an_example", every_command_helps_with_an_example),
        plain("usage/the_overview_lists_every_command", the_overview_lists_every_command),
        plain("usage/wrong_usage_is_exit_2", wrong_usage_is_exit_2),
        plain("usage/shared_options_are_the_same_everywhere", shared_options_are_the_same_everywhere),
        plain("usage/wrong_values_say_what_is_allowed", wrong_values_say_what_is_allowed),
        plain("usage/the_old_spelling_of_bench", the_old_spelling_of_bench),
        plain("usage/options_that_exclude_each_other", options_that_exclude_each_other),
        plain("usage/names_that_are_not_unicode", names_that_are_not_unicode),
        plain("usage/a_reader_that_goes_away", a_reader_that_goes_away),
        plain("usage/what_is_out_of_range_is_wrong_usage", what_is_out_of_range_is_wrong_usage),
        plain("usage/nowhere_to_write_is_told_before_the_work", nowhere_to_write_is_told_before_the_work),
        #[cfg(target_os = "linux")]
        plain("usage/full_disks_behind_the_streams", full_disks_behind_the_streams),
        gpu("usage/a_drivers_layers_are_silent", a_drivers_layers_are_silent),
    ]
}

const COMMANDS: [&str; 15] = [
    "devices", "data", "train", "import", "export", "inspect", "eval", "attack", "corrupt", "explain",
    "verify", "bench", "report", "study", "selftest",
];

/// The commands that have commands of their own.
const BELOW: [(&str, &[&str]); 2] = [
    ("data", &["synth", "forge", "index", "join", "extract", "faces", "audit"]),
    ("bench", &["model", "train", "device", "loading"]),
];

fn every_command_helps_with_an_example() {
    let mut commands: Vec<Vec<&str>> = COMMANDS.map(|name| vec![name]).to_vec();
    commands.extend(BELOW.iter().flat_map(|(command, below)| below.iter().map(|name| vec![*command, *name])));
    for mut command in commands {
        let name = format!("dfrt {}", command.join(" "));
        for word in ["--help", "-h", "help"] {
            command.push(word);
            let arguments: Vec<_> = command.iter().map(std::ffi::OsString::from).collect();
            let help = workshop::run(&arguments).done();
            command.pop();
            assert!(help.starts_with(&format!("Usage: {name}")), "{help}");
            assert!(help.contains(&format!("Examples:\n  {name}")), "{help}");
            assert!(!help.contains("{{") && !help.contains("command_name"), "{help}");
        }
    }
}

fn the_overview_lists_every_command() {
    let help = dfrt!["--help"].done();
    for command in COMMANDS {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in {help}");
    }
    for (command, below) in BELOW {
        let help = dfrt![command, "--help"].done();
        assert!(below.iter().all(|name| help.contains(&format!("\n  {name} "))), "{help}");
        dfrt![command].failed(2, &["subcommands", below[0], &format!("`dfrt {command} --help`")]);
        dfrt![command, "frobnicate"].failed(2, &["frobnicate", &format!("`dfrt {command} --help`")]);
    }
    assert_eq!(dfrt!["--version"].done().trim(), concat!("dfrt ", env!("CARGO_PKG_VERSION")));
}

/// Mesa's device-select layer prints errors of its own where there is no session.
fn a_drivers_layers_are_silent() {
    for session in [None, Some(folder())] {
        let mut devices = program();
        devices.args(["devices", "--json"]).env_remove("XDG_RUNTIME_DIR").env_remove("NODEVICE_SELECT");
        devices.envs(session.iter().map(|folder| ("XDG_RUNTIME_DIR", folder)));
        let ran = ended(devices);
        assert!(ran.err.lines().all(|line| line.starts_with("warning: ")), "{session:?}: {ran:?}");
        assert!(ran.json().as_array().is_some_and(|devices| !devices.is_empty()));
    }
}

fn wrong_usage_is_exit_2() {
    dfrt![].failed(2, &["no command", "dfrt --help"]);
    dfrt!["frobnicate"].failed(2, &["frobnicate", "`dfrt --help`"]);
    dfrt!["data", "frobnicate"].failed(2, &["frobnicate"]);
    dfrt!["eval"].failed(2, &["--model", "`dfrt eval --help`"]);
    dfrt!["data", "synth"].failed(2, &["--out", "`dfrt data synth --help`"]);
    dfrt!["eval", "--model", "m.onnx", "--frobnicate"].failed(2, &["--frobnicate", "`dfrt eval --help`"]);
    dfrt!["eval", "--model"].failed(2, &["--model"]);
    dfrt!["eval", "--model", "m.onnx", "--limit", "some"].failed(2, &["--limit", "some"]);
    dfrt!["eval", "--model", "m.onnx", "--split", "exam"].failed(2, &["exam", "train, val, test"]);
    dfrt!["attack", "--model", "m.onnx"].failed(2, &["--method"]);
    dfrt!["attack", "--model", "m.onnx", "--method", "magic"].failed(2, &["magic", "square"]);
    dfrt!["attack", "--model", "m", "--method", "square", "--norm", "l7"].failed(2, &["l7", "linf"]);
    let out = folder().join("run");
    dfrt!["train", "--out", &out].failed(2, &["--data"]);
    let train = |option: &str, value: &str| dfrt!["train", "--data", "d", "--out", &out, option, value];
    train("--balance", "magic").failed(2, &["magic", "sampling"]);
    train("--optimizer", "magic").failed(2, &["--optimizer magic", "\"adamw\" or \"sgd\""]);
    assert!(!out.exists());
}

/// An option that several commands share is one: the same text, type and refusal.
fn shared_options_are_the_same_everywhere() {
    let help = |command: &str| {
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).map(std::ffi::OsString::from).collect();
        workshop::run(&arguments).done().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let everywhere = |text: &str, commands: &[&str]| {
        for command in commands {
            assert!(help(command).contains(text), "{text:?} is not in the help of {command}");
        }
    };
    let all = ["data synth", "data audit", "train", "import", "eval", "attack", "bench loading", "study"];
    everywhere("--json print the result as JSON", &all);
    everywhere("--force replace earlier results", &all);
    everywhere(
        "--threads threads (default: one per processor)",
        &["data audit", "eval", "attack", "bench loading"],
    );
    everywhere(
        "--range file of another program: the values of black and white in its input, 0-1, 0-255 or -1-1",
        &["eval", "attack", "corrupt", "inspect", "bench model"],
    );
    everywhere("--taps gr: the features.i whose outputs are perturbed (default 0,1,2)", &["train", "study"]);
    for command in
        ["eval --model m", "attack --model m --method square", "data audit d", "bench loading --data d"]
    {
        let arguments: Vec<_> = command.split(' ').chain(["--threads", "0"]).map(Into::into).collect();
        workshop::run(&arguments).failed(2, &["--threads 0: give a whole number, 1 or more"]);
    }
}

/// What is wrong is told with the option, the value and what is allowed, before anything is read.
fn wrong_values_say_what_is_allowed() {
    for (line, words) in [
        ("attack --model m --method square --eps 2,much", &["--eps 2,much: \"much\"", "1,2,4,8"][..]),
        ("attack --model m --method square --eps 17/256", &["--eps 17/256", "8/255"]),
        ("attack --model m --method square --goal far", &["--goal far", "nearest, inside"]),
        ("attack --model m --method square --schedule s", &["--schedule s", "rescaled"]),
        ("attack --model m --method square --time-budget long", &["--time-budget long", "90s, 30m or 2h"]),
        ("attack --model m --method square --threshold half", &["--threshold half", "p:0.6", "auto:val.csv"]),
        ("attack --model m --method square --mean 1,2", &["--mean 1,2", "three numbers"]),
        ("corrupt --model m --only jpeg,fog", &["--only jpeg,fog", "\"fog\"", "pixelate"]),
        ("train --out o --taps 0,first", &["--taps 0,first: \"first\"", "0,1,2"]),
        ("train --out o --batch few", &["--batch few", "1 or more, or auto"]),
        ("train --out o --arch resnet", &["--arch resnet", "efficientnet-lite0"]),
        ("train --out o --method magic", &["--method magic", "baseline, compute-matched, gr"]),
        ("train --out o --padding odd", &["--padding odd", "static-same"]),
        ("train --out o --subset-weights a=1,b", &["--subset-weights a=1,b", "\"b\"", "swap=2"]),
        ("import f --out o --family keras", &["--family keras", "tf-ap"]),
        ("import f --out o --arch resnet", &["--arch resnet", "efficientnet-lite0"]),
        ("export r --out o --names keras", &["--names keras", "torchvision"]),
        ("study --out o --seeds 0,x", &["--seeds 0,x: \"x\"", "0,1,2"]),
        ("study --out o --attacks pgd,magic", &["--attacks pgd,magic", "\"magic\"", "square"]),
        (
            "study --out o --arms baseline,magic",
            &["--arms baseline,magic", "`magic`", "baseline, compute-matched, gr"],
        ),
        ("data index d --out o --layout magic", &["--layout magic", "auto", "faceforensics"]),
        ("data extract d --out o --layout magic", &["--layout magic", "auto", "faceforensics"]),
        ("data extract d --out o --format gif", &["--format gif", "png or jpg"]),
        ("data extract d --out o --untagged bt2020", &["--untagged bt2020", "bt601, bt709, size"]),
        ("data forge p --out o --method magic", &["--method magic", "sbi or swap"]),
        ("data forge p --out o --method swap --split 60,40", &["--split 60,40", "three shares"]),
        ("bench train --method magic", &["--method magic", "input-gradient"]),
        ("bench loading --data d --fakes magic", &["--fakes magic", "files or sbi"]),
    ] {
        let arguments: Vec<_> = line.split(' ').map(Into::into).collect();
        workshop::run(&arguments).failed(2, words);
    }
}

fn the_old_spelling_of_bench() {
    let spelled = |line: &str, new: &str| {
        let arguments: Vec<_> = line.split(' ').map(Into::into).collect();
        let ran = workshop::run(&arguments);
        assert_eq!(ran.code, Some(1), "the file is not there: {ran:?}");
        let notes: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("note: ")).collect();
        assert_eq!(notes, [format!("note: this is now spelled `dfrt {new}`")], "{ran:?}");
        ran.failed(1, &["nowhere"]);
    };
    spelled("bench --model nowhere.onnx --runs 2", "bench model --model nowhere.onnx --runs 2");
    spelled("bench --runs 2 --model nowhere.onnx", "bench model --runs 2 --model nowhere.onnx");
    spelled("bench --data nowhere --loading --json", "bench loading --data nowhere --json");
    let ran = dfrt!["bench", "--model", workshop::model(), "--runs", "1", "--json"];
    assert!(ran.err.starts_with("note: this is now spelled `dfrt bench model --model "), "{ran:?}");
    assert_eq!(ran.json()["runs"], 1);
    assert!(!dfrt!["bench", "model", "--model", workshop::model(), "--runs", "1"].err.contains("spelled"));
    dfrt!["bench", "--train", "--arch", "resnet"].failed(2, &["resnet", "`dfrt bench train --help`"]);
    dfrt!["bench", "--ceilings", "--res", "64"].failed(2, &["--res", "`dfrt bench device --help`"]);
    dfrt!["bench", "--runs", "2"].failed(2, &["name what to time", "`dfrt bench --help`"]);
    dfrt!["bench", "--train", "--model", "m"].failed(2, &["--model and --train exclude each other"]);
    assert!(dfrt!["bench", "--train", "--help"].done().starts_with("Usage: dfrt bench train "));
}

fn options_that_exclude_each_other() {
    let both = ["exclude each other"];
    dfrt!["attack", "--model", "m", "--method", "square", "--resume", "--force"].failed(2, &both);
    dfrt!["attack", "--model", "m", "--method", "square", "--tape", "t", "--replay", "t"].failed(2, &both);
    dfrt!["train", "--data", "d", "--out", "r", "--resume", "--force"].failed(2, &both);
    dfrt!["train", "--data", "d", "--out", "r", "--flip", "--no-flip"].failed(2, &both);
}

fn what_is_out_of_range_is_wrong_usage() {
    let out = folder().join("out");
    let out = out.to_str().unwrap();
    for line in [
        "attack --model m --method square --eps 0.5",
        "attack --model m --method square --eps 300",
        "attack --model m --method square --norm l2 --eps -1",
        "attack --model m --method square --queries 0",
        "attack --model m --method square --limit 0",
        "attack --model m --method square --threads 0",
        "attack --model m --method rays --norm l2",
        "attack --model m --method boundary",
        "attack --model m --method pgd --tape t",
        "attack --model m --method square --eps 1,2 --tape t",
        "attack --model m --method square --resume --force",
        "train --data d --out OUT --resume --force",
        "train --data d --out OUT --res 33",
        "train --data d --out OUT --epochs 0",
        "study --data d --out OUT --resume --force",
        "study --data d --out OUT --seeds 1,1",
        "study --data d --out OUT --attacks magic",
        "study --data d --out OUT --attack-limit 1",
        "study --data d --out OUT --eps 0.5",
        "study --data d --out OUT --norm l2 --eps 300",
        "data extract d --out OUT --resume --force",
        "data extract d --out OUT --size 9",
        "data extract d --out OUT --frames 0",
        "data synth --out OUT --size 9",
        "data synth --out OUT --count 3",
        "data forge d --method swap --out OUT --size 9",
        "data forge d --method swap --out OUT --per-photo 0",
        "data index d --subset s --out OUT",
        "data join --out OUT",
        "data audit d --limit 1",
        "data audit d --threads 0",
        "eval --model m --limit 0",
        "eval --model m --threads 0",
        "corrupt --model m --limit 0",
        "corrupt --model m --threads 0",
        "explain --model m --limit 1",
        "explain --model m --eps 0.5",
        "bench model --model m --runs 0",
        "bench model --model m --batch 0",
        "bench loading --data d --res 33",
        "bench train --res 33",
        "export d --out OUT.onnx --batch 0",
        "import d --out OUT --threshold NaN",
        "selftest --only frobnicate",
    ] {
        let arguments: Vec<_> = line.split(' ').map(|word| word.replace("OUT", out).into()).collect();
        let ran = workshop::run(&arguments);
        assert_eq!(ran.code, Some(2), "{line}: {ran:?}");
        ran.failed(2, &[]);
    }
    assert!(!std::path::Path::new(out).exists());
}

fn nowhere_to_write_is_told_before_the_work() {
    let file = folder().join("file");
    std::fs::write(&file, "mine").unwrap();
    let below = |name: &str| file.join(name);
    // Nothing of it is there: whoever looked at the data or the model first would say so.
    dfrt!["eval", "--model", "m", "--out", below("eval.json")].failed(1, &["eval.json", "--out"]);
    dfrt!["bench", "model", "--model", "m", "--out", below("b.json")].failed(1, &["b.json", "--out"]);
    dfrt!["attack", "--model", workshop::model(), "--method", "square", "--data", "d", "--out", below("a")]
        .failed(1, &["file/a", "--out"]);
    dfrt!["corrupt", "--model", workshop::model(), "--data", "d", "--out", below("c")]
        .failed(1, &["file/c", "--out"]);
    dfrt!["explain", "--model", workshop::model(), "--data", "d", "--out", below("e")]
        .failed(1, &["file/e", "--out"]);
    dfrt!["train", "--data", "d", "--out", below("t")].failed(1, &["file/t", "--out"]);
    dfrt!["study", "--data", "d", "--out", below("s")].failed(1, &["file/s", "--out"]);
    dfrt!["data", "extract", "d", "--out", below("x")].failed(1, &["file/x", "--out"]);
    dfrt!["data", "forge", "d", "--method", "swap", "--out", below("f")].failed(1, &["file/f", "--out"]);
    dfrt!["data", "index", "d", "--out", below("i.csv")].failed(1, &["i.csv", "--out"]);
}

#[cfg(target_os = "linux")]
fn full_disks_behind_the_streams() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = program();
    command.args(["--help"]).stdout(full());
    let ran = workshop::ended(command);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("error: standard output: cannot be written"), "{ran:?}");
    assert!(ran.err.contains("No space left"), "{ran:?}");
    let mut command = program();
    command.args(["eval", "--model", "m", "--limit", "some"]).stderr(full());
    assert_eq!(workshop::ended(command).code, Some(2), "nobody hears it, but it is wrong usage");
}

#[cfg(unix)]
fn names_that_are_not_unicode() {
    use std::os::unix::ffi::OsStringExt;
    let name = std::ffi::OsString::from_vec(b"mod\xffel.onnx".to_vec());
    dfrt!["eval", "--model", name].failed(2, &["UTF-8"]);
}

#[cfg(not(unix))]
fn names_that_are_not_unicode() {}

fn a_reader_that_goes_away() {
    let mut command = program();
    let mut child = command.arg("--help").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
}
