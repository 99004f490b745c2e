//! The list of a study's units of work, and how long they may take.

use crate::output;
use dfrt_runtime::results::jobs::Job;
use dfrt_trainer::study::estimate::{Estimate, Planned};
use serde_json::{Value, json};

/// One job as JSON.
pub fn entry(job: &Job, planned: &Planned) -> Value {
    let mut entry = serde_json::to_value(job).expect("plain values");
    entry["done"] = json!(planned.done);
    entry["minutes"] = json!(planned.minutes);
    entry
}

/// One line for each job: its number, what it is, whether it is done, its minutes.
pub fn table(jobs: &[Job], estimate: &Estimate) -> String {
    let mut rows = vec![["job", "arm", "seed", "work", "minutes"].map(String::from)];
    for (number, (job, planned)) in (1..).zip(jobs.iter().zip(&estimate.jobs)) {
        let minutes = match (planned.done, planned.minutes) {
            (true, _) => "done".to_owned(),
            (false, Some(minutes)) => format!("{minutes:.1}"),
            (false, None) => "-".to_owned(),
        };
        rows.push([number.to_string(), job.arm.clone(), job.seed.to_string(), job.work.to_string(), minutes]);
    }
    let left: f64 =
        estimate.jobs.iter().filter(|planned| !planned.done).filter_map(|planned| planned.minutes).sum();
    let mut text = output::aligned(&rows).join("\n");
    let open = estimate.jobs.iter().filter(|planned| !planned.done).count();
    text.push_str(&format!("\n{} of {} units of work are done", jobs.len() - open, jobs.len()));
    if !estimate.measured.is_empty() {
        text.push_str(&format!("; {left:.0} minutes are left on this machine, by {}", estimate.measured));
    }
    text
}
