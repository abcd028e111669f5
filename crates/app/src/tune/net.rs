//! A graph in float, cut into parts, in which the weights of one layer can be others: so what that layer alone does to
//! the outputs is measured without running what stands before it.

mod values;

use std::collections::BTreeMap;
use std::ops::Range;

use super::noise::{Noise, Ratio, Unit};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::{Constant, ElementType, Graph, Value, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::weight;
use autoneural_core::segment::{Segment, part_with, span};
use autoneural_engines::engine::{Engine, Reference, Tensor};

/// Parts that a graph is cut into, if it has enough nodes.
const PARTS: usize = 16;
/// Fewest nodes of a part.
const FEWEST: usize = 8;

/// Numbers by value.
type Values = BTreeMap<ValueId, Tensor>;
/// Gives constants in place of the graph's own.
pub(crate) type Own<'a> = dyn Fn(&Value, &Constant) -> Constant + 'a;

/// What goes into a graph in a step, and how many of its tokens count.
#[derive(Debug, Clone)]
pub(crate) struct Fed {
    /// The inputs, in the graph's order.
    pub inputs: Vec<Tensor>,
    /// Tokens that are no padding; `None` if it has no tokens.
    pub count: Option<usize>,
}

/// A graph with what it makes of some steps.
pub(crate) struct Net<'a> {
    partition: &'a Partition,
    parts: Vec<(Segment, Reference)>,
    /// Inputs, and what leaves each part, in float; and the tokens that count.
    steps: Vec<(Values, Option<usize>)>,
    /// All that a part makes of each step.
    inner: Option<(usize, Vec<Values>)>,
    /// Outputs that are judged.
    judged: Vec<ValueId>,
}

impl<'a> Net<'a> {
    /// Runs a graph on the inputs of some steps.
    ///
    /// # Errors
    /// An engine that fails.
    pub(crate) fn new(partition: &'a Partition, fed: Vec<Fed>) -> Result<Self> {
        let graph = &*partition.graph;
        let mut parts = Vec::new();
        for nodes in cuts(graph) {
            let segment = span(partition, nodes);
            let engine = Reference::of_graph(&part_with(partition, &segment, &|_, constant| constant.clone())?)?;
            parts.push((segment, engine));
        }
        let mut steps = Vec::new();
        for Fed { inputs, count } in fed {
            let mut values: Values = graph.inputs().iter().copied().zip(inputs).collect();
            for (segment, engine) in &mut parts {
                let made = run(graph, engine, segment, &[&values])?;
                values.extend(made);
            }
            steps.push((values, count));
        }
        let judged = partition.judged().into_iter().map(|at| graph.outputs()[at]).collect();
        Ok(Net { partition, parts, steps, inner: None, judged })
    }

    /// What other constants of a layer do to its own output, and, if wanted, to the outputs of the graph. At most `most`
    /// steps are run.
    ///
    /// # Errors
    /// The graph has no such layer, or an engine fails.
    pub(crate) fn with(
        &mut self,
        layer: &str,
        own: &Own,
        unit: Option<Unit>,
        most: usize,
    ) -> Result<(f64, Option<f64>)> {
        let graph = &*self.partition.graph;
        let first = self.first(layer)?;
        let (at, made) = (self.part_of(first), graph.nodes()[first].outputs[0]);
        let end = if unit.is_some() { self.parts[at].0.nodes.end } else { first + 1 };
        let mut segment = span(self.partition, first..end);
        if !segment.outputs.contains(&made) {
            segment.outputs.push(made);
        }
        let mut engine = Reference::of_graph(&part_with(self.partition, &segment, own)?)?;
        let mut step = |inner: &Values, values: &Values| run(graph, &mut engine, &segment, &[inner, values]);
        self.follow((at, made), &mut step, unit, most)
    }

