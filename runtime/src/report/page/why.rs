//! Why the detectors are as robust as they are: the sentences of the explanation and its figures.

use super::super::explanation;
use super::parts::{Cell, Column, Table};
use crate::results::explanation::{Sentence, Topic};
use crate::results::study::Report;

/// The explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// What it rests on.
    pub basis: String,
    /// Its conclusions: what explains the radius of each arm.
    pub conclusions: Vec<Statement>,
    /// The other sentences, from which they follow.
    pub details: Vec<Statement>,
    /// The attack whose pictures are shown: "10 steps of PGD within 1/255".
    pub attack: String,
}

/// A sentence of the explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Whether the figures support what was looked for.
    pub supported: bool,
    /// The sentence.
    pub text: String,
}

/// The explanation, where there is one.
pub(super) fn why(report: &Report) -> Option<Why> {
    let explanation = report.explanation.as_ref()?;
    let first = explanation.arms.first().map(|arm| arm.name.as_str());
    let concludes = |sentence: &Sentence| match sentence.about {
        Topic::Explanation => true,
        // Nothing is concluded on the reference but how far first order carries.
        about => about == Topic::FirstOrder && Some(sentence.arm.as_str()) == first,
    };
    let statements = |of: &dyn Fn(&Sentence) -> bool| -> Vec<Statement> {
        let chosen = explanation.sentences.iter().filter(|sentence| of(sentence));
        chosen.map(|it| Statement { supported: it.supported, text: it.text.clone() }).collect()
    };
    let is_basis = |sentence: &Sentence| sentence.about == Topic::Basis;
    let basis: Vec<String> = statements(&is_basis).into_iter().map(|basis| basis.text).collect();
    Some(Why {
        basis: basis.join(" "),
        conclusions: statements(&concludes),
        details: statements(&|sentence| !concludes(sentence) && !is_basis(sentence)),
        attack: format!(
            "{} steps of PGD within {}/255",
            explanation.settings.attack_steps, explanation.settings.eps_255
        ),
    })
}

/// The figures behind the sentences, a column for each arm; empty where nothing was explained.
pub(super) fn table(report: &Report) -> Table {
    let (mut columns, mut rows) = (vec![Column::words("Figure")], Vec::new());
    if let Some(explanation) = &report.explanation {
        columns.extend(explanation.arms.iter().map(|arm| Column::numbers(&arm.name)));
        rows.extend(
            explanation::figures(explanation)
                .into_iter()
                .map(|(name, cells)| std::iter::once(name).chain(cells).map(Cell::plain).collect()),
        );
    }
    Table {
        name: "why-figures".to_owned(),
        title: "The figures behind the explanation".to_owned(),
        note: explanation::NOTE.to_owned(),
        columns,
        rows,
        folded: true,
    }
}
