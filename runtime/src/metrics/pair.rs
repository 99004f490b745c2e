//! Two arms on the same pictures.

/// Both arms of one training seed on the same pictures, in the same order.
#[derive(Clone, Debug)]
pub struct Pair<T> {
    /// The arm.
    pub arm: T,
    /// The arm that it is compared with.
    pub against: T,
}

/// The number of seeds at which the arm classifies `picture` correctly, minus that of the other
/// arm.
pub(super) fn seeds_gained(pairs: &[Pair<&[bool]>], picture: usize) -> i64 {
    pairs.iter().map(|pair| i64::from(pair.arm[picture]) - i64::from(pair.against[picture])).sum()
}
