//! What a graph does to the pixels before it computes with them: the walk from its input
//! to the first convolution. As long as every channel stays `scale * pixel + offset`, the
//! file itself tells what range it takes, in which order the channels come, and whether
//! normalisation is inside.

use super::graph::{Constant, MOVERS, Wires, attribute, integer, list};
use std::collections::HashMap;
use tract_onnx::pb::NodeProto;

/// Operators that move pixels in the plane or average them, which keeps them what they are.
const IN_THE_PLANE: [&str; 9] = [
    "Resize",
    "Upsample",
    "Pad",
    "AveragePool",
    "MaxPool",
    "CenterCropPad",
    "QuantizeLinear",
    "DequantizeLinear",
    "Identity",
];
/// Operators that relabel numbers.
const RELABEL: [&str; 3] = ["Cast", "CastLike", "Dropout"];
/// Operators that bring each picture to its own mean and deviation, channel by channel.
const STANDARDISE: [&str; 2] = ["InstanceNormalization", "MeanVarianceNormalization"];
/// Reductions that move with a picture's brightness, so that a picture less one of them is the
/// same at every brightness.
const LEVEL: [&str; 5] = ["ReduceMean", "ReduceMax", "ReduceMin", "GlobalAveragePool", "GlobalMaxPool"];
/// Operators that make a few numbers of a whole picture.
const REDUCE: [&str; 9] = [
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceSum",
    "ReduceL2",
    "ReduceSumSquare",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "ReduceL1",
];
/// Operators after which pixels are no longer a scale and an offset of what they were.
const BEND: [&str; 14] = [
    "Pow",
    "Sqrt",
    "Exp",
    "Log",
    "Abs",
    "Neg",
    "Sigmoid",
    "Tanh",
    "Relu",
    "Floor",
    "Round",
    "Where",
    "ScatterND",
    "DFT",
];
/// Operators that the network begins with; what they take must have its channels second.
const CONVOLVE: [&str; 4] = ["Conv", "ConvInteger", "QLinearConv", "FusedConv"];

/// What one channel is of the pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Channel {
    /// The input's channel.
    pub of: usize,
    /// Its factor.
    pub scale: f64,
    /// What is added after that.
    pub offset: f64,
}

/// What the pixels are where the network begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Begin {
    /// They come as they are.
    Bare,
    /// Each of the input's channels, in its order, as `scale * pixel + offset`.
    Affine([Channel; 3]),
    /// A batch-norm comes first: means and deviations of what it was trained on.
    Statistics {
        /// Running means, in the order of the input's channels.
        mean: [f64; 3],
        /// Running deviations.
        std: [f64; 3],
    },
    /// Every picture is brought to its own mean and deviation.
    Standardised,
    /// Something that this walk does not follow, by the operator's name.
    Unknown(String),
}

/// What the walk found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// What the network begins with.
    pub begin: Begin,
    /// The operators between the pixels and that place, in order.
    pub operators: Vec<String>,
    /// The operator that the network begins with.
    pub first: String,
    /// Bounds that the pixels are clipped to, in the input's units.
    pub clipped: Option<(f64, f64)>,
    /// Whether a convolution takes the pixels.
    pub convolves: bool,
    /// Whether the channels are second where convolutions take them.
    pub channels_second: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// Pixels, with their channels on `axis` (none where they are in single planes).
    Pixels { axis: Option<usize>, channels: Vec<Channel>, statistics: Option<([f64; 3], [f64; 3])> },
    /// Numbers of a whole picture; `level` where they move with its brightness.
    Statistic { level: bool },
    /// Pixels less a level of their picture (`centred`), divided by a width of it (`scaled`).
    Relative { centred: bool, scaled: bool },
    /// Anything else that was made of the pixels.
    Other(String),
}

/// Walks from `input`, whose channels are on `axis`; none where nothing takes it.
pub(super) fn walk(wires: &Wires<'_>, input: &str, axis: usize) -> Option<Found> {
    let whole = (0..3).map(|of| Channel { of, scale: 1.0, offset: 0.0 }).collect();
    let start = State::Pixels { axis: Some(axis), channels: whole, statistics: None };
    let mut walk = Walk {
        wires,
        values: HashMap::from([(input.to_owned(), start)]),
        operators: Vec::new(),
        clipped: None,
        ends: Vec::new(),
    };
    for node in wires.ordered() {
        walk.step(node);
    }
    walk.found()
}

