//! Errors of one subject, tensor by tensor: judged, printed, and left in a table.

use super::file::{Error, Golden};
use super::row;
use libtest_mimic::Failed;
use std::fmt::Write;
use std::path::Path;

/// The relative error that a result of the GPU must stay below.
pub const LIMIT: f64 = 1e-3;

/// A gradient below this share of the largest tensor's is measured by that: a beta
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
    errors: Vec<(String, f64)>,
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
        let named = |(index, pair)| (format!("number {index}"), error(pair));
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
            (tensor.name.clone(), row::error(&row, golden, tensor.values.len(), floor * largest))
        };
        Self { errors: found.iter().zip(golden.chunks(len)).map(error).collect() }
    }

    /// Of whole tensors: the norm of the difference, relative to the tensor's.
    pub fn whole(found: &[Found], expected: &[&[f64]]) -> Self {
        assert_eq!(found.len(), expected.len(), "as many tensors as the golden has");
        let error = |(tensor, expected): (&Found, &&[f64])| {
            assert_eq!(tensor.values.len(), expected.len(), "{}", tensor.name);
            let difference: Vec<f64> = tensor.values.iter().zip(*expected).map(|(a, b)| a - b).collect();
            (tensor.name.clone(), row::norm(&difference) / row::norm(expected))
        };
        Self { errors: found.iter().zip(expected).map(error).collect() }
    }

    /// The worst error and its tensor.
    pub fn worst(&self) -> Error {
        let (name, error) = self
            .errors
            .iter()
            .max_by(|(_, a), (_, b)| row::worse(*a, 0.0).total_cmp(&row::worse(*b, 0.0)))
            .expect("something is compared");
        (row::worse(*error, 0.0), name.clone())
    }

    /// Prints the worst tensor, leaves the table of all, and fails where an error
    /// reaches `limit`. `title`: "b0_64 training_logits".
    pub fn close(self, title: &str, golden: &Golden, subject: &str, limit: f64) -> Result<(), Failed> {
        let (worst, name) = self.worst();
        let (own, _) = golden.float32_errors()?.remove(subject).ok_or_else(|| format!("no `{subject}`"))?;
        let table = self.table(title)?;
        println!("{title}: {worst:.1e} ({name}), PyTorch in float32 {own:.1e}; {table}");
        let failures: Vec<String> = self
            .errors
            .iter()
            .filter(|(_, error)| row::worse(*error, 0.0) >= limit)
            .map(|(name, error)| format!("{name}: {error:.1e}"))
            .collect();
        if failures.is_empty() {
            return Ok(());
        }
        let count = failures.len();
        let first = failures[..count.min(10)].join("; ");
        let all = self.errors.len();
        Err(format!("{title}: {count} of {all} errors reach {limit:.0e}: {first}").into())
    }

    /// Every tensor's error in a file in the target folder; returns its path.
    fn table(&self, title: &str) -> Result<String, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("goldens");
        let mut text = "relative_error\ttensor\n".to_owned();
        for (name, error) in &self.errors {
            writeln!(text, "{error:.2e}\t{name}").expect("a string takes all");
        }
        let path = folder.join(format!("{}.tsv", title.replace([' ', ','], "_")));
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        std::fs::create_dir_all(&folder).map_err(failed)?;
        std::fs::write(&path, text).map_err(failed)?;
        Ok(path.display().to_string())
    }
}
