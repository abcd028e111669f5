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
pub(crate) struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub integer: IntegerType,
}

impl Tensor {
    /// The tensor of a value of a partition.
    ///
    /// # Errors
    /// The table of the partition belongs to another graph.
    pub(crate) fn new(part: &DrawnPartition, id: ValueId) -> Result<Self> {
        let value = part.partition.graph.value(id);
        let integer = part.table.integer_of(value)?;
        Ok(Tensor { name: value.name.clone(), shape: value.shape.clone(), integer })
    }

    /// Bytes of its integers.
    pub(crate) fn bytes(&self) -> u64 {
        self.integer.bytes_of(&self.shape)
    }

    /// Shape and integers.
    pub(crate) fn kind(&self) -> String {
        format!("{:?} {}", self.shape, self.integer.name())
    }

    /// Shape, integers and size.
    pub(crate) fn detail(&self) -> String {
        format!("{}, {}", self.kind(), autoneural_base::text::bytes(self.bytes()))
    }
}
