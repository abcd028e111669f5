//! The quantized prefix: samples run through the layers that are already rounded, beside the float model, node by node.
//! So what a layer really reads is known before it is rounded, and every node runs only once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;

use crate::runs;
use autoneural_base::error::{Error, Result};
use autoneural_bundle::Bundle;
use autoneural_core::evidence::{Ask, EvidenceSource, Means, Observer, PairedMoments};
use autoneural_core::ir::ops::Rows;
use autoneural_core::ir::{Constant, Node, Value, ValueId};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::{Table, weight};
use autoneural_core::segment::{Segment, part_with, span};
use autoneural_engines::engine::{Data, Engine, Reference, Tensor};

/// The numbers of a run, by value.
type Stream = BTreeMap<ValueId, Tensor>;

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
    /// The runs in float.
    float: Vec<Stream>,
    /// The same behind quantized layers.
    quantized: Vec<Stream>,
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
            let (mut float, mut quantized) = (Vec::new(), Vec::new());
            for inputs in runs::kept(bundle, partition)? {
                let ids = partition.graph.inputs().iter().copied();
                let run: Stream = ids.zip(inputs).collect();
                let own = run.iter().map(|(&id, one)| (id, through(table, partition.graph.value(id), one.clone())));
                quantized.push(own.collect());
                float.push(run);
            }
            if !float.is_empty() {
                walks.push(Walk { partition, table, next: 0, float, quantized });
            }
        }
        if walks.is_empty() {
            let place = bundle.path("calibration").display().to_string();
            return Err(Error::input(place, "has no runs of these graphs, which the rounding method wants")
                .help("`autoneural calibrate` with the same recipe keeps them"));
        }
        Ok(Prefix { collected, walks: RefCell::new(walks), rounded: RefCell::default() })
    }

    /// Runs the graphs that have a value until it is there, and gives `each` the columns of its rows and its numbers in each
    /// run, in float and behind quantized layers.
    fn visit(&self, site: &str, rows: &Rows, each: &mut dyn FnMut(usize, [&Tensor; 2]) -> Result<()>) -> Result<()> {
        for walk in self.walks.borrow_mut().iter_mut() {
            let graph = &walk.partition.graph;
            let Some(id) = graph.find(site) else { continue };
            let Some(width) = rows.width(&graph.value(id).shape) else { continue };
            walk.advance_to(id, &self.rounded.borrow())?;
            for (float, quantized) in walk.float.iter().zip(&walk.quantized) {
                let (Some(float), Some(quantized)) = (float.get(&id), quantized.get(&id)) else {
                    return Err(Error::internal(site, "was let go before its layer was rounded"));
                };
                each(width, [float, quantized])?;
            }
        }
        Ok(())
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
        self.visit(site, rows, &mut |width, [float, quantized]| {
            let made = all.get_or_insert_with(|| PairedMoments::new(width, rows.groups()));
            made.observe(rows, &float.shape, float.as_f32()?, quantized.as_f32()?);
            Ok(())
        })?;
        Ok(all)
    }

    fn paired_means(&self, site: &str, rows: &Rows) -> Result<Option<[Means; 2]>> {
        let mut all: Option<[Means; 2]> = None;
        self.visit(site, rows, &mut |width, streams| {
            let made = all.get_or_insert_with(|| [(); 2].map(|()| Means::new(width, rows.groups())));
            for (made, stream) in made.iter_mut().zip(streams) {
                made.observe(rows, &stream.shape, stream.as_f32()?);
            }
            Ok(())
        })?;
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
        let of_float = |_: &Value, constant: &Constant| constant.clone();
        let of_rounded = self.constants(node, rounded)?;
        let own = |value: &Value, constant: &Constant| of_rounded.get(&value.name).unwrap_or(constant).clone();
        let segment = Segment { outputs: node.outputs.clone(), ..span(self.partition, self.next..self.next + 1) };
        let engines = [part_with(self.partition, &segment, &of_float)?, part_with(self.partition, &segment, &own)?];
        // What later nodes read, and what layers read that are not rounded yet: nodes may share the weights of one.
        let is_open = |node: &&Node| weight(graph, node).is_some_and(|value| !rounded.contains_key(&value.name));
        let open = graph.nodes()[..=self.next].iter().filter(is_open);
        let later: BTreeSet<ValueId> =
            graph.nodes()[self.next + 1..].iter().chain(open).flat_map(|node| &node.inputs).copied().collect();
        let pass = |partition: &Partition, streams: &mut Vec<Stream>, is_quantized: bool| -> Result<()> {
            let mut engine = Reference::of_graph(partition)?;
            for values in streams {
                let read = |id: &ValueId| {
                    let known = values.get(id).cloned();
                    known.ok_or_else(|| Error::internal(&graph.value(*id).name, "was not made"))
                };
                let given = segment.inputs.iter().map(read).collect::<Result<Vec<_>>>()?;
                for (&id, output) in node.outputs.iter().zip(engine.run(&given)?) {
                    if later.contains(&id) {
                        let kept = if is_quantized { through(table, graph.value(id), output) } else { output };
                        values.insert(id, kept);
                    }
                }
                values.retain(|id, _| later.contains(id));
            }
            Ok(())
        };
        let (float, quantized) = (&mut self.float, &mut self.quantized);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| pass(&engines[0], float, false));
            let own = pass(&engines[1], quantized, true);
            other.join().unwrap_or_else(|panic| resume_unwind(panic)).and(own)
        })?;
        self.next += 1;
        Ok(())
    }

    /// The numbers of a node's constants as far as they are encoded: what they were rounded to, or their nearest integers.
    fn constants(&self, node: &Node, rounded: &BTreeMap<String, Vec<f32>>) -> Result<BTreeMap<String, Constant>> {
        let mut made = BTreeMap::new();
        for value in node.inputs.iter().map(|&id| self.partition.graph.value(id)) {
            let Some(constant) = value.constant().filter(|_| value.element.is_real()) else { continue };
            let numbers = match rounded.get(&value.name) {
                Some(numbers) => numbers.clone(),
                None => self.table.param(&value.name)?.through(&constant.to_f32(), &value.shape),
            };
            made.insert(value.name.clone(), Constant::from_values(numbers, value.shape.clone()));
        }
        Ok(made)
    }
}

/// What the integers of a value stand for.
fn through(table: &Table, value: &Value, tensor: Tensor) -> Tensor {
    match (table.activations.get(&value.name), &tensor.data) {
        (Some(encoding), Data::F32(values)) => {
            Tensor::f32(tensor.shape.clone(), encoding.through(values, &tensor.shape))
        }
        _ => tensor,
    }
}
