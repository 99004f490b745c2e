//! Files of other programs: every layout, range, normalisation and kind of output gives the logit
//! of the plain file. What is not given is proved by the graph or probed, and is an error where
//! neither is possible.

#[path = "../detector_fixture/mod.rs"]
mod detector_fixture;
mod disguise;
mod files;
mod output;
mod pixels;

use crate::detector_fixture::RES;
use crate::disguise::{ENDS, Folder, IMAGENET, NONE, disguised, logits, plain_logits};
use dfrt_runtime::detector::overrides::Overrides;
use dfrt_runtime::detector::session::Detector;
use dfrt_runtime::reading::{Layout, Range, Reading};

/// A mean and a deviation a channel.
type Normal = ([f32; 3], [f32; 3]);

/// The variants of an input.
const FRONTS: [(Range, Normal); 5] = [
    (Range::Unit, NONE),
    (Range::Unit, IMAGENET),
    (Range::Bytes, NONE),
    (Range::Bytes, ([123.68, 116.78, 103.94], [58.4, 57.12, 57.38])),
    (Range::Signed, NONE),
];

#[test]
fn every_way_of_reading_gives_the_plain_logit() {
    let expected = plain_logits();
    let folder = Folder::new();
    for (place, (output, outputs, shape, fake_index)) in ENDS.into_iter().enumerate() {
        for layout in [Layout::Nchw, Layout::Nhwc] {
            for (other, (range, (mean, std))) in FRONTS.into_iter().enumerate() {
                let reading =
                    Reading { layout, range, mean, std, output, outputs, fake_index, ..Reading::plain() };
                let path = folder.model(&disguised(&reading, shape, (place + other) % 2 == 0));
                let overrides = Overrides::recorded(&reading, RES);
                for (found, expected) in logits(&path, &overrides).iter().zip(&expected) {
                    // A single probability loses precision near 0 and 1.
                    let allowed = 2e-4 + 4e-7 * expected.abs().exp();
                    assert!((found - expected).abs() < allowed, "{reading:?}: {found}, not {expected}");
                }
                let detector = Detector::load_as(&path, 2, &overrides).unwrap();
                assert_eq!((detector.reading(), detector.questions()), (&reading, &[][..]));
                assert_eq!(detector.info().reading.as_ref(), Some(&reading));
            }
        }
    }
}

#[test]
fn another_reading_gives_another_logit() {
    let expected = plain_logits();
    let folder = Folder::new();
    let reading = Reading { mean: IMAGENET.0, std: IMAGENET.1, outputs: 2, ..Reading::plain() };
    let path = folder.model(&disguised(&reading, &[-1, 2], false));
    let right = Overrides::recorded(&reading, RES);
    let wrong = [
        Overrides { mean: Some([0.5; 3]), ..right.clone() },
        Overrides { std: Some([0.5; 3]), ..right.clone() },
        Overrides { range: Some(Range::Signed), ..right.clone() },
        Overrides { range: Some(Range::Bytes), ..right.clone() },
        Overrides { fake_index: Some(0), ..right.clone() },
    ];
    for overrides in wrong {
        let apart =
            logits(&path, &overrides).iter().zip(&expected).any(|(one, two)| (one - two).abs() > 0.02);
        assert!(apart, "{overrides:?} changes nothing");
    }
    let turned: Vec<f32> = logits(&path, &right).iter().map(|logit| -logit).collect();
    assert_eq!(logits(&path, &Overrides { fake_index: Some(0), ..right }), turned);
}
