//! The quantized prefix: samples run through the layers that are already rounded, beside the float model, node by node.
//! So what a layer really reads is known before it is rounded, and every node runs only once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::runs;
use autoneural_base::error::{Error, Result};
use autoneural_bundle::Bundle;
use autoneural_core::evidence::{Ask, EvidenceSource, Observer, PairedMoments};
use autoneural_core::ir::ops::Rows;
use autoneural_core::ir::{Builder, Constant, Graph, Node, Value, ValueId};
use autoneural_core::partition::{Partition, Port};
use autoneural_core::passes::Frozen;
use autoneural_core::quantize::Table;
use autoneural_engines::engine::{Engine, Reference, Tensor};

/// The numbers of a run, by value: in float, and behind quantized layers.
type Streams = [BTreeMap<ValueId, Tensor>; 2];

/// Runs of a group's graphs as far as their layers are rounded.
pub(crate) struct Prefix<'a> {
    collected: &'a dyn EvidenceSource,
    walks: RefCell<Vec<Walk<'a>>>,
    /// The real numbers that the codes of rounded weights and biases stand for.
    rounded: RefCell<BTreeMap<String, Vec<f32>>>,
}

/// A graph on its way.
struct Walk<'a> {
    partition: &'a Partition,
    table: &'a Table,
    /// The next node.
    next: usize,
    runs: Vec<Streams>,
}

impl<'a> Prefix<'a> {
    /// At the start of the graphs whose runs the bundle has. Other evidence is from `collected`.
    ///
    /// # Errors
    /// The bundle has no runs, or one cannot be read.
    pub(crate) fn new(
        bundle: &Bundle,
        partitions: &'a [Partition],
        tables: &'a [Table],
        collected: &'a dyn EvidenceSource,
    ) -> Result<Self> {
        let mut walks = Vec::new();
        for (partition, table) in partitions.iter().zip(tables) {
            let mut runs = Vec::new();
            for inputs in runs::kept(bundle, partition)? {
                let ids = partition.graph.inputs().iter().copied();
                let float: BTreeMap<ValueId, Tensor> = ids.zip(inputs).collect();
                let own = float.iter().map(|(&id, one)| Ok((id, through(table, partition.graph.value(id), one)?)));
                let quantized = own.collect::<Result<_>>()?;
                runs.push([float, quantized]);
            }
            if !runs.is_empty() {
                walks.push(Walk { partition, table, next: 0, runs });
            }
        }
        if walks.is_empty() {
            let place = bundle.path("calibration").display().to_string();
            return Err(Error::input(place, "has no runs of these graphs, which the rounding method wants")
                .help("`autoneural calibrate` with the same recipe keeps them"));
        }
        Ok(Prefix { collected, walks: RefCell::new(walks), rounded: RefCell::default() })
    }

    /// Takes the real numbers of what was rounded.
    pub(crate) fn settle(&self, name: &str, numbers: Vec<f32>) {
        self.rounded.borrow_mut().insert(name.to_string(), numbers);
    }
}

impl EvidenceSource for Prefix<'_> {
    fn get(&self, ask: &Ask) -> Result<Observer> {
        self.collected.get(ask)
    }

    fn paired(&self, site: &str, rows: &Rows) -> Result<Option<PairedMoments>> {
        let mut all: Option<PairedMoments> = None;
        for walk in self.walks.borrow_mut().iter_mut() {
            let graph = &walk.partition.graph;
            let Some(id) = graph.find(site) else { continue };
            let Some(width) = rows.width(&graph.value(id).shape) else { continue };
            walk.advance_to(id, &self.rounded.borrow())?;
            let made = all.get_or_insert_with(|| PairedMoments::new(width, rows.groups()));
            for [float, quantized] in &walk.runs {
                let (Some(float), Some(quantized)) = (float.get(&id), quantized.get(&id)) else {
                    return Err(Error::internal(site, "was let go before its layer was rounded"));
                };
                made.observe(rows, &float.shape, float.as_f32()?, quantized.as_f32()?);
            }
        }
        Ok(all)
    }
}

