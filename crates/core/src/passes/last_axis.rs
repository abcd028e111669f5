//! Moves operators to the last axis if the target takes them on no other axis.

use super::rewrite::{Rewrite, on_last_axis};
use crate::ir::{Graph, Op, ops};
use crate::target::Target;
use autoneural_base::error::Result;

/// The graph in which such operators work along the last axis, between two transposes.
///
/// # Errors
/// The new graph cannot be built, which is a defect of this pass.
pub(crate) fn last_axis(graph: &Graph, target: &Target) -> Result<Graph> {
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        let last = graph.value(node.inputs[0]).shape.len().saturating_sub(1);
        let is_bound = target.operator(node.op.name()).is_some_and(|operator| operator.last_axis_only);
        match &node.op {
            Op::Softmax(ops::Softmax { axis }) if is_bound && *axis != last => {
                let inputs = rewrite.inputs(node)?;
                let made =
                    on_last_axis(&mut rewrite.new, &node.name, "softmax", ops::Softmax { axis: last }, *axis, &inputs)?;
                rewrite.set(node.outputs[0], made);
            }
            _ => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ir::{Builder, ElementType};

    fn target(statement: &str) -> Target {
        let text = format!(
            "schema = 2\nname = \"t\"\ndescription = \"t\"\nsoc = {{ soc_model = 1, htp_arch = 1, vtcm_mb = 1 }}\n\
             [[operator]]\nname = \"Softmax\"\nactivations = [\"uint16\"]\n{statement}\n"
        );
        Target::parse(&text, Path::new("t.toml")).unwrap()
    }

    fn softmax_on(axis: usize) -> Graph {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![2, 3, 4], ElementType::F32).unwrap();
        let y = b.node("y", ops::Softmax { axis }, &[x]).unwrap();
        b.finish(vec![y])
    }

    #[test]
    fn an_operator_is_turned_where_the_target_wants_it() {
        let names = |graph: &Graph| graph.nodes().iter().map(|node| node.op.name()).collect::<Vec<_>>();
        let turned = last_axis(&softmax_on(1), &target("last_axis_only = true")).unwrap();
        assert_eq!(names(&turned), ["Transpose", "Softmax", "Transpose"]);
        assert_eq!(turned.value(turned.nodes()[1].outputs[0]).shape, [2, 4, 3]);
        assert_eq!((turned.value(turned.outputs()[0]).name.as_str(), turned.outputs().len()), ("y", 1));
        for (axis, statement) in [(1, ""), (2, "last_axis_only = true")] {
            let left = last_axis(&softmax_on(axis), &target(statement)).unwrap();
            assert_eq!(left.to_string(), softmax_on(axis).to_string());
        }
    }
}
