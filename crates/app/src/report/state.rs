//! The state of a sequence and its sizes: in come the ports of partitions, out go the buffers that a host keeps from
//! step to step, in whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use autoneural_base::error::Result;
use autoneural_core::encoding::IntegerType;
use autoneural_core::partition::Partition;
use autoneural_core::program;
use autoneural_core::quantize::Table;

/// Kinds of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKind {
    /// Keys and values of attention.
    KvCache,
    /// Last columns of short convolutions.
    ConvState,
}

impl StateKind {
    /// The kind of a state.
    fn of(state: program::State) -> Self {
        match state {
            program::State::Append { .. } => StateKind::KvCache,
            program::State::Replace { .. } => StateKind::ConvState,
        }
    }
}

/// State of one kind and integer type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateSizes {
    /// What it is.
    pub kind: StateKind,
    /// Its integers.
    pub integer: IntegerType,
    /// Layers that have such state.
    pub layers: usize,
    /// Tokens that it has room for; for convolutions the columns it keeps.
    pub tokens: usize,
    /// Bytes of all layers.
    pub bytes: u64,
}

/// One buffer of a sequence's state, in whole.
#[derive(Clone)]
pub(crate) struct State {
    /// Its encoding key, the same in every partition.
    pub key: String,
    /// What it is.
    pub kind: StateKind,
    /// Its integers.
    pub integer: IntegerType,
    /// Tokens or columns that it has room for.
    pub tokens: usize,
    /// Its size.
    pub bytes: u64,
}

impl State {
    /// The state that a partition reads. A buffer of keys or values has room for the tokens that the partition reads
    /// and those that it adds, which together are the context.
    ///
    /// # Errors
    /// The table belongs to another graph.
    pub(crate) fn of(partition: &Partition, table: &Table) -> Result<Vec<State>> {
        let graph = &partition.graph;
        let mut found = Vec::new();
        for (port, &id) in partition.inputs.iter().zip(graph.inputs()) {
            let Some(state) = port.meaning.state else { continue };
            let (value, kind, axis) = (graph.value(id), StateKind::of(state), state.axis());
            let mut shape = value.shape.clone();
            let new = partition.outputs.iter().position(|output| output.encoding_key == port.encoding_key);
            if let (StateKind::KvCache, Some(new)) = (kind, new) {
                shape[axis] += graph.value(graph.outputs()[new]).shape[axis];
            }
            let integer = table.integer_of(value)?;
            let (key, bytes) = (port.encoding_key.clone(), integer.bytes_of(&shape));
            found.push(State { key, kind, integer, tokens: shape[axis], bytes });
        }
        Ok(found)
    }
}

/// Buffers put together by kind, integers and tokens.
pub(crate) fn by_kind<'a>(state: impl Iterator<Item = &'a State>) -> Vec<StateSizes> {
    let mut made: BTreeMap<(StateKind, IntegerType, usize), (u64, BTreeSet<&str>)> = BTreeMap::new();
    for state in state {
        let (bytes, layers) = made.entry((state.kind, state.integer, state.tokens)).or_default();
        *bytes += state.bytes;
        // Keys and values of a layer have keys that differ behind the last dot.
        layers.insert(state.key.rsplit_once('.').map_or(&state.key, |(layer, _)| layer));
    }
    let entry = |((kind, integer, tokens), (bytes, layers)): ((StateKind, IntegerType, usize), (u64, _))| {
        let layers: BTreeSet<&str> = layers;
        StateSizes { kind, integer, layers: layers.len(), tokens, bytes }
    };
    made.into_iter().map(entry).collect()
}
