//! An entry of a file of encodings, in whatever format it was written.

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use autoneural_core::encoding::{Encoding, IntegerType};

/// What an entry says of a tensor: `x = (q + offset) * scale` with `q` on the unsigned grid of its bits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// Bits of an integer.
    pub bits: u32,
    /// Whether the integers have a sign. If a file does not tell, they have one if 0 is in the middle of the grid.
    pub signed: Option<bool>,
    /// Whether 0 is said to be in the middle.
    pub symmetric: bool,
    /// One scale, or one for each channel.
    pub scale: Vec<f32>,
    /// One offset for each scale; never positive.
    pub offset: Vec<i64>,
    /// Whether there is a scale for each channel, even if there is only one channel.
    pub per_channel: bool,
    /// The axis of the channels, where the file tells it.
    pub axis: Option<i64>,
    /// Input channels that share a scale, where there is one for each block of them.
    pub block: Option<usize>,
}

/// The entries of a file, by name. What is wrong with an entry is reported only when the entry is used.
#[derive(Default)]
pub(crate) struct Lists {
    /// Entries of values that are computed.
    pub activations: Vec<(String, Result<Entry, String>)>,
    /// Entries of constants.
    pub params: Vec<(String, Result<Entry, String>)>,
    /// Entries of files that do not tell which of both they are.
    pub either: Vec<(String, Result<Entry, String>)>,
}

impl Entry {
    /// The encoding of a constant. If there is one scale per channel, its axis is set to 0 until the graph tells it.
    ///
    /// # Errors
    /// There is no integer type with these bits, or scales or offsets are impossible.
    pub(crate) fn param(&self) -> Result<Encoding, String> {
        let (least, strict) = self.least();
        let middle = self.offset.iter().all(|&offset| offset == least || offset == strict);
        let integer = match (self.bits, self.signed.unwrap_or(middle)) {
            (4, true) => IntegerType::Int4,
            (8, true) => IntegerType::Int8,
            (8, false) => IntegerType::Uint8,
            (16, true) => IntegerType::Int16,
            (16, false) => IntegerType::Uint16,
            (32, true) => IntegerType::Int32,
            (bits, signed) => return Err(format!("{bits} bits (symmetric: {signed}) are not known")),
        };
        // A strict grid lacks its lowest integer, and begins one above it.
        let first =
            if integer.is_signed() && self.offset.iter().all(|&offset| offset == strict) { strict } else { least };
        let first = if integer.is_signed() { first } else { 0 };
        if let Some(offset) = self.offset.iter().find(|&&offset| integer.is_signed() && offset != first) {
            return Err(format!("is symmetric, but its offset is {offset}, which is neither {least} nor {strict}"));
        }
        self.encoding(integer, |offset| first.saturating_sub(offset))
    }

    /// The encoding of a value that is computed; its integers have no sign. What is symmetric has its 0 in the middle.
    ///
    /// # Errors
    /// As for [`Entry::param`], or a scale for each channel.
    pub(crate) fn activation(&self) -> Result<Encoding, String> {
        let integer = match self.bits {
            8 => IntegerType::Uint8,
            16 => IntegerType::Uint16,
            bits => return Err(format!("{bits} bits are not known for activations; 8 and 16 are")),
        };
        let (least, strict) = self.least();
        if let Some(offset) = self.offset.iter().find(|offset| self.symmetric && ![least, strict, 0].contains(offset)) {
            return Err(format!("is symmetric, but its offset is {offset}, which is neither {least} nor 0"));
        }
        self.encoding(integer, |offset| 0i64.saturating_sub(offset))
    }

    /// Offsets of a grid with 0 in its middle: with its lowest integer, and without.
    fn least(&self) -> (i64, i64) {
        let half = 1i64 << self.bits.clamp(1, 32).saturating_sub(1);
        (-half, 1 - half)
    }

    fn encoding(&self, integer: IntegerType, zero_point: impl Fn(i64) -> i64) -> Result<Encoding, String> {
        if self.scale.is_empty() || self.scale.len() != self.offset.len() {
            return Err(format!("{} scales and {} offsets", self.scale.len(), self.offset.len()));
        }
        if let Some(scale) = self.scale.iter().find(|scale| !(scale.is_finite() && **scale > 0.0)) {
            return Err(format!("scale {scale} is impossible"));
        }
        if !self.per_channel && self.scale.len() != 1 {
            return Err("several scales without channels".into());
        }
        let (least, most) = integer.limits();
        let zero_point: Vec<i64> = self.offset.iter().map(|&offset| zero_point(offset)).collect();
        match zero_point.iter().find(|zero_point| !(least..=most).contains(zero_point)) {
            Some(zero_point) => Err(format!("zero point {zero_point} is outside {}", integer.name())),
            None => {
                let axis = self.per_channel.then_some(0);
                Ok(Encoding { integer, scale: self.scale.clone(), zero_point, axis, block: self.block })
            }
        }
    }
}

/// A truth value, which some versions write as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Truth(pub bool);

impl Serialize for Truth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(self.0)
    }
}

impl<'de> Deserialize<'de> for Truth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl Visitor<'_> for Seen {
            type Value = Truth;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Truth, E> {
                Ok(Truth(value))
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Truth, E> {
                match value {
                    "True" | "true" => Ok(Truth(true)),
                    "False" | "false" => Ok(Truth(false)),
                    _ => Err(E::custom(format!("`{value}` is neither True nor False"))),
                }
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// A whole number, which some versions write with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole(pub i64);

impl Serialize for Whole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let float = |value: f64| (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
        let whole = number.as_i64().or_else(|| number.as_f64().and_then(float));
        whole.map(Whole).ok_or_else(|| D::Error::custom(format!("{number} is no whole number")))
    }
}

/// A map that may name an entry twice, which is for others to refuse.
pub(crate) struct Pairs<V>(pub Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<V>(std::marker::PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Seen<V> {
            type Value = Pairs<V>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map of encodings by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Seen(std::marker::PhantomData))
    }
}
