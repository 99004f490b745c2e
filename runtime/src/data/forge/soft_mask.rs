//! The mask of a self-blended image: a hull of landmarks, bent, eroded and smoothed on a
//! grid whose cells are shares of the face, so that seams look alike at every resolution.

use super::mask;
use super::plane::Plane;
use super::self_blend::{PixelWindow, SelfBlendSettings};
use crate::data::face::{FaceBox, Landmarks, Point};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Cells beside the face's box: the widest smoothing, and what bending moves.
const MARGIN: usize = 20;
/// Faces in a crop as published, across and down: landmarks' box with half a width to
/// each side, a whole height above and 0.4 below.
const FACES_A_CROP: [f32; 2] = [2.0, 2.4];

/// What is drawn for a mask.
#[derive(Clone, Debug)]
pub(super) struct MaskDraw {
    /// Which part of the face, and whether its forehead is left out.
    part: Part,
    no_forehead: bool,
    /// Cells that the published crop has across and down: 192 to 256 each.
    cells: [u32; 2],
    pub motion: MotionDraw,
    bend: f32,
    bend_seed: u64,
    /// Kernel sides of the erosion and the smoothing, odd numbers from 5 to 25, as radii.
    radii: [usize; 2],
    /// The smoothing kernel's deviation: 5 to 45 cells.
    sigma: f32,
    pub ratio: f32,
}

/// Which landmarks' hull. The published code draws one of four shapes over 68 named
/// points (all; brows raised; parts; eyes and jaw); here the same shapes are cut out of
/// any set of points by their places in the face's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Raised,
    Components,
    EyesAndJaw,
}

/// A small shift and scaling, in shares of the face.
#[derive(Clone, Copy, Debug)]
pub(super) struct MotionDraw {
    shift: [f32; 2],
    scale: [f32; 2],
}

/// The same for one face, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Motion {
    middle: Point,
    shift: Point,
    scale: [f32; 2],
}

impl MotionDraw {
    fn draw(settings: &SelfBlendSettings, random: &mut ChaCha8Rng) -> Self {
        let shift = settings.motion.map(|limit| random.random_range(-limit..=limit));
        let scale = [(); 2].map(|()| random.random_range(settings.scale..=1.0 / settings.scale));
        Self { shift, scale }
    }

    pub fn about(&self, face: &Landmarks) -> Motion {
        let bounds = face.bounds();
        Motion {
            middle: [0.5 * (bounds.left + bounds.right), 0.5 * (bounds.top + bounds.bottom)],
            shift: [self.shift[0] * bounds.width(), self.shift[1] * bounds.height()],
            scale: self.scale,
        }
    }

    /// How far a place of the face's surroundings moves at most, in pixels.
    pub fn reach(&self, face: &Landmarks) -> u32 {
        let bounds = face.bounds();
        let axis = |shift: f32, scale: f32, size: f32| (shift.abs() + (scale - 1.0).abs()) * size;
        let across = axis(self.shift[0], self.scale[0], bounds.width());
        across.max(axis(self.shift[1], self.scale[1], bounds.height())).ceil() as u32
    }
}

impl Motion {
    pub fn done(&self, place: Point) -> Point {
        [0, 1].map(|axis| {
            (place[axis] - self.middle[axis]) * self.scale[axis] + self.middle[axis] + self.shift[axis]
        })
    }

    pub fn undone(&self, place: Point) -> Point {
        [0, 1].map(|axis| {
            (place[axis] - self.middle[axis] - self.shift[axis]) / self.scale[axis] + self.middle[axis]
        })
    }
}

impl MaskDraw {
    pub fn draw(settings: &SelfBlendSettings, random: &mut ChaCha8Rng) -> Self {
        let parts = [Part::Whole, Part::Raised, Part::Components, Part::EyesAndJaw];
        Self {
            part: parts[random.random_range(0..parts.len())],
            no_forehead: random.random_bool(0.25),
            cells: [(); 2].map(|()| random.random_range(192..=256)),
            motion: MotionDraw::draw(settings, random),
            bend: settings.bend,
            bend_seed: random.random(),
            radii: [(); 2].map(|()| random.random_range(2..=12)),
            sigma: random.random_range(5..=45) as f32,
            ratio: settings.ratios[random.random_range(0..settings.ratios.len())],
        }
    }
}

/// The mask over a picture: shares of the source.
pub(super) struct SoftMask {
    plane: Plane,
    /// The picture's place of the grid's corner.
    start: Point,
    /// Cells a pixel.
    cells: [f32; 2],
}