impl Walk<'_> {
    /// Runs nodes until a value is there.
    fn advance_to(&mut self, id: ValueId, rounded: &BTreeMap<String, Vec<f32>>) -> Result<()> {
        let graph = &self.partition.graph;
        let Some(maker) = graph.nodes().iter().position(|node| node.outputs.contains(&id)) else { return Ok(()) };
        while self.next <= maker {
            self.step(rounded)?;
        }
        Ok(())
    }

    /// Runs the next node of all runs, in both streams.
    fn step(&mut self, rounded: &BTreeMap<String, Vec<f32>>) -> Result<()> {
        let (graph, table) = (&self.partition.graph, self.table);
        let node = &graph.nodes()[self.next];
        let inputs: BTreeSet<ValueId> =
            node.inputs.iter().copied().filter(|id| graph.value(*id).constant().is_none()).collect();
        let own = |value: &Value, constant: &Constant| -> Result<Constant> {
            if !value.element.is_real() {
                return Ok(constant.clone());
            }
            let numbers = match rounded.get(&value.name) {
                Some(numbers) => numbers.clone(),
                None => {
                    let encoding = table.param(&value.name)?;
                    encoding.dequantize(&encoding.quantize(&constant.to_f32(), &value.shape), &value.shape)
                }
            };
            Ok(Constant::from_values(numbers, value.shape.clone()))
        };
        let mut engines = [
            Reference::of_graph(&alone(self.partition, node, &inputs, &|_, constant| Ok(constant.clone()))?)?,
            Reference::of_graph(&alone(self.partition, node, &inputs, &own)?)?,
        ];
        let later: BTreeSet<ValueId> =
            graph.nodes()[self.next + 1..].iter().flat_map(|later| &later.inputs).copied().collect();
        for streams in &mut self.runs {
            for (at, (values, engine)) in streams.iter_mut().zip(&mut engines).enumerate() {
                let read = |id: &ValueId| {
                    let known = values.get(id).cloned();
                    known.ok_or_else(|| Error::internal(&graph.value(*id).name, "was not made"))
                };
                let given = inputs.iter().map(read).collect::<Result<Vec<_>>>()?;
                for (&id, output) in node.outputs.iter().zip(engine.run(&given)?) {
                    if later.contains(&id) {
                        let is_quantized = at == 1;
                        values
                            .insert(id, if is_quantized { through(table, graph.value(id), &output)? } else { output });
                    }
                }
                values.retain(|id, _| later.contains(id));
            }
        }
        self.next += 1;
        Ok(())
    }
}

/// What the integers of a value stand for.
fn through(table: &Table, value: &Value, tensor: &Tensor) -> Result<Tensor> {
    let encoding = table.activations.get(&value.name);
    Ok(tensor.encode(encoding)?.decode(encoding))
}

/// A node as a partition of its own, with these inputs; `own` gives its constants.
fn alone(
    partition: &Partition,
    node: &Node,
    inputs: &BTreeSet<ValueId>,
    own: &dyn Fn(&Value, &Constant) -> Result<Constant>,
) -> Result<Partition> {
    let graph: &Graph = &partition.graph;
    let mut builder = Builder::new(node.name.clone());
    let mut known: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for &id in inputs {
        let value = graph.value(id);
        known.insert(id, builder.input(value.name.clone(), value.shape.clone(), value.element)?);
    }
    for &id in &node.inputs {
        let value = graph.value(id);
        if let Some(constant) = value.constant()
            && !known.contains_key(&id)
        {
            known.insert(id, builder.constant(value.name.clone(), own(value, constant)?)?);
        }
    }
    let ids: Vec<ValueId> = node.inputs.iter().map(|id| known[id]).collect();
    let names = node.outputs.iter().map(|&id| graph.value(id).name.clone()).collect();
    let outputs = builder.node_of(names, node.op.clone(), &ids)?;
    let ports = |ids: &mut dyn Iterator<Item = &ValueId>| -> Vec<Port> {
        ids.map(|&id| Port::plain(graph.value(id).name.clone())).collect()
    };
    Ok(Partition {
        name: node.name.clone(),
        group: partition.group.clone(),
        inputs: ports(&mut inputs.iter()),
        outputs: ports(&mut node.outputs.iter()),
        graph: Frozen::new(builder.finish(outputs))?,
    })
}
