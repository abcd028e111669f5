//! Constants of a model file, as views into its data file where they stand there.

use std::path::Path;
use std::sync::Arc;

use autoneural_onnx::TensorProto;

use autoneural_core::ir::{Constant, ElementType, Shape, StoredType, View};

/// Data files beside a model file.
pub struct DataFiles(autoneural_onnx::DataFiles);

impl DataFiles {
    /// The data files of a model in this folder.
    pub fn beside(folder: &Path) -> Self {
        DataFiles(autoneural_onnx::DataFiles::beside(folder))
    }

    /// The constant that a tensor is.
    ///
    /// # Errors
    /// Says in words what of it cannot be: its type, its size, the place of its data.
    pub fn constant(&mut self, tensor: &TensorProto) -> Result<Constant, String> {
        let sizes = tensor.dims.iter().map(|&size| usize::try_from(size).ok().filter(|&size| size > 0));
        let shape = sizes.collect::<Option<Shape>>().ok_or_else(|| format!("has the shape {:?}", tensor.dims))?;
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        let count = count.ok_or_else(|| format!("has the shape {shape:?}, which is too large"))?;
        let stored = stored_type(tensor.data_type)?;
        if let Some(bytes) = self.0.bytes(tensor)? {
            let view = View::new(Arc::clone(&bytes.map), bytes.start, count, stored);
            let view = view.filter(|_| bytes.length >= count.saturating_mul(stored.bytes()));
            return Ok(Constant::from_view(view.ok_or("reaches beyond the end of its data")?, shape));
        }
        match tensor.raw_data.is_empty() {
            true => listed(tensor, stored.element(), count, shape),
            false => {
                let refused = format!("has {} bytes for the shape {shape:?}", tensor.raw_data.len());
                Constant::from_le_bytes(stored, &tensor.raw_data, shape).ok_or(refused)
            }
        }
    }
}

/// How elements of a type are stored (ONNX `TensorProto.DataType`).
fn stored_type(data_type: i32) -> Result<StoredType, String> {
    Ok(match data_type {
        1 => StoredType::F32,
        6 => StoredType::I32,
        7 => StoredType::I64,
        9 => StoredType::Bool,
        10 => StoredType::F16,
        16 => StoredType::Bf16,
        other => return Err(format!("has elements of the type {other}, which is not supported")),
    })
}

/// Elements as numbers in the message.
fn listed(tensor: &TensorProto, element: ElementType, count: usize, shape: Shape) -> Result<Constant, String> {
    let refused = |found: usize| Err(format!("has {found} elements for the shape {shape:?}"));
    let integers = match element {
        ElementType::F32 if tensor.float_data.len() == count => {
            return Ok(Constant::from_values(tensor.float_data.clone(), shape));
        }
        ElementType::F32 => return refused(tensor.float_data.len()),
        ElementType::I64 => tensor.int64_data.clone(),
        ElementType::I32 | ElementType::Bool => tensor.int32_data.iter().map(|&value| value.into()).collect(),
    };
    match integers.len() == count {
        true => Ok(Constant::from_integers(element, integers, shape)),
        false => refused(integers.len()),
    }
}
