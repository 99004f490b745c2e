//! explain.md: the sentences and one table.

use super::super::escape::escaped;
use super::numbers::{or_dash, percent, three};
use crate::metrics::resampled::Ranged;
use crate::results::explanation::{ArmFigures, Explanation, TapFigures};
use std::fmt::Write;

/// The explanation as GitHub-flavoured Markdown.
pub fn markdown(explanation: &Explanation) -> String {
    let mut out = "# Why: gradients, radii and features\n\n".to_owned();
    for sentence in &explanation.sentences {
        let mark = if sentence.supported { "supported" } else { "not supported" };
        match sentence.arm.is_empty() {
            true => writeln!(out, "{}\n", escaped(&sentence.text)),
            false => writeln!(out, "- *{mark}*: {}", escaped(&sentence.text)),
        }
        .expect("a string takes every byte");
    }
    let _ = write!(out, "\n## Figures\n\n{NOTE}\n\n");
    let names = explanation.arms.iter().map(|arm| escaped(&arm.name));
    let head = std::iter::once("figure".to_owned()).chain(names);
    push_row(&mut out, head.collect());
    let rule = std::iter::once("---".to_owned()).chain(explanation.arms.iter().map(|_| "---:".to_owned()));
    push_row(&mut out, rule.collect());
    for (name, cells) in figures(explanation) {
        let row = std::iter::once(&name).chain(&cells).map(|cell| escaped(cell));
        push_row(&mut out, row.collect());
    }
    if !explanation.skipped.is_empty() {
        let _ = write!(out, "\n{} pictures could not be read:\n\n", explanation.skipped.len());
        explanation.skipped.iter().for_each(|line| out.push_str(&format!("- {}\n", escaped(line))));
    }
    out
}

/// What the table of [`figures`] holds.
pub(in crate::report) const NOTE: &str =
    "Medians with their 95 % intervals; shares and correlations are not medians. Radii in 1/255.";

/// The table: a figure's name, and its text for every arm.
pub(in crate::report) fn figures(explanation: &Explanation) -> Vec<(String, Vec<String>)> {
    let cells = |of: &Cell| explanation.arms.iter().map(of).collect();
    rows(explanation).into_iter().map(|(name, of)| (name, cells(&of))).collect()
}

fn push_row(out: &mut String, cells: Vec<String>) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

type Cell = Box<dyn Fn(&ArmFigures) -> String>;

fn rows(explanation: &Explanation) -> Vec<(String, Cell)> {
    fn median(of: fn(&ArmFigures) -> Option<Ranged>) -> Cell {
        Box::new(move |arm| or_dash(of(arm)))
    }
    let mut rows: Vec<(String, Cell)> = vec![
        ("models".to_owned(), Box::new(|arm| arm.models.len().to_string())),
        ("called rightly".to_owned(), Box::new(|arm| format!("{} of {}", arm.counts.right, arm.counts.n))),
        ("margin s (z - t)".to_owned(), median(|arm| arm.margin.median)),
        ("loss L".to_owned(), median(|arm| arm.loss.median)),
        ("||grad_x z||_1".to_owned(), median(|arm| arm.input_margin_l1.median)),
        ("||grad_x z||_2".to_owned(), median(|arm| arm.input_margin_l2.median)),
        ("||grad_x L||_1".to_owned(), median(|arm| arm.input_loss_l1.median)),
        ("||grad_x L||_2".to_owned(), median(|arm| arm.input_loss_l2.median)),
        ("||grad_{mu,sigma} z||".to_owned(), median(|arm| arm.statistics_margin.median)),
        ("||grad_{mu,sigma} L||".to_owned(), median(|arm| arm.statistics_loss.median)),
        ("first-order radius".to_owned(), median(|arm| arm.first_order_255.median)),
        ("radius of PGD".to_owned(), median(|arm| arm.pgd_255.median)),
        ("radius of PGD / first-order radius".to_owned(), median(|arm| arm.pgd_over_first_order.median)),
        ("rank correlation of the two".to_owned(), median(|arm| arm.rank_correlation)),
        ("not turned over".to_owned(), Box::new(|arm| arm.counts.not_reached.to_string())),
        ("share of power at high frequencies".to_owned(), median(|arm| arm.high_frequency_share.median)),
    ];
    for (place, tap) in explanation.arms.first().map_or(&[][..], |arm| &arm.taps).iter().enumerate() {
        let tap = tap.tap;
        let at = |of: fn(&TapFigures) -> String| -> Cell { Box::new(move |arm| of(&arm.taps[place])) };
        let share = |found: Option<Ranged>| found.map_or_else(|| "–".to_owned(), |found| percent(&found));
        rows.push((
            format!("||grad_{{mu,sigma}} L|| at tap {tap}"),
            at(|tap| or_dash(tap.statistics_loss.median)),
        ));
        rows.push((
            format!("decisions kept, shift at tap {tap}"),
            Box::new(move |arm| share(arm.taps[place].shift_kept)),
        ));
        rows.push((
            format!("loss rise, shift at tap {tap} (mean)"),
            at(|tap| or_dash(tap.shift_loss_rise.mean)),
        ));
        rows.push((
            format!("classes apart at tap {tap} (by chance)"),
            at(|tap| match &tap.classes {
                Some(found) => format!("{} ({})", or_dash(Some(found.effect)), three(found.effect_by_chance)),
                None => "–".to_owned(),
            }),
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::planted::{PICTURES, Planted, explained, measured};
    use super::*;

    #[test]
    fn the_text_has_every_sentence_and_a_whole_table() {
        let gr = Planted { seed: 1, input: 0.5, ..Planted::default() };
        let explanation =
            explained(&[measured("base_line", Planted::default(), PICTURES), measured("gr", gr, PICTURES)]);
        let text = markdown(&explanation);
        assert!(
            explanation.sentences.iter().all(|sentence| text.contains(&escaped(&sentence.text))),
            "{text}"
        );
        let table: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(table[0], "| figure | base\\_line | gr |");
        assert_eq!(table[1], "| --- | ---: | ---: |");
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        assert!(table.len() > 18 && table.iter().all(|line| cells(line) == 4), "{text}");
        assert!(text.contains("*supported*: gr: the radius at which PGD succeeds grew"), "{text}");
    }
}
