//! From what a file proves, what a probe shows and what the user says to one reading; and
//! what is left to ask. Nothing here is guessed: where evidence is missing or disagrees there
//! is a [`Question`] that names the option which settles it.

use super::answer::{Closing, Says};
use super::asked::{Asked, CAFFE, IMAGENET, Pixels, Preprocess};
use super::beside::Beside;
use super::pixels::{Begin, Channel, Found};
use super::probe::Answers;
use super::reading::{Channels, Output, Range};
use super::signature::{Element, Signature};
use serde::Serialize;

/// Where a part of a reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The user said it.
    Said,
    /// The file's graph has no other meaning.
    Proved,
    /// A file beside the model says it.
    Beside,
    /// The model was run on drawn pictures.
    Probed,
    /// Nothing but custom speaks for it, and the data show it where it is wrong.
    Custom,
}

/// A part of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Which: `layout`, `pixels`, `output`, …
    pub part: &'static str,
    /// How it is read.
    pub value: String,
    /// Where that comes from.
    pub source: Source,
    /// Why.
    pub why: String,
}

/// What only the user can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Which part of the reading it is about.
    pub part: &'static str,
    /// What is not known, and why.
    pub unknown: String,
    /// What can be passed, an option and what it means each, the likeliest first.
    pub answers: Vec<(String, String)>,
}

impl Question {
    /// The question on one line.
    pub fn line(&self) -> String {
        let answers: Vec<String> =
            self.answers.iter().map(|(option, means)| format!("{option} ({means})")).collect();
        format!("{}; pass {}", self.unknown, answers.join(", or "))
    }
}

fn fact(part: &'static str, value: impl Into<String>, source: Source, why: impl Into<String>) -> Fact {
    Fact { part, value: value.into(), source, why: why.into() }
}

/// How the pixels go in. `linear` says that the whole graph is.
pub(super) fn pixels(
    asked: &Asked,
    signature: &Signature,
    walked: Option<&Found>,
    beside: &Beside,
    linear: bool,
) -> Result<(Pixels, Fact), Question> {
    if signature.element == Element::Byte && asked.first_of_pixels().is_some() {
        return Err(bytes_alone());
    }
    let proof = proof(signature, walked);
    let told = |pixels: Pixels, source, why: String| {
        let pixels = Pixels { channels: asked.channels.unwrap_or(pixels.channels), ..pixels };
        (pixels, fact("pixels", words(&pixels), source, why))
    };
    if let Some(preprocess) = asked.preprocess {
        let pixels = preprocess.pixels();
        return match proof {
            Proof::Inside(proved, why) if proved != pixels => Err(twice(preprocess, &proved, &why)),
            _ => Ok(told(pixels, Source::Said, format!("--preprocess {preprocess}"))),
        };
    }
    if asked.mean.is_some() || asked.std.is_some() {
        let (pixels, why) = by_numbers(asked);
        return Ok(told(pixels, Source::Said, why));
    }
    if let Some(range) = asked.range
        && (range != Range::Unit || matches!(proof, Proof::Inside(..)))
    {
        return Ok(told(Pixels::as_they_are(range), Source::Said, format!("--range {range}")));
    }
    match (proof, &beside.pixels) {
        (Proof::Inside(pixels, why), _) => Ok(told(pixels, Source::Proved, why)),
        (_, Some((pixels, file))) => Ok(told(*pixels, Source::Beside, format!("{file} beside it says so"))),
        (Proof::Open(_), None) if linear => {
            let why = "the whole graph is linear, so a normalisation would be part of it".to_owned();
            Ok(told(Pixels::as_they_are(Range::Unit), Source::Custom, why))
        }
        (Proof::Open(why), None) => Err(which_preprocessing(why)),
    }
}

/// An input of 8-bit numbers has no place for a mean or another scale.
fn bytes_alone() -> Question {
    let unknown = "its input takes 8-bit numbers, so pixels go in as they are, from 0 to 255".to_owned();
    let answers =
        vec![("nothing".to_owned(), "leave --preprocess, --range, --mean and --std out".to_owned())];
    Question { part: "pixels", unknown, answers }
}

