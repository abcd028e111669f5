//! Rotary position embedding in the half-split form: `x * cos + concat(-x[D/2..], x[..D/2]) * sin` (Su et al., arXiv
//! 2104.09864).

use super::found::{Found, Source};
use super::view::View;
use autoneural_core::ir::{ElementType, Node, Op, ValueId, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let (Op::Add(_), &[a, b]) = (&node.op, node.inputs.as_slice()) else { return None };
    let (x, cos, sin) = turned(view, a, b).or_else(|| turned(view, b, a))?;
    let ids = [x, cos, sin];
    let types = ids.map(|id| (view.shape(id), ElementType::F32));
    let op = Op::from(ops::Rope);
    op.infer(&types).is_ok().then(|| Found { op, inputs: ids.map(Source::Value).into() })
}

/// The parts of `x * cos` and `rotated(x) * sin`.
fn turned(view: &View, along: ValueId, across: ValueId) -> Option<(ValueId, ValueId, ValueId)> {
    let node = view.maker(across)?;
    let Op::Mul(_) = node.op else { return None };
    let (x, sin) = view.either(node, |id| rotated(view, id))?;
    let node = view.maker(along)?;
    let Op::Mul(_) = node.op else { return None };
    let (_, cos) = view.either(node, |id| (id == x).then_some(()))?;
    Some((x, cos, sin))
}

/// What a value is `concat(-x[D/2..], x[..D/2])` of.
fn rotated(view: &View, id: ValueId) -> Option<ValueId> {
    let node = view.maker(id)?;
    let (Op::Concat(ops::Concat { axis: 3 }), &[negated, front]) = (&node.op, node.inputs.as_slice()) else {
        return None;
    };
    let negated = view.maker(negated)?;
    let Op::Neg(_) = negated.op else { return None };
    let (x, back_at) = half(view, negated.inputs[0])?;
    let (other, front_at) = half(view, front)?;
    (x == other && (front_at, back_at) == (0, 1)).then_some(x)
}

/// The value that this is a half of along the last of four axes, and which.
fn half(view: &View, id: ValueId) -> Option<(ValueId, usize)> {
    let node = view.maker(id)?;
    let x = node.inputs[0];
    let size = *view.shape(x).get(3)?;
    match &node.op {
        Op::Split(ops::Split { axis: 3, parts: 2 }) => Some((x, node.outputs.iter().position(|output| *output == id)?)),
        Op::Slice(ops::Slice { axis: 3, start: 0, end }) if *end * 2 == size => Some((x, 0)),
        Op::Slice(ops::Slice { axis: 3, start, end }) if *start * 2 == size && *end == size => Some((x, 1)),
        _ => None,
    }
}
