//! `clip(x + 3, 0, 6) / 6`, and `x` times that (Howard et al., arXiv 1905.02244).

use super::found::{Found, Source};
use super::view::{View, is_near};
use autoneural_core::ir::{Node, Op, ValueId, ops};

/// What a value is `clip(x + 3, 0, 6)` of.
fn clipped(view: &View, id: ValueId) -> Option<ValueId> {
    let node = view.maker(id)?;
    let Op::Clip(ops::Clip { min: Some(min), max: Some(max) }) = &node.op else { return None };
    let sum = view.maker(node.inputs[0])?;
    let Op::Add(_) = sum.op else { return None };
    let is_six = *min == 0.0 && is_near(f64::from(*max), 6.0);
    view.either(sum, |id| view.is_number(id, 3.0).then_some(())).filter(|_| is_six).map(|(_, x)| x)
}

pub fn find_sigmoid(view: &View, node: &Node) -> Option<Found> {
    if !matches!(node.op, Op::Mul(_) | Op::Div(_)) {
        return None;
    }
    let product = view.product(node.outputs[0], &[]);
    let &[value] = product.values.as_slice() else { return None };
    let x = clipped(view, value).filter(|_| is_near(product.factor, 1.0 / 6.0))?;
    let op = ops::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 };
    Some(Found { op: op.into(), inputs: vec![Source::Value(x)] })
}

pub fn find_swish(view: &View, node: &Node) -> Option<Found> {
    if !matches!(node.op, Op::Mul(_) | Op::Div(_)) {
        return None;
    }
    let swish = |x: ValueId| Some(Found { op: ops::HardSwish.into(), inputs: vec![Source::Value(x)] });
    let gated = |id: ValueId| {
        let node = view.maker(id)?;
        match &node.op {
            Op::HardSigmoid(op) if is_near(op.alpha.into(), 1.0 / 6.0) && is_near(op.beta.into(), 0.5) => {
                Some(node.inputs[0])
            }
            _ => None,
        }
    };
    if let (Op::Mul(_), &[a, b]) = (&node.op, node.inputs.as_slice()) {
        if gated(a) == Some(b) {
            return swish(b);
        }
        if gated(b) == Some(a) {
            return swish(a);
        }
    }
    let product = view.product(node.outputs[0], &[]);
    let &[a, b] = product.values.as_slice() else { return None };
    if !is_near(product.factor, 1.0 / 6.0) {
        return None;
    }
    match (clipped(view, a), clipped(view, b)) {
        (Some(x), _) if x == b => swish(b),
        (_, Some(x)) if x == a => swish(a),
        _ => None,
    }
}
