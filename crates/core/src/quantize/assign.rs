//! Makes the encodings of all graphs of a group, in the integers that the target takes.

use std::collections::{BTreeMap, BTreeSet};

use super::given::Given;
use super::kept::{Settled, agree, refuse_small, usual};
use super::layers::layers;
use super::legality::{activations, refusal, statement};
use super::ranges;
use super::scales::OfGroup;
use super::table::{Counts, Table};
use super::ties::Ties;
use super::weights::{Place, encode, pass, settle_weights, weight};
use super::wide::{in_steps_of_256, in_steps_of_257, is_widened};
use super::wraps::{clear, raise};
use crate::encoding::Encoding;
use crate::evidence::{EvidenceSource, StatisticsTable};
use crate::ir::ops::InputKind;
use crate::ir::{ElementType, Graph, Node};
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::Recipe;
use crate::target::Target;
use autoneural_base::error::{Error, Result};

/// Tables in order, each with how many encodings came from where; and what was settled of encodings that are kept.
pub type Tables = (Vec<(Table, Counts)>, Vec<Settled>);

/// The encodings of all values and constants of a group, one table for each of its partitions, in order. An encoding in
/// `given` (by the names of the graphs) is taken as it is; all others are computed from the statistics and the weights.
///
/// # Errors
/// Evidence that the method for scales asked for is missing; a value was never observed, or was NaN or infinite; the target does not take a type that the recipe chose; or a
/// given encoding does not fit its tensor.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
///
/// use autoneural_core::evidence::Collection;
/// use autoneural_core::ir::{Builder, Constant, ElementType, ops};
/// use autoneural_core::partition::{Partition, Port};
/// use autoneural_core::passes::{Context, freeze};
/// use autoneural_core::program::Group;
/// use autoneural_core::quantize::{self, Constants, Given, rounding::Rounder};
/// use autoneural_core::recipe::Recipe;
/// use autoneural_core::segment::{is_whole, segments};
/// use autoneural_core::target::Target;
///
/// # fn main() -> Result<(), autoneural_base::error::Error> {
/// // A graph, frozen for a chip, with ports that are tied to nothing.
/// let mut b = Builder::new("toy");
/// let x = b.input("x", vec![1, 1, 3], ElementType::F32)?;
/// let w = b.constant("w", Constant::from_values(vec![0.5, -1.0, 0.25, 1.0, 0.75, -0.5], vec![3, 2]))?;
/// let y = b.node("y", ops::MatMul, &[x, w])?;
/// let (target, _text) = Target::find("sa8295p")?;
/// let partitions = [Partition {
///     name: "toy".into(),
///     group: Group::new("toy")?,
///     graph: freeze(&b.finish(vec![y]), Context { target: &target })?,
///     inputs: vec![Port { encoding_key: "in".into(), ..Port::plain("x".into()) }],
///     outputs: vec![Port { encoding_key: "out".into(), ..Port::plain("y".into()) }],
/// }];
/// let group = &partitions[0].group;
/// let recipe = r#"
///     schema = 2
///     name = "toy"
///     calibration = [{ tensors = "first.safetensors" }]
///     verification = [{ tensors = "second.safetensors" }]
///     recipe.toy = { weights = "int8", activations = "uint16", observer = "min-max" }
/// "#;
/// let recipe = Recipe::parse(recipe.into(), Path::new("toy.toml"))?;
///
/// // Calibration: an engine shows the watcher what it computes.
/// let part = recipe.part(group)?;
/// let asks = quantize::asks(&partitions, group, part);
/// let collection = Collection::new(asks);
/// let watcher = collection.watcher(group, "toy");
/// watcher.see("x", &[1, 1, 3], &[1.0, -1.0, 2.0]);
/// watcher.see("y", &[1, 1, 2], &[1.75, -3.0]);
///
/// // Encodings, then the codes of the weights, then where the graph runs.
/// let given = Given::default();
/// let seen = (&collection.ranges().statistics(&partitions), &collection.take()? as _);
/// let (made, _settled) = quantize::quantize(&partitions, group, seen, &recipe, &target, &given)?;
/// let (table, _counts) = &made[0];
/// assert_eq!(table.param("w")?.scale.len(), 2); // one for each output channel
/// let constants = Constants::of([(&partitions[0], table)].into_iter())?;
/// let (weights, biases) = quantize::round_layer(Rounder::default(), &constants.layers[0], &BTreeMap::new())?;
/// assert_eq!((weights.len(), biases.len()), (6, 0)); // 8-bit codes
/// assert!(is_whole(&segments(&partitions[0], table, &target)?)); // all of it on the NPU
/// # Ok(())
/// # }
/// ```
pub fn quantize(
    partitions: &[Partition],
    group: &Group,
    (statistics, evidence): (&StatisticsTable, &dyn EvidenceSource),
    recipe: &Recipe,
    target: &Target,
    given: &Given,
) -> Result<Tables> {
    let ties = Ties::new(partitions);
    let (given_classes, mut settled) = given.by_class(partitions, &ties)?;
    let (mut by_class, wanted) = (BTreeMap::new(), ties.classes(group));
    let usual = usual(&ties, &given_classes, group);
    let classes = ranges::classes(partitions, &ties, statistics, recipe, target, &given_classes)?;
    for (number, class) in classes.into_iter().filter(|(number, _)| wanted.contains(number)) {
        let given = given_classes.get(&class.number(number));
        by_class.insert(number, class.encoding(recipe, given, usual)?);
    }
    let mut said: Vec<Settled> = wanted.iter().filter_map(|class| settled.remove(class)).flatten().collect();
    // What is handed to another group has the integers that it has there.
    if usual.is_some() && ties.groups(group).len() == 1 {
        said.extend(agree(partitions, (&ties, group), target, &mut by_class));
    }
    let scales = OfGroup::new(&*recipe.part(group)?.weight_scales, layers(partitions, group), evidence);
    let mut tables = Vec::new();
    for partition in partitions.iter().filter(|partition| partition.group == *group) {
        let (mut table, mut counts) = (Table::default(), Counts::default());
        let graph = &partition.graph;
        for (_, value) in graph.values() {
            if value.element == ElementType::F32
                && value.constant().is_none()
                && let Some(class) = ties.class(&partition.group, &value.name)
            {
                table.activations.insert(value.name.clone(), by_class[&class].clone());
                counts.count(given_classes.contains_key(&class));
            }
        }
        encode_constants((partition, &scales), recipe, target, given, (&mut table, &mut counts, &mut said))?;
        refuse_untaken(partition, target, &table)?;
        tables.push((table, counts));
    }
    if !given.keeps(group) {
        refuse_idle_blocks(group, recipe, tables.iter().map(|(table, _)| table))?;
    }
    said.sort();
    said.dedup();
    Ok((tables, said))
}