    /// What another second operand of a product does to what the product makes, and, if wanted, to the outputs of the
    /// graph. Others that read the operand get it as it is. At most `most` steps are run.
    ///
    /// # Errors
    /// The graph makes no such value, or an engine fails.
    pub(crate) fn product(
        &mut self,
        made: &str,
        second: &dyn Fn(&[f32]) -> Vec<f32>,
        unit: Option<Unit>,
        most: usize,
    ) -> Result<(f64, Option<f64>)> {
        let graph = &*self.partition.graph;
        let first = graph.nodes().iter().position(|node| graph.value(node.outputs[0]).name == made);
        let first = first.ok_or_else(|| Error::internal(made, "is made by no node of this graph"))?;
        let (node, at) = (&graph.nodes()[first], self.part_of(first));
        let (operand, made) = (node.inputs[1], node.outputs[0]);
        let whole: &Own = &|_, constant| constant.clone();
        let engine = |nodes: Range<usize>| -> Result<(Segment, Reference)> {
            let segment = span(self.partition, nodes);
            let engine = Reference::of_graph(&part_with(self.partition, &segment, whole)?)?;
            Ok((segment, engine))
        };
        let (alone, mut of_product) = engine(first..first + 1)?;
        let behind = first + 1..self.parts[at].0.nodes.end;
        let mut rest = (unit.is_some() && !behind.is_empty()).then(|| engine(behind)).transpose()?;
        let mut step = |inner: &Values, values: &Values| -> Result<Values> {
            let float = inner.get(&operand).or_else(|| values.get(&operand));
            let float = float.ok_or_else(|| Error::internal(&graph.value(operand).name, "was not made"))?;
            let changed = Tensor::f32(float.shape.clone(), second(float.as_f32()?));
            let changed = Values::from([(operand, changed)]);
            let mut others = run(graph, &mut of_product, &alone, &[&changed, inner, values])?;
            if let Some((segment, engine)) = &mut rest {
                others.extend(run(graph, engine, segment, &[&others, inner, values])?);
            }
            Ok(others)
        };
        self.follow((at, made), &mut step, unit, most)
    }

    /// Mean square of what a layer makes in float, in the first `most` steps.
    ///
    /// # Errors
    /// The graph has no such layer, or an engine fails.
    pub(crate) fn power(&mut self, layer: &str, most: usize) -> Result<f64> {
        let graph = &*self.partition.graph;
        let first = self.first(layer)?;
        self.open(self.part_of(first))?;
        let (mut sum, mut count) = (0.0, 0);
        for inner in self.inner.iter().flat_map(|(_, inner)| inner).take(most) {
            let made = inner[&graph.nodes()[first].outputs[0]].as_f32()?;
            sum += made.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>();
            count += made.len();
        }
        Ok(sum / count.max(1) as f64)
    }

    /// The first node that reads a layer's weights.
    fn first(&self, layer: &str) -> Result<usize> {
        let graph = &*self.partition.graph;
        let reads = |node| weight(graph, node).is_some_and(|value| value.name == layer);
        let first = graph.nodes().iter().position(reads);
        first.ok_or_else(|| Error::internal(layer, "is no layer of this graph"))
    }

    /// The part that has a node.
    fn part_of(&self, node: usize) -> usize {
        self.parts.iter().position(|(segment, _)| segment.nodes.contains(&node)).unwrap_or_default()
    }

    /// What a change in a part does: `step` gives the values that it makes others, from those of the part and of the
    /// whole graph in float.
    fn follow(
        &mut self,
        (at, made): (usize, ValueId),
        step: &mut dyn FnMut(&Values, &Values) -> Result<Values>,
        unit: Option<Unit>,
        most: usize,
    ) -> Result<(f64, Option<f64>)> {
        self.open(at)?;
        let graph = &*self.partition.graph;
        let (mut local, mut noise) = (Ratio::default(), unit.map(Noise::new));
        let Some((_, inner)) = &self.inner else { return Err(Error::internal(&graph.name, "was not opened")) };
        for ((values, count), inner) in self.steps.iter().zip(inner).take(most) {
            let mut others = step(inner, values)?;
            local.add(inner[&made].as_f32()?, others[&made].as_f32()?);
            let Some(noise) = &mut noise else { continue };
            for (segment, engine) in &mut self.parts[at + 1..] {
                if segment.inputs.iter().any(|id| others.contains_key(id)) {
                    others.extend(run(graph, engine, segment, &[&others, values])?);
                }
            }
            for (place, id) in self.judged.iter().enumerate() {
                let float = &values[id];
                noise.add(place, (float, others.get(id).unwrap_or(float)), *count)?;
            }
        }
        Ok((local.value(), noise.map(|noise| noise.value())))
    }

    /// Mean variance of the rows of the judged outputs in float, which turns relative noise into divergence.
    ///
    /// # Errors
    /// Outputs that are no real numbers.
    pub(crate) fn variance(&self) -> Result<f64> {
        let (mut sum, mut rows) = (0.0, 0);
        for (values, _) in &self.steps {
            for tensor in self.judged.iter().filter_map(|id| values.get(id)) {
                let width = tensor.shape.last().copied().unwrap_or(1).max(1);
                for row in tensor.as_f32()?.chunks_exact(width) {
                    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
                    sum += row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width as f64;
                    rows += 1;
                }
            }
        }
        Ok(sum / f64::from(rows.max(1)))
    }

