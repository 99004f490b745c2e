//! `dfrt corrupt`.

use crate::dfrt;
use crate::workshop::{bytes, folder, json, model, plain};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        plain("corrupt/every_corruption_and_level", every_corruption_and_level),
        plain("corrupt/earlier_results_stay", earlier_results_stay),
    ]
}

fn every_corruption_and_level() {
    let out = folder().join("corrupt");
    let report = dfrt!["corrupt", "--model", model(), "--out", &out, "--json"].json();
    let kinds = report["corruptions"].as_array().unwrap();
    let names: Vec<&str> = kinds.iter().map(|kind| kind["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["jpeg", "gaussian-noise", "gaussian-blur", "pixelate", "contrast", "resize"]);
    for kind in kinds {
        let levels = kind["levels"].as_array().unwrap();
        assert_eq!(levels.len(), 5);
        for level in levels {
            let [low, value, high] =
                ["low", "value", "high"].map(|part| level["metrics"]["accuracy"][part].as_f64().unwrap());
            assert!(low <= value && value <= high, "{level}");
        }
    }
    let eval = dfrt!["eval", "--model", model(), "--json"].json();
    assert_eq!(report["clean"], eval["metrics"], "level 0 is what eval measures");
    assert_eq!(json(out.join("corrupt.json")), report);
    let table = String::from_utf8(bytes(out.join("corrupt.csv"))).unwrap();
    assert_eq!(table.lines().count(), 1 + 1 + 30);
    for plot in ["accuracy.png", "auc.png", "levels.png"] {
        assert!(out.join("plots").join(plot).is_file(), "{plot}");
    }
}

fn earlier_results_stay() {
    let out = folder().join("corrupt");
    let run = |only: &str, more: &str| {
        dfrt!["corrupt", "--model", model(), "--out", &out, "--limit", "4", "--only", only, more]
    };
    let report = run("jpeg,contrast", "--json").json();
    assert_eq!(report["corruptions"].as_array().unwrap().len(), 2);
    let before = bytes(out.join("corrupt.json"));
    run("resize", "--json").failed(1, &["holds results already", "--force"]);
    assert_eq!(bytes(out.join("corrupt.json")), before);
    let words = run("resize", "--force").done();
    assert!(words.contains("resize: accuracy") && !words.contains("jpeg"), "{words}");
    assert_ne!(bytes(out.join("corrupt.json")), before);
    let seeded = |seed: &str| {
        dfrt![
            "corrupt",
            "--model",
            model(),
            "--out",
            folder().join("c"),
            "--limit",
            "8",
            "--only",
            "gaussian-noise",
            "--seed",
            seed,
            "--json"
        ]
        .json()["corruptions"]
            .clone()
    };
    assert_eq!(seeded("1"), seeded("1"));
}
