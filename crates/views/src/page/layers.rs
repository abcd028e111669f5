//! The layers of a bundle as data of the page: the graphs tell what there is and what reads what, encodings and
//! statistics its numbers, the report its SQNR as far as it was measured.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;

use autoneural_app::report::{Columns, Histogram, LayerReport, PartitionReport, Report};
use autoneural_base::error::Result;
use autoneural_bundle::{Bundle, GivenFiles, round};
use autoneural_core::encoding::{Encoding, IntegerType};
use autoneural_core::evidence::StatisticsTable;
use autoneural_core::ir::{Graph, Node};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::{RangeSource, Sources, Table, weight};
use autoneural_core::recipe::Recipe;
use autoneural_core::segment::multiply_adds;

/// The layers of a partition.
#[derive(Debug, Serialize)]
pub(crate) struct PartitionLayers {
    /// Name of the partition.
    pub name: String,
    /// Whether the report has figures of layers, beside those of outputs.
    pub measured: bool,
    /// The layers in an order in which they can run.
    pub layers: Vec<Layer>,
    /// Multiplications with addition of one run.
    #[serde(skip)]
    pub multiply_adds: u64,
}

/// A tensor that an operator makes.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Layer {
    /// Its name.
    pub name: String,
    /// The operator.
    pub op: String,
    /// Whether it only moves what another layer made, and its noise with it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub moves: bool,
    /// Sizes of its axes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
    /// Bits of activation and weights, such as W8A16.
    pub bits: String,
    /// SQNR in dB, simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sim: Option<f64>,
    /// SQNR in dB on the NPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub npu: Option<f64>,
    /// Noise that the layer adds, in percent of its signal, on the NPU where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<f64>,
    /// Share of elements outside the range in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation: Option<f64>,
    /// Share of the encoding's range that was used in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range_use: Option<f64>,
    /// How float and quantized numbers lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// How it got its encoding and its weights theirs, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The encoding in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub encoding: String,
    /// The lowest and the highest number that it can hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<[f32; 2]>,
    /// The lowest and the highest number that calibration saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<[f32; 2]>,
    /// The run of calibration after which the range was as it is, and how many runs there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<[u64; 2]>,
    /// Numbers that calibration saw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Layers that it reads, by their place in the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<usize>,
    /// Inputs of the partition that it reads, and constants in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// SQNR of the other bundle, on the NPU and simulated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Columns>,
}

impl Layer {
    /// SQNR that sorts: the NPU's where it was measured.
    pub(crate) fn db(&self) -> Option<f64> {
        self.npu.or(self.sim)
    }
}

/// The layers of every partition of the report.
///
/// # Errors
/// Damaged files.
pub(crate) fn parts(
    bundle: &Bundle,
    recipe: &Recipe,
    report: &Report,
    against: Option<&Report>,
) -> Result<Vec<PartitionLayers>> {
    let partitions = bundle.partitions()?;
    let tables = bundle.tables(&partitions)?;
    let (statistics, target) = (bundle.statistics()?, bundle.target()?);
    let given = GivenFiles::of_bundle(bundle)?.resolved(bundle, &partitions)?;
    let sources = Sources::new(&partitions, &statistics, recipe, &target, &given)?;
    let mut parts = Vec::new();
    for (partition, table) in partitions.iter().zip(&tables) {
        let Some(found) = report.partitions.iter().find(|found| found.name == partition.name) else { continue };
        let mut layers = of_graph(partition, table, &statistics, recipe, &sources);
        let figures = figures(found);
        let other = against.and_then(|report| report.partitions.iter().find(|other| other.name == found.name));
        let other = other.map(self::figures).unwrap_or_default();
        for layer in &mut layers {
            if let Some(figures) = figures.get(layer.name.as_str()) {
                add(layer, figures);
            }
            layer.other = other.get(layer.name.as_str()).map(|figures| figures.sqnr_db);
        }
        let (name, measured, graph) = (found.name.clone(), !found.layers.is_empty(), &partition.graph);
        let multiply_adds =
            graph.nodes().iter().fold(0, |sum: u64, node| sum.saturating_add(multiply_adds(graph, node)));
        parts.push(PartitionLayers { name, measured, layers, multiply_adds });
    }
    Ok(parts)
}

/// What the report says of tensors, by name: of layers, else of outputs.
fn figures(partition: &PartitionReport) -> BTreeMap<&str, LayerReport> {
    let outputs = partition.outputs.iter().map(|output| {
        let (name, sqnr_db) = (output.name.clone(), output.sqnr_db);
        let layer = LayerReport { name, sqnr_db, ..LayerReport::default() };
        (output.name.as_str(), layer)
    });
    let layers = partition.layers.iter().map(|layer| (layer.name.as_str(), layer.clone()));
    outputs.chain(layers).collect()
}

