//! What stages take of memory at the same time, and what this machine has.

use crate::drivers::CALIBRATION;
use autoneural_base::error::{IoContext, Result};
use autoneural_base::machine;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_core::program::Group;
use autoneural_engines::back::onnx::DataWriter;

/// Memory that work at the same time may take together, where the machine has it.
const TOGETHER: u64 = 10 << 30;
/// What the vendor's compiler takes for one graph, at most: 5.1 GB were measured for a language model of 1.2 billion
/// parameters, 3.4 GB for an encoder of pictures of 768 pixels.
const COMPILER: u64 = 5 << 30;
/// What it takes for one graph, as a multiple of the quantized weights, where they are few: those were 654 and 296 MB.
const OF_WEIGHTS: u64 = 12;

/// Most that observers hold at once.
const MOST_EVIDENCE: u64 = 4 << 30;

/// What observers of one pass of the samples may take together: a quarter of the memory, and no more than a language
/// model of some billion parameters leaves in 12 GB.
pub(crate) fn for_evidence() -> u64 {
    MOST_EVIDENCE.min(machine::memory() / 4)
}

/// Whether a context binary can be built while these groups are calibrated.
///
/// # Errors
/// The weights of a group are missing.
pub(crate) fn fits_beside_calibration(bundle: &Bundle, groups: &[Group]) -> Result<bool> {
    let mut bytes = 0;
    for group in groups {
        let weights = bundle.path("model").join(DataWriter::name_of(group));
        bytes += std::fs::metadata(&weights).reading(&weights)?.len();
    }
    Ok((bytes as f64 * CALIBRATION) as u64 + COMPILER <= TOGETHER.min(machine::memory()))
}

/// Whether two context binaries of graphs with as many weights as this one can be built at the same time.
pub(crate) fn fits_twice(bundle: &Bundle, partition: &Partition) -> bool {
    let weights = bundle.path("qdq").join(DataWriter::name_of(&partition.group));
    // A graph without large constants has no such file.
    let bytes = std::fs::metadata(&weights).map_or(0, |meta| meta.len());
    2 * COMPILER.min(bytes.saturating_mul(OF_WEIGHTS)) <= TOGETHER.min(machine::memory())
}
