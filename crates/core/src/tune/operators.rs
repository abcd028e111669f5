//! What operators gain where all that they read and make has 8 bits, and what changes of width cost.
//!
//! In 8 bits an operator counts for half of what it counts for in 16: half of its multiply-adds, and half of the bytes
//! that it reads and writes. A change between the two widths reads and writes its value once more.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::search::Cost;
use super::widths::{Narrow, Widths};
use crate::encoding::IntegerType;
use crate::ir::ops::Work;
use crate::ir::{ElementType, Graph, Node, ValueId};
use crate::quantize::{Table, constant_of, is_widened, weight};
use crate::recipe::WeightBits;
use crate::segment::multiply_adds;
use crate::target::{Activations, Case, Granularity, Operator, Target, Weights};

/// Multiply-adds that count as much as a byte.
pub const MULTIPLY_ADDS: u64 = 100;
/// Bytes of an element that a change of width reads and writes.
const CHANGE: u64 = 3;

/// What a run of some graphs computes and moves, by which values have 8 bits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operators {
    /// Multiply-adds, and bytes that are read and written of computed values, where all candidates have 16 bits.
    whole: WidthsUsed,
    /// Bytes of changes around each candidate.
    changes: Vec<u64>,
    gains: Vec<Gain>,
}

/// What is saved where all of some values have 8 bits.
#[derive(Debug, Clone, PartialEq)]
struct Gain {
    values: BTreeSet<usize>,
    /// Multiply-adds that are then in 8 bits.
    multiply_adds: u64,
    /// Bytes that are then not moved.
    bytes: u64,
}

/// How much of a run is in 8 bits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WidthsUsed {
    /// Multiply-adds of a run.
    pub multiply_adds: u64,
    /// Those of operators all of whose values have 8 bits.
    pub in_8_bits: u64,
    /// Bytes of computed values that a run reads and writes, changes of width counted.
    pub moved: u64,
}

/// What a search may choose.
pub struct Candidates<'a> {
    /// The number of the class that a value belongs to, if its width can be chosen.
    pub class: &'a dyn Fn(&str) -> Option<usize>,
    /// How many classes there are.
    pub count: usize,
    /// What the weights of this name may become.
    pub weights: &'a dyn Fn(&str) -> Vec<WeightBits>,
}

/// Widths of the values of a node.
#[derive(Default)]
struct Around {
    chosen: BTreeSet<usize>,
    has_wide: bool,
}

impl Operators {
    /// Looks at all operators of some graphs; the tables say what has which integers where it cannot be chosen.
    pub fn of(graphs: &[(&Graph, &Table)], candidates: &Candidates, target: &Target) -> Self {
        let mut made = Operators { changes: vec![0; candidates.count], ..Operators::default() };
        for (graph, table) in graphs {
            made.add(graph, table, candidates, target);
        }
        made
    }

    fn add(&mut self, graph: &Graph, table: &Table, candidates: &Candidates, target: &Target) {
        // Of each value that can be chosen: what its readers read, where all of them may have 8 bits.
        let mut readers: BTreeMap<ValueId, Option<BTreeSet<usize>>> = BTreeMap::new();
        for node in graph.nodes() {
            let Some(operator) = target.operator(node.op.name()) else { continue };
            let around = around(graph, node, table, candidates);
            let (elements, work) = (moved(graph, node), multiply_adds(graph, node));
            self.whole.multiply_adds += work;
            self.whole.moved += 2 * elements;
            let is_possible = !around.has_wide && takes_8_bits(graph, node, operator, candidates);
            match (is_possible, around.chosen.is_empty()) {
                (true, true) => {
                    self.whole.in_8_bits += work;
                    self.whole.moved -= elements;
                }
                (true, false) => {
                    self.gains.push(Gain { values: around.chosen.clone(), multiply_adds: work, bytes: elements });
                }
                (false, _) => {}
            }
            if matches!(node.op.work(), Work::Moves | Work::Requantizes) {
                continue;
            }
            let class = |id: ValueId| (candidates.class)(&graph.value(id).name);
            for &id in &node.outputs {
                let all = is_possible.then(|| around.chosen.clone());
                self.change(class(id), graph.value(id).shape.iter().product(), all);
            }
            let read: BTreeSet<ValueId> = node.inputs.iter().copied().filter(|id| class(*id).is_some()).collect();
            for id in read.into_iter().filter(|id| reads_wide(graph, node, operator, *id)) {
                let known = readers.entry(id).or_insert_with(|| Some(BTreeSet::new()));
                *known = known.take().filter(|_| is_possible).map(|mut known| {
                    known.extend(&around.chosen);
                    known
                });
            }
        }
        for (id, all) in readers {
            let value = graph.value(id);
            self.change((candidates.class)(&value.name), value.shape.iter().product(), all);
        }
    }

