//! `x / sqrt(mean(x^2) + epsilon) * gamma` over the last axis (Zhang and Sennrich, arXiv 1910.07467).

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{Constant, Node, Op, ValueId, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let size = *view.shape(node.outputs[0]).last()?;
    let found = |x: ValueId, epsilon: f32, gain: Constant| {
        let axis = view.shape(x).len() - 1;
        let inputs = vec![Source::Value(x), Source::Constant("gamma", gain)];
        Some(Found { op: ops::RmsNorm { axis, epsilon }.into(), inputs })
    };
    if let Op::Mul(_) = node.op
        && let Some((gain, inner)) = view.either(node, |id| view.gain(id, size))
        && let Some((x, epsilon)) = normalized(view, inner)
    {
        return found(x, epsilon, gain);
    }
    let (x, epsilon) = normalized(view, node.outputs[0])?;
    found(x, epsilon, Constant::from_values(vec![1.0; size], vec![size]))
}

/// What a value is `x / sqrt(mean(x^2) + epsilon)` of.
fn normalized(view: &View, id: ValueId) -> Option<(ValueId, f32)> {
    let (x, deviation) = view.normalized(id)?;
    let (mean, epsilon) = view.deviation(deviation)?;
    let squared = view.row_mean(mean)?;
    (view.square(squared) == Some(x) && epsilon > 0.0).then_some((x, epsilon))
}
