//! Single elements of a constant, where few are wanted: nothing else of it is read.

use super::index::{index_of, position_of};
use super::tensor::{Constant, Source, Transform};

impl Constant {
    /// The element at a row-major position, as a real number.
    pub fn element(&self, mut position: usize) -> f32 {
        let mut factor = 1.0;
        for (number, transform) in self.transforms.iter().enumerate().rev() {
            let (from, to) = (&self.shapes[number], &self.shapes[number + 1]);
            match transform {
                // A reshape is stored as an identity permutation of the new shape.
                Transform::Permute(perm) if perm.iter().enumerate().all(|(axis, &from)| axis == from) => {}
                Transform::Permute(perm) => {
                    let (index, mut before) = (index_of(position, to), vec![0; from.len()]);
                    perm.iter().zip(index).for_each(|(&axis, at)| before[axis] = at);
                    position = position_of(&before, from);
                }
                Transform::Slice { axis, start, .. } => {
                    let mut index = index_of(position, to);
                    index[*axis] += start;
                    position = position_of(&index, from);
                }
                Transform::ScaleAxis { axis, factors } => factor *= factors[index_of(position, to)[*axis]],
                Transform::ScaleBlocks { block, factors } => {
                    let index: Vec<usize> =
                        index_of(position, to).iter().zip(block).map(|(at, size)| at / size).collect();
                    let grid: Vec<usize> = to.iter().zip(block).map(|(size, block)| size.div_ceil(*block)).collect();
                    factor *= factors[position_of(&index, &grid)];
                }
            }
        }
        factor
            * match &self.source {
                Source::View(view) => view.element(position),
                Source::Values(values) => values[position],
                Source::Integers(_, values) => values[position] as f32,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_that_of_the_whole() {
        let constant = Constant::from_values((0..120).map(|at| at as f32).collect(), vec![2, 3, 4, 5]);
        let made = constant
            .scaled_in_blocks(vec![1, 2, 3, 5], (1..9).map(|at| at as f32).collect())
            .permuted(&[3, 1, 0, 2])
            .sliced(1, 1, 3)
            .scaled(0, [1.0, 2.0, 3.0, 4.0, 5.0].into())
            .reshaped(vec![10, 8])
            .permuted(&[1, 0]);
        let whole = made.to_f32();
        assert!((0..whole.len()).all(|at| made.element(at) == whole[at]));
    }
}