    /// Makes all values of a part.
    fn open(&mut self, at: usize) -> Result<()> {
        if self.inner.as_ref().is_some_and(|(open, _)| *open == at) {
            return Ok(());
        }
        let graph = &*self.partition.graph;
        let mut whole = self.parts[at].0.clone();
        let made = graph.nodes()[whole.nodes.clone()].iter().flat_map(|node| &node.outputs).copied();
        whole.outputs = made.filter(|id| graph.value(*id).element == ElementType::F32).collect();
        let constants: &Own = &|_, constant| constant.clone();
        let mut engine = Reference::of_graph(&part_with(self.partition, &whole, constants)?)?;
        let inner = self.steps.iter().map(|(values, _)| run(graph, &mut engine, &whole, &[values]));
        self.inner = Some((at, inner.collect::<Result<_>>()?));
        Ok(())
    }
}

/// Runs a segment on what it reads of these values, the first that has it.
fn run(graph: &Graph, engine: &mut Reference, segment: &Segment, known: &[&Values]) -> Result<Values> {
    let read = |id: &ValueId| {
        let found = known.iter().find_map(|values| values.get(id)).cloned();
        found.ok_or_else(|| Error::internal(&graph.value(*id).name, "was not made"))
    };
    let inputs = segment.inputs.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(segment.outputs.iter().copied().zip(engine.run(&inputs)?).collect())
}

/// Where a graph is cut.
fn cuts(graph: &Graph) -> Vec<Range<usize>> {
    let count = graph.nodes().len();
    let step = count.div_ceil(PARTS).max(FEWEST);
    (0..count).step_by(step).map(|start| start..(start + step).min(count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::tensors::partition;
    use autoneural_core::ir::{Builder, ops};
    use autoneural_core::passes::Frozen;

    pub(super) const WIDTH: usize = 6;

    pub(super) fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 37 + seed * 11) % 23) as f32 / 11.0 - 1.0).collect()
    }

    /// Layers with a residual past each of them, in more nodes than a part has.
    pub(super) fn graph() -> Partition {
        let mut b = Builder::new("tower");
        let mut x = b.input("x", vec![1, 3, WIDTH], ElementType::F32).unwrap();
        for at in 0..7 {
            let weights = Constant::from_values(numbers(WIDTH * WIDTH, at), vec![WIDTH, WIDTH]);
            let weights = b.constant(format!("w{at}"), weights).unwrap();
            let y = b.node(format!("y{at}"), ops::MatMul, &[x, weights]).unwrap();
            let y = b.node(format!("t{at}"), ops::Tanh, &[y]).unwrap();
            x = b.node(format!("s{at}"), ops::Add, &[x, y]).unwrap();
        }
        partition("tower", Frozen::new(b.finish(vec![x])).unwrap()).unwrap()
    }

    #[test]
    fn noise_at_the_outputs_is_that_of_the_whole_graph_with_the_other_weights() {
        let whole = graph();
        let inputs: Vec<Tensor> =
            (0..3).map(|at| Tensor::f32(vec![1, 3, WIDTH], numbers(3 * WIDTH, 50 + at))).collect();
        let fed = inputs.iter().map(|input| Fed { inputs: vec![input.clone()], count: None }).collect();
        let mut net = Net::new(&whole, fed).unwrap();
        assert!(net.parts.len() > 1);
        let all = span(&whole, 0..whole.graph.nodes().len());
        let float = part_with(&whole, &all, &|_, constant| constant.clone()).unwrap();
        // Not in the order in which they run.
        for layer in ["w5", "w0", "w3", "w6"] {
            let own = |value: &Value, constant: &Constant| match value.name == layer {
                true => {
                    let coarse = constant.to_f32().iter().map(|weight| (weight * 3.0).round() / 3.0).collect();
                    Constant::from_values(coarse, value.shape.clone())
                }
                false => constant.clone(),
            };
            let (local, noise) = net.with(layer, &own, Some(Unit::Power), usize::MAX).unwrap();
            let other = part_with(&whole, &all, &own).unwrap();
            let (mut float, mut other) = (Reference::of_graph(&float).unwrap(), Reference::of_graph(&other).unwrap());
            let mut wanted = Ratio::default();
            for input in &inputs {
                let of = |engine: &mut Reference| engine.run(std::slice::from_ref(input)).unwrap().remove(0);
                wanted.add(of(&mut float).as_f32().unwrap(), of(&mut other).as_f32().unwrap());
            }
            let noise = noise.unwrap();
            assert!((noise / wanted.value() - 1.0).abs() < 1e-3, "{layer}: {noise} {}", wanted.value());
            assert!(local > 0.0 && net.with(layer, &own, None, 1).unwrap().1.is_none());
        }
        assert!(net.with("none", &|_, constant| constant.clone(), None, 1).is_err());
    }
}
