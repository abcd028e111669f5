//! The embedding table, looked up on the host.

use std::path::Path;

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Constant, le_bytes};
use autoneural_front::{Checkpoint, Language};

/// Rows of the table that become integers at once.
const ROWS: usize = 256;

/// The table in float.
pub struct Embeddings {
    values: Vec<f32>,
    hidden: usize,
}

impl Embeddings {
    /// Name of the table's file.
    pub const FILE: &str = "embeddings.safetensors";
    /// Name of the table in it.
    pub const TENSOR: &str = "embed_tokens";

    /// Reads the table that [`Embeddings::write`] wrote.
    ///
    /// # Errors
    /// The file is missing or unreadable, or its table has another shape than the definition states.
    pub fn read(path: &Path, language: &Language) -> Result<Self> {
        let table = Checkpoint::open(path)?.tensor(Self::TENSOR, &[language.vocabulary, language.hidden])?;
        Ok(Embeddings { values: table.to_f32(), hidden: language.hidden })
    }

    /// Writes a table as f32.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(path: &Path, table: &Constant) -> Result<()> {
        write_tensor(path, safetensors::Dtype::F32, table.shape(), &le_bytes(&table.to_f32()))
    }

    /// Writes the table as the integers of the language model's input (16 bits), so that a lookup is a copy.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_codes(&self, path: &Path, encoding: &autoneural_core::encoding::Encoding) -> Result<()> {
        let shape = [self.values.len() / self.hidden, self.hidden];
        let mut bytes = vec![0; 2 * self.values.len()];
        let (places, _) = bytes.as_chunks_mut::<2>();
        // A few rows at a time: all integers of a large table would be half a gigabyte more.
        let rows = ROWS * self.hidden;
        for (values, places) in self.values.chunks(rows).zip(places.chunks_mut(rows)) {
            let codes = encoding.quantize(values, &[values.len() / self.hidden, self.hidden]);
            places.iter_mut().zip(codes).for_each(|(place, code)| *place = (code as u16).to_le_bytes());
        }
        write_tensor(path, safetensors::Dtype::U16, &shape, &bytes)
    }

    /// The numbers, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Smallest and largest number of the table.
    pub fn range(&self) -> [f32; 2] {
        self.values.iter().fold([0.0, 0.0], |[low, high], &value| [low.min(value), high.max(value)])
    }

    /// Embeddings `[tokens.len(), hidden]`; rows of the image token are taken from `visual` in order.
    ///
    /// # Errors
    /// A token outside the vocabulary, or another number of image tokens than of visual rows.
    pub fn look_up(&self, tokens: &[u32], image_token: Option<u32>, visual: &[f32]) -> Result<Vec<f32>> {
        let mut rows = visual.chunks_exact(self.hidden);
        let mut made = Vec::with_capacity(tokens.len() * self.hidden);
        for &token in tokens {
            let row = if Some(token) == image_token {
                rows.next()
                    .ok_or_else(|| Error::input("prompt", "has more image tokens than the image has visual tokens"))?
            } else {
                let start = token as usize * self.hidden;
                self.values
                    .get(start..start + self.hidden)
                    .ok_or_else(|| Error::input("prompt", format!("token {token} is outside the vocabulary")))?
            };
            made.extend_from_slice(row);
        }
        match rows.next() {
            Some(_) => Err(Error::input("prompt", "has fewer image tokens than the image has visual tokens")),
            None => Ok(made),
        }
    }
}

fn write_tensor(path: &Path, dtype: safetensors::Dtype, shape: &[usize], bytes: &[u8]) -> Result<()> {
    let view = safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes)
        .map_err(|error| Error::internal(path.display(), error))?;
    let made = safetensors::serialize([(Embeddings::TENSOR, view)], None)
        .map_err(|error| Error::internal(path.display(), error))?;
    autoneural_base::files::write(path, &made)
}
