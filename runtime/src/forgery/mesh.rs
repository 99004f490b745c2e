//! Piecewise-affine warping over a Delaunay triangulation of landmarks.

use super::raster::Raster;
use crate::faces::face::Point;

/// Three indices into the points.
pub(super) type Triangle = [usize; 3];

/// The Delaunay triangulation of `points` (Bowyer 1981, Watson 1981): points are added one by
/// one, and the triangles whose circumcircle contains the new point are replaced by a fan around
/// it. Quadratic in the number of points, which is small. Points that coincide with an earlier
/// one are left out.
pub(super) fn triangulate(points: &[Point]) -> Vec<Triangle> {
    let exact: Vec<[f64; 2]> = points.iter().map(|point| point.map(f64::from)).collect();
    let count = exact.len();
    let mut places = exact.clone();
    places.extend(surrounding(&exact));
    let mut triangles = vec![[count, count + 1, count + 2]];
    for index in 0..count {
        if exact[..index].iter().any(|earlier| distance(*earlier, exact[index]) < 1e-3) {
            continue;
        }
        let (bad, good): (Vec<_>, Vec<_>) =
            triangles.into_iter().partition(|triangle| circle_holds(triangle, index, &places));
        triangles = good;
        for [from, to] in rim(&bad) {
            triangles.push([from, to, index]);
        }
    }
    triangles.retain(|triangle| triangle.iter().all(|&corner| corner < count));
    triangles
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// A triangle far around all points.
fn surrounding(points: &[[f64; 2]]) -> [[f64; 2]; 3] {
    let reach = points.iter().flatten().fold(1.0_f64, |reach, value| reach.max(value.abs()));
    let far = 1e4 * reach;
    [[-3.0 * far, -far], [3.0 * far, -far], [0.0, 3.0 * far]]
}

/// Whether the point `index` lies inside the triangle's circumcircle.
fn circle_holds(triangle: &Triangle, index: usize, places: &[[f64; 2]]) -> bool {
    let [x, y] = places[index];
    let [a, b, c] = triangle.map(|corner| [places[corner][0] - x, places[corner][1] - y]);
    let square = |p: [f64; 2]| p[0] * p[0] + p[1] * p[1];
    let cross = |p: [f64; 2], q: [f64; 2]| p[0] * q[1] - q[0] * p[1];
    let inside = square(a) * cross(b, c) - square(b) * cross(a, c) + square(c) * cross(a, b);
    let turn = cross([b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]);
    inside * turn.signum() > 0.0
}

/// The edges that belong to one of the triangles only.
fn rim(triangles: &[Triangle]) -> Vec<[usize; 2]> {
    let edges: Vec<[usize; 2]> = triangles.iter().flat_map(|&[a, b, c]| [[a, b], [b, c], [c, a]]).collect();
    let shared = |edge: &[usize; 2]| {
        let same = |other: &&[usize; 2]| **other == *edge || **other == [edge[1], edge[0]];
        edges.iter().filter(same).count() > 1
    };
    edges.iter().filter(|edge| !shared(edge)).copied().collect()
}

/// Warps `donor` onto `target` so that each of the donor's points is on the target's; pixels
/// outside every triangle remain the target's.
pub(super) fn warp(
    target: &Raster,
    target_points: &[Point],
    donor: &Raster,
    donor_points: &[Point],
) -> Raster {
    let mut out = target.clone();
    for triangle in triangulate(target_points) {
        let to = triangle.map(|corner| target_points[corner]);
        let from = triangle.map(|corner| donor_points[corner]);
        fill(&mut out, to, |[a, b, c]| {
            let along = |axis: usize| a * from[0][axis] + b * from[1][axis] + c * from[2][axis];
            donor.sample([along(0), along(1)])
        });
    }
    out
}

/// Sets every pixel whose centre is in the triangle to `colour` of its barycentric weights.
fn fill(out: &mut Raster, triangle: [Point; 3], colour: impl Fn([f32; 3]) -> [f32; 3]) {
    let [a, b, c] = triangle;
    let area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
    if area.abs() < 1e-6 {
        return;
    }
    let span = |axis: usize, size: usize| {
        let values = triangle.map(|corner| corner[axis]);
        let low = values.iter().fold(f32::MAX, |low, value| low.min(*value));
        let high = values.iter().fold(f32::MIN, |high, value| high.max(*value));
        let end = ((high + 0.5).ceil().max(0.0) as usize).min(size);
        ((low - 0.5).floor().max(0.0) as usize).min(end)..end
    };
    for y in span(1, out.height) {
        for x in span(0, out.width) {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let weight_b = ((px - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (py - a[1])) / area;
            let weight_c = ((b[0] - a[0]) * (py - a[1]) - (px - a[0]) * (b[1] - a[1])) / area;
            let weights = [1.0 - weight_b - weight_c, weight_b, weight_c];
            if weights.iter().all(|&weight| weight >= -1e-4) {
                out.pixels[y * out.width + x] = colour(weights);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn area(points: &[Point], triangle: &Triangle) -> f64 {
        let [a, b, c] = triangle.map(|corner| points[corner].map(f64::from));
        0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])).abs()
    }

    #[test]
    fn a_square_becomes_two_triangles() {
        let square = [[0.0, 0.0], [8.0, 0.0], [8.0, 8.0], [0.0, 8.0], [8.0, 8.0]];
        let triangles = triangulate(&square);
        assert_eq!(triangles.len(), 2);
        assert!(triangulate(&[[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]).is_empty());
    }

    proptest! {
        #[test]
        fn circles_are_empty_and_the_hull_is_covered(
            points in proptest::collection::vec([1.0_f32..99.0, 1.0_f32..99.0], 3..40),
        ) {
            let mut points = points;
            points.extend([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]]);
            let triangles = triangulate(&points);
            let places: Vec<_> = points.iter().map(|point| point.map(f64::from)).collect();
            for triangle in &triangles {
                if area(&points, triangle) < 1e-2 {
                    continue;
                }
                let others = (0..points.len()).filter(|index| !triangle.contains(index));
                for other in others {
                    // Shrunk towards the middle of the triangle against rounding.
                    let middle = triangle.iter().fold([0.0; 2], |sum, &corner| {
                        [sum[0] + places[corner][0] / 3.0, sum[1] + places[corner][1] / 3.0]
                    });
                    let mut shrunk = places.clone();
                    for &corner in triangle {
                        shrunk[corner] =
                            [0, 1].map(|axis| middle[axis] + 0.999 * (places[corner][axis] - middle[axis]));
                    }
                    prop_assert!(!circle_holds(triangle, other, &shrunk));
                }
            }
            let covered: f64 = triangles.iter().map(|triangle| area(&points, triangle)).sum();
            prop_assert!((covered - 10_000.0).abs() < 1.0, "{}", covered);
        }
    }
}
