//! A graph as patterns look at it: who makes a value, which numbers are constant, which factors a product has.

use autoneural_core::ir::{Graph, Node, Op, Shape, ValueId};
use autoneural_core::passes::rewrite::Links;

/// How far a number may be from the one that a formula wants, as a share of it: models write few digits.
const TOLERANCE: f64 = 1e-3;
/// Most factors of a product that are looked at.
const MOST_FACTORS: usize = 8;

/// A graph with its links.
pub struct View<'g> {
    graph: &'g Graph,
    links: Links,
}

/// A product: a number, and values that are multiplied.
pub struct Product {
    /// All constant factors of one number together.
    pub factor: f64,
    /// The others.
    pub values: Vec<ValueId>,
}

impl<'g> View<'g> {
    /// Looks at a graph.
    pub fn new(graph: &'g Graph) -> Self {
        View { graph, links: Links::new(graph) }
    }

    /// The node that makes a value.
    pub fn maker(&self, id: ValueId) -> Option<&'g Node> {
        self.links.maker[id.index()].map(|at| &self.graph.nodes()[at])
    }

    /// Shape of a value.
    pub fn shape(&self, id: ValueId) -> &'g Shape {
        &self.graph.value(id).shape
    }

    /// Whether a value is constant.
    pub fn is_constant(&self, id: ValueId) -> bool {
        self.graph.value(id).constant().is_some()
    }

    /// The number that a constant holds, if it is one number or the same one everywhere.
    pub fn number(&self, id: ValueId) -> Option<f64> {
        let constant = self.graph.value(id).constant()?;
        let count: usize = constant.shape().iter().product();
        if count > 4096 || !constant.element_type().is_real() {
            return None;
        }
        let values = constant.to_f32();
        let first = *values.first()?;
        values.iter().all(|value| *value == first).then_some(f64::from(first))
    }

    /// Whether a value is a constant of this number.
    pub fn is_number(&self, id: ValueId, wanted: f64) -> bool {
        self.number(id).is_some_and(|found| is_near(found, wanted))
    }

    /// The constant of one axis that a value is, when it is broadcast along the last axis only.
    pub fn gain(&self, id: ValueId, size: usize) -> Option<autoneural_core::ir::Constant> {
        let constant = self.graph.value(id).constant()?;
        let is_row = constant.shape().last() == Some(&size) && constant.shape().iter().product::<usize>() == size;
        is_row.then(|| constant.reshaped(vec![size]))
    }

    /// The constant of one axis that a value is, when it is broadcast along one axis only of another value.
    pub fn gain_along(&self, id: ValueId, of: ValueId, axis: usize) -> Option<autoneural_core::ir::Constant> {
        let (constant, rank, size) = (self.graph.value(id).constant()?, self.shape(of).len(), self.shape(of)[axis]);
        let shape = constant.shape();
        // Counted from the end, as operands broadcast.
        let is_there = (axis + shape.len()).checked_sub(rank).and_then(|at| shape.get(at)) == Some(&size);
        (is_there && shape.iter().product::<usize>() == size).then(|| constant.reshaped(vec![size]))
    }

    /// The two inputs of a node in the order in which the first fits; none if neither does.
    pub fn either<T>(&self, node: &Node, fits: impl Fn(ValueId) -> Option<T>) -> Option<(T, ValueId)> {
        let &[a, b] = node.inputs.as_slice() else { return None };
        fits(a).map(|found| (found, b)).or_else(|| fits(b).map(|found| (found, a)))
    }

    /// The factors of a value: products and quotients by one number are looked through, but not through `whole`.
    pub fn product(&self, id: ValueId, whole: &[ValueId]) -> Product {
        let mut made = Product { factor: 1.0, values: vec![] };
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let maker =
                self.maker(id).filter(|_| !whole.contains(&id) && open.len() + made.values.len() < MOST_FACTORS);
            match (self.number(id), maker.map(|node| (&node.op, node.inputs.as_slice()))) {
                (Some(number), _) => made.factor *= number,
                (None, Some((Op::Mul(_), &[a, b]))) => open.extend([b, a]),
                (None, Some((Op::Div(_), &[a, b]))) if self.number(b).is_some_and(|number| number != 0.0) => {
                    made.factor /= self.number(b).unwrap_or(1.0);
                    open.push(a);
                }
                (None, Some((Op::Neg(_), &[a]))) => {
                    made.factor = -made.factor;
                    open.push(a);
                }
                _ => made.values.push(id),
            }
        }
        made
    }

    /// The value whose square this is.
    pub fn square(&self, id: ValueId) -> Option<ValueId> {
        let node = self.maker(id)?;
        match (&node.op, node.inputs.as_slice()) {
            (Op::Pow(_), &[x, exponent]) if self.is_number(exponent, 2.0) => Some(x),
            (Op::Mul(_), &[a, b]) if a == b => Some(a),
            _ => None,
        }
    }

    /// The value whose mean over the last axis this is, with that axis of size 1.
    pub fn row_mean(&self, id: ValueId) -> Option<ValueId> {
        let (x, axis) = self.mean_along(id)?;
        (axis + 1 == self.shape(x).len()).then_some(x)
    }

    /// The value whose mean over one axis this is, with that axis of size 1, and the axis.
    pub fn mean_along(&self, id: ValueId) -> Option<(ValueId, usize)> {
        let node = self.maker(id)?;
        match &node.op {
            Op::ReduceMean(mean) if mean.keepdims && mean.axes.len() == 1 => Some((node.inputs[0], mean.axes[0])),
            _ => None,
        }
    }

    /// The value of which this is the root of the sum with a small number, and the number.
    pub fn deviation(&self, id: ValueId) -> Option<(ValueId, f32)> {
        let node = self.maker(id)?;
        let Op::Sqrt(_) = node.op else { return None };
        let sum = self.maker(node.inputs[0])?;
        let Op::Add(_) = sum.op else { return None };
        let (epsilon, variance) =
            self.either(sum, |id| self.number(id).filter(|number| (0.0..0.1).contains(number)))?;
        Some((variance, epsilon as f32))
    }

    /// A quotient by a deviation: what is divided, and the deviation.
    pub fn normalized(&self, id: ValueId) -> Option<(ValueId, ValueId)> {
        let node = self.maker(id)?;
        match (&node.op, node.inputs.as_slice()) {
            (Op::Div(_), &[x, deviation]) => Some((x, deviation)),
            (Op::Mul(_), _) => {
                let inverse = |id: ValueId| {
                    let node = self.maker(id)?;
                    match (&node.op, node.inputs.as_slice()) {
                        (Op::Reciprocal(_), &[deviation]) => Some(deviation),
                        (Op::Div(_), &[one, deviation]) if self.is_number(one, 1.0) => Some(deviation),
                        _ => None,
                    }
                };
                let (deviation, x) = self.either(node, inverse)?;
                Some((x, deviation))
            }
            _ => None,
        }
    }
}

/// Whether a number is the one that a formula wants.
pub fn is_near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= TOLERANCE * wanted.abs()
}
