//! The layers, products and values of a group with what each of them can become, and the encodings that they would have.

use std::collections::BTreeSet;

use crate::evaluate::reading;
use crate::runs::has_layers_of_its_own;
use autoneural_base::error::{Error, Result};
use autoneural_base::text::listed;
use autoneural_base::warning::Warning;
use autoneural_core::doubts::{Seen, of_ranges};
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::evidence::{CoverageTable, EvidenceSource, StatisticsTable};
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_core::quantize::{Forms, Given, Layer, Split, Table, decisive, is_product, layers, quantize, readers};
use autoneural_core::recipe::{Products, Recipe, WeightBits, quoted};
use autoneural_core::segment::multiply_adds;
use autoneural_core::target::Target;
use autoneural_core::tune::{Choice, Cost, MULTIPLY_ADDS, Operators, Point, bits_of, choices, weight_bytes};
use autoneural_front::PREFILL;

/// Encodings of the nets of a subject, by what its layers are in them.
pub(crate) type Encodings = Vec<(WeightBits, Vec<Table>)>;

/// What a choice is about.
pub(crate) enum Of {
    /// A layer, whose weights get integers.
    Layer(Layer),
    /// A product of two computed values, the second of which has this encoding.
    Product(Encoding),
    /// Computed values that share an encoding.
    Value {
        /// Their names.
        members: BTreeSet<String>,
        /// What they are encoded as, by choice.
        encodings: Vec<Encoding>,
    },
}

/// A part of a graph with choices.
pub(crate) struct Tunable {
    /// Name of the weights, or of what the product makes.
    pub name: String,
    /// What it is.
    pub of: Of,
    /// Which of the subject's graphs it is measured in.
    pub net: usize,
    /// What it would be without tuning.
    pub base: Choice,
    /// What it can be, the cheapest first.
    pub choices: Vec<Choice>,
    /// Multiply-adds of a run of its graph.
    pub multiply_adds: u64,
    /// Whether weights of 16 bits are written as two of 8 bits.
    pub has_pairs: bool,
}

impl Tunable {
    /// The layer, if it is one.
    pub(crate) fn layer(&self) -> Option<&Layer> {
        match &self.of {
            Of::Layer(layer) => Some(layer),
            Of::Product(_) | Of::Value { .. } => None,
        }
    }

    /// What its measurements are kept under: a value may have the name of a product.
    pub(crate) fn record(&self) -> String {
        match &self.of {
            Of::Value { .. } => format!("{} (bits)", self.name),
            _ => self.name.clone(),
        }
    }

    /// Its weights; a product has none.
    pub(crate) fn elements(&self) -> u64 {
        self.layer().map_or(0, |layer| layer.shape.iter().map(|&size| size as u64).product())
    }

    /// Bytes of a choice.
    pub(crate) fn bytes(&self, choice: Choice) -> u64 {
        let of = self.layer().zip(choice.weights());
        of.map_or(0, |(layer, bits)| weight_bytes(bits, &layer.shape, layer.axes))
    }

    /// Bytes of a choice, and what it computes more than once, in bytes.
    pub(crate) fn price(&self, choice: Choice) -> u64 {
        let is_pair = self.has_pairs && choice.weights().is_some_and(|bits| bits.integer == IntegerType::Int16);
        self.bytes(choice) + (choice.passes(is_pair) - 1) * self.multiply_adds / MULTIPLY_ADDS
    }
}

/// A group that is tuned.
pub(crate) struct Subject {
    /// The group.
    pub group: Group,
    /// The graphs in which its layers are measured, and their places in the program.
    pub nets: Vec<(usize, Partition)>,
    /// Its layers, behind them its products, and behind these values whose bits can be chosen.
    pub layers: Vec<Tunable>,
    /// What the bits of the values do to a run; `None` if there are none to choose.
    pub operators: Option<Operators>,
    /// What calibration did not show of its values.
    pub warnings: Vec<Warning>,
}

impl Subject {
    /// Layers and products, whose price does not depend on others.
    pub(crate) fn alone(&self) -> &[Tunable] {
        let is_value = |one: &Tunable| matches!(one.of, Of::Value { .. });
        let count = self.layers.iter().position(is_value).unwrap_or(self.layers.len());
        &self.layers[..count]
    }

