//! Tables that a host looks up in place of computing: pixels and rotary angles as the integers of their ports. A cosine
//! of another library may be another integer now and then; a table is the same everywhere.

use std::path::Path;

use safetensors::tensor::{Dtype, TensorView, serialize};

use super::rotary;
use autoneural_base::error::{Error, Result};
use autoneural_core::encoding::Encoding;
use autoneural_core::engine::{Data, Tensor};
use autoneural_front::{Language, Preprocess};

/// The tables.
pub struct HostTables {
    tensors: Vec<(&'static str, Tensor)>,
}

impl HostTables {
    /// Their file in a bundle.
    pub const FILE: &str = "qdq/tables.safetensors";
    /// `[3, 256]`: codes of the 8-bit values of red, green and blue.
    pub const PIXELS: &str = "image";
    /// `[context, head size]`: codes of the cosines of every position.
    pub const COS: &str = "rotary.cos";
    /// The same of sines.
    pub const SIN: &str = "rotary.sin";

    /// The tables of a model, whose ports have these encodings; `pictures` are where it takes some.
    ///
    /// # Errors
    /// An encoding in integers that cross no border.
    pub fn new(pictures: Option<(&Preprocess, &Encoding)>, language: &Language, rotaries: &Encoding) -> Result<Self> {
        let (context, size) = (language.context, language.head_dim);
        let (cos, sin) = rotary(0, context, size, language.rope_theta);
        let angles = |values| Tensor::f32(vec![context, size], values).encode(Some(rotaries));
        let mut tensors = Vec::new();
        if let Some((preprocess, image)) = pictures {
            let pixels = (0..3).flat_map(|channel| (0..=u8::MAX).map(move |code| preprocess.normalized(channel, code)));
            tensors.push((Self::PIXELS, Tensor::f32(vec![3, 256], pixels.collect()).encode(Some(image))?));
        }
        tensors.extend([(Self::COS, angles(cos)?), (Self::SIN, angles(sin)?)]);
        Ok(HostTables { tensors })
    }

    /// Writes the tables as a safetensors file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let failed = |error: safetensors::SafeTensorError| Error::internal(path.display(), error);
        let bytes: Vec<Vec<u8>> = self.tensors.iter().map(|(_, tensor)| tensor.data.to_le_bytes()).collect();
        let views = self.tensors.iter().zip(&bytes).map(|((name, tensor), bytes)| {
            Ok((name, TensorView::new(dtype_of(&tensor.data), tensor.shape.clone(), bytes).map_err(failed)?))
        });
        let made = serialize(views.collect::<Result<Vec<_>>>()?, None).map_err(failed)?;
        autoneural_base::files::write(path, &made)
    }
}

/// The element type of data in a safetensors file.
pub fn dtype_of(data: &Data) -> Dtype {
    match data {
        Data::F32(_) => Dtype::F32,
        Data::U8(_) => Dtype::U8,
        Data::U16(_) => Dtype::U16,
        Data::I32(_) => Dtype::I32,
    }
}
