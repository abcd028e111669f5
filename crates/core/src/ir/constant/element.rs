//! Reads single elements of a constant without reading the rest of it.

use super::hadamard::hadamard;
use super::index::{index_of, position_of};
use super::tensor::{Constant, Storage, Transform};

impl Constant {
    /// The element at a row-major position, as a real number.
    pub fn element(&self, position: usize) -> f32 {
        self.element_after(self.transforms.len(), position)
    }

    /// The element at a position behind the first `count` transforms.
    fn element_after(&self, count: usize, position: usize) -> f32 {
        let Some(transform) = count.checked_sub(1).map(|last| &self.transforms[last]) else {
            return match &self.storage {
                Storage::View(view) => view.element(position),
                Storage::Values(values) => values[position],
                Storage::Integers(_, values) => values[position] as f32,
            };
        };
        let before = |position| self.element_after(count - 1, position);
        let (from, to) = (&self.shapes[count - 1], &self.shapes[count]);
        match transform {
            // A reshape is stored as an identity permutation of the new shape.
            Transform::Permute(perm) if perm.iter().enumerate().all(|(axis, &from)| axis == from) => before(position),
            Transform::Permute(perm) => {
                let (index, mut moved) = (index_of(position, to), vec![0; from.len()]);
                perm.iter().zip(index).for_each(|(&axis, at)| moved[axis] = at);
                before(position_of(&moved, from))
            }
            Transform::Slice { axis, start, .. } => {
                let mut index = index_of(position, to);
                index[*axis] += start;
                before(position_of(&index, from))
            }
            Transform::ScaleAxis { axis, factors } => before(position) * factors[index_of(position, to)[*axis]],
            Transform::ScaleBlocks { block, factors } => {
                let index: Vec<usize> = index_of(position, to).iter().zip(block).map(|(at, size)| at / size).collect();
                let grid: Vec<usize> = to.iter().zip(block).map(|(size, block)| size.div_ceil(*block)).collect();
                before(position) * factors[position_of(&index, &grid)]
            }
            Transform::Hadamard { axis, block } => {
                let mut index = index_of(position, to);
                let (row, first) = (index[*axis] % block, index[*axis] - index[*axis] % block);
                let mut numbers: Vec<f32> = Vec::with_capacity(*block);
                for at in first..first + block {
                    index[*axis] = at;
                    numbers.push(before(position_of(&index, from)));
                }
                hadamard(&mut numbers, *block, 1);
                numbers[row]
            }
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
            .hadamard(2, 2)
            .reshaped(vec![10, 8])
            .permuted(&[1, 0])
            .hadamard(0, 4);
        let whole = made.to_f32();
        assert!((0..whole.len()).all(|at| made.element(at) == whole[at]));
    }
}
