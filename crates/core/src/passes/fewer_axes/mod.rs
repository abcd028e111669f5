//! Fewer axes than a target can count.

mod groups;
mod turns;

use super::rewrite::Rewrite;
use crate::ir::{Graph, Node, Op, Shape, ValueId, ops};
use crate::target::Target;
use autoneural_base::error::Result;

/// The graph in which operators on more axes than the target takes work on some that are joined, between two reshapes, as
/// a picture that is cut into windows has them for each sample, window, head and channel. Run [`super::merge_moves()`]
/// after it: of reshapes that follow one another, which are most of them, one is left.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn fewer_axes(graph: &Graph, target: &Target) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let is_wide = |most| node.inputs.iter().chain(&node.outputs).any(|&id| graph.value(id).shape.len() > most);
        let most = target.most_axes(node.op.name()).filter(|&most| is_wide(most));
        let steps = most.map_or(vec![], |most| steps(graph, node, most));
        if steps.is_empty() {
            rewrite.copy(node)?;
        } else {
            stepwise(graph, &mut rewrite, node, steps)?;
        }
    }
    rewrite.finish()
}

/// An operator on other shapes of the same elements.
struct Step {
    op: Op,
    /// Shapes of what it reads.
    reads: Vec<Shape>,
}

/// What to do in place of a node; nothing where it stays as it is.
fn steps(graph: &Graph, node: &Node, most: usize) -> Vec<Step> {
    let shape = |id: &ValueId| graph.value(*id).shape.as_slice();
    if let Op::Transpose(ops::Transpose { perm }) = &node.op {
        let made = turns::turns(shape(&node.inputs[0]), perm, most).into_iter();
        return made.map(|(read, perm)| Step { op: ops::Transpose { perm }.into(), reads: vec![read] }).collect();
    }
    let reads: Vec<&[usize]> = node.inputs.iter().map(shape).collect();
    if let (Op::Gather(ops::Gather { axis }), [data, indices]) = (&node.op, reads.as_slice()) {
        // Integers that are computed have no encoding in which the target could bring them into another shape.
        let is_one_axis = indices.len() == 1 || graph.value(node.inputs[1]).constant().is_some();
        let joined = groups::Groups::of(&[*data], &groups::Apart::axis(*axis), most);
        return joined.filter(|_| is_one_axis).map_or(vec![], |joined| {
            let reads = vec![joined.shape(data), vec![indices.iter().product()]];
            vec![Step { op: ops::Gather { axis: joined.place(*axis) }.into(), reads }]
        });
    }
    groups::on_fewer(&node.op, &reads, most).map_or(vec![], |(op, reads)| vec![Step { op, reads }])
}

/// Adds the steps, and what brings their results into the node's shapes.
fn stepwise(graph: &Graph, rewrite: &mut Rewrite, node: &Node, steps: Vec<Step>) -> Result<()> {
    let mut now = rewrite.inputs(node)?;
    for step in steps {
        let mut read = Vec::new();
        for (at, shape) in step.reads.into_iter().enumerate() {
            read.push(in_shape(rewrite, now[at], shape, format!("{}.in", node.name))?);
        }
        let names = node.outputs.iter().map(|&id| rewrite.free(format!("{}.joined", graph.value(id).name))).collect();
        now = rewrite.new.node_of(names, step.op, &read)?;
    }
    for (&id, made) in node.outputs.iter().zip(now) {
        let value = graph.value(id);
        let made = rewrite.new.node(value.name.clone(), ops::Reshape { shape: value.shape.clone() }, &[made])?;
        rewrite.set(id, made);
    }
    Ok(())
}

/// A value in another shape: itself, a constant, or what a reshape makes.
fn in_shape(rewrite: &mut Rewrite, id: ValueId, shape: Shape, name: String) -> Result<ValueId> {
    if *rewrite.new.shape(id) == shape {
        return Ok(id);
    }
    let name = rewrite.free(name);
    match rewrite.new.graph().value(id).constant().map(|constant| constant.reshaped(shape.clone())) {
        Some(constant) => rewrite.new.constant(name, constant),
        None => rewrite.new.node(name, ops::Reshape { shape }, &[id]),
    }
}