fn which_preprocessing(why: String) -> Question {
    let mut answers: Vec<(String, String)> =
        Preprocess::ALL.iter().map(|way| (format!("--preprocess {way}"), way.words().to_owned())).collect();
    answers.push(("--mean and --std".to_owned(), "as it was trained".to_owned()));
    Question { part: "pixels", unknown: why, answers }
}

fn twice(preprocess: Preprocess, proved: &Pixels, why: &str) -> Question {
    let unknown =
        format!("--preprocess {preprocess} contradicts the file, which takes {} ({why})", words(proved));
    let answers = vec![
        ("nothing".to_owned(), "leave --preprocess out: it is read as the file proves".to_owned()),
        ("--range, --mean and --std".to_owned(), "they are obeyed as they are".to_owned()),
    ];
    Question { part: "pixels", unknown, answers }
}

/// What the user's mean and deviation imply: their size tells the range.
fn by_numbers(asked: &Asked) -> (Pixels, String) {
    let (mean, std) = (asked.mean.unwrap_or([0.0; 3]), asked.std.unwrap_or([1.0; 3]));
    let large = mean.iter().any(|value| value.abs() > 1.5) || std.iter().any(|&value| value > 8.0);
    let by_size = if large { Range::Bytes } else { Range::Unit };
    let range = asked.range.unwrap_or(by_size);
    let why = match asked.range {
        Some(_) => "--range, --mean and --std".to_owned(),
        None => format!("--mean and --std, whose size says {range}"),
    };
    (Pixels { channels: Channels::Rgb, range, mean, std }, why)
}

/// "0-1, mean 0.5,0.5,0.5, std 0.5,0.5,0.5, red first".
fn words(pixels: &Pixels) -> String {
    let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
    let mut text = format!("{}", pixels.range);
    if pixels.mean != [0.0; 3] || pixels.std != [1.0; 3] {
        text += &format!(", mean {}, std {}", list(pixels.mean), list(pixels.std));
    }
    match pixels.channels {
        Channels::Rgb => text,
        Channels::Bgr => text + ", blue first",
    }
}

/// What the graph proves about the pixels.
enum Proof {
    /// Normalisation is inside: they go in as they are, in this range and order.
    Inside(Pixels, String),
    /// Nothing, for this reason.
    Open(String),
}

fn proof(signature: &Signature, walked: Option<&Found>) -> Proof {
    let first = walked.map_or("unknown", |found| &found.first);
    if signature.element == Element::Byte {
        let pixels = Pixels { channels: order(walked, Range::Bytes), ..Pixels::as_they_are(Range::Bytes) };
        return Proof::Inside(pixels, "its input takes 8-bit numbers".to_owned());
    }
    let Some(found) = walked else {
        return Proof::Open("no operator takes the pixels, so how they go in is not known".to_owned());
    };
    let through = match &found.operators[..] {
        [] => String::new(),
        operators => format!(" after {}", shortened(operators)),
    };
    let inside = |range: Range, why: String| {
        Proof::Inside(Pixels { channels: order(walked, range), ..Pixels::as_they_are(range) }, why)
    };
    if let Some(range) = found.clipped.and_then(clipped_to) {
        return inside(range, format!("it clips its input to {range}"));
    }
    match &found.begin {
        Begin::Standardised => inside(
            Range::Unit,
            format!("it brings each picture to its own mean and deviation ({})", shortened(&found.operators)),
        ),
        Begin::Affine(channels) => match of_affine(channels) {
            Some(range) => {
                inside(range, format!("it normalises inside the graph ({})", shortened(&found.operators)))
            }
            None => Proof::Open(format!(
                "its graph scales the pixels ({}), but in which range they come is not known",
                shortened(&found.operators)
            )),
        },
        Begin::Statistics { mean, std } => match of_statistics(mean, std) {
            Some(range) => {
                inside(range, "its first operator is a batch-norm over pixels of that range".to_owned())
            }
            None => Proof::Open(
                "its first operator is a batch-norm over pixels that were normalised before it".to_owned(),
            ),
        },
        Begin::Bare => Proof::Open(format!(
            "its graph shows no normalisation (its first operator{through} is {first}), so how pixels go in is not known"
        )),
        Begin::Unknown(operator) => Proof::Open(format!(
            "what its graph does with the pixels first ({operator}) does not tell how they go in"
        )),
    }
}

