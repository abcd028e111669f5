//! Elements of arrays, and how they become those of an input.

use half::f16;

use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{ElementType, index_of};
use autoneural_engines::engine::{Data, Tensor};

/// The kind of number that an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Bool,
    Float,
    Signed,
    Unsigned,
}

/// The type of the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    of: Of,
    bytes: usize,
    is_big: bool,
}

impl Kind {
    /// 32-bit floats.
    pub const F32: Kind = Kind { of: Of::Float, bytes: 4, is_big: false };
    /// 32-bit integers.
    pub const I32: Kind = Kind { of: Of::Signed, bytes: 4, is_big: false };
    /// 64-bit integers.
    pub const I64: Kind = Kind { of: Of::Signed, bytes: 8, is_big: false };

    /// The type with this name in NumPy, such as `<f4`, `|u1` or `>i8`; `None` for types that are not read.
    pub fn of_numpy(name: &str) -> Option<Self> {
        let (order, rest) = name.split_at_checked(1)?;
        let (letter, size) = rest.split_at_checked(1)?;
        let bytes: usize = size.parse().ok()?;
        let of = match (letter, bytes) {
            ("b", 1) => Of::Bool,
            ("f", 2 | 4 | 8) => Of::Float,
            ("i", 1 | 2 | 4 | 8) => Of::Signed,
            ("u", 1 | 2 | 4 | 8) => Of::Unsigned,
            _ => return None,
        };
        let is_big = match order {
            "<" | "=" => false,
            ">" => true,
            "|" if bytes == 1 => false,
            _ => return None,
        };
        Some(Kind { of, bytes, is_big })
    }

    /// Whether they are floats.
    pub fn is_float(self) -> bool {
        self.of == Of::Float
    }

    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// Its name.
    pub fn name(self) -> String {
        let of = match self.of {
            Of::Bool => return "bool".into(),
            Of::Float => "float",
            Of::Signed => "int",
            Of::Unsigned => "uint",
        };
        format!("{of}{}", 8 * self.bytes)
    }

    /// What is lost when they become elements of an input, in words; `None` if nothing is. (Values that do not fit at
    /// all are errors.)
    pub fn loses_as(self, element: ElementType) -> Option<String> {
        match (self.of, self.bytes, element) {
            (Of::Float, 8, ElementType::F32) => Some(format!("{} is rounded to float32", self.name())),
            (Of::Signed | Of::Unsigned, 4 | 8, ElementType::F32) => {
                Some(format!("{} becomes float32, which rounds integers above 16777216", self.name()))
            }
            _ => None,
        }
    }

    /// Whether the bytes are those that a float32 has in memory.
    fn is_plain_f32(self) -> bool {
        matches!((self.of, self.bytes, self.is_big), (Of::Float, 4, false))
    }

    /// One element as a double and as an integer, of which one is exact.
    fn one(self, bytes: &[u8]) -> (f64, i128) {
        let mut whole = [0u8; 8];
        whole[..self.bytes].copy_from_slice(bytes);
        if self.is_big {
            whole[..self.bytes].reverse();
        }
        let unsigned = u64::from_le_bytes(whole);
        match (self.of, self.bytes) {
            (Of::Float, 2) => (f16::from_bits(unsigned as u16).to_f64(), 0),
            (Of::Float, 4) => (f64::from(f32::from_bits(unsigned as u32)), 0),
            (Of::Float, _) => (f64::from_bits(unsigned), 0),
            (Of::Signed, bytes) => {
                // The sign is in the last of its bits.
                let empty = 64 - 8 * bytes as u32;
                let signed = (unsigned << empty).cast_signed() >> empty;
                (signed as f64, signed.into())
            }
            (Of::Bool, _) => (f64::from(u8::from(unsigned != 0)), (unsigned != 0).into()),
            (Of::Unsigned, _) => (unsigned as f64, unsigned.into()),
        }
    }
}

