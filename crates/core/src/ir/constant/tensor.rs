//! A constant tensor: where its elements are stored, and the transforms that make its value from them.

use std::sync::Arc;

use super::hadamard::hadamard;
use super::permute::permute;
use super::view::{StoredType, View};
use crate::ir::float8::scale_blocks;
use crate::ir::types::{ElementType, Shape};

/// The little-endian bytes of these numbers, 4 bytes each.
pub fn le_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    let (places, _) = bytes.as_chunks_mut::<4>();
    places.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
    bytes
}

/// Where the stored elements are.
#[derive(Clone)]
pub(super) enum Storage {
    View(View),
    Values(Arc<[f32]>),
    /// Elements of another type than [`ElementType::F32`].
    Integers(ElementType, Arc<[i64]>),
}

/// One of the steps that make the constant's value from the stored elements.
#[derive(Clone)]
pub(super) enum Transform {
    Permute(Vec<usize>),
    /// Keep the indices `start..end` of one axis.
    Slice {
        axis: usize,
        start: usize,
        end: usize,
    },
    /// Multiply along one axis of the current shape by one factor per index.
    ScaleAxis {
        axis: usize,
        factors: Arc<[f32]>,
    },
    /// Multiply each block of this shape by a factor; the factors are row-major over the grid of blocks.
    ScaleBlocks {
        block: Shape,
        factors: Arc<[f32]>,
    },
    /// Hadamard transform of each `block` numbers along one axis.
    Hadamard {
        axis: usize,
        block: usize,
    },
}

/// A constant tensor. Cloning and transforming are cheap: the numbers are computed in [`Constant::to_f32`] and
/// [`Constant::to_i64`].
#[derive(Clone)]
pub struct Constant {
    pub(super) storage: Storage,
    /// The shape before each transform, and the constant's shape as the last entry: one entry more than `transforms`.
    pub(super) shapes: Vec<Shape>,
    pub(super) transforms: Vec<Transform>,
}

impl std::fmt::Debug for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.element_type() {
            ElementType::F32 => write!(f, "Constant{:?}", self.shape()),
            other => write!(f, "Constant {}{:?}", other.name(), self.shape()),
        }
    }
}

impl Constant {
    /// A constant that is read from a view, which must hold exactly the elements of `shape`.
    pub fn from_view(view: View, shape: Shape) -> Self {
        debug_assert_eq!(view.elements, shape.iter().product::<usize>());
        Constant { storage: Storage::View(view), shapes: vec![shape], transforms: vec![] }
    }

    /// A constant of these real numbers in row-major order; there must be as many as `shape` has elements.
    pub fn from_values(values: Vec<f32>, shape: Shape) -> Self {
        debug_assert_eq!(values.len(), shape.iter().product::<usize>());
        Constant { storage: Storage::Values(values.into()), shapes: vec![shape], transforms: vec![] }
    }

    /// A constant of integers, or of true and false as 1 and 0, in row-major order; there must be as many as `shape`
    /// has elements.
    pub fn from_integers(element: ElementType, values: Vec<i64>, shape: Shape) -> Self {
        debug_assert!(!element.is_real());
        debug_assert_eq!(values.len(), shape.iter().product::<usize>());
        Constant { storage: Storage::Integers(element, values.into()), shapes: vec![shape], transforms: vec![] }
    }

    /// A constant of little-endian elements, row-major; `None` if there are more or fewer bytes than the shape needs.
    pub fn from_le_bytes(stored: StoredType, bytes: &[u8], shape: Shape) -> Option<Self> {
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
        if count.checked_mul(stored.bytes())? != bytes.len() {
            return None;
        }
        Some(match stored.element() {
            ElementType::F32 => Self::from_values(stored.read(bytes), shape),
            element => Self::from_integers(element, stored.read_integers(bytes), shape),
        })
    }

    /// Type of the elements.
    pub fn element_type(&self) -> ElementType {
        match &self.storage {
            Storage::View(view) => view.stored.element(),
            Storage::Values(_) => ElementType::F32,
            Storage::Integers(element, _) => *element,
        }
    }

    /// The type in which the values are stored, where all of them are in it as they are: half precision or bfloat16 in a
    /// file, with transforms that only move them. Else the type as which this program stores elements.
    pub fn stored_type(&self) -> StoredType {
        let moves = |transform: &Transform| matches!(transform, Transform::Permute(_) | Transform::Slice { .. });
        match &self.storage {
            Storage::View(View { stored: stored @ (StoredType::F16 | StoredType::Bf16), .. })
                if self.transforms.iter().all(moves) =>
            {
                *stored
            }
            _ => StoredType::of(self.element_type()),
        }
    }