/// Up to six operators, the rest counted.
fn shortened(operators: &[String]) -> String {
    let shown = operators.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
    match operators.len().saturating_sub(6) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn clipped_to((low, high): (f64, f64)) -> Option<Range> {
    let near = |value: f64, wanted: f64| (value - wanted).abs() < 1e-3 * wanted.abs().max(1.0);
    [(Range::Unit, 0.0, 1.0), (Range::Bytes, 0.0, 255.0), (Range::Signed, -1.0, 1.0)]
        .into_iter()
        .find(|(_, black, white)| near(low, *black) && near(high, *white))
        .map(|(range, ..)| range)
}

/// The only range that a scale and an offset bring to what networks take: one unit or some,
/// about 0 or from 0 on, or, as Caffe has it, 255 of them. Signed pixels must come to at least
/// one and a half units, or to exactly 0 to 1: less is what pixels that were normalised before
/// are brought to (torchvision's `transform_input`).
fn of_affine(channels: &[Channel; 3]) -> Option<Range> {
    let mean = |of: &dyn Fn(&Channel) -> f64| channels.iter().map(of).sum::<f64>() / 3.0;
    let (scale, offset) = (mean(&|channel| channel.scale), mean(&|channel| channel.offset));
    let mut likely = Vec::new();
    for (range, black, white) in
        [(Range::Unit, 0.0, 1.0), (Range::Bytes, 0.0, 255.0), (Range::Signed, -1.0, 1.0)]
    {
        let (from, to) = (scale * black + offset, scale * white + offset);
        let (width, centre) = ((to - from).abs(), ((to + from) / 2.0).abs());
        let to_unit = (from.abs() + (to - 1.0).abs()) < 1e-3;
        let least = if range == Range::Signed && !to_unit { 1.5 } else { 0.9 };
        let wide = (least..=10.0).contains(&width) || (200.0..=300.0).contains(&width);
        if wide && centre <= 0.55 * width {
            likely.push((range, centre / width));
        }
    }
    likely.sort_by(|one, two| one.1.total_cmp(&two.1));
    match likely[..] {
        [(range, _)] => Some(range),
        // A scale alone is centred on 0 for signed pixels, whatever it is.
        [(range, centred), (_, other), ..] if other - centred >= 0.15 && offset != 0.0 => Some(range),
        _ => None,
    }
}

fn of_statistics(mean: &[f64; 3], std: &[f64; 3]) -> Option<Range> {
    let all =
        |values: &[f64; 3], low: f64, high: f64| values.iter().all(|value| (low..=high).contains(value));
    if all(mean, 0.2, 0.8) && all(std, 0.1, 0.4) {
        Some(Range::Unit)
    } else if all(mean, 51.0, 204.0) && all(std, 25.0, 102.0) {
        Some(Range::Bytes)
    } else if all(mean, -0.25, 0.25) && all(std, 0.3, 0.75) {
        Some(Range::Signed)
    } else {
        None
    }
}

/// Blue first where the means that the graph subtracts are ImageNet's or Caffe's in that order.
fn order(walked: Option<&Found>, range: Range) -> Channels {
    let means = match walked.map(|found| &found.begin) {
        Some(Begin::Affine(channels)) => channels.map(|channel| -channel.offset / channel.scale),
        Some(Begin::Statistics { mean, .. }) => *mean,
        _ => return Channels::Rgb,
    };
    let unit = means.map(|mean| match range {
        Range::Unit => mean,
        Range::Bytes => mean / 255.0,
        Range::Signed => (mean + 1.0) / 2.0,
    });
    let known = [IMAGENET.0, CAFFE.map(|mean| mean / 255.0)];
    let near = |means: [f64; 3]| {
        let close = |known: &[f32; 3]| {
            known.iter().zip(means).all(|(one, two)| (f64::from(*one) - two).abs() < 0.012)
        };
        known.iter().any(close)
    };
    let [red, green, blue] = unit;
    if near([blue, green, red]) && !near(unit) { Channels::Bgr } else { Channels::Rgb }
}

/// What is known of an output.
pub(super) struct Evidence<'a> {
    /// What its operators say.
    pub says: &'a Says,
    /// The closing operator that was cut off.
    pub cut: Option<&'a Closing>,
    /// What it answered to drawn pictures, where it was asked.
    pub answers: Option<&'a Answers>,
    /// Whether it stays bounded far beyond white and black, where that was asked.
    pub bounded: Option<bool>,
    /// Numbers a picture.
    pub outputs: usize,
}