fn as_f32(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn finite(values: Vec<f32>) -> Option<Vec<f32>> {
    values.iter().all(|value| value.is_finite()).then_some(values)
}

/// Elements of an array as a tensor of the elements that an input has; `place` is the array's, for messages.
///
/// # Errors
/// A number that is not finite, or that the input's elements cannot be.
pub fn convert(place: &str, kind: Kind, bytes: &[u8], shape: Vec<usize>, element: ElementType) -> Result<Tensor> {
    let wrong = |at: usize, value: &dyn std::fmt::Display, why: &str| {
        let at_place = if shape.len() > 1 { format!(", at {:?}", index_of(at, &shape)) } else { String::new() };
        let error = Error::input(place, format!("element {at} is {value}{why}{at_place}"));
        Err(error.help("look how the sample was made; correct it, or leave it out"))
    };
    let elements = bytes.chunks_exact(kind.bytes).map(|bytes| kind.one(bytes)).enumerate();
    let count = bytes.len() / kind.bytes;
    let data = match element {
        ElementType::F32 => {
            // What samples mostly are takes a short way.
            if let Some(values) = kind.is_plain_f32().then(|| as_f32(bytes)).and_then(finite) {
                return Ok(Tensor { shape, data: Data::F32(values) });
            }
            let mut values = Vec::with_capacity(count);
            for (at, (exact, _)) in elements {
                let value = exact as f32;
                match (value.is_finite(), exact.is_finite()) {
                    (true, _) => values.push(value),
                    (false, false) => return wrong(at, &exact, ""),
                    (false, true) => return wrong(at, &exact, ", which is no float32"),
                }
            }
            Data::F32(values)
        }
        ElementType::I32 | ElementType::I64 | ElementType::Bool => {
            let mut values = Vec::with_capacity(count);
            for (at, (real, integer)) in elements {
                let integer = match kind.of {
                    Of::Float if real.fract() != 0.0 || !real.is_finite() => {
                        return wrong(at, &real, "; an input of integers takes whole numbers");
                    }
                    Of::Float => real as i128,
                    _ => integer,
                };
                match i32::try_from(integer) {
                    Ok(value) => values.push(value),
                    Err(_) => return wrong(at, &integer, ", which is no int32"),
                }
            }
            Data::I32(values)
        }
    };
    Ok(Tensor { shape, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8], element: ElementType) -> Result<Data> {
        let kind = Kind::of_numpy(name).unwrap();
        let shape = vec![bytes.len() / kind.bytes()];
        convert("a.npy", kind, bytes, shape, element).map(|tensor| tensor.data)
    }

    #[test]
    fn every_kind_of_number_becomes_the_inputs() {
        let float = |name: &str, bytes: &[u8]| match read(name, bytes, ElementType::F32).unwrap() {
            Data::F32(values) => values,
            other => panic!("{other:?}"),
        };
        assert_eq!(float("<f2", &f16::from_f32(-1.5).to_le_bytes()), [-1.5]);
        assert_eq!(float(">f4", &2.5f32.to_be_bytes()), [2.5]);
        assert_eq!(float("<f8", &0.1f64.to_le_bytes()), [0.1]);
        assert_eq!(float("|u1", &[0, 255]), [0.0, 255.0]);
        assert_eq!(float("|i1", &[0x80]), [-128.0]);
        assert_eq!(float(">i2", &(-2i16).to_be_bytes()), [-2.0]);
        assert_eq!(float("|b1", &[0, 1]), [0.0, 1.0]);
        let integers = read("<i8", &[5i64.to_le_bytes(), (-1i64).to_le_bytes()].concat(), ElementType::I32).unwrap();
        assert_eq!(integers, Data::I32(vec![5, -1]));
        assert_eq!(read("<f4", &7f32.to_le_bytes(), ElementType::I32).unwrap(), Data::I32(vec![7]));
        for name in ["|O", "<c8", "<U5", "<f16", "|f4", "<M8[ns]", "", "é", "<fé"] {
            assert_eq!(Kind::of_numpy(name), None, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_the_inputs_is_named_by_its_place() {
        let error = |name: &str, bytes: &[u8], element| read(name, bytes, element).unwrap_err().to_string();
        assert!(error("<f8", &1e300f64.to_le_bytes(), ElementType::F32).contains("element 0 is 1"));
        assert!(error("<f4", &f32::NAN.to_le_bytes(), ElementType::F32).contains("element 0 is NaN"));
        assert!(error("<i8", &i64::MAX.to_le_bytes(), ElementType::I32).contains("no int32"));
        assert!(error("<f4", &0.5f32.to_le_bytes(), ElementType::I32).contains("whole numbers"));
        assert!(error("<u4", &u32::MAX.to_le_bytes(), ElementType::I32).contains("4294967295"));
    }

    #[test]
    fn what_is_lost_is_told() {
        let loses = |name: &str, element| Kind::of_numpy(name).unwrap().loses_as(element).is_some();
        assert!(loses("<f8", ElementType::F32) && loses("<i8", ElementType::F32));
        assert!(!loses("<f4", ElementType::F32) && !loses("|u1", ElementType::F32) && !loses("<i8", ElementType::I32));
    }
}
