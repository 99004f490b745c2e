//! report.html: the page as one file that needs no network and no script. Plots
//! and pictures are embedded; colours follow the reader's light or dark setting.

mod embedded;
mod views;

use super::examples::{Gallery, GalleryRow};
use super::extras::ModelViews;
use super::numbers::{count, logit};
use super::page::{Cell, Column, Mark, Opening, Page, Statement, Table, Why};
use super::plots::{Drawing, Plot};
use super::svg::{self, escaped};
use embedded::embedded;
use std::fmt::Write;

/// Plots wider than this get the full width of the page.
const WIDE: u32 = 1150;
const STYLE: &str = include_str!("report.css");

/// The document.
pub fn html(page: &Page, plots: &[Plot], galleries: &[Gallery], views: &[ModelViews]) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    let _ = write!(
        out,
        "<title>Robustness report</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n<main>\n",
        svg::STYLE
    );
    let _ = writeln!(out, "<h1>Robustness report</h1>");
    let _ = writeln!(out, "<p class=\"question\">{}</p>", escaped(&page.question));
    let (drawn, plots): (Vec<&Plot>, Vec<&Plot>) = plots.iter().partition(|plot| plot.drawing.is_some());
    opening(&mut out, &page.opening, &drawn);
    let _ = writeln!(out, "<p class=\"soft\">{}</p>", escaped(&page.basis));
    warnings(&mut out, &page.warnings);
    answers(&mut out, page);
    why(&mut out, page.why.as_ref());
    let (folded, open): (Vec<&Table>, Vec<&Table>) = page.tables.iter().partition(|table| table.folded);
    open.into_iter().for_each(|table| section(&mut out, table));
    plot_section(&mut out, &plots);
    gallery_section(&mut out, galleries);
    if let Some(why) = &page.why {
        views::section(&mut out, views, &why.attack);
    }
    list(&mut out, "caveats", "What these figures cannot say", &page.caveats);
    list(&mut out, "missing", "Not shown", &page.missing);
    folded.into_iter().for_each(|table| section(&mut out, table));
    let _ = write!(
        out,
        "<h2 id=\"reproduce\">How to make this again</h2>\n<pre>{}</pre>\n",
        escaped(&page.reproduce.join("\n"))
    );
    for (id, title, text) in
        [("config", "Configuration", &page.config), ("environment", "Environment", &page.environment)]
    {
        let _ = write!(
            out,
            "<details class=\"section\" id=\"{id}\"><summary>{title}</summary>\n<pre>{}</pre>\n</details>\n",
            escaped(text)
        );
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn opening(out: &mut String, opening: &Opening, plots: &[&Plot]) {
    for note in &opening.notes {
        let _ = writeln!(out, "<p class=\"remark\">{}</p>", escaped(note));
    }
    if !opening.sentences.is_empty() {
        out.push_str("<section class=\"opening\" id=\"answer\" aria-label=\"The answer\">\n");
        for sentence in &opening.sentences {
            let _ = writeln!(out, "<p>{}</p>", escaped(sentence));
        }
        out.push_str("</section>\n");
    }
    let drawings = plots.iter().filter_map(|plot| Some((plot, plot.drawing.as_ref()?)));
    let figures: Vec<String> = drawings.map(|(plot, drawing)| figure(plot, drawing)).collect();
    if !figures.is_empty() {
        let _ = write!(out, "<div class=\"charts\">\n{}</div>\n", figures.concat());
    }
}

/// A drawing with its caption and, folded, its numbers.
fn figure(plot: &Plot, drawing: &Drawing) -> String {
    let mut out = format!(
        "<figure><strong>{}</strong>\n{}<figcaption>{}</figcaption>\n<details><summary>The numbers</summary>\n",
        escaped(&plot.title),
        drawing.svg.inline(),
        escaped(&plot.caption)
    );
    table_content(&mut out, &drawing.numbers);
    out.push_str("</details></figure>\n");
    out
}

fn warnings(out: &mut String, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("<div class=\"alarm\" id=\"warnings\"><strong>Warnings: read before believing a figure</strong>\n<ul>\n");
    for line in lines {
        let _ = writeln!(out, "<li>{}</li>", escaped(line));
    }
    out.push_str("</ul></div>\n");
}

fn answers(out: &mut String, page: &Page) {
    out.push_str("<h2 id=\"answers\">In short</h2>\n");
    if page.answers.is_empty() {
        out.push_str(
            "<p>Nothing was compared: there is no second way of training with a seed in common.</p>\n",
        );
        return;
    }
    for headline in &page.headlines {
        let _ = writeln!(out, "<p>{}</p>", escaped(headline));
    }
    out.push_str("<ul class=\"answers\">\n");
    for answer in &page.answers {
        let _ = writeln!(
            out,
            "<li><span class=\"{}verdict\">{}</span><span>{}<br><span class=\"soft\">{}</span></span></li>",
            class(answer.mark),
            escaped(&answer.verdict),
            escaped(&answer.subject),
            escaped(&answer.reason)
        );
    }
    out.push_str("</ul>\n");
}

fn why(out: &mut String, why: Option<&Why>) {
    let Some(why) = why else { return };
    let _ = writeln!(out, "<h2 id=\"why\">Why</h2>\n<p class=\"note\">{}</p>", escaped(&why.basis));
    statements(out, &why.conclusions);
    if !why.details.is_empty() {
        out.push_str("<details><summary>What the figures say one by one</summary>\n");
        statements(out, &why.details);
        out.push_str("</details>\n");
    }
}

fn statements(out: &mut String, statements: &[Statement]) {
    out.push_str("<ul class=\"answers\">\n");
    for Statement { supported, text } in statements {
        let (class, mark) = if *supported { ("good ", "supported") } else { ("", "not supported") };
        let text = escaped(text);
        let _ = writeln!(out, "<li><span class=\"{class}verdict\">{mark}</span><span>{text}</span></li>");
    }
    out.push_str("</ul>\n");
}

fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Plain | Mark::Share { .. } => "",
        Mark::Good => "good ",
        Mark::Bad => "bad ",
        Mark::Unreliable => "unreliable ",
    }
}