/// What an output gives that is no score which could be read, however it is asked for.
pub(super) fn no_score(says: &Says, outputs: usize) -> Option<String> {
    match says {
        Says::Label(operator) => Some(format!("labels ({operator}) and no scores")),
        Says::LogProbability(operator) if outputs == 1 => {
            Some(format!("the logarithm of one class's probability ({operator}) and not all of them"))
        }
        _ => None,
    }
}

/// What the output's numbers are.
pub(super) fn output(asked: &Asked, evidence: &Evidence<'_>) -> Result<(Output, Fact), Question> {
    let told =
        |output: Output, source, why: String| Ok((output, fact("output", output.to_string(), source, why)));
    let numbers = evidence.answers.map(span).unwrap_or_default();
    if let Some(closing) = evidence.cut {
        let operator = &closing.operator;
        if operator == "Sigmoid" && evidence.outputs > 1 && asked.output.is_none() {
            return Err(which_output(format!(
                "its {} outputs stand behind sigmoids of their own, so they are not the probabilities of one choice",
                evidence.outputs
            )));
        }
        let source = if asked.output.is_some() { Source::Said } else { Source::Proved };
        return told(Output::Logit, source, format!("read before the closing {operator}, where it is exact"));
    }
    if let Some(output) = asked.output {
        let inside = evidence.answers.is_some_and(|answers| answers.probabilities);
        if let (Output::Logit, true, Says::Probability(operator)) = (output, inside, evidence.says) {
            return Err(which_output(format!(
                "--output logit contradicts the file: its numbers stand behind a {operator} and are probabilities ({numbers})"
            )));
        }
        return told(output, Source::Said, format!("--output {output}"));
    }
    let inside = evidence.answers.is_some_and(|answers| answers.probabilities);
    match (evidence.says, inside) {
        (Says::Probability(operator), true) => {
            told(Output::Probability, Source::Proved, format!("it stands behind a {operator}, and {numbers}"))
        }
        (Says::Logit(operator), false) => {
            told(Output::Logit, Source::Proved, format!("its last operator is {operator}, and {numbers}"))
        }
        (Says::Unknown(operator), true) if evidence.bounded != Some(false) => told(
            Output::Probability,
            Source::Probed,
            format!("its last operator, {operator}, does not tell, but {numbers}"),
        ),
        (Says::Probability(operator), false) => Err(which_output(format!(
            "its output stands behind a {operator}, but is no probability: {numbers}"
        ))),
        (Says::Logit(operator), true) => Err(which_output(format!(
            "its last operator is {operator}, as of a logit, but its numbers look like probabilities: {numbers}"
        ))),
        // Of all classes they are the logits but for one number, which drops out.
        (Says::LogProbability(operator), _) if evidence.outputs > 1 => {
            told(Output::Logit, Source::Proved, format!("its last operator is {operator}, and {numbers}"))
        }
        // A detector is not made of these; see [`no_score`].
        (Says::Label(operator) | Says::LogProbability(operator), _) => {
            Err(which_output(format!("its output is made by {operator}")))
        }
        (Says::Unknown(operator), inside) => {
            let bounds = if inside { ", and only for usual pixels" } else { "" };
            Err(which_output(format!(
                "whether its output is a logit or a probability is not known: its last operator is {operator}, and {numbers}{bounds}"
            )))
        }
    }
}

