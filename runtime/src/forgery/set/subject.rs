//! A usable photograph, with its crop and face.

use super::options::{ForgerySetOptions, Method};
use crate::data::picture::{self, PictureError};
use crate::faces::face::{Landmarks, Window};
use crate::forgery::FaceInPicture;
use crate::forgery::photographs::Photograph;
use image::{RgbImage, imageops};
use rayon::prelude::*;

/// A photograph and its crop.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub photograph: Photograph,
    /// The square that is cut out.
    window: Window,
    /// The face in the resized square.
    pub face: Landmarks,
}

/// The photographs that can be decoded and whose face is in the crop; the others are listed in
/// `passed_over`.
pub(super) fn readable(
    list: Vec<Photograph>,
    order: &ForgerySetOptions,
    passed_over: &mut Vec<String>,
) -> Vec<Subject> {
    let subjects: Vec<Result<Subject, String>> =
        list.into_par_iter().map(|photograph| Subject::of(photograph, order)).collect();
    let mut readable = Vec::with_capacity(subjects.len());
    for subject in subjects {
        match subject {
            Ok(subject) => readable.push(subject),
            Err(line) => passed_over.push(line),
        }
    }
    readable
}

impl Subject {
    fn of(photograph: Photograph, order: &ForgerySetOptions) -> Result<Self, String> {
        let named = |reason: &str| format!("{}: {reason}", photograph.path.display());
        if order.method == Method::Swap && photograph.face.box_only {
            return Err(named("only a box is known of its face, and a swap needs landmarks"));
        }
        let (width, height) =
            picture::open(&photograph.path).map_err(|error| error.to_string())?.dimensions();
        let landmarks = &photograph.face.landmarks;
        let window = match order.crop {
            Some(factor) => landmarks.bounds().window(factor, width, height),
            None => Window::central(width, height),
        };
        let face = landmarks.framed(window, order.size as usize);
        face.check(order.size, order.size).map_err(|error| named(&error.to_string()))?;
        Ok(Self { window, face, photograph })
    }

    /// The square of the photograph, resized to `size` x `size`.
    ///
    /// # Errors
    /// The file cannot be decoded, or its size has changed.
    pub fn cut(&self, size: u32) -> Result<RgbImage, PictureError> {
        let whole = picture::open(&self.photograph.path)?;
        let Window { left, top, side } = self.window;
        if left + side > whole.width() || top + side > whole.height() {
            return Err(PictureError::Unreadable {
                path: self.photograph.path.clone(),
                reason: "it has changed meanwhile".to_owned(),
            });
        }
        Ok(picture::prepare(&imageops::crop_imm(&whole, left, top, side, side).to_image(), size as usize))
    }

    /// The face in `picture`, its crop.
    pub fn face_in<'a>(&'a self, picture: &'a RgbImage) -> FaceInPicture<'a> {
        FaceInPicture { picture, landmarks: &self.face }
    }
}
