//! The types of option values. Each is parsed in one place, while the command line is read: a wrong
//! value is wrong usage, and the message names the option, the value and what is allowed.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

/// Types of the trainer. A build without it accepts any text: its commands with such options fail.
#[cfg(feature = "train")]
pub mod trained {
    use dfrt_trainer::model::arch::Architecture;

    pub use dfrt_trainer::arms::Method;
    pub use dfrt_trainer::bench::Work;
    pub use dfrt_trainer::model::arch::Padding;
    pub use dfrt_trainer::model::conventions::Family;
    pub use dfrt_trainer::model::names::Scheme;
    pub use dfrt_trainer::study::arms::ArmSpec;
    pub use dfrt_trainer::study::preset::Preset;
    pub use dfrt_trainer::train::balance::Balance;
    pub use dfrt_trainer::train::fakes::Fakes;
    pub use dfrt_trainer::train::selection::Criterion;
    /// An architecture.
    pub type Arch = &'static Architecture;
}
#[cfg(not(feature = "train"))]
pub mod trained {
    pub type Arch = String;
    pub type ArmSpec = String;
    pub type Balance = String;
    pub type Criterion = String;
    pub type Fakes = String;
    pub type Family = String;
    pub type Method = String;
    pub type Padding = String;
    pub type Preset = String;
    pub type Scheme = String;
    pub type Work = String;
}

/// Parses a whole number of 1 or more.
///
/// # Errors
/// Anything else: what to give instead.
pub fn count<T: FromStr + Default + PartialEq>(text: &str) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| *number != T::default());
    number.ok_or_else(|| "give a whole number, 1 or more".to_owned())
}

/// Parses a number that is neither infinite nor NaN.
///
/// # Errors
/// Anything else: what to give instead.
pub fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "give a finite number".to_owned())
}

/// Values of one type, `a,b,…`; a comma in brackets is part of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T>(pub Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = |word: &str| word.trim().parse().map_err(|error: T::Err| error.to_string());
        let mut depth = 0;
        let outside = |sign: char| {
            depth += i32::from(sign == '[') - i32::from(sign == ']');
            sign == ',' && depth == 0
        };
        text.split(outside).map(value).collect::<Result<_, _>>().map(Self)
    }
}

/// Whole numbers, `0,1,2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers<T>(pub Vec<T>);

/// Seeds of runs.
pub type Seeds = Numbers<u64>;
/// Indices of taps.
pub type Taps = Numbers<usize>;

impl<T: FromStr> FromStr for Numbers<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |word: &str| {
            word.trim().parse().map_err(|_| format!("{word:?} is no whole number; give a list like 0,1,2"))
        };
        text.split(',').map(number).collect::<Result<_, _>>().map(Self)
    }
}

/// Names, `a,b,…`; empty ones are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl FromStr for Names {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        Ok(Self(names.map(str::to_owned).collect()))
    }
}

impl Names {
    /// All names of an option that may be given several times.
    pub fn all(given: &[Self]) -> Vec<String> {
        given.iter().flat_map(|names| &names.0).cloned().collect()
    }
}

/// A number for each of red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triple(pub [f32; 3]);

impl FromStr for Triple {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
        let three = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        three.map(Self).ok_or_else(|| "give three numbers like 0.5,0.5,0.5".to_owned())
    }
}

/// A duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = humantime::parse_duration(text);
        time.map(Self).map_err(|error| format!("give a time like 90s, 30m or 2h ({error})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_begin_at_one() {
        assert_eq!((count("1"), count("40")), (Ok(1_usize), Ok(40_u64)));
        for wrong in ["0", "-1", "1.5", "many", ""] {
            assert!(count::<usize>(wrong).unwrap_err().contains("1 or more"), "{wrong}");
        }
    }

    #[test]
    fn lists_are_parsed() {
        assert_eq!("0, 7,2".parse(), Ok(Numbers(vec![0_u64, 7, 2])));
        for wrong in ["", "1,", "1,x", "-1", "0.5"] {
            assert!(wrong.parse::<Seeds>().unwrap_err().contains("0,1,2"), "{wrong}");
        }
        let names = ["a, b,".parse().unwrap(), "c".parse().unwrap()];
        assert_eq!(Names::all(&names), ["a", "b", "c"]);
        assert_eq!("1,0.5,-2".parse(), Ok(Triple([1.0, 0.5, -2.0])));
        for wrong in ["", "1,2", "1,2,3,4", "1,2,x"] {
            assert!(wrong.parse::<Triple>().unwrap_err().contains("three numbers"), "{wrong}");
        }
    }
}
