//! Checkpoints of made-up weights.

use std::path::Path;

use serde_json::Value;

use crate::common::succeed;

pub const GRAPH: &str = "graphs/autoneural-tiny.toml";

pub fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// Makes a checkpoint; gives what the program says of it.
pub fn synth(graph: &str, out: &Path, more: &[&str]) -> Value {
    let made = succeed(&[&["synth", graph, "--out", text(out), "--json"], more].concat());
    serde_json::from_str(&made).expect("JSON")
}