fn span(answers: &Answers) -> String {
    let Answers { pictures, low, high, probabilities } = answers;
    if low > high {
        return "drawn pictures give no numbers".to_owned();
    }
    let sums = if *probabilities { "in [0, 1]" } else { "not all in [0, 1] with a sum of 1" };
    let found = if low == high { format!("{low:.3}") } else { format!("{low:.3} to {high:.3}") };
    match pictures {
        1 => format!("a drawn picture gives {found}, {sums}"),
        _ => format!("{pictures} drawn pictures give {found}, {sums}"),
    }
}

fn which_output(unknown: String) -> Question {
    let answers = vec![
        ("--output logit".to_owned(), "above 0, or the largest, says fake".to_owned()),
        ("--output probability".to_owned(), "from 0 to 1, above one half says fake".to_owned()),
    ];
    Question { part: "output", unknown, answers }
}

/// Which class is fake.
pub(super) fn fake_index(asked: &Asked, beside: &Beside, outputs: usize) -> Result<(usize, Fact), Question> {
    let most = outputs.max(2) - 1;
    let wrong = |index: usize| Question {
        part: "fake-index",
        unknown: format!("class {index} is none of its {} classes", most + 1),
        answers: vec![(format!("--fake-index 0 to {most}"), "the class that is fake".to_owned())],
    };
    let told =
        |index: usize, source, why: String| Ok((index, fact("fake-index", index.to_string(), source, why)));
    if let Some(index) = asked.fake_index {
        return if index > most {
            Err(wrong(index))
        } else {
            told(index, Source::Said, "--fake-index".to_owned())
        };
    }
    match (&beside.fake_index, outputs) {
        (Some((index, file)), 2..) if *index <= most => {
            told(*index, Source::Beside, format!("{file} beside it names the classes"))
        }
        (_, 1) => told(1, Source::Custom, "a high output is taken to say fake".to_owned()),
        (_, 2) => told(1, Source::Custom, "of its two outputs the second is taken to say fake".to_owned()),
        _ => Err(Question {
            part: "fake-index",
            unknown: format!("it gives {outputs} numbers a picture, and which class is fake is not known"),
            answers: vec![(format!("--fake-index 0 to {most}"), "the class that is fake".to_owned())],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three(scale: [f64; 3], offset: [f64; 3]) -> [Channel; 3] {
        std::array::from_fn(|of| Channel { of, scale: scale[of], offset: offset[of] })
    }

    /// `(pixel * before - mean) / std`.
    fn normal(before: f64, mean: [f32; 3], std: [f32; 3]) -> [Channel; 3] {
        let (mean, std) = (mean.map(f64::from), std.map(f64::from));
        three(std.map(|value| before / value), std::array::from_fn(|of| -mean[of] / std[of]))
    }

    fn bytes(mean: [f32; 3], std: [f32; 3]) -> [Channel; 3] {
        normal(1.0, mean.map(|value| 255.0 * value), std.map(|value| 255.0 * value))
    }

    #[test]
    fn scale_and_offset_tell_the_range() {
        let (mean, std) = IMAGENET;
        let same = |scale: f64, offset: f64| three([scale; 3], [offset; 3]);
        let signed = |scale: [f64; 3], offset: [f64; 3]| {
            three(scale.map(|it| it / 2.0), std::array::from_fn(|of| offset[of] + scale[of] / 2.0))
        };
        let unit = normal(1.0, mean, std);
        let table = [
            (unit, Some(Range::Unit), "ImageNet's"),
            (bytes(mean, std), Some(Range::Bytes), "ImageNet's on bytes"),
            (
                signed(unit.map(|it| it.scale), unit.map(|it| it.offset)),
                Some(Range::Signed),
                "ImageNet's after (x + 1) / 2",
            ),
            (same(2.0, -1.0), Some(Range::Unit), "2 x - 1"),
            (same(1.0 / 127.5, -1.0), Some(Range::Bytes), "x / 127.5 - 1"),
            (same(1.0 / 255.0, 0.0), Some(Range::Bytes), "x / 255"),
            (same(0.5, 0.5), Some(Range::Signed), "(x + 1) / 2"),
            (same(127.5, 127.5), Some(Range::Signed), "127.5 (x + 1)"),
            (same(1.0, -0.5), Some(Range::Unit), "x - 0.5"),
            (same(255.0, 0.0), Some(Range::Unit), "255 x"),
            (normal(1.0, CAFFE, [1.0; 3]), Some(Range::Bytes), "x - Caffe's mean"),
            (normal(255.0, CAFFE, [1.0; 3]), Some(Range::Unit), "255 x - Caffe's mean"),
            (normal(1.0, mean, [1.0; 3]), Some(Range::Unit), "x - ImageNet's mean"),
            (
                normal(1.0, [0.064_5, 0.113_6, 0.204_4], [2.183, 2.232, 2.222]),
                None,
                "torchvision's transform_input, behind ImageNet's",
            ),
            (same(2.0, 0.0), None, "2 x"),
            (same(1.0, 1.0), None, "x + 1"),
            (same(1e-6, 0.0), None, "x / 1e6"),
        ];
        for (channels, range, what) in table {
            assert_eq!(of_affine(&channels), range, "{what}");
        }
    }

    #[test]
    fn means_tell_the_order_of_the_channels() {
        let reversed = |values: [f32; 3]| [values[2], values[1], values[0]];
        let found = |channels: [Channel; 3]| {
            let begin = Begin::Affine(channels);
            Found {
                begin,
                operators: vec![],
                first: "Conv".into(),
                clipped: None,
                convolves: true,
                channels_second: true,
            }
        };
        let (mean, std) = IMAGENET;
        for (channels, range, expected) in [
            (normal(1.0, mean, std), Range::Unit, Channels::Rgb),
            (normal(1.0, reversed(mean), reversed(std)), Range::Unit, Channels::Bgr),
            (normal(1.0, CAFFE, [1.0; 3]), Range::Bytes, Channels::Rgb),
            (normal(1.0, reversed(CAFFE), [1.0; 3]), Range::Bytes, Channels::Bgr),
            (normal(1.0, [0.5; 3], [0.5; 3]), Range::Unit, Channels::Rgb),
        ] {
            assert_eq!(order(Some(&found(channels)), range), expected, "{channels:?}");
        }
    }

    #[test]
    fn what_a_batch_norm_was_trained_on_tells_its_range() {
        for (mean, std, range) in [
            (0.45, 0.25, Some(Range::Unit)),
            (120.0, 60.0, Some(Range::Bytes)),
            (-0.1, 0.5, Some(Range::Signed)),
            (0.0, 1.0, None),
        ] {
            assert_eq!(of_statistics(&[mean; 3], &[std; 3]), range, "{mean} {std}");
        }
    }

    #[test]
    fn graph_and_probe_must_agree_about_the_output() {
        let answers = |probabilities| Answers { pictures: 8, low: 0.0, high: 1.0, probabilities };
        let says =
            [Says::Logit("Gemm".into()), Says::Probability("Softmax".into()), Says::Unknown("Div".into())];
        let settled = |says: &Says, inside: bool, bounded: Option<bool>, asked: Option<Output>| {
            let answers = answers(inside);
            let evidence = Evidence { says, cut: None, answers: Some(&answers), bounded, outputs: 1 };
            output(&Asked { output: asked, ..Asked::default() }, &evidence)
                .map(|(output, _)| output)
                .map_err(|it| it.line())
        };
        assert_eq!(settled(&says[0], false, None, None), Ok(Output::Logit));
        assert_eq!(settled(&says[1], true, None, None), Ok(Output::Probability));
        assert_eq!(settled(&says[2], true, Some(true), None), Ok(Output::Probability));
        for (place, inside, bounded) in
            [(0, true, None), (1, false, None), (2, false, None), (2, true, Some(false))]
        {
            let line = settled(&says[place], inside, bounded, None).unwrap_err();
            assert!(line.contains("--output logit") && line.contains("--output probability"), "{line}");
        }
        assert_eq!(settled(&says[0], true, None, Some(Output::Logit)), Ok(Output::Logit));
        assert!(settled(&says[1], true, None, Some(Output::Logit)).unwrap_err().contains("contradicts"));
    }
}
