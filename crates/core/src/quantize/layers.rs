//! The layers of a group of graphs, in the order in which the graphs run them, and all other constants.

use std::collections::{BTreeMap, BTreeSet};

use super::layer::Layer;
use super::table::Table;
use super::ties::Ties;
use super::weights::{bias, weight};
use crate::encoding::Encoding;
use crate::evidence::{Ask, Linear, Site, ValueClass, Want, sites};
use crate::ir::ops::Rows;
use crate::ir::{Graph, Node, Value};
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::PartRecipe;
use autoneural_base::error::Result;

/// A constant with its encoding.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The constant.
    pub value: &'a Value,
    /// Its encoding.
    pub encoding: &'a Encoding,
}

impl Item<'_> {
    /// Whether another item has the same codes: the same stored numbers under the same encoding.
    pub fn is(&self, other: &Item) -> bool {
        let start = |value: &Value| value.constant().and_then(|constant| constant.start());
        self.value.name == other.value.name
            && self.value.shape == other.value.shape
            && start(self.value) == start(other.value)
            && self.encoding == other.encoding
    }
}

/// The constants of a group of graphs, each once.
#[derive(Debug, Default)]
pub struct Constants<'a> {
    /// The layers with their weights and the biases that follow from them, which nothing else reads.
    pub layers: Vec<(Layer, Item<'a>, Vec<Item<'a>>)>,
    /// All other constants with encodings.
    pub others: Vec<Item<'a>>,
}

impl<'a> Constants<'a> {
    /// The constants of the graphs of one group. Graphs that share a constant share its codes. Only if their tables
    /// give it different encodings, which a user may have written into the files, is it listed twice.
    ///
    /// # Errors
    /// A constant has no encoding: its table belongs to another graph.
    pub fn of(graphs: impl Iterator<Item = (&'a Partition, &'a Table)> + Clone) -> Result<Self> {
        let mut made = Constants::default();
        // Constants that are listed so far, by name.
        let mut known: BTreeMap<&str, Vec<Item<'a>>> = BTreeMap::new();
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let own = biases_of_one_layer(graphs.clone().map(|(partition, _)| &*partition.graph));
        for (partition, table) in graphs.clone() {
            let graph = &partition.graph;
            for node in graph.nodes() {
                let layer = layer(graph, &partition.group, node);
                let Some((value, layer)) = weight(graph, node).zip(layer) else { continue };
                let item = Item { value, encoding: table.param(&value.name)? };
                let places = by_name.entry(&value.name).or_default();
                let place = places.iter().copied().find(|&place| made.layers[place].1.is(&item));
                let place = place.unwrap_or_else(|| {
                    made.layers.push((layer, item, vec![]));
                    places.push(made.layers.len() - 1);
                    made.layers.len() - 1
                });
                let (layer, _, biases) = &mut made.layers[place];
                layer.readers.extend(Linear::of(graph, node));
                add(&mut known, item);
                if let Some(value) = bias(graph, node).filter(|value| own.contains(value.name.as_str())) {
                    let item = Item { value, encoding: table.param(&value.name)? };
                    if add(&mut known, item) {
                        biases.push(item);
                    }
                }
            }
        }
        for (partition, table) in graphs {
            let values = partition.graph.values().map(|(_, value)| value);
            for value in values.filter(|value| value.constant().is_some() && value.element.is_real()) {
                let item = Item { value, encoding: table.param(&value.name)? };
                if add(&mut known, item) {
                    made.others.push(item);
                }
            }
        }
        Ok(made)
    }
}

/// The layers of a group of graphs, when there are no encodings yet: each weight once, in the order in which the graphs
/// run.
pub fn layers(partitions: &[Partition], group: &Group) -> Vec<Layer> {
    let (mut made, mut places): (Vec<Layer>, BTreeMap<&str, usize>) = Default::default();
    for partition in partitions.iter().filter(|partition| partition.group == *group) {
        let graph = &partition.graph;
        for node in graph.nodes() {
            let Some((value, layer)) = weight(graph, node).zip(layer(graph, group, node)) else { continue };
            let place = *places.entry(&value.name).or_insert(made.len());
            if place == made.len() {
                made.push(layer);
            }
            made[place].readers.extend(Linear::of(graph, node));
        }
    }
    made
}

/// The sites of a group of graphs, each of the class that counts among all values which share its encoding: a range
/// covers all of them, so that one of them with another observer would undo what was chosen for the others.
pub fn observed(partitions: &[Partition], group: &Group) -> Vec<Site> {
    let (ties, mut made) = (Ties::new(partitions), sites(partitions, group));
    let mut classes: BTreeMap<usize, ValueClass> = BTreeMap::new();
    for site in &made {
        if let Some(tied) = ties.class(group, &site.name) {
            classes.entry(tied).and_modify(|class| *class = site.class.min(*class)).or_insert(site.class);
        }
    }
    for site in &mut made {
        let tied = ties.class(group, &site.name);
        site.class = tied.and_then(|tied| classes.get(&tied)).copied().unwrap_or(site.class);
    }
    made
}

