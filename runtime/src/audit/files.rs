//! Checks of single files: whether they can be read, have the format of their extension, and have
//! usual pixels.

use super::finding::{Case, Check, Finding, Verdict, counted};
use super::header::{Channels, Format};
use super::inspected::{Inspected, path_of};
use crate::data::picture::PictureError;
use crate::sample::Sample;

/// Pictures that cannot be read, with the reason.
pub(super) fn unreadable(bad: &[(&Sample, PictureError)], of: usize) -> Finding {
    let missing = bad.iter().filter(|(_, error)| matches!(error, PictureError::Inaccessible { .. })).count();
    let (verdict, what) = match bad.len() {
        0 => (Verdict::Ok, format!("all {} can be read", counted(of, "picture"))),
        count => (
            Verdict::Error,
            format!("{count} of {} cannot be read ({missing} of them not there)", counted(of, "picture")),
        ),
    };
    let cases = bad.iter().map(|(sample, error)| Case {
        paths: vec![path_of(sample)],
        note: reason(&error.to_string(), &path_of(sample)),
    });
    Finding::new(Check::Files, verdict, what)
        .advice(
            "replace these files or take them out of the set: every command passes them over, so figures of \
             two machines may not be about the same pictures",
        )
        .figure("pictures", of)
        .figure("unreadable", bad.len())
        .figure("missing", missing)
        .cases(cases.collect())
}

/// An error's text without the path, which is shown next to it.
fn reason(error: &str, path: &str) -> String {
    error.strip_prefix(path).unwrap_or(error).trim_start_matches([':', ' ']).to_owned()
}

/// Entries that were skipped when the folder was read.
pub(super) fn passed_over(skipped: &[String]) -> Finding {
    let (verdict, what) = match skipped.len() {
        0 => (Verdict::Ok, "no entry of the folder was passed over".to_owned()),
        count => (Verdict::Note, format!("{} of the folder passed over", counted(count, "entry"))),
    };
    let cases = skipped.iter().map(|line| Case { paths: Vec::new(), note: line.clone() });
    Finding::new(Check::PassedOver, verdict, what)
        .advice("look whether pictures are among them: they are in no figure")
        .figure("entries", skipped.len())
        .cases(cases.collect())
}

/// Files whose content is not of the format of their extension.
pub(super) fn extensions(inspected: &[Inspected<'_>]) -> Finding {
    let wrong: Vec<Case> = inspected
        .iter()
        .filter_map(|(sample, inspection)| {
            let found = inspection.header?.format;
            let promised = Format::promised(&sample.path);
            (promised != Some(found)).then(|| Case {
                paths: vec![path_of(sample)],
                note: match promised {
                    Some(promised) => format!("named {}, is {}", promised.name(), found.name()),
                    None => format!("is {}, its name does not say so", found.name()),
                },
            })
        })
        .collect();
    let (verdict, what) = match wrong.len() {
        0 => (Verdict::Ok, "files are of the formats that their names say".to_owned()),
        count => {
            (Verdict::Warning, format!("{} of another format than its name says", counted(count, "file")))
        }
    };
    Finding::new(Check::Extensions, verdict, what)
        .advice("rename them: a JPEG called PNG has lost what a PNG would have kept")
        .figure("files", wrong.len())
        .cases(wrong)
}

/// Pictures with transparency, CMYK or more than 8 bits a channel, which decoding changes.
pub(super) fn colours(inspected: &[Inspected<'_>]) -> Finding {
    let (mut alpha, mut inks, mut deep) = (0, 0, 0);
    let mut cases = Vec::new();
    for (sample, inspection) in inspected {
        let Some(header) = inspection.header else { continue };
        let unusual = [header.alpha, header.channels == Channels::Cmyk, header.bits > 8];
        alpha += usize::from(unusual[0]);
        inks += usize::from(unusual[1]);
        deep += usize::from(unusual[2]);
        if unusual.contains(&true) {
            cases.push(Case { paths: vec![path_of(sample)], note: header.colours() });
        }
    }
    let (verdict, what) = match cases.len() {
        0 => (Verdict::Ok, "pictures are grey or RGB, 8 bit, without transparency".to_owned()),
        count => (
            Verdict::Note,
            format!(
                "{} decoding changes: {alpha} with an alpha channel, {inks} CMYK, {deep} over 8 bit",
                if count == 1 { "1 picture that".to_owned() } else { format!("{count} pictures that") }
            ),
        ),
    };
    Finding::new(Check::Colours, verdict, what)
        .advice(
            "transparency is laid over black, inks become RGB, 16 bit becomes 8: convert them beforehand if you \
             want it otherwise",
        )
        .figure("alpha", alpha)
        .figure("cmyk", inks)
        .figure("over_8_bit", deep)
        .cases(cases)
}
