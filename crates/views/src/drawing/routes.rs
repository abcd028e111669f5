//! The lines between the operators of a block: in come operators with what they read of each other and how wide they
//! are, out go their places in rows and the lines around them, so that residual connections are seen.
//!
//! Operators stand in rows. A line from one to the next in a row is straight; any other leaves at the bottom, goes
//! along a lane of the gap between rows, and comes in from the gap. A line that has to pass a row does so in a channel
//! on the left.

use std::collections::{BTreeMap, BTreeSet};

/// Height of an operator's box.
pub(crate) const CHIP: i32 = 24;
/// Between two operators of a row.
const BETWEEN: i32 = 16;
/// A gap between rows without lines, and what each line adds.
const GAP: i32 = 8;
const LANE: i32 = 6;

/// What an operator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A value from outside of the block, by its number.
    Outside(usize),
    /// What the operator at this place makes.
    Operator(usize),
}

/// A line, with whether it goes past other operators.
pub(crate) struct Line {
    /// Its points.
    pub points: Vec<(i32, i32)>,
    /// Whether it is a residual connection, or a value from elsewhere.
    pub skips: bool,
}

/// Places and lines, from the upper left corner of the box on.
pub(crate) struct Routes {
    /// Left edge and top of each operator.
    pub chips: Vec<(i32, i32)>,
    /// The lines.
    pub lines: Vec<Line>,
    /// Height of all rows.
    pub height: i32,
}

/// Rows of operators, and which lines leave each source for other places than the next of the row.
struct Rows {
    lefts: Vec<i32>,
    rows: Vec<usize>,
    /// Targets of the lines of each source.
    groups: BTreeMap<Origin, BTreeSet<usize>>,
}

impl Rows {
    /// Operators of these widths from `left` on, in rows up to `right`.
    fn new(widths: &[i32], reads: &[Vec<Origin>], left: i32, right: i32) -> Self {
        let (mut x, mut row) = (left, 0);
        let (mut lefts, mut rows) = (Vec::new(), Vec::new());
        for width in widths {
            if x + width > right && x > left {
                (x, row) = (left, row + 1);
            }
            lefts.push(x);
            rows.push(row);
            x += width + BETWEEN;
        }
        let mut groups: BTreeMap<Origin, BTreeSet<usize>> = BTreeMap::new();
        for (at, sources) in reads.iter().enumerate() {
            for &from in sources {
                let is_straight = match from {
                    // The arrow from the block before leads to the first operator.
                    Origin::Outside(_) => at == 0,
                    Origin::Operator(source) => source + 1 == at && rows[source] == rows[at],
                };
                if !is_straight {
                    groups.entry(from).or_default().insert(at);
                }
            }
        }
        Rows { lefts, rows, groups }
    }

    /// The gap that a target is reached from: the one above its row, or below it where the source stands in the same
    /// row.
    fn gap(&self, from: Origin, target: usize) -> usize {
        match from {
            Origin::Operator(source) if self.rows[source] == self.rows[target] => self.rows[target] + 1,
            _ => self.rows[target],
        }
    }

    /// The gap below a source; `None` from outside.
    fn exit(&self, from: Origin) -> Option<usize> {
        match from {
            Origin::Operator(source) => Some(self.rows[source] + 1),
            Origin::Outside(_) => None,
        }
    }

    /// Sources whose lines have to pass a row.
    fn far(&self) -> Vec<Origin> {
        let is_far = |(from, targets): &(&Origin, &BTreeSet<usize>)| {
            let exit = self.exit(**from);
            exit.is_some() && targets.iter().any(|&target| Some(self.gap(**from, target)) != exit)
        };
        self.groups.iter().filter(is_far).map(|(from, _)| *from).collect()
    }
}

