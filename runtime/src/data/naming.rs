//! What the names that others give to classes, splits and frames say. A name is cut into
//! words; one that says anything else beside is not guessed at.

use super::sample::{Label, Split};

/// Words for untouched pictures.
const REAL: [&str; 10] = [
    "real",
    "reals",
    "original",
    "originals",
    "nature",
    "natural",
    "authentic",
    "genuine",
    "pristine",
    "human",
];
/// Words for forged or generated ones.
const FAKE: [&str; 15] = [
    "fake",
    "fakes",
    "manipulated",
    "ai",
    "aigc",
    "synthetic",
    "synthesis",
    "synthesized",
    "generated",
    "forged",
    "forgery",
    "deepfake",
    "deepfakes",
    "tampered",
    "altered",
];
/// Words that say nothing about the class.
const IDLE: [&str; 25] = [
    "image",
    "images",
    "img",
    "imgs",
    "picture",
    "pictures",
    "pic",
    "pics",
    "photo",
    "photos",
    "face",
    "faces",
    "frame",
    "frames",
    "crop",
    "crops",
    "video",
    "videos",
    "clip",
    "clips",
    "sequences",
    "data",
    "dataset",
    "samples",
    "class",
];
/// Words before the number of a frame.
const FRAME: [&str; 10] = ["frame", "frames", "frm", "f", "img", "image", "face", "crop", "thumb", "pic"];

/// The words of `name` in lower case: runs of letters or of digits, cut where a capital
/// follows a small letter.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for letter in name.chars() {
        if letter.is_alphanumeric() {
            let kind = |letter: char| letter.is_numeric();
            let goes_on = before.is_some_and(|before| {
                kind(before) == kind(letter) && !(before.is_lowercase() && letter.is_uppercase())
            });
            if !goes_on {
                words.push(String::new());
            }
            words.last_mut().expect("one was pushed").extend(letter.to_lowercase());
            before = Some(letter);
        } else {
            before = None;
        }
    }
    words
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// The class that `name` means (`0_real`, `fake_images`, `training_real`, `nature`, `AI`),
/// or none where it says both, or anything else.
pub(crate) fn class(name: &str) -> Option<Label> {
    let mut found = None;
    for word in words(name) {
        let said = class_word(&word);
        match (said, found) {
            (Some(label), Some(earlier)) if label != earlier => return None,
            (Some(label), _) => found = Some(label),
            (None, _) if is_number(&word) || IDLE.contains(&word.as_str()) || split_word(&word).is_some() => {
            }
            (None, _) => return None,
        }
    }
    found
}

/// The class that one word says, `fakeimages` among them.
fn class_word(word: &str) -> Option<Label> {
    let is = |words: &[&str]| {
        words
            .iter()
            .any(|known| word.strip_prefix(known).is_some_and(|rest| rest.is_empty() || IDLE.contains(&rest)))
    };
    match (is(&REAL), is(&FAKE)) {
        (true, false) => Some(Label::Real),
        (false, true) => Some(Label::Fake),
        _ => None,
    }
}

fn split_word(word: &str) -> Option<Split> {
    word.parse().ok()
}

/// The split that `name` speaks of (`train`, `progan_val`, `testing_real`), and what it
/// says beside. None where it speaks of none or of two.
pub(super) fn split(name: &str) -> Option<(Split, String)> {
    let cut = |letter: char| matches!(letter, '_' | '-' | ' ' | '.');
    let parts: Vec<&str> = name.split(cut).collect();
    let mut found = parts.iter().enumerate().filter_map(|(at, part)| Some((at, split_word(part)?)));
    let (at, split) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let rest: Vec<&str> =
        parts.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, part)| *part).collect();
    Some((split, rest.join("_")))
}