/// The groups whose statistics the encodings of a group depend on: the group itself, and those that it shares encodings
/// with.
pub fn decisive(partitions: &[Partition], group: &Group) -> BTreeSet<Group> {
    Ties::new(partitions).groups(group)
}

/// Refuses blocks of a recipe that no weight of a group gets: their author believes that they have an effect.
fn refuse_idle_blocks<'a>(group: &Group, recipe: &Recipe, tables: impl Iterator<Item = &'a Table>) -> Result<()> {
    let Some(block) = recipe.part(group)?.weights.block else { return Ok(()) };
    // Where overrides give weights something else, blocks may be for what they leave.
    let mut params = tables.flat_map(|table| &table.params);
    match params.any(|(name, one)| one.block == Some(block) || recipe.weights_exception(name).is_some()) {
        true => Ok(()),
        false => Err(Error::input(
            recipe.place_of(group, "weights"),
            format!("no weight of {group} gets blocks of {block}"),
        )
        .help(
            "weights with a multiple of as many input channels and a kernel of one position do; choose another size",
        )),
    }
}

fn encode_constants(
    (partition, scales): (&Partition, &OfGroup),
    recipe: &Recipe,
    target: &Target,
    given: &Given,
    (table, counts, said): (&mut Table, &mut Counts, &mut Vec<Settled>),
) -> Result<()> {
    let graph = &partition.graph;
    for node in graph.nodes() {
        let operator = &*statement(graph, node, target, table)?;
        let (data, result) = read_and_made(graph, node, target, table)?;
        for (input, &id) in node.inputs.iter().enumerate() {
            let value = graph.value(id);
            let Some(constant) = value.constant().filter(|_| value.element.is_real()) else { continue };
            let weight_shape = node.inputs.get(1).map_or(&[][..], |&id| graph.value(id).shape.as_slice());
            let is_weight = node.op.signature().kind(input) == Some(InputKind::Weight);
            let axes = node.op.weight_axes(value.shape.len()).filter(|_| is_weight);
            let place = Place {
                node,
                input,
                operator,
                name: &value.name,
                scales,
                weight_shape,
                data: data.as_ref(),
                result: result.as_ref(),
                bias: node.inputs.get(2).and_then(|&id| graph.value(id).constant()),
                is_head: partition.makes_main(node),
                exception: recipe.weights_exception(&value.name),
                kept: given.kept_weights(&partition.group, &value.name, operator, (&value.shape, axes)),
            };
            let weights = node.inputs.get(1).and_then(|&id| table.params.get(&graph.value(id).name));
            let mut made = encode(constant, &place, recipe.part(&partition.group)?, weights).map_err(|mut error| {
                error.place = format!("{}: {}", partition.name, error.place);
                error
            })?;
            if place.kind() == Some(InputKind::Bias) {
                given.refuse_other_bias(&value.name, &made)?;
            } else {
                let taken = given.param(&partition.group, &value.name, (&made, &value.shape, axes), said)?;
                let taken = taken.filter(|encoding| {
                    let scales = place.channel_scales(encoding);
                    let fits = place.bias.zip(place.data).map(|(bias, data)| refuse_small(&scales, bias, data));
                    let settle = |message| said.push(Settled { message, name: value.name.clone() });
                    place.kept.is_none() || fits.is_none_or(|fits| fits.map_err(settle).is_ok())
                });
                if !table.params.contains_key(&value.name) {
                    counts.count(taken.is_some());
                }
                made = taken.unwrap_or(made);
                if let (Some(InputKind::Weight), Some(data), Some(result)) = (place.kind(), place.data, place.result) {
                    raise(&node.op, (&mut made, place.weight_shape), (data, result));
                    let factor = pass(operator, &made, data);
                    clear(&node.op, &mut made, (data, result), factor.into());
                    if let Some(bits) = operator.multiplier_bits {
                        let step = operator.sum_step.map(|step| step * factor);
                        settle_weights(&node.op, (&mut made, place.weight_shape), (data, result), bits, step);
                    }
                }
            }
            if table.params.get(&value.name).is_some_and(|known| *known != made) {
                let message = "is read by two nodes that want different encodings";
                return Err(Error::input(format!("{}: {}", partition.name, value.name), message));
            }
            table.params.insert(value.name.clone(), made);
        }
    }
    Ok(())
}

