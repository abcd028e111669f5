//! Names of messages given anew, for what is put into another graph. A file of a few bytes must not become gigabytes:
//! what is copied for it is counted first.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use autoneural_onnx::{GraphProto, Message, NodeProto};

/// Most bytes of all messages that are copied to be renamed.
const MOST_BYTES: usize = 256 << 20;

/// New names by old ones.
pub type Names = HashMap<String, String>;

/// How much was copied so far.
#[derive(Default)]
pub struct Copied(usize);

impl Copied {
    /// Counts bytes before they are copied.
    ///
    /// # Errors
    /// They are too many.
    pub fn count(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.saturating_add(bytes);
        match self.0 <= MOST_BYTES {
            true => Ok(()),
            false => Err(format!("makes copies of more than {} MiB in all", MOST_BYTES >> 20)),
        }
    }
}

/// A name that is not taken yet, which it is from now on: this one, or with a number behind it.
pub fn fresh(name: &str, taken: &mut HashSet<String>) -> String {
    if taken.insert(name.to_string()) {
        return name.to_string();
    }
    let mut number = 2usize;
    loop {
        let made = format!("{name}.{number}");
        if taken.insert(made.clone()) {
            return made;
        }
        number += 1;
    }
}

/// The names that a graph gives to values.
pub fn defined(graph: &GraphProto) -> HashSet<&str> {
    let tensors = graph.initializer.iter().map(|tensor| &tensor.name);
    let inputs = graph.input.iter().map(|info| &info.name);
    let outputs = graph.node.iter().flat_map(|node| &node.output);
    tensors.chain(inputs).chain(outputs).filter(|name| !name.is_empty()).map(String::as_str).collect()
}

/// A copy of a node with other names of what it reads and makes, and of what the graphs among its attributes read of it.
///
/// # Errors
/// The copies become too large.
pub fn renamed(node: &NodeProto, names: &Names, copied: &mut Copied) -> Result<NodeProto, String> {
    copied.count(node.encoded_len().saturating_add(growth(node, names)))?;
    let mut made = node.clone();
    rename(&mut made, names);
    Ok(made)
}

/// Bytes of the new names in a node.
fn growth(node: &NodeProto, names: &Names) -> usize {
    let of = |name: &String| names.get(name).map_or(0, String::len);
    let own: usize = node.input.iter().chain(&node.output).map(of).sum();
    let graphs = node.attribute.iter().flat_map(|one| one.g.iter().chain(&one.graphs));
    let within = |graph: &GraphProto| -> usize {
        let outputs: usize = graph.output.iter().map(|info| of(&info.name)).sum();
        graph.node.iter().map(|inner| growth(inner, names)).fold(outputs, usize::saturating_add)
    };
    graphs.map(within).fold(own, usize::saturating_add)
}

fn rename(node: &mut NodeProto, names: &Names) {
    node.input.iter_mut().chain(&mut node.output).for_each(|name| renew(name, names));
    let graphs = node.attribute.iter_mut().flat_map(|one| one.g.iter_mut().chain(&mut one.graphs));
    graphs.for_each(|graph| rename_within(graph, names));
}

fn renew(name: &mut String, names: &Names) {
    if let Some(new) = names.get(name.as_str()) {
        name.clone_from(new);
    }
}

/// Renames what a graph reads of those around it; names of its own hide theirs.
fn rename_within(graph: &mut GraphProto, names: &Names) {
    let own = defined(graph);
    let names: Names = names
        .iter()
        .filter(|(old, _)| !own.contains(old.as_str()))
        .map(|(old, new)| (old.clone(), new.clone()))
        .collect();
    graph.output.iter_mut().for_each(|info| renew(&mut info.name, &names));
    graph.node.iter_mut().for_each(|node| rename(node, &names));
}

/// A graph whose names are none of those that are taken; they are taken then.
///
/// # Errors
/// As for [`renamed`].
pub fn apart<'g>(
    graph: &'g GraphProto,
    taken: &mut HashSet<String>,
    copied: &mut Copied,
) -> Result<Cow<'g, GraphProto>, String> {
    let mut own: Vec<&str> = defined(graph).into_iter().collect();
    own.sort_unstable();
    let names: Names = own.into_iter().map(|name| (name.to_string(), fresh(name, taken))).collect();
    if names.iter().all(|(old, new)| old == new) {
        return Ok(Cow::Borrowed(graph));
    }
    copied.count(graph.encoded_len())?;
    let mut made = graph.clone();
    made.initializer.iter_mut().for_each(|tensor| renew(&mut tensor.name, &names));
    made.output.iter_mut().for_each(|info| renew(&mut info.name, &names));
    made.node.iter_mut().for_each(|node| rename(node, &names));
    Ok(Cow::Owned(made))
}
