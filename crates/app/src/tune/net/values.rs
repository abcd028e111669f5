//! What computed values do to the outputs where their numbers are others.

use std::collections::{BTreeMap, BTreeSet};

use super::super::noise::{Noise, Ratio, Unit};
use super::{Net, Own, Values, run};
use autoneural_base::error::{Error, Result};
use autoneural_core::ir::Node;
use autoneural_core::segment::{Segment, part_with, span};
use autoneural_engines::engine::{Reference, Tensor};

/// Nodes that follow each other, and the place of the last of them if what it makes becomes other numbers.
type Piece = (Segment, Reference, Option<usize>);

impl Net<'_> {
    /// What other numbers of some values do to themselves, at those that are made first, and, if wanted, to the outputs of
    /// the graph. Values that are only moved from others of them follow by themselves. At most `most` steps are run.
    ///
    /// # Errors
    /// The graph makes none of these values, or an engine fails.
    pub(crate) fn values(
        &mut self,
        members: &BTreeSet<String>,
        change: &dyn Fn(&[f32]) -> Vec<f32>,
        unit: Option<Unit>,
        most: usize,
    ) -> Result<(f64, Option<f64>)> {
        let graph = &*self.partition.graph;
        let is_source = |node: &Node| {
            !node.op.moves_data_only() && node.outputs.iter().any(|&id| members.contains(&graph.value(id).name))
        };
        let sources: Vec<usize> = (0..graph.nodes().len()).filter(|&at| is_source(&graph.nodes()[at])).collect();
        let Some(&first) = sources.first() else {
            return Err(Error::internal(&graph.name, "makes none of the values that are measured"));
        };
        let changed = |made: &mut Values, node: usize, local: Option<&mut Ratio>| -> Result<()> {
            let mut local = local;
            for id in graph.nodes()[node].outputs.iter().filter(|id| members.contains(&graph.value(**id).name)) {
                let Some(float) = made.get(id) else { continue };
                let other = Tensor::f32(float.shape.clone(), change(float.as_f32()?));
                if let Some(local) = &mut local {
                    local.add(float.as_f32()?, other.as_f32()?);
                }
                made.insert(*id, other);
            }
            Ok(())
        };
        let at = self.part_of(first);
        self.open(at)?;
        let mut pieces = if unit.is_some() { self.pieces(&sources)? } else { BTreeMap::new() };
        let (mut local, mut noise) = (Ratio::default(), unit.map(Noise::new));
        let Some((_, inner)) = &self.inner else { return Err(Error::internal(&graph.name, "was not opened")) };
        for ((values, count), inner) in self.steps.iter().zip(inner).take(most) {
            let made = graph.nodes()[first].outputs.iter().filter_map(|id| Some((*id, inner.get(id)?.clone())));
            let mut others: Values = made.collect();
            changed(&mut others, first, Some(&mut local))?;
            let Some(noise) = &mut noise else { continue };
            for (number, (segment, engine)) in self.parts.iter_mut().enumerate().skip(at) {
                let empty = Values::new();
                let inner = if number == at { inner } else { &empty };
                match pieces.get_mut(&number) {
                    Some(pieces) => {
                        for (segment, engine, source) in pieces {
                            let mut out = run(graph, engine, segment, &[&others, inner, values])?;
                            source.map_or(Ok(()), |source| changed(&mut out, source, None))?;
                            others.extend(out);
                        }
                    }
                    None if number > at && segment.inputs.iter().any(|id| others.contains_key(id)) => {
                        others.extend(run(graph, engine, segment, &[&others, values])?);
                    }
                    None => {}
                }
            }
            for (place, id) in self.judged.iter().enumerate() {
                let float = &values[id];
                noise.add(place, (float, others.get(id).unwrap_or(float)), *count)?;
            }
        }
        Ok((local.value(), noise.map(|noise| noise.value())))
    }

    /// The parts that have some of these nodes, without what stands before the first of them, cut behind each.
    fn pieces(&self, sources: &[usize]) -> Result<BTreeMap<usize, Vec<Piece>>> {
        let mut made: BTreeMap<usize, Vec<Piece>> = BTreeMap::new();
        for (number, (part, _)) in self.parts.iter().enumerate() {
            let own: Vec<usize> = sources.iter().copied().filter(|source| part.nodes.contains(source)).collect();
            let Some(first) = own.first() else { continue };
            // What the first of all makes is known.
            let is_known = *first == sources[0];
            let mut start = if is_known { first + 1 } else { part.nodes.start };
            let ends = own.iter().skip(usize::from(is_known)).map(|source| (source + 1, Some(*source)));
            for (end, source) in ends.chain([(part.nodes.end, None)]) {
                if start < end {
                    let segment = span(self.partition, start..end);
                    let whole: &Own = &|_, constant| constant.clone();
                    let engine = Reference::of_graph(&part_with(self.partition, &segment, whole)?)?;
                    made.entry(number).or_default().push((segment, engine, source));
                }
                start = end;
            }
        }
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{WIDTH, graph, numbers};
    use super::super::{Fed, cuts};
    use super::*;
    use autoneural_core::ir::ElementType;
    use autoneural_engines::engine::Engine;

    #[test]
    fn noise_at_the_outputs_is_that_of_the_whole_graph_with_the_other_numbers() {
        let whole = graph();
        let graph = &*whole.graph;
        let input = Tensor::f32(vec![1, 3, WIDTH], numbers(3 * WIDTH, 50));
        let mut net = Net::new(&whole, vec![Fed { inputs: vec![input.clone()], count: None }]).unwrap();
        assert!(cuts(graph).len() > 1);
        let coarse = |values: &[f32]| values.iter().map(|x| (x * 3.0).round() / 3.0).collect::<Vec<f32>>();
        // One value, two of a part, and some of several parts.
        for names in [&["t4"][..], &["y0", "t1"], &["s0", "y2", "s5", "t6"]] {
            let members: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
            let (local, noise) = net.values(&members, &coarse, Some(Unit::Power), usize::MAX).unwrap();
            // Node by node.
            let (mut float, mut other): (Values, Values) = Default::default();
            for known in [&mut float, &mut other] {
                known.insert(graph.inputs()[0], input.clone());
            }
            for (at, node) in graph.nodes().iter().enumerate() {
                let segment = span(&whole, at..at + 1);
                let part = part_with(&whole, &segment, &|_, constant| constant.clone()).unwrap();
                let made = node.outputs[0];
                assert_eq!(graph.value(made).element, ElementType::F32);
                for (known, changes) in [(&mut float, false), (&mut other, true)] {
                    let inputs: Vec<Tensor> = segment.inputs.iter().map(|id| known[id].clone()).collect();
                    let mut out = Reference::of_graph(&part).unwrap().run(&inputs).unwrap().remove(0);
                    if changes && members.contains(&graph.value(made).name) {
                        out = Tensor::f32(out.shape.clone(), coarse(out.as_f32().unwrap()));
                    }
                    known.insert(made, out);
                }
            }
            let mut wanted = Ratio::default();
            let output = graph.outputs()[0];
            wanted.add(float[&output].as_f32().unwrap(), other[&output].as_f32().unwrap());
            let noise = noise.unwrap();
            assert!((noise / wanted.value() - 1.0).abs() < 1e-3, "{names:?}: {noise} {}", wanted.value());
            assert!(local > 0.0 && net.values(&members, &coarse, None, 1).unwrap().1.is_none());
        }
        assert!(net.values(&BTreeSet::from(["x".to_string()]), &coarse, None, 1).is_err());
    }
}
