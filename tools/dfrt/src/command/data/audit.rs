//! `dfrt data audit`: faults of a data set that would make a detector's figures wrong.

use crate::command::options::{options, use_threads};
use crate::dataset;
use crate::output::{self, Lines};
use crate::paths;
use crate::progress::Stages;
use anyhow::{Result, bail};
use dfrt_runtime::audit::{self, Audit, Finding, Progress, Verdict};
use dfrt_runtime::data::manifest::Manifest;
use std::path::PathBuf;

options! {
/// look for what would make a detector's figures wrong: unreadable files, copies and
/// people in two splits, classes that differ in encoder, size or brightness
#[argh(
    name = "audit",
    example = "{command_name} faces\n\
    {command_name} faces.csv --out audit.json --strict",
    note = "Every picture is read once; none is changed. Verdicts: ok, note (worth knowing), \
    warning (figures may be wrong), leak (what is tested on was trained on), error (labels or files are wrong). \
    audit.json holds every case, the table the first few."
)]
pub struct AuditSet {
    /// manifest.csv or folder in a known layout
    #[argh(positional)]
    data: PathBuf,
    /// file for the complete result (default: none)
    #[argh(option)]
    out: Option<PathBuf>,
    force, json,
    /// fail if there is a leak or an error
    #[argh(switch)]
    strict: bool,
    limit, threads,
}
}

/// The most cases of a finding that the table lists.
const LISTED_CASES: usize = 3;

impl AuditSet {
    /// Audits the data set; prints the findings and writes them to `--out`.
    pub fn run(self) -> Result<()> {
        dataset::check_limit(self.limit)?;
        use_threads(self.threads)?;
        if let Some(out) = &self.out {
            paths::check_file(out, self.force)?;
        }
        let manifest = Manifest::of(&self.data)?;
        output::note_rules(&self.data.display().to_string(), &manifest.rules);
        let stages = Stages::default();
        let progress = |at: Progress| match at {
            Progress::Read { done, total } => stages.set("audited", done, total, ""),
            Progress::Hashed { done, total } => stages.set("copies compared", done, total, ""),
        };
        let name = self.data.display().to_string();
        let found = audit::audit(&name, &manifest, self.limit, &progress);
        drop(stages);
        if let Some(out) = &self.out {
            found.write(out)?;
        }
        if self.json {
            output::json(&found)?;
        } else {
            output::print(self.table(&found))?;
        }
        self.check_strict(&found)
    }

    /// Fails with `--strict` if there is a leak or an error.
    fn check_strict(&self, found: &Audit) -> Result<()> {
        let severe: Vec<String> =
            found.severe().map(|finding| format!("{} ({})", finding.check, finding.verdict)).collect();
        if self.strict && !severe.is_empty() {
            bail!(
                "{}: has faults: {}; follow the advice of the audit, or leave out --strict",
                self.data.display(),
                severe.join(", ")
            );
        }
        Ok(())
    }

    fn table(&self, found: &Audit) -> String {
        let data = &found.data;
        let mut text = format!("{}: {} pictures", data.path, output::thousands(data.pictures as u64));
        if data.looked_at < data.pictures {
            let (looked_at, most) =
                (output::thousands(data.looked_at as u64), self.limit.unwrap_or_default());
            text +=
                &format!(", {looked_at} of them looked at (--limit {most}: copies of others are not found)");
        }
        let mut lines = Lines::default();
        for finding in &found.findings {
            lines.add(format!("{:7}  {}", finding.verdict, finding.check), &finding.what);
        }
        text += &format!("\n{lines}");
        let to_do: Vec<String> =
            found.findings.iter().filter(|finding| finding.verdict > Verdict::Ok).map(to_do).collect();
        if to_do.is_empty() {
            text += "\nnothing to do";
        } else {
            text += &format!("\nwhat to do\n{}", to_do.join("\n"));
        }
        match &self.out {
            Some(out) => text + &format!("\nwritten to {}", out.display()),
            None if to_do.is_empty() => text,
            None => text + "\n(every case and figure: --out audit.json)",
        }
    }
}

/// The advice about a finding, and its first cases.
fn to_do(finding: &Finding) -> String {
    let mut text = format!("  {}: {}", finding.check, finding.advice.as_deref().unwrap_or("see above"));
    for case in finding.cases.iter().take(LISTED_CASES) {
        let paths = case.paths.join(", ");
        let gap = if paths.is_empty() { "" } else { ": " };
        text += &format!("\n    {paths}{gap}{}", case.note);
    }
    if finding.cases.len() > LISTED_CASES {
        text += &format!("\n    and {} more", finding.cases.len() - LISTED_CASES);
    }
    text
}
