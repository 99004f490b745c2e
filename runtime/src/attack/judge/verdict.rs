//! The verdict on proposals: clipped to the threat model, rounded to 8 bits, saved as PNG, read
//! back and asked again. Where a proposal crosses and its rounding does not, the other 8-bit
//! pictures that may stand for it in L2 are tried, too.

use super::{Clean, JudgeError, Judging, untouched};
use crate::attack::{Proposal, planes};
use crate::data::picture;
use crate::results::attack::SampleResult;
use crate::results::attack::folder::{self, Side};
use crate::results::attack::journal::{Entry, Finding};
use crate::sample::is_right;
use crate::threat::{Distance, Norm};
use image::RgbImage;
use rayon::prelude::*;
use std::path::Path;

impl Judging<'_> {
    /// Clips, rounds, asks, saves, reads back and asks again.
    pub(super) fn decide(
        &self,
        clean: &[Clean<'_>],
        proposals: &[Proposal],
        miscounted: bool,
    ) -> Result<Vec<Entry>, JudgeError> {
        let clipped = clean.iter().zip(proposals).map(|(clean, proposal)| {
            let (centre, mut values) = (planes(&clean.picture), proposal.values.clone());
            self.trial.threat.clip(&centre, &mut values);
            values
        });
        let floats = self.ask(clipped)?;
        let rounded = self.rounded(clean, proposals, &floats)?;
        let saved: Result<Vec<_>, _> =
            clean.iter().zip(rounded).map(|(clean, rounded)| self.round_trip(clean, &rounded)).collect();
        let saved = saved?;
        let eights = self.ask(saved.iter().map(|one| planes(&one.picture)))?;
        let judged = clean.iter().zip(proposals).zip(saved).zip(floats.iter().zip(eights));
        Ok(judged
            .map(|(((clean, proposal), saved), (&float, eight))| {
                self.verdict(clean, proposal, saved, float, eight, miscounted)
            })
            .collect())
    }

    /// The 8-bit picture of every proposal: its rounding, or, where that loses a crossing
    /// (`floats` are the logits before), another that keeps it. The model is asked for all
    /// proposals together, and for a further picture of those alone that need one.
    fn rounded(
        &self,
        clean: &[Clean<'_>],
        proposals: &[Proposal],
        floats: &[f32],
    ) -> Result<Vec<RgbImage>, JudgeError> {
        let threat = self.trial.threat;
        let round =
            |(clean, proposal): (&Clean<'_>, &Proposal)| threat.round(&clean.picture, &proposal.values);
        let plain: Vec<RgbImage> = clean.par_iter().zip(proposals).map(round).collect();
        let mut kept: Vec<Option<RgbImage>> = vec![None; plain.len()];
        let in_doubt = |&at: &usize| threat.norm == Norm::L2 && self.crossed(&clean[at], floats[at]);
        let doubtful: Vec<usize> = (0..plain.len()).filter(in_doubt).collect();
        let logits = self.ask(doubtful.iter().map(|&at| planes(&plain[at])))?;
        let lost = doubtful.into_iter().zip(logits).filter(|&(at, logit)| !self.crossed(&clean[at], logit));
        let mut lost: Vec<_> = lost
            .map(|(at, _)| {
                (at, threat.other_roundings(&clean[at].picture, &proposals[at].values, &plain[at]))
            })
            .collect();
        while !lost.is_empty() {
            let next = |(at, mut others): (usize, _)| {
                let picture: RgbImage = Iterator::next(&mut others)?;
                Some((at, others, picture))
            };
            let tried: Vec<_> = lost.into_iter().filter_map(next).collect();
            let logits = self.ask(tried.iter().map(|(_, _, picture)| planes(picture)))?;
            lost = Vec::new();
            for ((at, others, picture), logit) in tried.into_iter().zip(logits) {
                match self.crossed(&clean[at], logit) {
                    true => kept[at] = Some(picture),
                    false => lost.push((at, others)),
                }
            }
        }
        drop(lost);
        Ok(kept.into_iter().zip(plain).map(|(kept, plain)| kept.unwrap_or(plain)).collect())
    }

    fn crossed(&self, clean: &Clean<'_>, logit: f32) -> bool {
        logit.is_finite() && !is_right(logit, clean.subject.sample.label, self.trial.threshold as f32)
    }

    /// An 8-bit picture through PNG and back.
    fn round_trip(&self, clean: &Clean<'_>, rounded: &RgbImage) -> Result<RoundTrip, JudgeError> {
        let png = picture::encode_png(rounded);
        let Some((files, _)) = &self.record else {
            let picture = folder::decode(&png, Path::new("adversarial picture"))?;
            return Ok(RoundTrip { picture, clean_sha256: String::new(), adv_sha256: String::new() });
        };
        let id = clean.subject.id;
        let clean_sha256 = files.save(Side::Clean, id, &picture::encode_png(&clean.picture))?;
        files.save(Side::Adversarial, id, &png)?;
        let (picture, adv_sha256) = files.picture(Side::Adversarial, id)?;
        Ok(RoundTrip { picture, clean_sha256, adv_sha256 })
    }

    fn verdict(
        &self,
        clean: &Clean<'_>,
        proposal: &Proposal,
        saved: RoundTrip,
        float: f32,
        eight: f32,
        miscounted: bool,
    ) -> Entry {
        let threat = self.trial.threat;
        let distance = Distance::between(&clean.picture, &saved.picture);
        assert!(threat.contains(distance), "the judge rounds into the ball");
        let crossed = |logit| self.crossed(clean, logit);
        let gradients = proposal.gradients;
        Entry {
            result: SampleResult {
                adv_logit: eight,
                success: crossed(eight),
                queries: proposal.queries,
                linf_255: distance.linf_255,
                l2: distance.l2(),
                clean_sha256: saved.clean_sha256,
                adv_sha256: saved.adv_sha256,
                attack: self.attack.name().to_owned(),
                distance: self.shortest(proposal, crossed(eight).then_some(distance)),
                queries_to_success: crossed(eight).then(|| until_success(proposal)),
                ..untouched(clean)
            },
            finding: Finding {
                attacked: true,
                lost_to_rounding: crossed(float) && !crossed(eight),
                non_finite: u32::from(!float.is_finite()) + u32::from(!eight.is_finite()),
                excess_255: threat.excess_255(&planes(&clean.picture), &proposal.values).max(0.0),
                miscounted,
                never_differed: proposal.never_differed,
                gradients_evaluated: gradients.evaluated,
                gradients_zero: gradients.zero,
                gradients_non_finite: gradients.non_finite,
            },
            source_sha256: clean.source_sha256.clone(),
        }
    }

    /// The shortest change that is known to cross, of an attack that measures it: what it
    /// found, or the 8-bit picture `turned` where that is nearer.
    fn shortest(&self, proposal: &Proposal, turned: Option<Distance>) -> Option<f64> {
        let norm = self.attack.measures(self.trial.threat)?;
        let turned = turned.map(|distance| match norm {
            Norm::Linf => f64::from(distance.linf_255) / 255.0,
            Norm::L2 => distance.l2(),
        });
        [proposal.distance, turned].into_iter().flatten().min_by(f64::total_cmp)
    }
}

/// A proposal as it came back from its PNG.
struct RoundTrip {
    picture: RgbImage,
    clean_sha256: String,
    adv_sha256: String,
}

/// The queries until the picture that was proposed was found.
fn until_success(proposal: &Proposal) -> u64 {
    proposal.queries_to_success.map_or(proposal.queries, |after| after.min(proposal.queries))
}