struct Walk<'a> {
    wires: &'a Wires<'a>,
    values: HashMap<String, State>,
    operators: Vec<String>,
    clipped: Option<(f64, f64)>,
    /// Where the network begins: the operator and what it takes.
    ends: Vec<(String, State)>,
}

impl Walk<'_> {
    fn step(&mut self, node: &NodeProto) {
        let taken: Vec<(usize, State)> = node
            .input
            .iter()
            .enumerate()
            .filter_map(|(place, name)| Some((place, self.values.get(name)?.clone())))
            .collect();
        let operator = node.op_type.as_str();
        if taken.is_empty() || operator == "Shape" || operator == "Size" {
            return;
        }
        let made = self.made(node, &taken);
        match made {
            Some(states) => {
                let new = |state: &State| matches!(state, State::Pixels { .. } | State::Relative { .. });
                if states.iter().any(new) && !matches!(operator, "Identity" | "Cast" | "Dropout") {
                    self.operators.push(operator.to_owned());
                }
                for (name, state) in node.output.iter().zip(states) {
                    self.values.insert(name.clone(), state);
                }
            }
            None => {
                for (_, state) in taken {
                    if !matches!(state, State::Statistic { .. }) {
                        self.ends.push((operator.to_owned(), state));
                    }
                }
            }
        }
    }

    /// What `node` makes of `taken`, an entry an output; none where the network begins.
    fn made(&mut self, node: &NodeProto, taken: &[(usize, State)]) -> Option<Vec<State>> {
        let operator = node.op_type.as_str();
        let outputs = node.output.len();
        let all = |state: State| Some(vec![state; outputs]);
        if CONVOLVE.contains(&operator) || matches!(operator, "MatMul" | "Gemm" | "MatMulInteger" | "Einsum")
        {
            return None;
        }
        if REDUCE.contains(&operator) {
            let level = LEVEL.contains(&operator) && matches!(taken, [(_, State::Pixels { .. })]);
            let whole = self.over_the_plane(node, taken);
            return all(if whole { State::Statistic { level } } else { other(operator) });
        }
        match taken {
            [(0, State::Pixels { .. })] if STANDARDISE.contains(&operator) => {
                all(State::Relative { centred: true, scaled: true })
            }
            [(0, State::Pixels { axis, channels, statistics })] => {
                self.of_pixels(node, *axis, channels, *statistics)
            }
            [(place, State::Pixels { axis, channels, .. })] => {
                // Only a constant in front, as in `Add(mean, pixels)`.
                let first = node.input.first().and_then(|name| self.wires.constant(name));
                let made = first
                    .filter(|_| *place == 1)
                    .and_then(|constant| calculated(operator, channels, *axis, &constant, false));
                Some(vec![made.map_or_else(|| other(operator), |channels| pixels(*axis, channels)); outputs])
            }
            _ => self.of_several(node, taken),
        }
    }

    fn of_pixels(
        &mut self,
        node: &NodeProto,
        axis: Option<usize>,
        channels: &[Channel],
        statistics: Option<([f64; 3], [f64; 3])>,
    ) -> Option<Vec<State>> {
        let operator = node.op_type.as_str();
        let outputs = node.output.len();
        let same = State::Pixels { axis, channels: channels.to_vec(), statistics };
        let one = |state: State| Some(vec![state; outputs]);
        if IN_THE_PLANE.contains(&operator) || RELABEL.contains(&operator) {
            return one(same);
        }
        let constant = |place: usize| node.input.get(place).and_then(|name| self.wires.constant(name));
        match operator {
            "Add" | "Sub" | "Mul" | "Div" => {
                let by = constant(1)?;
                one(calculated(operator, channels, axis, &by, true)
                    .map_or_else(|| other(operator), |channels| pixels(axis, channels)))
            }
            // Beside the pixels it gives the scale that it found for them.
            "DynamicQuantizeLinear" => {
                let mut made = vec![State::Statistic { level: false }; outputs];
                made.first_mut().into_iter().for_each(|first| *first = same.clone());
                Some(made)
            }
            "Clip" | "Min" | "Max" => {
                self.clip(node, channels);
                one(same)
            }
            "BatchNormalization" => one(self.batch_norm(node, axis, channels)),
            "Transpose" => {
                let moved = attribute(node, "perm").map(|perm| perm.ints.clone());
                let rank_4 = moved.unwrap_or_else(|| vec![3, 2, 1, 0]);
                let axis = axis.and_then(|axis| rank_4.iter().position(|&from| from == axis as i64));
                one(State::Pixels { axis, channels: channels.to_vec(), statistics })
            }
            "Reshape" | "Flatten" => one(same),
            "Squeeze" | "Unsqueeze" => {
                let axes = list(self.wires, node, 1, "axes").unwrap_or_default();
                let axis = axis.map(|axis| shifted(axis, &axes, operator == "Unsqueeze"));
                one(State::Pixels { axis, channels: channels.to_vec(), statistics })
            }
            "Gather" => one(self.gathered(node, axis, channels)),
            "Slice" => one(self.sliced(node, axis, channels)),
            "Split" => {
                let along = integer(node, "axis").unwrap_or(0);
                if axis.is_some_and(|axis| is_axis(along, axis)) && outputs == channels.len() {
                    let of_one = |channel: &Channel| pixels(axis, vec![*channel]);
                    return Some(channels.iter().map(of_one).collect());
                }
                one(other(operator))
            }
            _ if BEND.contains(&operator) => one(other(operator)),
            _ => None,
        }
    }

    /// Whether a reduction runs over the picture's plane, and not over its channels alone.
    fn over_the_plane(&self, node: &NodeProto, taken: &[(usize, State)]) -> bool {
        let axes = list(self.wires, node, 1, "axes").unwrap_or_default();
        match taken {
            [(_, State::Pixels { axis: Some(axis), .. })] => {
                axes.is_empty() || axes.iter().any(|&along| !is_axis(along, *axis))
            }
            _ => true,
        }
    }

    fn of_several(&mut self, node: &NodeProto, taken: &[(usize, State)]) -> Option<Vec<State>> {
        let operator = node.op_type.as_str();
        let all = |state: State| Some(vec![state; node.output.len()]);
        let moves =
            IN_THE_PLANE.contains(&operator) || RELABEL.contains(&operator) || MOVERS.contains(&operator);
        match taken {
            [(_, State::Statistic { level })] if moves => all(State::Statistic { level: *level }),
            _ if taken.iter().all(|(_, state)| matches!(state, State::Statistic { .. })) => {
                all(State::Statistic { level: false })
            }
            _ if operator == "Concat" => all(self.joined(node, taken)),
            [(_, relative @ State::Relative { .. })] => {
                // A constant scale or shift keeps it; a convolution does not come here.
                let keeps = ["Add", "Sub", "Mul", "Div", "Transpose", "Clip", "DynamicQuantizeLinear"];
                match operator {
                    _ if moves || keeps.contains(&operator) => all(relative.clone()),
                    _ if BEND.contains(&operator) => all(other(operator)),
                    _ => None,
                }
            }
            [(_, one), (_, two)] => all(relative(operator, one, two).unwrap_or_else(|| other(operator))),
            [(_, State::Other(_))] => None,
            _ => all(other(operator)),
        }
    }

    fn clip(&mut self, node: &NodeProto, channels: &[Channel]) {
        let constant = |place: usize| {
            let found = node.input.get(place).filter(|name| !name.is_empty());
            found.and_then(|name| self.wires.constant(name)).and_then(|found| found.numbers.first().copied())
        };
        let number = |name: &str| attribute(node, name).map(|found| f64::from(found.f));
        let (low, high) = match node.op_type.as_str() {
            "Clip" => (number("min").or_else(|| constant(1)), number("max").or_else(|| constant(2))),
            "Max" => (constant(1), None),
            _ => (None, constant(1)),
        };
        // In the units of the input, by the first channel; where there are several clips the
        // narrowest counts.
        let Some(Channel { scale, offset, .. }) = channels.first().filter(|channel| channel.scale > 0.0)
        else {
            return;
        };
        let unit = |bound: f64| (bound - offset) / scale;
        let (known_low, known_high) = self.clipped.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let low = low.map_or(known_low, |low| unit(low).max(known_low));
        let high = high.map_or(known_high, |high| unit(high).min(known_high));
        self.clipped = Some((low, high));
    }

    fn batch_norm(&self, node: &NodeProto, axis: Option<usize>, channels: &[Channel]) -> State {
        let at = |place: usize| node.input.get(place).and_then(|name| self.wires.constant(name));
        let epsilon = attribute(node, "epsilon").map_or(1e-5, |found| f64::from(found.f));
        let three = |constant: Constant| <[f64; 3]>::try_from(constant.numbers).ok();
        let numbers = [1, 2, 3, 4].map(|place| at(place).and_then(three));
        let ([Some(scale), Some(shift), Some(mean), Some(variance)], 3) = (numbers, channels.len()) else {
            return other("BatchNormalization");
        };
        let std: [f64; 3] = std::array::from_fn(|place| (variance[place] + epsilon).sqrt());
        let plain = |(place, channel): (usize, &Channel)| {
            channel.of == place && channel.scale == 1.0 && channel.offset == 0.0
        };
        let statistics = channels.iter().enumerate().all(plain).then_some((mean, std));
        let normal = channels.iter().enumerate().map(|(place, channel)| {
            let factor = scale[place] / std[place];
            Channel {
                of: channel.of,
                scale: channel.scale * factor,
                offset: (channel.offset - mean[place]) * factor + shift[place],
            }
        });
        State::Pixels { axis, channels: normal.collect(), statistics }
    }

    fn gathered(&self, node: &NodeProto, axis: Option<usize>, channels: &[Channel]) -> State {
        let along = integer(node, "axis").unwrap_or(0);
        let indices = node.input.get(1).and_then(|name| self.wires.constant(name));
        let (Some(indices), Some(axis)) = (indices, axis) else { return other("Gather") };
        if !is_axis(along, axis) {
            return pixels(Some(axis), channels.to_vec());
        }
        let picked: Option<Vec<Channel>> = indices.numbers.iter().map(|&at| picked(channels, at)).collect();
        // One index alone takes the axis away.
        let axis = (!indices.dims.is_empty()).then_some(axis);
        picked.map_or_else(|| other("Gather"), |channels| pixels(axis, channels))
    }

    fn sliced(&self, node: &NodeProto, axis: Option<usize>, channels: &[Channel]) -> State {
        let (Some(starts), Some(ends)) =
            (list(self.wires, node, 1, "starts"), list(self.wires, node, 2, "ends"))
        else {
            return other("Slice");
        };
        let axes = list(self.wires, node, 3, "axes").unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(self.wires, node, 4, "steps").unwrap_or_else(|| vec![1; starts.len()]);
        let place = axis.and_then(|axis| axes.iter().position(|&along| is_axis(along, axis)));
        let Some(place) = place else { return pixels(axis, channels.to_vec()) };
        let (Some(&start), Some(&end), Some(&step)) = (starts.get(place), ends.get(place), steps.get(place))
        else {
            return other("Slice");
        };
        let count = channels.len() as i64;
        let from_end = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
        let mut kept = Vec::new();
        let (mut at, backwards) = (from_end(start), step < 0);
        let end = if backwards { from_end(end).max(-1) } else { from_end(end).min(count) };
        at = at.clamp(if backwards { -1 } else { 0 }, if backwards { count - 1 } else { count });
        while step != 0 && ((backwards && at > end) || (!backwards && at < end)) {
            kept.extend(channels.get(at as usize).copied());
            at += step;
        }
        if kept.is_empty() { other("Slice") } else { pixels(axis, kept) }
    }

    fn joined(&self, node: &NodeProto, taken: &[(usize, State)]) -> State {
        let standardised = |state: &State| matches!(state, State::Relative { centred: true, scaled: true });
        if taken.iter().all(|(_, state)| standardised(state)) {
            return State::Relative { centred: true, scaled: true };
        }
        let along = integer(node, "axis").unwrap_or(0);
        let (mut all, mut at) = (Vec::new(), None);
        for (_, state) in taken {
            let State::Pixels { axis, channels, .. } = state else { return other("Concat") };
            // Planes without their axis got it back by an Unsqueeze, which says so.
            at = axis.or(usize::try_from(along).ok());
            if at.is_none_or(|axis| !is_axis(along, axis)) {
                return other("Concat");
            }
            all.extend_from_slice(channels);
        }
        // More than the pixels' channels: something beside them goes in.
        if all.len() == 3 && taken.len() == node.input.len() { pixels(at, all) } else { other("Concat") }
    }

    fn found(self) -> Option<Found> {
        let (first, _) = self.ends.first()?.clone();
        let begins: Vec<Begin> = self.ends.iter().map(|(operator, state)| begin(operator, state)).collect();
        let begin = match &begins[..] {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
            _ => Begin::Unknown(format!("{} branches that take them differently", begins.len())),
        };
        let channels_second = self.ends.iter().all(|(operator, state)| match state {
            State::Pixels { axis, .. } if CONVOLVE.contains(&operator.as_str()) => *axis == Some(1),
            _ => true,
        });
        let convolves = self.ends.iter().any(|(operator, _)| CONVOLVE.contains(&operator.as_str()));
        let (operators, clipped) = (self.operators, self.clipped);
        Some(Found { begin, operators, first, clipped, convolves, channels_second })
    }
}

