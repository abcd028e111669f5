//! The first run of each graph: what came in and what came out, in a hidden file in the safetensors format.

use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use autoneural_base::error::{Error, Result};
use autoneural_base::files;
use autoneural_engines::engine::{Data, Engine, Tensor};

/// Name of the file of a graph, in `calibration/`.
pub(crate) fn file(partition: &str) -> String {
    format!(".first.{partition}.safetensors")
}

/// The engine of a graph, which keeps the first run in `folder`, unless an earlier one is there.
pub fn keeping(engine: impl Engine + 'static, partition: &str, folder: &Path) -> Box<dyn Engine> {
    let path = folder.join(file(partition));
    match path.exists() {
        true => Box::new(engine),
        false => Box::new(Keeping { engine, path: Some(path) }),
    }
}

/// Takes over the first run of a graph from shards of the samples, which kept theirs in these folders in order.
///
/// # Errors
/// A file that cannot be read or written.
pub(crate) fn join(partition: &str, shards: &[PathBuf], folder: &Path) -> Result<()> {
    let mut paths = shards.iter().map(|shard| shard.join(file(partition)));
    let Some(path) = paths.find(|path| path.exists()) else { return Ok(()) };
    files::write(&folder.join(file(partition)), &files::read(files::open(&path)?, &path, u64::MAX)?)
}

struct Keeping<E> {
    engine: E,
    /// Where the next run goes; `None` behind the first.
    path: Option<PathBuf>,
}

impl<E: Engine> Engine for Keeping<E> {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let outputs = self.engine.run(inputs)?;
        if let Some(path) = self.path.take() {
            write(&path, inputs, &outputs)?;
        }
        Ok(outputs)
    }
}

/// Writes what came in and what came out of a run in float.
///
/// # Errors
/// Tensors of codes, or a file that cannot be written.
pub(crate) fn write(path: &Path, inputs: &[Tensor], outputs: &[Tensor]) -> Result<()> {
    let failed = |error: SafeTensorError| Error::internal(path.display(), error);
    let mut numbers = Vec::new();
    for (side, tensors) in [("in", inputs), ("out", outputs)] {
        for (at, tensor) in tensors.iter().enumerate() {
            let dtype = match tensor.data {
                Data::F32(_) => Dtype::F32,
                Data::I32(_) => Dtype::I32,
                _ => return Err(Error::internal(path.display(), format!("{} in float", tensor.data.kind()))),
            };
            numbers.push((format!("{side}.{at:05}"), dtype, &tensor.shape, tensor.data.to_le_bytes()));
        }
    }
    let mut views = Vec::new();
    for (name, dtype, shape, bytes) in &numbers {
        views.push((name.as_str(), TensorView::new(*dtype, shape.to_vec(), bytes).map_err(failed)?));
    }
    files::write(path, &safetensors::serialize(views, None).map_err(failed)?)
}

/// What came in and what came out, in the order of the ports.
///
/// # Errors
/// A file that is none of [`write`].
pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| Error::internal(path.display(), error))?;
    let side = |side: &str| -> Result<Vec<Tensor>> {
        let names = (0..).map(|at| format!("{side}.{at:05}"));
        let found = names.map_while(|name| tensors.tensor(&name).ok());
        let one = |view: TensorView| {
            let (chunks, _) = view.data().as_chunks::<4>();
            let shape = view.shape().to_vec();
            match view.dtype() {
                Dtype::F32 => Ok(Tensor::f32(shape, chunks.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect())),
                Dtype::I32 => Ok(Tensor::i32(shape, chunks.iter().map(|&chunk| i32::from_le_bytes(chunk)).collect())),
                other => Err(Error::internal(path.display(), format!("holds {other:?}"))),
            }
        };
        found.map(one).collect()
    };
    Ok((side("in")?, side("out")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it takes, but for the first.
    struct Rest;

    impl Engine for Rest {
        fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
            Ok(inputs[1..].to_vec())
        }
    }

    #[test]
    fn the_first_run_is_kept_and_no_later_one() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = |value: f32| {
            let float = Tensor::f32(vec![1, 2], vec![value, -value]);
            vec![Tensor::i32(vec![1], vec![7]), float.clone(), float]
        };
        let mut engine = keeping(Rest, "g.one", folder.path());
        engine.run(&inputs(1.0)).unwrap();
        engine.run(&inputs(2.0)).unwrap();
        // As after a reload.
        keeping(Rest, "g.one", folder.path()).run(&inputs(3.0)).unwrap();
        let path = folder.path().join(file("g.one"));
        let (taken, given) = read(&std::fs::read(&path).unwrap(), &path).unwrap();
        assert_eq!((taken, given), (inputs(1.0), inputs(1.0)[1..].to_vec()));
    }
}
