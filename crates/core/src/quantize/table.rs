//! The table of encodings of a partition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::weights::weight;
use crate::encoding::{Encoding, IntegerType};
use crate::ir::{ElementType, Graph, Value};
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

/// The bits that most numbers have, of bits and how many numbers have them; the larger ones where it is as many.
fn of_most(counted: impl Iterator<Item = (u32, usize)>) -> Option<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    counted.for_each(|(bits, count)| *counts.entry(bits).or_default() += count);
    counts.into_iter().max_by_key(|&(bits, count)| (count, bits)).map(|(bits, _)| bits)
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

    /// Bits of most weights of the layers of this graph, and of most activations, in the field's short form, such as
    /// `W8A8`; `None` where no layer has weights.
    pub fn scheme(&self, graph: &Graph) -> Option<String> {
        let layers: BTreeMap<&str, &Value> =
            graph.nodes().iter().filter_map(|node| weight(graph, node)).map(|value| (&*value.name, value)).collect();
        let bits = |name: &str| Some(self.params.get(name)?.integer.bits());
        let weights = layers.iter().filter_map(|(name, value)| Some((bits(name)?, value.shape.iter().product())));
        let activations = self.activations.values().map(|encoding| (encoding.integer.bits(), 1));
        Some(format!("W{}A{}", of_most(weights)?, of_most(activations)?))
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