/// Pixels less a level of their picture, or divided by a width of it.
fn relative(operator: &str, one: &State, two: &State) -> Option<State> {
    let known = |state: &State| match state {
        State::Pixels { .. } => Some((false, false)),
        State::Relative { centred, scaled } => Some((*centred, *scaled)),
        _ => None,
    };
    let ((centred, scaled), statistic, first) = match (known(one), known(two)) {
        (Some(found), None) => (found, two, true),
        (None, Some(found)) => (found, one, false),
        _ => return None,
    };
    let State::Statistic { level } = statistic else { return None };
    match operator {
        "Sub" if *level => Some(State::Relative { centred: true, scaled }),
        "Div" if first => Some(State::Relative { centred, scaled: true }),
        // By a width's reciprocal; a level would scale the wrong way.
        "Mul" if !*level => Some(State::Relative { centred, scaled: true }),
        _ => None,
    }
}

fn begin(operator: &str, state: &State) -> Begin {
    match state {
        State::Pixels { statistics: Some((mean, std)), .. } => Begin::Statistics { mean: *mean, std: *std },
        State::Pixels { channels, .. } => {
            let bare = |channel: &Channel| channel.scale == 1.0 && channel.offset == 0.0;
            let mut by_input: [Option<Channel>; 3] = [None; 3];
            for channel in channels {
                by_input[channel.of] = Some(*channel);
            }
            match by_input {
                _ if channels.iter().all(bare) => Begin::Bare,
                [Some(red), Some(green), Some(blue)] => Begin::Affine([red, green, blue]),
                _ => Begin::Unknown(operator.to_owned()),
            }
        }
        State::Relative { centred: true, scaled: true } => Begin::Standardised,
        // Its own mean alone leaves the scale open, its own width alone the middle.
        State::Relative { .. } | State::Statistic { .. } => Begin::Unknown(operator.to_owned()),
        State::Other(operator) => Begin::Unknown(operator.clone()),
    }
}

