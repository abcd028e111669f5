//! Elements of tensors in memory-mapped files.

use std::ops::Range;
use std::sync::Arc;

use half::f16;

use crate::ir::float8;
use crate::ir::types::ElementType;
use autoneural_base::map::Map;

/// Element type of stored constant data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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
    /// Integers of 32 bits.
    I32,
    /// Integers of 64 bits.
    I64,
    /// One byte, 0 for false.
    Bool,
}

impl StoredType {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            StoredType::I64 => 8,
            StoredType::F32 | StoredType::I32 => 4,
            StoredType::F16 | StoredType::Bf16 => 2,
            StoredType::F8E4m3 | StoredType::F8E5m2 | StoredType::Bool => 1,
        }
    }

    /// Type of the elements in the graph.
    pub fn element(self) -> ElementType {
        match self {
            StoredType::I32 => ElementType::I32,
            StoredType::I64 => ElementType::I64,
            StoredType::Bool => ElementType::Bool,
            StoredType::F32 | StoredType::F16 | StoredType::Bf16 | StoredType::F8E4m3 | StoredType::F8E5m2 => {
                ElementType::F32
            }
        }
    }

    /// The type as which this program stores elements.
    pub fn of(element: ElementType) -> Self {
        match element {
            ElementType::F32 => StoredType::F32,
            ElementType::I32 => StoredType::I32,
            ElementType::I64 => StoredType::I64,
            ElementType::Bool => StoredType::Bool,
        }
    }
}

/// A range of a memory-mapped file that holds little-endian elements in row-major order.
#[derive(Clone)]
pub struct View {
    pub(super) map: Arc<Map>,
    pub(super) start: usize,
    pub(super) elements: usize,
    pub(super) stored: StoredType,
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

    /// The elements as real numbers.
    pub(super) fn to_f32(&self) -> Vec<f32> {
        let made = self.read();
        self.release();
        made
    }

    /// Writes the elements as real numbers to as many places.
    pub(super) fn write_f32(&self, to: &mut [f32]) {
        self.stored.write(self.bytes(), to);
        self.release();
    }

    /// Writes these elements of every row of `length` elements as real numbers to as many places.
    ///
    /// Pages that hold the ends of rows also hold other parts of them, so memory is given back by whoever reads the last
    /// part.
    pub(super) fn write_f32_of_rows(&self, length: usize, of_each: Range<usize>, to: &mut [f32]) {
        let (bytes, places) = (self.stored.bytes(), of_each.len());
        let rows = self.bytes().chunks_exact(length * bytes);
        for (row, to) in rows.zip(to.chunks_exact_mut(places)) {
            self.stored.write(&row[of_each.start * bytes..of_each.end * bytes], to);
        }
        if of_each.end == length {
            self.release();
        }
    }

    /// The elements as integers; fractions are cut off.
    pub(super) fn to_i64(&self) -> Vec<i64> {
        self.stored.read_integers(self.bytes())
    }

    /// The elements as they are stored, where each takes two bytes.
    pub(super) fn to_pairs(&self) -> Vec<[u8; 2]> {
        let made = self.bytes().as_chunks().0.to_vec();
        self.release();
        made
    }

    /// The element at a row-major position, as a real number.
    pub(super) fn element(&self, position: usize) -> f32 {
        let start = self.start + position * self.stored.bytes();
        View { map: Arc::clone(&self.map), start, elements: 1, stored: self.stored }.read()[0]
    }

    /// Row-major position and value of the first element that is NaN or infinite, which is one whose exponent has all
    /// bits set. (E4M3 has no infinity: there the fraction's bits must be set, too.) `None` if all are finite.
    pub fn first_non_finite(&self) -> Option<(usize, f32)> {
        let found = match self.stored {
            StoredType::F32 => {
                first_with(self.bytes().as_chunks().0, |b| u32::from_le_bytes(b) & 0x7f80_0000 == 0x7f80_0000)
            }
            StoredType::F16 => first_with(self.bytes().as_chunks().0, |b| u16::from_le_bytes(b) & 0x7c00 == 0x7c00),
            StoredType::Bf16 => first_with(self.bytes().as_chunks().0, |b| u16::from_le_bytes(b) & 0x7f80 == 0x7f80),
            StoredType::F8E4m3 => first_with(self.bytes().as_chunks().0, |[b]| b & 0x7f == 0x7f),
            StoredType::F8E5m2 => first_with(self.bytes().as_chunks().0, |[b]| b & 0x7c == 0x7c),
            StoredType::I32 | StoredType::I64 | StoredType::Bool => None,
        };
        self.release();
        found.map(|at| (at, self.read()[at]))
    }

    /// Gives back the memory of the pages that were read, because a model can be larger than the memory.
    fn release(&self) {
        self.map.release(self.start, self.bytes().len());
    }

    fn read(&self) -> Vec<f32> {
        self.stored.read(self.bytes())
    }
}

impl StoredType {
    /// Writes the elements in these bytes as real numbers to as many places.
    fn write(self, bytes: &[u8], to: &mut [f32]) {
        match self {
            StoredType::Bf16 => {
                let elements = bytes.as_chunks().0;
                to.iter_mut().zip(elements).for_each(|(to, &two)| *to = widened(two));
            }
            _ => to.copy_from_slice(&self.read(bytes)),
        }
    }

    /// Elements in these bytes as real numbers.
    pub(super) fn read(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            StoredType::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            StoredType::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            StoredType::Bf16 => bytes.as_chunks().0.iter().map(|&b| widened(b)).collect(),
            StoredType::F8E4m3 => bytes.iter().map(|&b| float8::e4m3(b)).collect(),
            StoredType::F8E5m2 => bytes.iter().map(|&b| float8::e5m2(b)).collect(),
            StoredType::I32 | StoredType::I64 | StoredType::Bool => {
                self.read_integers(bytes).into_iter().map(|value| value as f32).collect()
            }
        }
    }

    /// Elements in these bytes as integers; fractions are cut off.
    pub(super) fn read_integers(self, bytes: &[u8]) -> Vec<i64> {
        match self {
            StoredType::I32 => bytes.as_chunks().0.iter().map(|&b| i32::from_le_bytes(b).into()).collect(),
            StoredType::I64 => bytes.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect(),
            StoredType::Bool => bytes.iter().map(|&b| i64::from(b != 0)).collect(),
            _ => self.read(bytes).into_iter().map(|value| value as i64).collect(),
        }
    }
}

/// The real number that a bf16 is the upper half of. Unlike [`half::bf16::to_f32`] it does not look for NaN, so that the
/// compiler makes several at once.
#[inline]
fn widened(two: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(two)) << 16)
}

/// Elements are searched in runs of this length without a branch; only a run with a hit is searched again for its
/// position.
const RUN: usize = 4096;

/// Position of the first element for which `is_such` is true.
fn first_with<const N: usize>(elements: &[[u8; N]], is_such: impl Fn([u8; N]) -> bool) -> Option<usize> {
    elements.chunks(RUN).enumerate().find_map(|(run, elements)| {
        let any = elements.iter().fold(false, |any, &element| any | is_such(element));
        let at = if any { elements.iter().position(|&element| is_such(element)) } else { None };
        at.map(|at| run * RUN + at)
    })
}
