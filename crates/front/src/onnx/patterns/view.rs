//! A graph as patterns look at it: who makes a value, which numbers are constant, which factors a product has.

use autoneural_core::ir::{Graph, Node, Op, Shape, ValueId};
use autoneural_core::passes::rewrite::Links;

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
                (None, Some((Op::Neg(_), &[a]))) => {
                    made.factor = -made.factor;
                    open.push(a);
                }
                _ => made.values.push(id),
            }
        }
        made
    }
}