    /// Shape of the constant.
    pub fn shape(&self) -> &Shape {
        &self.shapes[self.shapes.len() - 1]
    }

    /// Byte offset of the stored data in its file; `None` if the values are not in a file.
    pub fn start(&self) -> Option<usize> {
        match &self.storage {
            Storage::View(view) => Some(view.start),
            Storage::Values(_) | Storage::Integers(..) => None,
        }
    }

    /// The same constant with permuted axes: output axis `i` is input axis `perm[i]`.
    pub fn permuted(&self, perm: &[usize]) -> Self {
        let shape = perm.iter().map(|&axis| self.shape()[axis]).collect();
        self.with(Transform::Permute(perm.to_vec()), shape)
    }

    /// The same elements in another shape with the same number of elements.
    pub fn reshaped(&self, shape: Shape) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), self.shape().iter().product::<usize>());
        let identity = Transform::Permute((0..shape.len()).collect());
        self.with(identity, shape)
    }

    /// The elements `start..end` of one axis.
    pub fn sliced(&self, axis: usize, start: usize, end: usize) -> Self {
        let mut shape = self.shape().clone();
        debug_assert!(start < end && end <= shape[axis]);
        shape[axis] = end - start;
        self.with(Transform::Slice { axis, start, end }, shape)
    }

    /// The constant multiplied along `axis` by one factor per index.
    pub fn scaled(&self, axis: usize, factors: Arc<[f32]>) -> Self {
        debug_assert!(self.element_type().is_real() && factors.len() == self.shape()[axis]);
        self.with(Transform::ScaleAxis { axis, factors }, self.shape().clone())
    }

    /// The constant with each block of this shape multiplied by one factor. The factors are row-major over the grid of
    /// blocks; the last block of an axis may be shorter.
    pub fn scaled_in_blocks(&self, block: Shape, factors: Arc<[f32]>) -> Self {
        debug_assert!(self.element_type().is_real() && block.len() == self.shape().len());
        self.with(Transform::ScaleBlocks { block, factors }, self.shape().clone())
    }

    /// The constant with every `block` numbers along `axis` replaced by their Hadamard transform (Sylvester's matrix, scaled to be orthogonal). `block` is a
    /// power of two that divides the axis.
    pub fn hadamard(&self, axis: usize, block: usize) -> Self {
        debug_assert!(
            self.element_type().is_real() && block.is_power_of_two() && self.shape()[axis].is_multiple_of(block)
        );
        self.with(Transform::Hadamard { axis, block }, self.shape().clone())
    }

    fn with(&self, transform: Transform, shape: Shape) -> Self {
        let mut made = self.clone();
        made.transforms.push(transform);
        made.shapes.push(shape);
        made
    }

    /// The values, row-major, as f32. Integers are converted, and true and false become 1 and 0.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = match &self.storage {
            Storage::View(view) => view.to_f32(),
            Storage::Values(values) => values.to_vec(),
            Storage::Integers(_, values) => values.iter().map(|&value| value as f32).collect(),
        };
        for (index, transform) in self.transforms.iter().enumerate() {
            let shape = &self.shapes[index];
            match transform {
                Transform::ScaleAxis { axis, factors } => {
                    scale_axis(&mut values, shape[axis + 1..].iter().product(), factors);
                }
                Transform::ScaleBlocks { block, factors } => scale_blocks(&mut values, shape, block, factors),
                Transform::Hadamard { axis, block } => {
                    hadamard(&mut values, *block, shape[axis + 1..].iter().product());
                }
                moving => values = moved(values, shape, moving),
            }
        }
        values
    }

    /// Writes the values, row-major, to as many places.
    pub fn write_f32(&self, to: &mut [f32]) {
        match (&self.storage, self.transforms.as_slice()) {
            (Storage::View(view), []) => view.write_f32(to),
            (Storage::View(view), [Transform::Slice { axis, start, end }]) => {
                let shape = &self.shapes[0];
                let inner: usize = shape[axis + 1..].iter().product();
                view.write_f32_of_rows(shape[*axis] * inner, start * inner..end * inner, to);
            }
            _ => to.copy_from_slice(&self.to_f32()),
        }
    }

    /// The values, row-major, as integers; fractions of real numbers are cut off.
    pub fn to_i64(&self) -> Vec<i64> {
        self.all_moved(match &self.storage {
            _ if self.element_type().is_real() => return self.to_f32().into_iter().map(|value| value as i64).collect(),
            Storage::View(view) => view.to_i64(),
            Storage::Integers(_, values) => values.to_vec(),
            Storage::Values(_) => unreachable!("these are real"),
        })
    }

    /// Stored elements after all transforms, which must be such that only move them.
    fn all_moved<T: Copy>(&self, stored: Vec<T>) -> Vec<T> {
        let steps = self.transforms.iter().zip(&self.shapes);
        steps.fold(stored, |values, (transform, shape)| moved(values, shape, transform))
    }

    /// The values as little-endian bytes of this type, row-major: of [`Constant::stored_type`], or of that of the
    /// elements.
    pub fn to_bytes_of(&self, stored: StoredType) -> Vec<u8> {
        match &self.storage {
            Storage::View(view) if stored.bytes() == 2 && self.stored_type() == stored => {
                self.all_moved(view.to_pairs()).into_flattened()
            }
            _ => self.to_le_bytes(),
        }
    }

    /// The values as little-endian bytes, row-major, [`ElementType::bytes`] for each.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match self.element_type() {
            ElementType::F32 => le_bytes(&self.to_f32()),
            ElementType::I32 => self.to_i64().into_iter().flat_map(|value| (value as i32).to_le_bytes()).collect(),
            ElementType::I64 => self.to_i64().into_iter().flat_map(i64::to_le_bytes).collect(),
            ElementType::Bool => self.to_i64().into_iter().map(|value| u8::from(value != 0)).collect(),
        }
    }
}