/// The encodings of the first computed value that a node reads and of the first that it makes, as it is computed.
fn read_and_made(
    graph: &Graph,
    node: &Node,
    target: &Target,
    table: &Table,
) -> Result<(Option<Encoding>, Option<Encoding>)> {
    let data = node.inputs.iter().find_map(|&id| table.activations.get(&graph.value(id).name));
    let result = table.activations.get(&graph.value(node.outputs[0]).name);
    let is_wide = match target.operator(node.op.name()) {
        Some(operator) if result.is_some() => is_widened(operator, &activations(graph, node, table)?),
        _ => false,
    };
    Ok(match is_wide {
        true => (data.map(in_steps_of_256), result.map(in_steps_of_257)),
        false => (data.cloned(), result.cloned()),
    })
}

/// Refuses integers that the target does not take for a node with weights, because the recipe chose the bits of these
/// weights. Other nodes that the target does not take run on the CPU.
fn refuse_untaken(partition: &Partition, target: &Target, table: &Table) -> Result<()> {
    let graph = &partition.graph;
    for node in graph.nodes() {
        if target.operator(node.op.name()).is_some()
            && weight(graph, node).is_some()
            && let Some(why) = refusal(graph, node, target, table)?
        {
            return Err(Error::input(format!("{}: {}", partition.name, node.name), why).help("change the recipe"));
        }
    }
    Ok(())
}
