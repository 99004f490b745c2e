//! How pixels are scaled: by the graph, by files beside the model, or by the user.

use super::{Answer, Fact, Question, Source, fact};
use crate::detector::overrides::{CAFFE, IMAGENET, Overrides, Pixels, Preprocess};
use crate::detector::pixels::{Begin, Channel, Found};
use crate::detector::sidecar::Sidecar;
use crate::detector::signature::{Element, Signature};
use crate::reading::{Channels, Range};

/// How the pixels are scaled, without the order of the channels. `linear`: the whole graph is
/// linear.
pub(in crate::detector) fn pixels(
    overrides: &Overrides,
    signature: &Signature,
    walked: Option<&Found>,
    sidecar: &Sidecar,
    linear: bool,
) -> Result<(Pixels, Fact), Question> {
    if signature.element == Element::Byte && overrides.first_pixel_option().is_some() {
        return Err(bytes_alone());
    }
    let proof = proof(signature, walked);
    let with_fact =
        |pixels: Pixels, source, why: String| (pixels, fact("pixels", words(&pixels), source, why));
    if let Some(preprocess) = overrides.preprocess {
        let pixels = preprocess.pixels();
        return match proof {
            Proof::Inside(proved, why) if proved != pixels => Err(contradiction(preprocess, &proved, &why)),
            _ => Ok(with_fact(pixels, Source::User, format!("--preprocess {preprocess}"))),
        };
    }
    if overrides.mean.is_some() || overrides.std.is_some() {
        let (pixels, why) = by_numbers(overrides);
        return Ok(with_fact(pixels, Source::User, why));
    }
    if let Some(range) = overrides.range
        && (range != Range::Unit || matches!(proof, Proof::Inside(..)))
    {
        return Ok(with_fact(Pixels::plain(range), Source::User, format!("--range {range}")));
    }
    match (proof, &sidecar.pixels) {
        (Proof::Inside(pixels, why), _) => Ok(with_fact(pixels, Source::Proved, why)),
        (_, Some((pixels, file))) => {
            Ok(with_fact(*pixels, Source::Sidecar, format!("{file} next to it says so")))
        }
        (Proof::Open(_), None) if linear => {
            let why = "the whole graph is linear, so a normalisation would be part of it".to_owned();
            Ok(with_fact(Pixels::plain(Range::Unit), Source::Convention, why))
        }
        (Proof::Open(why), None) => Err(which_preprocessing(why)),
    }
}

/// An input of 8-bit numbers cannot be normalised before it.
fn bytes_alone() -> Question {
    let unknown = "its input takes 8-bit numbers, so pixels go in as they are, from 0 to 255".to_owned();
    let answers =
        vec![Answer::advice("leave --preprocess, --range, --mean and --std out", "they cannot be applied")];
    Question { part: "pixels", unknown, answers }
}

fn which_preprocessing(why: String) -> Question {
    let mut answers: Vec<Answer> = Preprocess::ALL
        .iter()
        .map(|way| Answer::new(format!("--preprocess {way}"), way.description()))
        .collect();
    answers.push(Answer::advice("--mean and --std", "as it was trained"));
    Question { part: "pixels", unknown: why, answers }
}

fn contradiction(preprocess: Preprocess, proved: &Pixels, why: &str) -> Question {
    let unknown =
        format!("--preprocess {preprocess} contradicts the file, which takes {} ({why})", words(proved));
    let answers = vec![
        Answer::advice("leave --preprocess out", "it is read as the file proves"),
        Answer::advice("give --range, --mean and --std", "they are obeyed as they are"),
    ];
    Question { part: "pixels", unknown, answers }
}

/// The scaling by the user's mean and deviation, whose size implies the range.
fn by_numbers(overrides: &Overrides) -> (Pixels, String) {
    let (mean, std) = (overrides.mean.unwrap_or([0.0; 3]), overrides.std.unwrap_or([1.0; 3]));
    let large = mean.iter().any(|value| value.abs() > 1.5) || std.iter().any(|&value| value > 8.0);
    let by_size = if large { Range::Bytes } else { Range::Unit };
    let range = overrides.range.unwrap_or(by_size);
    let why = match overrides.range {
        Some(_) => "--range, --mean and --std".to_owned(),
        None => format!("--mean and --std, whose size says {range}"),
    };
    (Pixels { channels: Channels::Rgb, range, mean, std }, why)
}

