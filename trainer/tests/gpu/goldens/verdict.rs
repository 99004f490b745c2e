//! Errors of one subject, tensor by tensor: judged, left in a table, and the worst
//! printed when all is done.

use super::file::{Error, Golden};
use super::row;
use crate::places;
use libtest_mimic::Failed;
use std::fmt::Write;
use std::sync::Mutex;

/// The relative error that a result of the GPU must stay below.
pub const LIMIT: f64 = 1e-3;

/// A gradient below this share of the largest tensor's norm is measured by that: a beta
/// that only batch-norms see has a gradient of zero, and rounding gives it some.
const FLOOR: f64 = 1e-4;

/// A tensor of what was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name, for messages.
    pub name: String,
    /// What the formula knows it by.
    pub number: usize,
    /// Its values in torch's order.
    pub values: Vec<f64>,
}

/// The errors of a subject of a golden file.
#[derive(Debug)]
pub struct Verdict {
    errors: Vec<Entry>,
}

/// The error of one tensor.
#[derive(Debug)]
struct Entry {
    name: String,
    /// Infinite where something is no number.
    error: f64,
    /// Whether it is measured by the floor.
    small: bool,
}

impl Verdict {
    /// Of numbers, each relative to itself.
    pub fn numbers(found: &[f64], expected: &[f64]) -> Self {
        let error = |(a, b): (&f64, &f64)| (a - b).abs() / b.abs();
        Self::one_by_one(found, expected, error)
    }

    /// Of numbers, relative to the root of their mean square.
    pub fn vector(found: &[f64], expected: &[f64]) -> Self {
        let size = row::norm(expected) / (expected.len() as f64).sqrt();
        Self::one_by_one(found, expected, |(a, b)| (a - b).abs() / size)
    }

    fn one_by_one(found: &[f64], expected: &[f64], error: impl Fn((&f64, &f64)) -> f64) -> Self {
        assert_eq!(found.len(), expected.len(), "as many numbers as the golden has");
        let named = |(index, pair)| Entry::new(format!("number {index}"), error(pair));
        Self { errors: found.iter().zip(expected).enumerate().map(named).collect() }
    }

    /// Of tensors that the golden keeps as rows, each relative to its own size.
    pub fn rows(found: &[Found], golden: &[f64]) -> Self {
        Self::rows_with(found, golden, 0.0)
    }

    /// The same for gradients, some of which vanish.
    pub fn gradients(found: &[Found], golden: &[f64]) -> Self {
        Self::rows_with(found, golden, FLOOR)
    }

    fn rows_with(found: &[Found], golden: &[f64], floor: f64) -> Self {
        let len = golden.len() / found.len();
        assert_eq!(len * found.len(), golden.len(), "the golden has a row for each tensor");
        let largest = golden.chunks(len).map(|row| row[0]).fold(0.0, f64::max);
        let error = |(tensor, golden): (&Found, &[f64])| {
            let row = row::of(tensor.number, &tensor.values, len);
            let error = row::error(&row, golden, tensor.values.len(), floor * largest);
            Entry { small: golden[0] < floor * largest, ..Entry::new(tensor.name.clone(), error) }
        };
        Self { errors: found.iter().zip(golden.chunks(len)).map(error).collect() }
    }

    /// Of whole tensors: the norm of the difference, relative to the tensor's.
    pub fn whole(found: &[Found], expected: &[&[f64]]) -> Self {
        assert_eq!(found.len(), expected.len(), "as many tensors as the golden has");
        let error = |(tensor, expected): (&Found, &&[f64])| {
            assert_eq!(tensor.values.len(), expected.len(), "{}", tensor.name);
            let difference: Vec<f64> = tensor.values.iter().zip(*expected).map(|(a, b)| a - b).collect();
            Entry::new(tensor.name.clone(), row::norm(&difference) / row::norm(expected))
        };
        Self { errors: found.iter().zip(expected).map(error).collect() }
    }

    /// Leaves the table of all errors and remembers the worst, beside PyTorch's own in
    /// float32; fails where an error reaches `limit`. `run` tells the results of a
    /// file apart that have the same subject; their names there begin with `prefix`.
    pub fn close(
        self,
        golden: &Golden,
        (prefix, run): (&str, &str),
        subject: &str,
        limit: f64,
    ) -> Result<(), Failed> {
        self.close_apart(golden, (prefix, run), subject, (limit, limit))
    }

