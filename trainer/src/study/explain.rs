//! Why a trained model is as robust as it is.

use super::measure::Trained;
use super::{Observer, Study, StudyError};
use crate::explain::{self, Options, Subject};
use crate::train::deployed;
use dfrt_runtime::results::explanation::FOLDER;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

impl Study<'_> {
    /// How it is measured.
    pub(super) fn explaining() -> Options {
        Options::default()
    }

    /// Measures `trained`, a model of the arm `name`, and leaves model.json and pictures in the RUN `at`.
    pub(super) fn explain(
        &self,
        name: &str,
        trained: &Trained,
        at: &Path,
        observer: &mut (dyn Observer + Sync),
    ) -> Result<(), StudyError> {
        let network = deployed::resident(&trained.model, Arc::clone(&self.engine)).map_err(Box::new)?;
        let subject = Subject {
            arm: name.to_owned(),
            info: trained.info.clone(),
            threshold: trained.oracle.detector().threshold(),
            network,
        };
        let observer = RefCell::new(observer);
        let progress = |what: &str, done, total| observer.borrow_mut().explained(what, done, total);
        let found = explain::explain_one(&subject, &self.explained, &Self::explaining(), &progress)
            .map_err(Box::new)?;
        Ok(found.write(&at.join(FOLDER))?)
    }
}
