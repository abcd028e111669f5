//! The sizes of a bundle: bytes of weights, state and buffers, for each partition and for a device that holds all of
//! them. They follow from its partitions, their encodings and its files.
//!
//! A device keeps the state of a sequence once, in buffers of as many tokens as the context has; the state inputs of
//! every partition are read from there. So its buffers are all other inputs and all outputs, new state among them. What
//! the NPU's driver takes beside them while a graph runs is not known here and not counted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::limits::Limits;
use super::state::{State, StateKind, StateSizes, by_kind};
use autoneural_base::error::{IoContext, Result};
use autoneural_base::text::bytes;
use autoneural_bundle::Bundle;
use autoneural_core::ir::ValueId;
use autoneural_core::partition::{Partition, Port};
use autoneural_core::quantize::Table;
use autoneural_core::segment::{Device, Segment, segments};
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::Runtime;

/// Sizes of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// One entry per partition.
    pub partitions: Vec<PartitionSizes>,
    /// The state of one sequence, by kind and integer type.
    pub state: Vec<StateSizes>,
    /// What a device holds to run all partitions.
    pub device: DeviceSizes,
}

/// Sizes of one partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionSizes {
    /// Name of the partition.
    pub name: String,
    /// Its constants by bits, fewest first; scales and zero points are not among them.
    pub weights: Vec<WeightSizes>,
    /// Keys and values of one sequence, in whole, that it reads and adds to.
    pub kv_cache_bytes: u64,
    /// Convolution state of one sequence that it reads and replaces.
    pub conv_state_bytes: u64,
    /// All inputs in their integer types, state among them.
    pub input_bytes: u64,
    /// Those of them that are state.
    pub state_input_bytes: u64,
    /// All outputs in their integer types, new state among them.
    pub output_bytes: u64,
    /// The context binaries, one for each segment on the NPU; `None` if they are not there.
    pub binary_bytes: Option<u64>,
    /// Constants of segments on the CPU, which are in no context binary.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cpu_weight_bytes: u64,
    /// Values that segments hand to each other.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handover_bytes: u64,
}

