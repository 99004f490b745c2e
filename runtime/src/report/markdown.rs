//! report.md: the page as Markdown, with links to the plots' files.

use super::escape::escaped;
use super::page::{Cell, Mark, Page, Statement, Table};
use super::plots::Plot;
use std::fmt::Write;

/// The page as GitHub-flavoured Markdown; plots are linked as `plots/<file>`.
pub fn markdown(page: &Page, plots: &[Plot]) -> String {
    let mut out = format!("# Robustness report\n\n**{}**\n", escaped(&page.question));
    for note in &page.opening.notes {
        let _ = write!(out, "\n> {}\n", escaped(note));
    }
    for sentence in &page.opening.sentences {
        let _ = write!(out, "\n{}\n", escaped(sentence));
    }
    let (drawn, plots): (Vec<&Plot>, Vec<&Plot>) = plots.iter().partition(|plot| plot.drawing.is_some());
    for (plot, drawing) in drawn.iter().filter_map(|plot| Some((plot, plot.drawing.as_ref()?))) {
        picture(&mut out, plot);
        table_content(&mut out, &drawing.numbers);
    }
    let _ = write!(out, "\n{}\n", escaped(&page.basis));
    list(
        &mut out,
        "Warnings",
        page.warnings.iter().map(|line| format!("**UNRELIABLE or incomplete:** {}", escaped(line))),
    );
    answers(&mut out, page);
    if let Some(why) = &page.why {
        let _ = write!(out, "\n## Why\n\n{}\n\n", escaped(&why.basis));
        for Statement { supported, text } in why.conclusions.iter().chain(&why.details) {
            let mark = if *supported { "supported" } else { "not supported" };
            let _ = writeln!(out, "- *{mark}*: {}", escaped(text));
        }
    }
    for table in &page.tables {
        set_table(&mut out, table);
    }
    if !plots.is_empty() {
        out.push_str("\n## Plots\n");
        for plot in plots {
            picture(&mut out, plot);
        }
    }
    list(&mut out, "What these figures cannot say", page.caveats.iter().map(|line| escaped(line)));
    list(&mut out, "Not shown", page.missing.iter().map(|line| escaped(line)));
    let _ = write!(out, "\n## How to make this again\n\n```sh\n{}\n```\n", page.reproduce.join("\n"));
    let _ = write!(out, "\n## Configuration\n\n```json\n{}\n```\n", page.config);
    let _ = write!(out, "\n## Environment\n\n```json\n{}\n```\n", page.environment);
    out
}

fn picture(out: &mut String, plot: &Plot) {
    let (title, caption) = (escaped(&plot.title), escaped(&plot.caption));
    let _ = write!(out, "\n![{title}](plots/{})\n\n{caption}\n", plot.file);
}

fn list(out: &mut String, title: &str, lines: impl ExactSizeIterator<Item = String>) {
    if lines.len() == 0 {
        return;
    }
    let _ = write!(out, "\n## {title}\n\n");
    for line in lines {
        let _ = writeln!(out, "- {line}");
    }
}

fn answers(out: &mut String, page: &Page) {
    out.push_str("\n## In short\n\n");
    if page.answers.is_empty() {
        out.push_str("Nothing was compared: there is no second way of training with a seed in common.\n");
    }
    for headline in &page.headlines {
        let _ = writeln!(out, "{}\n", escaped(headline));
    }
    for answer in &page.answers {
        let _ = writeln!(
            out,
            "- {}: **{}** ({})",
            escaped(&answer.subject),
            escaped(&answer.verdict),
            escaped(&answer.reason)
        );
    }
}

fn set_table(out: &mut String, table: &Table) {
    let _ = write!(out, "\n## {}\n", escaped(&table.title));
    table_content(out, table);
}

fn table_content(out: &mut String, table: &Table) {
    let _ = write!(out, "\n{}\n\n", escaped(&table.note));
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&row(table.columns.iter().map(|column| escaped(&column.title)).collect()));
    let rule = |numeric: bool| if numeric { "---:" } else { "---" }.to_owned();
    out.push_str(&row(table.columns.iter().map(|column| rule(column.numeric)).collect()));
    for cells in &table.rows {
        out.push_str(&row(cells.iter().map(cell).collect()));
    }
}

fn cell(cell: &Cell) -> String {
    let text = match cell.mark {
        Mark::Unreliable | Mark::Share { own: true, .. } => format!("**{}**", escaped(&cell.text)),
        _ => escaped(&cell.text),
    };
    match &cell.detail {
        Some(detail) => format!("{text} ({})", escaped(detail)),
        None => text,
    }
}