impl SoftMask {
    pub fn of(face: &Landmarks, draw: &MaskDraw) -> Self {
        let motion = draw.motion.about(face);
        let bounds = face.bounds();
        let [left, top] = motion.done([bounds.left, bounds.top]);
        let [right, bottom] = motion.done([bounds.right, bounds.bottom]);
        let moved = FaceBox { left, top, right, bottom };
        let a_face: [f32; 2] = std::array::from_fn(|axis| draw.cells[axis] as f32 / FACES_A_CROP[axis]);
        let cells = [a_face[0] / moved.width().max(1.0), a_face[1] / moved.height().max(1.0)];
        let start = [moved.left - MARGIN as f32 / cells[0], moved.top - MARGIN as f32 / cells[1]];
        let size = a_face.map(|cells| cells.ceil() as usize + 2 * MARGIN);
        let mut plane = Plane::new(size[0], size[1]);
        for polygon in polygons(face, draw) {
            let cell = |place: Point| {
                let place = motion.done(place);
                [0, 1].map(|axis| (place[axis] - start[axis]) * cells[axis])
            };
            plane.fill(&polygon.into_iter().map(cell).collect::<Vec<_>>());
        }
        let bent = bent(&plane, draw);
        let eroded = bent.eroded(draw.radii[0]);
        let hard = if eroded.values.contains(&1.0) { eroded } else { bent };
        let mut plane = hard.smoothed(draw.radii[1], draw.sigma);
        let most = plane.values.iter().copied().fold(0.0, f32::max);
        if most > 0.0 {
            plane.values.iter_mut().for_each(|value| *value *= draw.ratio / most);
        }
        Self { plane, start, cells }
    }

    /// The pixels of a picture that the mask can reach; none where it lies outside.
    pub fn window(&self, (width, height): (u32, u32)) -> Option<PixelWindow> {
        let size = [self.plane.width as f32, self.plane.height as f32];
        let end = |axis: usize| self.start[axis] + size[axis] / self.cells[axis];
        let pixel = |place: f32, most: u32| (place.max(0.0) as u32).min(most);
        let window = PixelWindow {
            left: pixel(self.start[0].floor(), width),
            top: pixel(self.start[1].floor(), height),
            right: pixel(end(0).ceil(), width),
            bottom: pixel(end(1).ceil(), height),
        };
        (window.left < window.right && window.top < window.bottom).then_some(window)
    }

    /// The grid's place of each pixel's centre from `left` to `right`.
    pub fn columns(&self, left: u32, right: u32) -> Vec<f32> {
        (left..right).map(|x| (x as f32 + 0.5 - self.start[0]) * self.cells[0]).collect()
    }

    /// The grid's place of a row's centre.
    pub fn row(&self, y: u32) -> f32 {
        (y as f32 + 0.5 - self.start[1]) * self.cells[1]
    }

    /// The mask at a place of the grid.
    pub fn at(&self, column: f32, row: f32) -> f32 {
        self.plane.sample([column, row])
    }
}

/// The polygons whose union is the mask, in the picture's pixels.
fn polygons(face: &Landmarks, draw: &MaskDraw) -> Vec<Vec<Point>> {
    let bounds = face.bounds();
    let inside = |point: &Point| {
        let across = (point[0] - bounds.left) / bounds.width().max(1e-3) - 0.5;
        [across.abs(), (point[1] - bounds.top) / bounds.height().max(1e-3)]
    };
    let outline = face.outline_points();
    let cut = |keep: &dyn Fn([f32; 2]) -> bool| -> Vec<Point> {
        let within = |point: &&Point| {
            let [across, down] = inside(point);
            across <= 0.5 && (0.0..=1.0).contains(&down) && keep([across, down])
        };
        mask::hull(&face.points.iter().filter(within).copied().collect::<Vec<_>>())
    };
    let parts = match draw.part {
        Part::Whole if draw.no_forehead => vec![cut(&|[_, down]| down >= 0.2)],
        Part::Whole => Vec::new(),
        Part::Raised => vec![
            cut(&|[across, down]| across <= 0.38 && down >= if draw.no_forehead { 0.14 } else { 0.06 }),
            cut(&|[_, down]| down >= 0.3),
        ],
        Part::Components => {
            vec![cut(&|[across, down]| across <= 0.36 && down >= 0.2), cut(&|[_, down]| down >= 0.42)]
        }
        Part::EyesAndJaw => {
            vec![cut(&|[_, down]| down >= 0.5), cut(&|[_, down]| (0.2..=0.62).contains(&down))]
        }
    };
    let wide: Vec<Vec<Point>> =
        parts.into_iter().filter(|part| part.len() >= 3 && mask::size(part) >= 2.0).collect();
    if wide.is_empty() { vec![mask::hull(&outline)] } else { wide }
}

/// The mask seen through smooth noise.
fn bent(plane: &Plane, draw: &MaskDraw) -> Plane {
    let mut random = crate::random::stream(draw.bend_seed, &["bend".into()]);
    let mut field = || {
        let mut noise = Plane::new(plane.width, plane.height);
        noise.values.iter_mut().for_each(|value| *value = random.random_range(-1.0..1.0));
        // Three boxes of 13, 15 and 15 cells: near a Gaussian of deviation 7.
        noise.boxed(6).boxed(7).boxed(7)
    };
    let (across, down) = (field(), field());
    let mut out = Plane::new(plane.width, plane.height);
    for (index, value) in out.values.iter_mut().enumerate() {
        let (x, y) = ((index % plane.width) as f32 + 0.5, (index / plane.width) as f32 + 0.5);
        *value = plane.sample([x + draw.bend * across.values[index], y + draw.bend * down.values[index]]);
    }
    out
}
