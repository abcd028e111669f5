//! The table of encodings of a partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::encoding::{Encoding, IntegerType};
use crate::ir::{ElementType, Value};
use autoneural_base::error::{Error, Result};

/// The encodings of one partition, by value name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Of inputs, outputs and everything in between.
    pub activations: BTreeMap<String, Encoding>,
    /// Of constants.
    pub params: BTreeMap<String, Encoding>,
}

/// How many encodings of a partition were given, and how many were computed. Those of int32 biases follow from others
/// and are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Learned elsewhere, or tied to one that was.
    pub given: usize,
    /// Computed from statistics, known ranges or the weights themselves.
    pub calibrated: usize,
}

impl Counts {
    pub(super) fn count(&mut self, is_given: bool) {
        *(if is_given { &mut self.given } else { &mut self.calibrated }) += 1;
    }
}

impl Table {
    /// Encoding of a value that is not constant.
    ///
    /// # Errors
    /// The table has no such entry: it belongs to another graph.
    pub fn activation(&self, name: &str) -> Result<&Encoding> {
        self.activations.get(name).ok_or_else(|| missing(name))
    }

    /// Encoding of a constant.
    ///
    /// # Errors
    /// As for [`Table::activation`].
    pub fn param(&self, name: &str) -> Result<&Encoding> {
        self.params.get(name).ok_or_else(|| missing(name))
    }

    /// Bits of most weights and of most activations in the field's short form, such as `W8A8`.
    pub fn scheme(&self) -> String {
        let most = |all: &mut dyn Iterator<Item = &Encoding>| {
            let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
            all.for_each(|encoding| *counts.entry(encoding.integer.bits()).or_default() += 1);
            counts.into_iter().max_by_key(|&(bits, count)| (count, bits)).map_or(0, |(bits, _)| bits)
        };
        let is_weight = |one: &&Encoding| one.integer.is_signed() && one.integer != IntegerType::Int32;
        let weights = most(&mut self.params.values().filter(is_weight));
        format!("W{weights}A{}", most(&mut self.activations.values()))
    }

    /// The integer type of a value. Indices in i32 are int32.
    ///
    /// # Errors
    /// As for [`Table::activation`], or the value is i64 or bool, which no NPU reads.
    pub fn integer_of(&self, value: &Value) -> Result<IntegerType> {
        match (value.element, value.constant()) {
            (ElementType::F32, Some(_)) => Ok(self.param(&value.name)?.integer),
            (ElementType::F32, None) => Ok(self.activation(&value.name)?.integer),
            (ElementType::I32, _) => Ok(IntegerType::Int32),
            (ElementType::I64 | ElementType::Bool, _) => {
                let message = format!("is {}; integers that an NPU reads are i32", value.element.name());
                Err(Error::input(&value.name, message))
            }
        }
    }

    /// Bytes of a value, stored in its integers.
    ///
    /// # Errors
    /// As for [`Table::activation`].
    pub fn bytes_of(&self, value: &Value) -> Result<u64> {
        match value.element.is_real() {
            true => Ok(self.integer_of(value)?.bytes_of(&value.shape)),
            false => Ok(value.shape.iter().map(|&size| size as u64).product::<u64>() * value.element.bytes() as u64),
        }
    }
}

fn missing(name: &str) -> Error {
    Error::input(name, "has no encoding").help("the encodings belong to another graph; run `autoneural quantize` again")
}
