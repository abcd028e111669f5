//! Lanes beside a list for what goes from one of its lines past others: in come lines that are joined, out goes a lane
//! for each, so that no two that overlap share one.

/// Between two lanes.
const STEP: i32 = 9;

/// A lane for each pair.
pub(crate) struct Rails {
    /// By pair; 0 is next to the list.
    pub lanes: Vec<usize>,
    count: usize,
}

impl Rails {
    /// Room for all lanes.
    pub(crate) fn width(&self) -> i32 {
        if self.count == 0 { 0 } else { STEP * self.count as i32 + STEP }
    }

    /// How far left of the list a lane is.
    pub(crate) fn at(&self, lane: usize) -> i32 {
        STEP * (lane as i32 + 1) + STEP / 2
    }
}

/// Lanes for pairs of lines, each from an earlier to a later one. Short ones are next to the list; pairs with the same
/// beginning share a lane.
pub(crate) fn rails(pairs: &[(usize, usize)]) -> Rails {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by_key(|&at| (pairs[at].1.saturating_sub(pairs[at].0), pairs[at]));
    let mut taken: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut lanes = vec![0; pairs.len()];
    for at in order {
        let (from, to) = pairs[at];
        let is_free =
            |others: &Vec<(usize, usize)>| others.iter().all(|&(start, end)| start == from || end < from || to < start);
        let lane = taken.iter().position(is_free).unwrap_or(taken.len());
        if lane == taken.len() {
            taken.push(vec![]);
        }
        taken[lane].push((from, to));
        lanes[at] = lane;
    }
    Rails { lanes, count: taken.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_has_lanes_of_its_own() {
        let made = rails(&[(0, 9), (1, 3), (4, 6), (1, 5)]);
        assert_eq!(made.lanes, [2, 0, 0, 1]);
        assert_eq!(made.width(), 36);
        assert_eq!(rails(&[]).width(), 0);
    }
}
