//! Which axes an operator takes as one.

use crate::ir::{Op, Shape, ops};

/// Which axes are not joined with which.
pub(super) struct Apart {
    /// Those that stay by themselves.
    pub alone: Vec<usize>,
    /// Those that are joined only with one another.
    pub together: Vec<usize>,
}

impl Apart {
    /// One axis by itself.
    pub(super) fn axis(axis: usize) -> Self {
        Apart { alone: vec![axis], together: vec![] }
    }
}

/// Axes that are one: for each axis the one that it is a part of.
pub(super) struct Groups(Vec<usize>);

impl Groups {
    /// The axes of what broadcasts, from the front joined until there are no more than `most`. `None` if that many stay
    /// apart.
    pub(super) fn of(shapes: &[&[usize]], apart: &Apart, most: usize) -> Option<Self> {
        let rank = shapes.iter().map(|shape| shape.len()).max()?;
        let aligned: Vec<Shape> = shapes.iter().map(|shape| with_ones(shape, rank)).collect();
        // Which shapes are repeated along an axis; an axis of size 1 in all of them goes with any other.
        let repeated = |axis: usize| -> Option<Vec<bool>> {
            let is_moved = aligned.iter().any(|shape| shape[axis] > 1);
            is_moved.then(|| aligned.iter().map(|shape| shape[axis] == 1).collect())
        };
        let kind = |axis: usize| apart.together.contains(&axis);
        let (mut groups, mut count) = (vec![0], 1);
        let mut pattern = repeated(0);
        for axis in 1..rank {
            let other = repeated(axis);
            let agree = pattern.is_none() || other.is_none() || pattern == other;
            let is_alone = apart.alone.contains(&axis) || apart.alone.contains(&(axis - 1));
            let left = count + rank - axis;
            if left > most && agree && !is_alone && kind(axis) == kind(axis - 1) {
                pattern = pattern.or(other);
            } else {
                pattern = other;
                count += 1;
            }
            groups.push(count - 1);
        }
        (count <= most).then_some(Groups(groups))
    }

    /// The group of an axis.
    pub(super) fn place(&self, axis: usize) -> usize {
        self.0[axis]
    }

    /// A shape with joined axes. One of fewer axes that needs none in front is left with them.
    pub(super) fn shape(&self, shape: &[usize]) -> Shape {
        let mut made = vec![1; self.0.last().map_or(0, |last| last + 1)];
        for (axis, size) in with_ones(shape, self.0.len()).into_iter().enumerate() {
            made[self.0[axis]] *= size;
        }
        let spare = made.len().saturating_sub(shape.len());
        match made[..spare].iter().all(|&size| size == 1) && made[spare..] == *shape {
            true => shape.to_vec(),
            false => made,
        }
    }
}

fn with_ones(shape: &[usize], rank: usize) -> Shape {
    [vec![1; rank - shape.len()], shape.to_vec()].concat()
}

/// The operator on at most so many axes, with the shapes that it reads then; what it makes has joined axes, too. `None` for
/// operators that need their axes.
pub(super) fn on_fewer(op: &Op, reads: &[&[usize]], most: usize) -> Option<(Op, Vec<Shape>)> {
    let rank = reads.iter().map(|shape| shape.len()).max()?;
    let last = rank.checked_sub(1)?;
    let apart = match op {
        _ if let Some(axis) = op.numbered_axis() => Apart::axis(axis),
        _ if let Some(axes) = op.reduced_axes() => Apart { alone: vec![], together: axes },
        Op::LayerNorm(_) => Apart::axis(last),
        Op::MatMul(_) => Apart { alone: vec![last - 1, last], together: vec![] },
        // Samples and channels.
        Op::InstanceNorm(_) | Op::GlobalAveragePool(_) => Apart { alone: vec![0, 1], together: vec![] },
        _ if op.work() == ops::Work::Elementwise => Apart { alone: vec![], together: vec![] },
        _ => return None,
    };
    // Gains and biases are those of one axis, which stays.
    let has_gains = matches!(op, Op::LayerNorm(_) | Op::RmsNorm(_) | Op::InstanceNorm(_));
    let broadcast = if has_gains { &reads[..1] } else { reads };
    // What the axes are that operators join or multiply along tells nothing of the others.
    let without = |shape: &&[usize]| {
        let missing = rank - shape.len();
        let of_axis = |(at, &size)| if apart.alone.contains(&(at + missing)) { 1 } else { size };
        shape.iter().enumerate().map(of_axis).collect::<Shape>()
    };
    let compared: Vec<Shape> = broadcast.iter().map(without).collect();
    let compared: Vec<&[usize]> = compared.iter().map(Shape::as_slice).collect();
    let groups = Groups::of(&compared, &apart, most)?;
    let shapes = reads.iter().enumerate().map(|(at, shape)| match has_gains && at > 0 {
        true => shape.to_vec(),
        false => groups.shape(shape),
    });
    Some((op.renumbered(|axis| groups.place(axis)), shapes.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_joined_from_the_front_and_no_more_than_needed() {
        let (op, reads) = on_fewer(&ops::Add.into(), &[&[1, 2, 3, 4, 5, 6], &[2, 3, 4, 5, 6]], 5).unwrap();
        assert_eq!((op, reads), (ops::Add.into(), vec![vec![2, 3, 4, 5, 6], vec![2, 3, 4, 5, 6]]));
        let (_, reads) = on_fewer(&ops::Add.into(), &[&[3, 2, 8, 8, 8, 8], &[3, 2, 8, 8, 1, 8]], 4).unwrap();
        assert_eq!(reads, [[48, 8, 8, 8], [48, 8, 1, 8]]);
    }

    #[test]
    fn what_is_repeated_stays_apart() {
        assert!(on_fewer(&ops::Mul.into(), &[&[2, 2, 2, 2, 2, 2], &[2, 1, 2, 1, 2, 1]], 5).is_none());
        // A vector along the last axis needs no others.
        let (_, reads) = on_fewer(&ops::Mul.into(), &[&[2, 2, 2, 2, 2, 3], &[3]], 5).unwrap();
        assert_eq!(reads, [vec![4, 2, 2, 2, 3], vec![3]]);
    }

    #[test]
    fn operators_work_along_the_same_elements() {
        let (op, reads) = on_fewer(&ops::Softmax { axis: 5 }.into(), &[&[2, 3, 2, 2, 2, 4]], 3).unwrap();
        assert_eq!((op, reads), (ops::Softmax { axis: 2 }.into(), vec![vec![24, 2, 4]]));
        let mean = ops::ReduceMean { axes: vec![3, 5], keepdims: false };
        let (op, reads) = on_fewer(&mean.into(), &[&[1, 8, 3, 2, 3, 2]], 5).unwrap();
        assert_eq!(op, ops::ReduceMean { axes: vec![2, 4], keepdims: false }.into());
        assert_eq!(reads, [[8, 3, 2, 3, 2]]);
        let (op, reads) = on_fewer(&ops::MatMul.into(), &[&[1, 2, 3, 7, 7, 8], &[8, 9]], 4).unwrap();
        assert_eq!((op, reads), (ops::MatMul.into(), vec![vec![6, 7, 7, 8], vec![8, 9]]));
        let (_, reads) = on_fewer(&ops::GlobalAveragePool.into(), &[&[1, 2, 3, 7, 7, 8]], 4).unwrap();
        assert_eq!(reads, [[1, 2, 147, 8]]);
        assert!(on_fewer(&ops::Transpose { perm: vec![1, 0] }.into(), &[&[2, 3]], 1).is_none());
    }
}
