//! What names of classes, splits and frames in other data sets mean. A name is split into words;
//! one with any other word means nothing.

use crate::sample::{Label, Split};

/// Words for real pictures.
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
/// Words for forged or generated pictures.
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

/// The words of `name` in lower case: runs of letters or of digits, also split where an
/// upper-case letter follows a lower-case one.
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

/// The class that `name` means (`0_real`, `fake_images`, `training_real`, `nature`, `AI`), or
/// `None` where it means both, or anything else.
pub(crate) fn class(name: &str) -> Option<Label> {
    let mut found = None;
    for word in words(name) {
        let meaning = class_word(&word);
        match (meaning, found) {
            (Some(label), Some(earlier)) if label != earlier => return None,
            (Some(label), _) => found = Some(label),
            (None, _) if is_number(&word) || IDLE.contains(&word.as_str()) || split_word(&word).is_some() => {
            }
            (None, _) => return None,
        }
    }
    found
}

/// The class that one word means, also `fakeimages`.
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

/// The split in `name` (`train`, `progan_val`, `testing_real`), and the rest of the name. `None`
/// where there is none or two.
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

/// What names of splits mean in one set. `eval` is test where there is a val split, and val where
/// there is a test split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SplitNames {
    eval: Option<Split>,
}

impl SplitNames {
    /// From all `names` of the set.
    ///
    /// # Errors
    /// `eval` can be both.
    pub fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let (mut eval, mut named) = (None, Vec::new());
        for name in names {
            if is_eval(name) {
                eval = Some(name);
            }
            named.extend(name.parse::<Split>());
        }
        let Some(name) = eval else { return Ok(Self::default()) };
        let eval = match [Split::Val, Split::Test].map(|split| named.contains(&split)) {
            [true, false] => Split::Test,
            [false, true] => Split::Val,
            _ => {
                return Err(format!("{name:?} may be the split val or the split test; call it one of these"));
            }
        };
        Ok(Self { eval: Some(eval) })
    }

    /// The split named `name`.
    pub fn plain(self, name: &str) -> Option<Split> {
        name.parse().ok().or(self.eval.filter(|_| is_eval(name)))
    }
}

fn is_eval(name: &str) -> bool {
    ["eval", "evaluation"].iter().any(|eval| name.trim().eq_ignore_ascii_case(eval))
}

/// Whether a folder's `name` only describes its content: `frames`, `face_crops`.
pub(super) fn is_generic(name: &str) -> bool {
    let words = words(name);
    let generic = |word: &String| IDLE.contains(&word.as_str()) || FRAME.contains(&word.as_str());
    !words.is_empty() && words.iter().all(generic)
}

/// Whether `name` is only a class or split, so that a number after it is all that distinguishes
/// pictures: `real_12`, `training_fake_3`.
fn is_class_alone(name: &str) -> bool {
    let words = words(name);
    let empty = |word: &String| {
        let word = word.as_str();
        IDLE.contains(&word)
            || FRAME.contains(&word)
            || word == "seed"
            || class_word(word).is_some()
            || split_word(word).is_some()
    };
    !words.is_empty() && words.iter().all(empty)
}

