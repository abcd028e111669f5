//! Adds a constant to the parts of a join rather than to the whole, where all parts but one are constant.

use super::rewrite::{Links, Rewrite};
use crate::ir::{Constant, Graph, Node, Op, Shape, ValueId, ops};
use autoneural_base::error::{Error, Result};

/// The graph with positions added to tokens before others are joined to them, as a vision transformer joins its class
/// token: the sum of constants is a constant, and the join needs no encoding that fits both. It also takes a form away
/// in which NPU compilers find no place for a tensor: a constant part of which all integers are the same, as a class
/// token that was not trained. Run [`super::prune`] after it: the join of before is still there.
pub fn add_to_parts(graph: &Graph) -> Result<Graph> {
    let links = Links::new(graph);
    let mut rewrite = Rewrite::new(graph)?;
    for node in graph.nodes() {
        match Sum::of(graph, &links, node) {
            Some(sum) => {
                let made = sum.rebuilt(graph, &mut rewrite, node)?;
                rewrite.set(node.outputs[0], made);
            }
            None => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

/// A join and the constant that is added to it.
struct Sum<'g> {
    join: &'g Node,
    axis: usize,
    added: &'g Constant,
}

impl<'g> Sum<'g> {
    fn of(graph: &'g Graph, links: &Links, node: &Node) -> Option<Self> {
        let (Op::Add(_), &[a, b]) = (&node.op, node.inputs.as_slice()) else { return None };
        let (joined, added) = match (graph.value(a).constant(), graph.value(b).constant()) {
            (None, Some(added)) => (a, added),
            (Some(added), None) => (b, added),
            _ => return None,
        };
        let join = &graph.nodes()[links.maker[joined.index()]?];
        let Op::Concat(ops::Concat { axis }) = join.op else { return None };
        let is_constant = |id: &&ValueId| graph.value(**id).constant().is_some();
        let computed = join.inputs.iter().filter(|id| !is_constant(id)).count();
        let keeps_shape = graph.value(joined).shape == graph.value(node.outputs[0]).shape;
        let fits = links.reads[joined.index()] == 1 && computed == 1 && join.inputs.len() > 1 && keeps_shape;
        fits.then_some(Sum { join, axis, added })
    }

    /// What is added to the elements `start..end` of the axis; all of it where it is the same for all.
    fn part(&self, rank: usize, start: usize, end: usize) -> Constant {
        let shape: &Shape = self.added.shape();
        match (self.axis + shape.len()).checked_sub(rank) {
            Some(axis) if shape[axis] > 1 => self.added.sliced(axis, start, end),
            _ => self.added.clone(),
        }
    }

    fn rebuilt(&self, graph: &Graph, rewrite: &mut Rewrite, node: &Node) -> Result<ValueId> {
        let mut start = 0;
        let mut parts = Vec::with_capacity(self.join.inputs.len());
        for (at, &id) in self.join.inputs.iter().enumerate() {
            let value = graph.value(id);
            let (rank, end) = (value.shape.len(), start + value.shape[self.axis]);
            let added = self.part(rank, start, end);
            start = end;
            let name = rewrite.free(format!("{}.part{at}", node.name));
            parts.push(match value.constant() {
                Some(constant) => {
                    let sum = Op::from(ops::Add).evaluate(&[constant.clone(), added]);
                    let sum = sum.map_err(|message| Error::internal(&node.name, message))?;
                    rewrite.new.constant(name, sum[0].clone())?
                }
                None => {
                    let x = rewrite.get(id)?;
                    let called = rewrite.free(format!("{}.added{at}", node.name));
                    let added = rewrite.new.constant(called, added)?;
                    rewrite.new.node(name, ops::Add, &[x, added])?
                }
            });
        }
        rewrite.new.node(node.name.clone(), ops::Concat { axis: self.axis }, &parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, ElementType};
    use crate::passes::prune;

    /// A token of these shapes before three others, with a constant of a shape added.
    fn tokens(shape: &[usize], is_output: bool) -> Graph {
        let mut b = Builder::new("g");
        let numbers = |shape: &[usize]| (0..shape.iter().product()).map(|at: usize| at as f32).collect();
        let x = b.input("x", vec![1, 3, 2], ElementType::F32).unwrap();
        let token = b.constant("token", Constant::from_values(vec![0.5, 0.5], vec![1, 1, 2])).unwrap();
        let added = b.constant("added", Constant::from_values(numbers(shape), shape.to_vec())).unwrap();
        let all = b.node("all", ops::Concat { axis: 1 }, &[token, x]).unwrap();
        let y = b.node("y", ops::Add, &[added, all]).unwrap();
        b.finish(if is_output { vec![y, all] } else { vec![y] })
    }

    #[test]
    fn positions_are_added_before_tokens_are_joined() {
        let made = prune(&add_to_parts(&tokens(&[4, 2], false)).unwrap()).unwrap();
        let names: Vec<&str> = made.nodes().iter().map(|node| node.op.name()).collect();
        assert_eq!(names, ["Add", "Concat"]);
        let constant = |name: &str| made.value(made.find(name).unwrap()).constant().unwrap().to_f32();
        assert_eq!((constant("y.part0"), constant("y.added1")), (vec![0.5, 1.5], vec![2., 3., 4., 5., 6., 7.]));
        // What is the same for all is not cut.
        let made = prune(&add_to_parts(&tokens(&[2], false)).unwrap()).unwrap();
        assert_eq!(made.value(made.find("y.added1").unwrap()).shape, [2]);
    }

    #[test]
    fn what_others_read_and_what_grows_stays() {
        for graph in [tokens(&[4, 2], true), tokens(&[2, 4, 2], false)] {
            assert_eq!(add_to_parts(&graph).unwrap().to_string(), graph.to_string());
        }
    }
}
