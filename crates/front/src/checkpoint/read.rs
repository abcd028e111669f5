//! Tensors of a checkpoint as constants, and whether their numbers are finite.

use std::path::Path;

use super::opened::{Checkpoint, TensorInfo};
use super::place::unmarked;
use super::scales;
use crate::Tensors;
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Constant, StoredType, index_of};

impl Checkpoint {
    /// A tensor of this exact shape as a constant. One of float8 is multiplied with its scales.
    ///
    /// # Errors
    /// The tensor is missing, has another shape, or is not f32, f16, bf16 or float8 with scales.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        let (stored, info) = self.info(name)?;
        let place = format!("{}: `{}`", info.file.display(), unmarked(stored));
        if info.shape != shape {
            let message = format!("has shape {:?}, {shape:?} is wanted", info.shape);
            return Err(
                Error::input(place, message).help("check that the model definition is the one of this checkpoint")
            );
        }
        let constant = Constant::from_view(self.view(info, &place)?, shape.to_vec());
        match info.stored {
            Some(StoredType::F8E4m3 | StoredType::F8E5m2) => {
                let (block, factors) = scales::of(self, stored, info, &place)?;
                Ok(constant.scaled_in_blocks(block, factors))
            }
            _ => Ok(constant),
        }
    }

    fn info(&self, name: &str) -> Result<(&str, &TensorInfo)> {
        self.find(name).ok_or_else(|| {
            let path = self.path().display();
            let (other, name) = (scales::quantized_otherwise(self, name), unmarked(name));
            match other {
                Some(other) => {
                    Error::input(path, format!("tensor `{name}` is missing; `{other}` is of quantized weights"))
                        .help("weights of integers are not read: give the checkpoint that was not quantized")
                }
                None => Error::input(path, format!("tensor `{name}` is missing"))
                    .help("`autoneural inspect` lists what the checkpoint holds"),
            }
        })
    }

    /// Refuses a tensor that holds NaN or infinity.
    pub fn refuse_non_finite(&self, name: &str) -> Result<()> {
        let (stored, info) = self.info(name)?;
        let place = format!("{}: `{}`", info.file.display(), unmarked(stored));
        match self.view(info, &place)?.first_non_finite() {
            Some((at, value)) => {
                let index = index_of(at, &info.shape);
                let message = format!("element {index:?} is {value}; weights must be finite");
                Err(Error::input(place, message))
            }
            None => Ok(()),
        }
    }
}

impl Tensors for Checkpoint {
    fn path(&self) -> &Path {
        self.path()
    }

    fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Constant> {
        self.tensor(name, shape)
    }
}
