//! What a bundle weighs: in come its partitions, their encodings and its files; out go bytes of weights, state and
//! buffers, for each partition and for a device that holds all of them.
//!
//! A device keeps the state of a sequence once, in buffers of as many tokens as the context has; the state inputs of
//! every partition are read from there. So its buffers are all other inputs and all outputs, new state among them. What
//! the NPU's driver takes beside them while a graph runs is not known here and not counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::state::{State, StateKind, StateSizes, by_kind};
use crate::back::bundle::Bundle;
use crate::back::qnn::Runtime;
use crate::encoding::IntegerType;
use crate::error::{IoContext, Result};
use crate::host::Embeddings;
use crate::ir::{ElementType, Value, ValueId};
use crate::partition::{Partition, Port, Role};
use crate::quantize::Table;
use crate::text::bytes;

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
    /// The context binary; none where there is none.
    pub binary_bytes: Option<u64>,
}

/// Constants of the same number of bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightSizes {
    /// Bits of one element.
    pub bits: u32,
    /// Number of elements.
    pub elements: u64,
    /// Bytes, two elements of 4 bits to one.
    pub bytes: u64,
}

/// What a device holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeviceSizes {
    /// Context binaries of all partitions; for one without, its weights.
    pub weight_bytes: u64,
    /// Partitions without a context binary.
    pub without_binary: usize,
    /// Keys and values of one sequence, once.
    pub kv_cache_bytes: u64,
    /// Convolution state of one sequence, once.
    pub conv_state_bytes: u64,
    /// Inputs that are not state, and outputs, of every partition.
    pub buffer_bytes: u64,
    /// The host's embedding table in the integers of the language input, as the bundle's file; 0 before `emit`.
    pub embedding_bytes: u64,
    /// All of these.
    pub total_bytes: u64,
}

/// Bytes of a tensor; elements of 4 bits are packed two to a byte.
pub fn tensor_bytes(integer: IntegerType, shape: &[usize]) -> u64 {
    let elements: u64 = shape.iter().map(|&size| size as u64).product();
    (elements * u64::from(integer.bits())).div_ceil(8)
}

/// The integers of a value of a partition.
///
/// # Errors
/// The table belongs to another graph.
pub fn integer_of(value: &Value, table: &Table) -> Result<IntegerType> {
    match (value.element, value.constant()) {
        (ElementType::I32, _) => Ok(IntegerType::Int32),
        (ElementType::F32, Some(_)) => Ok(table.param(&value.name)?.integer),
        (ElementType::F32, None) => Ok(table.activation(&value.name)?.integer),
    }
}

impl PartitionSizes {
    /// Bytes of all constants.
    pub fn weight_bytes(&self) -> u64 {
        self.weights.iter().map(|weights| weights.bytes).sum()
    }

    /// Bytes of the constants of so many bits.
    pub fn bytes_of_bits(&self, bits: u32) -> u64 {
        self.weights.iter().filter(|weights| weights.bits == bits).map(|weights| weights.bytes).sum()
    }

    fn new(partition: &Partition, table: &Table, state: &[State], binary_bytes: Option<u64>) -> Result<Self> {
        let graph = &partition.graph;
        let mut by_bits: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for (_, value) in graph.values().filter(|(_, value)| value.constant().is_some()) {
            let integer = integer_of(value, table)?;
            let (elements, bytes) = by_bits.entry(integer.bits()).or_default();
            *elements += value.shape.iter().product::<usize>() as u64;
            *bytes += tensor_bytes(integer, &value.shape);
        }
        let weights = by_bits.into_iter().map(|(bits, (elements, bytes))| WeightSizes { bits, elements, bytes });
        let sum = |ports: &[Port], ids: &[ValueId], wanted: fn(Role) -> bool| -> Result<u64> {
            let those = ports.iter().zip(ids).filter(|(port, _)| wanted(port.role));
            those.map(|(_, &id)| port_bytes(partition, table, id)).sum()
        };
        let of_kind = |kind| state.iter().filter(|state| state.kind == kind).map(|state| state.bytes).sum();
        Ok(PartitionSizes {
            name: partition.name.clone(),
            weights: weights.collect(),
            kv_cache_bytes: of_kind(StateKind::KvCache),
            conv_state_bytes: of_kind(StateKind::ConvState),
            input_bytes: sum(&partition.inputs, graph.inputs(), |_| true)?,
            state_input_bytes: sum(&partition.inputs, graph.inputs(), |role| StateKind::of(role).is_some())?,
            output_bytes: sum(&partition.outputs, graph.outputs(), |_| true)?,
            binary_bytes,
        })
    }
}

fn port_bytes(partition: &Partition, table: &Table, id: ValueId) -> Result<u64> {
    let value = partition.graph.value(id);
    Ok(tensor_bytes(integer_of(value, table)?, &value.shape))
}

impl Sizes {
    /// Sizes of a bundle whose encodings are there; files that later stages make count once they are there.
    ///
    /// # Errors
    /// A table of another graph, a context model that refers to no binary beside it.
    pub fn new(bundle: &Bundle, partitions: &[Partition], tables: &[Table]) -> Result<Self> {
        let mut made = Vec::new();
        let mut whole: BTreeMap<String, State> = BTreeMap::new();
        for (partition, table) in partitions.iter().zip(tables) {
            let context = bundle.context_model(partition);
            let mut binary_bytes = None;
            if bundle.has_file(&format!("context/{}.onnx", partition.name)) {
                let binary = Runtime::binary_of(&context)?;
                binary_bytes = Some(std::fs::metadata(&binary).at(&binary)?.len());
            }
            let state = State::of(partition, table)?;
            made.push(PartitionSizes::new(partition, table, &state, binary_bytes)?);
            for state in state {
                let known = whole.entry(state.key.clone()).or_insert_with(|| state.clone());
                if known.bytes < state.bytes {
                    *known = state;
                }
            }
        }
        let codes = bundle.path("qdq").join(Embeddings::FILE);
        let embedding_bytes = if codes.is_file() { std::fs::metadata(&codes).at(&codes)?.len() } else { 0 };
        let device = DeviceSizes::new(&made, whole.values(), embedding_bytes);
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

    /// The sizes in bytes for a terminal, one line per partition and the line of the device.
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
        format!("{}{}\n", crate::text::columns(&rows), self.line())
    }
}

impl DeviceSizes {
    fn new<'a>(partitions: &[PartitionSizes], state: impl Iterator<Item = &'a State> + Clone, embeddings: u64) -> Self {
        let weight_bytes =
            partitions.iter().map(|sizes| sizes.binary_bytes.unwrap_or_else(|| sizes.weight_bytes())).sum();
        let buffer_bytes = partitions.iter().map(|p| p.input_bytes - p.state_input_bytes + p.output_bytes).sum();
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
        }
    }
}