/// Constants of the same number of bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightSizes {
    /// Bits of one element.
    pub bits: u32,
    /// Number of elements.
    pub elements: u64,
    /// Bytes, two elements of 4 bits to one, without scales.
    pub bytes: u64,
    /// Bytes of their scales; see [`autoneural_core::encoding::Encoding::scale_bytes`].
    #[serde(default)]
    pub scale_bytes: u64,
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceSizes {
    /// Context binaries of all partitions, for one without its weights, and the weights of segments on the CPU.
    pub weight_bytes: u64,
    /// Partitions without a context binary.
    pub without_binary: usize,
    /// Keys and values of one sequence, once.
    pub kv_cache_bytes: u64,
    /// Convolution state of one sequence, once.
    pub conv_state_bytes: u64,
    /// Inputs that are not state, and outputs, of every partition, and what its segments hand to each other.
    pub buffer_bytes: u64,
    /// The host's embedding table as the bundle's file; 0 before `emit`, and where there is none.
    pub embedding_bytes: u64,
    /// All of these.
    pub total_bytes: u64,
    /// The limits that the target states for this.
    #[serde(default)]
    pub limits: Limits,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// Size of the context binary of a segment; `None` if there is none.
///
/// # Errors
/// A context model that refers to no binary beside it.
pub(crate) fn binary_bytes(bundle: &Bundle, segment: &Segment) -> Result<Option<u64>> {
    if segment.device == Device::Cpu || !bundle.has_file(&segment.file()) {
        return Ok(None);
    }
    let binary = Runtime::binary_of(&bundle.path(segment.file()))?;
    Ok(Some(std::fs::metadata(&binary).reading(&binary)?.len()))
}

impl PartitionSizes {
    /// Bytes of all constants.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.iter().map(|weights| weights.bytes).sum()
    }

    /// Bytes of the scales of all constants.
    pub fn scale_bytes(&self) -> u64 {
        self.weights.iter().map(|weights| weights.scale_bytes).sum()
    }

    /// Bytes of the constants of so many bits.
    pub fn bytes_of_bits(&self, bits: u32) -> u64 {
        self.weights.iter().filter(|weights| weights.bits == bits).map(|weights| weights.bytes).sum()
    }

    fn new(
        partition: &Partition,
        table: &Table,
        state: &[State],
        segments: &[Segment],
        binary_bytes: Option<u64>,
    ) -> Result<Self> {
        let graph = &partition.graph;
        let bytes_of =
            |ids: BTreeSet<ValueId>| -> Result<u64> { ids.into_iter().map(|id| table.bytes_of(graph.value(id))).sum() };
        let on_cpu = segments.iter().filter(|segment| segment.device == Device::Cpu);
        let read = on_cpu.flat_map(|segment| &graph.nodes()[segment.nodes.clone()]).flat_map(|node| &node.inputs);
        let cpu_weights = read.copied().filter(|&id| graph.value(id).constant().is_some()).collect();
        let inner = segments.iter().flat_map(|segment| &segment.inputs).copied();
        let handed_over = inner.filter(|id| !graph.inputs().contains(id)).collect();
        let mut by_bits: BTreeMap<u32, WeightSizes> = BTreeMap::new();
        for (_, value) in graph.values().filter(|(_, value)| value.constant().is_some()) {
            let (bits, scale_bytes) = match value.element.is_real() {
                true => {
                    let encoding = table.param(&value.name)?;
                    (encoding.integer.bits(), encoding.scale_bytes(&value.shape))
                }
                false => (8 * value.element.bytes() as u32, 0),
            };
            let empty = WeightSizes { bits, elements: 0, bytes: 0, scale_bytes: 0 };
            let sizes = by_bits.entry(bits).or_insert(empty);
            sizes.elements += value.shape.iter().product::<usize>() as u64;
            sizes.bytes += table.bytes_of(value)?;
            sizes.scale_bytes += scale_bytes;
        }
        let sum = |ports: &[Port], ids: &[ValueId], wanted: fn(&Port) -> bool| -> Result<u64> {
            let those = ports.iter().zip(ids).filter(|(port, _)| wanted(port));
            those.map(|(_, &id)| table.bytes_of(graph.value(id))).sum()
        };
        let of_kind = |kind| state.iter().filter(|state| state.kind == kind).map(|state| state.bytes).sum();
        Ok(PartitionSizes {
            name: partition.name.clone(),
            weights: by_bits.into_values().collect(),
            kv_cache_bytes: of_kind(StateKind::KvCache),
            conv_state_bytes: of_kind(StateKind::ConvState),
            input_bytes: sum(&partition.inputs, graph.inputs(), |_| true)?,
            state_input_bytes: sum(&partition.inputs, graph.inputs(), |port| port.meaning.state.is_some())?,
            output_bytes: sum(&partition.outputs, graph.outputs(), |_| true)?,
            binary_bytes,
            cpu_weight_bytes: bytes_of(cpu_weights)?,
            handover_bytes: bytes_of(handed_over)?,
        })
    }
}

impl Sizes {
    /// Sizes of a bundle whose encodings are there; files that later stages make count once they are there.
    ///
    /// # Errors
    /// A table of another graph, a context model that refers to no binary beside it.
    pub fn new(bundle: &Bundle, partitions: &[Partition], tables: &[Table]) -> Result<Self> {
        let mut made = Vec::new();
        let mut whole: BTreeMap<String, State> = BTreeMap::new();
        let (target, mut binaries) = (bundle.target()?, BTreeMap::new());
        for (partition, table) in partitions.iter().zip(tables) {
            let segments = segments(partition, table, &target)?;
            let on_npu = segments.iter().filter(|segment| segment.device == Device::Npu);
            let mut all = vec![];
            for segment in on_npu {
                let found = binary_bytes(bundle, segment)?;
                binaries.extend(found.map(|bytes| (segment.name.clone(), bytes)));
                all.push(found);
            }
            let binary_bytes = all.into_iter().sum::<Option<u64>>().filter(|bytes| *bytes > 0);
            let state = State::of(partition, table)?;
            made.push(PartitionSizes::new(partition, table, &state, &segments, binary_bytes)?);
            for state in state {
                let known = whole.entry(state.key.clone()).or_insert_with(|| state.clone());
                if known.bytes < state.bytes {
                    *known = state;
                }
            }
        }
        let codes = bundle.manifest.host.embedding.as_ref().filter(|table| bundle.has_file(&table.file));
        let codes = codes.map(|table| bundle.path(&table.file));
        let embedding_bytes = codes.map_or(Ok(0), |codes| Ok(std::fs::metadata(&codes).reading(&codes)?.len()))?;
        let device = DeviceSizes::new(&made, whole.values(), embedding_bytes, &target, binaries);
        Ok(Sizes { partitions: made, state: by_kind(whole.values()), device })
    }

