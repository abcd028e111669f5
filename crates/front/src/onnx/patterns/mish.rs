//! `x * tanh(softplus(x))` (Misra, arXiv 1908.08681).

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{Node, Op, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let Op::Mul(_) = node.op else { return None };
    let gated = |id| {
        let bounded = view.maker(id).filter(|node| matches!(node.op, Op::Tanh(_)))?;
        let node = view.maker(bounded.inputs[0])?;
        matches!(node.op, Op::Softplus(_)).then_some(node.inputs[0])
    };
    let &[a, b] = node.inputs.as_slice() else { return None };
    let x = if gated(a) == Some(b) { b } else { gated(b).filter(|x| *x == a)? };
    Some(Found { op: ops::Mish.into(), inputs: vec![Source::Value(x)] })
}
