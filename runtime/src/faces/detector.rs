//! Finding faces: the frontal detector of SeetaFace (Wu et al., "Funnel-structured cascade for
//! multi-view face detection with alignment-awareness", Neurocomputing 2017) from the crate
//! rustface, which includes the model. It finds boxes, no landmarks.

use super::face::FaceBox;
use crate::data::resize::{self, Filter};
use image::RgbImage;
use rustface::{Detector, ImageData, Model};
use std::sync::LazyLock;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let bytes = include_bytes!(concat!(env!("OUT_DIR"), "/seeta_fd_frontal_v1.0.bin"));
    rustface::read_model(bytes.as_slice()).expect("the model's file is whole")
});

/// The longer side to which a picture is shrunk before the search, in pixels: faces are large in
/// training data, and the time of a search grows with the pixels.
const SEARCH_SIDE: u32 = 480;
/// The smallest face looked for, as a share of the searched picture's longer side.
const SMALLEST: f32 = 1.0 / 12.0;
/// The detector's own lower limit, in pixels.
const WINDOW: u32 = 20;
/// The lowest score of a face: the value in rustface's examples.
const SCORE: f64 = 2.0;

/// The detector. Use one for each thread: it holds its working memory.
pub struct FaceDetector(Box<dyn Detector>);

impl Default for FaceDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl FaceDetector {
    /// A detector with rustface's own model.
    pub fn new() -> Self {
        let mut detector = rustface::create_detector_with_model(MODEL.clone());
        detector.set_score_thresh(SCORE);
        detector.set_pyramid_scale_factor(0.8);
        detector.set_slide_window_step(4, 4);
        Self(detector)
    }

    /// The faces in `picture`, the largest first. Each is at least a twelfth of the picture's
    /// longer side.
    pub fn faces(&mut self, picture: &RgbImage) -> Vec<FaceBox> {
        let (grey, scale) = searched(picture);
        let longer = grey.width.max(grey.height);
        // The detector finds nothing in a picture smaller than its window.
        if grey.width.min(grey.height) < WINDOW {
            return Vec::new();
        }
        self.0.set_min_face_size(((longer as f32 * SMALLEST) as u32).max(WINDOW));
        let found = self.0.detect(&ImageData::new(&grey.pixels, grey.width, grey.height));
        let mut faces: Vec<FaceBox> = found
            .iter()
            .map(|face| {
                let place = face.bbox();
                let (left, top) = (place.x() as f32 * scale, place.y() as f32 * scale);
                let (right, bottom) =
                    (left + place.width() as f32 * scale, top + place.height() as f32 * scale);
                FaceBox { left, top, right, bottom }
            })
            .filter(|face| face.width() >= 1.0 && face.height() >= 1.0)
            .collect();
        faces.sort_by(|a, b| (b.width() * b.height()).total_cmp(&(a.width() * a.height())));
        faces
    }
}

struct Grey {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// The picture in grey, shrunk if it is large, and how many of its pixels one new pixel covers a
/// side.
fn searched(picture: &RgbImage) -> (Grey, f32) {
    let grey = image::imageops::grayscale(picture);
    let (width, height) = grey.dimensions();
    let longer = width.max(height);
    if longer <= SEARCH_SIDE {
        return (Grey { width, height, pixels: grey.into_raw() }, 1.0);
    }
    let shrunk = |side: u32| (u64::from(side) * u64::from(SEARCH_SIDE) / u64::from(longer)).max(1) as u32;
    let (width, height) = (shrunk(width), shrunk(height));
    let small = resize::grey_resized(&grey, (width, height), Filter::Bilinear);
    let grey = Grey { width, height, pixels: small.into_raw() };
    (grey, longer as f32 / SEARCH_SIDE as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forgery::synth::portrait::{Person, Portrait, Shot, photograph};
    use crate::random::stream;
    use image::imageops;

    fn portrait(person: u64) -> Portrait {
        let who = Person::draw(&mut stream(2, &["person".into(), person.into()]));
        let how = Shot::draw(&mut stream(2, &["shot".into(), person.into()]));
        photograph(&who, &how, 256, &mut stream(2, &["noise".into(), person.into()]))
    }

    #[test]
    fn drawn_faces_are_found_where_they_are() {
        let mut detector = FaceDetector::new();
        for person in 0..10 {
            let portrait = portrait(person);
            let found = detector.faces(&portrait.picture);
            assert_eq!(found.len(), 1, "{person}: {found:?}");
            let outline = portrait.landmarks.outline_points();
            let inside = |point: &[f32; 2]| {
                let [x, y] = *point;
                (found[0].left - 20.0..found[0].right + 20.0).contains(&x)
                    && (found[0].top - 40.0..found[0].bottom + 40.0).contains(&y)
            };
            let share = outline.iter().filter(|point| inside(point)).count() as f32 / outline.len() as f32;
            assert!(share > 0.9, "{person}: {found:?} holds {share} of the outline");
        }
    }

    #[test]
    fn boxes_are_in_pixels_of_the_picture_however_large_it_is() {
        let mut detector = FaceDetector::new();
        let face = portrait(3).picture;
        let small = detector.faces(&face)[0];
        let mut canvas = RgbImage::from_pixel(1600, 900, image::Rgb([90, 110, 80]));
        let large = imageops::resize(&face, 640, 640, imageops::FilterType::CatmullRom);
        imageops::overlay(&mut canvas, &large, 700, 130);
        let found = detector.faces(&canvas)[0];
        let expected = [700.0 + 2.5 * small.middle()[0], 130.0 + 2.5 * small.middle()[1]];
        let off = [0, 1].map(|axis| (found.middle()[axis] - expected[axis]).abs());
        assert!(off[0] < 40.0 && off[1] < 40.0, "{found:?}, {expected:?}");
        assert!((found.side() / (2.5 * small.side()) - 1.0).abs() < 0.2, "{found:?}, {small:?}");
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let mut detector = FaceDetector::new();
        let small = [(1, 1), (19, 300), (20, 20), (20, 480), (21, 20), (23, 41), (480, 20), (481, 21)];
        for (width, height) in small.into_iter().chain([(300, 200), (2000, 21), (5000, 220)]) {
            assert_eq!(detector.faces(&RgbImage::new(width, height)), [], "{width} x {height}");
        }
    }

    #[test]
    #[ignore = "needs the photographs in ../shared/faces"]
    fn every_photograph_has_one_face() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/faces/london");
        let mut detector = FaceDetector::new();
        let (mut count, mut single) = (0, 0);
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "jpg") {
                let faces = detector.faces(&crate::data::picture::open(&entry.path()).unwrap());
                assert!(!faces.is_empty(), "{}", entry.path().display());
                count += 1;
                single += usize::from(faces.len() == 1);
            }
        }
        assert_eq!(count, 204);
        assert!(single > 195, "{single}");
    }
}
