//! How target files write integers: `uint16`, `uint16 x uint8 -> uint16`, `int4 in blocks of 32`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::encoding::{Encoding, IntegerType};

/// Integers of the values that a node reads and makes, without constants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Activations {
    /// One type throughout.
    Same(IntegerType),
    /// A type for each input, in their order, and one for the outputs.
    Mixed(Vec<IntegerType>, IntegerType),
}

impl Activations {
    /// The shortest way to write these types.
    pub fn new(inputs: Vec<IntegerType>, output: IntegerType) -> Self {
        match inputs.iter().all(|input| *input == output) {
            true => Activations::Same(output),
            false => Activations::Mixed(inputs, output),
        }
    }

    /// The types of `count` inputs; `None` if this states another number of inputs.
    pub fn inputs(&self, count: usize) -> Option<Vec<IntegerType>> {
        match self {
            Activations::Same(integer) => Some(vec![*integer; count]),
            Activations::Mixed(inputs, _) => (inputs.len() == count).then(|| inputs.clone()),
        }
    }

    /// Type of the outputs.
    pub fn output(&self) -> IntegerType {
        match self {
            Activations::Same(integer) | Activations::Mixed(_, integer) => *integer,
        }
    }
}

impl fmt::Display for Activations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Activations::Same(integer) => f.write_str(integer.name()),
            Activations::Mixed(inputs, output) => {
                let inputs: Vec<&str> = inputs.iter().map(|integer| integer.name()).collect();
                write!(f, "{} -> {}", inputs.join(" x "), output.name())
            }
        }
    }
}

impl From<Activations> for String {
    fn from(activations: Activations) -> String {
        activations.to_string()
    }
}

impl TryFrom<String> for Activations {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let made = match text.split_once(" -> ") {
            None => Activations::Same(activation(&text)?),
            Some((inputs, output)) => {
                let inputs = inputs.split(" x ").map(activation).collect::<Result<_, _>>()?;
                Activations::new(inputs, activation(output)?)
            }
        };
        // Each has only one spelling, so that entries which are listed twice are noticed.
        match made.to_string() == text {
            true => Ok(made),
            false => Err(format!("`{text}` is written `{made}`")),
        }
    }
}

fn activation(text: &str) -> Result<IntegerType, String> {
    match IntegerType::of_name(text)? {
        integer @ (IntegerType::Uint8 | IntegerType::Uint16) => Ok(integer),
        other => Err(format!("{} is no type of activations; uint8 and uint16 are", other.name())),
    }
}

/// How many numbers share one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// All of a tensor.
    Tensor,
    /// Those of one output channel.
    Channel,
    /// Those of this many input channels of one output channel.
    Block(usize),
}

/// Integers of a constant, and how many of them share one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weights {
    /// The integers; those with a sign have zero point 0.
    pub integer: IntegerType,
    /// How many of them share one scale.
    pub granularity: Granularity,
}

impl Weights {
    /// One scale for the whole tensor.
    pub fn per_tensor(integer: IntegerType) -> Self {
        Weights { integer, granularity: Granularity::Tensor }
    }

    /// What a target would state about this encoding.
    pub fn of(encoding: &Encoding) -> Self {
        let granularity = match (encoding.axis, encoding.block) {
            (None, _) => Granularity::Tensor,
            (Some(_), None) => Granularity::Channel,
            (Some(_), Some(size)) => Granularity::Block(size),
        };
        Weights { integer: encoding.integer, granularity }
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.integer.name();
        match self.granularity {
            Granularity::Tensor => write!(f, "{name} per tensor"),
            Granularity::Channel => write!(f, "{name} per channel"),
            Granularity::Block(size) => write!(f, "{name} in blocks of {size}"),
        }
    }
}

impl From<Weights> for String {
    fn from(weights: Weights) -> String {
        weights.to_string()
    }
}

impl TryFrom<String> for Weights {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (name, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let integer = IntegerType::of_name(name)?;
        let granularity = match (rest, rest.strip_prefix("in blocks of ").map(str::parse::<usize>)) {
            ("per tensor", _) => Granularity::Tensor,
            ("per channel", _) => Granularity::Channel,
            (_, Some(Ok(size))) if (2..=65536).contains(&size) => Granularity::Block(size),
            _ => {
                return Err(format!(
                    "`{text}` does not say how far a scale reaches: `{name} per tensor`, `{name} per channel` or \
                     `{name} in blocks of 32`"
                ));
            }
        };
        if !integer.is_signed() && granularity != Granularity::Tensor {
            return Err(format!("`{text}`: only integers with a sign may have several scales"));
        }
        Ok(Weights { integer, granularity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_comes_back_as_it_was_written() {
        for text in ["uint16", "uint8", "uint16 x uint8 -> uint16", "uint16 -> uint8"] {
            assert_eq!(Activations::try_from(text.to_string()).unwrap().to_string(), text);
        }
        for text in ["uint8 per tensor", "int8 per channel", "int4 in blocks of 32"] {
            assert_eq!(Weights::try_from(text.to_string()).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_forms_are_refused() {
        for (text, word) in [
            ("int16", "no type of activations"),
            ("uint16 x uint16 -> uint16", "is written `uint16`"),
            ("uint16x uint8 -> uint16", "no integer type"),
            ("", "no integer type"),
        ] {
            let message = Activations::try_from(text.to_string()).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
        for (text, word) in [
            ("int8", "how far a scale reaches"),
            ("int4 in blocks of 0", "how far a scale reaches"),
            ("int4 in blocks of many", "how far a scale reaches"),
            ("uint8 per channel", "with a sign"),
            ("int5 per tensor", "no integer type"),
        ] {
            let message = Weights::try_from(text.to_string()).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
