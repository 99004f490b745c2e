//! Masks: which pixels a forgery replaces, and with what weight.

use crate::faces::face::Point;
use crate::forgery::noise::step;

/// The shorter side of the bounding box, in pixels.
pub(super) fn size(points: &[Point]) -> f32 {
    let span = |axis: usize| {
        let values = points.iter().map(|point| point[axis]);
        values.clone().fold(f32::MIN, f32::max) - values.fold(f32::MAX, f32::min)
    };
    span(0).min(span(1))
}

/// The distance in pixels from `place` to the polygon's border, positive inside.
pub(super) fn depth(polygon: &[Point], place: Point) -> f32 {
    let [x, y] = place;
    let (mut nearest, mut inside) = (f32::MAX, false);
    for (index, a) in polygon.iter().enumerate() {
        let b = polygon[(index + 1) % polygon.len()];
        let (edge, to) = ([b[0] - a[0], b[1] - a[1]], [x - a[0], y - a[1]]);
        let length = (edge[0] * edge[0] + edge[1] * edge[1]).max(1e-12);
        let along = ((to[0] * edge[0] + to[1] * edge[1]) / length).clamp(0.0, 1.0);
        let away = [to[0] - along * edge[0], to[1] - along * edge[1]];
        nearest = nearest.min(away[0] * away[0] + away[1] * away[1]);
        if (a[1] > y) != (b[1] > y) && to[0] < to[1] / edge[1] * edge[0] {
            inside = !inside;
        }
    }
    if inside { nearest.sqrt() } else { -nearest.sqrt() }
}

/// 0 outside the polygon, 1 further than `feather` pixels inside it.
pub(super) fn feathered(polygon: &[Point], place: Point, feather: f32) -> f32 {
    step(0.0, feather.max(1e-3), depth(polygon, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faces::hull::hull;
    use proptest::prelude::*;

    const SQUARE: [Point; 4] = [[2.0, 2.0], [10.0, 2.0], [10.0, 10.0], [2.0, 10.0]];

    #[test]
    fn depth_is_the_distance_to_the_border() {
        assert_eq!(depth(&SQUARE, [6.0, 6.0]), 4.0);
        assert_eq!(depth(&SQUARE, [9.0, 6.0]), 1.0);
        assert_eq!(depth(&SQUARE, [13.0, 14.0]), -5.0);
        assert_eq!(feathered(&SQUARE, [6.0, 6.0], 3.0), 1.0);
        assert_eq!(feathered(&SQUARE, [1.0, 6.0], 3.0), 0.0);
        assert!((feathered(&SQUARE, [6.0, 3.5], 3.0) - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_hull_drops_what_is_inside() {
        let mut points = SQUARE.to_vec();
        points.extend([[5.0, 5.0], [6.0, 2.0], [2.0, 2.0]]);
        let hull = hull(&points);
        assert_eq!(hull.len(), 4);
        assert!(SQUARE.iter().all(|corner| hull.contains(corner)));
    }

    proptest! {
        #[test]
        fn a_hull_holds_every_point(points in proptest::collection::vec([0.0_f32..50.0, 0.0_f32..50.0], 3..30)) {
            let hull = hull(&points);
            for point in &points {
                prop_assert!(hull.len() < 3 || depth(&hull, *point) > -1e-2);
            }
        }
    }
}
