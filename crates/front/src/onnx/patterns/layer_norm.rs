//! `(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * gamma + beta` over the last axis (Ba et al., arXiv
//! 1607.06450).

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{Constant, Node, Op, ValueId, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let size = *view.shape(node.outputs[0]).last()?;
    let found = |(x, epsilon): (ValueId, f32), gain: Constant, bias: Constant| {
        let inputs = vec![Source::Value(x), Source::Constant("gamma", gain), Source::Constant("beta", bias)];
        Some(Found { op: ops::LayerNorm { epsilon }.into(), inputs })
    };
    let all = |value: f32| Constant::from_values(vec![value; size], vec![size]);
    let scaled = |id: ValueId| {
        let node = view.maker(id)?;
        let Op::Mul(_) = node.op else { return None };
        let (gain, inner) = view.either(node, |id| view.gain(id, size))?;
        Some((normalized(view, inner)?, gain))
    };
    if let Op::Add(_) = node.op {
        let (bias, inner) = view.either(node, |id| view.gain(id, size))?;
        let (normal, gain) = scaled(inner)?;
        return found(normal, gain, bias);
    }
    if let Some((normal, gain)) = scaled(node.outputs[0]) {
        return found(normal, gain, all(0.0));
    }
    found(normalized(view, node.outputs[0])?, all(1.0), all(0.0))
}

/// What a value is the normalized form of.
fn normalized(view: &View, id: ValueId) -> Option<(ValueId, f32)> {
    let (centred, deviation) = view.normalized(id)?;
    let (variance, epsilon) = view.deviation(deviation)?;
    let squared = view.square(view.row_mean(variance)?)?;
    let x = centre(view, centred)?;
    // Some exporters compute the difference twice.
    (squared == centred || centre(view, squared) == Some(x)).then_some((x, epsilon))
}

/// What a value is `x - mean(x)` of.
fn centre(view: &View, id: ValueId) -> Option<ValueId> {
    let node = view.maker(id)?;
    let (Op::Sub(_), &[x, mean]) = (&node.op, node.inputs.as_slice()) else { return None };
    (view.row_mean(mean) == Some(x)).then_some(x)
}
