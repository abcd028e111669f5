//! Damage that knows nothing of a format.

use super::NUMBERS;
use crate::dice::Dice;

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut made = dice.pick(pool).clone();
    for _ in 0..dice.few(8) {
        damage(dice, &mut made, pool);
    }
    made
}

/// One change.
pub fn damage(dice: &mut Dice, made: &mut Vec<u8>, pool: &[Vec<u8>]) {
    let at = dice.below(made.len() + 1);
    let some = range(dice, made.len());
    match dice.below(9) {
        0 if at < made.len() => made[at] ^= 1 << dice.below(8),
        1 if at < made.len() => {
            made[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b'\n', b' ', b'0', b'-'])
        }
        2 => made.truncate(at),
        3 => drop(made.drain(some)),
        4 => {
            let count = dice.few(64);
            let new = dice.bytes(count);
            made.splice(at..at, new);
        }
        5 => {
            let copy = made[some].repeat(dice.few(64)).into_iter().take(1 << 16).collect::<Vec<_>>();
            made.splice(at..at, copy);
        }
        6 => number(dice, made, at),
        7 => {
            let other = dice.pick(pool);
            let piece = other[range(dice, other.len())].to_vec();
            made.splice(at..at, piece);
        }
        _ => {
            // The beginning of this and the end of another.
            let other = dice.pick(pool);
            made.truncate(at);
            made.extend_from_slice(&other[dice.below(other.len() + 1)..]);
        }
    }
}

fn range(dice: &mut Dice, length: usize) -> std::ops::Range<usize> {
    let start = dice.below(length);
    start..(start + dice.few(length.max(1))).min(length)
}

/// Writes a number over what is there.
fn number(dice: &mut Dice, made: &mut [u8], at: usize) {
    let value = *dice.pick(&NUMBERS);
    let (little, big) = (value.to_le_bytes(), value.to_be_bytes());
    let width = *dice.pick(&[1, 2, 4, 8]);
    let new = if dice.one_in(2) { &little[..width] } else { &big[8 - width..] };
    for (place, byte) in made.iter_mut().skip(at).zip(new) {
        *place = *byte;
    }
}