/// All requests for evidence about a group of graphs: those of the observer about every value, and those of scales and of
/// rounding about what each layer multiplies with its weights.
pub fn asks(partitions: &[Partition], group: &Group, recipe: &PartRecipe) -> Vec<Ask> {
    let rounder = recipe.rounder();
    let mut made = Vec::new();
    for site in observed(partitions, group) {
        let observer = recipe.observer.of(site.class);
        made.extend(observer.wants(&site).into_iter().map(|want| Ask::new(group, &site.name, want, &Rows::LastAxis)));
    }
    for layer in layers(partitions, group) {
        let wants: BTreeSet<Want> =
            rounder.wants(&layer).into_iter().chain(recipe.weight_scales.wants(&layer)).collect();
        for want in wants {
            let of = |reader: &Linear| Ask::new(group, &reader.data, want, &reader.rows);
            made.extend(layer.readers.iter().map(of));
        }
    }
    made
}

/// Names of the biases of these graphs that belong to one weight, and that nothing else reads. Only these may change
/// with the weight: exporters store equal biases once.
fn biases_of_one_layer<'a>(graphs: impl Iterator<Item = &'a Graph>) -> BTreeSet<&'a str> {
    let mut weights: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // How often each is read as a bias, and how often at all.
    let mut reads: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for graph in graphs {
        for node in graph.nodes() {
            if let Some((weight, bias)) = weight(graph, node).zip(bias(graph, node)) {
                weights.entry(&bias.name).or_default().insert(&weight.name);
                reads.entry(&bias.name).or_default()[0] += 1;
            }
        }
        let read = graph.nodes().iter().flat_map(|node| &node.inputs).chain(graph.outputs());
        read.for_each(|id| reads.entry(&graph.value(*id).name).or_default()[1] += 1);
    }
    let is_own = |name: &str| reads.get(name).is_some_and(|[as_bias, all]| as_bias == all);
    weights.into_iter().filter(|(name, of)| of.len() == 1 && is_own(name)).map(|(name, _)| name).collect()
}

/// Adds an item if it is not known yet. Returns whether it was added.
fn add<'a>(known: &mut BTreeMap<&'a str, Vec<Item<'a>>>, item: Item<'a>) -> bool {
    let items = known.entry(&item.value.name).or_default();
    let is_new = !items.iter().any(|known| known.is(&item));
    if is_new {
        items.push(item);
    }
    is_new
}

/// The layer of a node, with an empty list of readers; `None` if the node has no weight, or if its operator does not
/// state the weight's axes.
fn layer(graph: &Graph, group: &Group, node: &Node) -> Option<Layer> {
    let value = weight(graph, node)?;
    Some(Layer {
        group: group.clone(),
        name: value.name.clone(),
        shape: value.shape.clone(),
        axes: node.op.weight_axes(value.shape.len())?,
        groups: node.op.rows(&value.shape)?.groups(),
        readers: vec![],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Constant, ElementType, ops};

    #[test]
    fn a_bias_that_two_layers_share_belongs_to_neither() {
        let mut b = Builder::new("g");
        let mut last = b.input("x", vec![1, 2, 3, 3], ElementType::F32).unwrap();
        let shared = b.constant("shared", Constant::from_values(vec![0.0; 2], vec![2])).unwrap();
        for (name, is_own) in [("first", false), ("second", false), ("third", true)] {
            let w = b.constant(format!("{name}.w"), Constant::from_values(vec![0.5; 4], vec![2, 2, 1, 1])).unwrap();
            let bias = match is_own {
                true => b.constant("own", Constant::from_values(vec![1.0; 2], vec![2])).unwrap(),
                false => shared,
            };
            let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
            last = b.node(name, conv, &[last, w, bias]).unwrap();
        }
        let graph = b.finish(vec![last]);
        assert_eq!(biases_of_one_layer([&graph].into_iter()), BTreeSet::from(["own"]));
        // Something else that reads a bias keeps it as it is, too.
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 1, 3, 2], ElementType::F32).unwrap();
        let w = b.constant("w", Constant::from_values(vec![0.5; 2], vec![2, 1, 1, 1])).unwrap();
        let bias = b.constant("bias", Constant::from_values(vec![0.5; 2], vec![2])).unwrap();
        let conv = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        let made = b.node("conv", conv, &[x, w, bias]).unwrap();
        let sum = b.node("sum", ops::Add, &[made, bias]).unwrap();
        assert!(biases_of_one_layer([&b.finish(vec![sum])].into_iter()).is_empty());
    }
}
