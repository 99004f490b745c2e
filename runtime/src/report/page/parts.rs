//! What a page is made of: answers, and tables of cells.

/// How a cell or an answer is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it stands.
    Plain,
    /// A difference in the arm's favour, or a check that passed.
    Good,
    /// A difference against the arm.
    Bad,
    /// Not to be trusted: a check failed.
    Unreliable,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The figure or the words.
    pub text: String,
    /// The 95 % interval or another second line.
    pub detail: Option<String>,
    /// How to read it.
    pub mark: Mark,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Whether it holds numbers, set to the right.
    pub numeric: bool,
}

/// A table with a heading, a line of explanation and its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name in anchors: "clean", "attacks", …
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What the figures are.
    pub note: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Whether it is folded away at first.
    pub folded: bool,
}

/// The answer of one comparison, as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was compared: "Robust accuracy under square linf 8/255: gr against baseline".
    pub subject: String,
    /// "higher", "lower", "no effect shown".
    pub verdict: String,
    /// The figures behind it, in words.
    pub reason: String,
    /// How to read it.
    pub mark: Mark,
}