fn add(layer: &mut Layer, figures: &LayerReport) {
    (layer.sim, layer.npu) = (figures.sqnr_db.simulated, figures.sqnr_db.npu);
    layer.added = figures.added_percent.npu.or(figures.added_percent.simulated);
    layer.saturation = figures.saturation_percent;
    layer.histogram.clone_from(&figures.histogram);
    layer.range_use = figures.range_use_percent.or(layer.range_use);
    if !figures.op.is_empty() {
        layer.op.clone_from(&figures.op);
    }
    if !figures.bits.is_empty() {
        layer.bits.clone_from(&figures.bits);
    }
}

fn of_graph(
    partition: &Partition,
    table: &Table,
    statistics: &StatisticsTable,
    recipe: &Recipe,
    sources: &Sources,
) -> Vec<Layer> {
    let graph = &partition.graph;
    let mut places = HashMap::new();
    let mut layers: Vec<Layer> = Vec::new();
    for node in graph.nodes() {
        let mut reads = Vec::new();
        let mut others = Vec::new();
        for id in &node.inputs {
            match places.get(id) {
                Some(place) => reads.push(*place),
                None => others.push(other(graph, *id, table)),
            }
        }
        for id in &node.outputs {
            let value = graph.value(*id);
            places.insert(*id, layers.len());
            let mut layer = Layer {
                name: value.name.clone(),
                op: node.op.name().to_string(),
                moves: node.op.moves_data_only(),
                shape: value.shape.clone(),
                reads: reads.clone(),
                others: others.clone(),
                method: method(partition, node, &value.name, recipe, sources),
                ..Layer::default()
            };
            let encoding = table.activations.get(&value.name);
            if let Some(encoding) = encoding {
                let weights = node.inputs.iter().filter_map(|id| table.params.get(&graph.value(*id).name));
                numbers(&mut layer, encoding, weights.map(|weights| weights.integer));
            }
            if let Some(seen) = statistics.get(&partition.group, &value.name) {
                (layer.seen, layer.count) = (Some([seen.min, seen.max]), Some(seen.count));
                layer.settled = (seen.runs > 0).then_some([seen.settled, seen.runs]);
                layer.range_use = encoding.map(|encoding| round(encoding.range_use_percent([seen.min, seen.max])));
            }
            layers.push(layer);
        }
    }
    layers
}

fn numbers(layer: &mut Layer, encoding: &Encoding, weights: impl Iterator<Item = IntegerType>) {
    let bits = weights.filter(|integer| *integer != IntegerType::Int32).map(IntegerType::bits).min();
    let activations = encoding.integer.bits();
    layer.bits = bits.map_or(format!("A{activations}"), |bits| format!("W{bits}A{activations}"));
    let (scale, zero_point) = (encoding.scale[0], encoding.zero_point[0]);
    layer.encoding = format!("{}, scale {scale:e}, zero point {zero_point}", encoding.integer.name());
    layer.holds = Some(encoding.range());
}

/// How a layer got its encoding, and its weights theirs.
fn method(partition: &Partition, node: &Node, name: &str, recipe: &Recipe, sources: &Sources) -> String {
    let exception = |name: &str, signed| recipe.exception(name, signed).map_or("", |_| ", type by an override");
    let file = |path: &str| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = sources.activation(&partition.group, name).map(|source| match source {
        RangeSource::Given(path) => format!("given in {}", file(path)),
        RangeSource::Known => "known range".into(),
        RangeSource::Masked => "scores that the mask leaves".into(),
        RangeSource::Behind => "range of the activation behind it".into(),
        RangeSource::Seen => {
            recipe.part(&partition.group).map_or_else(|_| String::new(), |part| part.observer.to_string())
        }
    });
    let mut made: Vec<String> = own.map(|own| own + exception(name, false)).into_iter().collect();
    if let Some(weight) = weight(&partition.graph, node) {
        let given = sources.file_of_param(&weight.name).map(|path| format!("given in {}", file(path)));
        let given = given.unwrap_or("largest magnitude".into());
        made.push(format!("weights {given}{}", exception(&weight.name, true)));
    }
    made.join("; ")
}

/// An input of the partition or a constant, in words.
fn other(graph: &Graph, id: autoneural_core::ir::ValueId, table: &Table) -> String {
    let value = graph.value(id);
    if value.constant().is_none() {
        return format!("{} (input)", value.name);
    }
    match table.params.get(&value.name) {
        Some(encoding) => {
            let largest = encoding.scale.iter().copied().fold(0.0, f32::max);
            let scales = match encoding.scale.len() {
                1 => format!("scale {largest:e}"),
                count => format!("{count} scales to {largest:e}"),
            };
            format!("{} ({}, {scales})", value.name, encoding.integer.name())
        }
        None => format!("{} (constant)", value.name),
    }
}
