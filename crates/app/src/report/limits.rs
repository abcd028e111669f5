//! Compares what a bundle needs with what the target says that a device can hold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use autoneural_base::text::bytes;
use autoneural_core::target::Memory;

/// The memory that a bundle needs, and the limits that its target states.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of context binaries, state and buffers: what one process on the NPU maps if it loads all partitions at
    /// once.
    pub process_bytes: u64,
    /// How much it can map; `None` if the target does not say.
    pub process_limit_bytes: Option<u64>,
    /// How large one context binary may be; `None` if the target does not say.
    pub context_limit_bytes: Option<u64>,
    /// Context binaries that are larger, with their bytes. Partitions are cut by their weights; what the compiler adds
    /// to these is not known before.
    pub oversized: BTreeMap<String, u64>,
}

impl Limits {
    /// Holds sizes against what the target states; `binaries` are the context binaries by name.
    pub fn new(memory: &Memory, process_bytes: u64, mut binaries: BTreeMap<String, u64>) -> Self {
        let in_bytes = |mib: Option<u32>| mib.map(|mib| u64::from(mib) << 20);
        let context_limit_bytes = in_bytes(memory.context_mib);
        binaries.retain(|_, size| context_limit_bytes.is_some_and(|limit| *size > limit));
        let process_limit_bytes = in_bytes(memory.process_mib);
        Limits { process_bytes, process_limit_bytes, context_limit_bytes, oversized: binaries }
    }

    /// Lines for a terminal, about what the target states.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(limit) = self.process_limit_bytes {
            let (needed, can) = (bytes(self.process_bytes), bytes(limit));
            lines.push(match self.process_bytes <= limit {
                true => format!("one process on the NPU maps {needed} of the {can} that it can"),
                false => format!(
                    "one process on the NPU would have to map {needed}, and it can map {can}: load the partitions in \
                     turn, or in several processes"
                ),
            });
        }
        if let Some(limit) = self.context_limit_bytes.filter(|_| !self.oversized.is_empty()) {
            let names: Vec<String> =
                self.oversized.iter().map(|(name, size)| format!("{name} {}", bytes(*size))).collect();
            lines.push(format!(
                "context binaries larger than the {} that the target states: {}; a smaller context_mib leaves room for \
                 what the compiler adds to weights",
                bytes(limit),
                names.join(", ")
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_both_sizes() {
        let binaries = BTreeMap::from([("vision".to_string(), 3 << 20), ("projector".to_string(), 1 << 20)]);
        let memory = Memory { process_mib: Some(8), context_mib: Some(2) };
        let made = Limits::new(&memory, 9 << 20, binaries.clone());
        let [process, binary] = &made.lines()[..] else { panic!("{made:?}") };
        assert!(process.contains("would have to map 9.44 MB, and it can map 8.39 MB"), "{process}");
        assert!(binary.contains("larger than the 2.10 MB that the target states: vision 3.15 MB;"), "{binary}");
        let fits = Limits::new(&Memory { process_mib: Some(8), context_mib: None }, 8 << 20, binaries);
        assert_eq!(fits.lines(), ["one process on the NPU maps 8.39 MB of the 8.39 MB that it can"]);
        assert_eq!(Limits::new(&Memory::default(), 1, BTreeMap::new()).lines(), Vec::<String>::new());
    }
}
