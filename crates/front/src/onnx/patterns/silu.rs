//! `x * sigmoid(x)` (Ramachandran et al., arXiv 1710.05941, with a factor of 1).

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{Node, Op, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let Op::Mul(_) = node.op else { return None };
    let gated = |id| {
        let node = view.maker(id)?;
        matches!(node.op, Op::Sigmoid(_)).then_some(node.inputs[0])
    };
    let &[a, b] = node.inputs.as_slice() else { return None };
    let x = if gated(a) == Some(b) { b } else { gated(b).filter(|x| *x == a)? };
    Some(Found { op: ops::Silu.into(), inputs: vec![Source::Value(x)] })
}
