//! Where a face is in a picture: landmarks, from whatever found or drew them.

/// A point in pixels, x to the right and y down; (0, 0) is the corner of the
/// picture, so the centre of its first pixel is (0.5, 0.5).
pub type Point = [f32; 2];

/// The landmarks of one face. Faces whose landmarks come from the same source have
/// the same number of points with the same meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Landmarks {
    /// Every point, in pixels.
    pub points: Vec<Point>,
    /// Indices into `points` of the face's outline, in order around it.
    pub outline: Vec<usize>,
}

impl Landmarks {
    /// The outline's points in order.
    pub fn outline_points(&self) -> Vec<Point> {
        self.outline.iter().map(|&index| self.points[index]).collect()
    }
}
