//! Brings nodes into an order in which they can run, and leaves out those that no output depends on.

use std::collections::{HashMap, HashSet};

use super::model::Node;
use autoneural_base::error::{Error, Result};

/// Most nodes that a message names.
const MOST_NAMED: usize = 5;

/// The nodes that `outputs` depend on, each behind those whose results it reads. Nodes that stand in such an order
/// already keep it. `given` are names of inputs and constants.
///
/// # Errors
/// A name that nothing makes, a name that is made twice, nodes that wait for each other.
pub fn ordered(nodes: Vec<Node>, given: &HashSet<&str>, outputs: &[String]) -> Result<Vec<Node>> {
    let mut maker: HashMap<&str, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for name in node.outputs.iter().filter(|name| !name.is_empty()) {
            if given.contains(name.as_str()) || maker.insert(name, at).is_some() {
                return Err(Error::input(format!("node `{}`", node.title()), format!("two values are named `{name}`")));
            }
        }
    }
    let mut wanted = vec![false; nodes.len()];
    let mut open: Vec<usize> = Vec::new();
    for name in outputs {
        match maker.get(name.as_str()) {
            Some(&at) => open.push(at),
            None if given.contains(name.as_str()) => {}
            None => return Err(Error::input(format!("output `{name}`"), "is made by no node")),
        }
    }
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut wanted[at], true) {
            continue;
        }
        let node = &nodes[at];
        for name in node.reads().filter(|name| !name.is_empty()) {
            match maker.get(name.as_str()) {
                Some(&at) => open.push(at),
                None if given.contains(name.as_str()) => {}
                None => {
                    let message = format!("reads `{name}`, which is no input, no constant and made by no node");
                    return Err(Error::input(format!("node `{}`", node.title()), message));
                }
            }
        }
    }
    let order = in_order(&nodes, &maker, &wanted)?;
    let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|at| nodes[at].take()).collect())
}

/// Positions of the wanted nodes: in rounds through the list, of which a list in order takes one.
fn in_order(nodes: &[Node], maker: &HashMap<&str, usize>, wanted: &[bool]) -> Result<Vec<usize>> {
    let makers = |at: usize| nodes[at].reads().filter_map(|name| maker.get(name.as_str()).copied());
    // How many inputs are not there yet, and who waits for whom.
    let mut missing: Vec<usize> = (0..nodes.len()).map(|at| makers(at).count()).collect();
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for at in (0..nodes.len()).filter(|&at| wanted[at]) {
        makers(at).for_each(|from| readers[from].push(at));
    }
    let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<usize>> =
        (0..nodes.len()).filter(|&at| wanted[at] && missing[at] == 0).map(std::cmp::Reverse).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(std::cmp::Reverse(at)) = ready.pop() {
        order.push(at);
        for &reader in &readers[at] {
            missing[reader] -= 1;
            if missing[reader] == 0 {
                ready.push(std::cmp::Reverse(reader));
            }
        }
    }
    let stuck: Vec<usize> = (0..nodes.len()).filter(|&at| wanted[at] && missing[at] > 0).collect();
    if stuck.is_empty() {
        return Ok(order);
    }
    Err(circle(nodes, &stuck, |at| makers(at).filter(|&from| missing[from] > 0).collect()))
}

/// Names nodes that wait for each other. Each of `stuck` waits for one of them at least.
fn circle(nodes: &[Node], stuck: &[usize], waits: impl Fn(usize) -> Vec<usize>) -> Error {
    let mut way = vec![stuck[0]];
    let mut seen: HashSet<usize> = way.iter().copied().collect();
    let mut next = waits(stuck[0]).first().copied();
    while let Some(at) = next {
        if !seen.insert(at) {
            way = way.split_off(way.iter().position(|&one| one == at).unwrap_or(0));
            break;
        }
        way.push(at);
        next = waits(at).first().copied();
    }
    let names: Vec<String> = way.iter().take(MOST_NAMED).map(|&at| format!("`{}`", nodes[at].title())).collect();
    let more = way.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Error::input(
        format!("node {}", names[0]),
        format!("is in a circle: {}{more} wait for each other", names.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(inputs: &[&str], output: &str) -> Node {
        Node {
            name: String::new(),
            op_type: "Add".into(),
            domain: String::new(),
            inputs: inputs.iter().map(ToString::to_string).collect(),
            outputs: vec![output.into()],
            attributes: vec![],
        }
    }

    fn order(nodes: Vec<Node>) -> Result<String> {
        let made = ordered(nodes, &HashSet::from(["x"]), &["y".to_string()])?;
        Ok(made.iter().map(Node::title).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn nodes_stand_behind_what_they_read_and_idle_ones_are_left_out() {
        let nodes = vec![node(&["b", "a"], "y"), node(&["a", ""], "b"), node(&["x"], "idle"), node(&["x"], "a")];
        assert_eq!(order(nodes).unwrap(), "a b y");
    }

    #[test]
    fn what_has_no_order_is_named() {
        let cases = [
            (vec![node(&["b"], "y"), node(&["c", "x"], "b"), node(&["b"], "c")], "`b`, `c` wait for each other"),
            (vec![node(&["y"], "y")], "`y` wait for each other"),
            (vec![node(&["z"], "y")], "reads `z`"),
            (vec![node(&["x"], "z")], "output `y`: is made by no node"),
            (vec![node(&["x"], "y"), node(&["x"], "y")], "two values are named `y`"),
            (vec![node(&["x"], "y"), node(&["x"], "x")], "two values are named `x`"),
        ];
        for (nodes, message) in cases {
            let error = order(nodes).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
