//! The convex hull of points, used as a face's outline where none is known.

use crate::faces::face::Point;

/// The convex hull of `points`, counter-clockwise in a y-up plane (Andrew's
/// monotone chain).
pub(crate) fn hull(points: &[Point]) -> Vec<Point> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a[0].total_cmp(&b[0]).then(a[1].total_cmp(&b[1])));
    sorted.dedup();
    let chain = |points: &mut dyn Iterator<Item = &Point>| {
        let mut chain: Vec<Point> = Vec::new();
        for &point in points {
            while let [.., before, last] = chain[..] {
                let turn = (last[0] - before[0]) * (point[1] - before[1])
                    - (last[1] - before[1]) * (point[0] - before[0]);
                if turn > 0.0 {
                    break;
                }
                chain.pop();
            }
            chain.push(point);
        }
        chain.pop();
        chain
    };
    let mut hull = chain(&mut sorted.iter());
    hull.extend(chain(&mut sorted.iter().rev()));
    hull
}

/// Indices into `points` of their convex hull, in order around it.
pub(crate) fn hull_of(points: &[Point]) -> Vec<usize> {
    let corner = |corner: Point| points.iter().position(|point| *point == corner);
    hull(points).into_iter().filter_map(corner).collect()
}