    /// One line: what a device holds.
    pub fn line(&self) -> String {
        let device = &self.device;
        let weights = match device.without_binary {
            0 => "weights in context binaries",
            missing if missing == self.partitions.len() => "weights (there are no context binaries)",
            _ => "weights, in context binaries where there are some",
        };
        let embeddings = match device.embedding_bytes {
            0 => String::new(),
            size => format!(", embedding table {}", bytes(size)),
        };
        format!(
            "a device holds {}: {weights} {}, KV cache {}, conv state {}, buffers {}{embeddings}",
            bytes(device.total_bytes),
            bytes(device.weight_bytes),
            bytes(device.kv_cache_bytes),
            bytes(device.conv_state_bytes),
            bytes(device.buffer_bytes),
        )
    }

    /// The sizes in bytes for a terminal, one line per partition and the lines of the device.
    pub fn table(&self) -> String {
        let titles =
            ["bytes of", "4 bit", "8 bit", "16 bit", "32 bit", "KV cache", "conv state", "inputs", "outputs", "binary"];
        let mut rows = vec![titles.map(String::from)];
        for sizes in &self.partitions {
            let figures = [
                sizes.bytes_of_bits(4),
                sizes.bytes_of_bits(8),
                sizes.bytes_of_bits(16),
                sizes.bytes_of_bits(32),
                sizes.kv_cache_bytes,
                sizes.conv_state_bytes,
                sizes.input_bytes,
                sizes.output_bytes,
            ];
            let mut row = vec![sizes.name.clone()];
            row.extend(figures.iter().map(|&figure| if figure == 0 { "-".into() } else { figure.to_string() }));
            row.push(sizes.binary_bytes.map_or("-".into(), |bytes| bytes.to_string()));
            rows.extend(<[String; 10]>::try_from(row));
        }
        let lines = [vec![self.line()], self.device.limits.lines()].concat();
        let lines: String = lines.iter().map(|line| format!("{}\n", autoneural_base::shown::in_line(line))).collect();
        autoneural_base::text::columns(&rows) + &lines
    }
}

impl DeviceSizes {
    fn new<'a>(
        partitions: &[PartitionSizes],
        state: impl Iterator<Item = &'a State> + Clone,
        embeddings: u64,
        target: &Target,
        binaries: BTreeMap<String, u64>,
    ) -> Self {
        let on_npu = |p: &PartitionSizes| p.binary_bytes.unwrap_or(p.weight_bytes().saturating_sub(p.cpu_weight_bytes));
        let npu_bytes: u64 = partitions.iter().map(on_npu).sum();
        let weight_bytes = npu_bytes + partitions.iter().map(|sizes| sizes.cpu_weight_bytes).sum::<u64>();
        let buffers = |p: &PartitionSizes| p.input_bytes - p.state_input_bytes + p.output_bytes + p.handover_bytes;
        let buffer_bytes = partitions.iter().map(buffers).sum();
        let of_kind = |kind| -> u64 { state.clone().filter(|state| state.kind == kind).map(|state| state.bytes).sum() };
        let (kv_cache_bytes, conv_state_bytes) = (of_kind(StateKind::KvCache), of_kind(StateKind::ConvState));
        DeviceSizes {
            weight_bytes,
            without_binary: partitions.iter().filter(|sizes| sizes.binary_bytes.is_none()).count(),
            kv_cache_bytes,
            conv_state_bytes,
            buffer_bytes,
            embedding_bytes: embeddings,
            total_bytes: weight_bytes + kv_cache_bytes + conv_state_bytes + buffer_bytes + embeddings,
            limits: Limits::new(&target.memory, npu_bytes + kv_cache_bytes + conv_state_bytes + buffer_bytes, binaries),
        }
    }
}
