//! `x / sqrt(mean(x^2) + epsilon) * gamma` over one axis (Zhang and Sennrich, arXiv 1910.07467): the last one in language
//! models, channels in MobileNetV5.

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{Constant, Node, Op, ValueId, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let found = |x: ValueId, op: ops::RmsNorm, gain: Constant| {
        let inputs = vec![Source::Value(x), Source::Constant("gamma", gain)];
        Some(Found { op: op.into(), inputs })
    };
    if let Op::Mul(_) = node.op
        && let Some(((x, op), gain)) = view.either(node, |id| normalized(view, id))
        && let Some(gain) = view.gain_along(gain, x, op.axis)
    {
        return found(x, op, gain);
    }
    let (x, op) = normalized(view, node.outputs[0])?;
    let size = view.shape(x)[op.axis];
    found(x, op, Constant::from_values(vec![1.0; size], vec![size]))
}

/// What a value is `x / sqrt(mean(x^2) + epsilon)` of, as the operator.
fn normalized(view: &View, id: ValueId) -> Option<(ValueId, ops::RmsNorm)> {
    let (x, deviation) = view.normalized(id)?;
    let (mean, epsilon) = view.deviation(deviation)?;
    let (squared, axis) = view.mean_along(mean)?;
    (view.square(squared) == Some(x) && epsilon > 0.0).then_some((x, ops::RmsNorm { axis, epsilon }))
}