    /// The same with a limit of their own for small gradients.
    pub fn close_apart(
        self,
        golden: &Golden,
        (prefix, run): (&str, &str),
        subject: &str,
        limits: (f64, f64),
    ) -> Result<(), Failed> {
        let title = format!("{}{run} {subject}", golden.name);
        self.table(&title)?;
        let own = golden.float32_errors()?;
        self.remember(&golden.name, subject, |subject| own.get(&format!("{prefix}{subject}")).cloned());
        self.below(&title, limits)
    }

    /// The same for results that are not the GPU's: no table.
    pub fn close_reference(self, golden: &Golden, subject: &str, limit: f64) -> Result<(), Failed> {
        let title = format!("{}, f64 reference", golden.name);
        self.remember(&title, subject, |_| None);
        self.below(&format!("{title}, {subject}"), (limit, limit))
    }

    /// Small gradients under a name of their own.
    fn remember(&self, file: &str, subject: &str, own: impl Fn(&str) -> Option<Error>) {
        for (small, subject) in [(false, subject.to_owned()), (true, format!("small_{subject}"))] {
            let errors = self.errors.iter().filter(|entry| entry.small == small);
            if let Some(worst) = errors.max_by(|a, b| a.error.total_cmp(&b.error)) {
                remember(file, &subject, worst, own(&subject));
            }
        }
    }

    /// `limits` are that of all and that of small gradients.
    fn below(&self, title: &str, limits: (f64, f64)) -> Result<(), Failed> {
        let limit = |entry: &Entry| if entry.small { limits.1 } else { limits.0 };
        let reached = self.errors.iter().filter(|entry| entry.error >= limit(entry));
        let failures: Vec<String> = reached
            .map(|entry| format!("{}: {:.1e} (limit {:.0e})", entry.name, entry.error, limit(entry)))
            .collect();
        if failures.is_empty() {
            return Ok(());
        }
        let (count, all) = (failures.len(), self.errors.len());
        let first = failures[..count.min(10)].join("; ");
        Err(format!("{title}: {count} of {all} errors reach their limit: {first}").into())
    }

    /// Every tensor's error in a file in [`places::goldens`].
    fn table(&self, title: &str) -> Result<(), String> {
        let folder = places::goldens();
        let mut text = "relative_error\ttensor\n".to_owned();
        for Entry { name, error, .. } in &self.errors {
            writeln!(text, "{error:.2e}\t{name}").expect("a string takes all");
        }
        let path = folder.join(format!("{}.tsv", title.replace([' ', ','], "_")));
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(&path, text).map_err(failed)
    }
}

impl Entry {
    fn new(name: String, error: f64) -> Self {
        Self { name, error: row::worse(error, 0.0), small: false }
    }
}

/// The worst error of a subject over the runs of a file.
struct Figure {
    file: String,
    subject: String,
    worst: f64,
    name: String,
    /// PyTorch's in float32.
    own: Option<f64>,
}

static FIGURES: Mutex<Vec<Figure>> = Mutex::new(Vec::new());

fn remember(file: &str, subject: &str, entry: &Entry, own: Option<Error>) {
    let mut figures = FIGURES.lock().expect("no holder panics");
    let known = figures.iter().position(|figure| figure.file == file && figure.subject == subject);
    let index = known.unwrap_or_else(|| {
        let (file, subject) = (file.to_owned(), subject.to_owned());
        figures.push(Figure { file, subject, worst: f64::NEG_INFINITY, name: String::new(), own: None });
        figures.len() - 1
    });
    let figure = &mut figures[index];
    if entry.error > figure.worst {
        (figure.worst, figure.name) = (entry.error, entry.name.clone());
    }
    if let Some((own, _)) = own {
        figure.own = Some(figure.own.map_or(own, |before| before.max(own)));
    }
}

/// Prints the figures reached, and says where those of every tensor are.
pub fn print_figures() {
    let figures = FIGURES.lock().expect("no holder panics");
    if figures.is_empty() {
        return;
    }
    let folder = places::goldens();
    eprintln!(
        "against PyTorch in float64, the worst relative errors (of every tensor: {}):",
        folder.display()
    );
    eprintln!(
        "| golden | subject | error | worst at | PyTorch in float32 |\n| --- | --- | --- | --- | --- |"
    );
    for Figure { file, subject, worst, name, own } in &*figures {
        let own = own.map_or(String::new(), |own| format!("{own:.1e}"));
        eprintln!("| {file} | {subject} | {worst:.1e} | {name} | {own} |");
    }
}