/// What a picture's name, without extension, says about the video that it may be a frame of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// `x_frame10`: a frame, by its word, of the video `x`.
    Of(&'a str),
    /// `0010`, `frame10`, `img_0010`, `0010_1`: a number and no name.
    Number,
    /// `x_10`: a number after a name.
    Behind(&'a str),
    /// Anything else.
    Other,
}

impl<'a> Frame<'a> {
    /// Reads `stem`.
    pub fn of(stem: &'a str) -> Self {
        if let Some(video) = video(stem) {
            return if video.is_empty() { Self::Number } else { Self::Of(video) };
        }
        if let Some(video) = numbered_video(stem) {
            return Self::Of(video);
        }
        let words = words(stem);
        let leading = usize::from(words.first().is_some_and(|word| FRAME.contains(&word.as_str())));
        let numbers = &words[leading..];
        if (1..=2).contains(&numbers.len()) && numbers.iter().all(|word| is_number(word)) {
            return match (leading, behind(stem)) {
                // `0010_1` may be a face of a frame, or a frame of the video `0010`.
                (_, Some(name)) if numbers.len() == 2 => Self::Behind(name),
                _ => Self::Number,
            };
        }
        match behind(stem) {
            Some(name) if is_class_alone(name) => Self::Number,
            name => name.map_or(Self::Other, Self::Behind),
        }
    }
}

const SEPARATORS: [char; 5] = ['_', '-', '.', ' ', '#'];

/// `x` of `x_frame10`; `None` of `frame10`.
fn video(stem: &str) -> Option<&str> {
    // Other letters may change their length in lower case; the word is ASCII.
    let lower = stem.to_ascii_lowercase();
    ["frame", "frm"].into_iter().find_map(|word| {
        let at = lower.rfind(word)?;
        let (before, after) = (&stem[..at], &stem[at + word.len()..]);
        let name = before.trim_end_matches(SEPARATORS);
        // `clip1frame10` and `clipFrame10`, but not `airframe10`.
        let capital = stem[at..].starts_with(char::is_uppercase) && before.ends_with(char::is_lowercase);
        let apart = name.len() < before.len() || before.ends_with(|end: char| end.is_ascii_digit());
        let apart = apart || capital || before.is_empty();
        let after = after.trim_start_matches(SEPARATORS);
        let number = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let ends = number.is_empty() || number.starts_with(SEPARATORS);
        (apart && number.len() < after.len() && ends).then_some(name)
    })
}

/// `clip1` of `clip1_f10` and `clip1img10`: the name before a word for frames, if it is named
/// like a video.
fn numbered_video(stem: &str) -> Option<&str> {
    let before = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if before.len() == stem.len() {
        return None;
    }
    let lower = before.to_ascii_lowercase();
    let names = FRAME.iter().filter_map(|word| lower.strip_suffix(word));
    names.map(|rest| before[..rest.len()].trim_end_matches(SEPARATORS)).find(|name| is_video(name))
}

/// The video or other numbered object that the picture `stem`, a name and a number, belongs to:
/// `clip3` of `clip3_12_0`, `000_003` of `000_003_12`, `p0002` of `p0002_1`. `None` of
/// `name_12_0`, where 12 may count videos or frames.
pub(super) fn numbered(stem: &str) -> Option<&str> {
    let near = behind(stem)?;
    if let Some(far) = behind(near).filter(|far| counts_videos(&words(far))) {
        return Some(far);
    }
    (is_video(near) || is_numbered_thing(near)).then_some(near)
}

/// Whether `name` ends in a letter and a number: `p0002`, but not a synset of ImageNet
/// (`n01440764`), which has many pictures.
fn is_numbered_thing(name: &str) -> bool {
    let before = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let letters = before.trim_end_matches(char::is_alphabetic);
    let (word, number) = (&before[letters.len()..], &name[before.len()..]);
    let synset = word == "n" && number.len() == 8;
    !word.is_empty() && !number.is_empty() && !synset && !is_class_alone(word)
}

/// All of `stem` before the final numbers: `name` of `name_12_0`, `x` of `x10`; `None` where the
/// rest is no name.
pub(super) fn beginning(stem: &str) -> Option<&str> {
    let Some(mut name) = behind(stem) else {
        let word = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
        let letters = !word.is_empty() && word.chars().all(char::is_alphabetic);
        return (letters && word.len() < stem.len() && !is_class_alone(word) && !is_video(stem))
            .then_some(word);
    };
    while let Some(shorter) = behind(name) {
        name = shorter;
    }
    Some(name)
}

/// `x` of `x_10`.
pub(super) fn behind(stem: &str) -> Option<&str> {
    let before = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let name = before.trim_end_matches(SEPARATORS);
    (before.len() < stem.len() && name.len() < before.len() && !name.is_empty()).then_some(name)
}

/// Whether the folder `name` is named like a video: `video_019`, `clip3`, `000_003`,
/// `id0_id1_0002`.
pub(super) fn is_video(name: &str) -> bool {
    let words = words(name);
    let numbers = words.iter().filter(|word| is_number(word)).count();
    numbers > 0 && words.iter().any(|word| word == "id" || is_video_word(word)) || is_pair(&words)
}

/// `clip`, and `realclip` too.
fn is_video_word(word: &str) -> bool {
    let ends = ["video", "clip", "film", "movie", "sequence"].iter().any(|end| word.ends_with(end));
    ends || ["vid", "seq", "shot", "scene"].contains(&word)
}

/// Numbers only, the first two of equal length: target and source.
fn is_pair(words: &[String]) -> bool {
    words.len() > 1 && words.iter().all(|word| is_number(word)) && words[0].len() == words[1].len()
}

/// Whether a number in `words` counts videos: `clip3`, `000_003`.
fn counts_videos(words: &[String]) -> bool {
    is_pair(words) || words.windows(2).any(|pair| is_video_word(&pair[0]) && is_number(&pair[1]))
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
            ("clip1frame10", Frame::Of("clip1")),
            ("clipFrame10", Frame::Of("clip")),
            ("clip1_f10", Frame::Of("clip1")),
            ("clip1img10", Frame::Of("clip1")),
            ("000_003_crop7", Frame::Of("000_003")),
            ("real_12", Frame::Number),
            ("training_fake-0003", Frame::Number),
            ("real_12_0", Frame::Behind("real_12")),
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
        let proved = [
            ("clip3_12_0", Some("clip3")),
            ("clip_12_0", Some("clip_12")),
            ("000_003_12", Some("000_003")),
            ("000_003_12_0", Some("000_003")),
            ("id0_id1_0002_15", Some("id0_id1_0002")),
            ("p0002_1", Some("p0002")),
            ("name_12_0", None),
            ("real_12_0", None),
            ("img0002_0", None),
            ("n01440764_10026", None),
            ("a_1", None),
        ];
        proved.iter().for_each(|(stem, expected)| assert_eq!(numbered(stem), *expected, "{stem}"));
        let beginnings =
            [("name_12_0", Some("name")), ("alice12", Some("alice")), ("seed12", None), ("3f2a91", None)];
        beginnings.iter().for_each(|(stem, expected)| assert_eq!(beginning(stem), *expected, "{stem}"));
        ["frames", "faces", "face_crops", "Images"]
            .iter()
            .for_each(|name| assert!(is_generic(name), "{name}"));
        ["video_1", "FaceSwap", "images_001", ""]
            .iter()
            .for_each(|name| assert!(!is_generic(name), "{name}"));
        ["video_019", "Clip3", "000_003", "id0_id1_0002", "vid12_real", "realclip7"].iter().for_each(
            |name| {
                assert!(is_video(name), "{name}");
            },
        );
        ["stylegan2", "ffhq", "sd15", "n01440764", "video", "000", "12_3", "david1"]
            .iter()
            .for_each(|name| assert!(!is_video(name), "{name}"));
    }
}