/// "0-1, mean 0.5,0.5,0.5, std 0.5,0.5,0.5".
fn words(pixels: &Pixels) -> String {
    let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(",");
    let mut text = format!("{}", pixels.range);
    if pixels.mean != [0.0; 3] || pixels.std != [1.0; 3] {
        text += &format!(", mean {}, std {}", list(pixels.mean), list(pixels.std));
    }
    text
}

/// What the graph proves about the scaling of pixels.
enum Proof {
    /// It normalises the pixels itself and takes them in this range; why.
    Inside(Pixels, String),
    /// Nothing; why.
    Open(String),
}

fn proof(signature: &Signature, walked: Option<&Found>) -> Proof {
    let first = walked.map_or("unknown", |found| &found.first);
    if signature.element == Element::Byte {
        return Proof::Inside(Pixels::plain(Range::Bytes), "its input takes 8-bit numbers".to_owned());
    }
    let Some(found) = walked else {
        return Proof::Open("no operator takes the pixels, so how they go in is not known".to_owned());
    };
    let through = match &found.operators[..] {
        [] => String::new(),
        operators => format!(" after {}", shortened(operators)),
    };
    let inside = |range: Range, why: String| Proof::Inside(Pixels::plain(range), why);
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
        Begin::Unchanged => Proof::Open(format!(
            "its graph shows no normalisation (its first operator{through} is {first}), so how pixels go in is not known"
        )),
        Begin::Unknown(operator) => Proof::Open(format!(
            "what its graph does with the pixels first ({operator}) does not show how they go in"
        )),
    }
}

/// The names of up to six operators, and how many more there are.
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

/// The only input range that a scale and an offset map to what networks take; `None` where
/// several ranges or no range fit. The maps that are recognised:
/// - from \[0, 1\] to a few units around 0 (mean and deviation), or to \[0, 255\];
/// - from \[0, 255\] to a few units, or, minus a mean, to 255 units around 0 (Caffe);
/// - from \[-1, 1\] to \[0, 1\], that normalised as for ImageNet, or to 255 units.
///
/// A map near the identity proves nothing: batch-norms, quantisers and torchvision's
/// `transform_input` have such maps for pixels that are normalised before the graph.
fn of_affine(channels: &[Channel; 3]) -> Option<Range> {
    let mean = |of: &dyn Fn(&Channel) -> f64| channels.iter().map(of).sum::<f64>() / 3.0;
    let (scale, offset) = (mean(&|channel| channel.scale), mean(&|channel| channel.offset));
    // The width, and the distance of the middle from 0 as a share of it.
    let ends = |black: f64, white: f64| {
        let (from, to) = (scale * black + offset, scale * white + offset);
        let width = (to - from).abs();
        (width, ((to + from) / 2.0).abs() / width)
    };
    let some = |width: f64| (0.9..=10.0).contains(&width);
    let all = |width: f64| (200.0..=300.0).contains(&width);
    let (unit, bytes, signed) = (ends(0.0, 1.0), ends(0.0, 255.0), ends(-1.0, 1.0));
    let to_unit = channels.iter().all(|one| (one.scale - 0.5).abs() + (one.offset - 0.5).abs() < 1e-3);
    let found = [
        (Range::Unit, some(unit.0) && unit.1 <= 0.3 || all(unit.0) && unit.1 <= 0.55),
        (Range::Bytes, some(bytes.0) && bytes.1 <= 0.55 || all(bytes.0) && bytes.1 <= 0.25),
        (Range::Signed, to_unit || is_imagenet_of_signed(channels) || all(signed.0) && signed.1 <= 0.55),
    ];
    let mut likely = found.into_iter().filter(|(_, is)| *is).map(|(range, _)| range);
    match (likely.next(), likely.next()) {
        (Some(range), None) => Some(range),
        _ => None,
    }
}

