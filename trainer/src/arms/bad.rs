//! Settings of an arm that cannot be used.

/// Settings of an arm that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadArm {
    /// A tap that the network does not have, a repeated one, or none.
    #[error("taps {taps:?} cannot be used; name one or more of 0 to {last}, each once")]
    Taps {
        /// The value.
        taps: Vec<usize>,
        /// The last block that can be tapped.
        last: usize,
    },
    /// A number out of range.
    #[error("{name} = {value} cannot be used; choose {allowed}")]
    Number {
        /// Its name.
        name: &'static str,
        /// The value.
        value: f32,
        /// The allowed values.
        allowed: &'static str,
    },
}

/// Checks that a setting lies in a range.
pub(super) fn number(
    name: &'static str,
    value: f32,
    low: f32,
    high: f32,
    allowed: &'static str,
) -> Result<(), BadArm> {
    let fits = value.is_finite() && (low..=high).contains(&value);
    if fits { Ok(()) } else { Err(BadArm::Number { name, value, allowed }) }
}
