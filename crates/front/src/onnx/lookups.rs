//! Numbers that are a function of an integer which picks elements of tables, too: tokens are compared with that of
//! padding, and pick their embeddings. An NPU computes with real numbers, and picks with integers; so such a function is
//! a table of its own, with a row for each integer, of which the integer picks. What is computed with such a number
//! alone changes the table.

use std::collections::HashMap;

use super::model::{Model, Node};
use autoneural_core::ir::ops::Work;
use autoneural_core::ir::{Constant, Graph, Op, Shape, ValueId};

/// What is known of the integers of a graph that grows.
#[derive(Default)]
pub struct Lookups {
    /// How many different integers there are: the rows of the smallest table of which they pick.
    rows: HashMap<ValueId, usize>,
    /// Numbers of which the table is known, and the integers that pick of it.
    made: HashMap<ValueId, (Constant, ValueId)>,
}

impl Lookups {
    /// Says that integers are below a number.
    pub fn bound(&mut self, id: ValueId, rows: usize) {
        self.rows.insert(id, rows);
    }

    /// Says that a value is picked of this table.
    pub fn know(&mut self, id: ValueId, table: Constant, integers: ValueId) {
        self.made.insert(id, (table, integers));
    }

    /// The table of integers as real numbers; none where nobody says how many there are.
    pub fn table(&self, graph: &Graph, integers: ValueId) -> Option<Constant> {
        let mut id = integers;
        while !self.rows.contains_key(&id) {
            let node = graph.nodes().iter().rfind(|node| node.outputs.contains(&id))?;
            let moves = node.op.work() == Work::Moves && !matches!(node.op, Op::Concat(_) | Op::Pad(_));
            id = *node.inputs.first().filter(|_| moves)?;
        }
        let rows = self.rows[&id];
        Some(Constant::from_values((0..rows).map(|row| row as f32).collect(), vec![rows]))
    }

    /// What an operator makes of numbers that are all functions of the same integers, or single constants: the new
    /// table, the integers, and the shape of what it makes. None for anything else.
    ///
    /// # Errors
    /// Inputs that the operator does not take.
    pub fn through(
        &self,
        graph: &Graph,
        op: &Op,
        inputs: &[ValueId],
    ) -> Result<Option<(Constant, ValueId, Shape)>, String> {
        let Some((_, integers)) = inputs.iter().find_map(|id| self.made.get(id)) else { return Ok(None) };
        let of_one = |id: &ValueId| match (self.made.get(id), graph.value(*id).constant()) {
            (Some((table, same)), _) if same == integers => Some(table.clone()),
            (None, Some(one)) if one.shape().iter().product::<usize>() == 1 => {
                Some(Constant::from_values(one.to_f32(), vec![1]))
            }
            _ => None,
        };
        let tables = inputs.iter().map(of_one).collect::<Option<Vec<_>>>();
        let (Some(tables), true) = (tables, op.work() == Work::Elementwise) else { return Ok(None) };
        let types: Vec<_> = inputs.iter().map(|&id| (&graph.value(id).shape, graph.value(id).element)).collect();
        let shape = op.infer(&types)?.swap_remove(0).0;
        let made = op.evaluate(&tables)?;
        Ok(match made.as_slice() {
            [table] if table.shape().len() == 1 => Some((table.clone(), *integers, shape)),
            _ => None,
        })
    }
}

/// Operators that move integers, or give them another type.
const KEEPS: [&str; 8] = ["Cast", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze"];

/// How many rows the smallest table has of which an input picks, itself or moved before. None where it picks of no table
/// that is constant.
pub fn rows(model: &Model, input: &str) -> Option<usize> {
    let mut moved = vec![input];
    let mut rows: Option<usize> = None;
    let mut at = 0;
    while at < moved.len() {
        let name = moved[at];
        at += 1;
        let reads = |node: &&Node, place: usize| node.inputs.get(place).is_some_and(|one| one == name);
        for node in model.nodes.iter().filter(|node| node.is_standard()) {
            let op = node.op_type.as_str();
            if op == "Gather" && reads(&node, 1) {
                let first_axis = node.attributes.iter().all(|(name, given)| name != "axis" || given.is(0));
                let table = model.constants.get(&node.inputs[0]).filter(|_| first_axis);
                rows = table.and_then(|table| table.shape().first().copied()).into_iter().chain(rows).min();
            }
            if KEEPS.contains(&op) && reads(&node, 0) && moved.len() < model.nodes.len() + 1 {
                moved.extend(node.outputs.first().map(String::as_str));
            }
        }
    }
    rows.filter(|&rows| rows > 0)
}

#[cfg(test)]
mod tests {
    use crate::onnx::tests::{int, longs, model, node, operators, port, read, reals};
    use autoneural_onnx::{ModelProto, NodeProto, TensorProto};

    /// A model of the input `ids` of integers.
    fn of_integers(constants: Vec<TensorProto>, nodes: Vec<NodeProto>) -> ModelProto {
        let mut made = model(&[1, 4], constants, nodes);
        made.graph.as_mut().unwrap().input[0] = port("ids", 7, &[1, 4]);
        made
    }

    fn embedding() -> (TensorProto, NodeProto) {
        (reals("table", &[3, 1], &[0.5, 1.5, 2.5]), node("Gather table ids -> rows", vec![]))
    }

    #[test]
    fn what_is_computed_of_tokens_alone_is_one_table() {
        let (table, rows) = embedding();
        let nodes = vec![
            rows,
            node("Equal ids pad -> is_pad", vec![]),
            node("Equal ids two -> is_two", vec![]),
            node("Or is_pad is_two -> either", vec![]),
            node("Not either -> kept", vec![]),
            node("Cast kept -> real", vec![int("to", 1)]),
            node("Unsqueeze real last -> wide", vec![]),
            node("Mul rows wide -> y", vec![]),
        ];
        let constants = vec![table, longs("pad", &[1]), longs("two", &[2]), longs("last", &[-1])];
        let made = read(&of_integers(constants, nodes)).unwrap().graph;
        assert_eq!(operators(&made), ["Gather", "Gather", "Reshape", "Mul"]);
        let picked = made.nodes()[1].inputs[0];
        assert_eq!(made.value(picked).constant().unwrap().to_f32(), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn integers_that_nobody_bounds_are_named() {
        let nodes = vec![
            node("Concat ids ids -> twice", vec![int("axis", 0)]),
            node("Gather table twice -> rows", vec![]),
            node("Equal twice pad -> is_pad", vec![]),
            node("Cast is_pad -> y", vec![int("to", 1)]),
            node("Squeeze rows -> z", vec![]),
        ];
        let constants = vec![embedding().0, longs("pad", &[1])];
        let mut asked = of_integers(constants, nodes);
        asked.graph.as_mut().unwrap().output.push(port("z", 1, &[]));
        let error = read(&asked).err().unwrap().to_string();
        assert!(error.contains("computes with `twice`, whose elements pick others, too"), "{error}");
        assert!(error.contains("compute on the host what is computed of them"), "{error}");
    }
}