/// What a picture's name, without its ending, says of the film that it may be a frame of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// `x_frame10`: a frame, by its own word, of the film `x`.
    Of(&'a str),
    /// `0010`, `frame10`, `img_0010`, `0010_1`: a number and nothing of its own.
    Number,
    /// `x_10`: a number behind a name.
    Behind(&'a str),
    /// Anything else.
    Other,
}

impl<'a> Frame<'a> {
    /// Reads `stem`.
    pub fn of(stem: &'a str) -> Self {
        if let Some(film) = film(stem) {
            return if film.is_empty() { Self::Number } else { Self::Of(film) };
        }
        let words = words(stem);
        let leading = usize::from(words.first().is_some_and(|word| FRAME.contains(&word.as_str())));
        let numbers = &words[leading..];
        if (1..=2).contains(&numbers.len()) && numbers.iter().all(|word| is_number(word)) {
            return match (leading, behind(stem)) {
                // `0010_1` may be a face of a frame, or a frame of the film `0010`.
                (0, Some(name)) if numbers.len() == 2 => Self::Behind(name),
                _ => Self::Number,
            };
        }
        behind(stem).map_or(Self::Other, Self::Behind)
    }
}

const SEPARATORS: [char; 5] = ['_', '-', '.', ' ', '#'];

/// `x` of `x_frame10`, and nothing of `frame10`.
fn film(stem: &str) -> Option<&str> {
    // Letters of other scripts may change their length in lower case; the word is ASCII.
    let lower = stem.to_ascii_lowercase();
    ["frame", "frm"].into_iter().find_map(|word| {
        let at = lower.rfind(word)?;
        let (before, after) = (&stem[..at], &stem[at + word.len()..]);
        let name = before.trim_end_matches(SEPARATORS);
        let apart = before.is_empty() || name.len() < before.len();
        let after = after.trim_start_matches(SEPARATORS);
        let number = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let ends = number.is_empty() || number.starts_with(SEPARATORS);
        (apart && number.len() < after.len() && ends).then_some(name)
    })
}

/// `x` of `x_10`.
pub(super) fn behind(stem: &str) -> Option<&str> {
    let before = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let name = before.trim_end_matches(SEPARATORS);
    (before.len() < stem.len() && name.len() < before.len() && !name.is_empty()).then_some(name)
}

/// Whether the folder called `name` is called like a video: `video_019`, `clip3`, `000_003`,
/// `id0_id1_0002`.
pub(super) fn is_video(name: &str) -> bool {
    let words = words(name);
    let video = ["video", "vid", "clip", "film", "movie", "seq", "sequence", "shot", "scene", "id"];
    let numbers = words.iter().filter(|word| is_number(word)).count();
    numbers > 0 && words.iter().any(|word| video.contains(&word.as_str()))
        || numbers > 1 && numbers == words.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_known_by_their_usual_names() {
        let reals =
            ["real", "REAL", "0_real", "original", "original_images", "nature", "training_real", "RealFaces"];
        let reals = [&reals[..], &["realimages", "valid-real", "real1", "Original Images"]].concat();
        let fakes =
            ["Fake", "1_fake", "manipulated", "ai", "AI", "fake_images", "ai_generated", "FakeImages"];
        for (names, label) in [(&reals[..], Label::Real), (&fakes[..], Label::Fake)] {
            names.iter().for_each(|name| assert_eq!(class(name), Some(label), "{name}"));
        }
        let neither =
            ["real_vs_fake", "real-and-fake", "Celeb-real", "real_esrgan", "swap", "images", "train", "01"];
        let neither = [&neither[..], &["not_real", "realistic", "airplane", ""]].concat();
        neither.iter().for_each(|name| assert_eq!(class(name), None, "{name}"));
    }

    #[test]
    fn splits_are_words_of_a_name() {
        let of = |name| split(name).map(|(split, rest)| (split.name(), rest));
        assert_eq!(of("Training"), Some(("train", String::new())));
        assert_eq!(of("progan_val"), Some(("val", "progan".to_owned())));
        assert_eq!(of("valid"), Some(("val", String::new())));
        assert_eq!(of("train_val"), None);
        assert_eq!(of("latest"), None);
    }

    #[test]
    fn frames_are_known_by_their_numbers() {
        let cases = [
            ("x_frame10", Frame::Of("x")),
            ("my clip-Frame_0010", Frame::Of("my clip")),
            ("x_frame10_1", Frame::Of("x")),
            ("x.frm3", Frame::Of("x")),
            ("frame10", Frame::Number),
            ("0010", Frame::Number),
            ("img_0010", Frame::Number),
            ("frame_3_1", Frame::Number),
            ("000_003_12", Frame::Behind("000_003")),
            ("001_03", Frame::Behind("001")),
            ("n01440764_10026", Frame::Behind("n01440764")),
            ("seed0001", Frame::Other),
            ("portrait", Frame::Other),
            ("picture_frame", Frame::Other),
            ("airframe10", Frame::Other),
            ("", Frame::Other),
            ("_10", Frame::Number),
        ];
        cases.iter().for_each(|(stem, expected)| assert_eq!(Frame::of(stem), *expected, "{stem}"));
        ["video_019", "Clip3", "000_003", "id0_id1_0002", "vid12_real"].iter().for_each(|name| {
            assert!(is_video(name), "{name}");
        });
        ["stylegan2", "ffhq", "sd15", "n01440764", "video", "000"]
            .iter()
            .for_each(|name| assert!(!is_video(name), "{name}"));
    }
}