fn section(out: &mut String, table: &Table) {
    let (name, title) = (escaped(&table.name), escaped(&table.title));
    let (open, close) = match table.folded {
        true => {
            (format!("<details class=\"section\" id=\"{name}\"><summary>{title}</summary>\n"), "</details>\n")
        }
        false => (format!("<h2 id=\"{name}\">{title}</h2>\n"), ""),
    };
    out.push_str(&open);
    table_content(out, table);
    out.push_str(close);
}

fn table_content(out: &mut String, table: &Table) {
    let _ = writeln!(out, "<p class=\"note\">{}</p>", escaped(&table.note));
    let _ = write!(
        out,
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\"><table>\n<thead><tr>",
        escaped(&table.title)
    );
    for column in &table.columns {
        let _ = write!(out, "<th{}>{}</th>", side(column), escaped(&column.title));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        out.push_str("<tr>");
        for (column, cell) in table.columns.iter().zip(row) {
            let _ = write!(out, "<td{}>{}</td>", shaded(column, cell), cell_content(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

fn side(column: &Column) -> &'static str {
    if column.numeric { " class=\"number\"" } else { "" }
}

/// The attributes of a cell: the side its content stands at, and of a share how dark it is.
fn shaded(column: &Column, cell: &Cell) -> String {
    match cell.mark {
        Mark::Share { percent, own } => {
            let own = if own { " own" } else { "" };
            format!(" class=\"number share{own}\" style=\"--share: {percent}%\"")
        }
        _ => side(column).to_owned(),
    }
}

fn cell_content(cell: &Cell) -> String {
    let mut text = match cell.mark {
        Mark::Plain | Mark::Share { .. } => escaped(&cell.text),
        mark => format!("<span class=\"{}verdict\">{}</span>", class(mark), escaped(&cell.text)),
    };
    if let Some(detail) = &cell.detail {
        let _ = write!(text, "<small>{}</small>", escaped(detail));
    }
    text
}

fn plot_section(out: &mut String, plots: &[&Plot]) {
    if plots.is_empty() {
        return;
    }
    out.push_str("<h2 id=\"plots\">Plots</h2>\n<div class=\"plots\">\n");
    for plot in plots {
        let _ = writeln!(
            out,
            "<figure{}>{}<figcaption>{}</figcaption></figure>",
            if plot.size.0 > WIDE { " class=\"wide\"" } else { "" },
            embedded(&plot.png, &plot.title, plot.size),
            escaped(&plot.caption)
        );
    }
    out.push_str("</div>\n");
}

fn gallery_section(out: &mut String, galleries: &[Gallery]) {
    if galleries.is_empty() {
        return;
    }
    out.push_str("<h2 id=\"pictures\">Pictures</h2>\n");
    out.push_str("<p class=\"note\">The first seed of every arm, the same pictures for all of them: chosen among those turned over on the first arm, fakes and reals in turn, so they are no fair sample. The third of each shows what was added, amplified around grey.</p>\n");
    for gallery in galleries {
        let _ = write!(
            out,
            "<h3>{}</h3>\n<div class=\"gallery\" style=\"--arms: {}\">\n",
            escaped(&gallery.attack),
            gallery.arms.max(1)
        );
        for row in &gallery.rows {
            example(out, gallery, row);
        }
        out.push_str("</div>\n");
    }
}

fn example(out: &mut String, gallery: &Gallery, row: &GalleryRow) {
    let sample = &row.sample;
    let _ = write!(
        out,
        "<figure class=\"example\"><div class=\"heads\"><span>original</span><span>adversarial</span><span>change ×{}</span></div><div class=\"three\">",
        gallery.amplification
    );
    let pictures = [
        (&row.clean, "original"),
        (&row.adversarial, "adversarial"),
        (&row.perturbation, "amplified change"),
    ];
    for (png, what) in pictures {
        out.push_str(&embedded(png, &format!("{what} of picture {}", sample.id), row.size));
    }
    let outcome = match (row.was_right, sample.success) {
        (false, _) => "was wrong before",
        (true, true) => "turned over",
        (true, false) => "withstood",
    };
    let spent = sample.queries_until_turned();
    let queries = if spent == 1 { "query" } else { "queries" };
    let _ = writeln!(
        out,
        "</div><figcaption>{}: {} picture {}, logit {} → {}, <strong>{outcome}</strong> with {} {queries}</figcaption></figure>",
        escaped(&row.arm),
        sample.label,
        sample.id,
        logit(sample.clean_logit),
        logit(sample.adv_logit),
        count(spent as f64)
    );
}

fn list(out: &mut String, id: &str, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "<h2 id=\"{id}\">{title}</h2>\n<ul>\n");
    for line in lines {
        let _ = writeln!(out, "<li>{}</li>", escaped(line));
    }
    out.push_str("</ul>\n");
}
