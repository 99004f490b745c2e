//! The values of `--eps`. In Linf a number counts steps of 1/255, as 8-bit pictures have
//! them; in L2 it is a length of pixels in [0, 1], as published radii are (0.5, 1, 3). A
//! fraction such as 128/255 means the same in both.

use crate::command::values::List;
use crate::failure;
use anyhow::Result;
use dfrt_runtime::threat::{Norm, Threat};
use std::str::FromStr;

/// A plain L2 radius above this multiple of the usual one ([`Threat::usual`]) was probably intended
/// in 1/255, and is refused. Four times the usual one is about as long as 8/255 in every value of
/// the picture: 3 at 64 px, 12 at 224 px. Published radii end at about 2 at 32 px and 5 at 224.
const LARGEST_FACTOR: f64 = 4.0;

/// A radius as the user wrote it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Radius {
    /// In the norm's own unit.
    Number(f64),
    /// In 1/255, whatever the norm.
    Of255(f64),
}

/// A list of radii.
pub type Radii = List<Radius>;

impl FromStr for Radius {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let number = match word.split_once('/') {
            Some((number, "255")) => number.trim().parse().map(Self::Of255),
            _ => word.parse().map(Self::Number),
        };
        number.map_err(|_| {
            format!(
                "{word:?} is no radius; give a number, a fraction of 255 such as 8/255, or a list like 1,2,4,8"
            )
        })
    }
}

impl Radius {
    /// The threat model of this radius.
    ///
    /// # Errors
    /// Wrong usage: a radius that 8-bit pictures cannot have.
    pub fn threat(self, norm: Norm) -> Result<Threat> {
        let threat = match (norm, self) {
            (Norm::Linf, Self::Number(eps)) if eps > 0.0 && eps < 1.0 => {
                return Err(failure::usage(format!(
                    "--eps {eps} with linf counts steps of 1/255, and {eps}/255 is not a whole number of them; write 8 or \
                    8/255 ({eps} of pixels in [0, 1] would be {:.2}/255)",
                    255.0 * eps
                )));
            }
            (Norm::Linf, Self::Number(eps) | Self::Of255(eps)) => Threat::new(norm, eps),
            (Norm::L2, Self::Number(eps)) => Threat::l2(eps),
            (Norm::L2, Self::Of255(eps)) => Threat::new(norm, eps),
        };
        threat.map_err(|error| failure::usage(format!("--eps: {error}")))
    }

    /// Checks that a plain L2 radius is not far above the usual one for pictures of `res` px.
    ///
    /// # Errors
    /// Wrong usage: such a radius, which was probably intended in 1/255.
    pub fn check_unit(self, norm: Norm, res: usize) -> Result<()> {
        let usual = Threat::usual(Norm::L2, res).plain();
        match (norm, self) {
            (Norm::L2, Self::Number(eps)) if eps > LARGEST_FACTOR * usual => Err(failure::usage(format!(
                "--eps {eps} with l2 is a length of pixels in [0, 1], and {usual} is usual at {res} px; pass --eps \
                {eps}/255 for {:.4}, a plain radius up to {}, or --eps {}/255 for {eps} itself",
                eps / 255.0,
                LARGEST_FACTOR * usual,
                255.0 * eps
            ))),
            _ => Ok(()),
        }
    }

    /// The radius in the unit of the norm: 1/255 in Linf, a length of pixels in [0, 1] in L2.
    #[cfg(feature = "train")]
    pub fn number(self, norm: Norm) -> f64 {
        match (norm, self) {
            (_, Self::Number(eps)) | (Norm::Linf, Self::Of255(eps)) => eps,
            (Norm::L2, Self::Of255(eps)) => eps / 255.0,
        }
    }
}

/// The threat models of `radii` in rising order without repetition; without `radii` the usual one
/// for pictures of `res` px.
///
/// # Errors
/// See [`Radius::threat`] and [`Radius::check_unit`].
pub fn threats(radii: &[Radius], norm: Norm, res: usize) -> Result<Vec<Threat>> {
    if radii.is_empty() {
        return Ok(vec![Threat::usual(norm, res)]);
    }
    let threat = |radius: &Radius| {
        let threat = radius.threat(norm)?;
        radius.check_unit(norm, res)?;
        Ok(threat)
    };
    let mut threats = radii.iter().map(threat).collect::<Result<Vec<_>>>()?;
    threats.sort_by(|a, b| a.eps_255.total_cmp(&b.eps_255));
    threats.dedup();
    Ok(threats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn radii(text: &str) -> Result<Radii, String> {
        text.parse()
    }

    fn eps_255(text: &str, norm: Norm) -> Vec<f64> {
        let threats = threats(&radii(text).unwrap().0, norm, 224).unwrap();
        threats.iter().map(|threat| threat.eps_255).collect()
    }

    #[test]
    fn numbers_are_steps_in_linf_and_lengths_in_l2_and_fractions_the_same_in_both() {
        assert_eq!(eps_255("8,2/255, 4,8/255", Norm::Linf), [2.0, 4.0, 8.0]);
        assert_eq!(eps_255("3,0.5,128/255", Norm::L2), [127.5, 128.0, 765.0]);
        assert_eq!(eps_255("4335/255", Norm::L2), [4335.0], "long ones are possible");
        assert_eq!(eps_255("0", Norm::L2), [0.0]);
        let usual = |norm| threats(&[], norm, 32).unwrap()[0].eps_255;
        assert_eq!((usual(Norm::Linf), usual(Norm::L2)), (8.0, 127.5));
    }

    #[test]
    fn unlikely_radii_are_refused_with_what_to_write() {
        let refused = |text: &str, norm| threats(&radii(text).unwrap().0, norm, 224).unwrap_err();
        for (text, norm, words) in [
            ("0.03", Norm::Linf, "8/255"),
            (
                "17",
                Norm::L2,
                "pass --eps 17/255 for 0.0667, a plain radius up to 12, or --eps 4335/255 for 17",
            ),
            ("0.003", Norm::L2, "below 1/255"),
            ("0.5/255", Norm::L2, "below 1/255"),
            ("300", Norm::Linf, "300/255"),
            ("-1", Norm::L2, "no length"),
            ("inf", Norm::L2, "no length"),
            ("nan", Norm::Linf, "NaN/255"),
        ] {
            let error = refused(text, norm);
            assert!(error.is::<failure::Usage>(), "{text}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn the_longest_l2_radius_depends_on_the_side() {
        let taken = |text: &str, norm, res| threats(&radii(text).unwrap().0, norm, res).is_ok();
        for (res, longest, too_long) in
            [(32, "2", "2.1"), (64, "3", "1,2,4,8"), (224, "12", "12.5"), (299, "16", "17")]
        {
            assert!(taken(longest, Norm::L2, res) && !taken(too_long, Norm::L2, res), "{res}");
            assert!(taken("8/255,4335/255", Norm::L2, res) && taken("1,2,4,8", Norm::Linf, res), "{res}");
        }
        let error = threats(&[Radius::Number(8.0)], Norm::L2, 64).unwrap_err().to_string();
        assert!(error.contains("0.75 is usual at 64 px; pass --eps 8/255 for 0.0314"), "{error}");
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "x", "8/256", "1/2/255", "8,", "/255"] {
            assert!(radii(text).is_err(), "{text:?}");
        }
    }
}
