//! Forms in which a quantized model writes what a chip does not take as it stands, or not well.

use serde::Serialize;

use super::legality::activations;
use super::table::Table;
use super::weights::weight;
use super::wide::is_widened;
use crate::encoding::IntegerType;
use crate::ir::{Graph, Node, Op, Value};
use crate::program::Group;
use crate::recipe::{GeluForm, Recipe};
use crate::target::{Activations, Operator, Target, Weights};
use autoneural_base::error::Result;
use autoneural_base::text::glob;

/// What of a graph is written in another form. The default writes everything as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Forms {
    /// Products of two computed values of 16 bits that are written as two of 16 by 8 bits.
    pub split: Split,
    /// Weights of 16 bits that are written as two of 8 bits, by operator.
    pub pairs: Vec<(String, Weights)>,
    /// Operators that are written in 16 bits where they have 8 bits, and in which combinations with 8 bits they are not.
    pub widened: Vec<(String, Vec<Activations>)>,
    /// Whether GELU is written as what it is made of.
    pub spells_gelu: bool,
    /// Operators whose sums the chip cuts off.
    pub sums: Vec<Sums>,
}

/// An operator whose sums the chip keeps in steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Its name.
    pub operator: String,
    /// Integers of a step.
    pub step: u32,
    /// Bits that the chip keeps of a multiplier behind the leading one, if these are few.
    pub bits: Option<u32>,
}

/// Products that are written as two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Split {
    /// Bits that the chip keeps of a multiplier behind the leading one, if these are few.
    pub multiplier_bits: Option<u32>,
    /// Whether all are.
    pub all: bool,
    /// Exceptions: patterns of names of what a product makes. The last one that fits counts.
    pub exceptions: Vec<(String, bool)>,
}

impl Split {
    /// What an exception says of the product that makes a value of this name; `None` if none fits.
    pub fn exception(&self, name: &str) -> Option<bool> {
        self.exceptions.iter().rev().find(|(pattern, _)| glob(pattern, name)).map(|(_, split)| *split)
    }
}

impl Forms {
    /// How the graphs of a group are written for a chip. Products are split only where one alone loses bits.
    ///
    /// # Errors
    /// The recipe has no such group.
    pub fn of(target: &Target, recipe: &Recipe, group: &Group) -> Result<Self> {
        let mut made = Forms::default();
        if let Some(product) = target.operator("MatMul").filter(|operator| operator.second_bits.is_some()) {
            let (multiplier_bits, all) = (product.multiplier_bits, recipe.part(group)?.splits_products());
            made.split = Split { multiplier_bits, all, exceptions: recipe.split_exceptions() };
        }
        made.spells_gelu = recipe.part(group)?.gelu == GeluForm::Spelled;
        for operator in target.operators() {
            made.pairs.extend(operator.in_pairs.iter().map(|weights| (operator.name.clone(), *weights)));
            made.widened.extend(stays(operator).map(|stays| (operator.name.clone(), stays)));
            let sums = |step| Sums { operator: operator.name.clone(), step, bits: operator.multiplier_bits };
            made.sums.extend(operator.sum_step.map(sums));
        }
        Ok(made)
    }

    /// Whether a node is a product that is written as two.
    pub fn splits(&self, graph: &Graph, node: &Node, table: &Table) -> bool {
        let name = &graph.value(node.outputs[0]).name;
        self.split.exception(name).unwrap_or(self.split.all) && is_product(graph, node) && is_wide(graph, node, table)
    }

    /// Whether a node is a GELU that is written as what it is made of.
    pub fn spells(&self, graph: &Graph, node: &Node, table: &Table) -> bool {
        self.spells_gelu && matches!(node.op, Op::Gelu(_)) && is_wide(graph, node, table)
    }

    /// The weights of a node, if they are written as a pair.
    pub fn pair<'g>(&self, graph: &'g Graph, node: &Node, table: &Table) -> Option<&'g Value> {
        let value = weight(graph, node)?;
        let weights = Weights::of(table.params.get(&value.name)?);
        let is_one = self.pairs.iter().any(|(name, pair)| name == node.op.name() && *pair == weights);
        (is_one && is_wide(graph, node, table)).then_some(value)
    }

    /// Whether a node that has values of 8 bits is written in 16 bits, with a change of encoding at each value of 8 bits.
    pub fn widens(&self, graph: &Graph, node: &Node, table: &Table) -> bool {
        let Ok(activations) = activations(graph, node, table) else { return false };
        let stated = || self.widened.iter().find(|(name, _)| name == node.op.name());
        activations != WIDE && stated().is_some_and(|(_, stays)| !stays.contains(&activations))
    }
}

/// The first operator that a GELU is made of and a chip does not take in 16 bits.
pub(super) fn lacks_for_gelu(target: &Target) -> Option<&'static str> {
    let is_taken = |name: &&str| target.operator(name).is_some_and(|operator| operator.activations.contains(&WIDE));
    ["Mul", "Add", "Sigmoid"].into_iter().find(|name| !is_taken(name))
}

const WIDE: Activations = Activations::Same(IntegerType::Uint16);

/// Of an operator that has 16 bits: the combinations with 8 bits that it is computed in as they are.
fn stays(operator: &Operator) -> Option<Vec<Activations>> {
    let stays = operator.activations.iter().filter(|one| **one != WIDE && !is_widened(operator, one));
    operator.activations.contains(&WIDE).then(|| stays.cloned().collect())
}

/// Whether a node multiplies two values that are computed.
pub fn is_product(graph: &Graph, node: &Node) -> bool {
    matches!(node.op, Op::MatMul(_)) && node.inputs.iter().all(|&id| graph.value(id).constant().is_none())
}

/// Whether everything computed that a node reads and makes has 16 bits.
pub(super) fn is_wide(graph: &Graph, node: &Node, table: &Table) -> bool {
    let computed = node.inputs.iter().chain(&node.outputs).map(|&id| graph.value(id));
    let mut computed = computed.filter(|value| value.constant().is_none());
    computed.all(|value| table.activations.get(&value.name).is_some_and(|one| one.integer == IntegerType::Uint16))
}
