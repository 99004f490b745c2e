//! The place of a face in a picture: landmarks, boxes and windows.

/// A point in pixels, x to the right and y down; (0, 0) is the corner of the
/// picture, so the centre of its first pixel is (0.5, 0.5).
pub type Point = [f32; 2];

/// The landmarks of one face. Landmarks from the same source have the same number of points with
/// the same meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct Landmarks {
    /// Every point, in pixels.
    pub points: Vec<Point>,
    /// Indices into `points` of the face's outline, in order around it.
    pub outline: Vec<usize>,
}

/// The bounding box of a face, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaceBox {
    /// x of the left edge.
    pub left: f32,
    /// y of the upper edge.
    pub top: f32,
    /// x of the right edge.
    pub right: f32,
    /// y of the lower edge.
    pub bottom: f32,
}

/// A square region of a picture, which is cut out and resized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// x of the left edge in the picture.
    pub left: u32,
    /// y of the upper edge in the picture.
    pub top: u32,
    /// Its side in pixels of the picture.
    pub side: u32,
}

impl Window {
    /// The central square of a picture of `width` x `height`, as
    /// [`prepare`](crate::data::picture::prepare) cuts it.
    pub fn central(width: u32, height: u32) -> Self {
        let side = width.min(height);
        Self { left: (width - side) / 2, top: (height - side) / 2, side }
    }
}

/// Points of an ellipse that is used as a face's outline.
const AROUND: usize = 36;

impl Landmarks {
    /// The outline's points in order.
    pub fn outline_points(&self) -> Vec<Point> {
        self.outline.iter().map(|&index| self.points[index]).collect()
    }

    /// An outline for a face of which only a box is known: the largest ellipse in it. A
    /// detector's box reaches from the brows or the hairline to the chin, and so does the
    /// ellipse.
    pub fn of_box(face: FaceBox) -> Self {
        let middle = [0.5 * (face.left + face.right), 0.5 * (face.top + face.bottom)];
        let half = [0.5 * (face.right - face.left), 0.5 * (face.bottom - face.top)];
        let point = |index: usize| {
            let angle = std::f32::consts::TAU * index as f32 / AROUND as f32;
            [middle[0] + half[0] * angle.sin(), middle[1] - half[1] * angle.cos()]
        };
        Self { points: (0..AROUND).map(point).collect(), outline: (0..AROUND).collect() }
    }

    /// The smallest box around all points of the outline.
    pub fn bounds(&self) -> FaceBox {
        let outline = self.outline_points();
        let edge = |axis: usize, start: f32, further: fn(f32, f32) -> f32| {
            outline.iter().map(|point| point[axis]).fold(start, further)
        };
        FaceBox {
            left: edge(0, f32::MAX, f32::min),
            top: edge(1, f32::MAX, f32::min),
            right: edge(0, f32::MIN, f32::max),
            bottom: edge(1, f32::MIN, f32::max),
        }
    }

    /// The landmarks in `window` of the picture after it is resized to `res` x `res`.
    pub fn framed(&self, window: Window, res: usize) -> Self {
        let scale = res as f32 / window.side as f32;
        let start = [window.left as f32, window.top as f32];
        let moved = |point: &Point| [0, 1].map(|axis| (point[axis] - start[axis]) * scale);
        Self { points: self.points.iter().map(moved).collect(), outline: self.outline.clone() }
    }
}

impl FaceBox {
    /// Width in pixels.
    pub fn width(&self) -> f32 {
        self.right - self.left
    }

    /// Height in pixels.
    pub fn height(&self) -> f32 {
        self.bottom - self.top
    }

    /// Centre of the box.
    pub fn middle(&self) -> Point {
        [0.5 * (self.left + self.right), 0.5 * (self.top + self.bottom)]
    }

    /// Longer side in pixels.
    pub fn side(&self) -> f32 {
        self.width().max(self.height())
    }

    /// Linear interpolation from `self` (`share` 0) to `other` (1).
    pub fn towards(&self, other: &Self, share: f32) -> Self {
        let between = |from: f32, to: f32| from + share * (to - from);
        Self {
            left: between(self.left, other.left),
            top: between(self.top, other.top),
            right: between(self.right, other.right),
            bottom: between(self.bottom, other.bottom),
        }
    }

    /// Intersection over union of the two boxes, 0 to 1.
    pub fn overlap(&self, other: &Self) -> f32 {
        let wide = (self.right.min(other.right) - self.left.max(other.left)).max(0.0);
        let high = (self.bottom.min(other.bottom) - self.top.max(other.top)).max(0.0);
        let all = self.width() * self.height() + other.width() * other.height() - wide * high;
        if all > 0.0 { wide * high / all } else { 0.0 }
    }

    /// Whether the point is in the box.
    pub fn holds(&self, [x, y]: Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// The square around the box's centre with `factor` times the box's longer side, moved (and
    /// if necessary shrunk) to fit into a picture of `width` x `height`.
    pub fn window(&self, factor: f32, width: u32, height: u32) -> Window {
        let wanted = (factor * self.side()).round().max(1.0) as u32;
        let side = wanted.min(width).min(height).max(1);
        let start = |low: f32, high: f32, size: u32| {
            let start = (0.5 * (low + high) - 0.5 * side as f32).round().max(0.0);
            (start as u32).min(size - side)
        };
        Window { left: start(self.left, self.right, width), top: start(self.top, self.bottom, height), side }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_a_share_of_the_union() {
        let face = |left: f32, side: f32| FaceBox { left, top: 0.0, right: left + side, bottom: side };
        assert_eq!(face(0.0, 10.0).overlap(&face(0.0, 10.0)), 1.0);
        assert_eq!(face(0.0, 10.0).overlap(&face(10.0, 10.0)), 0.0);
        assert!((face(0.0, 10.0).overlap(&face(5.0, 10.0)) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(face(0.0, 0.0).overlap(&face(0.0, 0.0)), 0.0);
    }

    #[test]
    fn a_box_becomes_the_ellipse_in_it() {
        let face = FaceBox { left: 10.0, top: 20.0, right: 50.0, bottom: 80.0 };
        let landmarks = Landmarks::of_box(face);
        let bounds = landmarks.bounds();
        for (got, wanted) in [
            (bounds.left, face.left),
            (bounds.top, face.top),
            (bounds.right, face.right),
            (bounds.bottom, face.bottom),
        ] {
            assert!((got - wanted).abs() < 1e-3, "{bounds:?}");
        }
        for [x, y] in landmarks.points {
            let (across, down) = ((x - 30.0) / 20.0, (y - 50.0) / 30.0);
            assert!((across * across + down * down - 1.0).abs() < 1e-4);
        }
    }

    #[test]
    fn windows_stay_inside_and_carry_the_points_with_them() {
        let face = FaceBox { left: 2.0, top: 30.0, right: 42.0, bottom: 90.0 };
        let window = face.window(1.5, 200, 100);
        assert_eq!(window, Window { left: 0, top: 10, side: 90 });
        assert_eq!(face.window(9.0, 200, 100), Window { left: 0, top: 0, side: 100 });
        assert_eq!(Window::central(200, 101), Window { left: 49, top: 0, side: 101 });
        let landmarks = Landmarks { points: vec![[45.0, 55.0]], outline: vec![0] };
        assert_eq!(landmarks.framed(window, 180).points, [[90.0, 90.0]]);
    }
}
