//! The first Pareto front of two measures, both maximised.

/// Positions, ascending, of the points that no other point dominates. A point dominates another if it is at least as
/// large in both coordinates and larger in one; equal points do not dominate each other, so duplicates stay. −∞ is the
/// lowest value; NaN counts as −∞. O(n log n).
pub fn front(points: &[(f64, f64)]) -> Vec<usize> {
    // Adding 0 makes −0 equal to 0 for `total_cmp` too.
    let clean = |v: f64| if v.is_nan() { f64::NEG_INFINITY } else { v + 0.0 };
    let points: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (clean(x), clean(y))).collect();
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| points[b].0.total_cmp(&points[a].0).then(points[b].1.total_cmp(&points[a].1)));
    let mut front = Vec::new();
    // The highest second coordinate among points with a larger first one.
    let mut ceiling: Option<f64> = None;
    for group in order.chunk_by(|&a, &b| points[a].0 == points[b].0) {
        let top = points[group[0]].1;
        if ceiling.is_none_or(|c| top > c) {
            front.extend(group.iter().filter(|&&i| points[i].1 == top));
            ceiling = Some(top);
        }
    }
    front.sort_unstable();
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONE: f64 = f64::NEG_INFINITY;

    #[test]
    fn fronts_by_hand() {
        assert_eq!(front(&[]), Vec::<usize>::new());
        assert_eq!(front(&[(NONE, NONE)]), [0]);
        // A staircase; (2, 2) is below (3, 2) and (2, 3), the second (3, 2) is a duplicate and stays.
        assert_eq!(front(&[(2.0, 2.0), (3.0, 2.0), (1.0, 4.0), (2.0, 3.0), (3.0, 2.0)]), [1, 2, 3, 4]);
        // Equal in one coordinate: the larger other one dominates.
        assert_eq!(front(&[(1.0, 5.0), (1.0, 6.0), (0.0, 6.0)]), [1]);
        // Dead cells: all singular, then one that is not.
        assert_eq!(front(&[(5.0, NONE), (5.0, NONE)]), [0, 1]);
        assert_eq!(front(&[(5.0, NONE), (5.0, 1.0), (6.0, NONE)]), [1, 2]);
        assert_eq!(front(&[(0.0, 1.0), (-0.0, 1.0)]), [0, 1]);
    }

    proptest! {
        #[test]
        fn the_front_is_exactly_what_nothing_dominates(
            // A small grid, so that ties and duplicates abound.
            grid in prop::collection::vec((0..6u8, 0..6u8), 0..40)
        ) {
            let value = |v: u8| if v == 0 { NONE } else { f64::from(v) };
            let points: Vec<(f64, f64)> = grid.iter().map(|&(x, y)| (value(x), value(y))).collect();
            let dominates = |a: &(f64, f64), b: &(f64, f64)| a.0 >= b.0 && a.1 >= b.1 && (a.0 > b.0 || a.1 > b.1);
            let expected: Vec<usize> =
                (0..points.len()).filter(|&i| !points.iter().any(|p| dominates(p, &points[i]))).collect();
            prop_assert_eq!(front(&points), expected);
        }
    }
}
