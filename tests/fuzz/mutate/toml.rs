//! TOML as lines of keys and values.

use super::{NUMBERS, bytes, json, text};
use crate::dice::Dice;

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    let Ok(seed) = String::from_utf8(dice.pick(pool).clone()) else { return bytes::mutate(dice, pool) };
    let mut lines: Vec<String> = seed.lines().map(String::from).collect();
    for _ in 0..dice.few(4) {
        change(dice, &mut lines, pool);
    }
    json::broken_text(dice, lines.join("\n").into_bytes())
}

fn change(dice: &mut Dice, lines: &mut Vec<String>, pool: &[Vec<u8>]) {
    let at = dice.below(lines.len());
    let Some(line) = lines.get_mut(at) else { return lines.push("a = 1".into()) };
    match dice.below(12) {
        0..=2 => {
            if let Some((key, _)) = line.split_once('=') {
                *line = format!("{key}= {}", value(dice));
            }
        }
        3..=6 => other_number(dice, line),
        7 => drop(lines.remove(at)),
        8 => {
            let (copy, to) = (line.clone(), dice.below(lines.len() + 1));
            lines.insert(to, copy);
        }
        9 => {
            let other = String::from_utf8_lossy(dice.pick::<Vec<u8>>(pool)).into_owned();
            let theirs: Vec<&str> = other.lines().collect();
            if !theirs.is_empty() {
                lines.insert(at, dice.pick(&theirs).to_string());
            }
        }
        10 => {
            let to = dice.below(lines.len());
            lines.swap(at, to);
        }
        _ => lines.insert(at, structure(dice)),
    }
}

/// Puts another number in place of one of the line.
fn other_number(dice: &mut Dice, line: &mut String) {
    let mut places = Vec::new();
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        match (c.is_ascii_digit(), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                places.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    if places.is_empty() {
        return;
    }
    let place = dice.pick(&places).clone();
    let old: u64 = line[place.clone()].parse().unwrap_or(0);
    let new = match dice.below(5) {
        0 => old.wrapping_add(1).to_string(),
        1 => old.wrapping_sub(1).to_string(),
        2 => old.wrapping_mul(2).to_string(),
        3 => dice.below(300).to_string(),
        _ => dice.pick(&NUMBERS).to_string(),
    };
    line.replace_range(place, &new);
}

fn value(dice: &mut Dice) -> String {
    match dice.below(5) {
        0 => {
            let quoted: String = text(dice).chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
            format!("\"{quoted}\"")
        }
        1 => dice.pick(&NUMBERS).to_string(),
        2 => format!("{}{}", "[".repeat(dice.few(1 << 10)), "]".repeat(dice.few(1 << 10))),
        3 => format!("[{}]", "0, ".repeat(dice.few(1 << 12))),
        _ => dice
            .pick(&[
                "true",
                "nan",
                "-nan",
                "inf",
                "-inf",
                "1e308",
                "1e-320",
                "-1",
                "-0.0",
                "0.0",
                "1.5",
                "\"\"",
                "[]",
                "{}",
                "[[]]",
                "{ a = 1 }",
                "1979-05-27",
                "07:32:00",
                "0000-00-00",
                "9999-12-31T23:59:60Z",
                "'''x'''",
                "0x_1",
                "[\"*\"]",
                "\"uint16\"",
                "\"int4\"",
                "\"int8 per channel\"",
                "\"int4 in blocks of 32\"",
                "\"uint16 x uint8 -> uint16\"",
                "\"er_r1024_k3_c8\"",
                "[\"uir_r1_a3_k5_s2_e65536_c65536\"]",
                "[\"mqa_h65536_d65536_c1\"]",
                "-9223372036854775808",
            ])
            .to_string(),
    }
}

fn structure(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => format!("[{}a]", "a.".repeat(dice.few(1 << 10))),
        1 => format!("{}a = 1", "a.".repeat(dice.few(1 << 10))),
        2 => "[[operator]]".into(),
        3 => "[[override]]".into(),
        4 => format!("# {}", text(dice).replace(['\n', '\r'], "")),
        _ => format!("x = {}1{}", "{ x = ".repeat(dice.few(256)), " }".repeat(dice.few(256))),
    }
}
