//! Channels as scale and offset of the input's channels, and how operators change them.

use crate::detector::graph::Constant;

/// One channel, by the input's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::detector) struct Channel {
    /// The input's channel.
    pub of: usize,
    /// The factor.
    pub scale: f64,
    /// The offset that is added after scaling.
    pub offset: f64,
}

impl Channel {
    /// The input's channels, unchanged.
    pub fn unchanged() -> Vec<Self> {
        (0..3).map(|of| Self { of, scale: 1.0, offset: 0.0 }).collect()
    }

    /// Whether it is a channel of the input, unchanged.
    pub fn is_unchanged(&self) -> bool {
        self.scale == 1.0 && self.offset == 0.0
    }

    /// `(channel - mean) * factor + shift`.
    pub fn normalised(&self, mean: f64, factor: f64, shift: f64) -> Self {
        Self { of: self.of, scale: self.scale * factor, offset: (self.offset - mean) * factor + shift }
    }
}

/// The channel at an index, counted from the end where it is negative.
pub(super) fn picked(channels: &[Channel], at: f64) -> Option<Channel> {
    let at = if at < 0.0 { at + channels.len() as f64 } else { at };
    channels.get(at as usize).copied()
}

/// The channels that a slice keeps, in its order. `end` is exclusive; both ends may be negative,
/// counted from the end.
pub(super) fn sliced(channels: &[Channel], start: i64, end: i64, step: i64) -> Vec<Channel> {
    let count = channels.len() as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
    let (mut at, backwards) = (from_end(start), step < 0);
    let end = if backwards { from_end(end).max(-1) } else { from_end(end).min(count) };
    at = at.clamp(if backwards { -1 } else { 0 }, if backwards { count - 1 } else { count });
    let mut kept = Vec::new();
    while step != 0 && ((backwards && at > end) || (!backwards && at < end)) {
        kept.extend(channels.get(at as usize).copied());
        at = at.saturating_add(step);
    }
    kept
}

/// The channels after an operator with a constant; `pixels_first` says which is the left
/// operand.
pub(super) fn calculated(
    operator: &str,
    channels: &[Channel],
    axis: Option<usize>,
    by: &Constant,
    pixels_first: bool,
) -> Option<Vec<Channel>> {
    let numbers = per_channel(by, channels.len(), axis)?;
    let change = |(channel, number): (&Channel, f64)| {
        let Channel { of, scale, offset } = *channel;
        let (scale, offset) = match (operator, pixels_first) {
            ("Add", _) => (scale, offset + number),
            ("Mul", _) => (scale * number, offset * number),
            ("Sub", true) => (scale, offset - number),
            ("Sub", false) => (-scale, number - offset),
            ("Div", true) => (scale / number, offset / number),
            _ => return None,
        };
        (scale.is_finite() && offset.is_finite()).then_some(Channel { of, scale, offset })
    };
    channels.iter().zip(numbers).map(change).collect()
}

/// A constant's number for each channel: one for all, one each, or, of a mean picture with its
/// channels on `axis` of four, the mean over the picture.
fn per_channel(by: &Constant, channels: usize, axis: Option<usize>) -> Option<Vec<f64>> {
    let count = by.numbers.len();
    if count == 1 {
        return Some(vec![by.numbers[0]; channels]);
    }
    if count == channels {
        return Some(by.numbers.clone());
    }
    let at = (axis? + by.dims.len()).checked_sub(4)?;
    if by.dims.get(at) != Some(&channels) || channels == 0 {
        return None;
    }
    let behind: usize = by.dims[at + 1..].iter().product();
    let mut sums = vec![0.0; channels];
    for (place, number) in by.numbers.iter().enumerate() {
        sums[place / behind.max(1) % channels] += number;
    }
    Some(sums.into_iter().map(|sum| sum / (count / channels) as f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(channels: &[Channel]) -> Vec<usize> {
        channels.iter().map(|channel| channel.of).collect()
    }

    #[test]
    fn slices_follow_the_specification() {
        let all = Channel::unchanged();
        let kept = |start, end, step| order(&sliced(&all, start, end, step));
        assert_eq!(kept(0, i64::MAX, 1), [0, 1, 2]);
        assert_eq!(kept(-1, i64::MIN + 1, -1), [2, 1, 0]);
        assert_eq!(kept(2, -4, -1), [2, 1, 0]);
        assert_eq!((kept(1, 2, 1), kept(0, 3, 2), kept(-2, 3, 1)), (vec![1], vec![0, 2], vec![1, 2]));
        assert!(kept(2, 1, 1).is_empty() && kept(0, 3, 0).is_empty());
        assert_eq!((picked(&all, -1.0).unwrap().of, picked(&all, 3.0)), (2, None));
    }

    #[test]
    fn constants_meet_the_channels_on_their_axis() {
        let constant = |dims: &[usize], numbers: Vec<f64>| Constant { dims: dims.to_vec(), numbers };
        assert_eq!(per_channel(&constant(&[], vec![2.0]), 3, Some(1)), Some(vec![2.0; 3]));
        // A mean picture, channels second and channels last.
        let planes = (0..12).map(|place| f64::from(place / 4)).collect();
        assert_eq!(per_channel(&constant(&[3, 2, 2], planes), 3, Some(1)), Some(vec![0.0, 1.0, 2.0]));
        let pixels = (0..12).map(|place| f64::from(place % 3)).collect();
        assert_eq!(per_channel(&constant(&[1, 2, 2, 3], pixels), 3, Some(3)), Some(vec![0.0, 1.0, 2.0]));
        // A mask over the plane is no number a channel.
        assert_eq!(per_channel(&constant(&[1, 1, 3, 3], vec![0.5; 9]), 3, Some(1)), None);
    }

    #[test]
    fn operators_with_constants_are_scales_and_offsets() {
        let of = |operator: &str, number: f64, first: bool| {
            let by = Constant { dims: vec![], numbers: vec![number] };
            let found = calculated(operator, &Channel::unchanged(), Some(1), &by, first)?;
            Some((found[2].scale, found[2].offset))
        };
        assert_eq!(of("Sub", 2.0, true), Some((1.0, -2.0)));
        assert_eq!(of("Sub", 2.0, false), Some((-1.0, 2.0)));
        assert_eq!((of("Div", 2.0, true), of("Div", 2.0, false)), (Some((0.5, 0.0)), None));
        assert_eq!(of("Div", 0.0, true), None, "no number comes out");
    }
}
