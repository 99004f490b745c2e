//! Golden files of several runs on the network and batch of a case: their tests.

use super::file::Golden;
use super::scene::Scene;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::sync::{Arc, OnceLock};

/// What `tools/reference.py` says of a file with runs of the kind `R`.
#[derive(Debug, Deserialize)]
pub struct Runs<R> {
    /// The case whose network and batch it is.
    pub case: String,
    /// The settings of each run.
    pub runs: Vec<R>,
}

/// A test of what a run left.
pub type Subject<O> = (&'static str, fn(&O) -> Result<(), Failed>);

/// Makes what the tests of the run of an index judge.
pub type Make<R, O> = fn(&Arc<Golden>, &Runs<R>, usize) -> Result<O, String>;

impl<R: DeserializeOwned> Runs<R> {
    /// The golden file of that name and its runs.
    pub fn load(name: &str) -> Result<(Golden, Self), String> {
        let golden = Golden::load(name)?;
        let runs = golden.about()?;
        Ok((golden, runs))
    }

    /// The case, by its static name.
    pub fn scene(&self) -> Result<Arc<Scene>, String> {
        let known = super::network::CASES.into_iter().find(|&case| case == self.case);
        Scene::of(known.ok_or_else(|| format!("there is no case {}", self.case))?)
    }
}

/// The tests of a file, or one that says why it cannot be read. `run` makes what all tests
/// of a run judge, once.
pub fn trials<R, O>(
    name: &'static str,
    title: impl Fn(&R) -> String,
    subjects: impl Fn(&R) -> Vec<Subject<O>>,
    run: Make<R, O>,
) -> Vec<Trial>
where
    R: DeserializeOwned + Send + Sync + 'static,
    O: Send + Sync + 'static,
{
    let (golden, runs) = match Runs::load(name) {
        Ok((golden, runs)) => (Arc::new(golden), Arc::new(runs)),
        Err(error) => return vec![Trial::test(format!("goldens/{name}"), || Err(error.into()))],
    };
    let mut trials = Vec::new();
    for (index, settings) in runs.runs.iter().enumerate() {
        let outcome: Arc<OnceLock<Result<O, String>>> = Arc::default();
        for (subject, test) in subjects(settings) {
            let title = format!("goldens/{name}, {}, {subject}", title(settings));
            let (golden, runs, outcome) = (Arc::clone(&golden), Arc::clone(&runs), Arc::clone(&outcome));
            trials.push(Trial::test(title, move || {
                let made = outcome.get_or_init(|| run(&golden, &runs, index));
                test(made.as_ref().map_err(Clone::clone)?)
            }));
        }
    }
    trials
}
