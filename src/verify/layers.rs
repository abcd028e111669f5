//! Layers: what every operator of a partition makes, against float, in one step of each partition.
//!
//! Values from inside become outputs of the quantized model, in groups that memory holds. On the NPU this changes what the
//! vendor's compiler may fuse, so the figures of layers tell where noise comes from; those of outputs tell what is loaded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::Sqnr;
use crate::encoding::Encoding;
use crate::engine::{Data, Engine, Tensor, Watcher};
use crate::error::Result;
use crate::host::Step;
use crate::ir::{ElementType, Node, ValueId};
use crate::partition::Partition;
use crate::quantize::Table;

/// Most elements of a value that are compared; of a larger one, evenly spaced ones.
const MOST: usize = 1 << 16;
/// Parts of a histogram.
const PARTS: usize = 24;
/// Bytes of values that leave a model at once, in simulation and on the NPU's emulator, which holds them more than once.
const GROUPS: [usize; 2] = [1 << 30, 256 << 20];

/// What was found of one layer.
#[derive(Debug, Clone, Default)]
pub struct LayerComparison {
    /// Name of the value.
    pub name: String,
    /// The operator that makes it.
    pub op: &'static str,
    /// Simulation against float, in dB.
    pub simulated: Option<f64>,
    /// NPU against float, in dB.
    pub npu: Option<f64>,
    /// Noise that the layer adds, as a share of its signal's root mean square, in percent; in simulation and on the NPU.
    pub added: [Option<f64>; 2],
    /// Bits of weights and of what it makes, such as W8A16.
    pub bits: String,
    /// Names of the values that the operator reads.
    inputs: Vec<String>,
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

/// Keeps what the float reference made of every value in its last run, thinned.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<String, Vec<f32>>>);

impl Watcher for Kept {
    fn see(&self, name: &str, values: &[f32]) {
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

fn thinned<T: Copy>(values: &[T]) -> Vec<T> {
    values.iter().step_by(values.len().div_ceil(MOST).max(1)).copied().collect()
}

/// Loads a partition with values from inside as outputs.
pub type LoadInside<'a> = dyn FnMut(&Partition, On) -> Result<Box<dyn Engine>> + 'a;

/// Compares the layers of a partition in one step, whose float values are `kept`, on these engines. On the NPU, whose
/// compiler takes minutes for a large graph, one group is measured: all layers where they fit, else evenly spaced ones.
///
/// # Errors
/// A model that an engine does not take, a table of another partition.
pub fn layers(
    partition: &Partition,
    table: &Table,
    step: &Step,
    kept: &Arc<Kept>,
    engines: &[On],
    load: &mut LoadInside,
) -> Result<Vec<LayerComparison>> {
    let (graph, float) = (&partition.graph, kept.take());
    let mut made = Vec::new();
    let mut inside: Vec<(ValueId, usize)> = Vec::new();
    for node in graph.nodes() {
        for &id in node.outputs.iter().filter(|id| graph.value(**id).element == ElementType::F32) {
            let value = graph.value(id);
            let encoding = table.activation(&value.name)?;
            made.push(layer(partition, node, &value.name, table, encoding, float.get(&value.name)));
            if !graph.outputs().contains(&id) {
                inside.push((id, value.shape.iter().product::<usize>() * encoding.integer.bits() as usize / 8));
            }
        }
    }
    // What comes in has the noise of its own encoding.
    let (mut inputs, mut incoming) = (Vec::new(), BTreeMap::new());
    for (port, input) in partition.inputs.iter().zip(step.inputs) {
        let encoding = table.activations.get(&port.name);
        let codes = input.encode(encoding)?;
        if encoding.is_some() {
            incoming.insert(port.name.clone(), Sqnr::of(input.as_f32()?, codes.decode(encoding).as_f32()?)?);
        }
        inputs.push(codes);
    }
    for &on in engines {
        let most = GROUPS[usize::from(on == On::Npu)];
        let mut groups = groups(&inside, most);
        if on == On::Npu && groups.len() > 1 {
            groups = vec![spaced(&inside, groups.len(), most)];
        }
        for group in groups {
            let opened = partition.with_inside(&group);
            let outputs = load(&opened, on)?.run(&inputs)?;
            for (port, output) in opened.outputs.iter().zip(&outputs) {
                let Some(layer) = made.iter_mut().find(|layer| layer.name == port.name) else { continue };
                let test = thinned_real(output, table.activation(&port.name)?)?;
                let Some(reference) = float.get(&port.name) else { continue };
                let db = Some(Sqnr::of(reference, &test)?);
                layer.histogram.2 = histogram(&test, layer.histogram.0);
                match on {
                    On::Simulation => layer.simulated = db,
                    On::Npu => layer.npu = db,
                }
            }
        }
    }
    for (column, figure) in [(|l: &LayerComparison| l.simulated) as fn(&_) -> _, |l| l.npu].into_iter().enumerate() {
        let measured: BTreeMap<String, f64> =
            made.iter().filter_map(|layer| Some((layer.name.clone(), figure(layer)?))).collect();
        for layer in &mut made {
            let known = |name: &String| measured.get(name).or(incoming.get(name)).copied();
            let inputs: Option<Vec<f64>> = layer.inputs.iter().map(known).collect();
            let worst = inputs.and_then(|inputs| inputs.into_iter().reduce(f64::min));
            layer.added[column] = worst.zip(figure(layer)).map(|(worst, own)| added_percent(worst, own));
        }
    }
    Ok(made)
}

/// Root mean square of the noise that is not that of the worst input, as a share of the signal's, in percent: noise powers
/// add up where they are independent. 0 where the layer has less noise than its input.
fn added_percent(input_db: f64, own_db: f64) -> f64 {
    let power = |db: f64| 10f64.powf(-db / 10.0);
    100.0 * (power(own_db) - power(input_db)).max(0.0).sqrt()
}

fn layer(
    partition: &Partition,
    node: &Node,
    name: &str,
    table: &Table,
    encoding: &Encoding,
    float: Option<&Vec<f32>>,
) -> LayerComparison {
    let graph = &partition.graph;
    let [low, high] = encoding.range();
    let values = float.map(Vec::as_slice).unwrap_or_default();
    // What is rounded to an end of the range is not outside it.
    let half = encoding.scale[0] / 2.0;
    let outside = values.iter().filter(|&&value| value < low - half || value > high + half).count();
    let (least, most) = values.iter().fold((0f32, 0f32), |(least, most), &value| (least.min(value), most.max(value)));
    let percent = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
    let read = node.inputs.iter().map(|&id| graph.value(id));
    let weights = node.inputs.get(1).and_then(|&id| table.params.get(&graph.value(id).name));
    let weights = weights.map(|weights| format!("W{}", weights.integer.bits())).unwrap_or_default();
    LayerComparison {
        name: name.to_string(),
        op: node.op.name(),
        simulated: None,
        npu: None,
        added: [None; 2],
        bits: format!("{weights}A{}", encoding.integer.bits()),
        inputs: read.filter(|value| value.constant().is_none()).map(|value| value.name.clone()).collect(),
        histogram: ([least, most], histogram(values, [least, most]), vec![]),
        saturation_percent: percent(outside as f64, values.len() as f64),
        range_use_percent: percent(f64::from(most.min(high) - least.max(low)), f64::from(high - low)),
    }
}

/// Numbers in equal parts of a range; what lies outside is in the first or the last.
fn histogram(values: &[f32], [low, high]: [f32; 2]) -> Vec<u32> {
    let mut made = vec![0; PARTS];
    let part = (f64::from(high) - f64::from(low)) / PARTS as f64;
    for &value in values {
        let at = if part > 0.0 { ((f64::from(value) - f64::from(low)) / part) as usize } else { 0 };
        made[at.min(PARTS - 1)] += 1;
    }
    made
}

/// Values in a row, as many as leave a model at once.
fn groups(inside: &[(ValueId, usize)], most: usize) -> Vec<Vec<ValueId>> {
    let mut made: Vec<Vec<ValueId>> = vec![vec![]];
    let mut bytes = 0;
    for &(id, size) in inside {
        if bytes + size > most && !made[made.len() - 1].is_empty() {
            made.push(vec![]);
            bytes = 0;
        }
        bytes += size;
        if let Some(group) = made.last_mut() {
            group.push(id);
        }
    }
    made
}

/// One of `every` values, as far as they fit into one group.
fn spaced(inside: &[(ValueId, usize)], every: usize, most: usize) -> Vec<ValueId> {
    let chosen: Vec<(ValueId, usize)> = inside.iter().step_by(every).copied().collect();
    groups(&chosen, most).swap_remove(0)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Builder, Op};

    #[test]
    fn groups_hold_every_value_once_and_spaced_ones_fit() {
        let mut b = Builder::new("g");
        let mut x = b.input("x", vec![1], ElementType::F32).unwrap();
        let mut inside = Vec::new();
        for (index, size) in [50, 50, 1, 200, 5].into_iter().enumerate() {
            x = b.node(format!("n{index}"), Op::Neg, &[x]).unwrap();
            inside.push((x, size));
        }
        let made = groups(&inside, 100);
        let sizes: Vec<usize> = made.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
        assert_eq!(made.concat(), inside.iter().map(|(id, _)| *id).collect::<Vec<_>>());
        assert_eq!(spaced(&inside, 2, 100), [inside[0].0, inside[2].0, inside[4].0]);
        assert_eq!(spaced(&inside, 3, 100), [inside[0].0]);
    }

    #[test]
    fn noise_that_came_in_is_not_added() {
        assert_eq!(added_percent(30.0, 30.0), 0.0);
        assert_eq!(added_percent(20.0, 40.0), 0.0);
        assert!((added_percent(200.0, 40.0) - 1.0).abs() < 1e-6);
        assert!((added_percent(40.0, 40.0 - 10.0 * 2f64.log10()) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_histogram_counts_every_number_once() {
        let made = histogram(&[-9.0, 0.0, 0.49, 23.5, 24.0, 99.0], [0.0, 24.0]);
        assert_eq!((made[0], made[23], made.iter().sum::<u32>()), (3, 3, 6));
        assert_eq!(histogram(&[1.0, 1.0], [1.0, 1.0])[0], 2);
    }

    #[test]
    fn large_values_are_thinned_evenly() {
        let values: Vec<usize> = (0..3 * MOST).collect();
        assert_eq!(thinned(&values), (0..MOST).map(|at| 3 * at).collect::<Vec<_>>());
        assert_eq!(thinned(&[1, 2, 3]), [1, 2, 3]);
    }
}