    /// A change of a value of this class, which none of its neighbours needs where `all` have 8 bits.
    fn change(&mut self, class: Option<usize>, elements: usize, all: Option<BTreeSet<usize>>) {
        let Some(class) = class else { return };
        let bytes = CHANGE * elements as u64;
        self.changes[class] += bytes;
        self.gains.extend(all.map(|values| Gain { values, multiply_adds: 0, bytes }));
    }

    /// What widths cost, with the noise that 8 bits of each candidate add.
    pub fn widths(&self, noises: &[f64]) -> Widths {
        let values = self.changes.iter().zip(noises).map(|(&price, &noise)| Cost { price, noise }).collect();
        // In 8 bits a multiply-add counts half.
        let price = |gain: &Gain| gain.bytes + gain.multiply_adds / (2 * MULTIPLY_ADDS);
        Widths { values, gains: self.gains.iter().map(|gain| (gain.values.clone(), price(gain))).collect() }
    }

    /// What a run has in 8 bits, if these candidates do.
    pub fn used(&self, narrow: &Narrow) -> WidthsUsed {
        let mut made = self.whole;
        made.moved += narrow.iter().map(|&at| self.changes[at]).sum::<u64>();
        for gain in self.gains.iter().filter(|gain| gain.values.is_subset(narrow)) {
            made.in_8_bits += gain.multiply_adds;
            made.moved = made.moved.saturating_sub(gain.bytes);
        }
        made
    }
}

/// Computed values of real numbers that a node reads and makes, each once.
fn computed<'g>(graph: &'g Graph, node: &'g Node) -> impl Iterator<Item = ValueId> + 'g {
    let ids: BTreeSet<ValueId> = node.inputs.iter().chain(&node.outputs).copied().collect();
    ids.into_iter().filter(|&id| {
        let value = graph.value(id);
        value.element == ElementType::F32 && value.constant().is_none()
    })
}

/// Elements that a node reads and writes.
fn moved(graph: &Graph, node: &Node) -> u64 {
    computed(graph, node).map(|id| graph.value(id).shape.iter().product::<usize>() as u64).sum()
}

fn around(graph: &Graph, node: &Node, table: &Table, candidates: &Candidates) -> Around {
    let mut made = Around::default();
    for id in computed(graph, node) {
        let name = &graph.value(id).name;
        match (candidates.class)(name) {
            Some(class) => drop(made.chosen.insert(class)),
            None => {
                let integer = table.activations.get(name).map(|encoding| encoding.integer);
                made.has_wide |= integer != Some(IntegerType::Uint8);
            }
        }
    }
    made
}

/// Whether a node is computed in integers where all of its values have 8 bits, whatever its weights become.
fn takes_8_bits(graph: &Graph, node: &Node, operator: &Operator, candidates: &Candidates) -> bool {
    let activations = Activations::Same(IntegerType::Uint8);
    let case = |weights, bias| Case { activations: activations.clone(), weights, bias };
    let in_integers = |case: &Case| operator.takes(case) && !operator.is_in_fp16(case);
    if let Some(value) = weight(graph, node) {
        let bias = constant_of(graph, node, 2).and_then(|_| operator.bias.first().copied());
        let all = (candidates.weights)(&value.name);
        let taken =
            |bits: &WeightBits| as_stated(operator, *bits).is_some_and(|one| in_integers(&case(Some(one), bias)));
        return !all.is_empty() && all.iter().all(taken);
    }
    let has_constant = !node.op.moves_data_only() && (0..2).any(|at| constant_of(graph, node, at).is_some());
    let mut taken = operator.taken().into_iter().filter(|case| case.activations == activations);
    taken.any(|case| case.weights.is_some() == has_constant && in_integers(&case))
}

