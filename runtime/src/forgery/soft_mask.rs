//! The mask of a self-blended image: a hull of landmarks, deformed, eroded and smoothed on a grid
//! whose cells are fractions of the face, so that seams look the same at every resolution.

use super::mask;
use super::pixel_window::PixelWindow;
use super::plane::{Between, Plane};
use super::self_blend::SelfBlendSettings;
use crate::faces::face::{FaceBox, Landmarks, Point};
use crate::faces::hull::hull;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Cells around the face's box: the widest smoothing, and the largest deformation.
const MARGIN: usize = 20;
/// The published crop, in widths and heights of the face: the landmarks' box with half a width to
/// each side, one height above and 0.4 below.
const FACES_A_CROP: [f32; 2] = [2.0, 2.4];

/// The random choices for a mask.
#[derive(Clone, Debug)]
pub(super) struct MaskDraw {
    /// Which part of the face, and whether its forehead is left out.
    part: Part,
    no_forehead: bool,
    /// Number of cells of the published crop, horizontally and vertically: 192 to 256 each.
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

/// The landmarks whose hull is the mask. The published code draws one of four shapes over 68
/// named points (all; raised brows; parts; eyes and jaw); here the same shapes are made from any
/// set of points by their positions in the face's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Raised,
    Components,
    EyesAndJaw,
}

/// A small shift and scaling, in fractions of the face.
#[derive(Clone, Copy, Debug)]
pub(super) struct MotionDraw {
    shift: [f32; 2],
    scale: [f32; 2],
}

/// A [`MotionDraw`] for one face, in pixels.
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

    /// How far any point around the face moves at most, in pixels.
    pub fn reach(&self, face: &Landmarks) -> u32 {
        let bounds = face.bounds();
        let axis = |shift: f32, scale: f32, size: f32| (shift.abs() + (scale - 1.0).abs()) * size;
        let across = axis(self.shift[0], self.scale[0], bounds.width());
        across.max(axis(self.shift[1], self.scale[1], bounds.height())).ceil() as u32
    }
}

impl Motion {
    pub fn apply(&self, place: Point) -> Point {
        [0, 1].map(|axis| {
            (place[axis] - self.middle[axis]) * self.scale[axis] + self.middle[axis] + self.shift[axis]
        })
    }

