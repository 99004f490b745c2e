//! What a graph does to the pixels before the network begins: follows them from the input to the
//! first convolution. As long as every channel is `scale * pixel + offset`, the file proves the
//! range and the order of its channels, and whether it normalises them itself.

mod channels;
mod state;
mod statistic;

pub(super) use channels::Channel;

use super::graph::{Constant, MOVERS, Wires, attribute, integer, list};
use state::{State, Statistic};
use std::collections::HashMap;
use tract_onnx::pb::NodeProto;

/// Operators that move pixels in the plane or average them, which keeps scale and offset.
const IN_THE_PLANE: [&str; 7] =
    ["Resize", "Pad", "AveragePool", "MaxPool", "QuantizeLinear", "DequantizeLinear", "Identity"];
/// Operators that convert numbers and keep their values.
const RELABEL: [&str; 3] = ["Cast", "CastLike", "Dropout"];
/// Operators that normalise each picture by its own mean and deviation, channel by channel.
const STANDARDISE: [&str; 2] = ["InstanceNormalization", "MeanVarianceNormalization"];
/// Operators that reduce a picture to a few numbers.
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
/// Operators whose output is no scale and offset of the pixels any more.
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
/// Operators with which a network begins; their input must have its channels on the second axis.
const CONVOLVE: [&str; 3] = ["Conv", "ConvInteger", "QLinearConv"];

/// How the pixels reach the first operator of the network.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Begin {
    /// Unchanged.
    Unchanged,
    /// Each of the input's channels, in its order, as `scale * pixel + offset`.
    Affine([Channel; 3]),
    /// The first operator is a batch-norm; its statistics are those of the training pixels.
    Statistics {
        /// Running means, in the order of the input's channels.
        mean: [f64; 3],
        /// Running deviations.
        std: [f64; 3],
    },
    /// Every picture is normalised by its own mean and deviation.
    Standardised,
    /// Changed by an operator that is not followed; its name.
    Unknown(String),
}

/// What was found between the input and the network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// How the pixels reach the network.
    pub begin: Begin,
    /// The operators between the input and the network, in order.
    pub operators: Vec<String>,
    /// The first operator of the network.
    pub first: String,
    /// Bounds that the pixels are clipped to, in the input's units.
    pub clipped: Option<(f64, f64)>,
    /// Whether a convolution reads the pixels.
    pub convolves: bool,
    /// Whether the channels are on the second axis where convolutions read them.
    pub channels_second: bool,
}

