//! What an operator makes for an activation alone. Other quantizers take the two as one operator, whose integers are
//! those behind the activation: what these cut off of the sum, a Relu or Clip cuts off anyway. So the sum has the same
//! encoding, and no range of its own that calibration would find.

use std::collections::BTreeMap;

use crate::ir::Graph;

/// Activations that only cut.
const CUTS: [&str; 2] = ["Relu", "Clip"];

/// Adds what stands before an activation to what is known of values, where it is not known, as what stands behind it.
pub(super) fn complete<T: Clone>(graph: &Graph, known: &mut BTreeMap<String, T>) {
    let mut readers = vec![0usize; graph.values().count()];
    let read = graph.nodes().iter().flat_map(|node| &node.inputs).chain(graph.outputs());
    read.for_each(|id| readers[id.index()] += 1);
    // From the end, so that two in a row have the same.
    for node in graph.nodes().iter().rev().filter(|node| CUTS.contains(&node.op.name())) {
        let (before, behind) = (node.inputs[0], graph.value(node.outputs[0]));
        let is_alone = readers[before.index()] == 1 && !graph.inputs().contains(&before);
        if let Some(one) = known.get(&behind.name).filter(|_| is_alone).cloned() {
            known.entry(graph.value(before).name.clone()).or_insert(one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType, ops};

    #[test]
    fn a_sum_has_what_its_activation_has_and_nothing_else_has() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 4], ElementType::F32).unwrap();
        let sum = b.node("sum", ops::Add, &[x, x]).unwrap();
        let cut = b.node("cut", ops::Relu, &[sum]).unwrap();
        let again = b.node("again", ops::Relu, &[cut]).unwrap();
        // Of an input, of what something else reads, of what is known.
        let of_input = b.node("of_input", ops::Relu, &[x]).unwrap();
        let both = b.node("both", ops::Add, &[again, of_input]).unwrap();
        let one = b.node("one", ops::Relu, &[both]).unwrap();
        let other = b.node("other", ops::Add, &[both, one]).unwrap();
        let own = b.node("own", ops::Relu, &[other]).unwrap();
        let graph = b.finish(vec![own]);
        let named = |names: &[(&str, u32)]| names.iter().map(|(name, at)| (name.to_string(), *at)).collect();
        let mut known: BTreeMap<String, u32> =
            named(&[("again", 1), ("of_input", 2), ("one", 3), ("other", 4), ("own", 5)]);
        let mut wanted = known.clone();
        wanted.extend(named(&[("sum", 1), ("cut", 1)]) as BTreeMap<String, u32>);
        complete(&graph, &mut known);
        assert_eq!(known, wanted);
    }
}