/// Puts operators of these widths into rows between `left` and `right`, and lines around them.
pub(crate) fn routes(widths: &[i32], reads: &[Vec<Origin>], left: i32, right: i32) -> Routes {
    // Channels take room, which may make more rows and those more channels.
    let mut channels = 0;
    let mut rows = Rows::new(widths, reads, left, right);
    for _ in 0..3 {
        channels = channels.max(rows.far().len() as i32);
        rows = Rows::new(widths, reads, left + LANE * channels, right);
    }
    let far = rows.far();
    let channel = |from: Origin| left + LANE * far.iter().position(|other| *other == from).unwrap_or_default() as i32;
    // Lanes of each gap, by source.
    let count = rows.rows.last().map_or(1, |row| row + 1);
    let mut lanes: Vec<BTreeSet<Origin>> = vec![BTreeSet::new(); count + 1];
    for (&from, targets) in &rows.groups {
        for &target in targets {
            lanes[rows.gap(from, target)].insert(from);
        }
        if let Some(exit) = rows.exit(from) {
            lanes[exit].insert(from);
        }
    }
    let mut tops = Vec::new();
    let mut gaps = Vec::new();
    let mut y = 0;
    for gap in &lanes {
        gaps.push(y);
        y += GAP + LANE * gap.len() as i32;
        tops.push(y);
        y += CHIP;
    }
    let height = y - CHIP;
    let lane = |gap: usize, from: Origin| {
        let at = lanes[gap].iter().position(|other| *other == from).unwrap_or_default() as i32;
        gaps[gap] + GAP / 2 + LANE * at + LANE / 2
    };
    let chips: Vec<(i32, i32)> = rows.lefts.iter().zip(&rows.rows).map(|(&x, &row)| (x, tops[row])).collect();
    let mut lines = Vec::new();
    for (at, sources) in reads.iter().enumerate() {
        for &from in sources {
            if let Origin::Operator(source) = from
                && source + 1 == at
                && rows.rows[source] == rows.rows[at]
            {
                let middle = chips[at].1 + CHIP / 2;
                lines.push(Line {
                    points: vec![(chips[source].0 + widths[source], middle), (chips[at].0, middle)],
                    skips: false,
                });
            }
        }
    }
    let mut incoming = vec![0; widths.len()];
    for (&from, targets) in &rows.groups {
        for &target in targets {
            let gap = rows.gap(from, target);
            let from_below = gap > rows.rows[target];
            // Lines that come in stand beside each other.
            let x = chips[target].0 + (10 + 7 * incoming[target]).min(widths[target] - 6);
            incoming[target] += 1;
            let end = (x, chips[target].1 + if from_below { CHIP } else { 0 });
            let y = lane(gap, from);
            let mut points = Vec::new();
            let mut skips = true;
            match from {
                Origin::Outside(_) => points.push((0, y)),
                Origin::Operator(source) => {
                    skips = source + 1 != target;
                    let start = chips[source].0 + widths[source] - 8;
                    let exit = rows.rows[source] + 1;
                    points.extend([(start, chips[source].1 + CHIP), (start, lane(exit, from))]);
                    if exit != gap {
                        points.extend([(channel(from), lane(exit, from)), (channel(from), y)]);
                    }
                }
            }
            points.extend([(x, y), end]);
            lines.push(Line { points, skips });
        }
    }
    Routes { chips, lines, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line ends at the edge of the operator that reads, and begins at the one that is read or at the left edge.
    fn check(widths: &[i32], reads: &[Vec<Origin>]) -> Routes {
        let made = routes(widths, reads, 10, 200);
        let count: usize = reads.iter().map(Vec::len).sum();
        let first = reads[0].iter().filter(|from| matches!(from, Origin::Outside(_))).count();
        assert_eq!(made.lines.len(), count - first);
        for line in &made.lines {
            let (start, end) = (line.points[0], line.points[line.points.len() - 1]);
            let touches = |&(x, y): &(i32, i32)| {
                let on = |((left, top), width): (&(i32, i32), &i32)| {
                    (*left..=left + width).contains(&x) && (*top..=top + CHIP).contains(&y)
                };
                made.chips.iter().zip(widths).any(on)
            };
            assert!(touches(&end) && (touches(&start) || start.0 == 0), "{:?}", line.points);
            for two in line.points.windows(2) {
                assert!(two[0].0 == two[1].0 || two[0].1 == two[1].1, "{:?} is not straight", line.points);
            }
            assert!(line.points.iter().all(|&(x, y)| x >= 0 && (0..=made.height).contains(&y)), "{:?}", line.points);
        }
        made
    }

    #[test]
    fn a_residual_connection_is_a_line_of_its_own() {
        use Origin::{Operator, Outside};
        // In one row: conv, gelu, add of what came in.
        let made = check(&[40, 40, 40], &[vec![Outside(0)], vec![Operator(0)], vec![Operator(1), Outside(0)]]);
        assert_eq!(made.lines.iter().filter(|line| line.skips).count(), 1);
        // Over three rows, and one within a row.
        let reads = [
            vec![Outside(0)],
            vec![Operator(0)],
            vec![Operator(1), Operator(0)],
            vec![Operator(2), Operator(0)],
            vec![Operator(3)],
            vec![Operator(4), Operator(0), Outside(1)],
        ];
        let made = check(&[80; 6], &reads);
        assert_eq!(made.lines.iter().filter(|line| line.skips).count(), 4);
    }
}