/// The elements after a transform that only moves them. Other transforms leave them as they are.
fn moved<T: Copy>(values: Vec<T>, shape: &[usize], transform: &Transform) -> Vec<T> {
    match transform {
        // A reshape is stored as an identity permutation of the new shape.
        Transform::Permute(perm) if perm.iter().enumerate().all(|(at, &from)| at == from) => values,
        Transform::Permute(perm) => permute(&values, shape, perm),
        Transform::Slice { axis, start, end } => {
            let inner: usize = shape[axis + 1..].iter().product();
            let rows = values.chunks_exact(shape[*axis] * inner);
            rows.flat_map(|row| &row[start * inner..end * inner]).copied().collect()
        }
        Transform::ScaleAxis { .. } | Transform::ScaleBlocks { .. } | Transform::Hadamard { .. } => values,
    }
}

/// Multiplies by one factor per index of an axis; `inner` is the product of the sizes of the axes after it.
fn scale_axis(values: &mut [f32], inner: usize, factors: &[f32]) {
    for rows in values.chunks_exact_mut(inner * factors.len()) {
        if inner == 1 {
            rows.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
            continue;
        }
        for (row, factor) in rows.chunks_exact_mut(inner).zip(factors) {
            row.iter_mut().for_each(|value| *value *= factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transposed_and_scaled_constant_gives_the_values_in_order() {
        let constant = Constant::from_values((0..6).map(|v| v as f32).collect(), vec![2, 3]);
        let transposed = constant.permuted(&[1, 0]);
        assert_eq!(transposed.shape(), &vec![3, 2]);
        assert_eq!(transposed.to_f32(), [0., 3., 1., 4., 2., 5.]);
        let scaled = transposed.scaled(0, vec![1., 10., 100.].into());
        assert_eq!(scaled.to_f32(), [0., 3., 10., 40., 200., 500.]);
    }

    #[test]
    fn a_slice_keeps_the_other_axes_whole() {
        let constant = Constant::from_values((0..12).map(|v| v as f32).collect(), vec![2, 3, 2]);
        let made = constant.sliced(1, 1, 3);
        assert_eq!(made.shape(), &vec![2, 2, 2]);
        assert_eq!(made.to_f32(), [2., 3., 4., 5., 8., 9., 10., 11.]);
    }

    #[test]
    fn reshaping_after_a_permutation_keeps_the_permuted_order() {
        let constant = Constant::from_values((0..6).map(|v| v as f32).collect(), vec![2, 3]);
        let made = constant.permuted(&[1, 0]).reshaped(vec![6, 1]).scaled(0, vec![1.; 6].into());
        assert_eq!(made.to_f32(), [0., 3., 1., 4., 2., 5.]);
    }

    #[test]
    fn integers_are_moved_as_real_numbers_are() {
        let made = Constant::from_integers(ElementType::I64, vec![1 << 40, 2, 3, 4, 5, 6], vec![2, 3]);
        let moved = made.permuted(&[1, 0]).sliced(0, 0, 2).reshaped(vec![4]);
        assert_eq!(moved.element_type(), ElementType::I64);
        assert_eq!(moved.to_i64(), [1 << 40, 4, 2, 5]);
        assert_eq!(moved.to_le_bytes()[..8], (1i64 << 40).to_le_bytes());
        let truths = Constant::from_integers(ElementType::Bool, vec![1, 0], vec![2]);
        assert_eq!((truths.to_le_bytes(), truths.to_f32()), (vec![1, 0], vec![1.0, 0.0]));
    }
}
