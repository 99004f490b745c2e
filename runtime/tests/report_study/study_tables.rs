//! The tables of a study as a whole: mismatch matrix, cost, checklist, and the files for a paper.

use super::opening::trained;
use super::{Study, study};
use dfrt_runtime::report::figures::figures;
use dfrt_runtime::report::page::{Mark, Page, Table};
use dfrt_runtime::report::write;
use dfrt_runtime::results::transfer::{Row, Transfer};

fn table(study: &Study, name: &str) -> Table {
    let page = Page::of(&study.report, &study.extras);
    let found = page.tables.into_iter().find(|table| table.name == name);
    found.unwrap_or_else(|| panic!("{name} is a table of the page"))
}

/// Every arm judges the pictures of every arm of its seed.
fn judged(study: &mut Study) {
    let runs: Vec<(String, u64)> = study.report.arms.iter().map(|arm| (arm.run.clone(), arm.seed)).collect();
    for (place, arm) in study.report.arms.iter_mut().enumerate() {
        let sources = runs.iter().enumerate().filter(|(_, (_, seed))| *seed == arm.seed);
        let row = |(source, (run, _)): (usize, &(String, u64))| Row {
            source: run.clone(),
            source_sha256: String::new(),
            attack: "pgd-linf-8".into(),
            n: 200,
            n_clean_correct: 180,
            // White box 10 and 12 at the two seeds, across 150.
            n_right: if source == place { 10 + 2 * arm.seed as usize } else { 150 },
            right: Vec::new(),
        };
        arm.transfer =
            Some(Transfer { model_sha256: String::new(), threshold: 0.0, rows: sources.map(row).collect() });
    }
}

#[test]
fn the_matrix_has_the_mean_over_seeds_and_marks_the_white_box() {
    let mut study = study("matrix", 2);
    judged(&mut study);
    let table = table(&study, "transfer-pgd-linf-8");
    assert!(table.title.ends_with("pgd linf 8/255"), "{}", table.title);
    let titles: Vec<&str> = table.columns.iter().map(|column| column.title.as_str()).collect();
    assert_eq!(titles, ["Made on", "Judged by baseline", "Judged by gr"]);
    let texts = |row: usize| table.rows[row].iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>();
    assert_eq!(texts(0), ["baseline", "5.5 %", "75.0 %"]);
    assert_eq!(texts(1), ["gr", "75.0 %", "5.5 %"]);
    assert_eq!(table.rows[0][1].detail.as_deref(), Some("of 400, white box"));
    assert_eq!(table.rows[0][2].mark, Mark::Share { percent: 75, own: false });
    write(&study.dir, &study.report, &study.extras).unwrap();
    let html = std::fs::read_to_string(study.dir.join("report.html")).unwrap();
    assert_eq!(html.matches("class=\"number share own\"").count(), 2);
}

#[test]
fn cost_is_relative_to_the_baseline_of_the_same_seed() {
    let mut study = study("cost", 2);
    trained(&mut study.report, [100.0, 40.0]);
    let table = table(&study, "cost");
    let texts: Vec<Vec<&str>> =
        table.rows.iter().map(|row| row.iter().map(|cell| cell.text.as_str()).collect()).collect();
    assert_eq!(texts[0][..4], ["baseline", "auc", "100.5", "1"]);
    // (100 / 40 + 101 / 41) / 2
    assert_eq!(texts[1][..4], ["gr", "auc", "40.5", "2.48"]);
    assert_eq!(table.rows[1][3].detail.as_deref(), Some("2.46 to 2.50"));
    assert_eq!(texts[1][4..], ["120", "10", "7"]);
}

#[test]
fn the_checklist_says_what_is_missing_and_what_is_there() {
    let mut study = study("checklist", 1);
    let answer = |study: &Study, question: &str| {
        let table = table(study, "checklist");
        let row = table.rows.into_iter().find(|row| row[0].text.contains(question));
        let row = row.unwrap_or_else(|| panic!("{question} is asked"));
        (row[1].text.clone(), row[2].text.clone())
    };
    assert_eq!(answer(&study, "Three seeds").0, "no");
    assert!(answer(&study, "Three seeds").1.contains("these trained models only"));
    assert_eq!(answer(&study, "Thirty people").0, "yes");
    assert!(answer(&study, "Thirty people").1.contains("of 60 people"));
    assert_eq!(answer(&study, "equal compute").0, "no");
    assert_eq!(answer(&study, "many steps"), ("yes".into(), "pgd and square".into()));
    assert_eq!(answer(&study, "needs no gradient"), ("yes".into(), "square".into()));
    assert_eq!(answer(&study, "checks on the attacks"), ("no".into(), "failed: pgd linf 8/255".into()));
    assert_eq!(answer(&study, "Several radii").0, "no");
    assert_eq!(answer(&study, "complete").0, "yes");
    study.report.missing = vec!["gr, seed 1: train".into(), "gr, seed 1: evaluate".into()];
    assert_eq!(answer(&study, "complete"), ("no".into(), "2 units of work missing".into()));
}

#[test]
fn figures_and_verdicts_are_written_for_a_paper() {
    let mut study = study("paper", 3);
    study.report.figures = figures(&study.report, &study.extras, 0).unwrap();
    write(&study.dir, &study.report, &study.extras).unwrap();
    let read = |name: &str| std::fs::read_to_string(study.dir.join(name)).unwrap();
    let worst = study.report.figures.iter().find(|one| one.figure == "worst_case").unwrap();
    let tex = read("figures.tex");
    assert!(tex.contains("Worst case, linf 8/255 (\\%)"), "{tex}");
    let cell = format!(
        "{:.1} {{\\small [{:.1}, {:.1}]}}",
        100.0 * worst.mean,
        100.0 * worst.low,
        100.0 * worst.high
    );
    assert!(tex.contains(&cell), "{cell} in {tex}");
    for (name, columns, rows) in [("figures.tex", 3, 7), ("verdicts.tex", 8, 6)] {
        let tex = read(name);
        let lines: Vec<&str> = tex.lines().filter(|line| line.ends_with("\\\\")).collect();
        assert_eq!(lines.len(), rows + 1, "{name}: {tex}");
        assert!(lines.iter().all(|line| line.matches(" & ").count() == columns - 1), "{name}: {tex}");
        for command in ["\\begin{tabular}", "\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"] {
            assert_eq!(tex.matches(command).count(), 1, "{command} in {name}");
        }
    }
    let mut csv = csv::Reader::from_path(study.dir.join("figures.csv")).unwrap();
    let lines: Vec<csv::StringRecord> = csv.records().collect::<Result<_, _>>().unwrap();
    let expected: usize = study.report.figures.iter().map(|figure| 1 + figure.seeds.len()).sum();
    assert_eq!(lines.len(), expected);
    assert!(lines.iter().any(|line| line[1] == *"worst_case" && line[7] == worst.mean.to_string()));
}
