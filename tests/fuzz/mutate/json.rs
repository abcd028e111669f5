//! JSON as a tree that may also be what no writer writes: keys twice, numbers out of range, depth, broken text.

use serde_json::Value;

use super::{NUMBERS, bytes, text};
use crate::dice::Dice;

/// A value with its objects in order and its leaves as they are written.
#[derive(Clone)]
pub enum Json {
    Leaf(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The tree of a text; `None` if it is no JSON.
    pub fn parse(text: &[u8]) -> Option<Json> {
        serde_json::from_slice(text).ok().map(Json::of)
    }

    fn of(value: Value) -> Json {
        match value {
            Value::Array(list) => Json::List(list.into_iter().map(Json::of).collect()),
            Value::Object(map) => {
                Json::Object(map.into_iter().map(|(k, v)| (Value::from(k).to_string(), Json::of(v))).collect())
            }
            leaf => Json::Leaf(leaf.to_string()),
        }
    }

    pub fn write(&self, made: &mut String) {
        match self {
            Json::Leaf(text) => made.push_str(text),
            Json::List(list) => {
                made.push('[');
                for (index, item) in list.iter().enumerate() {
                    made.push_str(if index > 0 { ",\n" } else { "" });
                    item.write(made);
                }
                made.push(']');
            }
            Json::Object(map) => {
                made.push('{');
                for (index, (key, item)) in map.iter().enumerate() {
                    made.push_str(if index > 0 { ",\n" } else { "" });
                    made.push_str(key);
                    made.push(':');
                    item.write(made);
                }
                made.push('}');
            }
        }
    }

    fn count(&self) -> usize {
        1 + match self {
            Json::Leaf(_) => 0,
            Json::List(list) => list.iter().map(Json::count).sum(),
            Json::Object(map) => map.iter().map(|(_, item)| item.count()).sum(),
        }
    }

    /// The node at a position of the walk in writing order.
    fn node(&mut self, at: &mut usize) -> Option<&mut Json> {
        if *at == 0 {
            return Some(self);
        }
        *at -= 1;
        match self {
            Json::Leaf(_) => None,
            Json::List(list) => list.iter_mut().find_map(|item| item.node(at)),
            Json::Object(map) => map.iter_mut().find_map(|(_, item)| item.node(at)),
        }
    }

    fn random(&mut self, dice: &mut Dice) -> &mut Json {
        // Every second time from the top, a branch at a time: long lists would else take all.
        if dice.one_in(2) {
            let mut at = dice.below(self.count());
            return self.node(&mut at).expect("a place in the walk");
        }
        let mut node = self;
        loop {
            let stop = dice.one_in(8);
            let length = match node {
                Json::List(list) => list.len(),
                Json::Object(map) => map.len(),
                Json::Leaf(_) => 0,
            };
            if stop || length == 0 {
                return node;
            }
            let at = dice.below(length);
            node = match node {
                Json::List(list) => &mut list[at],
                Json::Object(map) => &mut map[at].1,
                Json::Leaf(_) => unreachable!("a leaf has no branches"),
            };
        }
    }

    pub fn mutate(&mut self, dice: &mut Dice, other: &mut Json, known: &[&str]) {
        for _ in 0..dice.few(4) {
            let foreign = if dice.one_in(2) { self.clone().random(dice).clone() } else { other.random(dice).clone() };
            change(self.random(dice), dice, foreign, known);
        }
    }
}

pub fn mutate(dice: &mut Dice, pool: &[Vec<u8>], known: &[&str]) -> Vec<u8> {
    let (seed, other) = (dice.pick(pool), dice.pick(pool));
    let (Some(mut tree), Some(mut other)) = (Json::parse(seed), Json::parse(other)) else {
        return bytes::mutate(dice, pool);
    };
    tree.mutate(dice, &mut other, known);
    let mut made = String::new();
    tree.write(&mut made);
    broken_text(dice, made.into_bytes())
}

pub fn mutate_lines(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    let seed = String::from_utf8_lossy(dice.pick::<Vec<u8>>(pool)).into_owned();
    let lines: Vec<Vec<u8>> = seed.lines().map(|line| line.as_bytes().to_vec()).collect();
    if lines.is_empty() {
        return bytes::mutate(dice, pool);
    }
    let mut made = Vec::new();
    for line in &lines {
        let line = if dice.one_in(2) { mutate(dice, &lines, &[]) } else { line.clone() };
        made.extend(line.into_iter().filter(|byte| *byte != b'\n'));
        made.push(b'\n');
    }
    made
}

/// Text that is no text, now and then.
pub fn broken_text(dice: &mut Dice, mut made: Vec<u8>) -> Vec<u8> {
    if dice.one_in(32) {
        let at = dice.below(made.len() + 1);
        made.splice(at..at, [0xff, 0xfe]);
    }
    if dice.one_in(64) {
        made.splice(0..0, [0xef, 0xbb, 0xbf]);
    }
    made
}

fn change(node: &mut Json, dice: &mut Dice, foreign: Json, known: &[&str]) {
    if !known.is_empty() && dice.one_in(2) {
        *node = Json::Leaf(dice.pick(known).to_string());
        return;
    }
    match (node, dice.below(12)) {
        (Json::Leaf(leaf), 0..=6) => *leaf = leaf_like(dice, leaf),
        (Json::List(list), 0) if !list.is_empty() => drop(list.remove(dice.below(list.len()))),
        (Json::List(list), 1) if !list.is_empty() => {
            let copy = list[dice.below(list.len())].clone();
            let count = dice.few(if copy.count() > 64 { 4 } else { 1 << 10 });
            list.extend(std::iter::repeat_n(copy, count));
        }
        (Json::List(list), 2) => list.truncate(dice.below(list.len() + 1)),
        (Json::List(list), 3) => list.insert(dice.below(list.len() + 1), foreign),
        (Json::List(list), 4) => list.reverse(),
        (Json::Object(map), 0) if !map.is_empty() => drop(map.remove(dice.below(map.len()))),
        (Json::Object(map), 1) if !map.is_empty() => {
            let copy = map[dice.below(map.len())].clone();
            map.push(copy);
        }
        (Json::Object(map), 2) if !map.is_empty() => {
            // The same key with another value.
            let key = map[dice.below(map.len())].0.clone();
            map.push((key, foreign));
        }
        (Json::Object(map), 3) if !map.is_empty() => {
            let (from, to) = (dice.below(map.len()), dice.below(map.len()));
            map[to].0 = map[from].0.clone();
        }
        (Json::Object(map), 4) => map.push((quoted(&text(dice)), foreign)),
        (Json::Object(map), 5) if !map.is_empty() => {
            let at = dice.below(map.len());
            map[at].0 = quoted(&text(dice));
        }
        (node, 7..=8) => *node = foreign,
        (node, 9) => {
            let (open, close) = *dice.pick(&[("[", "]"), ("{\"a\":", "}")]);
            let depth = *dice.pick(&[20, 126, 127, 128, 200, 5_000, 100_000]);
            *node = Json::Leaf(format!("{}0{}", open.repeat(depth), close.repeat(depth)));
        }
        (node, _) => *node = Json::Leaf(leaf(dice)),
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A leaf at which readers break.
fn leaf(dice: &mut Dice) -> String {
    match dice.below(4) {
        0 => quoted(&text(dice)),
        1 => number(dice),
        _ => dice
            .pick(&[
                "null",
                "true",
                "false",
                "[]",
                "{}",
                "\"\"",
                "-0.0",
                "1e999",
                "-1e308",
                "1e-999",
                "NaN",
                "\"\\ud800\"",
                "0x1",
                "[[]]",
                "[{}]",
            ])
            .to_string(),
    }
}

fn number(dice: &mut Dice) -> String {
    let value = *dice.pick(&NUMBERS);
    match dice.below(6) {
        0 => format!("-{value}"),
        1 => format!("{value}.5"),
        2 => format!("{value}{value}"),
        3 => (*dice.pick(&["1e308", "-1e308", "3.5e38", "1e-45", "1e-320", "0.1", "-0.1", "0.5e0"])).to_string(),
        _ => value.to_string(),
    }
}

/// Another leaf of the same type, mostly.
fn leaf_like(dice: &mut Dice, old: &str) -> String {
    if dice.one_in(4) {
        return leaf(dice);
    }
    if let Ok(value) = old.parse::<i128>() {
        return match dice.below(6) {
            0 => (value + 1).to_string(),
            1 => (value - 1).to_string(),
            2 => (value * 2).to_string(),
            3 => (-value).to_string(),
            _ => number(dice),
        };
    }
    if old.parse::<f64>().is_ok() {
        return number(dice);
    }
    match (serde_json::from_str::<String>(old), dice.below(4)) {
        (Ok(known), 0) => quoted(&format!("{known}{}", text(dice))),
        (Ok(known), 1) => quoted(&known.chars().take(dice.below(known.len() + 1)).collect::<String>()),
        (Ok(known), 2) if !known.is_empty() => {
            // A number in a text, say a size in a block's name.
            let digits = |c: char| c.is_ascii_digit();
            quoted(&known.replace(digits, &dice.pick(&NUMBERS).to_string()))
        }
        (Ok(_), _) => quoted(&text(dice)),
        (Err(_), _) => leaf(dice),
    }
}
