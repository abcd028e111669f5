//! GELU in its two forms, as exporters spell it out: `x/2 * (1 + erf(x / sqrt 2))`, and `x/2 * (1 + tanh(sqrt(2/pi) * (x
//! + 0.044715 x^3)))` (Hendrycks & Gimpel, arXiv 1606.08415). The factors stand in any order.

use super::found::{Found, Source};
use super::view::{View, is_near};
use autoneural_core::ir::{GeluKind, Node, Op, ValueId, ops};

pub fn find(view: &View, node: &Node) -> Option<Found> {
    let Op::Mul(_) = node.op else { return None };
    // A quotient by a number may be the outermost, too; the product inside of it is found then, and the number stays.
    let wide = view.product(node.outputs[0], &[]);
    let (gate, x, kind) = wide.values.iter().find_map(|&value| {
        let (x, kind) = gate(view, value)?;
        Some((value, x, kind))
    })?;
    let product = view.product(node.outputs[0], &[x, gate]);
    let is_whole = product.values.len() == 2 && product.values.contains(&x) && product.values.contains(&gate);
    (is_whole && is_near(product.factor, 0.5))
        .then(|| Found { op: ops::Gelu { kind }.into(), inputs: vec![Source::Value(x)] })
}

/// What a value is `1 + erf(…)` or `1 + tanh(…)` of.
fn gate(view: &View, id: ValueId) -> Option<(ValueId, GeluKind)> {
    let sum = view.maker(id)?;
    let Op::Add(_) = sum.op else { return None };
    let (_, bent) = view.either(sum, |id| view.is_number(id, 1.0).then_some(()))?;
    let bent = view.maker(bent)?;
    match bent.op {
        Op::Erf(_) => Some((scaled(view, bent.inputs[0], std::f64::consts::FRAC_1_SQRT_2)?, GeluKind::Erf)),
        Op::Tanh(_) => {
            let factor = (2.0 / std::f64::consts::PI).sqrt();
            Some((cubic(view, scaled(view, bent.inputs[0], factor)?)?, GeluKind::Tanh))
        }
        _ => None,
    }
}

/// The value of which this one is so many times.
fn scaled(view: &View, id: ValueId, factor: f64) -> Option<ValueId> {
    let node = view.maker(id)?;
    let (x, found) = match (&node.op, node.inputs.as_slice()) {
        (Op::Mul(_), _) => {
            let (number, x) = view.either(node, |id| view.number(id))?;
            (x, number)
        }
        (Op::Div(_), &[x, by]) => (x, 1.0 / view.number(by)?),
        _ => return None,
    };
    is_near(found, factor).then_some(x)
}

/// What a value is `x + 0.044715 x^3` of.
fn cubic(view: &View, id: ValueId) -> Option<ValueId> {
    let sum = view.maker(id)?;
    let (Op::Add(_), &[a, b]) = (&sum.op, sum.inputs.as_slice()) else { return None };
    let is_cubic = |x: ValueId, other: ValueId| {
        let product = view.product(other, &[x]);
        let is_cube = match product.values.as_slice() {
            &[one] => view.maker(one).is_some_and(|node| {
                matches!(node.op, Op::Pow(_)) && node.inputs[0] == x && view.is_number(node.inputs[1], 3.0)
            }),
            &[first, second] => {
                [(first, second), (second, first)].iter().any(|&(one, two)| one == x && view.square(two) == Some(x))
            }
            values => values.len() == 3 && values.iter().all(|value| *value == x),
        };
        is_cube && is_near(product.factor, 0.044_715)
    };
    if is_cubic(a, b) {
        return Some(a);
    }
    is_cubic(b, a).then_some(b)
}
