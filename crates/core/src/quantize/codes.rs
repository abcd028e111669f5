//! Codes: the integers that stand for the numbers of constants, packed as files and models hold them.

use crate::encoding::{Encoding, IntegerType};
use crate::ir::Value;
use autoneural_base::error::{Error, Result};

/// Where a model that is written gets the integers of its constants from.
pub trait CodeSource {
    /// Hands the packed codes of a constant under its encoding to `take`: see [`pack`] for their order.
    ///
    /// # Errors
    /// There are none of this constant under this encoding; what `take` refuses.
    fn read(&self, value: &Value, encoding: &Encoding, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

/// Little-endian bytes of integers in row-major order; 4-bit ones two to a byte, the first in the low half, as ONNX
/// `TensorProto.raw_data` holds them.
///
/// ```
/// use autoneural_core::encoding::IntegerType;
/// use autoneural_core::quantize::{pack, unpack};
///
/// let bytes = pack(IntegerType::Int4, &[1, -1, 7]);
/// assert_eq!(bytes, [0xf1, 0x07]);
/// assert_eq!(unpack(IntegerType::Int4, &bytes, 3), [1, -1, 7]);
/// ```
pub fn pack(integer: IntegerType, codes: &[i32]) -> Vec<u8> {
    match integer {
        IntegerType::Int4 => {
            let (pairs, last) = codes.as_chunks::<2>();
            let pairs = pairs.iter().map(|[low, high]| (low & 0xf) as u8 | (high << 4) as u8);
            pairs.chain(last.iter().map(|low| (low & 0xf) as u8)).collect()
        }
        IntegerType::Int8 | IntegerType::Uint8 => codes.iter().map(|&code| code as u8).collect(),
        IntegerType::Int16 | IntegerType::Uint16 => {
            codes.iter().flat_map(|&code| (code as u16).to_le_bytes()).collect()
        }
        IntegerType::Int32 => codes.iter().flat_map(|code| code.to_le_bytes()).collect(),
    }
}

/// The first `count` integers of what [`pack`] gave; fewer where the bytes end before.
pub fn unpack(integer: IntegerType, bytes: &[u8], count: usize) -> Vec<i32> {
    let mut codes: Vec<i32> = match integer {
        // Shifted up and down again, which keeps the sign.
        IntegerType::Int4 => {
            bytes.iter().flat_map(|&pair| [(pair << 4) as i8 >> 4, pair as i8 >> 4]).map(i32::from).collect()
        }
        IntegerType::Int8 => bytes.iter().map(|&code| i32::from(code as i8)).collect(),
        IntegerType::Uint8 => bytes.iter().map(|&code| i32::from(code)).collect(),
        IntegerType::Int16 => bytes.as_chunks().0.iter().map(|&code| i32::from(i16::from_le_bytes(code))).collect(),
        IntegerType::Uint16 => bytes.as_chunks().0.iter().map(|&code| i32::from(u16::from_le_bytes(code))).collect(),
        IntegerType::Int32 => bytes.as_chunks().0.iter().map(|&code| i32::from_le_bytes(code)).collect(),
    };
    codes.truncate(count);
    codes
}

/// Refuses codes that are not those of a tensor: too many or too few, or outside the integers of its encoding.
///
/// # Errors
/// Names the constant; a rounding method that gives such codes has a defect.
pub fn refuse_impossible(codes: &[i32], encoding: &Encoding, value: &Value) -> Result<()> {
    let count: usize = value.shape.iter().product();
    let (least, most) = encoding.integer.limits();
    if codes.len() != count {
        let message = format!("was rounded to {} codes, its shape {:?} has {count}", codes.len(), value.shape);
        return Err(Error::internal(&value.name, message));
    }
    match codes.iter().find(|&&code| !(least..=most).contains(&i64::from(code))) {
        Some(code) => Err(Error::internal(
            &value.name,
            format!("was rounded to {code}, which is not {}", encoding.integer.name()),
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_bit_integers_pack_low_half_first() {
        assert_eq!(pack(IntegerType::Int4, &[1, -1, 7]), [0xf1, 0x07]);
        assert_eq!(pack(IntegerType::Uint16, &[65535, 1]), [0xff, 0xff, 1, 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn codes_come_back_as_they_were_packed(numbers in prop::collection::vec(any::<i32>(), 0..33)) {
            use IntegerType::*;
            for integer in [Int4, Int8, Uint8, Int16, Uint16, Int32] {
                let (least, most) = integer.limits();
                let within = |&number: &i32| (least + i64::from(number).rem_euclid(most - least + 1)) as i32;
                let codes: Vec<i32> = numbers.iter().map(within).collect();
                let packed = pack(integer, &codes);
                prop_assert_eq!(packed.len() as u64, integer.bytes_of(&[codes.len()]));
                prop_assert_eq!(unpack(integer, &packed, codes.len()), codes);
            }
        }
    }
}
