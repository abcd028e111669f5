//! `softmax(scale * q k + mask) v` over the heads of one sequence (Vaswani et al., arXiv 1706.03762), where the factor
//! stands on queries, keys, both or the scores.

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{Node, Op, ValueId, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let (Op::MatMul(_), &[weights, v]) = (&node.op, node.inputs.as_slice()) else { return None };
    let softmax = view.maker(weights)?;
    let Op::Softmax(ops::Softmax { axis: 3 }) = softmax.op else { return None };
    let scores = softmax.inputs[0];
    // A mask is added last.
    let masked = view.maker(scores).filter(|node| matches!(node.op, Op::Add(_)));
    let with_mask = masked.and_then(|node| view.either(node, |id| products(view, id)));
    let ((q, k, scale), mask) = match with_mask {
        Some((found, mask)) => (found, Some(mask)),
        None => (products(view, scores)?, None),
    };
    let op = ops::Attention { scale: scale as f32 };
    let ids: Vec<ValueId> = [q, k, v].into_iter().chain(mask).collect();
    let types: Vec<_> = ids.iter().map(|&id| (view.shape(id), autoneural_core::ir::ElementType::F32)).collect();
    // More than one sequence at once, or a mask of another shape, stays as it is.
    let op = Op::from(op);
    let fits = op.infer(&types).is_ok_and(|made| made[0].0 == *view.shape(node.outputs[0]));
    fits.then(|| Found { op, inputs: ids.into_iter().map(Source::Value).collect() })
}

/// Queries, keys and the factor of what a value is the scaled product of.
fn products(view: &View, id: ValueId) -> Option<(ValueId, ValueId, f64)> {
    let outer = view.product(id, &[]);
    let &[product] = outer.values.as_slice() else { return None };
    let node = view.maker(product)?;
    let (Op::MatMul(_), &[q, k]) = (&node.op, node.inputs.as_slice()) else { return None };
    if view.is_constant(q) || view.is_constant(k) {
        return None;
    }
    let (left, right) = (view.product(q, &[]), view.product(k, &[]));
    let one = |product: &super::view::Product, id: ValueId| match product.values.as_slice() {
        &[value] if view.shape(value) == view.shape(id) => (value, product.factor),
        _ => (id, 1.0),
    };
    let ((q, of_q), (k, of_k)) = (one(&left, q), one(&right, k));
    Some((q, k, outer.factor * of_q * of_k))
}