    /// Bytes of an assignment.
    pub(crate) fn bytes(&self, point: &Point) -> u64 {
        self.alone().iter().zip(&point.chosen).map(|(layer, &at)| layer.bytes(layer.choices[at])).sum()
    }

    /// Noise that the products of an assignment bring.
    pub(crate) fn products(&self, point: &Point, costs: &[Vec<Cost>]) -> f64 {
        let products = self.alone().iter().zip(&point.chosen).zip(costs).filter(|((one, _), _)| one.layer().is_none());
        products.map(|((_, &at), costs)| costs[at].noise).sum()
    }
}

/// A warning about layers that keep the weights which the recipe begins with, as the target does not take these beside
/// both widths of values.
fn warn_of_firm(group: &Group, names: &[String]) -> Option<Warning> {
    let message = format!(
        "{} {} the weights that the recipe begins with, which the target does not take beside values of 8 bits, so that \
         the values there keep their bits, too: {}",
        names.len(),
        if names.len() == 1 { "layer keeps" } else { "layers keep" },
        listed(names)
    );
    let help = "begin with `int8` or `int4`, one scale per channel, and all of them are chosen";
    (!names.is_empty()).then(|| Warning::new("tune", group.name(), message).help(help))
}

/// What the choices of a program follow from.
pub(crate) struct Basis<'a> {
    /// All graphs.
    pub partitions: &'a [Partition],
    /// What calibration found: ranges, and what methods asked for.
    pub seen: (&'a StatisticsTable, &'a dyn EvidenceSource),
    /// How far the runs of calibration agree about ranges.
    pub coverage: &'a CoverageTable,
    /// The recipe to begin with.
    pub recipe: &'a Recipe,
    /// The target.
    pub target: &'a Target,
    /// Whether the bits of computed values are chosen, too.
    pub has_widths: bool,
}

