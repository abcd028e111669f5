//! Safetensors: a header whose length and offsets lie, and numbers that are none.

use super::{Json, NUMBERS, bytes};
use crate::dice::Dice;

const KNOWN: [&str; 12] = [
    r#"{"dtype":"F32","shape":[],"data_offsets":[0,4]}"#,
    r#"{"dtype":"F32","shape":[0],"data_offsets":[0,0]}"#,
    r#"{"dtype":"BF16","shape":[4294967296,4294967296],"data_offsets":[0,0]}"#,
    r#"{"dtype":"F16","shape":[18446744073709551615],"data_offsets":[0,18446744073709551614]}"#,
    r#"{"dtype":"F4","shape":[3],"data_offsets":[0,2]}"#,
    r#"{"dtype":"F6_E2M3","shape":[1],"data_offsets":[0,1]}"#,
    r#"{"dtype":"C64","shape":[1],"data_offsets":[0,8]}"#,
    r#"{"dtype":"F64","shape":[1],"data_offsets":[8,0]}"#,
    "[0,18446744073709551615]",
    "[18446744073709551615,18446744073709551615]",
    r#""BF16""#,
    "[1,1,1,1,1,1,1,1,0]",
];

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    let (seed, other) = (dice.pick(pool), dice.pick(pool));
    let (Some((header, data)), Some((foreign, _))) = (split(seed), split(other)) else {
        return bytes::mutate(dice, pool);
    };
    let (Some(mut tree), Some(mut foreign)) = (Json::parse(header), Json::parse(foreign)) else {
        return bytes::mutate(dice, pool);
    };
    let mut data = data.to_vec();
    let mut text = String::from_utf8_lossy(header).into_owned();
    match dice.below(4) {
        0 => bytes::damage(dice, &mut data, pool),
        1 => {
            // NaN, infinity, the smallest and largest numbers.
            let at = dice.below(data.len()) & !3;
            let value = *dice.pick(&[f32::NAN, f32::INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45, -0.0]);
            data.iter_mut().skip(at).zip(value.to_le_bytes()).for_each(|(place, byte)| *place = byte);
        }
        _ => {
            tree.mutate(dice, &mut foreign, &KNOWN);
            text.clear();
            tree.write(&mut text);
        }
    }
    let length = match dice.below(8) {
        0 => *dice.pick(&NUMBERS),
        1 => (text.len() as u64).wrapping_add_signed(dice.below(17) as i64 - 8),
        _ => text.len() as u64,
    };
    [&length.to_le_bytes(), text.as_bytes(), &data].concat()
}

fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
}
