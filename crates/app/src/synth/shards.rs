//! Tensors as the shards of a checkpoint, written number by number.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::fill::fill;
use super::tensor::Tensor;
use autoneural_base::error::{Error, IoContext, Result};
use autoneural_base::json::write_json;
use autoneural_base::progress::Progress;

/// Bytes of one number.
const BYTES: usize = 2;

/// Tensors in the order of their names, as runs that hold at most so many bytes each; a larger tensor stands alone.
pub fn split(tensors: &[Tensor], most: u64) -> Vec<&[Tensor]> {
    let mut shards = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (position, tensor) in tensors.iter().enumerate() {
        if position > first && bytes + tensor.bytes() > most {
            shards.push(&tensors[first..position]);
            (first, bytes) = (position, 0);
        }
        bytes += tensor.bytes();
    }
    shards.push(&tensors[first..]);
    shards
}

/// Writes the shards and the index.
pub fn write(folder: &Path, shards: &[&[Tensor]], seed: u64, progress: &dyn Progress) -> Result<()> {
    let mut places = BTreeMap::new();
    for (index, &tensors) in shards.iter().enumerate() {
        let name = format!("model-{:05}-of-{:05}.safetensors", index + 1, shards.len());
        write_shard(&folder.join(&name), tensors, seed, progress)?;
        places.extend(tensors.iter().map(|tensor| (&tensor.name, name.clone())));
    }
    let total: u64 = shards.iter().copied().flatten().map(Tensor::bytes).sum();
    let index = serde_json::json!({ "metadata": { "total_size": total }, "weight_map": places });
    write_json(&index, &folder.join("model.safetensors.index.json"))
}

fn write_shard(path: &Path, tensors: &[Tensor], seed: u64, progress: &dyn Progress) -> Result<()> {
    let mut end = 0;
    let infos = tensors.iter().map(|tensor| {
        let start = end;
        end += tensor.elements() * BYTES;
        let info = TensorInfo { dtype: Dtype::BF16, shape: tensor.shape.clone(), data_offsets: (start, end) };
        (tensor.name.clone(), info)
    });
    let format = [("format".to_string(), "pt".to_string())].into();
    let mut header = Metadata::new(Some(format), infos.collect())
        .map_err(|error| Error::internal(path.display(), error))
        .and_then(|made| serde_json::to_vec(&made).map_err(|error| Error::internal(path.display(), error)))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(autoneural_base::files::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes()).and_then(|()| file.write_all(&header)).at(path)?;
    for tensor in tensors {
        progress.begin(&tensor.name);
        fill(seed, &tensor.name, &tensor.shape, &tensor.recipe, &mut |bytes| file.write_all(bytes)).at(path)?;
        progress.tick(&tensor.name);
    }
    file.flush().at(path)
}