    pub fn inverse(&self, place: Point) -> Point {
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

/// The mask over a picture: the share of the source at each cell.
pub(super) struct SoftMask {
    plane: Plane,
    /// The position of the grid's corner in the picture.
    start: Point,
    /// Cells per pixel.
    cells: [f32; 2],
}

impl SoftMask {
    pub fn of(face: &Landmarks, draw: &MaskDraw) -> Self {
        let motion = draw.motion.about(face);
        let bounds = face.bounds();
        let [left, top] = motion.apply([bounds.left, bounds.top]);
        let [right, bottom] = motion.apply([bounds.right, bounds.bottom]);
        let moved = FaceBox { left, top, right, bottom };
        let a_face: [f32; 2] = std::array::from_fn(|axis| draw.cells[axis] as f32 / FACES_A_CROP[axis]);
        let cells = [a_face[0] / moved.width().max(1.0), a_face[1] / moved.height().max(1.0)];
        let start = [moved.left - MARGIN as f32 / cells[0], moved.top - MARGIN as f32 / cells[1]];
        let size = a_face.map(|cells| cells.ceil() as usize + 2 * MARGIN);
        let mut plane = Plane::new(size[0], size[1]);
        for polygon in polygons(face, draw) {
            let cell = |place: Point| {
                let place = motion.apply(place);
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

    /// The pixels of a picture that the mask can reach; `None` where it is outside.
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

    /// The positions of the centres of pixels `left` to `right` in a row of the grid.
    pub fn columns(&self, left: u32, right: u32) -> Vec<Between> {
        let place = |x: u32| (x as f32 + 0.5 - self.start[0]) * self.cells[0];
        (left..right).map(|x| Between::of(place(x), self.plane.width)).collect()
    }

    /// Writes the row of the grid at the centres of the pixels of row `y`.
    pub fn row(&self, y: u32, out: &mut Vec<f32>) {
        out.resize(self.plane.width, 0.0);
        self.plane.row_at((y as f32 + 0.5 - self.start[1]) * self.cells[1], out);
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
        hull(&face.points.iter().filter(within).copied().collect::<Vec<_>>())
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
    if wide.is_empty() { vec![hull(&outline)] } else { wide }
}

/// Cells between the points at which the noise of the deformation is drawn.
const COARSE: usize = 4;

/// The mask deformed by smooth noise: uniform numbers in [-1, 1) for each cell, smoothed by a
/// Gaussian of deviation 7. Such smooth noise is drawn only on every fourth cell and scaled by a
/// fourth, which keeps its deviation.
fn bent(plane: &Plane, draw: &MaskDraw) -> Plane {
    let mut random = crate::random::stream(draw.bend_seed, &["bend".into()]);
    let (width, height) = (plane.width.div_ceil(COARSE) + 1, plane.height.div_ceil(COARSE) + 1);
    let strength = draw.bend / COARSE as f32;
    let mut field = || {
        let mut noise = Plane::new(width, height);
        noise.values.iter_mut().for_each(|value| *value = strength * random.random_range(-1.0..1.0));
        noise.smoothed(6, 7.0 / COARSE as f32)
    };
    let (across, down) = (field(), field());
    let columns: Vec<Between> =
        (0..plane.width).map(|x| Between::of((x as f32 + 0.5) / COARSE as f32 + 0.5, width)).collect();
    let mut out = Plane::new(plane.width, plane.height);
    let (mut across_row, mut down_row) = (vec![0.0; width], vec![0.0; width]);
    for (y, row) in out.values.chunks_exact_mut(plane.width).enumerate() {
        let level = y as f32 + 0.5;
        across.row_at(level / COARSE as f32 + 0.5, &mut across_row);
        down.row_at(level / COARSE as f32 + 0.5, &mut down_row);
        for (x, (value, column)) in row.iter_mut().zip(&columns).enumerate() {
            let place = [x as f32 + 0.5 + column.read(&across_row), level + column.read(&down_row)];
            *value = plane.sample(place);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    fn face() -> Landmarks {
        Landmarks::of_box(FaceBox { left: 60.0, top: 50.0, right: 140.0, bottom: 150.0 })
    }

    #[test]
    fn bending_moves_the_border_by_about_a_cell() {
        let draw = |seed| MaskDraw::draw(&SelfBlendSettings::default(), &mut stream(seed, &["mask".into()]));
        let (mut squares, mut count) = (0.0, 0.0);
        for seed in 0..12 {
            // Seen through the noise, a ramp says how far every cell has moved.
            let mut ramp = Plane::new(160, 140);
            ramp.values.iter_mut().enumerate().for_each(|(index, value)| *value = (index % 160) as f32);
            let bent = bent(&ramp, &draw(seed));
            for y in 20..120 {
                for x in 20..140 {
                    squares += f64::from(bent.values[y * 160 + x] - x as f32).powi(2);
                    count += 1.0;
                }
            }
        }
        // A uniform number of deviation 0.577 times 50, under a Gaussian of deviation 7:
        // 28.9 / (2 * 7 * sqrt(pi)) = 1.16.
        let deviation = f64::sqrt(squares / count);
        assert!((0.9..1.35).contains(&deviation), "{deviation}");
    }

    #[test]
    fn masks_lie_on_the_face_fade_out_and_have_the_drawn_strength() {
        for seed in 0..60 {
            let draw = MaskDraw::draw(&SelfBlendSettings::default(), &mut stream(seed, &["mask".into()]));
            let mask = SoftMask::of(&face(), &draw);
            let most = mask.plane.values.iter().copied().fold(0.0, f32::max);
            assert!((most - draw.ratio).abs() < 1e-4, "{seed}: {most}");
            let (width, height) = (mask.plane.width, mask.plane.height);
            let rim = (0..width).flat_map(|x| [x, (height - 1) * width + x]);
            assert!(rim.into_iter().all(|index| mask.plane.values[index] < 1e-3), "{seed}");
            let share = mask.plane.values.iter().filter(|value| **value > 0.5 * most).count() as f32
                / (width * height) as f32;
            assert!((0.05..0.6).contains(&share), "{seed}: {share}");
        }
    }

    #[test]
    fn all_shapes_and_ratios_are_drawn() {
        let (mut parts, mut full, mut forehead) = ([0; 4], 0, 0);
        for seed in 0..1200 {
            let draw = MaskDraw::draw(&SelfBlendSettings::default(), &mut stream(seed, &["mask".into()]));
            parts[draw.part as usize] += 1;
            full += usize::from(draw.ratio == 1.0);
            forehead += usize::from(draw.no_forehead);
        }
        assert!(parts.iter().all(|count| (240..360).contains(count)), "{parts:?}");
        assert!((540..660).contains(&full) && (240..360).contains(&forehead), "{full} {forehead}");
    }
}
