//! Layers: what every operator of a partition makes, against float, in one step of each partition.
//!
//! The graph is run in parts of which all that they make is an output, as much as memory holds, each on what the part
//! before it made: the work of one run, and for every value a figure. On the NPU a part is compiled alone, and what
//! leaves it is not fused away, so the figures of layers tell where noise comes from; those of outputs tell what is
//! loaded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::Sqnr;
use super::spread::{added_percent, clamped, histogram, range, saturation_percent, seen, thinned};
use autoneural_base::error::{Error, Kind, Result};
use autoneural_base::progress::Progress;
use autoneural_core::encoding::Encoding;
use autoneural_core::evidence::Watcher;
use autoneural_core::ir::{ElementType, Node, Op};
use autoneural_core::partition::Partition;
use autoneural_core::program::Step;
use autoneural_core::quantize::{Table, cuts};
use autoneural_core::segment::{Device, Segment, halves, inside, part};
use autoneural_engines::engine::{Data, Engine, Tensor};

/// Bytes of values that leave a model at once; an engine holds them more than once.
const MOST_AT_ONCE: u64 = 256 << 20;

/// What was found of one layer.
#[derive(Debug, Clone, Default)]
pub struct LayerComparison {
    /// Name of the value.
    pub name: String,
    /// The operator that makes it.
    pub op: &'static str,
    /// SQNR against float in dB, by [`On`].
    pub db: [Option<f64>; 2],
    /// Noise that the layer adds, as a share of its signal's root mean square, in percent, by [`On`].
    pub added: [Option<f64>; 2],
    /// Bits of weights and of what it makes, such as W8A16.
    pub bits: String,
    /// Names of the values that the operator reads.
    inputs: Vec<String>,
    /// Float numbers below this one are hidden by a mask and take no part.
    floor: Option<f32>,
    /// What float numbers are cut to before they are compared: only an activation reads them that cuts them anyway.
    cut: Option<[f32; 2]>,
    /// How the elements lie: the range, and the numbers in its parts in float and quantized.
    pub histogram: ([f32; 2], Vec<u32>, Vec<u32>),
    /// Share of float elements that lie outside the encoding's range, in percent.
    pub saturation_percent: f64,
    /// Share of the encoding's range that float elements use, in percent.
    pub range_use_percent: f64,
}

/// An engine on which layers can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// The quantized model on the CPU.
    Simulation,
    /// A context binary.
    Npu,
}

impl std::fmt::Display for On {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            On::Simulation => "simulated",
            On::Npu => "on the NPU",
        })
    }
}

/// Keeps what the float reference made of every value in its last run, thinned.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<String, Vec<f32>>>);

impl Watcher for Kept {
    fn see(&self, name: &str, _: &[usize], values: &[f32]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.to_string(), thinned(values));
    }
}

