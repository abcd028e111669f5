//! Constants: views into memory-mapped files with a recipe of cheap transforms, turned to numbers only where asked.

mod element;

use std::sync::Arc;

use half::{bf16, f16};

use super::Shape;
use super::float8::{self, scale_blocks};
use crate::map::Map;

/// Element type of stored constant data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    Bf16,
    /// float8 with 4 bits of exponent, without infinity.
    F8E4m3,
    /// float8 with 5 bits of exponent.
    F8E5m2,
}

impl StoredType {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            StoredType::F32 => 4,
            StoredType::F16 | StoredType::Bf16 => 2,
            StoredType::F8E4m3 | StoredType::F8E5m2 => 1,
        }
    }
}

/// Little-endian bytes of numbers, as files hold them.
pub fn le_bytes(values: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * values.len()];
    let (places, _) = bytes.as_chunks_mut::<4>();
    places.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
    bytes
}

/// A range of a memory-mapped file that holds little-endian elements in row-major order.
#[derive(Clone)]
pub struct View {
    map: Arc<Map>,
    start: usize,
    elements: usize,
    stored: StoredType,
}

impl View {
    /// A view of `elements` elements at byte `start`; `None` when the file is too short for it.
    pub fn new(map: Arc<Map>, start: usize, elements: usize, stored: StoredType) -> Option<Self> {
        let end = start.checked_add(elements.checked_mul(stored.bytes())?)?;
        (end <= map.len()).then_some(View { map, start, elements, stored })
    }

    fn bytes(&self) -> &[u8] {
        &self.map[self.start..self.start + self.elements * self.stored.bytes()]
    }

    /// The elements.
    fn to_f32(&self) -> Vec<f32> {
        let made = self.read();
        self.release();
        made
    }

    /// Place and value of the first element that is NaN or infinite: all bits of its exponent are set.
    pub fn first_non_finite(&self) -> Option<(usize, f32)> {
        let found = match self.stored {
            StoredType::F32 => {
                first_with(self.bytes().as_chunks().0, |b| u32::from_le_bytes(b) & 0x7f80_0000 == 0x7f80_0000)
            }
            StoredType::F16 => first_with(self.bytes().as_chunks().0, |b| u16::from_le_bytes(b) & 0x7c00 == 0x7c00),
            StoredType::Bf16 => first_with(self.bytes().as_chunks().0, |b| u16::from_le_bytes(b) & 0x7f80 == 0x7f80),
            StoredType::F8E4m3 => first_with(self.bytes().as_chunks().0, |[b]| b & 0x7f == 0x7f),
            StoredType::F8E5m2 => first_with(self.bytes().as_chunks().0, |[b]| b & 0x7c == 0x7c),
        };
        self.release();
        found.map(|at| (at, self.read()[at]))
    }

    /// Pages that were read leave this process's memory: models pass through that weigh more than there is.
    fn release(&self) {
        self.map.release(self.start, self.bytes().len());
    }

    fn read(&self) -> Vec<f32> {
        let two = |b: &[u8]| [b[0], b[1]];
        match self.stored {
            StoredType::F32 => {
                self.bytes().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
            }
            StoredType::F16 => self.bytes().chunks_exact(2).map(|b| f16::from_le_bytes(two(b)).to_f32()).collect(),
            StoredType::Bf16 => self.bytes().chunks_exact(2).map(|b| bf16::from_le_bytes(two(b)).to_f32()).collect(),
            StoredType::F8E4m3 => self.bytes().iter().map(|&b| float8::e4m3(b)).collect(),
            StoredType::F8E5m2 => self.bytes().iter().map(|&b| float8::e5m2(b)).collect(),
        }
    }
}

/// Index of an element of a tensor by its row-major position.
pub fn index_of(mut position: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (slot, &size) in index.iter_mut().zip(shape).rev() {
        *slot = position % size;
        position /= size;
    }
    index
}

/// Elements that are looked through without a branch before the one that is looked for is found among them.
const RUN: usize = 4096;

/// Position of the first element that is such.
fn first_with<const N: usize>(elements: &[[u8; N]], is_such: impl Fn([u8; N]) -> bool) -> Option<usize> {
    elements.chunks(RUN).enumerate().find_map(|(run, elements)| {
        let any = elements.iter().fold(false, |any, &element| any | is_such(element));
        let at = if any { elements.iter().position(|&element| is_such(element)) } else { None };
        at.map(|at| run * RUN + at)
    })
}

#[derive(Clone)]
enum Source {
    View(View),
    Values(Arc<[f32]>),
}

/// One step from the stored elements to the constant's value.
#[derive(Clone)]
enum Transform {
    Permute(Vec<usize>),
    /// Keep the indices `start..end` of one axis.
    Slice {
        axis: usize,
        start: usize,
        end: usize,
    },
    /// Multiply along one axis (of the shape at that point) by one factor per index.
    ScaleAxis {
        axis: usize,
        factors: Arc<[f32]>,
    },
    /// Multiply blocks of this shape by one factor each.
    ScaleBlocks {
        block: Shape,
        factors: Arc<[f32]>,
    },
}

/// A constant tensor of f32 values. Cloning and transforming are cheap; [`Constant::to_f32`] does the work.
#[derive(Clone)]
pub struct Constant {
    source: Source,
    /// Shape before each transform; one longer than `transforms`, the last is the constant's shape.
    shapes: Vec<Shape>,
    transforms: Vec<Transform>,
}

