//! What an operator makes for an activation alone. Other quantizers take the two as one operator, whose integers are
//! those behind the activation: what these cut off of the sum, a Relu or Clip cuts off anyway. So the sum has the same
//! encoding, and no range of its own: one that reached over all that is cut off would have coarser steps.

use std::collections::{BTreeMap, BTreeSet};

use super::forms::is_product;
use super::table::Table;
use super::weights::{chosen, weight};
use crate::encoding::Encoding;
use crate::ir::{Graph, Node, Op, ValueId};
use crate::partition::Partition;
use crate::program::Group;
use crate::recipe::Recipe;
use crate::target::Target;

/// What stands before an activation that alone reads it, and what behind it; from the end of a graph, so that of two
/// activations in a row the last one is met first.
fn alone(graph: &Graph) -> Vec<[ValueId; 2]> {
    let mut readers = vec![0usize; graph.values().count()];
    let read = graph.nodes().iter().flat_map(|node| &node.inputs).chain(graph.outputs());
    read.for_each(|id| readers[id.index()] += 1);
    let cuts = graph.nodes().iter().rev().filter(|node| limits(&node.op).is_some());
    let is_alone = |before: &ValueId| readers[before.index()] == 1 && !graph.inputs().contains(before);
    cuts.map(|node| [node.inputs[0], node.outputs[0]]).filter(|[before, _]| is_alone(before)).collect()
}

/// Adds what stands before an activation to what is known of values, where it is not known, as what stands behind it.
pub(super) fn complete<T: Clone>(graph: &Graph, known: &mut BTreeMap<String, T>) {
    for [before, behind] in alone(graph) {
        if let Some(one) = known.get(&graph.value(behind).name).cloned() {
            known.entry(graph.value(before).name.clone()).or_insert(one);
        }
    }
}

/// The range that values are cut to already where they are made, by their names: those that only an activation reads
/// which cuts them anyway, and whose encoding is that of what it leaves.
pub fn cuts(graph: &Graph, table: &Table) -> BTreeMap<String, [f32; 2]> {
    let mut limits: BTreeMap<ValueId, [f32; 2]> =
        graph.nodes().iter().filter_map(|node| Some((node.outputs[0], limits(&node.op)?))).collect();
    let mut made = BTreeMap::new();
    for [before, behind] in alone(graph) {
        let encoding = |id: ValueId| table.activations.get(&graph.value(id).name);
        let Some((own, [low, high])) =
            encoding(before).filter(|own| encoding(behind) == Some(own)).zip(limits.get(&behind).copied())
        else {
            continue;
        };
        made.insert(graph.value(before).name.clone(), left([low, high], own));
        // An activation that is cut, too, leaves what both do.
        limits.entry(before).and_modify(|own| *own = own.map(|limit| limit.max(low).min(high)));
    }
    made
}

/// What is left of values whose integers are those behind an activation that cuts to these limits. Integers that reach
/// further are not cut before the activation; what these lose that reach less far is a loss.
pub fn left([low, high]: [f32; 2], encoding: &Encoding) -> [f32; 2] {
    let [least, most] = encoding.range();
    [low.min(least), high.max(most)]
}

/// What an activation that only cuts leaves at most.
fn limits(op: &Op) -> Option<[f32; 2]> {
    match op {
        Op::Relu(_) => Some([0.0, f32::INFINITY]),
        Op::Clip(clip) => Some([clip.min.unwrap_or(f32::NEG_INFINITY), clip.max.unwrap_or(f32::INFINITY)]),
        _ => None,
    }
}

/// A group, the name of what stands before an activation, and of what behind it.
pub(super) type Cut<'p> = (&'p Group, &'p str, &'p str);

/// What an operator that adds or multiplies makes for an activation alone, in all graphs of its group, which share the
/// encodings of what has one name. From the end of each graph.
pub(super) fn cut<'p>(partitions: &'p [Partition], recipe: &Recipe, target: &Target) -> Vec<Cut<'p>> {
    // How many graphs have a value of this name, and in how many it is cut.
    let mut graphs: BTreeMap<(&Group, &str), usize> = BTreeMap::new();
    let mut cuts: BTreeMap<Cut, usize> = BTreeMap::new();
    let mut made: Vec<Cut> = Vec::new();
    for partition in partitions {
        let (graph, group) = (&partition.graph, &partition.group);
        let name = |id: ValueId| graph.value(id).name.as_str();
        graph.values().for_each(|(_, value)| *graphs.entry((group, &value.name)).or_default() += 1);
        let joins = |node: &&Node| is_in_one_piece(partition, node, recipe, target);
        let makers: BTreeSet<ValueId> = graph.nodes().iter().filter(joins).map(|node| node.outputs[0]).collect();
        for [before, behind] in alone(graph).into_iter().filter(|[before, _]| makers.contains(before)) {
            let one = (group, name(before), name(behind));
            let count = cuts.entry(one).or_default();
            *count += 1;
            if *count == 1 {
                made.push(one);
            }
        }
    }
    made.retain(|one| graphs[&(one.0, one.1)] == cuts[one]);
    made
}

