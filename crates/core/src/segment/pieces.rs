//! Cuts nodes into as few pieces as a limit on their weights allows, at the smallest borders.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::Range;

/// Cuts a run of nodes into the fewest pieces whose weights have at most `limit` bytes each. Of several ways to do so
/// it takes the one whose borders cost least; a border before node `p` costs `border[p]`. `weights` are the constants
/// of each node with their bytes. A constant that several nodes of a piece read counts once.
///
/// # Errors
/// The weights of one node are larger than `limit`; the error is its position.
pub(crate) fn pieces<T: Copy + Eq + Hash>(
    weights: &[Vec<(T, u64)>],
    border: &[u64],
    limit: u64,
) -> Result<Vec<Range<usize>>, usize> {
    // For the nodes before each place: the fewest pieces and the least cost of their borders, and the node at which the
    // last of these pieces begins.
    let mut best: Vec<Option<((usize, u64), usize)>> = vec![None; weights.len() + 1];
    best[0] = Some(((0, 0), 0));
    for start in 0..weights.len() {
        let Some(((count, cost), _)) = best[start] else { continue };
        let cost = (count + 1, cost + if start > 0 { border[start] } else { 0 });
        let (mut seen, mut bytes) = (HashSet::new(), 0);
        for (at, node) in weights.iter().enumerate().skip(start) {
            bytes += node.iter().filter(|(constant, _)| seen.insert(*constant)).map(|(_, bytes)| bytes).sum::<u64>();
            if bytes > limit {
                if at == start {
                    return Err(at);
                }
                break;
            }
            let end = &mut best[at + 1];
            if end.is_none_or(|(known, _)| cost < known) {
                *end = Some((cost, start));
            }
        }
    }
    let mut made = Vec::new();
    let mut end = weights.len();
    while let Some((_, start)) = best[end].filter(|_| end > 0) {
        made.push(start..end);
        end = start;
    }
    made.reverse();
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(weights: &[Vec<(u8, u64)>]) -> u64 {
        let mut seen = HashSet::new();
        weights.iter().flatten().filter(|(constant, _)| seen.insert(*constant)).map(|(_, bytes)| bytes).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_other_cut_has_fewer_pieces_or_smaller_borders(
            (read, border) in (1usize..10).prop_flat_map(|count| (
                prop::collection::vec(prop::collection::vec(0u8..6, 0..3), count),
                prop::collection::vec(0u64..5, count),
            )),
            limit in 1u64..20,
        ) {
            // A constant has the same size wherever it is read.
            let with_bytes = |&constant: &u8| (constant, u64::from(constant) + 1);
            let weights: Vec<Vec<(u8, u64)>> = read.iter().map(|node| node.iter().map(with_bytes).collect()).collect();
            let count = weights.len();
            let too_large = weights.iter().position(|node| bytes(std::slice::from_ref(node)) > limit);
            let fits = |cuts: &[Range<usize>]| cuts.iter().all(|cut| bytes(&weights[cut.clone()]) <= limit);
            let cost = |cuts: &[Range<usize>]| (cuts.len(), cuts[1..].iter().map(|cut| border[cut.start]).sum::<u64>());
            let all = (0..1u32 << (count - 1)).map(|mask| {
                let mut starts = vec![0];
                starts.extend((1..count).filter(|at| mask >> (at - 1) & 1 == 1));
                let ends = starts[1..].iter().copied().chain([count]);
                starts.iter().zip(ends).map(|(&start, end)| start..end).collect::<Vec<_>>()
            });
            match pieces(&weights, &border, limit) {
                Err(at) => prop_assert_eq!(Some(at), too_large),
                Ok(made) => {
                    prop_assert!(fits(&made));
                    let least = all.filter(|cuts| fits(cuts)).map(|cuts| cost(&cuts)).min();
                    prop_assert_eq!(Some(cost(&made)), least);
                }
            }
        }
    }
}
