//! Two arms on the same pictures.

/// Both arms of one training seed on the same pictures, in the same order.
#[derive(Clone, Debug)]
pub struct Pair<T> {
    /// The arm in question.
    pub arm: T,
    /// What it is compared with.
    pub against: T,
}

/// At how many seeds more the arm has a picture right than the other has.
pub(super) fn gained(pairs: &[Pair<&[bool]>], picture: usize) -> i64 {
    pairs.iter().map(|pair| i64::from(pair.arm[picture]) - i64::from(pair.against[picture])).sum()
}
