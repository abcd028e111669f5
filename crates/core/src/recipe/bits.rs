//! How recipes write what weights are encoded as (`int4`, `int4 in blocks of 32`), and how products are computed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::IntegerType;
use crate::target::{Granularity, Weights};

/// Integers of weights, and how many input channels of an output channel share a scale, if not all.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeightBits {
    /// The integers.
    pub integer: IntegerType,
    /// Input channels that share a scale; `None` for one scale per output channel.
    pub block: Option<usize>,
}

impl From<IntegerType> for WeightBits {
    fn from(integer: IntegerType) -> Self {
        WeightBits { integer, block: None }
    }
}

impl fmt::Display for WeightBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.block {
            None => f.write_str(self.integer.name()),
            Some(size) => Weights { integer: self.integer, granularity: Granularity::Block(size) }.fmt(f),
        }
    }
}

/// Without blocks as the integers alone: the keys of bundles that were made before there were blocks have these.
impl fmt::Debug for WeightBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.block {
            None => self.integer.fmt(f),
            Some(_) => write!(f, "{self}"),
        }
    }
}

impl From<WeightBits> for String {
    fn from(bits: WeightBits) -> String {
        bits.to_string()
    }
}

impl TryFrom<String> for WeightBits {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.contains(' ') {
            return IntegerType::of_name(&text).map(Self::from);
        }
        match Weights::try_from(text)? {
            Weights { integer, granularity: Granularity::Block(size) } => Ok(WeightBits { integer, block: Some(size) }),
            Weights { integer, .. } => Err(format!(
                "write `{0}`, or `{0} in blocks of 32`: the target says whether channels have scales",
                integer.name()
            )),
        }
    }
}

/// Whose scale the blocks of weights have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockScales {
    /// Each its own.
    #[default]
    Own,
    /// All of an output channel the same. The numbers are those of weights without blocks; but a chip that sums in
    /// multiples of a part of it keeps sums finer.
    Shared,
}

/// How products of two computed values of 16 bits are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Products {
    /// As one product.
    #[default]
    Whole,
    /// As two, each with 8 bits of the second value, where the target states that the chip would read only 8 of them.
    Split,
}

/// How GELUs of 16 bits are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeluForm {
    /// As one operator.
    #[default]
    Whole,
    /// As what it is made of, which a chip may compute more exactly.
    Spelled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_comes_back_as_it_was_written() {
        for text in ["int4", "int8", "uint16", "int4 in blocks of 32"] {
            assert_eq!(WeightBits::try_from(text.to_string()).unwrap().to_string(), text);
        }
        for (text, word) in [
            ("int5", "is no integer type"),
            ("int4 in blocks", "how far a scale reaches"),
            ("int4 in blocks of 1", "how far a scale reaches"),
            ("int4 per channel", "write `int4`"),
            ("uint8 in blocks of 32", "with a sign"),
        ] {
            let said = WeightBits::try_from(text.to_string()).unwrap_err();
            assert!(said.contains(word), "{text}: {said}");
        }
    }

    #[test]
    fn keys_of_bundles_know_no_difference_where_there_are_no_blocks() {
        assert_eq!(format!("{:?}", WeightBits::from(IntegerType::Int4)), format!("{:?}", IntegerType::Int4));
        assert_eq!(format!("{:?}", WeightBits { integer: IntegerType::Int4, block: Some(16) }), "int4 in blocks of 16");
    }
}