/// `((x + 1) / 2 - mean) / std` with ImageNet's numbers.
fn is_imagenet_of_signed(channels: &[Channel; 3]) -> bool {
    let (mean, std) = IMAGENET;
    let numbers = mean.iter().zip(std).map(|(&mean, std)| (f64::from(mean), f64::from(std)));
    channels.iter().zip(numbers).all(|(one, (mean, std))| {
        (one.scale - 0.5 / std).abs() < 0.02 && (one.offset - (0.5 - mean) / std).abs() < 0.02
    })
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

/// The order of channels in which the subtracted means are ImageNet's or Caffe's; `None` where
/// they are not, or fit both orders.
fn order(walked: Option<&Found>, range: Range) -> Option<Channels> {
    let means = match walked.map(|found| &found.begin) {
        Some(Begin::Affine(channels)) => channels.map(|channel| -channel.offset / channel.scale),
        Some(Begin::Statistics { mean, .. }) => *mean,
        _ => return None,
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
    match (near(unit), near([blue, green, red])) {
        (true, false) => Some(Channels::Rgb),
        (false, true) => Some(Channels::Bgr),
        _ => None,
    }
}

/// The order of the channels; `pixels` is the scaling found before. Red first is the convention
/// where nothing shows the order: PyTorch and Keras use it, OpenCV has blue first.
pub(in crate::detector) fn channels(
    overrides: &Overrides,
    walked: Option<&Found>,
    pixels: &Pixels,
) -> (Channels, Fact) {
    let with_fact =
        |order: Channels, source, why: &str| (order, fact("channels", order.to_string(), source, why));
    let found = order(walked, pixels.range);
    match (overrides.channels, overrides.preprocess, found) {
        (Some(order), ..) => with_fact(order, Source::User, "--channels"),
        (None, Some(Preprocess::Caffe), _) => with_fact(pixels.channels, Source::User, "--preprocess caffe"),
        (None, None, Some(order)) => {
            with_fact(order, Source::Proved, "the means that the graph subtracts are in that order")
        }
        _ => with_fact(
            Channels::Rgb,
            Source::Convention,
            "red goes in first, as pictures are loaded everywhere except in OpenCV",
        ),
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
    fn scale_and_offset_prove_the_range() {
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
            (same(1.02, 0.05), None, "a batch-norm behind ImageNet's"),
            (three([1.02, 0.98, 1.05], [0.0, 0.01, -0.02]), None, "the same about 0"),
            (same(1.5, 0.0), None, "1.5 x"),
            (same(0.8, 0.0), None, "a quantiser's 0.8 x"),
            (same(1e-6, 0.0), None, "x / 1e6"),
        ];
        for (channels, range, what) in table {
            assert_eq!(of_affine(&channels), range, "{what}");
        }
    }

    #[test]
    fn means_prove_the_order_of_the_channels() {
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
            (normal(1.0, mean, std), Range::Unit, Some(Channels::Rgb)),
            (normal(1.0, reversed(mean), reversed(std)), Range::Unit, Some(Channels::Bgr)),
            (normal(1.0, CAFFE, [1.0; 3]), Range::Bytes, Some(Channels::Rgb)),
            (normal(1.0, reversed(CAFFE), [1.0; 3]), Range::Bytes, Some(Channels::Bgr)),
            (normal(1.0, [0.5; 3], [0.5; 3]), Range::Unit, None),
        ] {
            assert_eq!(order(Some(&found(channels)), range), expected, "{channels:?}");
        }
    }

    #[test]
    fn the_statistics_of_a_batch_norm_prove_its_range() {
        for (mean, std, range) in [
            (0.45, 0.25, Some(Range::Unit)),
            (120.0, 60.0, Some(Range::Bytes)),
            (-0.1, 0.5, Some(Range::Signed)),
            (0.0, 1.0, None),
        ] {
            assert_eq!(of_statistics(&[mean; 3], &[std; 3]), range, "{mean} {std}");
        }
    }
}
