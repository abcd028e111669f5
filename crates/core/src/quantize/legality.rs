//! Whether the NPU can run a node under its encodings, and which encodings it can take.

use std::borrow::Cow;

use super::table::Table;
use super::weights::{bias, stated, weight};
use super::wide::computed;
use crate::ir::{Graph, Node, Value};
use crate::target::{Activations, Case, Operator, Target, Weights};
use autoneural_base::error::Result;

/// The reason why the NPU does not take a node, in words; `None` if it does.
///
/// # Errors
/// The table belongs to another graph.
pub fn refusal(graph: &Graph, node: &Node, target: &Target, table: &Table) -> Result<Option<String>> {
    let name = node.op.name();
    let Some(operator) = target.operator(name) else {
        return Ok(Some(format!("target {} does not take {name}", target.name)));
    };
    if let (true, Some(axis)) = (operator.last_axis_only, node.op.axis())
        && axis + 1 != graph.value(node.inputs[0]).shape.len()
    {
        return Ok(Some(format!("target {} takes {name} on the last axis only", target.name)));
    }
    if let Some(input) = computed_constant(graph, node) {
        return Ok(Some(format!(
            "target {} takes {name} where `{input}` is constant; here it is computed",
            target.name
        )));
    }
    let axes = node.inputs.iter().chain(&node.outputs).map(|&id| graph.value(id).shape.len()).max();
    if let Some((most, axes)) = target.most_axes(name).zip(axes).filter(|(most, axes)| axes > most) {
        return Ok(Some(format!("target {} takes {name} on {most} axes at most, not on {axes}", target.name)));
    }
    let case = case(graph, node, table)?;
    let computed = computed_in(operator, case.clone());
    Ok((!operator.takes(&computed)).then(|| format!("target {} does not take {name} in {case}", target.name)))
}

/// The name of an input that targets take as a constant only, where a node computes it: weights that follow from the
/// data, say.
fn computed_constant(graph: &Graph, node: &Node) -> Option<&'static str> {
    let inputs = node.inputs.iter().enumerate().filter(|(_, id)| graph.value(**id).constant().is_none());
    inputs.filter_map(|(at, _)| node.op.signature().input(at)).find(|input| input.is_constant).map(|input| input.name)
}

/// The combination of integers that a node has.
///
/// # Errors
/// The table belongs to another graph.
pub(crate) fn case(graph: &Graph, node: &Node, table: &Table) -> Result<Case> {
    let param = |value: Option<&Value>| value.map(|value| table.param(&value.name)).transpose();
    Ok(Case {
        activations: activations(graph, node, table)?,
        weights: param(stated(graph, node))?.map(Weights::of),
        bias: param(bias(graph, node))?.map(|encoding| encoding.integer),
    })
}

/// The combination of integers in which the NPU computes a node that has another: with 8 and 16 bits together, most are
/// computed in 16. Weights in pairs are for nodes that have 16 bits by themselves.
pub(crate) fn computed_in(operator: &Operator, case: Case) -> Case {
    match case.weights.is_some_and(|weights| operator.in_pairs.contains(&weights)) {
        true => case,
        false => Case { activations: computed(operator, case.activations), ..case },
    }
}

/// The statement that the encodings of a node's constants must follow: what the target states of the operator; or, if
/// the NPU does not take the node under any encodings of its constants, what suits the CPU.
///
/// # Errors
/// As for [`refusal`].
pub(crate) fn statement<'a>(
    graph: &Graph,
    node: &Node,
    target: &'a Target,
    table: &Table,
) -> Result<Cow<'a, Operator>> {
    let name = node.op.name();
    let Some(operator) = target.operator(name) else { return Ok(Cow::Owned(Operator::on_cpu(name))) };
    // The recipe chooses the integers of weights, so these follow the target. A node with other constants may have
    // activations that the target does not take, whatever the constants are.
    if weight(graph, node).is_none() && stated(graph, node).is_some() {
        let activations = computed(operator, activations(graph, node, table)?);
        if !operator.taken().iter().any(|case| case.weights.is_some() && case.activations == activations) {
            return Ok(Cow::Owned(Operator::on_cpu(name)));
        }
    }
    Ok(Cow::Borrowed(operator))
}

/// Integers of what a node reads and makes, but constants.
pub(super) fn activations(graph: &Graph, node: &Node, table: &Table) -> Result<Activations> {
    let values = node.inputs.iter().filter_map(|&id| table.activations.get(&graph.value(id).name));
    let inputs = values.map(|encoding| encoding.integer).collect();
    Ok(Activations::new(inputs, table.activation(&graph.value(node.outputs[0]).name)?.integer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Encoding, IntegerType};
    use crate::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn constants_that_are_only_moved_are_no_weights() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 2, 4], ElementType::F32).unwrap();
        let token = |value: f32| Constant::from_values(vec![value; 4], vec![1, 1, 4]);
        let (first, last) = (b.constant("first", token(0.5)).unwrap(), b.constant("last", token(-0.5)).unwrap());
        // As a class token before what was read, and one more behind it.
        let joined = b.node("joined", ops::Concat { axis: 1 }, &[x, first, last]).unwrap();
        let graph = b.finish(vec![joined]);
        let mut table = Table::default();
        let shared = Encoding::of_range(IntegerType::Uint16, -1.0, 1.0);
        for name in ["x", "joined"] {
            table.activations.insert(name.into(), shared.clone());
        }
        for name in ["first", "last"] {
            table.params.insert(name.into(), shared.clone());
        }
        let (target, _) = Target::find("sa8295p").unwrap();
        assert_eq!(refusal(&graph, &graph.nodes()[0], &target, &table).unwrap(), None);
    }
}