impl Kept {
    /// Takes out what was kept.
    pub fn take(&self) -> BTreeMap<String, Vec<f32>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Loads a part of a partition: for the NPU a part that stays on the CPU there, too.
pub(crate) type LoadPart<'a> = dyn FnMut(&Partition, Device) -> Result<Box<dyn Engine>> + 'a;

/// Compares the layers of a partition in one step, whose float values are `kept`, on these engines; `segments` are what
/// it is carried out as where the NPU is asked for. `load` loads a part; [`Device::Cpu`] is the simulation.
///
/// # Errors
/// A model that an engine does not take, a table of another partition.
pub fn layers(
    (partition, table, segments): (&Partition, &Table, &[Segment]),
    step: &Step,
    kept: &Arc<Kept>,
    engines: &[On],
    load: &mut LoadPart,
    progress: &dyn Progress,
) -> Result<Vec<LayerComparison>> {
    let (graph, float) = (&partition.graph, kept.take());
    let (mut made, cuts) = (Vec::new(), cuts(graph, table));
    for node in graph.nodes() {
        for &id in node.outputs.iter().filter(|id| graph.value(**id).element == ElementType::F32) {
            let name = &graph.value(id).name;
            made.push(layer((partition, node), name, (table, cuts.get(name).copied()), &float)?);
        }
    }
    // What comes in has the noise of its own encoding.
    let (mut inputs, mut incoming) = (BTreeMap::new(), BTreeMap::new());
    for (port, input) in partition.inputs.iter().zip(step.inputs) {
        let encoding = table.activations.get(&port.name);
        let codes = input.encode(encoding)?;
        if encoding.is_some() {
            incoming.insert(port.name.clone(), Sqnr::of(input.as_f32()?, codes.decode(encoding).as_f32()?)?);
        }
        inputs.insert(port.name.clone(), codes);
    }
    for &on in engines {
        let whole = [whole(partition)];
        let segments = if on == On::Npu { segments } else { &whole };
        let parts = inside(partition, table, segments, MOST_AT_ONCE)?;
        run_parts((partition, table, on), parts, inputs.clone(), load, progress, &mut |name, output| {
            let layer = made.iter_mut().find(|layer| layer.name == name);
            let (Some(layer), Some(reference)) = (layer, float.get(name)) else { return Ok(()) };
            let output = thinned_real(output, table.activation(name)?)?;
            let test = seen(&output, reference, layer.floor);
            let reference = clamped(seen(reference, reference, layer.floor), layer.cut);
            layer.db[on as usize] = Some(Sqnr::of(&reference, &test)?);
            layer.histogram.2 = histogram(&test, layer.histogram.0);
            Ok(())
        })?;
    }
    add_noise(&mut made, &incoming);
    Ok(made)
}

/// Runs parts of a partition on an engine, each on what those before it made, and shows every value that they make. A part
/// that the NPU does not take is run in halves: with other outputs the compiler moves other nodes. What it does not take
/// by itself is simulated, and not shown.
fn run_parts(
    (partition, table, on): (&Partition, &Table, On),
    parts: Vec<Segment>,
    mut known: BTreeMap<String, Tensor>,
    load: &mut LoadPart,
    progress: &dyn Progress,
    see: &mut dyn FnMut(&str, &Tensor) -> Result<()>,
) -> Result<()> {
    let (count, mut left) = (parts.len(), VecDeque::from(parts));
    let mut done = 0;
    while let Some(segment) = left.pop_front() {
        done += 1;
        progress.part(&format!("{}: layers {on}, part {} of {}", partition.name, done.min(count), count));
        let opened = part(partition, &segment)?;
        let read = |name: &String| known.get(name).cloned().ok_or_else(|| Error::internal(name, "was not made"));
        let inputs = opened.inputs.iter().map(|port| read(&port.name)).collect::<Result<Vec<_>>>()?;
        let (mut engine, is_taken) = match load(&opened, segment.device) {
            Ok(engine) => (engine, true),
            Err(error) if error.kind == Kind::Toolkit && segment.device == Device::Npu => {
                if let Some([first, second]) = halves(partition, table, &segment)? {
                    left.push_front(second);
                    left.push_front(first);
                    done -= 1;
                    continue;
                }
                (load(&opened, Device::Cpu)?, false)
            }
            Err(error) => return Err(error),
        };
        let outputs = engine.run(&inputs)?;
        for (port, output) in opened.outputs.iter().zip(&outputs).filter(|_| is_taken) {
            see(&port.name, output)?;
        }
        known.extend(opened.outputs.into_iter().map(|port| port.name).zip(outputs));
        let later: BTreeSet<&str> =
            left.iter().flat_map(|part| &part.inputs).map(|id| partition.graph.value(*id).name.as_str()).collect();
        known.retain(|name, _| later.contains(name.as_str()));
    }
    Ok(())
}

/// The noise that each layer adds to that of the worst of its inputs; `incoming` has that of the partition's inputs.
fn add_noise(layers: &mut [LayerComparison], incoming: &BTreeMap<String, f64>) {
    for column in 0..2 {
        let measured: BTreeMap<String, f64> =
            layers.iter().filter_map(|layer| Some((layer.name.clone(), layer.db[column]?))).collect();
        for layer in layers.iter_mut() {
            let known = |name: &String| measured.get(name).or(incoming.get(name)).copied();
            let inputs: Option<Vec<f64>> = layer.inputs.iter().map(known).collect();
            let worst = inputs.and_then(|inputs| inputs.into_iter().reduce(f64::min));
            layer.added[column] = worst.zip(layer.db[column]).map(|(worst, own)| added_percent(worst, own));
        }
    }
}

/// All nodes of a partition, carried out by the CPU.
fn whole(partition: &Partition) -> Segment {
    let (name, nodes) = (partition.name.clone(), 0..partition.graph.nodes().len());
    Segment { name, device: Device::Cpu, nodes, inputs: vec![], outputs: vec![], why: vec![] }
}

fn layer(
    (partition, node): (&Partition, &Node),
    name: &str,
    (table, cut): (&Table, Option<[f32; 2]>),
    float: &BTreeMap<String, Vec<f32>>,
) -> Result<LayerComparison> {
    let (graph, encoding) = (&partition.graph, table.activation(name)?);
    let is_mask = |name: &str| partition.input(name).is_some_and(|at| partition.inputs[at].meaning.mask);
    let is_masked = matches!(node.op, Op::Add(_)) && node.inputs.iter().any(|id| is_mask(&graph.value(*id).name));
    let floor = is_masked.then_some(encoding.range()[0]);
    let values = float.get(name).map(Vec::as_slice).unwrap_or_default();
    let values = clamped(seen(values, values, floor), cut);
    let range = range(&values);
    let read = node.inputs.iter().map(|&id| graph.value(id));
    let weights = node.inputs.get(1).and_then(|&id| table.params.get(&graph.value(id).name));
    let weights = weights.map(|weights| format!("W{}", weights.integer.bits())).unwrap_or_default();
    Ok(LayerComparison {
        name: name.to_string(),
        op: node.op.name(),
        db: [None; 2],
        added: [None; 2],
        bits: format!("{weights}A{}", encoding.integer.bits()),
        inputs: read.filter(|value| value.constant().is_none()).map(|value| value.name.clone()).collect(),
        floor,
        cut,
        histogram: (range, histogram(&values, range), vec![]),
        saturation_percent: saturation_percent(&values, encoding),
        range_use_percent: encoding.range_use_percent(range),
    })
}

/// The real numbers of an output, thinned.
fn thinned_real(output: &Tensor, encoding: &Encoding) -> Result<Vec<f32>> {
    let data = match &output.data {
        Data::U8(codes) => Data::U8(thinned(codes)),
        Data::U16(codes) => Data::U16(thinned(codes)),
        Data::F32(values) => Data::F32(thinned(values)),
        Data::I32(values) => Data::I32(thinned(values)),
    };
    let count = data.len();
    Ok(Tensor { shape: vec![count], data }.decode(Some(encoding)).as_f32()?.to_vec())
}