/// Follows `input`, whose channels are on `axis`; `None` where no node reads it.
pub(super) fn walk(wires: &Wires<'_>, input: &str, axis: usize) -> Option<Found> {
    let start = State::Pixels { axis: Some(axis), channels: Channel::unchanged(), statistics: None };
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
    /// The first operators of the network and what they read.
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
                    if !matches!(state, State::Statistic(_)) {
                        self.ends.push((operator.to_owned(), state));
                    }
                }
            }
        }
    }

    /// What `node` makes of its inputs `taken`, an entry for each output; `None` where the
    /// network begins.
    fn made(&mut self, node: &NodeProto, taken: &[(usize, State)]) -> Option<Vec<State>> {
        let operator = node.op_type.as_str();
        let outputs = node.output.len();
        let all = |state: State| Some(vec![state; outputs]);
        if CONVOLVE.contains(&operator) || matches!(operator, "MatMul" | "Gemm" | "MatMulInteger" | "Einsum")
        {
            return None;
        }
        if REDUCE.contains(&operator) {
            let over_plane = self.over_the_plane(node, taken);
            let [(_, of)] = taken else { return all(other(operator)) };
            return all(if over_plane {
                State::Statistic(statistic::reduced(operator, of))
            } else {
                other(operator)
            });
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
                    .and_then(|constant| channels::calculated(operator, channels, *axis, &constant, false));
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
                one(channels::calculated(operator, channels, axis, &by, true)
                    .map_or_else(|| other(operator), |channels| pixels(axis, channels)))
            }
            // It also gives the scale that it found.
            "DynamicQuantizeLinear" => {
                let mut made = vec![State::Statistic(Statistic::Other); outputs];
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

    /// Whether a reduction runs over the picture's plane, not only over its channels.
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
        let statistics: Option<Vec<Statistic>> = taken.iter().map(|(_, state)| state.statistic()).collect();
        if let Some(statistics) = statistics {
            let constant_first = taken[0].0 > 0;
            let made = if moves {
                statistics[0]
            } else {
                statistic::calculated(operator, &statistics, constant_first)
            };
            return all(State::Statistic(made));
        }
        match taken {
            _ if operator == "Concat" => all(self.joined(node, taken)),
            [(_, relative @ State::Relative { .. })] => {
                // A constant scale or shift keeps it; a convolution does not come here.
                let keeps = ["Add", "Sub", "Mul", "Div", "Transpose", "Clip", "DynamicQuantizeLinear"];
                match operator {
                    _ if moves || keeps.contains(&operator) => all(relative.clone()),
                    _ if BEND.contains(&operator) => all(bent(operator)),
                    _ => None,
                }
            }
            [(_, State::Relative { .. }), (_, State::Relative { .. })] => all(bent(operator)),
            [(_, one), (_, two)] => {
                all(statistic::relative(operator, one, two).unwrap_or_else(|| other(operator)))
            }
            [(_, State::Other { .. })] => None,
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
        // In the units of the input, by the first channel; of several clips the narrowest counts.
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
        let std = variance.map(|variance| (variance + epsilon).sqrt());
        let places = channels.iter().enumerate();
        let normal = places.map(|(at, channel)| channel.normalised(mean[at], scale[at] / std[at], shift[at]));
        // Its statistics are those of the pixels where these arrive unchanged, in any order.
        let statistics = channels.iter().all(Channel::is_unchanged).then(|| {
            let mut by_input = ([0.0; 3], [1.0; 3]);
            for (at, channel) in channels.iter().enumerate() {
                (by_input.0[channel.of], by_input.1[channel.of]) = (mean[at], std[at]);
            }
            by_input
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
        let picked: Option<Vec<Channel>> =
            indices.numbers.iter().map(|&at| channels::picked(channels, at)).collect();
        // A single index removes the axis.
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
        let kept = channels::sliced(channels, start, end, step);
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
            // Single planes got their axis back from an Unsqueeze, which names it.
            at = axis.or(usize::try_from(along).ok());
            if at.is_none_or(|axis| !is_axis(along, axis)) {
                return other("Concat");
            }
            all.extend_from_slice(channels);
        }
        // More than the pixels' channels: something else is joined to them.
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

fn begin(operator: &str, state: &State) -> Begin {
    match state {
        State::Pixels { statistics: Some((mean, std)), .. } => Begin::Statistics { mean: *mean, std: *std },
        State::Pixels { channels, .. } => {
            let mut by_input: [Option<Channel>; 3] = [None; 3];
            for channel in channels {
                by_input[channel.of] = Some(*channel);
            }
            match by_input {
                _ if channels.iter().all(Channel::is_unchanged) => Begin::Unchanged,
                [Some(red), Some(green), Some(blue)] => Begin::Affine([red, green, blue]),
                _ => Begin::Unknown(operator.to_owned()),
            }
        }
        State::Relative { centred: true, scaled: true } => Begin::Standardised,
        // Subtracting its own mean leaves the scale unknown, dividing by its own width the
        // middle.
        State::Relative { .. } | State::Statistic(_) => Begin::Unknown(operator.to_owned()),
        State::Other { operator, .. } => Begin::Unknown(operator.clone()),
    }
}

fn pixels(axis: Option<usize>, channels: Vec<Channel>) -> State {
    State::Pixels { axis, channels, statistics: None }
}

/// Pixels without their brightness, changed by a non-linear operator such as a square.
fn bent(operator: &str) -> State {
    State::Other { operator: operator.to_owned(), relative: true }
}

fn other(operator: &str) -> State {
    State::Other { operator: operator.to_owned(), relative: false }
}

/// Pixels have at most rank 5 here; an axis counted from the end is one of rank 4.
fn is_axis(named: i64, axis: usize) -> bool {
    named == axis as i64 || named + 4 == axis as i64
}

fn shifted(axis: usize, axes: &[i64], more: bool) -> usize {
    let before = axes.iter().filter(|&&at| at >= 0 && (at as usize) <= axis).count();
    if more { axis + before } else { axis.saturating_sub(before) }
}
