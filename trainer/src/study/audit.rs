//! Looks for faults of a study's data set.

use super::done::earlier;
use super::{Observer, Study, StudyError};
use crate::train::dataset::DatasetError;
use dfrt_runtime::audit::{self, Progress};
use dfrt_runtime::data::manifest::Manifest;
use dfrt_runtime::results::audited::{Audited, FILE};

/// Pictures of each split that are inspected at most.
const MOST: usize = 20_000;

impl Study<'_> {
    /// Audits the data set and leaves audit.json, if it is not there yet: copies and people in two splits,
    /// classes that differ in encoder, size or brightness would make every figure wrong.
    pub(super) fn audit(&self, observer: &(dyn Observer + Sync)) -> Result<(), StudyError> {
        let path = self.out.join(FILE);
        if earlier::<Audited>(&path).is_some_and(|found| found.data.sha256 == self.data_sha256) {
            return Ok(());
        }
        let data = &self.settings.train.data;
        let manifest = Manifest::of(data).map_err(DatasetError::from)?;
        let progress = |at: Progress| {
            if let Progress::Read { done, total } = at {
                observer.audited(done, total);
            }
        };
        Ok(audit::audit(&data.display().to_string(), &manifest, Some(MOST), &progress).write(&path)?)
    }
}
