//! Values of which only the largest in windows are read.

use std::collections::HashMap;

use super::model::{Given, Node};
use autoneural_core::ir::ops::Attribute;

/// For each value that nothing but pools of the largest read: the smallest of their kernels along each axis of images.
pub fn pooled(nodes: &[Node], outputs: &[String]) -> HashMap<String, Vec<usize>> {
    let mut made: HashMap<&str, Option<Vec<usize>>> = HashMap::new();
    for node in nodes {
        let kernel = kernel(node);
        for name in node.reads() {
            let known = made.entry(name).or_insert_with(|| kernel.clone());
            *known = known
                .take()
                .zip(kernel.clone())
                .filter(|(known, own)| known.len() == own.len())
                .map(|(known, own)| known.into_iter().zip(own).map(|(known, own)| known.min(own)).collect());
        }
    }
    for name in outputs {
        made.insert(name, None);
    }
    made.into_iter().filter_map(|(name, kernel)| Some((name.to_string(), kernel?))).collect()
}

/// The kernel of a pool whose windows have no gaps, and lie in what it reads.
fn kernel(node: &Node) -> Option<Vec<usize>> {
    if node.op_type != "MaxPool" || !node.is_standard() {
        return None;
    }
    let plain = |wanted: &str| {
        node.attributes.iter().find_map(|(name, given)| match given {
            Given::Plain(plain) if name == wanted => Some(plain),
            _ => None,
        })
    };
    let are_all = |wanted: &str, number: i64| match plain(wanted) {
        Some(Attribute::Ints(sizes)) => sizes.iter().all(|&size| size == number),
        other => other.is_none(),
    };
    let is_within = match plain("auto_pad") {
        Some(Attribute::Text(way)) => way.is_empty() || way == "NOTSET" || way == "VALID",
        other => other.is_none(),
    };
    let is_floor = matches!(plain("ceil_mode"), None | Some(Attribute::Int(0)));
    let Some(Attribute::Ints(sizes)) = plain("kernel_shape") else { return None };
    let is_plain = are_all("dilations", 1) && are_all("pads", 0) && is_within && is_floor;
    sizes.iter().map(|&size| usize::try_from(size).ok().filter(|_| is_plain)).collect()
}