impl Basis<'_> {
    /// The encodings of a group under a recipe.
    pub(super) fn tables(&self, group: &Group, recipe: &Recipe) -> Result<Vec<Table>> {
        let statistics = self.seen.0.of(&decisive(self.partitions, group));
        let given = Given::default();
        let (made, _) = quantize(self.partitions, group, (&statistics, self.seen.1), recipe, self.target, &given)?;
        Ok(made.into_iter().map(|(table, _)| table).collect())
    }

    /// A group with its layers and their choices.
    ///
    /// # Errors
    /// Encodings cannot be made.
    pub(crate) fn subject(&self, group: &Group) -> Result<Subject> {
        let places: Vec<usize> = (0..self.partitions.len()).filter(|&at| self.partitions[at].group == *group).collect();
        let own: Vec<Partition> = places.iter().map(|&at| self.partitions[at].clone()).collect();
        let tables = self.tables(group, self.recipe)?;
        let mut nets = Vec::new();
        // One graph of several shows what they share.
        let has_products = |at: usize| {
            let graph = &self.partitions[at].graph;
            at == places[0] && graph.nodes().iter().any(|node| is_product(graph, node))
        };
        for &at in places.iter().filter(|&&at| has_products(at) || has_layers_of_its_own(self.partitions, at)) {
            // A graph that takes in chunks says more with the logits of all tokens than with those of the last.
            let whole = (self.partitions[at].name == PREFILL).then(|| reading(self.partitions).ok()).flatten();
            nets.push((at, whole.map_or_else(|| self.partitions[at].clone(), |(_, whole)| whole)));
        }
        let (mut made, mut firm) = (Vec::new(), Vec::new());
        for layer in layers(self.partitions, group) {
            let net = nets.iter().position(|(_, net)| net.graph.find(&layer.name).is_some());
            let encoding = tables.iter().find_map(|table| table.params.get(&layer.name));
            let (Some(net), Some(encoding)) = (net, encoding) else {
                return Err(Error::internal(&layer.name, "is in no graph that is measured"));
            };
            let base = bits_of(encoding);
            let mut choices: Vec<Choice> = choices(&layer, &own, &tables, (self.target, self.has_widths))?
                .into_iter()
                .map(Choice::Weights)
                .collect();
            let base = Choice::Weights(base);
            let (is_stated, is_taken) = (self.recipe.exception(&layer.name, true).is_some(), choices.contains(&base));
            if self.has_widths && !is_stated && !is_taken && !choices.is_empty() {
                firm.push(format!("`{}`", layer.name));
            }
            if is_stated || !is_taken {
                // It runs on the CPU, or the recipe states it by name: it stays as it is.
                choices = vec![base];
            }
            let graph = &nets[net].1.graph;
            let readers = || readers(graph, &layer.name);
            let operator = |node: &autoneural_core::ir::Node| self.target.operator(node.op.name());
            let has_pairs = readers().filter_map(operator).any(|operator| !operator.in_pairs.is_empty());
            let multiply_adds = readers().map(|node| multiply_adds(graph, node)).sum();
            let name = layer.name.clone();
            made.push(Tunable { name, of: Of::Layer(layer), net, base, choices, multiply_adds, has_pairs });
        }
        self.add_products(group, (&nets, &tables), &mut made)?;
        let statistics = self.seen.0.of(&decisive(self.partitions, group));
        let seen = Seen { statistics: &statistics, coverage: self.coverage };
        let mut warnings = of_ranges(self.partitions, group, &tables.iter().collect::<Vec<_>>(), seen);
        warnings.extend(warn_of_firm(group, &firm));
        let mut subject = Subject { group: group.clone(), nets, layers: made, operators: None, warnings };
        if self.has_widths {
            self.add_values(&mut subject, (&own, &tables))?;
        }
        Ok(subject)
    }

    /// Adds the products of a group that the chip reads in few bits, each once. Those that the recipe states by name stay
    /// as they are.
    fn add_products(
        &self,
        group: &Group,
        (nets, tables): (&[(usize, Partition)], &[Table]),
        made: &mut Vec<Tunable>,
    ) -> Result<()> {
        let forms = Forms::of(self.target, self.recipe, group)?;
        let all = Forms { split: Split { all: true, exceptions: vec![], ..forms.split.clone() }, ..forms.clone() };
        if self.target.operator("MatMul").is_none_or(|operator| operator.second_bits.is_none()) {
            return Ok(());
        }
        for (net, (_, partition)) in nets.iter().enumerate() {
            let graph = &partition.graph;
            for node in graph.nodes() {
                let name = &graph.value(node.outputs[0]).name;
                let Some(table) = tables.iter().find(|table| all.splits(graph, node, table)) else { continue };
                if made.iter().any(|known| known.name == *name) || forms.split.exception(name).is_some() {
                    continue;
                }
                let second = table.activation(&graph.value(node.inputs[1]).name)?.clone();
                made.push(Tunable {
                    name: name.clone(),
                    of: Of::Product(second),
                    net,
                    base: Choice::Product(self.recipe.part(group)?.products),
                    choices: vec![Choice::Product(Products::Whole), Choice::Product(Products::Split)],
                    multiply_adds: multiply_adds(graph, node),
                    has_pairs: false,
                });
            }
        }
        Ok(())
    }

    /// For each kind of integers that a layer of a subject can have: the encodings of its nets, with as many layers in
    /// this kind as take it.
    ///
    /// # Errors
    /// Encodings cannot be made.
    pub(crate) fn encodings(&self, subject: &Subject) -> Result<Encodings> {
        let mut kinds: Vec<WeightBits> = Vec::new();
        for bits in subject.layers.iter().flat_map(|layer| &layer.choices).filter_map(|choice| choice.weights()) {
            if !kinds.contains(&bits) {
                kinds.push(bits);
            }
        }
        let places: Vec<usize> =
            (0..self.partitions.len()).filter(|&at| self.partitions[at].group == subject.group).collect();
        let wanted: BTreeSet<usize> = subject.nets.iter().map(|(at, _)| *at).collect();
        let mut made = Vec::new();
        for bits in kinds {
            let choice = Choice::Weights(bits);
            let takers = subject.layers.iter().filter(|layer| layer.choices.contains(&choice));
            let text: String = takers.map(|layer| exception(&layer.name, choice)).collect();
            let tables = self.tables(&subject.group, &self.recipe.with_overrides(&text)?)?;
            let tables = places.iter().zip(tables).filter(|(at, _)| wanted.contains(at)).map(|(_, table)| table);
            made.push((bits, tables.collect()));
        }
        Ok(made)
    }
}

/// An exception of a recipe.
pub(crate) fn exception(tensor: &str, choice: Choice) -> String {
    let key = if matches!(choice, Choice::Product(_)) { "products" } else { "type" };
    format!("[[override]]\ntensor = {}\n{key} = \"{choice}\"\n", quoted(tensor))
}
