//! Protobuf messages as fields by number, whatever they mean: lengths are right again behind each change, so that
//! damage reaches what reads the fields.

use super::{NUMBERS, bytes, text};
use crate::dice::Dice;

/// Deepest message that is taken apart.
const DEEPEST: usize = 12;

#[derive(Clone)]
struct Field {
    number: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Fixed32([u8; 4]),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    let (seed, other) = (dice.pick(pool), dice.pick(pool));
    let Some(mut message) = parse(seed, 0) else { return bytes::mutate(dice, pool) };
    let foreign = if dice.one_in(2) { message.clone() } else { parse(other, 0).unwrap_or_default() };
    for _ in 0..dice.few(6) {
        change(dice, &mut message, &foreign);
    }
    let mut made = Vec::new();
    write(&message, &mut made);
    if dice.one_in(16) {
        bytes::damage(dice, &mut made, pool);
    }
    made
}

/// Changes a field somewhere in the message.
fn change(dice: &mut Dice, message: &mut Vec<Field>, foreign: &[Field]) {
    if message.is_empty() || dice.one_in(6) {
        return change_list(dice, message, foreign);
    }
    let at = dice.below(message.len());
    let field = &mut message[at];
    match &mut field.value {
        Value::Message(inner) if !dice.one_in(8) => {
            let theirs = foreign.iter().filter_map(|theirs| match &theirs.value {
                Value::Message(theirs_inner) if theirs.number == field.number => Some(theirs_inner),
                _ => None,
            });
            let theirs: Vec<&Vec<Field>> = theirs.collect();
            let none = vec![];
            let theirs = if theirs.is_empty() { &none } else { *dice.pick(&theirs) };
            change(dice, inner, theirs);
        }
        Value::Varint(value) => {
            *value = match dice.below(4) {
                0 => value.wrapping_add(1),
                1 => dice.below(40) as u64,
                2 => (dice.below(40) as u64).wrapping_neg(),
                _ => *dice.pick(&NUMBERS),
            }
        }
        Value::Fixed64(value) => *value = dice.pick(&NUMBERS).to_le_bytes(),
        Value::Fixed32(value) => {
            *value = dice.pick(&[0.0, -0.0, 1.0, f32::NAN, f32::INFINITY, f32::MAX, 1e-45, -1.0]).to_le_bytes();
        }
        Value::Bytes(value) => match dice.below(5) {
            0 => *value = text(dice).into_bytes(),
            1 => *value = dice.pick(&NUMBERS).to_string().into_bytes(),
            2 => {
                // Numbers in a packed list, such as sizes.
                let mut packed = Vec::new();
                (0..dice.few(8)).for_each(|_| varint(*dice.pick(&NUMBERS), &mut packed));
                *value = packed;
            }
            _ => bytes::damage(dice, value, &[vec![0xff; 9]]),
        },
        Value::Message(_) => field.number = 1 + dice.below(25) as u64,
    }
}

/// Leaves out, repeats, adds and moves whole fields: a node, a tensor, an attribute.
fn change_list(dice: &mut Dice, message: &mut Vec<Field>, foreign: &[Field]) {
    let (from, to) = (dice.below(message.len()), dice.below(message.len() + 1));
    match dice.below(5) {
        0 if !message.is_empty() => drop(message.remove(from)),
        1 if !message.is_empty() => {
            let copy = message[from].clone();
            let times = dice.few(64);
            message.splice(to..to, std::iter::repeat_n(copy, times));
        }
        2 if !foreign.is_empty() => message.insert(to, dice.pick(foreign).clone()),
        3 if !message.is_empty() => message.swap(from, to.saturating_sub(1)),
        _ => {
            // The message in itself, over and over.
            let mut nested = message.iter().take(2).cloned().collect::<Vec<_>>();
            for _ in 0..dice.few(200) {
                nested = vec![Field { number: *dice.pick(&[1, 5, 6, 7, 9, 11]), value: Value::Message(nested) }];
            }
            message.splice(to..to, nested);
        }
    }
}

fn parse(mut bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = read_varint(&mut bytes)?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 || number > 10_000 {
            return None;
        }
        let value = match kind {
            0 => Value::Varint(read_varint(&mut bytes)?),
            1 => Value::Fixed64(*take(&mut bytes, 8)?.first_chunk()?),
            5 => Value::Fixed32(*take(&mut bytes, 4)?.first_chunk()?),
            2 => {
                let length = usize::try_from(read_varint(&mut bytes)?).ok()?;
                let inner = take(&mut bytes, length)?;
                let is_text = inner.iter().all(|b| b.is_ascii_graphic());
                match parse(inner, depth + 1) {
                    Some(fields) if depth < DEEPEST && !inner.is_empty() && !is_text => Value::Message(fields),
                    _ => Value::Bytes(inner.to_vec()),
                }
            }
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn read_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn varint(mut value: u64, made: &mut Vec<u8>) {
    while value >= 0x80 {
        made.push(value as u8 | 0x80);
        value >>= 7;
    }
    made.push(value as u8);
}

fn write(fields: &[Field], made: &mut Vec<u8>) {
    for field in fields {
        let kind = match &field.value {
            Value::Varint(_) => 0,
            Value::Fixed64(_) => 1,
            Value::Bytes(_) | Value::Message(_) => 2,
            Value::Fixed32(_) => 5,
        };
        varint(field.number << 3 | kind, made);
        match &field.value {
            Value::Varint(value) => varint(*value, made),
            Value::Fixed64(value) => made.extend(value),
            Value::Fixed32(value) => made.extend(value),
            Value::Bytes(bytes) => {
                varint(bytes.len() as u64, made);
                made.extend(bytes);
            }
            Value::Message(inner) => {
                let mut bytes = Vec::new();
                write(inner, &mut bytes);
                varint(bytes.len() as u64, made);
                made.extend(bytes);
            }
        }
    }
}
