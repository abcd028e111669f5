//! Tensors as drawings name them.

use super::subject::DrawnPartition;
use autoneural_base::error::Result;
use autoneural_core::encoding::IntegerType;
use autoneural_core::ir::ValueId;

/// Which tensors a drawing names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tensors {
    /// Those that cross a border: of partitions (the state of all layers in one line), or of a partition's blocks.
    Border,
    /// Every one.
    All,
}

/// A tensor as it is written beside an arrow.
pub struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub integer: IntegerType,
}

impl Tensor {
    /// That of a value of a partition.
    pub fn new(part: &DrawnPartition, id: ValueId) -> Result<Self> {
        let value = part.partition.graph.value(id);
        let integer = part.table.integer_of(value)?;
        Ok(Tensor { name: value.name.clone(), shape: value.shape.clone(), integer })
    }

    /// Bytes of its integers.
    pub fn bytes(&self) -> u64 {
        self.integer.bytes_of(&self.shape)
    }

    /// Shape and integers.
    pub fn kind(&self) -> String {
        format!("{:?} {}", self.shape, self.integer.name())
    }

    /// Shape, integers and size.
    pub fn detail(&self) -> String {
        format!("{}, {}", self.kind(), autoneural_base::text::bytes(self.bytes()))
    }
}
