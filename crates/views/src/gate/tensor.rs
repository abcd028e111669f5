//! What a baseline keeps of an encoding, as one short line of text: of an activation its integers and its range, of a
//! constant its integers, the number of scales, the largest and the mean of them. Four significant digits tell every
//! move that matters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use autoneural_core::encoding::{Encoding, IntegerType};

/// An encoding in short.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TensorFact {
    /// Of an activation: `uint16 -0.1701..4.067`.
    Range {
        /// The integers.
        integer: IntegerType,
        /// The number that the lowest integer stands for.
        low: f64,
        /// The number that the highest integer stands for.
        high: f64,
    },
    /// Of a constant: `int4 x128 scale 0.01012 mean 0.005678`.
    Scales {
        /// The integers.
        integer: IntegerType,
        /// Number of scales.
        count: usize,
        /// The largest scale.
        largest: f64,
        /// Mean of the scales.
        mean: f64,
    },
}

impl TensorFact {
    /// Of an activation.
    pub fn activation(encoding: &Encoding) -> Self {
        let [low, high] = encoding.range().map(|end| short(f64::from(end)));
        TensorFact::Range { integer: encoding.integer, low, high }
    }

    /// Of a constant.
    pub fn constant(encoding: &Encoding) -> Self {
        let scales = || encoding.scale.iter().map(|&scale| f64::from(scale));
        TensorFact::Scales {
            integer: encoding.integer,
            count: encoding.scale.len(),
            largest: short(scales().fold(0.0, f64::max)),
            mean: short(scales().sum::<f64>() / encoding.scale.len() as f64),
        }
    }

    /// The integers.
    pub fn integer(&self) -> IntegerType {
        match self {
            TensorFact::Range { integer, .. } | TensorFact::Scales { integer, .. } => *integer,
        }
    }

    /// How far the encoding moved from what it was, in percent: an end of a range in percent of that range, a scale in
    /// percent of that scale. None where the two are not of the same kind, the same integers and the same number of
    /// scales.
    pub fn moved_percent(&self, before: &TensorFact) -> Option<f64> {
        use TensorFact::{Range, Scales};
        let part = |change: f64, whole: f64| if change == 0.0 { 0.0 } else { 100.0 * change.abs() / whole };
        match (self, before) {
            _ if self.integer() != before.integer() => None,
            (Range { low, high, .. }, Range { low: old_low, high: old_high, .. }) => {
                let whole = old_high - old_low;
                Some(part(low - old_low, whole).max(part(high - old_high, whole)))
            }
            (Scales { count, largest, mean, .. }, Scales { count: old, largest: old_largest, mean: old_mean, .. })
                if count == old =>
            {
                Some(part(largest - old_largest, *old_largest).max(part(mean - old_mean, *old_mean)))
            }
            _ => None,
        }
    }
}

/// A number with four significant digits.
fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

impl fmt::Display for TensorFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorFact::Range { integer, low, high } => {
                write!(f, "{} {}..{}", integer.name(), number(*low), number(*high))
            }
            TensorFact::Scales { integer, count, largest, mean } => {
                write!(f, "{} x{count} scale {} mean {}", integer.name(), number(*largest), number(*mean))
            }
        }
    }
}

/// A number as people read it.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if (1e-4..1e7).contains(&size) => format!("{value}"),
        _ => format!("{value:e}"),
    }
}

impl FromStr for TensorFact {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fail =
            || format!("`{text}` is no encoding; `uint16 -0.1701..4.067` or `int4 x128 scale 0.01 mean 0.005` is");
        let real = |text: &str| text.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(fail);
        match *text.split(' ').collect::<Vec<_>>() {
            [integer, range] => {
                let (low, high) = range.split_once("..").ok_or_else(fail)?;
                let (low, high) = (real(low)?, real(high)?);
                if low > 0.0 || high < 0.0 || low == high {
                    return Err(format!("`{text}` is an impossible range: 0 is in every one"));
                }
                Ok(TensorFact::Range { integer: IntegerType::of_name(integer)?, low, high })
            }
            [integer, count, "scale", largest, "mean", mean] => {
                let (largest, mean) = (real(largest)?, real(mean)?);
                let count = count.strip_prefix('x').and_then(|count| count.parse().ok()).ok_or_else(fail)?;
                if !(mean > 0.0 && largest > 0.0 && count > 0) {
                    return Err(format!("`{text}` has an impossible scale"));
                }
                Ok(TensorFact::Scales { integer: IntegerType::of_name(integer)?, count, largest, mean })
            }
            _ => Err(fail()),
        }
    }
}

impl TryFrom<String> for TensorFact {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TensorFact> for String {
    fn from(fact: TensorFact) -> String {
        fact.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        for text in [
            "uint16 -0.1701..4.067",
            "uint8 0..1.526e-7",
            "int4 x128 scale 0.01012 mean 0.005678",
            "int8 x1 scale 3e9 mean 3e9",
        ] {
            assert_eq!(text.parse::<TensorFact>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "uint16",
            "uint16 1..2",
            "uint16 NaN..1",
            "uint17 0..1",
            "int4 x0 scale 1 mean 1",
            "int4 x1 scale -1 mean 1",
            "uint16 0..inf",
        ] {
            assert!(text.parse::<TensorFact>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_range_moves_in_percent_of_what_it_was() {
        let of = |text: &str| text.parse::<TensorFact>().unwrap();
        assert_eq!(of("uint16 -1..4").moved_percent(&of("uint16 -1..3")), Some(25.0));
        assert_eq!(of("int4 x2 scale 1 mean 0.75").moved_percent(&of("int4 x2 scale 1 mean 1")), Some(25.0));
        assert_eq!(of("uint8 -1..4").moved_percent(&of("uint16 -1..4")), None);
        assert_eq!(of("int4 x1 scale 1 mean 1").moved_percent(&of("int4 x2 scale 1 mean 1")), None);
    }
}
