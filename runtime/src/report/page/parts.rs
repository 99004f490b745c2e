//! The parts of a page: answers and tables.

/// How a cell or an answer is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not marked.
    Plain,
    /// A difference in the arm's favour, or a check that passed.
    Good,
    /// A difference against the arm.
    Bad,
    /// Unreliable: a check failed.
    Unreliable,
    /// A share in percent, shaded by its size.
    Share {
        /// 0 to 100.
        percent: u8,
        /// Whether it stands apart, as the diagonal of a matrix does.
        own: bool,
    },
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// The number or text.
    pub text: String,
    /// The 95 % interval or another second line.
    pub detail: Option<String>,
    /// How it is marked.
    pub mark: Mark,
}

impl Cell {
    /// A cell that is not marked.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), detail: None, mark: Mark::Plain }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub title: String,
    /// Whether it holds numbers, which are aligned to the right.
    pub numeric: bool,
}

impl Column {
    /// A column of words.
    pub fn words(title: impl Into<String>) -> Self {
        Self { title: title.into(), numeric: false }
    }

    /// A column of numbers.
    pub fn numbers(title: impl Into<String>) -> Self {
        Self { title: title.into(), numeric: true }
    }
}

/// A table with a heading, a line of explanation and its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The name in anchors: "clean", "attacks", …
    pub name: String,
    /// The heading.
    pub title: String,
    /// A description of the numbers.
    pub note: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, each as long as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Whether it is collapsed at first.
    pub folded: bool,
}

/// The answer of one comparison, as a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was compared: "Robust accuracy under square linf 8/255: gr against baseline".
    pub subject: String,
    /// "higher", "lower", "no effect shown".
    pub verdict: String,
    /// The numbers behind the verdict, in words.
    pub reason: String,
    /// How it is marked.
    pub mark: Mark,
}
