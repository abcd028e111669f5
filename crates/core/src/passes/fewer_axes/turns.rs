//! Transposes of many axes.

use crate::ir::Shape;

/// Transposes of at most so many axes that do the same one after the other: the shape that each reads, and its order. There
/// is one at least.
pub(super) fn turns(shape: &[usize], perm: &[usize], most: usize) -> Vec<(Shape, Vec<usize>)> {
    let mut made = Vec::new();
    let (mut shape, mut perm) = joined(shape, perm);
    // Fewer than four do not hold the two axes that are brought together, and what lies between and around them.
    while perm.len() > most.max(4) {
        // The second axis of the result is brought behind the first: both are one from then on.
        let [first, second] = [perm[0], perm[1]];
        let mut order: Vec<usize> = (0..perm.len()).filter(|&axis| axis != second).collect();
        let behind = order.iter().position(|&axis| axis == first).map_or(0, |at| at + 1);
        order.insert(behind, second);
        made.push(joined(&shape, &order));
        let moved: Shape = order.iter().map(|&axis| shape[axis]).collect();
        let rest: Vec<usize> =
            perm.iter().map(|axis| order.iter().position(|from| from == axis).unwrap_or_default()).collect();
        (shape, perm) = joined(&moved, &rest);
    }
    made.push((shape, perm));
    made
}

/// The same transpose without axes of size 1, and with those as one that stay beside each other.
fn joined(shape: &[usize], perm: &[usize]) -> (Shape, Vec<usize>) {
    let is_moved = |axis: &usize| shape[*axis] > 1;
    let moved: Vec<usize> = (0..shape.len()).filter(is_moved).collect();
    // Places in `moved`, in the order of the result.
    let order: Vec<usize> =
        perm.iter().filter(|axis| is_moved(axis)).filter_map(|axis| moved.iter().position(|one| one == axis)).collect();
    let begins = |at: &usize| *at == 0 || order[*at] != order[*at - 1] + 1;
    let starts: Vec<usize> = (0..order.len()).filter(begins).collect();
    // Runs of axes: the first of each, and the size of all.
    let run = |(at, &start): (usize, &usize)| {
        let end = starts.get(at + 1).copied().unwrap_or(order.len());
        (order[start], order[start..end].iter().map(|&place| shape[moved[place]]).product::<usize>())
    };
    let runs: Vec<(usize, usize)> = starts.iter().enumerate().map(run).collect();
    let mut before = runs.clone();
    before.sort_unstable();
    let place = |run: &(usize, usize)| before.iter().position(|one| one == run).unwrap_or_default();
    (before.iter().map(|run| run.1).collect(), runs.iter().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Constant;

    #[test]
    fn axes_that_stay_together_are_one() {
        assert_eq!(joined(&[1, 4, 7, 4, 7, 64], &[0, 1, 3, 2, 4, 5]), (vec![4, 7, 4, 448], vec![0, 2, 1, 3]));
        assert_eq!(joined(&[1, 1, 1], &[2, 0, 1]), (vec![], vec![]));
        assert_eq!(joined(&[2, 3, 4], &[0, 1, 2]), (vec![24], vec![0]));
    }

    #[test]
    fn every_order_of_six_axes_is_two_of_five_at_most() {
        let shape = vec![2, 3, 2, 2, 3, 2];
        let data = Constant::from_values((0..144).map(|at| at as f32).collect(), shape.clone());
        let mut orders = vec![vec![]];
        for axis in 0..6 {
            let longer = |order: &Vec<usize>| {
                let put = |at: usize| [&order[..at], &[axis], &order[at..]].concat();
                (0..=order.len()).map(put).collect::<Vec<_>>()
            };
            orders = orders.iter().flat_map(longer).collect();
        }
        assert_eq!(orders.len(), 720);
        for perm in orders {
            let steps = turns(&shape, &perm, 5);
            assert!(steps.len() <= 2 && steps.iter().all(|(shape, _)| shape.len() <= 5), "{perm:?}: {steps:?}");
            let made = steps.iter().fold(data.clone(), |now, (shape, perm)| now.reshaped(shape.clone()).permuted(perm));
            assert_eq!(made.to_f32(), data.permuted(&perm).to_f32(), "{perm:?}");
        }
    }
}
