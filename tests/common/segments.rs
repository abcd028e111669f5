//! Targets that take less than the SA8295P, and what a manifest or a report says of the segments.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::common::{json, root};

/// The SA8295P's file with only those entries of operators that are wanted.
pub fn target_with(wanted: impl Fn(&str) -> bool) -> String {
    let text = std::fs::read_to_string(root("targets/sa8295p.toml")).unwrap();
    let mut entries = text.split("[[operator]]");
    let head = entries.next().unwrap().to_string();
    let name = |entry: &str| entry.split('"').nth(1).unwrap().to_string();
    entries.filter(|entry| wanted(&name(entry))).fold(head, |made, entry| format!("{made}[[operator]]{entry}"))
}

pub fn partitions(file: &Path) -> BTreeMap<String, Value> {
    let partitions = json(file)["partitions"].as_array().unwrap().clone();
    partitions.into_iter().map(|partition| (partition["name"].as_str().unwrap().to_string(), partition)).collect()
}

pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}
