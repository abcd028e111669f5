//! Operators between values of 8 and of 16 bits, written in 16 bits: each value of 8 bits that they read is widened before
//! them, and each that they make is narrowed behind them.

use autoneural_core::ir::{Graph, Node, ValueId};

use super::names::read_name;

/// A value as operators in 16 bits read it.
pub(crate) fn read(value: &str) -> String {
    format!("{value}/wide")
}

/// A value as an operator in 16 bits makes it.
pub(crate) fn made(value: &str) -> String {
    format!("{value}/whole")
}

/// The name of the value that such a name stands for, and whether it is one that is read.
pub(crate) fn of(name: &str) -> Option<(&str, bool)> {
    let read = name.strip_suffix("/wide").map(|value| (value, true));
    read.or_else(|| name.strip_suffix("/whole").map(|value| (value, false)))
}

/// What a node reads of its inputs, in its plain form, of what it reads here.
pub(crate) fn plain_inputs(graph: &Graph, ir: &Node, found: &[String]) -> Vec<String> {
    let is_read = |id: ValueId, name: &str| name == format!("{}/dq", read(&graph.value(id).name));
    let plain = |name: &String| {
        let wide = ir.inputs.iter().find(|&&id| is_read(id, name));
        wide.map_or_else(|| name.clone(), |&id| read_name(graph, id))
    };
    found.iter().map(plain).collect()
}
