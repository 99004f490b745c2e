//! The figures and verdicts of a report as LaTeX tables for the booktabs package, each a `tabular`
//! that a paper puts into a `table` of its own: figures.tex and verdicts.tex.

use super::numbers::{difference, p_value};
use super::page::subject;
use super::verdict::is_share;
use crate::results::figure::ArmFigure;
use crate::results::study::{Comparison, Report};
use std::fmt::Write;

/// The files that have content: name and content.
pub fn latex_files(report: &Report) -> Vec<(&'static str, Vec<u8>)> {
    let mut files = Vec::new();
    if !report.figures.is_empty() {
        files.push(("figures.tex", figures(report).into_bytes()));
    }
    if !report.comparisons.is_empty() {
        files.push(("verdicts.tex", verdicts(report).into_bytes()));
    }
    files
}

const TOLD: [&str; 4] = ["auc", "accuracy", "robust_accuracy", "worst_case"];

fn tabular(columns: &str, header: &[String], rows: &[Vec<String>]) -> String {
    let mut out = String::from("% \\usepackage{booktabs}\n");
    let line = |cells: &[String]| format!("{} \\\\\n", cells.join(" & "));
    let _ = write!(out, "\\begin{{tabular}}{{{columns}}}\n\\toprule\n{}\\midrule\n", line(header));
    rows.iter().for_each(|row| out.push_str(&line(row)));
    out.push_str("\\bottomrule\n\\end{tabular}\n");
    out
}

/// A row for each figure, a column for each arm; below each figure its interval in small print.
fn figures(report: &Report) -> String {
    let names = report.names();
    let mut metrics: Vec<&ArmFigure> = Vec::new();
    for figure in report.figures.iter().filter(|figure| TOLD.contains(&figure.figure.as_str())) {
        if !metrics.iter().any(|other| other.metric() == figure.metric()) {
            metrics.push(figure);
        }
    }
    let mut header = vec!["Figure".to_owned()];
    header.extend(names.iter().map(|name| escaped(name)));
    let row = |metric: &&ArmFigure| {
        let mut cells = vec![escaped(&title(metric))];
        cells.extend(names.iter().map(|name| {
            let found = report.figures.iter().find(|one| one.arm == *name && one.metric() == metric.metric());
            found.map_or_else(|| "--".to_owned(), value)
        }));
        cells
    };
    let rows: Vec<Vec<String>> = metrics.iter().map(row).collect();
    tabular(&format!("l{}", "r".repeat(names.len())), &header, &rows)
}

fn title(figure: &ArmFigure) -> String {
    match (figure.figure.as_str(), &figure.attack) {
        ("worst_case", Some(attack)) => format!("Worst case, {attack} (%)"),
        _ if is_share(&figure.figure) => format!("{} (%)", subject(&figure.metric())),
        _ => subject(&figure.metric()),
    }
}

fn value(figure: &ArmFigure) -> String {
    let write = |value: f64| match is_share(&figure.figure) {
        true => format!("{:.1}", 100.0 * value),
        false => format!("{value:.3}"),
    };
    let [mean, low, high] = [figure.mean, figure.low, figure.high].map(write);
    format!("{mean} {{\\small [{low}, {high}]}}")
}

/// A row for each comparison.
fn verdicts(report: &Report) -> String {
    let header = [
        "Figure",
        "Arm",
        "Against",
        "Difference",
        "95\\,\\% interval",
        "$p$ (Holm)",
        "$P$(higher)",
        "Verdict",
    ];
    let row = |one: &Comparison| {
        let points = is_share(&one.metric);
        let write = |value: f64| format!("${}$", difference(value, points).replace('−', "-"));
        let improvement = one.probability_of_improvement;
        let words = one.words.as_deref().unwrap_or(&one.verdict);
        vec![
            escaped(&subject(&one.metric)),
            escaped(&one.arm),
            escaped(&one.against),
            write(one.difference),
            format!("[{}, {}]", write(one.low), write(one.high)),
            one.p_holm.or(one.p).map_or_else(|| "--".to_owned(), |p| format!("${}$", p_value(p))),
            improvement.map_or_else(|| "--".to_owned(), |share| format!("{:.2}", share.value)),
            escaped(words.split(';').next().unwrap_or(words)),
        ]
    };
    let rows: Vec<Vec<String>> = report.comparisons.iter().map(row).collect();
    tabular("lllrrrrl", &header.map(str::to_owned), &rows)
}

/// Text with what LaTeX reads as commands escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(character);
            }
            '\\' => out.push_str("\\textbackslash{}"),
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '<' => out.push_str("$<$"),
            '>' => out.push_str("$>$"),
            '−' => out.push_str("$-$"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_become_commands() {
        assert_eq!(escaped("a_b & 5 % \\x −1"), "a\\_b \\& 5 \\% \\textbackslash{}x $-$1");
    }
}