impl std::fmt::Debug for Constant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Constant{:?}", self.shape())
    }
}

impl Constant {
    /// A constant read from a view; the view holds exactly the elements of `shape`.
    pub fn from_view(view: View, shape: Shape) -> Self {
        debug_assert_eq!(view.elements, shape.iter().product::<usize>());
        Constant { source: Source::View(view), shapes: vec![shape], transforms: vec![] }
    }

    /// A constant of given values in row-major order.
    pub fn from_values(values: Vec<f32>, shape: Shape) -> Self {
        debug_assert_eq!(values.len(), shape.iter().product::<usize>());
        Constant { source: Source::Values(values.into()), shapes: vec![shape], transforms: vec![] }
    }

    /// Shape of the constant.
    pub fn shape(&self) -> &Shape {
        &self.shapes[self.shapes.len() - 1]
    }

    /// Byte at which the stored data begins in its map; `None` for values that no file holds.
    pub fn start(&self) -> Option<usize> {
        match &self.source {
            Source::View(view) => Some(view.start),
            Source::Values(_) => None,
        }
    }

    /// The same constant with permuted axes: output axis `i` is input axis `perm[i]`.
    pub fn permuted(&self, perm: &[usize]) -> Self {
        let shape = perm.iter().map(|&axis| self.shape()[axis]).collect();
        self.with(Transform::Permute(perm.to_vec()), shape)
    }

    /// The same elements in another shape of as many elements.
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
        debug_assert_eq!(factors.len(), self.shape()[axis]);
        self.with(Transform::ScaleAxis { axis, factors }, self.shape().clone())
    }

    /// The constant with one factor, row-major, for each block of this shape; the last block of an axis may be shorter.
    pub fn scaled_in_blocks(&self, block: Shape, factors: Arc<[f32]>) -> Self {
        debug_assert_eq!(block.len(), self.shape().len());
        self.with(Transform::ScaleBlocks { block, factors }, self.shape().clone())
    }

    fn with(&self, transform: Transform, shape: Shape) -> Self {
        let mut made = self.clone();
        made.transforms.push(transform);
        made.shapes.push(shape);
        made
    }

    /// The values, row-major, as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = match &self.source {
            Source::View(view) => view.to_f32(),
            Source::Values(values) => values.to_vec(),
        };
        for (index, transform) in self.transforms.iter().enumerate() {
            match transform {
                Transform::Permute(perm) => {
                    // A reshape is stored as an identity permutation of the new shape.
                    let identity = perm.iter().enumerate().all(|(i, &p)| i == p);
                    if !identity {
                        values = permute(&values, &self.shapes[index], perm);
                    }
                }
                Transform::Slice { axis, start, end } => {
                    let shape = &self.shapes[index];
                    let inner: usize = shape[axis + 1..].iter().product();
                    let rows = values.chunks_exact(shape[*axis] * inner);
                    values = rows.flat_map(|row| &row[start * inner..end * inner]).copied().collect();
                }
                Transform::ScaleAxis { axis, factors } => {
                    let inner: usize = self.shapes[index][axis + 1..].iter().product();
                    scale_axis(&mut values, inner, factors);
                }
                Transform::ScaleBlocks { block, factors } => {
                    scale_blocks(&mut values, &self.shapes[index], block, factors);
                }
            }
        }
        values
    }
}

/// Multiplies by one factor per index of an axis, of which each has `inner` elements in a row.
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

/// Side of the squares in which a matrix is transposed, so that rows and columns stay in the cache.
const SQUARE: usize = 32;

fn transpose<T: Copy>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut made = values.to_vec();
    for first_row in (0..rows).step_by(SQUARE) {
        for first_column in (0..columns).step_by(SQUARE) {
            for column in first_column..columns.min(first_column + SQUARE) {
                for row in first_row..rows.min(first_row + SQUARE) {
                    made[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    made
}

/// Row-major permutation of axes.
pub fn permute<T: Copy>(values: &[T], shape: &[usize], perm: &[usize]) -> Vec<T> {
    if let (&[rows, columns], [1, 0]) = (shape, perm) {
        return transpose(values, rows, columns);
    }
    let mut strides = vec![1usize; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    let out_shape: Vec<usize> = perm.iter().map(|&axis| shape[axis]).collect();
    let out_strides: Vec<usize> = perm.iter().map(|&axis| strides[axis]).collect();
    let mut index = vec![0usize; shape.len()];
    let mut offset = 0usize;
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[offset]);
        for axis in (0..out_shape.len()).rev() {
            index[axis] += 1;
            offset += out_strides[axis];
            if index[axis] < out_shape[axis] {
                break;
            }
            offset -= out_strides[axis] * out_shape[axis];
            index[axis] = 0;
        }
    }
    out
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
    fn a_matrix_larger_than_a_square_is_transposed_whole() {
        let (rows, columns) = (SQUARE + 3, 2 * SQUARE + 1);
        let values: Vec<usize> = (0..rows * columns).collect();
        let made = permute(&values, &[rows, columns], &[1, 0]);
        assert!((0..rows * columns).all(|at| made[at] == at % rows * columns + at / rows));
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
}