/// Whether a node with values of 16 bits needs this one in 16 bits, too.
fn reads_wide(graph: &Graph, node: &Node, operator: &Operator, narrow: ValueId) -> bool {
    let computed = node.inputs.iter().filter(|&&id| graph.value(id).constant().is_none());
    let of = |id: &ValueId| if *id == narrow { IntegerType::Uint8 } else { IntegerType::Uint16 };
    is_widened(operator, &Activations::new(computed.map(of).collect(), IntegerType::Uint16))
}

/// What a recipe says of weights, as a target states it.
pub(super) fn as_stated(operator: &Operator, bits: WeightBits) -> Option<Weights> {
    match bits.block {
        Some(size) => Some(Weights { integer: bits.integer, granularity: Granularity::Block(size) }),
        None => operator.weights_of(bits.integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Encoding;
    use crate::ir::{Builder, Constant, ops};

    /// Three layers of 4 channels on 2 x 2 pixels, `a`, `b` and `c`, of which `a` and `b` can be chosen.
    fn graph() -> Graph {
        let mut b = Builder::new("g");
        let mut last = b.input("x", vec![1, 4, 2, 2], ElementType::F32).unwrap();
        for name in ["a", "b", "c"] {
            let weights = Constant::from_values(vec![0.5; 16], vec![4, 4, 1, 1]);
            let weights = b.constant(format!("{name}.w"), weights).unwrap();
            let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
            last = b.node(name, conv, &[last, weights]).unwrap();
        }
        b.finish(vec![last])
    }

    fn operators(weights: &str) -> Operators {
        let (graph, mut table) = (graph(), Table::default());
        for name in ["x", "a", "b", "c"] {
            table.activations.insert(name.into(), Encoding::of_range(IntegerType::Uint16, -1.0, 1.0));
        }
        let bits = WeightBits::try_from(weights.to_string()).unwrap();
        let class = |name: &str| ["a", "b"].iter().position(|own| *own == name);
        let candidates = Candidates { class: &class, count: 2, weights: &|_| vec![bits] };
        Operators::of(&[(&graph, &table)], &candidates, &Target::find("sa8295p").unwrap().0)
    }

    #[test]
    fn what_widths_save_and_cost_is_counted_by_hand() {
        // Each layer has 64 multiply-adds, reads 16 elements and writes 16.
        let made = operators("int8");
        let used = |narrow: &[usize]| made.used(&narrow.iter().copied().collect());
        assert_eq!(used(&[]), WidthsUsed { multiply_adds: 192, in_8_bits: 0, moved: 3 * 64 });
        // Narrowed behind its layer and widened before the next, at 3 bytes an element each.
        assert_eq!(used(&[0]), WidthsUsed { multiply_adds: 192, in_8_bits: 0, moved: 3 * 64 + 96 });
        // The layer between is in 8 bits; a change stands before and one behind it.
        assert_eq!(used(&[0, 1]), WidthsUsed { multiply_adds: 192, in_8_bits: 64, moved: 2 * 64 + 32 + 96 });
        let widths = made.widths(&[0.0, 0.0]);
        assert_eq!(widths.price(&Narrow::from([0])), 96);
        assert_eq!(widths.price(&Narrow::from([0, 1])), 96 - 32);
        // Blocks are for 16 bits alone.
        let made = operators("int4 in blocks of 16");
        assert_eq!(made.used(&Narrow::from([0, 1])).in_8_bits, 0);
    }
}
