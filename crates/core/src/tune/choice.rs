//! What a part of a model may become: the integers of weights or of a computed value, or the form of a product.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::IntegerType;
use crate::recipe::{Products, WeightBits};

/// A choice, as recipes write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Choice {
    /// The integers of a layer's weights.
    Weights(WeightBits),
    /// How a product of two computed values is written.
    Product(Products),
    /// The integers of a computed value.
    Value(IntegerType),
}

impl Choice {
    /// How many times the multiply-adds of the plain form the chip computes: two for weights of 16 bits in pairs, and for a
    /// product that is split.
    pub fn passes(self, is_pair: bool) -> u64 {
        match self {
            Choice::Product(Products::Split) => 2,
            Choice::Weights(_) if is_pair => 2,
            _ => 1,
        }
    }

    /// The integers, if it is of weights.
    pub fn weights(self) -> Option<WeightBits> {
        match self {
            Choice::Weights(bits) => Some(bits),
            Choice::Product(_) | Choice::Value(_) => None,
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Weights(bits) => bits.fmt(f),
            Choice::Value(integer) => f.write_str(integer.name()),
            Choice::Product(Products::Whole) => f.write_str("whole"),
            Choice::Product(Products::Split) => f.write_str("split"),
        }
    }
}

impl From<Choice> for String {
    fn from(choice: Choice) -> String {
        choice.to_string()
    }
}

impl TryFrom<String> for Choice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "whole" => Ok(Choice::Product(Products::Whole)),
            "split" => Ok(Choice::Product(Products::Split)),
            "uint8" => Ok(Choice::Value(IntegerType::Uint8)),
            "uint16" => Ok(Choice::Value(IntegerType::Uint16)),
            _ => WeightBits::try_from(text).map(Choice::Weights),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_comes_back_as_it_was_written() {
        for text in ["int4", "int4 in blocks of 32", "whole", "split", "uint8", "uint16"] {
            assert_eq!(Choice::try_from(text.to_string()).unwrap().to_string(), text);
        }
        assert!(Choice::try_from("halved".to_string()).is_err());
    }
}
