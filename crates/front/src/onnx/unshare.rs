//! Constants of their own for nodes that want other encodings of them. Exporters write equal constants once, whoever
//! reads them; a bias has the encoding that follows from the products that it is added to.

use std::collections::HashMap;

use autoneural_base::error::Result;
use autoneural_core::ir::ops::InputKind;
use autoneural_core::ir::{Graph, ValueId};
use autoneural_core::passes::rewrite::Rewrite;

/// What decides about the encoding of a constant, as far as it can be the same for several readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    /// It follows from the other inputs of this node alone.
    OfNode(usize),
    /// It follows from the constant and this operator's axes.
    OfOperator(&'static str, usize),
}

/// The graph with a copy of a constant for every use but the first. Copies cost nothing: the numbers stay one.
///
/// # Errors
/// A graph that breaks a promise.
pub fn unshared(graph: &Graph) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    // What a constant is called in each of its uses; the first has the constant itself.
    let mut uses: HashMap<(ValueId, Use), Option<ValueId>> = HashMap::new();
    let mut counts: HashMap<ValueId, usize> = HashMap::new();
    for (at, node) in graph.nodes().iter().enumerate() {
        let mut inputs = rewrite.inputs(node)?;
        for (position, (&id, slot)) in node.inputs.iter().zip(&mut inputs).enumerate() {
            let value = graph.value(id);
            let (Some(constant), true) = (value.constant(), value.element.is_real()) else { continue };
            let kind = node.op.signature().kind(position);
            let of = match kind {
                // Weights are fitted to the scales of what they multiply.
                Some(InputKind::Bias | InputKind::Weight) => Use::OfNode(at),
                _ => Use::OfOperator(node.op.name(), position),
            };
            let count = counts.entry(id).or_default();
            let known = match uses.get(&(id, of)) {
                Some(known) => *known,
                None => {
                    let made = match *count {
                        0 => None,
                        number => {
                            let mut name = format!("{}.{}", value.name, number + 1);
                            while graph.find(&name).is_some() {
                                name.push('_');
                            }
                            Some(rewrite.new.constant(name, constant.clone())?)
                        }
                    };
                    *count += 1;
                    uses.insert((id, of), made);
                    made
                }
            };
            if let Some(copy) = known {
                *slot = copy;
            }
        }
        let names = node.outputs.iter().map(|&id| graph.value(id).name.clone()).collect();
        let made = rewrite.new.node_of(names, node.op.clone(), &inputs)?;
        node.outputs.iter().zip(made).for_each(|(&old, new)| rewrite.set(old, new));
    }
    rewrite.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use autoneural_core::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn biases_are_nobodys_but_one_nodes() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2], ElementType::F32).unwrap();
        let c = b.constant("c", Constant::from_values(vec![0.0, 0.0], vec![2])).unwrap();
        let norm = ops::LayerNorm { epsilon: 1e-5 };
        let first = b.node("first", norm.clone(), &[x, c, c]).unwrap();
        let second = b.node("second", norm, &[first, c, c]).unwrap();
        let sum = b.node("sum", ops::Add, &[second, c]).unwrap();
        let made = unshared(&b.finish(vec![sum])).unwrap();
        let name = |node: usize, input: usize| made.value(made.nodes()[node].inputs[input]).name.as_str();
        // Gains are the same for both; each bias and the sum have one of their own.
        assert_eq!([name(0, 1), name(0, 2), name(1, 1), name(1, 2), name(2, 1)], ["c", "c.2", "c", "c.3", "c.4"]);
    }

    #[test]
    fn weights_of_two_layers_are_two() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2], ElementType::F32).unwrap();
        let w = b.constant("w", Constant::from_values(vec![0.5; 4], vec![2, 2])).unwrap();
        let first = b.node("first", ops::MatMul, &[x, w]).unwrap();
        let second = b.node("second", ops::MatMul, &[first, w]).unwrap();
        let made = unshared(&b.finish(vec![second])).unwrap();
        let names = made.nodes().iter().map(|node| made.value(node.inputs[1]).name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["w", "w.2"]);
    }
}