/// Whether a node adds or multiplies and is written as one. Of one that is written as two, the smaller part is added to
/// what the larger one was cut to.
fn is_in_one_piece(partition: &Partition, node: &Node, recipe: &Recipe, target: &Target) -> bool {
    let graph = &partition.graph;
    let Some(weight) = weight(graph, node) else {
        return matches!(node.op, Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::MatMul(_)) && !is_product(graph, node)
            || limits(&node.op).is_some();
    };
    let (Ok(part), Some(operator)) = (recipe.part(&partition.group), target.operator(node.op.name())) else {
        return false;
    };
    let of_this = (partition.makes_main(node), recipe.weights_exception(&weight.name));
    let weights = chosen((node, operator), &weight.shape, of_this, part);
    weights.is_ok_and(|weights| !operator.in_pairs.contains(&weights))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::IntegerType;
    use crate::ir::{Builder, Constant, ElementType, ops};
    use crate::partition::Port;
    use crate::passes::as_built;

    /// Of a graph: a convolution before two activations in a row, and one that two read.
    fn convolutions(name: &str, is_read_twice: bool) -> Partition {
        let mut b = Builder::new(name);
        let mut y = b.input("x", vec![1, 2, 4, 4], ElementType::F32).unwrap();
        let conv = || ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
        for layer in ["a", "b"] {
            let weights = Constant::from_values(vec![0.5; 4], vec![2, 2, 1, 1]);
            let w = b.constant(format!("{layer}.w"), weights).unwrap();
            let made = b.node(format!("{layer}.conv"), conv(), &[y, w]).unwrap();
            let relu = b.node(format!("{layer}.relu"), ops::Relu, &[made]).unwrap();
            let clip = ops::Clip { min: None, max: Some(4.0) };
            y = b.node(format!("{layer}.clip"), clip, &[relu]).unwrap();
            if layer == "b" && is_read_twice {
                y = b.node("sum", ops::Add, &[y, made]).unwrap();
            }
        }
        Partition {
            name: name.into(),
            group: Group::fixed("net"),
            graph: as_built(&b.finish(vec![y])).unwrap(),
            inputs: vec![Port::plain("x".into())],
            outputs: vec![Port::plain("y".into())],
        }
    }

    fn recipe(lines: &str) -> Recipe {
        let text = format!(
            "schema = 2\nname = \"net\"\ncalibration = [{{ tensors = \"1.safetensors\" }}]\n\
             verification = [{{ tensors = \"2.safetensors\" }}]\n[recipe.net]\nweights = \"int8\"\n\
             activations = \"uint16\"\nobserver = \"min-max\"\n{lines}"
        );
        Recipe::parse(text, std::path::Path::new("net.toml")).unwrap()
    }

    #[test]
    fn what_one_activation_alone_reads_is_cut_in_all_graphs_or_in_none() {
        let (target, _) = Target::find("sa8295p").unwrap();
        let names = |partitions: &[Partition], lines: &str| -> Vec<(String, String)> {
            let found = cut(partitions, &recipe(lines), &target).into_iter();
            found.map(|(_, before, behind)| (before.to_string(), behind.to_string())).collect()
        };
        let pair = |before: &str, behind: &str| (before.to_string(), behind.to_string());
        let [once, twice] = [false, true].map(|is_read_twice| convolutions("one", is_read_twice));
        let of_a = [pair("a.relu", "a.clip"), pair("a.conv", "a.relu")];
        let of_b = [pair("b.relu", "b.clip"), pair("b.conv", "b.relu")];
        assert_eq!(names(std::slice::from_ref(&once), ""), [&of_b[..], &of_a[..]].concat());
        assert_eq!(names(std::slice::from_ref(&twice), ""), [&of_b[..1], &of_a[..]].concat());
        // Graphs of a group share encodings.
        assert_eq!(names(&[once.clone(), twice], ""), [&of_b[..1], &of_a[..]].concat());
        // A pair of weights has no integers of its own sum.
        let lines = "[[override]]\ntensor = \"b.w\"\ntype = \"int16\"\n";
        assert_eq!(names(&[once], lines), [&of_b[..1], &of_a[..]].concat());
    }

    #[test]
    fn values_are_cut_to_what_the_last_activation_or_the_integers_leave() {
        let partition = convolutions("one", false);
        let all = |high: f32| Encoding::of_range(IntegerType::Uint8, 0.0, high);
        let mut table = Table::default();
        for (_, value) in partition.graph.values().filter(|(_, value)| value.constant().is_none()) {
            table.activations.insert(value.name.clone(), all(if value.name.starts_with('a') { 2.0 } else { 8.0 }));
        }
        table.activations.insert("b.conv".into(), all(16.0));
        let found = cuts(&partition.graph, &table);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["a.conv", "a.relu", "b.relu"]);
        // Integers up to 2 lose what lies up to 4, and those up to 8 keep more than the activation leaves.
        assert_eq!((found["a.conv"], found["a.relu"][1], found["b.relu"][1]), ([0.0, 4.0], 4.0, 8.0));
    }

    #[test]
    fn a_sum_has_what_its_activation_has_and_nothing_else_has() {
        let mut b = Builder::new("g");
        let x = b.input("x", vec![1, 4], ElementType::F32).unwrap();
        let sum = b.node("sum", ops::Add, &[x, x]).unwrap();
        let cut = b.node("cut", ops::Relu, &[sum]).unwrap();
        let again = b.node("again", ops::Relu, &[cut]).unwrap();
        // Of an input, of what something else reads, of what is known.
        let of_input = b.node("of_input", ops::Relu, &[x]).unwrap();
        let both = b.node("both", ops::Add, &[again, of_input]).unwrap();
        let one = b.node("one", ops::Relu, &[both]).unwrap();
        let other = b.node("other", ops::Add, &[both, one]).unwrap();
        let own = b.node("own", ops::Relu, &[other]).unwrap();
        let graph = b.finish(vec![own]);
        let named = |names: &[(&str, u32)]| names.iter().map(|(name, at)| (name.to_string(), *at)).collect();
        let mut known: BTreeMap<String, u32> =
            named(&[("again", 1), ("of_input", 2), ("one", 3), ("other", 4), ("own", 5)]);
        let mut wanted = known.clone();
        wanted.extend(named(&[("sum", 1), ("cut", 1)]) as BTreeMap<String, u32>);
        complete(&graph, &mut known);
        assert_eq!(known, wanted);
    }
}