fn pixels(axis: Option<usize>, channels: Vec<Channel>) -> State {
    State::Pixels { axis, channels, statistics: None }
}

fn other(operator: &str) -> State {
    State::Other(operator.to_owned())
}

/// Pixels are at most of rank 5 here; an axis from the end is of rank 4.
fn is_axis(named: i64, axis: usize) -> bool {
    named == axis as i64 || named + 4 == axis as i64
}

fn picked(channels: &[Channel], at: f64) -> Option<Channel> {
    let at = if at < 0.0 { at + channels.len() as f64 } else { at };
    channels.get(at as usize).copied()
}

fn shifted(axis: usize, axes: &[i64], more: bool) -> usize {
    let before = axes.iter().filter(|&&at| at >= 0 && (at as usize) <= axis).count();
    if more { axis + before } else { axis.saturating_sub(before) }
}

/// The channels after an operator with a constant; `pixels_first` says which is the left
/// operand.
fn calculated(
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

/// A constant's number for each channel: one for all, one each, or the mean over a picture.
fn per_channel(by: &Constant, channels: usize, axis: Option<usize>) -> Option<Vec<f64>> {
    let count = by.numbers.len();
    if count == 1 {
        return Some(vec![by.numbers[0]; channels]);
    }
    if count == channels {
        return Some(by.numbers.clone());
    }
    if channels == 0 || count == 0 || !count.is_multiple_of(channels) {
        return None;
    }
    // A mean picture.
    let area = count / channels;
    let last = axis.is_some_and(|axis| axis + 1 >= by.dims.len().max(2));
    let mean = |channel: usize| -> f64 {
        let numbers = by.numbers.iter().enumerate();
        let own = |place: usize| if last { place % channels == channel } else { place / area == channel };
        numbers.filter(|(place, _)| own(*place)).map(|(_, number)| number).sum::<f64>() / area as f64
    };
    Some((0..channels).map(mean).collect())
}
