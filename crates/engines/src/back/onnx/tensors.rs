//! Constants of a model file, as views into its data file where they stand there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::pb::TensorProto;

use autoneural_base::files::Folder;
use autoneural_base::map::Map;
use autoneural_core::ir::{Constant, ElementType, Shape, StoredType, View};

/// Data files beside a model file, each mapped once.
pub struct DataFiles {
    folder: PathBuf,
    maps: HashMap<String, Arc<Map>>,
}

impl DataFiles {
    /// The data files of a model in this folder.
    pub fn beside(folder: &Path) -> Self {
        DataFiles { folder: folder.to_path_buf(), maps: HashMap::new() }
    }

    fn map(&mut self, location: &str) -> Result<Arc<Map>, String> {
        if let Some(map) = self.maps.get(location) {
            return Ok(Arc::clone(map));
        }
        let opened = Folder::open(&self.folder).and_then(|folder| folder.file(location));
        let map = opened.and_then(|file| Map::of(file, &self.folder.join(location)));
        let map = Arc::new(map.map_err(|error| format!("its data file: {error}"))?);
        self.maps.insert(location.to_string(), Arc::clone(&map));
        Ok(map)
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
        if !tensor.external_data.is_empty() {
            let entry =
                |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
            let location = entry("location").ok_or("does not say in which file its data is")?;
            let start =
                entry("offset").map_or(Ok(0), |offset| offset.parse()).map_err(|_| "has an offset of no number")?;
            let view = View::new(self.map(location)?, start, count, stored);
            return Ok(Constant::from_view(view.ok_or("reaches beyond the end of its data file")?, shape));
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
