//! Names of messages given anew, for what is put into another graph.

use std::collections::{HashMap, HashSet};

use autoneural_onnx::{GraphProto, NodeProto};

/// New names by old ones.
pub type Names = HashMap<String, String>;

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

/// Renames what a node reads and makes, and what the graphs among its attributes read of it.
pub fn rename(node: &mut NodeProto, names: &Names) {
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
pub fn apart(graph: &GraphProto, taken: &mut HashSet<String>) -> GraphProto {
    let names: Names = defined(graph).into_iter().map(|name| (name.to_string(), fresh(name, taken))).collect();
    let mut made = graph.clone();
    made.initializer.iter_mut().for_each(|tensor| renew(&mut tensor.name, &names));
    made.output.iter_mut().for_each(|info| renew(&mut info.name, &names));
    made.node.iter_mut().for_each(|node| rename(node, &names));
    made
}
